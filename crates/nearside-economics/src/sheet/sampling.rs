//! Many evaluations of a sheet with every uncertain input drawn at random: Latin hypercube sampling of
//! triangular distributions, the same for the same seed on every machine.
//!
//! Of `n` draws each takes another `n`-th of every input's distribution, in an order that is shuffled
//! anew for each input (McKay, Beckman and Conover 1979): the mean of what depends on inputs by sums is
//! then nearly exact. Inputs are drawn independently of one another.

use nearside_units::Span;

use super::formula::Id;
use super::{Sheet, Value};
use crate::random::Random;

/// Evaluations beside each other, as many as stay in the nearest cache.
const LANES: usize = 64;

/// How many draws, from which seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draws {
    /// How many; at least one.
    pub count: usize,
    /// Which of all possible draws.
    pub seed: u64,
}

/// What one cell came to, draw by draw, from the least to the greatest; draws in which there was no such
/// number are left out and counted.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    sorted: Vec<f64>,
    draws: usize,
}

impl Sample {
    /// Of what every draw came to; a draw without such a number is NaN.
    pub(crate) fn of(drawn: Vec<f64>) -> Self {
        let draws = drawn.len();
        let mut sorted: Vec<f64> = drawn.into_iter().filter(|number| number.is_finite()).collect();
        sorted.sort_unstable_by(f64::total_cmp);
        Self { sorted, draws }
    }

    /// The numbers, from the least to the greatest.
    #[must_use]
    pub fn numbers(&self) -> &[f64] {
        &self.sorted
    }

    /// The share of all draws that came to a number of at most this, 0 to 1.
    #[must_use]
    pub fn share_up_to(&self, most: f64) -> f64 {
        self.sorted.partition_point(|number| *number <= most) as f64 / self.draws as f64
    }

    /// The number that a share of all draws does not exceed, where there is no number counted as more
    /// than any; nothing where that is what the share reaches into.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let place = (share * self.draws as f64).ceil().max(1.0) as usize - 1;
        self.sorted.get(place).copied()
    }

    /// The mean of the draws that came to a number.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        let count = self.sorted.len();
        (count > 0).then(|| self.sorted.iter().sum::<f64>() / count as f64)
    }
}

impl Sheet {
    /// Draws all uncertain inputs and gives what some cells came to.
    #[must_use]
    pub fn drawn(&self, targets: &[Id], draws: Draws) -> Vec<Sample> {
        let count = draws.count.max(1);
        let needed = self.needed(targets);
        let uncertain: Vec<(Id, Span<f64>)> =
            self.uncertain().filter(|(id, _)| needed.binary_search(id).is_ok()).collect();
        let strata: Vec<Vec<u32>> = uncertain
            .iter()
            .map(|(id, _)| shuffled(count, Random::of(draws.seed, id.0 as u64)))
            .collect();
        let mut within = Random::of(draws.seed, u64::MAX);
        let mut lanes = vec![[f64::NAN; LANES]; self.cells().count()];
        let mut found = vec![Vec::with_capacity(count); targets.len()];
        for first in (0..count).step_by(LANES) {
            let drawn: Vec<[f64; LANES]> = uncertain
                .iter()
                .zip(&strata)
                .map(|((_, span), strata)| {
                    std::array::from_fn(|lane| {
                        let stratum = strata.get(first + lane).copied().unwrap_or(0);
                        let share = (f64::from(stratum) + within.share()) / count as f64;
                        triangular(*span, share)
                    })
                })
                .collect();
            self.evaluate(&needed, &mut lanes, |id, likely| {
                match uncertain.binary_search_by_key(&id, |(id, _)| *id) {
                    Ok(place) => drawn[place],
                    Err(_) => [likely; LANES],
                }
            });
            let left = LANES.min(count - first);
            for (target, found) in targets.iter().zip(&mut found) {
                found.extend_from_slice(&lanes[target.0][..left]);
            }
        }
        found.into_iter().map(Sample::of).collect()
    }

    /// What a cell comes to with each uncertain input that it depends on at its low and at its high end
    /// and all others at their likely values, what matters most first and what does not matter left out.
    #[must_use]
    pub fn swings(&self, target: Id) -> Vec<Swing> {
        let needed = self.needed(&[target]);
        let at = |id: Id, value: f64| self.values_with(&[(id, value)].into()).of(target);
        let mut swings: Vec<Swing> = self
            .uncertain()
            .filter(|(id, _)| needed.binary_search(id).is_ok())
            .map(|(id, span)| Swing { id, low: at(id, span.low()), high: at(id, span.high()) })
            .filter(|swing| swing.width() > 0.0)
            .collect();
        swings.sort_by(|one, other| other.width().total_cmp(&one.width()));
        swings
    }
}

/// What one uncertain input does to a cell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Swing {
    /// The input.
    pub id: Id,
    /// What the cell comes to with the input at its low end.
    pub low: Value,
    /// And at its high end.
    pub high: Value,
}

impl Swing {
    /// How far apart the two are; as far as can be where one of them is no number.
    #[must_use]
    pub fn width(&self) -> f64 {
        match (self.low, self.high) {
            (Value::Number(low), Value::Number(high)) => (high - low).abs(),
            (Value::Nothing(_), Value::Nothing(_)) => 0.0,
            _ => f64::INFINITY,
        }
    }
}

/// The value that a share of a triangular distribution does not exceed: from low to high, likely in the
/// middle. Its mean is `(low + likely + high) / 3`.
fn triangular(span: Span<f64>, share: f64) -> f64 {
    let (low, likely, high) = (span.low(), span.likely(), span.high());
    let width = high - low;
    let below = (likely - low) / width;
    match share < below {
        true => low + (share * width * (likely - low)).sqrt(),
        false => high - ((1.0 - share) * width * (high - likely)).sqrt(),
    }
}

/// The numbers below a count in random order (Fisher and Yates).
fn shuffled(count: usize, mut random: Random) -> Vec<u32> {
    let mut numbers: Vec<u32> = (0..count as u32).collect();
    for last in (1..count).rev() {
        numbers.swap(last, random.below(last as u64 + 1) as usize);
    }
    numbers
}
