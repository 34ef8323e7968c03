//! The answer of `nearside doctor --power` as text.

use nearside_units::{
    BtuPerHour, CubicMetersPerHour, Duration, GramsCo2e, Joules, KelvinsPerMinute, QuantityError,
    Span, Watts, significant,
};

use super::view::{
    CircuitView, CountRange, DrawView, HeatView, PowerAnswer, SuppliedView, SupplyView, YearView,
};
use crate::output::{Align, Detail, table};
use crate::view::{Figure, InputView, MoneyRange, Range};

pub(super) fn of(answer: &PowerAnswer, detail: Detail) -> String {
    let mut text = vec![format!("power and heat of {}\n\n{}", answer.machine, draws(answer))];
    text.push(lines(answer));
    if let Figure::Value(SupplyView { stated: Some(stated), .. }) = &answer.supply {
        text.push(moments(stated));
    }
    if answer.circuit.is_none() {
        text.push(circuits(answer));
    }
    if detail == Detail::Explained {
        let heads = ["from", "value", "kind", "source"].map(|head| (head, Align::Left));
        text.push(table(&heads, answer.inputs.iter().map(InputView::row).collect()));
    }
    text.join("\n\n")
}

/// What parts and the whole draw.
fn draws(answer: &PowerAnswer) -> String {
    let heads = [
        ("part", Align::Left),
        ("count", Align::Right),
        ("waiting", Align::Right),
        ("at work", Align::Right),
        ("at most", Align::Right),
    ];
    let row = |name: &str, count: u32, draw: &Figure<DrawView>| {
        let figures = match draw {
            Figure::Value(draw) => {
                [draw.idle_watts, draw.working_watts, draw.full_watts].map(power)
            }
            Figure::Unknown { .. } => ["-", "-", "-"].map(str::to_owned),
        };
        [vec![name.to_owned(), count.to_string()], figures.to_vec()].concat()
    };
    let mut rows: Vec<_> =
        answer.parts.iter().map(|part| row(&part.name, part.count, &part.one)).collect();
    rows.push(row("whole, at the wall", 1, &Figure::Value(answer.wall.clone())));
    table(&heads, rows)
}

/// One line for each thing that the place must bear.
fn lines(answer: &PowerAnswer) -> String {
    let mut lines = Vec::new();
    if let Some(found) = &answer.circuit {
        lines.push(("circuit", circuit(found, answer.wall.full_watts)));
    }
    match &answer.supply {
        Figure::Value(found) => lines.extend(supply(found)),
        Figure::Unknown { unknown } => lines.push(("supply", format!("no figure: {unknown}"))),
    }
    lines.extend(air(&answer.heat));
    if let Some(battery) = &answer.battery {
        let (holds, time) = (watt_hours(battery.holds_wh), minutes(battery.minutes));
        lines.push(("battery", format!("{holds}: {time} at full load")));
    }
    lines.push(("a year", year(&answer.year)));
    let lines: Vec<_> = lines.iter().map(|(name, line)| format!("{name:9}{line}")).collect();
    lines.join("\n")
}

fn circuit(found: &CircuitView, full: Range) -> String {
    let bears = watts(found.continuous_watts);
    let CircuitView { circuit, verdict, machines, basis, .. } = found;
    let verdict = match verdict.as_str() {
        "too small" => "TOO SMALL for this machine".to_owned(),
        "uncertain" => uncertain(full, found.continuous_watts),
        _ => format!("enough for {} such", count(*machines)),
    };
    format!("{circuit} bears {bears} for hours: {verdict} ({basis})")
}

fn supply(found: &SupplyView) -> Vec<(&'static str, String)> {
    let buy = |needed: Range, size: Option<f64>| match size {
        Some(size) => format!("{} (buy {})", power(needed), watts(size)),
        None => format!("{} (more than one supply)", power(needed)),
    };
    let needs = format!(
        "needs {} by ATX 3.x, {} by ATX 2.x",
        buy(found.needed_atx3_watts, found.size_atx3_watts),
        buy(found.needed_atx2_watts, found.size_atx2_watts)
    );
    let mut lines = vec![("supply", needs)];
    if let Some(stated) = &found.stated {
        let (rating, standard) = (watts(stated.rating_watts), &stated.standard);
        let needed = match stated.standard.as_str() {
            "ATX 3.x" => found.needed_atx3_watts,
            _ => found.needed_atx2_watts,
        };
        let verdict = match stated.verdict.as_str() {
            "too small" => "TOO SMALL".to_owned(),
            "uncertain" => uncertain(needed, stated.rating_watts),
            enough => enough.to_owned(),
        };
        lines.push(("", format!("{rating} by {standard}: {verdict}")));
    }
    lines
}

