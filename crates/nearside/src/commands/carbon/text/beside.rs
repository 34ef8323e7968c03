//! What stands beside the emissions: hours, other accounts, offsets, sources.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use nearside_units::significant;

use super::{kilograms, part};
use crate::commands::carbon::view::{
    AccountView, BasisView, BestView, CarbonAnswer, HoursView, OffsetsView, OtherView, StartView,
};
use crate::output::{Align, table};
use crate::view::{Figure, InputView, seconds};

pub(super) fn hours(found: &HoursView) -> String {
    let heads = [
        ("stage", Align::Left),
        ("takes", Align::Right),
        ("best start", Align::Left),
        ("g/kWh", Align::Right),
        ("average", Align::Right),
        ("worst", Align::Right),
        ("saves of average", Align::Right),
        ("of worst", Align::Right),
        ("in a run", Align::Right),
    ];
    let mut text = format!(
        "when to start on {}, by {} ({} to {}; column {})",
        found.sites,
        found.file,
        found.from,
        found.to,
        found.columns.last().map_or("", String::as_str)
    );
    let rows: Vec<Vec<String>> = found.stages.iter().filter_map(start).collect();
    match rows.is_empty() {
        true => text.push_str("\nno stage of the plan has a start to choose there"),
        false => {
            let _ = write!(text, "\n\n{}", table(&heads, rows));
        }
    }
    for stage in &found.stages {
        if let Figure::Unknown { unknown } = &stage.best {
            let _ = write!(text, "\n{}: {unknown}", stage.stage);
        }
    }
    if !found.elsewhere.is_empty() {
        let _ = write!(text, "\non other grids: {}", found.elsewhere.join(", "));
    }
    let past = match found.is_past {
        true => "these hours are over: so it was then, and the file says nothing of hours to come",
        false => "the file says nothing of other hours: no day is taken for another",
    };
    let _ = write!(text, "\n{past}");
    text
}

fn start(stage: &StartView) -> Option<Vec<String>> {
    let (Figure::Value(hours), Figure::Value(best)) = (&stage.hours, &stage.best) else {
        return None;
    };
    let BestView { start, mean, average, worst, saves_of_average, saves_of_worst, .. } = best;
    let percent = |share: f64| format!("{:.0} %", share * 100.0);
    Some(vec![
        stage.stage.clone(),
        seconds(hours * 3600.0),
        start.clone(),
        significant(*mean),
        significant(*average),
        significant(*worst),
        percent(*saves_of_average),
        percent(*saves_of_worst),
        best.saves_grams.map_or_else(|| "-".to_owned(), |grams| kilograms(grams.max(0.0) / 1e3)),
    ])
}

pub(super) fn accounts(accounts: &[AccountView]) -> String {
    if accounts.is_empty() {
        return String::new();
    }
    let mut text = "by other accounts, which are part of no total above".to_owned();
    let mut account = |name: &str, of: &dyn Fn(&AccountView) -> Figure<String>| {
        let mut unknown: Vec<&str> = Vec::new();
        for one in accounts {
            match of(one) {
                Figure::Value(shown) => {
                    let _ = write!(text, "\n{name:<14}{}: {shown}", one.site);
                }
                Figure::Unknown { .. } => unknown.push(&one.site),
            }
        }
        if !unknown.is_empty() {
            let _ = write!(text, "\n{name:<14}not known of {}", listed(&unknown));
        }
    };
    account("marginal", &|one| shown(&one.marginal));
    account("market-based", &|one| shown(&one.market));
    account("carbon-free", &|one| match &one.carbon_free {
        Figure::Value(share) => {
            let percent = significant(share * 100.0);
            Figure::Value(format!(
                "{percent} % of its energy, hour by hour, with what its provider bought"
            ))
        }
        Figure::Unknown { unknown } => Figure::Unknown { unknown: unknown.clone() },
    });
    text
}

