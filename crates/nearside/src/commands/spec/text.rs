//! The answer of `nearside spec` as text.

use std::fmt::Write as _;

use nearside_units::Bytes;

use super::view::{Level, MachineView, PartView, ShareView, SpecAnswer, WorkView, price};
use crate::output::{Align, Detail, table};
use crate::view::seconds;

pub(super) fn of(answer: &SpecAnswer, tree: Option<&str>, detail: Detail) -> String {
    let mut text = headline(answer);
    let _ = write!(text, "\n\n{}", levels(&answer.machines));
    let mut before = None;
    for level in &answer.machines {
        // What makes the minimum impossible does so for more.
        if before != Some(&level.nothing) {
            text.push_str(&without_price(level));
        }
        before = Some(&level.nothing).filter(|nothing| !nothing.is_empty());
    }
    if let Some(machine) = answer.least() {
        let _ = write!(text, "\n\nthe minimum, part by part\n{}", parts(machine));
        let _ = write!(text, "\n\nwhat demands it\n{}", shares(machine));
        let _ = write!(text, "\n\nhow the work is done on it\n{}", work(machine));
    }
    if !answer.alternatives.is_empty() {
        text.push_str("\n\ninstead");
        for alternative in &answer.alternatives {
            let machine = alternative.machine.as_ref();
            let machine = machine.map(|it| format!("{}: {}, ", it.total.text(), it.short()));
            let machine = machine.unwrap_or_default();
            let _ = write!(text, "\n  {}: {machine}{}", alternative.name, alternative.sentence);
        }
    }
    if let Some(tree) = tree {
        let _ = write!(text, "\n\nwhat decides it\n{tree}");
    }
    if detail == Detail::Explained {
        text.push_str("\n\nprices\n");
        text.push_str(&sources(answer));
    }
    text
}

fn headline(answer: &SpecAnswer) -> String {
    let mut text = match answer.least() {
        Some(machine) => {
            format!("{} is enough for {}: {}", machine.short(), answer.name, machine.total.text())
        }
        None => format!("no machine with a price is enough for {}", answer.name),
    };
    let _ = write!(
        text,
        "\n{}, savings: {}, at most {:.0} h a month",
        people(answer.people),
        answer.accepted,
        answer.hours_per_month
    );
    if let Some(deadline) = answer.deadline_seconds {
        let _ = write!(text, ", deadline of one pass {}", seconds(deadline));
    }
    if let Some(assumed) = &answer.assumed {
        let _ = write!(text, "\nassumed: {assumed}");
    }
    text
}

/// So many people.
pub(super) fn people(count: u64) -> String {
    match count {
        1 => "1 person".to_owned(),
        count => format!("{count} people"),
    }
}

/// The machines beside each other, a row for each.
fn levels(levels: &[Level]) -> String {
    let heads = [
        ("machine", Align::Left),
        ("price", Align::Right),
        ("accelerators", Align::Left),
        ("main memory", Align::Right),
        ("cores", Align::Right),
        ("disk", Align::Right),
        ("supply", Align::Right),
    ];
    let row = |level: &Level| {
        let nothing = || vec![level.comfort.clone(), "-".to_owned()];
        level.machine.as_ref().map_or_else(nothing, |machine| {
            let cells = cells(machine);
            std::iter::once(level.comfort.clone()).chain(cells).collect()
        })
    };
    table(&heads, levels.iter().map(row).collect())
}

pub(super) fn cells(machine: &MachineView) -> Vec<String> {
    let count = match machine.count {
        1 => String::new(),
        count => format!("{count} machines: "),
    };
    let supply = machine.supply_watts.map_or("-".to_owned(), |watts| format!("{watts:.0} W"));
    vec![
        format!("{count}{}", machine.total.text()),
        machine.accelerators.clone().unwrap_or_else(|| "none".to_owned()),
        Bytes::new(machine.memory_bytes).to_string(),
        machine.cores.to_string(),
        Bytes::new(machine.disk_bytes).si(),
        supply,
    ]
}

/// What there is where no machine has a price, or none is enough.
fn without_price(level: &Level) -> String {
    let mut text = String::new();
    if !level.unpriced.is_empty() {
        let _ =
            write!(text, "\n\n{}: no price is known; the smallest that are enough", level.comfort);
        for machine in &level.unpriced {
            let _ = write!(text, "\n  {} ({})", machine.short(), machine.total.text());
        }
    }
    if !level.nothing.is_empty() {
        let _ = write!(text, "\n\n{}: nothing is enough", level.comfort);
        for why in &level.nothing {
            let stage = why.stage.as_ref().map(|stage| format!("{stage}: ")).unwrap_or_default();
            let _ = write!(text, "\n  {stage}{}", why.why);
        }
    }
    text
}

fn parts(machine: &MachineView) -> String {
    let heads = [
        ("part", Align::Left),
        ("what", Align::Left),
        ("price", Align::Right),
        ("as of", Align::Left),
    ];
    let row = |part: &PartView| {
        let count = if part.count > 1 { format!("{}x ", part.count) } else { String::new() };
        let used = if part.condition == "used" { " (used)" } else { "" };
        vec![
            part.role.clone(),
            format!("{count}{}{used}", part.title),
            price(&part.price, &machine.each.currency),
            part.as_of.clone().unwrap_or_else(|| "-".to_owned()),
        ]
    };
    table(&heads, machine.parts.iter().map(row).collect())
}

fn shares(machine: &MachineView) -> String {
    let heads = [
        ("part", Align::Left),
        ("demanded by", Align::Left),
        ("needed", Align::Left),
        ("unused", Align::Right),
    ];
    table(&heads, machine.shares.iter().map(ShareView::row).collect())
}

fn work(machine: &MachineView) -> String {
    let heads = [
        ("stage", Align::Left),
        ("work", Align::Left),
        ("how", Align::Left),
        ("memory", Align::Right),
        ("one run", Align::Right),
        ("h/month", Align::Right),
    ];
    let row = |work: &WorkView| {
        let memory = match work.place.as_str() {
            "accelerator" => work.accelerator_bytes,
            _ => work.memory_bytes,
        };
        vec![
            work.stage.clone(),
            work.model
                .as_ref()
                .map_or(work.task.clone(), |model| format!("{} of {model}", work.task)),
            how(work),
            Bytes::new(memory).to_string(),
            seconds(work.run_seconds),
            hours(work),
        ]
    };
    table(&heads, machine.work.iter().map(row).collect())
}

/// Hours in a month; a dash where nobody said how often it is done.
pub(super) fn hours(work: &WorkView) -> String {
    match work.hours_per_month {
        0.0 => "-".to_owned(),
        hours => nearside_units::significant(hours),
    }
}

pub(super) fn how(work: &WorkView) -> String {
    let changes = match work.changes.is_empty() {
        true => "as written".to_owned(),
        false => work.changes.join(" + "),
    };
    format!("{}, {changes}", work.place)
}

fn sources(answer: &SpecAnswer) -> String {
    let heads = [("part", Align::Left), ("price", Align::Right), ("source", Align::Left)];
    let Some(machine) = answer.least() else { return "no machine has a price".to_owned() };
    let row = |part: &PartView| {
        let source = part.origin().unwrap_or_else(|| "-".to_owned());
        vec![part.title.clone(), price(&part.price, &machine.each.currency), source]
    };
    table(&heads, machine.parts.iter().map(row).collect())
}
