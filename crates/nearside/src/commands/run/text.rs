//! `nearside run` in words.

use std::fmt::Write as _;

use nearside_units::{Bytes, Duration, significant};

use super::view::{
    FullRunView, FullStageView, RehearsalView, RunAnswer, SampleView, StageRun, StandInView,
};
use crate::commands::plan::{Legend, money_range, times, totals_text};
use crate::output::{Align, table};

/// A row per stage, then what went wrong.
pub(super) fn of(answer: &RunAnswer) -> String {
    if answer.stages.is_empty() {
        return "no stage has a command to run".to_owned();
    }
    let mut text = stages(answer);
    if let Some(rehearsal) = &answer.rehearsal {
        text.push_str("\n\n");
        text.push_str(&rehearsal_text(rehearsal));
    }
    text
}

fn stages(answer: &RunAnswer) -> String {
    let current = answer.stages.iter().all(|stage| stage.result == "current");
    if current {
        let count = answer.stages.len();
        let stages = if count == 1 { "stage is" } else { "stages are" };
        return format!("{count} {stages} up to date");
    }
    let heads = [
        ("stage", Align::Left),
        ("result", Align::Left),
        ("time", Align::Right),
        ("processors", Align::Right),
        ("memory", Align::Right),
    ];
    // Nothing is measured of what only would run.
    let shown = if answer.dry_run { &heads[..2] } else { &heads };
    let row = |stage: &StageRun| {
        let mut row =
            vec![stage.stage.clone(), result(stage), time(stage), busy(stage), memory(stage)];
        row.truncate(shown.len());
        row
    };
    let mut text = table(shown, answer.stages.iter().map(row).collect());
    for stage in &answer.stages {
        describe(stage, &mut text);
    }
    text
}

fn result(stage: &StageRun) -> String {
    let words = match stage.result {
        "current" => "up to date",
        "restored" => "restored from the cache",
        "restore" => "would be restored from the cache",
        "run" => "would run",
        "undecided" => "runs if what it reads comes out different",
        other => other,
    };
    words.to_owned()
}

fn time(stage: &StageRun) -> String {
    stage.seconds.map_or_else(|| "-".to_owned(), taken)
}

/// Processors that were busy, on average.
fn busy(stage: &StageRun) -> String {
    let ratio = stage.processor_seconds.zip(stage.seconds.filter(|seconds| *seconds > 0.0));
    ratio.map_or_else(|| "-".to_owned(), |(on, seconds)| format!("{:.2}", on / seconds))
}

fn memory(stage: &StageRun) -> String {
    stage.peak_memory_bytes.map_or_else(|| "-".to_owned(), |bytes| Bytes::new(bytes).to_string())
}

/// A time in words.
pub(super) fn taken(seconds: f64) -> String {
    Duration::from_seconds(seconds).map_or_else(|_| "-".to_owned(), |took| took.to_string())
}

/// What was used instead, and the plan of the full run.
fn rehearsal_text(rehearsal: &RehearsalView) -> String {
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

/// Why a stage ran, would run or did not end well.
fn describe(stage: &StageRun, text: &mut String) {
    let name = &stage.stage;
    if let Some(why) = &stage.why {
        let _ = write!(text, "\n\n{name} {}: {why}", stage.result);
    } else if stage.result == "run" {
        let why = match stage.changed.as_slice() {
            [] => "its result was never made, or is lost".to_owned(),
            changed => changed.join("; "),
        };
        let _ = write!(text, "\n{name} would run: {why}");
    }
    for line in &stage.last_lines {
        let _ = write!(text, "\n  | {line}");
    }
    if let (Some(log), false) = (&stage.log, stage.last_lines.is_empty()) {
        let _ = write!(text, "\n  all of it is in {log}");
    }
}
