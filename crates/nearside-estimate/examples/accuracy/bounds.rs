//! What the errors of the project's own rows may be at most: the figures of today, held by a test and
//! shown on the page.

use crate::words::Metric;

/// Errors of a group, in percent.
pub(crate) struct Bound {
    /// The file, without its ending.
    file: &'static str,
    metric: Metric,
    /// The most that the mean may be.
    pub(crate) mean: f64,
    /// The most that one row may be off.
    pub(crate) worst: f64,
}

/// Every bound. Speeds have none before probes: data sheets say too little of a device.
const BOUNDS: [Bound; 16] = [
    bound("published", Metric::Allocated, 0.7, 2.0),
    bound("published", Metric::Reserved, 1.8, 15.5),
    bound("trace_results", Metric::Weights, 0.0, 0.0),
    bound("trace_results", Metric::Optimizer, 0.0, 0.0),
    // Llama under autocast was traced with the rules of a processor, ours are those of CUDA
    // (1.7 and 5.3 %). All others are within half a percent.
    bound("trace_results", Metric::SavedActivations, 0.5, 5.5),
    bound("trace_results", Metric::LivePeak, 0.5, 2.0),
    bound("traces", Metric::Parameters, 0.0, 0.0),
    bound("traces", Metric::LivePeak, 0.5, 2.0),
    bound("traces", Metric::SavedActivations, 0.5, 2.0),
    bound("traces", Metric::Allocated, 0.5, 2.0),
    bound("traces", Metric::Reserved, 1.0, 10.0),
    bound("gguf", Metric::Weights, 0.01, 0.02),
    bound("gguf", Metric::KvCache, 0.01, 0.5),
    bound("gguf", Metric::Compute, 0.01, 0.05),
    // As many digits as llama.cpp prints of a buffer of half a MiB.
    bound("gguf", Metric::Output, 0.3, 2.0),
    bound("gguf", Metric::Process, 0.01, 0.02),
];

const fn bound(file: &'static str, metric: Metric, mean: f64, worst: f64) -> Bound {
    Bound { file, metric, mean, worst }
}

/// The bound of a group, if there is one.
pub(crate) fn of(file: &str, metric: Metric) -> Option<&'static Bound> {
    BOUNDS.iter().find(|bound| bound.file == file && bound.metric == metric)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fit::verdicts;
    use crate::score::{Group, Scores, before, groups};

    fn scores() -> Scores {
        let catalog = nearside_catalog::Catalog::builtin().unwrap();
        Scores::of(crate::own_rows().unwrap(), &catalog)
    }

    #[test]
    fn errors_of_the_own_rows_are_within_bounds() {
        let scores = scores();
        let groups = groups(&scores.scored);
        for bound in &BOUNDS {
            let own = |((file, metric), _): &&(crate::score::Key, _)| {
                file == bound.file && *metric == bound.metric
            };
            let Some((_, rows)) = groups.iter().find(own) else { continue };
            let group = Group::of(&before(rows)).unwrap();
            let name = format!("{} {}: {group:?}", bound.file, bound.metric);
            assert!(group.mean <= bound.mean && group.worst <= bound.worst, "{name}");
        }
        let [small, _, large] = verdicts(&scores.scored);
        assert_eq!(small.1.fits, 0, "said to fit where a tenth is missing");
        assert_eq!(large.1.does_not, 0, "said not to fit where a tenth is left");
    }

    #[test]
    fn the_reference_is_scored_as_far_as_it_says_enough() {
        let scores = scores();
        let count = |file: &str, metric: Metric| {
            let is_of = |row: &&crate::score::Scored| {
                row.metric == metric && row.row.file.ends_with(format!("{file}.csv"))
            };
            scores.scored.iter().filter(is_of).count()
        };
        assert_eq!(count("published", Metric::Allocated), 36);
        assert_eq!(count("published", Metric::Reserved), 36);
        assert_eq!(count("published", Metric::Step), 36);
        assert!(count("published", Metric::TokensPerSecond) >= 30);
        assert!(count("trace_results", Metric::LivePeak) >= 42);
    }
}
