//! `nearside ledger accuracy`: what was estimated against what was measured.

pub(super) mod models;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use nearside_ledger::{Outcome, RunRow};
use nearside_units::{Bytes, significant};
use schemars::JsonSchema;
use serde::Serialize;

use models::ModelAccuracy;

use crate::output::{Align, table};
use crate::view::seconds;

/// The answer of `nearside ledger accuracy`.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct LedgerAccuracy {
    /// Stages that ran to their end, by name and site.
    stages: Vec<StageAccuracy>,
    /// Share of all runs with an estimate that took a time within its range; null without any.
    within_range: Option<f64>,
    /// Stages that ran, but had no estimate of their time.
    without_estimate: Vec<String>,
    /// Open models that ran on this machine, in whatever folder: each figure of each.
    models: Vec<ModelAccuracy>,
}

/// How well a stage was estimated on one site.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
struct StageAccuracy {
    stage: String,
    site: String,
    /// Runs with an estimate.
    runs: usize,
    /// Median of the times that were estimated as likely, in seconds.
    estimated_seconds: f64,
    /// Median of the times that were measured, in seconds.
    measured_seconds: f64,
    /// Median of measured over estimated; 1 is right, 2 took twice as long.
    times: f64,
    /// Share of the runs that took a time within the estimated range.
    within_range: f64,
    /// Median of measured over estimated memory, where both are known.
    memory_times: Option<f64>,
    /// Median of the estimated memory in bytes.
    estimated_memory_bytes: Option<u64>,
}

/// One run that was estimated.
struct Pair {
    estimated: f64,
    measured: f64,
    is_within: bool,
    memory: Option<(u64, u64)>,
}

/// Compares what is recorded.
pub(super) fn of(runs: impl Iterator<Item = RunRow>, models: Vec<ModelAccuracy>) -> LedgerAccuracy {
    let mut stages: BTreeMap<(String, String), Vec<Pair>> = BTreeMap::new();
    let mut without: Vec<String> = Vec::new();
    for run in runs.filter(|run| run.outcome == Outcome::Ran) {
        match pair(&run) {
            Some(pair) => stages.entry((run.stage, run.site)).or_default().push(pair),
            None if without.contains(&run.stage) => {}
            None => without.push(run.stage),
        }
    }
    without.retain(|stage| !stages.keys().any(|(known, _)| known == stage));
    let all: Vec<bool> = stages.values().flatten().map(|pair| pair.is_within).collect();
    LedgerAccuracy {
        within_range: (!all.is_empty()).then(|| share(all.iter().copied())),
        stages: stages.iter().map(|((stage, site), pairs)| of_stage(stage, site, pairs)).collect(),
        without_estimate: without,
        models,
    }
}

fn pair(run: &RunRow) -> Option<Pair> {
    let measured = run.run_seconds?;
    let estimated = run.predicted_likely_seconds.filter(|seconds| *seconds > 0.0)?;
    let (low, high) = (run.predicted_low_seconds?, run.predicted_high_seconds?);
    Some(Pair {
        estimated,
        measured,
        is_within: (low..=high).contains(&measured),
        memory: run.predicted_memory_bytes.filter(|bytes| *bytes > 0).zip(run.peak_memory_bytes),
    })
}

fn of_stage(stage: &str, site: &str, pairs: &[Pair]) -> StageAccuracy {
    let of = |value: fn(&Pair) -> f64| median(pairs.iter().map(value)).unwrap_or(0.0);
    let memory = || pairs.iter().filter_map(|pair| pair.memory);
    let estimated_memory = median(memory().map(|(estimated, _)| estimated as f64));
    StageAccuracy {
        stage: stage.to_owned(),
        site: site.to_owned(),
        runs: pairs.len(),
        estimated_seconds: of(|pair| pair.estimated),
        measured_seconds: of(|pair| pair.measured),
        times: of(|pair| pair.measured / pair.estimated),
        within_range: share(pairs.iter().map(|pair| pair.is_within)),
        memory_times: median(memory().map(|(estimated, peak)| peak as f64 / estimated as f64)),
        estimated_memory_bytes: estimated_memory.map(|bytes| bytes as u64),
    }
}

fn share(within: impl ExactSizeIterator<Item = bool>) -> f64 {
    let all = within.len().max(1) as f64;
    within.filter(|within| *within).count() as f64 / all
}

/// The middle value; of an even number the mean of the two in the middle.
fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        even if even.is_multiple_of(2) => Some(f64::midpoint(values[middle - 1], values[middle])),
        _ => Some(values[middle]),
    }
}

pub(super) fn text(answer: &LedgerAccuracy) -> String {
    let heads = [
        ("stage", Align::Left),
        ("at", Align::Left),
        ("runs", Align::Right),
        ("estimated", Align::Right),
        ("measured", Align::Right),
        ("times", Align::Right),
        ("in range", Align::Right),
        ("memory, estimated", Align::Right),
        ("times", Align::Right),
    ];
    let dash = || "-".to_owned();
    let row = |stage: &StageAccuracy| {
        let memory = stage.estimated_memory_bytes.map(|bytes| Bytes::new(bytes).to_string());
        vec![
            stage.stage.clone(),
            stage.site.clone(),
            stage.runs.to_string(),
            seconds(stage.estimated_seconds),
            seconds(stage.measured_seconds),
            ratio(stage.times),
            percent(stage.within_range),
            memory.unwrap_or_else(dash),
            stage.memory_times.map_or_else(dash, ratio),
        ]
    };
    let mut text = match answer.within_range {
        None if !answer.models.is_empty() && answer.without_estimate.is_empty() => String::new(),
        None => "nothing that ran had an estimate".to_owned(),
        Some(within) => {
            let table = table(&heads, answer.stages.iter().map(row).collect());
            format!("{table}\n{} of the runs took a time in the estimated range", percent(within))
        }
    };
    if !answer.without_estimate.is_empty() {
        let _ = write!(text, "\nwithout an estimate: {}", answer.without_estimate.join(", "));
    }
    if !answer.models.is_empty() {
        let between = if text.is_empty() { "" } else { "\n\n" };
        let _ = write!(text, "{between}{}", models::text(&answer.models));
    }
    text
}

/// Zeros tell nobody anything.
fn ratio(times: f64) -> String {
    if times < 1e-3 { "< 0.001".to_owned() } else { significant(times) }
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_value_is_the_median() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), Some(2.0));
        assert_eq!(median([4.0, 1.0, 2.0, 3.0].into_iter()), Some(2.5));
        assert_eq!(median(std::iter::empty()), None);
    }
}
