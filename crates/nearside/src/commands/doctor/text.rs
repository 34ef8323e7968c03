//! The answer of `nearside doctor` as text.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use nearside_units::{Bytes, BytesPerSecond, Duration, FlopsPerSecond};

use super::confidence::{CauseView, STALE_DAYS};
use super::examined;
use super::in_plan::{InPlan, StageChange};
use super::view::{CeilingView, DoctorAnswer, MachineView};
use crate::output::{Align, Detail, table};
use crate::view::{Figure, Range, seconds_range};

pub(super) fn of(answer: &DoctorAnswer, detail: Detail) -> String {
    let mut text = machine(&answer.machine);
    text.push_str("\n\n");
    text.push_str(&examined::text::of(&answer.sections, &answer.torch, detail));
    if answer.ceilings.is_empty() {
        if answer.kept_in.is_some() {
            text.push_str(
                "\n\nno ceilings were measured on this machine: estimates use published ones",
            );
        }
    } else {
        text.push_str("\n\nmeasured ceilings\n");
        text.push_str(&ceilings(&answer.ceilings));
    }
    text.push_str(&cannot_tell(&answer.ceilings));
    text.push_str(&slower(&answer.ceilings));
    if let Some(found) = &answer.in_plan {
        text.push_str(&plan_changes(found));
    }
    for missing in &answer.not_measured {
        let _ = write!(text, "\nnot measured: {}: {}", missing.what, missing.why);
    }
    if detail == Detail::Explained {
        for ceiling in &answer.ceilings {
            let _ = write!(text, "\n\n{}\n  {}", ceiling.title, ceiling.conditions.line());
        }
    }
    if let (Some(path), false) = (&answer.kept_in, answer.ceilings.is_empty()) {
        let _ = write!(text, "\n\nkept in {path}");
    }
    text
}

fn machine(machine: &MachineView) -> String {
    let size = |bytes: &u64| Bytes::new(*bytes).to_string();
    let mut rows = vec![
        ("system", shown(&machine.operating_system, Clone::clone)),
        ("kernel", shown(&machine.kernel, Clone::clone)),
        ("processor", shown(&machine.processor, Clone::clone)),
        ("cores", shown(&machine.cores, ToString::to_string)),
        ("threads", shown(&machine.threads, ToString::to_string)),
        ("usable threads", shown(&machine.usable_threads, ToString::to_string)),
        ("instructions", shown(&machine.features, |features| features.join(" "))),
        ("memory", shown(&machine.memory_bytes, size)),
        ("available", shown(&machine.available_memory_bytes, size)),
        ("disk, free", {
            let free = shown(&machine.free_disk_bytes, size);
            format!("{free} in {}", machine.folder)
        }),
    ];
    for accelerator in &machine.accelerators {
        let name = shown(&accelerator.name, Clone::clone);
        let memory = shown(&accelerator.memory_bytes, size);
        let driver = shown(&accelerator.driver, Clone::clone);
        rows.push(("accelerator", format!("{name}, {memory}, driver {driver}")));
    }
    if machine.accelerators.is_empty() {
        rows.push(("accelerator", "none found".to_owned()));
    }
    let lines: Vec<_> = rows.iter().map(|(name, value)| format!("{name:14}  {value}")).collect();
    lines.join("\n")
}

fn shown<T>(figure: &Figure<T>, text: impl FnOnce(&T) -> String) -> String {
    match figure {
        Figure::Value(value) => text(value),
        Figure::Unknown { unknown } => format!("unknown: {unknown}"),
    }
}

fn ceilings(ceilings: &[CeilingView]) -> String {
    let heads = [
        ("ceiling", Align::Left),
        ("low", Align::Right),
        ("likely", Align::Right),
        ("high", Align::Right),
        ("runs", Align::Right),
        ("load", Align::Right),
        ("on", Align::Left),
        ("since before", Align::Left),
    ];
    let row = |ceiling: &CeilingView| {
        let load = ceiling.conditions.load;
        let range = &ceiling.reached;
        let figure = |number: f64| quantity(number, &ceiling.unit);
        let place = ceiling.conditions.place().map(|place| format!(", {place}"));
        vec![
            format!("{}{}", ceiling.title, place.unwrap_or_default()),
            figure(range.low),
            figure(range.likely),
            figure(range.high),
            ceiling.conditions.runs.to_string(),
            load.map_or("-".to_owned(), |load| format!("{load:.2}")),
            age(ceiling),
            ceiling.confidence.drift.line(),
        ]
    };
    table(&heads, ceilings.iter().map(row).collect())
}

