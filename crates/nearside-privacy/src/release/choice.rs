//! The exponential mechanism: one of many, the better the likelier, without a floating-point number.
//!
//! It chooses `x` with probability proportional to `exp(-epsilon k(x) / (2 d))`, `k` being how much worse `x` is
//! than what is wished for, and `d` the most that one person changes `k` by (McSherry, Talwar 2007). No more than
//! that is needed: any weights `g(k)` that fall by at most a factor of `e^(epsilon/2)` where `k` grows by `d` will do.
//! For with one person more or fewer, `g(k(x))` and the sum of all weights each change by at most that factor, so
//! the probability of any `x` by at most `e^epsilon`; and as the logarithms of the first lie in a range of width
//! `epsilon`, it is `epsilon^2 / 8`-zCDP (Cesar, Rogers 2021).
//!
//! - [`Weights`] are such: `g(k) = w(floor(k / d))`, `w(0) = 2^64` and `w(j + 1) = ceil(w(j) q)`, `q` a fraction not
//!   below `e^(-epsilon/2)`. They are whole numbers, so that a choice is one whole number below their sum. Rounding up
//!   keeps them above 0, which costs what is far off a probability of at most about `2 / epsilon` in `2^64` each.
//! - [`best`] chooses among a few: one of them, each as likely, until an event of probability
//!   `exp(-epsilon (s_max - s) / (2 d))` happens.

use super::amount::{Amount, UNIT};
use super::random::Source;
use super::{ReleaseError, sampler};

/// The weight of what is best.
const HEAVIEST: u128 = 1 << 64;
/// Bits of a fraction.
const BITS: u32 = 60;
const ONE: u128 = 1 << BITS;
/// Terms of a series: with arguments up to 1, the last is below `2^-60`. It is even, so that the sum is not too low.
const TERMS: u128 = 20;

/// Weights by how much worse something is, in whole changes of one person.
#[derive(Clone, Debug)]
pub(super) struct Weights {
    fraction: u128,
    known: Vec<u128>,
    /// Whether the last weight that is known is that of all after it.
    ended: bool,
}

impl Weights {
    /// Weights of a choice that spends epsilon.
    pub(super) fn new(epsilon: Amount) -> Self {
        let fraction = falling(u128::from(epsilon.0), 2 * u128::from(UNIT));
        Self { fraction, known: vec![HEAVIEST], ended: false }
    }

    /// The weight at a level.
    pub(super) fn at(&mut self, level: usize) -> u128 {
        while !self.ended && self.known.len() <= level {
            let last = self.known.last().copied().unwrap_or(HEAVIEST);
            let next = (last * self.fraction).div_ceil(ONE);
            self.ended = next == last;
            self.known.push(next);
        }
        let last = self.known.len().saturating_sub(1);
        self.known.get(level.min(last)).copied().unwrap_or(1)
    }

    /// A level that is reached with a probability of at most `beyond` among so many `points`, one of them at level 0;
    /// infinite where there is none.
    pub(super) fn level(epsilon: Amount, points: u128, beyond: f64) -> f64 {
        let (points, half) = (points as f64, epsilon.value() / 2.0);
        let flat = points / -(-half).exp_m1() / HEAVIEST as f64;
        if flat < beyond { ((points / (beyond - flat)).ln() / half).ceil() } else { f64::INFINITY }
    }
}

/// A fraction, of [`ONE`], that is not below `exp(-part / whole)`.
///
/// The series of the exponential, broken off behind a term that is added, with every term rounded upwards where it is
/// added, and downwards where it is taken off; of arguments above 1 it is that of a part, and then squares.
fn falling(part: u128, whole: u128) -> u128 {
    let squares = (part / whole.max(1)).checked_ilog2().map_or(0, |log| log + 1);
    let part = part >> squares;
    let (mut up, mut down) = (ONE, ONE);
    let (mut added, mut taken) = (ONE, 0);
    for term in 1..=TERMS {
        up = (up * part).div_ceil(whole * term);
        down = down * part / (whole * term);
        if term % 2 == 0 { added += up } else { taken += down }
    }
    let mut fraction = (added - taken).min(ONE);
    for _ in 0..squares {
        fraction = (fraction * fraction).div_ceil(ONE);
    }
    fraction
}

/// One of some, the higher its score the likelier, where one person changes every score by at most `change`: its
/// place, or nothing where there are none.
pub(super) fn best(
    scores: &[u64],
    change: u64,
    epsilon: Amount,
    source: &mut Source,
) -> Result<Option<usize>, ReleaseError> {
    let Some(most) = scores.iter().max() else {
        return Ok(None);
    };
    let whole = 2 * u128::from(UNIT) * u128::from(change.max(1));
    loop {
        let place = source.place(scores.len())?;
        let worse = scores.get(place).map_or(0, |score| most - score);
        if sampler::exponential(source, u128::from(worse) * u128::from(epsilon.0), whole)? {
            return Ok(Some(place));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fraction_is_never_below_the_exponential() {
        for part in [1, 1000, 10_u128.pow(9), UNIT.into(), 2_500_000_000_000, 37 * 10_u128.pow(12)]
        {
            let fraction = falling(part, UNIT.into()) as f64 / ONE as f64;
            let exact = (-(part as f64) / UNIT as f64).exp();
            // To the rounding of numbers of 53 bits, and of 60 behind the point.
            assert!(fraction > exact * (1.0 - 3e-16) - 1e-300, "{part}");
            assert!(fraction < exact * (1.0 + 1e-14) + 5e-18, "{part} {fraction} {exact}");
        }
        assert_eq!(falling(500 * u128::from(UNIT), UNIT.into()), 1);
    }

    #[test]
    fn weights_fall_by_no_more_than_half_of_epsilon() {
        for parts in [1_000_000, UNIT / 10, UNIT, 30 * UNIT, 1000 * UNIT] {
            let mut weights = Weights::new(Amount(parts));
            for level in 0..2000 {
                let (one, next) = (weights.at(level), weights.at(level + 1));
                assert!(next >= 1 && next <= one);
                let fall = (one as f64 / next as f64).ln();
                assert!(fall <= parts as f64 / UNIT as f64 / 2.0 + 1e-15, "{parts} {level}");
            }
        }
    }
}
