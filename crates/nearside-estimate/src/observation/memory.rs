//! Reserved memory: one offset over the estimate, which is what driver and libraries take.
//!
//! The context is `prior + mean(measured - likely)`, never below zero.

use std::cmp::Ordering;

use nearside_units::{Bytes, Span};

use super::held_out::{HeldOut, Judged, Ordered, kept_width, leave_one_out, without_each};

/// Memory reserved at the peak of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reserved {
    /// What had been estimated without any observation.
    pub estimate: Span<Bytes>,
    /// What it was.
    pub measured: Bytes,
}

impl Ordered for Reserved {
    fn order(&self, other: &Self) -> Ordering {
        let numbers = |one: &Self| {
            let estimate = one.estimate;
            [estimate.likely(), one.measured, estimate.low(), estimate.high()]
        };
        numbers(self).cmp(&numbers(other))
    }
}

/// What a process takes besides what its allocator holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MemoryModel {
    /// Driver context and libraries.
    pub context: Span<Bytes>,
}

impl MemoryModel {
    /// The model after these observations; without any it stays as it is.
    ///
    /// ```
    /// use nearside_estimate::observation::memory::{MemoryModel, Reserved};
    /// use nearside_units::{Bytes, Span};
    /// let span = |low, likely, high| {
    ///     Span::new(Bytes::mib(low), Bytes::mib(likely), Bytes::mib(high)).unwrap()
    /// };
    /// let prior = MemoryModel { context: span(140, 400, 600) };
    /// // Estimated 4000 MiB with a context of 400 MiB, was 3850: the context is 250 MiB.
    /// let run = Reserved { estimate: span(3700, 4000, 4600), measured: Bytes::mib(3850) };
    /// assert_eq!(prior.after(&[run]).context, span(0, 250, 450));
    /// ```
    #[must_use]
    pub fn after(&self, observations: &[Reserved]) -> Self {
        let mut observations = observations.to_vec();
        observations.sort_by(Ordered::order);
        let Some(offset) = offset(&observations) else { return *self };
        let errors: Vec<_> = without_each(&observations)
            .filter_map(|(one, rest)| Some(excess(&one) - self::offset(&rest)?))
            .collect();
        let widths =
            observations.iter().map(|one| number(one.estimate.high()) - number(one.estimate.low()));
        let prior = widths.sum::<f64>() / (2.0 * observations.len() as f64);
        let kept = kept_width(prior, &errors);
        let likely = number(self.context.likely()) + offset;
        let end = |end: Bytes| {
            let distance = number(end) - number(self.context.likely());
            bytes(likely + distance * kept)
        };
        let (low, high) = (end(self.context.low()), end(self.context.high()));
        Self { context: Span::new(low, bytes(likely), high).unwrap_or(self.context) }
    }

    /// How well these observations predict each other.
    #[must_use]
    pub fn held_out(&self, observations: &[Reserved]) -> Option<HeldOut> {
        leave_one_out(observations, |one, rest| {
            let context = self.after(rest).context;
            let moved = |end: Bytes, context: Bytes, prior: Bytes| {
                number(end) + number(context) - number(prior)
            };
            let low = moved(one.estimate.low(), context.low(), self.context.low());
            let likely = moved(one.estimate.likely(), context.likely(), self.context.likely());
            let high = moved(one.estimate.high(), context.high(), self.context.high());
            let measured = number(one.measured);
            Judged {
                error: likely / measured.max(1.0) - 1.0,
                inside: low <= measured && measured <= high,
            }
        })
    }
}

/// Mean of measured less likely.
fn offset(observations: &[Reserved]) -> Option<f64> {
    let count = observations.len();
    (count > 0).then(|| observations.iter().map(excess).sum::<f64>() / count as f64)
}

fn excess(one: &Reserved) -> f64 {
    number(one.measured) - number(one.estimate.likely())
}

fn number(bytes: Bytes) -> f64 {
    bytes.get() as f64
}

/// Whole bytes, none when it is less than nothing.
fn bytes(number: f64) -> Bytes {
    Bytes::new(number.max(0.0) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn span(low: u64, likely: u64, high: u64) -> Span<Bytes> {
        Span::new(Bytes::mib(low), Bytes::mib(likely), Bytes::mib(high)).unwrap()
    }

    fn prior() -> MemoryModel {
        MemoryModel { context: span(140, 400, 600) }
    }

    fn run(likely: u64, measured: u64) -> Reserved {
        // The prior's context, and a tenth for the allocator.
        let estimate = span(likely - 260, likely, likely + 200 + likely / 10);
        Reserved { estimate, measured: Bytes::mib(measured) }
    }

    #[test]
    fn runs_that_agree_narrow_the_context() {
        let runs = [run(4000, 3880), run(2000, 1880), run(9000, 8880)];
        let after = prior().after(&runs);
        assert_eq!(after.context.likely(), Bytes::mib(280));
        assert_eq!(after.context.high(), Bytes::mib(380));
        let held_out = prior().held_out(&runs).unwrap();
        assert!(held_out.worst_error < 1e-9 && held_out.covered == 3, "{held_out:?}");
    }

    #[test]
    fn a_context_is_never_less_than_nothing() {
        let after = prior().after(&[run(4000, 1000)]);
        assert_eq!(after.context, Span::exact(Bytes::ZERO));
    }

    proptest! {
        #[test]
        fn a_planted_offset_comes_back_and_never_widens(
            context in 100u64..2_000, sizes in prop::collection::vec(1_000u64..50_000, 1..8),
            noise in 0u64..500,
        ) {
            let planted = |likely: u64, noise: u64| run(likely, likely - 400 + context + noise);
            let mut runs: Vec<_> = sizes.iter().map(|likely| planted(*likely, 0)).collect();
            let found = prior().after(&runs).context.likely();
            prop_assert!(found.get().abs_diff(Bytes::mib(context).get()) < 1024);
            runs.push(planted(5_000, noise));
            let after = prior().after(&runs);
            let width = |context: Span<Bytes>| context.high().get() - context.low().get();
            prop_assert!(width(after.context) <= width(prior().context) + 1);
            runs.reverse();
            prop_assert_eq!(prior().after(&runs), after);
        }
    }
}
