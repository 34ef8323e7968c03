//! The answer of `nearside bill` as text.

use std::fmt::Write as _;

use nearside_units::significant;

use super::view::{AcceleratorView, AmountView, BillAnswer, MonthView, NearView, ServiceView};
use crate::output::{Align, table};
use crate::view::Figure;

/// Services that are shown unless all are asked for.
const SHOWN: usize = 10;

pub(super) fn of(answer: &BillAnswer, all: bool) -> String {
    let mut text = head(answer);
    if answer.rows == 0 {
        return text;
    }
    let _ = write!(text, "\n\n{}\n\n{}", lines(answer), months(&answer.months));
    let _ = write!(text, "\n\n{}", services(&answer.services, all));
    if !answer.accelerators.is_empty() {
        let _ = write!(text, "\n\n{}", accelerators(&answer.accelerators, &answer.currency));
    }
    let _ = match &answer.near {
        Figure::Value(near) => write!(text, "\n\n{}", near_machine(near)),
        Figure::Unknown { unknown } => {
            write!(text, "\n\nnear side        not estimated: {unknown}")
        }
    };
    text
}

fn head(answer: &BillAnswer) -> String {
    let files = match answer.files.as_slice() {
        [one] => one.file.clone(),
        several => format!("{} files", several.len()),
    };
    let mut months = answer.months.iter().filter_map(|month| month.month.as_deref());
    let (first, last) = (months.clone().next(), months.next_back());
    let period = match first.zip(last) {
        Some((first, last)) if first == last => format!(", {first}"),
        Some((first, last)) => format!(", {first} to {last}"),
        None => String::new(),
    };
    let rows = match answer.rows {
        1 => "1 row".to_owned(),
        rows => format!("{rows} rows"),
    };
    let mut lines = vec![
        format!("{files}: {rows}{period}"),
        format!("cash             {}", said(&answer.cash)),
        format!("amortised        {}", said(&answer.amortised)),
    ];
    if !answer.waste.is_zero() {
        lines.push(format!("waste            {} committed to and not used", answer.waste.shown()));
    }
    lines.join("\n")
}

/// An amount with what is missing in it.
fn said(amount: &AmountView) -> String {
    match amount.missing.is_empty() {
        true => amount.shown(),
        false => format!("{} (missing: {})", amount.shown(), amount.missing.join("; ")),
    }
}

fn lines(answer: &BillAnswer) -> String {
    let heads = [
        ("part of the bill", Align::Left),
        ("rows", Align::Right),
        ("cash", Align::Right),
        ("amortised", Align::Right),
    ];
    let row = |line: &super::view::LineView| {
        vec![line.line.clone(), line.rows.to_string(), line.cash.shown(), line.amortised.shown()]
    };
    table(&heads, answer.lines.iter().map(row).collect())
}

fn months(months: &[MonthView]) -> String {
    let heads = [
        ("month", Align::Left),
        ("cash", Align::Right),
        ("amortised", Align::Right),
        ("accelerators", Align::Left),
    ];
    let row = |month: &MonthView| {
        let devices = month.devices.iter().filter(|used| used.device_hours > 0.0);
        let devices: Vec<String> =
            devices.map(|used| format!("{} {} h", used.device, hours(used.device_hours))).collect();
        vec![
            month.month.clone().unwrap_or_else(|| "not stated".to_owned()),
            month.cash.shown(),
            month.amortised.shown(),
            if devices.is_empty() { "-".to_owned() } else { devices.join(", ") },
        ]
    };
    table(&heads, months.iter().map(row).collect())
}

fn services(services: &[ServiceView], all: bool) -> String {
    let heads = [
        ("service", Align::Left),
        ("provider", Align::Left),
        ("cash", Align::Right),
        ("amortised", Align::Right),
    ];
    let row = |service: &ServiceView| {
        vec![
            service.service.clone().unwrap_or_else(|| "all others".to_owned()),
            service.provider.clone().unwrap_or_else(|| "-".to_owned()),
            service.cash.shown(),
            service.amortised.shown(),
        ]
    };
    let shown = if all { usize::MAX } else { SHOWN };
    let mut text = table(&heads, services.iter().take(shown).map(row).collect());
    let more = services.len().saturating_sub(shown);
    if more > 0 {
        let _ = write!(text, "\n{more} more (--all)");
    }
    text
}

fn accelerators(kinds: &[AcceleratorView], currency: &str) -> String {
    let heads = [
        ("device", Align::Left),
        ("machine", Align::Left),
        ("terms", Align::Left),
        ("machine-hours", Align::Right),
        ("device-hours", Align::Right),
        ("cash", Align::Right),
        ("amortised", Align::Right),
        ("per machine-hour", Align::Right),
        ("per device-hour", Align::Right),
    ];
    let price = |price: &Option<String>| match price.as_ref().and_then(|price| price.parse().ok()) {
        Some(price) => format!("{} {currency}", significant(price)),
        None => "-".to_owned(),
    };
    let row = |kind: &AcceleratorView| {
        let machine = kind.machine.as_ref().zip(kind.devices_per_machine);
        vec![
            kind.device.clone(),
            machine.map_or("-".to_owned(), |(machine, devices)| format!("{machine} ({devices}x)")),
            kind.terms.clone(),
            kind.machine_hours.map_or("-".to_owned(), hours),
            hours(kind.device_hours),
            kind.cash.shown(),
            kind.amortised.shown(),
            price(&kind.per_machine_hour),
            price(&kind.per_device_hour),
        ]
    };
    table(&heads, kinds.iter().map(row).collect())
}

fn near_machine(near: &NearView) -> String {
    let percent = |share: Option<f64>| {
        share.map_or("-".to_owned(), |share| format!("{:.0} %", share * 100.0))
    };
    let devices = format!("{}x {}", near.devices, near.device);
    let patience = match near.delay_hours {
        0 => "hour by hour, nothing waits".to_owned(),
        hours => format!("work may wait {hours} h"),
    };
    let mut lines = vec![
        format!("near side        {devices}, {patience}"),
        format!(
            "would have done  {} of {} device-hours ({})",
            hours(near.done_device_hours),
            hours(near.demand_device_hours),
            percent(near.share)
        ),
        format!(
            "worth            {} amortised, {} in cash",
            near.amortised.shown(),
            near.cash.shown()
        ),
        format!(
            "busy             {} of its {} calendar hours",
            percent(near.utilisation),
            near.calendar_hours
        ),
    ];
    lines.push(match near.hours_far {
        0 => "stays far        nothing".to_owned(),
        far => format!(
            "stays far        part of {far} hours; at most what {} more {} would do",
            significant(near.peak_far_devices),
            near.device
        ),
    });
    for speed in &near.speeds {
        lines.push(format!(
            "speed            {} of {} ({})",
            significant(speed.ratio),
            speed.device,
            speed.basis
        ));
    }
    lines.join("\n")
}

/// Hours with one decimal where they are few.
fn hours(hours: f64) -> String {
    match hours >= 1000.0 {
        true => format!("{hours:.0}"),
        false => significant(hours),
    }
}
