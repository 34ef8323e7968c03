//! How well observations predict each other, and what that says about the width of a range.
//!
//! Each observation is predicted from all the others (leave one out). With the prior's half-width
//! `w`, `n` observations and the root mean square `q` of the errors of those predictions, the
//! half-width after them is
//!
//! ```text
//! w_n = min(w, sqrt((w^2 + n (1.645 q)^2) / (1 + n)))
//! ```
//!
//! so the prior counts as much as one observation, and with many the range holds nine of ten
//! (1.645 standard deviations of normal errors). A single observation leaves the width as it is:
//! nothing was predicted yet.

use std::cmp::Ordering;

/// Standard deviations that hold nine of ten normal errors.
const NINE_OF_TEN: f64 = 1.645;

/// How well observations predicted each other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HeldOut {
    /// How many there were.
    pub observations: usize,
    /// Mean of the errors' sizes, as a share of what was measured.
    pub mean_error: f64,
    /// The largest of them.
    pub worst_error: f64,
    /// How many were inside the range that the others gave.
    pub covered: usize,
}

impl HeldOut {
    /// Share of observations inside the range that the others gave.
    #[must_use]
    pub fn coverage(&self) -> f64 {
        self.covered as f64 / self.observations.max(1) as f64
    }
}

/// Evidence in an order of its own, so that sums do not depend on the order of arrival.
pub(crate) trait Ordered {
    fn order(&self, other: &Self) -> Ordering;
}

/// How a prediction turned out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Judged {
    /// Prediction less measurement, as a share of the measurement.
    pub(crate) error: f64,
    /// Whether the measurement was inside the predicted range.
    pub(crate) inside: bool,
}

/// Judges each observation by all the others.
pub(crate) fn leave_one_out<T: Copy>(
    observations: &[T],
    judge: impl Fn(&T, &[T]) -> Judged,
) -> Option<HeldOut> {
    if observations.len() < 2 {
        return None;
    }
    let judged: Vec<_> = without_each(observations).map(|(one, rest)| judge(&one, &rest)).collect();
    let sizes = judged.iter().map(|judged| judged.error.abs());
    Some(HeldOut {
        observations: judged.len(),
        mean_error: sizes.clone().sum::<f64>() / judged.len() as f64,
        worst_error: sizes.fold(0.0, f64::max),
        covered: judged.iter().filter(|judged| judged.inside).count(),
    })
}

/// Each observation with all the others.
pub(crate) fn without_each<T: Copy>(observations: &[T]) -> impl Iterator<Item = (T, Vec<T>)> {
    observations.iter().enumerate().map(|(at, one)| {
        let others = observations.iter().enumerate().filter(|(other, _)| *other != at);
        (*one, others.map(|(_, other)| *other).collect())
    })
}

/// What part of its half-width a range keeps, by the errors of predictions from the others, in the
/// unit of the half-width.
///
/// ```
/// use nearside_estimate::observation::held_out::kept_width;
/// // Three exact predictions: the prior's 0.4 counts as one of four, sqrt(1/4) of it is left.
/// assert_eq!(kept_width(0.4, &[0.0, 0.0, 0.0]), 0.5);
/// // Errors as wide as the prior leave it as it is, and so does a single observation.
/// assert_eq!(kept_width(0.4, &[0.4, -0.4]), 1.0);
/// assert_eq!(kept_width(0.4, &[0.0]), 1.0);
/// ```
#[must_use]
pub fn kept_width(prior: f64, errors: &[f64]) -> f64 {
    if errors.len() < 2 || prior <= 0.0 {
        return 1.0;
    }
    let count = errors.len() as f64;
    let square = errors.iter().map(|error| error * error).sum::<f64>() / count;
    let evidence = NINE_OF_TEN * NINE_OF_TEN * square;
    (((prior * prior + count * evidence) / (1.0 + count)).sqrt() / prior).min(1.0)
}
