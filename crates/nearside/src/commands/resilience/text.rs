//! The answer of `nearside resilience` as text.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use nearside_units::significant;

use super::view::{EventView, ResilienceAnswer, YearsView};
use crate::output::{Align, table};
use crate::view::seconds;

pub(super) fn of(answer: &ResilienceAnswer) -> String {
    let mut text = format!(
        "score {:.0} of 100: the share of stages that go on, over {} events",
        answer.score * 100.0,
        answer.events.len()
    );
    let _ = write!(text, "\n\n{}", events(answer));
    for event in &answer.events {
        let _ = write!(text, "{}", of_event(event));
    }
    if !answer.at_home.is_empty() {
        let _ = write!(
            text,
            "\n\nto have at home before the network is gone\n  {}",
            answer.at_home.join("\n  ")
        );
        let _ = write!(text, "\n  packages that commands install");
    }
    if let Some(years) = &answer.years {
        let _ = write!(text, "\n\n{}", of_years(years, &answer.currency));
    }
    text
}

fn events(answer: &ResilienceAnswer) -> String {
    let extra = format!("{}/month more", answer.currency);
    let heads = [
        ("event", Align::Left),
        ("stop", Align::Right),
        ("wait", Align::Right),
        ("move", Align::Right),
        (extra.as_str(), Align::Right),
        ("later", Align::Right),
        ("goes on", Align::Right),
        ("breaks", Align::Left),
    ];
    let row = |event: &EventView| {
        vec![
            event.event.clone(),
            event.stops.len().to_string(),
            event.waits.len().to_string(),
            event.moves.len().to_string(),
            event.extra_cost_per_month.map_or("unknown".to_owned(), |it| format!("{it:.2}")),
            if event.delay_seconds > 0.0 { seconds(event.delay_seconds) } else { "-".to_owned() },
            format!("{:.0} %", event.goes_on * 100.0),
            event.breaks.join(", "),
        ]
    };
    table(&heads, answer.events.iter().map(row).collect())
}

/// Which stages stop and where others go.
fn of_event(event: &EventView) -> String {
    let mut text = String::new();
    let mut whys: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for stop in &event.stops {
        whys.entry(&stop.why).or_default().push(&stop.stage);
    }
    let mut moves: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for moved in &event.moves {
        moves.entry(&moved.to).or_default().push(&moved.stage);
    }
    if whys.is_empty() && moves.is_empty() {
        return text;
    }
    let _ = write!(text, "\n\n{}", event.event);
    for (why, stages) in whys {
        let _ = write!(text, "\n  stops   {}: {why}", stages.join(", "));
    }
    if !event.waits.is_empty() {
        let _ = write!(text, "\n  waits   {}", event.waits.join(", "));
    }
    for (to, stages) in moves {
        let _ = write!(text, "\n  moves   {} to {to}", stages.join(", "));
    }
    text
}

fn of_years(years: &YearsView, currency: &str) -> String {
    let mut text = format!(
        "in {} years at random: {} days stand still a year (half of the years {}, one in twenty more than {}), \
         {} more; nothing stands still in {:.0} % of them",
        years.years,
        significant(years.lost_days.mean),
        significant(years.lost_days.p50),
        significant(years.lost_days.p95),
        years.extra_cost.as_ref().map_or("an unknown amount".to_owned(), |extra| {
            format!("{} {currency}", significant(extra.mean))
        }),
        years.untouched * 100.0
    );
    let heads = [
        ("kind of event", Align::Left),
        ("a year", Align::Right),
        ("on average", Align::Right),
        ("basis", Align::Left),
    ];
    let rows = years.rates.iter().map(|rate| {
        let basis = match rate.why.as_str() {
            "" => rate.basis.clone(),
            why => format!("{}: {why}", rate.basis),
        };
        vec![rate.kind.clone(), significant(rate.per_year), seconds(rate.mean_seconds), basis]
    });
    let _ = write!(text, "\n{}", table(&heads, rows.collect()));
    text
}
