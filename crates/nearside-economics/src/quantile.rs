//! The middle of many times, and what all but the worst keep within.

use nearside_units::Duration;

/// The half and the nineteen in twenty.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantiles {
    /// Half of the times are no longer.
    pub p50: Duration,
    /// Nineteen of twenty are no longer.
    pub p95: Duration,
}

impl Quantiles {
    /// Of some times, by the nearest rank: of `n` times in order, the quantile `q` is the one at place
    /// `ceil(q n)`, so it is always a time that was measured. Nothing of no times.
    ///
    /// ```
    /// use nearside_economics::Quantiles;
    /// use nearside_units::Duration;
    /// let times: Vec<_> = (1..=20).map(|n| Duration::constant(f64::from(n))).collect();
    /// let quantiles = Quantiles::of(&times).expect("there are times");
    /// assert_eq!(quantiles.p50, Duration::constant(10.0));
    /// assert_eq!(quantiles.p95, Duration::constant(19.0));
    /// ```
    #[must_use]
    pub fn of(times: &[Duration]) -> Option<Self> {
        let mut sorted: Vec<Duration> = times.to_vec();
        sorted.sort_by(|one, other| one.as_seconds().total_cmp(&other.as_seconds()));
        // In whole hundredths, so that 0.95 times 20 is 19 and not a little more.
        let at = |hundredths: usize| {
            let place = (sorted.len() * hundredths).div_ceil(100).max(1);
            sorted.get(place - 1).copied()
        };
        Some(Self { p50: at(50)?, p95: at(95)? })
    }
}
