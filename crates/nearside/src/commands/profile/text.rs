//! The answer of `nearside profile` as text.

use std::fmt::Write as _;

use nearside_probe::verdict::{Bottleneck, Verdict};
use nearside_units::{Bytes, significant};

use super::chart;
use super::view::{ChangeView, Exit, Found, ProfileAnswer, UsageView};
use crate::output::{Align, table};
use crate::view::{Figure, seconds};

/// A bound beyond this says only that something else would be in the way long before.
const FAR: f64 = 20.0;

/// The verdict in one sentence.
pub(super) fn sentence(verdict: &Verdict) -> String {
    let because = verdict.because.first().map_or("", String::as_str);
    let Verdict { bottleneck, confidence, .. } = verdict;
    if *bottleneck == Bottleneck::Unknown {
        return format!("The bottleneck is not known: {because}.");
    }
    let mut sentence =
        format!("The bottleneck is {} ({confidence} confidence): {because}", bottleneck.title());
    if let Some(bound) = &verdict.bound {
        let _ = write!(sentence, "; with {} it would be {}", bound.with, times(bound.speedup));
    }
    sentence.push('.');
    sentence
}

/// How many times as fast, as text.
fn times(speedup: f64) -> String {
    match speedup {
        far if far > FAR => {
            format!("more than {FAR:.0} times as fast, if nothing else came in the way")
        }
        near => format!("at most {} times as fast", significant(near)),
    }
}

pub(super) fn of(answer: &ProfileAnswer, no_chart: bool) -> String {
    let Some(found) = &answer.found else { return String::new() };
    let mut text = format!("{}\n\n{}", found.sentence, summary(answer, found));
    let mut list = |heading: &str, lines: &[String]| {
        if !lines.is_empty() {
            let _ = write!(text, "\n\n{heading}\n  {}", lines.join("\n  "));
        }
    };
    list("because", &found.because);
    list("worth trying", &found.changes.iter().map(change).collect::<Vec<_>>());
    if !no_chart && !found.over_time.is_empty() {
        let _ = write!(text, "\n\nwhere the time went\n{}", chart::of(found));
    }
    let _ = write!(text, "\n\n{}", usage(&found.usage));
    if !found.unseen.is_empty() {
        let _ = write!(text, "\n\nnot seen\n  {}", found.unseen.join("\n  "));
    }
    text
}

pub(super) fn command(answer: &ProfileAnswer) -> String {
    answer.command.join(" ")
}

/// How long it took, how it ended, and who disturbed it.
pub(super) fn summary(answer: &ProfileAnswer, found: &Found) -> String {
    let Exit { code, .. } = answer.exit;
    let mut text = format!("it ran for {}", seconds(found.wall_seconds));
    if let Figure::Value(peak) = found.peak_memory_bytes {
        let _ = write!(text, ", held {} at most", Bytes::new(peak));
    }
    if let Figure::Value(energy) = found.energy_joules {
        let _ = write!(text, ", used {} J", significant(energy));
    }
    if code != 0 {
        let _ = write!(text, ", and ended with code {code}");
    }
    if let Figure::Value(others) = found.processors.others
        && others > 0.2
        && found.processors.queued > 0.05
    {
        let _ = write!(
            text,
            "; other programs kept {others:.1} processors busy, and it was queued for {:.0} % of the \
             time that it could run",
            found.processors.queued * 100.0
        );
    }
    text
}

pub(super) fn change(change: &ChangeView) -> String {
    let mut text = change.what.clone();
    if let Some(speedup) = change.speedup {
        let _ = write!(text, ": {}", times(speedup));
    }
    match &change.offer {
        Some(Figure::Value(offered)) => {
            let _ = write!(text, "; {} for {}", offered.name, offered.price);
        }
        Some(Figure::Unknown { unknown }) => {
            let _ = write!(text, "; price not known: {unknown}");
        }
        None => {}
    }
    text
}

fn usage(usage: &[UsageView]) -> String {
    let heads = [
        ("resource", Align::Left),
        ("utilisation", Align::Right),
        ("used", Align::Left),
        ("waiting threads", Align::Right),
        ("errors", Align::Left),
    ];
    table(&heads, usage.iter().map(usage_cells).collect())
}

pub(super) fn usage_cells(usage: &UsageView) -> Vec<String> {
    let shown = |figure: &Figure<f64>, text: fn(f64) -> String| match figure {
        Figure::Value(value) => text(*value),
        Figure::Unknown { .. } => "-".to_owned(),
    };
    let used = match &usage.used {
        Figure::Value(used) => used.clone(),
        Figure::Unknown { .. } => "-".to_owned(),
    };
    let errors = match (&usage.errors, usage.errors_are) {
        (Figure::Value(0), _) => "none".to_owned(),
        (Figure::Value(count), Some(what)) => format!("{count} {what}"),
        _ => "-".to_owned(),
    };
    vec![
        usage.resource.clone(),
        shown(&usage.utilisation, |share| format!("{:.0} %", share * 100.0)),
        used,
        shown(&usage.waiting_threads, |threads| format!("{threads:.2}")),
        errors,
    ]
}