/// A few names, and how many more.
fn listed(names: &[&str]) -> String {
    const MOST: usize = 3;
    let first = names.iter().take(MOST).copied().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(MOST) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

fn shown(other: &Figure<OtherView>) -> Figure<String> {
    match other {
        Figure::Unknown { unknown } => Figure::Unknown { unknown: unknown.clone() },
        Figure::Value(other) => {
            let month = other.kg_per_month.map(|month| format!(", {} a month", kilograms(month)));
            Figure::Value(format!(
                "{} g/kWh{} ({})",
                significant(other.g_per_kwh),
                month.unwrap_or_default(),
                other.source
            ))
        }
    }
}

pub(super) fn offsets(found: &OffsetsView) -> String {
    let mut text =
        "offsets, beside what was emitted: they lower no figure and no score\n".to_owned();
    let mut line = |name: &str, value: String| {
        let _ = write!(text, "\n{name:<20}{value}");
    };
    line("gross", format!("{}, {}", part(&found.gross_kg, kilograms), found.of));
    line("avoided, retired", kilograms(found.avoided_kg));
    let long = kilograms(found.removed_for_long_kg);
    let removed = kilograms(found.removed_kg);
    line("removed, retired", format!("{removed}, of it {long} for a hundred years or more"));
    line("not retired", format!("{}, which does not count", kilograms(found.not_retired_kg)));
    let mut cost = found.cost.clone();
    if found.unpriced > 0 {
        cost.push(format!("{} without a stated price", found.unpriced));
    }
    if !cost.is_empty() {
        line("cost", cost.join(" and "));
    }
    let mut doubts: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for doubt in &found.doubts {
        let (place, why) = doubt.split_once(": ").unwrap_or(("", doubt));
        doubts.entry(place).or_default().push(why);
    }
    for (place, why) in doubts {
        let _ = write!(text, "\n{place}: {}", why.join("; "));
    }
    text
}

/// How the energy of every stage is known.
pub(super) fn energy(answer: &CarbonAnswer) -> String {
    let mut lines = Vec::new();
    if let Figure::Value(planned) = &answer.planned {
        for stage in &planned.stages {
            let power = stage.inputs.iter().find(|input| input.what == "power at the wall");
            let shown = power.map_or("not known".to_owned(), |power| {
                format!("{} at the wall ({}: {})", power.value, power.kind, power.source)
            });
            lines.push(format!("energy of {}: estimated, {shown}", stage.stage));
        }
        lines.push(
            "`nearside plan --stage NAME --explain` has what their times are made of".to_owned(),
        );
    }
    for stage in answer.recorded.iter().flat_map(|recorded| &recorded.stages) {
        let known: usize = stage.energy_methods.values().sum();
        let mut how: Vec<String> = stage
            .energy_methods
            .iter()
            .map(|(method, count)| format!("{method} {count}"))
            .collect();
        if let unknown @ 1.. = stage.executions - known {
            how.push(format!("not known {unknown}"));
        }
        lines.push(format!("energy of {}, recorded: {}", stage.stage, how.join(", ")));
    }
    lines.join("\n")
}

pub(super) fn basis(of: &BasisView) -> String {
    let heads = [
        (of.site.as_str(), Align::Left),
        ("value", Align::Right),
        ("kind", Align::Left),
        ("source", Align::Left),
    ];
    let mut text = table(&heads, of.inputs.iter().map(InputView::row).collect());
    for step in &of.steps {
        let _ = write!(text, "\na step down: {step}");
    }
    let heads = [("unsure by", Align::Right), ("what", Align::Left), ("why", Align::Left)];
    let row = |term: &crate::commands::carbon::view::TermView| {
        let percent = significant(term.sigma * 100.0);
        vec![format!("{percent} %"), term.term.clone(), term.why.clone()]
    };
    if !of.terms.is_empty() {
        let _ = write!(text, "\n\n{}", table(&heads, of.terms.iter().map(row).collect()));
        let _ = write!(text, "\none standard deviation of the logarithm each");
    }
    text
}
