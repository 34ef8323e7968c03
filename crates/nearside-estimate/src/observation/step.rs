//! The time of a training step: one factor over the estimate.
//!
//! The factor is the geometric mean of measured over likely, `exp(mean(ln(t / likely)))`; its range
//! is that of the estimates, as far as the runs have not narrowed it.

use std::cmp::Ordering;

use nearside_units::{Duration, Span};

use super::decode::{half_width, narrowed};
use super::held_out::{HeldOut, Judged, Ordered, kept_width, leave_one_out, without_each};

/// One training step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stepped {
    /// What had been estimated without any observation.
    pub estimate: Span<Duration>,
    /// How long it took.
    pub measured: Duration,
}

impl Ordered for Stepped {
    fn order(&self, other: &Self) -> Ordering {
        let numbers = |one: &Self| {
            let estimate = one.estimate;
            [estimate.likely(), one.measured, estimate.low(), estimate.high()]
                .map(Duration::as_seconds)
        };
        let pairs = numbers(self).into_iter().zip(numbers(other));
        pairs
            .map(|(left, right)| left.total_cmp(&right))
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
    }
}

/// What a site's steps take over the likely estimate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepModel {
    /// Measured over likely.
    pub factor: Span<f64>,
}

impl StepModel {
    /// What observed steps say of the next; nothing without one.
    ///
    /// ```
    /// use nearside_estimate::observation::step::{StepModel, Stepped};
    /// use nearside_units::{Duration, Span};
    /// let seconds = Duration::constant;
    /// let estimate = Span::new(seconds(1.0), seconds(2.0), seconds(4.0)).unwrap();
    /// // Estimated 2 s, took 3 s: half as long again, and still twice or half of that.
    /// let one = StepModel::after(&[Stepped { estimate, measured: seconds(3.0) }]).unwrap();
    /// assert_eq!(one.factor, Span::new(0.75, 1.5, 3.0).unwrap());
    /// assert_eq!(StepModel::after(&[]), None);
    /// ```
    #[must_use]
    pub fn after(observations: &[Stepped]) -> Option<Self> {
        let observations = sorted(observations);
        let likely = middle(&observations)?;
        let errors: Vec<_> = without_each(&observations)
            .filter_map(|(one, rest)| Some((ratio(&one) / middle(&rest)?).ln()))
            .collect();
        let count = observations.len() as f64;
        let mean = |end: fn(&Stepped) -> f64| observations.iter().map(end).sum::<f64>() / count;
        let low = mean(|one| (one.estimate.low() / one.estimate.likely()).ln()).exp();
        let high = mean(|one| (one.estimate.high() / one.estimate.likely()).ln()).exp();
        let wide = Span::new(likely * low, likely, likely * high).ok()?;
        let prior = mean(|one| half_width(one.estimate));
        let kept = kept_width(prior, &errors);
        Some(Self { factor: narrowed(wide, kept, |factor| factor, |factor| factor) })
    }

    /// How well these observations predict each other.
    #[must_use]
    pub fn held_out(observations: &[Stepped]) -> Option<HeldOut> {
        leave_one_out(&sorted(observations), |one, rest| {
            let factor = Self::after(rest).map_or(Span::exact(1.0), |model| model.factor);
            let ratio = ratio(one);
            Judged {
                error: factor.likely() / ratio - 1.0,
                inside: factor.low() <= ratio && ratio <= factor.high(),
            }
        })
    }
}

/// The geometric mean of measured over likely.
fn middle(observations: &[Stepped]) -> Option<f64> {
    let logarithms = observations.iter().map(|one| ratio(one).ln());
    let mean = logarithms.sum::<f64>() / observations.len() as f64;
    mean.is_finite().then(|| mean.exp())
}

fn ratio(one: &Stepped) -> f64 {
    one.measured / one.estimate.likely()
}

/// Those that say something: a time and an estimate above zero.
fn sorted(observations: &[Stepped]) -> Vec<Stepped> {
    let mut sorted = observations.to_vec();
    sorted.retain(|one| one.estimate.low() > Duration::ZERO && one.measured > Duration::ZERO);
    sorted.sort_by(Ordered::order);
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn step(likely: f64, factor: f64) -> Stepped {
        let seconds = |seconds: f64| Duration::from_seconds(seconds).unwrap();
        let estimate = Span::new(likely * 0.5, likely, likely * 2.0).unwrap().map(seconds);
        Stepped { estimate, measured: seconds(likely * factor) }
    }

    #[test]
    fn steps_that_agree_narrow_the_range() {
        let runs = [step(1.0, 1.3), step(2.0, 1.32), step(0.2, 1.28), step(5.0, 1.3)];
        let factor = StepModel::after(&runs).unwrap().factor;
        assert!((factor.likely() - 1.3).abs() < 0.01, "{factor:?}");
        // The prior's factor of two either way counts as one of five: 2^(1 / sqrt 5) = 1.36.
        assert!((factor.high() / factor.likely() - 1.36).abs() < 0.02, "{factor:?}");
        let held_out = StepModel::held_out(&runs).unwrap();
        assert!(held_out.mean_error < 0.03 && held_out.covered == 4, "{held_out:?}");
    }

    proptest! {
        #[test]
        fn a_planted_factor_comes_back_and_never_widens(
            factor in 0.2f64..5.0, sizes in prop::collection::vec(0.01f64..100.0, 1..8),
            noise in 0.5f64..2.0,
        ) {
            let mut runs: Vec<_> = sizes.iter().map(|likely| step(*likely, factor)).collect();
            let found = StepModel::after(&runs).unwrap().factor;
            prop_assert!((found.likely() / factor - 1.0).abs() < 1e-9);
            runs.push(step(1.0, factor * noise));
            let after = StepModel::after(&runs).unwrap();
            prop_assert!(after.factor.high() / after.factor.low() <= 4.0 + 1e-9);
            runs.reverse();
            prop_assert_eq!(StepModel::after(&runs).unwrap(), after);
        }
    }
}