/// When it was measured, and how long ago that is.
fn age(ceiling: &CeilingView) -> String {
    let days = ceiling.confidence.age_days;
    let stale = if ceiling.confidence.stale { ", stale" } else { "" };
    let ago = if days == 1 { "1 day".to_owned() } else { format!("{days} days") };
    format!("{} ({ago}{stale})", ceiling.measured_on)
}

/// Why nobody can tell what became of some ceilings, each reason once.
fn cannot_tell(ceilings: &[CeilingView]) -> String {
    let whys: BTreeSet<&String> =
        ceilings.iter().filter_map(|it| it.confidence.drift.why.as_ref()).collect();
    whys.into_iter().fold(String::new(), |text, why| format!("{text}\ncannot tell: {why}"))
}

/// What to look at where the machine became slower.
fn slower(ceilings: &[CeilingView]) -> String {
    let mut text = String::new();
    for ceiling in ceilings.iter().filter(|it| it.confidence.drift.verdict == "slower") {
        let _ = write!(text, "\n\n{} is slower than before; worth checking", ceiling.title);
        for CauseView { what, check } in &ceiling.confidence.drift.causes {
            let _ = write!(text, "\n  {what}: {check}");
        }
    }
    text
}

/// What measured ceilings change in the plan.
fn plan_changes(found: &InPlan) -> String {
    let time = |figure: &Figure<Range>| match figure {
        Figure::Value(range) => seconds_range(range.low, range.high),
        Figure::Unknown { .. } => "-".to_owned(),
    };
    let heads = [
        ("stage", Align::Left),
        ("here, assumed", Align::Right),
        ("here, measured", Align::Right),
        ("times", Align::Right),
        ("goes to", Align::Left),
    ];
    let row = |stage: &StageChange| {
        let place = |site: &Option<String>| site.clone().unwrap_or_else(|| "-".to_owned());
        let site = match stage.moves() {
            true => format!("{}, not {}", place(&stage.site_measured), place(&stage.site_assumed)),
            false => place(&stage.site_measured),
        };
        vec![
            stage.stage.clone(),
            time(&stage.assumed_seconds),
            time(&stage.measured_seconds),
            stage.times.map_or_else(|| "-".to_owned(), nearside_units::significant),
            site,
        ]
    };
    let changed = found.stages.iter().filter(|stage| stage.changes()).count();
    let moved = found.stages.iter().filter(|stage| stage.moves()).count();
    let all = found.stages.len();
    format!(
        "\n\nwhat they change for {}: {changed} of {all} estimates here, {moved} of {all} placements\n{}",
        found.of,
        table(&heads, found.stages.iter().map(row).collect())
    )
}

/// What to do next.
pub(super) fn hints(answer: &DoctorAnswer) -> Vec<String> {
    let none = answer.ceilings.is_empty() && answer.not_measured.is_empty();
    let stale = answer.ceilings.iter().any(|ceiling| ceiling.confidence.stale);
    let mut hints = Vec::new();
    if none {
        hints.push("`nearside doctor --measure` measures them in less than a minute".to_owned());
    }
    if stale {
        hints.push(format!(
            "ceilings of {STALE_DAYS} days and more are stale: `nearside doctor --measure`"
        ));
    }
    if !answer.ceilings.is_empty() && answer.in_plan.is_none() {
        hints.push("`nearside doctor --plan` says what they change in the plan".to_owned());
    }
    hints
}

/// A number with its unit in the size that reads best.
fn quantity(number: f64, unit: &str) -> String {
    let plain = || format!("{} {unit}", nearside_units::significant(number));
    let known = match unit {
        "FLOP/s" => FlopsPerSecond::from_flops_per_second(number).ok().map(|it| it.to_string()),
        "B/s" => BytesPerSecond::from_bytes_per_second(number).ok().map(|it| it.to_string()),
        "s" => Duration::from_seconds(number).ok().map(|it| it.to_string()),
        _ => None,
    };
    known.unwrap_or_else(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_their_unit() {
        assert_eq!(quantity(133.7e9, "FLOP/s"), "134 GFLOP/s");
        assert_eq!(quantity(9.7e9, "B/s"), "9.70 GB/s");
        assert_eq!(quantity(2.5e-5, "s"), "25.0 us");
        assert_eq!(quantity(3.0, "furlongs"), "3.00 furlongs");
    }
}
