//! The answer of `nearside doctor` as text.

use std::fmt::Write as _;

use nearside_units::{Bytes, BytesPerSecond, Duration, FlopsPerSecond};

use super::examined;
use super::view::{CeilingView, DoctorAnswer, MachineView};
use crate::output::{Align, Detail, table};
use crate::view::Figure;

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
    ];
    let row = |ceiling: &CeilingView| {
        let load = ceiling.conditions.load;
        let range = &ceiling.reached;
        let figure = |number: f64| quantity(number, &ceiling.unit);
        vec![
            ceiling.title.clone(),
            figure(range.low),
            figure(range.likely),
            figure(range.high),
            ceiling.conditions.runs.to_string(),
            load.map_or("-".to_owned(), |load| format!("{load:.2}")),
            ceiling.measured_on.clone(),
        ]
    };
    table(&heads, ceilings.iter().map(row).collect())
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
