//! Runs within bounds, and what a handful of runs says: 10th percentile, median, 90th percentile.

use std::time::{Duration, Instant};

use nearside_units::Span;

/// Between how many runs, and how long, a thing is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// No fewer runs than this, whatever they take.
    pub(crate) least: usize,
    /// No more runs than this.
    pub(crate) most: usize,
    /// After this time no further run begins.
    pub(crate) time: Duration,
}

impl Bounds {
    /// Seconds of each run of a piece of work.
    pub(crate) fn seconds(self, mut work: impl FnMut()) -> Vec<f64> {
        let begin = Instant::now();
        let mut seconds = Vec::with_capacity(self.most);
        while self.goes_on(seconds.len(), begin) {
            let start = Instant::now();
            work();
            seconds.push(since(start));
        }
        seconds
    }

    /// Whether another run may begin.
    pub(crate) fn goes_on(self, runs: usize, begin: Instant) -> bool {
        runs < self.least || (runs < self.most && begin.elapsed() < self.time)
    }
}

/// Seconds since then; never zero, so that it can divide.
pub(crate) fn since(start: Instant) -> f64 {
    start.elapsed().as_secs_f64().max(1e-9)
}

/// The 10th percentile, the median and the 90th percentile, each the value of a run; none of none.
pub(crate) fn spread(mut samples: Vec<f64>) -> Option<Span<f64>> {
    samples.retain(|sample| sample.is_finite());
    samples.sort_by(f64::total_cmp);
    let last = samples.len().checked_sub(1)?;
    let at = |share: f64| samples[(share * last as f64).round() as usize];
    Span::new(at(0.1), at(0.5), at(0.9)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_wild_run_of_many_does_not_count() {
        let mut samples: Vec<f64> = (1..=20).map(f64::from).collect();
        samples.push(1e9);
        let span = spread(samples).unwrap();
        assert_eq!((span.low(), span.likely(), span.high()), (3.0, 11.0, 19.0));
        assert_eq!(spread(vec![f64::NAN]), None);
        assert_eq!(spread(vec![7.0]), Some(Span::exact(7.0)));
    }

    #[test]
    fn runs_stay_within_bounds() {
        let bounds = Bounds { least: 2, most: 5, time: Duration::ZERO };
        assert_eq!(bounds.seconds(|| ()).len(), 2);
        let bounds = Bounds { least: 2, most: 5, time: Duration::from_secs(60) };
        assert_eq!(bounds.seconds(|| ()).len(), 5);
    }
}
