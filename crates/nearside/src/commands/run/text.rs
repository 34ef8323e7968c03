//! `nearside run` in words.

use std::fmt::Write as _;

use nearside_units::{Bytes, significant};

use super::rehearse;
use super::view::{RunAnswer, StageRun};
use crate::output::{Align, table};
use crate::view::seconds;

/// A row per stage, then what went wrong.
pub(super) fn of(answer: &RunAnswer) -> String {
    if answer.stages.is_empty() {
        return "no stage has a command to run".to_owned();
    }
    let mut text = stages(answer);
    if let Some(rehearsal) = &answer.rehearsal {
        text.push_str("\n\n");
        text.push_str(&rehearse::text::of(rehearsal));
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
        ("energy", Align::Right),
    ];
    let counted = answer.stages.iter().any(|stage| energy(stage).is_some());
    // Nothing is measured of what only would run, and most machines do not count their energy.
    let shown = match (answer.dry_run, counted) {
        (true, _) => &heads[..2],
        (false, false) => &heads[..5],
        (false, true) => &heads[..],
    };
    let row = |stage: &StageRun| {
        let energy = energy(stage).unwrap_or_else(|| "-".to_owned());
        let (name, result) = (stage.stage.clone(), result(stage));
        let mut row = vec![name, result, time(stage), busy(stage), memory(stage), energy];
        row.truncate(shown.len());
        row
    };
    let mut text = table(shown, answer.stages.iter().map(row).collect());
    for stage in &answer.stages {
        describe(stage, &mut text);
        if stage.result == "done" {
            trials(stage, &mut text);
        }
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
    stage.seconds.map_or_else(|| "-".to_owned(), seconds)
}

/// Processors that were busy, on average.
fn busy(stage: &StageRun) -> String {
    let ratio = stage.processor_seconds.zip(stage.seconds.filter(|seconds| *seconds > 0.0));
    ratio.map_or_else(|| "-".to_owned(), |(on, seconds)| format!("{:.2}", on / seconds))
}

fn memory(stage: &StageRun) -> String {
    stage.peak_memory_bytes.map_or_else(|| "-".to_owned(), |bytes| Bytes::new(bytes).to_string())
}

/// All of it, or the least that it can be.
fn energy(stage: &StageRun) -> Option<String> {
    let all = stage.energy_joules.map(|joules| format!("{} J", significant(joules)));
    let least = || Some(format!("at least {} J", significant(stage.energy_at_least_joules?)));
    all.or_else(least)
}

/// Which trial is the best, and which were not run to their end.
fn trials(stage: &StageRun, text: &mut String) {
    let name = &stage.stage;
    if let Some(best) = stage.trials.iter().find(|trial| trial.best) {
        let figure = best.metric.map_or(String::new(), |figure| format!(" with {figure}"));
        let _ = write!(text, "\n{name}: {} is the best{figure}", best.trial);
    }
    for trial in stage.trials.iter().filter(|trial| trial.result != "done") {
        let why = trial.why.as_deref().unwrap_or("another ended the search");
        let _ = write!(text, "\n{name}: {} {}: {why}", trial.trial, trial.result);
    }
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
    if let (Some(log), false) =
        (&stage.log, stage.last_lines.is_empty() || stage.result == "refused")
    {
        let _ = match log.strip_suffix(".age") {
            None => write!(text, "\n  all of it is in {log}"),
            Some(_) => write!(text, "\n  all of it is in {log}: nearside logs {name}"),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn energy_is_shown_where_any_is_known() {
        let (dry_run, rehearsal) = (false, None);
        let stage = |name: &str| StageRun::named(name, "done");
        let quiet = RunAnswer { dry_run, stages: vec![stage("a")], rehearsal: rehearsal.clone() };
        assert!(!of(&quiet).contains("energy"));
        let least = StageRun { energy_at_least_joules: Some(41.52), ..stage("a") };
        let all = StageRun { energy_joules: Some(60.0), ..stage("b") };
        let counted = RunAnswer { dry_run, stages: vec![least, all, stage("c")], rehearsal };
        let text = of(&counted);
        let ends = |line: &str| line.split("  ").last().unwrap_or("").trim().to_owned();
        let ends: Vec<_> = text.lines().map(ends).collect();
        assert_eq!(ends, ["energy", "at least 41.5 J", "60.0 J", "-"], "{text}");
    }
}
