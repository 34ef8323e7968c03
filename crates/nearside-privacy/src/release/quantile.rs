//! Quantiles: a value that about so large a part of the rows is below.
//!
//! Of the values that the bounds and the step allow, one is chosen by the exponential mechanism (Smith 2011). With `L`
//! rows below `x`, `E` rows at it and `n` in all, the quantile `a / b` is missed by
//! `k(x) = max(0, b L - a n, a n - b (L + E))`: 0 at the true quantile. A row more adds `b - a`, `-a` or 0 to `b L - a n`,
//! and `a` or `a - b` or 0 to the other, so one person with at most `c` rows changes `k` by at most
//! `d = c max(a, b - a)`. Values between two that rows have are missed by as much, so they are weighed as one.

use super::choice::Weights;
use super::random::Source;
use super::{Fraction, ReleaseError};

/// The most values that are chosen from: what is far off has at most one in `2^64` of the weight of the best each.
pub(super) const MOST_POINTS: u128 = 1 << 40;

/// Values that are missed by as much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stretch {
    from: i64,
    length: u64,
    below: u64,
    at: u64,
}

/// Hands on every stretch between bounds, in order, for values that are sorted and within them.
fn stretches(
    values: &[i64],
    (lower, upper): (i64, i64),
    mut each: impl FnMut(Stretch) -> Option<i64>,
) -> Option<i64> {
    let (mut from, mut below) = (lower, 0);
    for group in values.chunk_by(|one, other| one == other) {
        let (Some(&value), at) = (group.first(), group.len() as u64) else {
            continue;
        };
        if value > from {
            let found = each(Stretch { from, length: value.abs_diff(from), below, at: 0 });
            if found.is_some() {
                return found;
            }
        }
        let found = each(Stretch { from: value, length: 1, below, at });
        if found.is_some() {
            return found;
        }
        below += at;
        from = value + 1;
    }
    if from > upper {
        return None;
    }
    each(Stretch { from, length: upper.abs_diff(from) + 1, below, at: 0 })
}

/// By how much a stretch misses a quantile, in whole changes of one person with so many rows.
fn level(stretch: &Stretch, all: u64, at: Fraction, contributions: u32) -> usize {
    let [part, whole] = [at.part(), at.whole()].map(i128::from);
    let goal = part * i128::from(all);
    let above = whole * i128::from(stretch.below) - goal;
    let below = goal - whole * i128::from(stretch.below + stretch.at);
    let change = i128::from(contributions) * part.max(whole - part);
    usize::try_from(above.max(below).max(0) / change).unwrap_or(usize::MAX)
}

/// Chooses a quantile of values that are sorted and within bounds.
pub(super) fn choose(
    values: &[i64],
    bounds: (i64, i64),
    at: Fraction,
    contributions: u32,
    (weights, source): (&mut Weights, &mut Source),
) -> Result<i64, ReleaseError> {
    let all = values.len() as u64;
    let mut sum: u128 = 0;
    stretches(values, bounds, |stretch| {
        sum += weights.at(level(&stretch, all, at, contributions)) * u128::from(stretch.length);
        None
    });
    let mut left = source.up_to(sum.saturating_sub(1))?;
    let chosen = stretches(values, bounds, |stretch| {
        let weight = weights.at(level(&stretch, all, at, contributions));
        let here = weight * u128::from(stretch.length);
        if left < here {
            // Below the length, which is below 2^40.
            return Some(stretch.from + i64::try_from(left / weight).unwrap_or(0));
        }
        left -= here;
        None
    });
    Ok(chosen.unwrap_or(bounds.0))
}

#[cfg(test)]
mod tests {
    use super::super::amount::{Amount, UNIT};
    use super::*;

    #[test]
    fn stretches_cover_all_values_once() {
        let mut seen = Vec::new();
        stretches(&[3, 3, 4, 9], (1, 9), |stretch| {
            seen.push((stretch.from, stretch.length, stretch.below, stretch.at));
            None
        });
        assert_eq!(seen, [(1, 2, 0, 0), (3, 1, 0, 2), (4, 1, 2, 1), (5, 4, 3, 0), (9, 1, 3, 1)]);
    }

    #[test]
    fn with_much_to_spend_it_is_the_quantile() {
        let (mut source, mut weights) = (Source::seeded(1), Weights::new(Amount(100 * UNIT)));
        let mut values = vec![7; 60];
        values.extend(vec![2; 39]);
        values.sort_unstable();
        let mut median = |part, values: &[i64]| {
            let at = Fraction::new(part, 10).unwrap();
            choose(values, (-1000, 1000), at, 1, (&mut weights, &mut source)).unwrap()
        };
        assert_eq!((median(5, &values), median(3, &values)), (7, 2));
        let far = median(5, &[]);
        assert!((-1000..=1000).contains(&far));
    }

    /// The logarithm of the probability of every value, from the lower bound on.
    fn logs(
        values: &[i64],
        bounds: (i64, i64),
        at: Fraction,
        contributions: u32,
        epsilon: u64,
    ) -> Vec<f64> {
        let (mut weights, mut all) = (Weights::new(Amount(epsilon)), Vec::new());
        stretches(values, bounds, |stretch| {
            let weight = weights.at(level(&stretch, values.len() as u64, at, contributions));
            (0..stretch.length).for_each(|_| all.push(weight));
            None
        });
        let sum = all.iter().sum::<u128>() as f64;
        all.iter().map(|weight| (*weight as f64 / sum).ln()).collect()
    }

    proptest::proptest! {
        /// Exact probabilities of neighbouring tables differ by at most epsilon, and by no less for any: the range of
        /// what they differ by is at most epsilon as well.
        #[test]
        fn one_person_changes_no_probability_by_more_than_epsilon(
            mut values in proptest::collection::vec(-4_i64..=9, 0..12),
            more in proptest::collection::vec(-4_i64..=9, 1..4),
            part in 1_u32..20,
            epsilon in 1_000_000_u64..8 * UNIT,
        ) {
            values.sort_unstable();
            let mut other = [values.clone(), more.clone()].concat();
            other.sort_unstable();
            let at = Fraction::new(part, 20).unwrap();
            let [one, other] = [values, other].map(|it| logs(&it, (-4, 9), at, more.len() as u32, epsilon));
            let most = epsilon as f64 / UNIT as f64 + 1e-12;
            let apart: Vec<f64> = one.iter().zip(&other).map(|(one, other)| one - other).collect();
            let (least, greatest) = apart.iter().fold((0.0, 0.0), |(low, high): (f64, f64), it| {
                (low.min(*it), high.max(*it))
            });
            proptest::prop_assert!(one.len() == 14 && greatest - least <= most, "{apart:?} {most}");
        }
    }
}
