//! `nearside ledger` in words.

use std::fmt::Write as _;

use nearside_units::{Bytes, GramsCo2e, significant};

use super::chart;
use super::view::{LedgerList, LedgerRun, LedgerVerification};
use crate::output::{Align, table};
use crate::view::{seconds, seconds_range};

pub(super) fn list(answer: &LedgerList) -> String {
    if answer.runs.is_empty() {
        return "no such run is recorded".to_owned();
    }
    let heads = [
        ("entry", Align::Right),
        ("began (UTC)", Align::Left),
        ("stage", Align::Left),
        ("outcome", Align::Left),
        ("time", Align::Right),
        ("estimated", Align::Right),
    ];
    let row = |run: &LedgerRun| {
        vec![
            run.entry.to_string(),
            moment(&run.began),
            run.stage.clone(),
            run.outcome.clone(),
            run.run_seconds.map_or_else(dash, seconds),
            predicted(run),
        ]
    };
    let mut text = table(&heads, answer.runs.iter().map(row).collect());
    notes(&answer.clock_steps, &mut text);
    text
}

/// What is to be known of the clock, which is no fault.
fn notes(clock_steps: &[String], text: &mut String) {
    for step in clock_steps {
        let _ = write!(text, "\nnote: {step}; entries are in the order of recording");
    }
}

pub(super) fn show(run: &LedgerRun) -> String {
    let mut text = format!("{} {} at {} (entry {})", run.stage, run.outcome, run.site, run.entry);
    let mut line = |what: &str, value: Option<String>| {
        let _ = write!(text, "\n  {what}: {}", value.unwrap_or_else(|| "not known".to_owned()));
    };
    line("began (UTC)", Some(moment(&run.began)));
    line("run", Some(run.run.clone()));
    line("exit code", run.exit_code.map(|code| code.to_string()));
    if run.failure.is_some() {
        line("why", run.failure.clone());
    }
    line("time", run.run_seconds.map(seconds));
    line("time, estimated", run.predicted_seconds.map(|_| predicted(run)));
    let bytes = |bytes: u64| Bytes::new(bytes).to_string();
    line("memory", run.peak_memory_bytes.map(bytes));
    line("memory, estimated", run.predicted_memory_bytes.map(bytes));
    line("energy", energy(run));
    line("cost", cost(run));
    line("electricity emits", run.operational_grams_co2e.and_then(grams));
    line("its part of the machine", run.embodied_grams_co2e.and_then(grams));
    line("plan", run.plan.clone());
    line("key", Some(run.cache_key.clone()));
    if let Some(chart) = chart::of(&run.samples) {
        let _ = write!(text, "\n{chart}");
    }
    for made in &run.artifacts {
        let (size, class) = (Bytes::new(made.bytes).si(), &made.class);
        let digest = &made.digest[..12.min(made.digest.len())];
        let _ = write!(text, "\n  made {} ({size}, {class}, {digest})", made.path);
    }
    text
}

fn grams(grams: f64) -> Option<String> {
    GramsCo2e::from_grams(grams).ok().map(|grams| grams.to_string())
}

/// All of it, or the least that it can be, and how that is known.
fn energy(run: &LedgerRun) -> Option<String> {
    if let Some(joules) = run.energy_joules {
        let method = run.energy_method.as_deref().unwrap_or("method not recorded");
        return Some(format!("{} J ({method})", significant(joules)));
    }
    let (joules, parts) = (run.energy_at_least_joules?, run.energy_known_parts.as_deref()?);
    Some(format!("at least {} J ({parts}; the rest is not known)", significant(joules)))
}

/// Three digits of it: it is a sum of estimates.
fn cost(run: &LedgerRun) -> Option<String> {
    let amount: f64 = run.cost.as_ref()?.parse().ok()?;
    let currency = run.cost_currency.as_ref()?;
    Some(format!("{} {currency} (electricity and wear)", significant(amount)))
}

pub(super) fn verified(answer: &LedgerVerification) -> String {
    let mut text = match (answer.sound, answer.entries) {
        (true, entries) => format!("{entries} entries, all as they were recorded"),
        (false, entries) => format!("{entries} entries, not all as they were recorded"),
    };
    for fault in &answer.faults {
        let _ = write!(text, "\n  {fault}");
    }
    if answer.more_faults > 0 {
        let _ = write!(text, "\n  and {} more faults", answer.more_faults);
    }
    notes(&answer.clock_steps, &mut text);
    if let Some(head) = &answer.head {
        let _ = write!(text, "\nhead {head}");
    }
    text
}

fn dash() -> String {
    "-".to_owned()
}

fn predicted(run: &LedgerRun) -> String {
    run.predicted_seconds.map_or_else(dash, |[low, _, high]| seconds_range(low, high))
}

/// Without what nobody reads in a table: `2026-11-23 10:00:00`.
fn moment(text: &str) -> String {
    text.split('.').next().unwrap_or(text).replace('T', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(joules: Option<f64>, at_least: Option<f64>) -> LedgerRun {
        LedgerRun {
            entry: 1,
            run: String::new(),
            stage: "tune".to_owned(),
            site: "here".to_owned(),
            outcome: "ran".to_owned(),
            exit_code: None,
            failure: None,
            began: String::new(),
            run_seconds: None,
            predicted_seconds: None,
            peak_memory_bytes: None,
            predicted_memory_bytes: None,
            energy_joules: joules,
            energy_method: joules.map(|_| "measured".to_owned()),
            energy_at_least_joules: at_least,
            energy_known_parts: at_least.map(|_| "processor measured".to_owned()),
            operational_grams_co2e: None,
            embodied_grams_co2e: None,
            cost: None,
            cost_currency: None,
            plan: None,
            cache_key: String::new(),
            samples: Vec::new(),
            artifacts: Vec::new(),
        }
    }

    #[test]
    fn energy_of_some_parts_is_the_least_that_it_can_be() {
        let shown = |joules, at_least| energy(&run(joules, at_least));
        assert_eq!(shown(Some(1234.0), None).as_deref(), Some("1230 J (measured)"));
        let partial = "at least 41.5 J (processor measured; the rest is not known)";
        assert_eq!(shown(None, Some(41.52)).as_deref(), Some(partial));
        assert_eq!(shown(None, None), None);
    }
}
