//! `nearside run` in words.

use std::fmt::Write as _;

use nearside_units::Duration;

use super::view::{RunAnswer, StageRun};
use crate::output::{Align, table};

/// A row per stage, then what went wrong.
pub(super) fn of(answer: &RunAnswer) -> String {
    if answer.stages.is_empty() {
        return "no stage has a command to run".to_owned();
    }
    let current = answer.stages.iter().all(|stage| stage.result == "current");
    if current {
        let count = answer.stages.len();
        let stages = if count == 1 { "stage is" } else { "stages are" };
        return format!("{count} {stages} up to date");
    }
    let heads = [("stage", Align::Left), ("result", Align::Left), ("time", Align::Right)];
    let row = |stage: &StageRun| vec![stage.stage.clone(), result(stage), time(stage)];
    let mut text = table(&heads, answer.stages.iter().map(row).collect());
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

/// A time in words.
pub(super) fn taken(seconds: f64) -> String {
    Duration::from_seconds(seconds).map_or_else(|_| "-".to_owned(), |took| took.to_string())
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