/// Why nobody can tell: what there is lies within what may be asked for.
fn uncertain(asked: Range, given: f64) -> String {
    let why = match given {
        given if given >= asked.high => {
            "enough for hours, not for every moment in which cards may draw more"
        }
        given if given >= asked.likely => "likely enough, too small at the high end",
        _ => "likely too small, enough at the low end",
    };
    format!("UNCERTAIN: {why}")
}

fn air(heat: &HeatView) -> Vec<(&'static str, String)> {
    let (warms, heats) =
        (power(heat.watts), shown(heat.btu_per_hour, BtuPerHour::from_btu_per_hour));
    let tons = ends(heat.tons, significant);
    let flow = shown(heat.air_m3_per_hour, CubicMetersPerHour::from_cubic_meters_per_hour);
    let warmer = significant(heat.warmer_kelvin);
    let mut lines = vec![
        ("heat", format!("{warms}, which is {heats} ({tons} tons of cooling)")),
        ("air", format!("{flow} through the room, which it leaves {warmer} K warmer")),
    ];
    if let (Some(room), Some(warming)) = (heat.room_m3, heat.warming_kelvin_per_minute) {
        let rate = shown(warming, KelvinsPerMinute::from_kelvins_per_minute);
        let room = significant(room);
        lines.push(("room", format!("{rate} at first in {room} m3, doors and windows closed")));
    }
    lines
}

fn year(year: &YearView) -> String {
    let energy = shown(year.energy_kwh, |kwh| Joules::from_joules(kwh * 3.6e6));
    let hours = significant(year.share_at_work * 24.0);
    let cost = match &year.cost {
        Figure::Value(cost) => money(cost),
        Figure::Unknown { unknown } => format!("cost not known: {unknown}"),
    };
    let carbon = match &year.carbon_kg {
        Figure::Value(carbon) => shown(*carbon, |kg| GramsCo2e::from_grams(kg * 1e3)),
        Figure::Unknown { unknown } => format!("emissions not known: {unknown}"),
    };
    format!("{energy} at {hours} h/day of work, on and waiting for the rest: {cost}, {carbon}")
}

fn moments(stated: &SuppliedView) -> String {
    let heads = [("for", Align::Right), ("draws", Align::Right), ("bears", Align::Right)];
    let rows = stated.moments.iter().map(|moment| {
        let borne = match &moment.borne_watts {
            Figure::Value(borne) => watts(*borne),
            Figure::Unknown { .. } => "-".to_owned(),
        };
        vec![crate::view::seconds(moment.seconds), power(moment.watts), borne]
    });
    let title = "moments in which cards draw more, all of them at once";
    format!("{title}\n{}", table(&heads, rows.collect()))
}

fn circuits(answer: &PowerAnswer) -> String {
    let heads =
        [("circuit", Align::Left), ("bears for hours", Align::Right), ("machines", Align::Right)];
    let rows = answer.circuits.iter().map(|found| {
        vec![found.circuit.clone(), watts(found.continuous_watts), count(found.machines)]
    });
    table(&heads, rows.collect())
}

fn power(range: Range) -> String {
    shown(range, Watts::from_watts)
}

fn watts(number: f64) -> String {
    Watts::from_watts(number).map_or_else(|_| "-".to_owned(), |watts| watts.to_string())
}

fn watt_hours(number: f64) -> String {
    Joules::from_joules(number * 3600.0).map_or_else(|_| "-".to_owned(), |it| it.to_string())
}

fn minutes(range: Range) -> String {
    shown(range, |minutes| Duration::from_seconds(minutes * 60.0))
}

fn money(cost: &MoneyRange) -> String {
    let number = |text: &str| text.parse::<f64>().map_or_else(|_| text.to_owned(), significant);
    match (number(&cost.low), number(&cost.high)) {
        (low, high) if low == high => format!("{low} {}", cost.currency),
        (low, high) => format!("{low}-{high} {}", cost.currency),
    }
}

fn count(range: CountRange) -> String {
    match range.low == range.high {
        true => range.low.to_string(),
        false => format!("{}-{}", range.low, range.high),
    }
}

fn ends(range: Range, number: impl Fn(f64) -> String) -> String {
    let (low, high) = (number(range.low), number(range.high));
    if low == high { low } else { format!("{low}-{high}") }
}

/// A range in the unit that reads best.
fn shown<T: Copy + PartialOrd>(
    range: Range,
    quantity: impl Fn(f64) -> Result<T, QuantityError>,
) -> String
where
    Span<T>: std::fmt::Display,
{
    let ends = (quantity(range.low), quantity(range.likely), quantity(range.high));
    match ends {
        (Ok(low), Ok(likely), Ok(high)) => {
            Span::new(low, likely, high).map_or_else(|_| "-".to_owned(), |span| span.to_string())
        }
        _ => "-".to_owned(),
    }
}
