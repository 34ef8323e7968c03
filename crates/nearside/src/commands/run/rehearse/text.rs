//! What a rehearsal used, and the full run, in words.

use std::fmt::Write as _;

use nearside_units::significant;

use super::view::{FullRunView, FullStageView, RehearsalView, SampleView, StandInView};
use crate::commands::plan::{Legend, money_range, times, totals_text};
use crate::output::{Align, table};

/// What was used instead, and the plan of the full run.
pub(in crate::commands::run) fn of(rehearsal: &RehearsalView) -> String {
    let sample = |sample: &SampleView| {
        let SampleView { dataset, taken, count, of } = sample;
        match (*taken, count, of) {
            ("records", Some(1), _) => format!("the first record of {dataset}"),
            ("records", Some(count), _) => format!("the first {count} records of {dataset}"),
            ("files", Some(count), Some(of)) => format!("{count} of the {of} files of {dataset}"),
            ("missing", ..) => format!("nothing of {dataset}, which is not there"),
            _ => format!("all of {dataset}"),
        }
    };
    let model = |used: &StandInView| match used.rehearsal == used.full {
        true => format!("{} as {}", used.full, used.model),
        false => format!("{} as {} in place of {}", used.rehearsal, used.model, used.full),
    };
    let samples = rehearsal.samples.iter().map(sample);
    let used: Vec<_> = samples.chain(rehearsal.models.iter().map(model)).collect();
    let mut text = "rehearsed with".to_owned();
    for used in used {
        let _ = write!(text, "\n  {used}");
    }
    let Some(full) = &rehearsal.full_run else { return text };
    let totals = full.totals.as_ref();
    let totals = totals.map_or_else(
        || "no plan keeps to the limits (nearside plan says why)".to_owned(),
        |totals| totals_text(totals, &full.currency),
    );
    let _ = write!(text, "\n\nthe full run: {totals}");
    if full.stages.is_empty() {
        return text;
    }
    let legend = Legend::of(full.stages.iter().map(|stage| stage.site.as_str()));
    let cost = format!("{}/month", full.currency);
    let heads = [
        ("stage", Align::Left),
        ("at", Align::Left),
        ("time", Align::Right),
        (cost.as_str(), Align::Right),
        ("corrected", Align::Right),
    ];
    let row = |stage: &FullStageView| {
        let corrected = stage.corrected_by.map(|times| format!("x {}", significant(times)));
        vec![
            stage.stage.clone(),
            legend.letter(&stage.site),
            times(&stage.pass_hours),
            money_range(&stage.cost_per_month),
            corrected.unwrap_or_else(|| "-".to_owned()),
        ]
    };
    let table = table(&heads, full.stages.iter().map(row).collect());
    let _ = write!(text, "\n\n{table}{}\n{}", not_corrected(full), legend.text());
    text
}

/// Why the rehearsal says nothing about stages; one line for those with the same reason.
fn not_corrected(full: &FullRunView) -> String {
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for stage in &full.stages {
        let Some(why) = &stage.not_corrected else { continue };
        match reasons.iter_mut().find(|(known, _)| known == why) {
            Some((_, stages)) => stages.push(&stage.stage),
            None => reasons.push((why, vec![&stage.stage])),
        }
    }
    let line = |(why, stages): &(&str, Vec<&str>)| {
        format!("\nas estimated: {} ({why})", stages.join(", "))
    };
    reasons.iter().map(line).collect()
}
