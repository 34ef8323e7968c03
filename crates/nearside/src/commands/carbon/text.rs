//! The answer of `nearside carbon` as text.

mod beside;

use std::fmt::Write as _;

use nearside_units::{GramsCo2e, Joules, Range, significant};

use super::view::{
    CarbonAnswer, EmissionsView, PartView, PlannedView, RecordedView, ScoreView, SiteView,
};
use crate::cli::Carbon;
use crate::output::{Align, Detail, table};
use crate::view::{Figure, seconds};

/// Sites that are shown unless all are asked for.
const SHOWN: usize = 10;

pub(super) fn of(answer: &CarbonAnswer, arguments: &Carbon, detail: Detail) -> String {
    let mut parts = vec![match &answer.planned {
        Figure::Value(planned) => plan(planned),
        Figure::Unknown { unknown } => format!("as planned: not known: {unknown}"),
    }];
    if let Some(found) = &answer.recorded {
        parts.push(recorded(found));
    }
    parts.push(in_use(answer));
    if let Some(found) = &answer.sites {
        parts.push(sites(found, answer, if arguments.all { usize::MAX } else { SHOWN }));
    }
    if !answer.scores.is_empty() {
        parts.push(scores(answer));
    }
    if let Some(found) = &answer.hours {
        parts.push(beside::hours(found));
    }
    parts.push(beside::accounts(&answer.accounts));
    if let Some(found) = &answer.offsets {
        parts.push(beside::offsets(found));
    }
    if detail == Detail::Explained {
        parts.push(beside::energy(answer));
        parts.extend(answer.basis.iter().map(beside::basis));
    }
    parts.retain(|part| !part.is_empty());
    parts.join("\n\n")
}

/// Emissions in a readable unit.
fn kilograms(kilograms: f64) -> String {
    GramsCo2e::from_grams(kilograms * 1e3)
        .map_or_else(|_| "-".to_owned(), |grams| grams.to_string())
}

/// A sum: a dash where nothing of it is known, more than so much where a part is not.
fn part(part: &PartView, show: impl Fn(f64) -> String) -> String {
    match part.value {
        None => "-".to_owned(),
        Some(value) if part.lacks.is_empty() => show(value),
        Some(value) => format!(">{}", show(value)),
    }
}

fn energy(kwh: &PartView) -> String {
    let show = |kwh: f64| {
        Joules::from_joules(kwh * 3.6e6)
            .map_or_else(|_| "-".to_owned(), |energy| energy.to_string())
    };
    part(kwh, show)
}

fn range(of: &EmissionsView) -> String {
    let grams = |kilograms: f64| GramsCo2e::from_grams(kilograms * 1e3).ok();
    // A range of a part is no range of the whole.
    let whole = of.total_kg.value.is_some() && of.total_kg.lacks.is_empty();
    let ends = grams(of.p5_kg).zip(grams(of.p95_kg)).filter(|_| whole);
    ends.map_or_else(|| "-".to_owned(), |(low, high)| Range { low, high }.to_string())
}

/// The columns of energy and emissions.
const EMISSIONS: [(&str, Align); 5] = [
    ("energy", Align::Right),
    ("electricity", Align::Right),
    ("machines", Align::Right),
    ("total", Align::Right),
    ("5 to 95 %", Align::Right),
];

fn cells(of: &EmissionsView) -> [String; 5] {
    [
        energy(&of.energy_kwh),
        part(&of.operational_kg, kilograms),
        part(&of.embodied_kg, kilograms),
        part(&of.total_kg, kilograms),
        range(of),
    ]
}

/// Why sums lack something, and what makes them unsure.
fn remarks(of: &EmissionsView) -> String {
    let mut text = String::new();
    let mut lacks: Vec<&String> = of.total_kg.lacks.iter().collect();
    lacks.extend(of.energy_kwh.lacks.iter().filter(|why| !of.total_kg.lacks.contains(why)));
    for why in lacks {
        let _ = write!(text, "\nnot all is known: {why}");
    }
    if let Some(widest) = of.widest.as_ref().filter(|_| of.total_kg.lacks.is_empty()) {
        let percent = significant(widest.share * 100.0);
        let _ = write!(text, "\nmost unsure: {} ({percent} % of the variance)", widest.term);
    }
    text
}

fn plan(planned: &PlannedView) -> String {
    let heads =
        [&[("stage", Align::Left), ("site", Align::Left), ("runs", Align::Right)][..], &EMISSIONS]
            .concat();
    let mut rows: Vec<Vec<String>> = Vec::new();
    for stage in &planned.stages {
        let runs = match stage.kind.as_str() {
            "service" => "service".to_owned(),
            _ => significant(stage.runs_per_month),
        };
        let first = [stage.stage.clone(), stage.site.clone(), runs];
        rows.push(first.into_iter().chain(cells(&stage.per_month)).collect());
    }
    let first = ["total".to_owned(), String::new(), String::new()];
    rows.push(first.into_iter().chain(cells(&planned.per_month)).collect());
    format!(
        "a month as planned, in CO2e: electricity (operational, by the average of the place, PUE applied \
         once) and machines (embodied)\n\n{}{}",
        table(&heads, rows),
        remarks(&planned.per_month)
    )
}

fn recorded(found: &RecordedView) -> String {
    let heads = [
        &[("stage", Align::Left), ("executions", Align::Right), ("time", Align::Right)][..],
        &EMISSIONS,
    ]
    .concat();
    let mut rows: Vec<Vec<String>> = Vec::new();
    for stage in &found.stages {
        let first =
            [stage.stage.clone(), stage.executions.to_string(), seconds(stage.hours * 3600.0)];
        rows.push(first.into_iter().chain(cells(&stage.emissions)).collect());
    }
    let executions: usize = found.stages.iter().map(|stage| stage.executions).sum();
    let hours: f64 = found.stages.iter().map(|stage| stage.hours).sum();
    let first = ["total".to_owned(), executions.to_string(), seconds(hours * 3600.0)];
    rows.push(first.into_iter().chain(cells(&found.total)).collect());
    format!(
        "recorded on {} since {}\n\n{}{}",
        found.site,
        found.since,
        table(&heads, rows),
        remarks(&found.total)
    )
}

fn in_use(answer: &CarbonAnswer) -> String {
    let share = significant(answer.in_use.share * 100.0);
    format!("share of its life that the machine here is in use: {share} % ({})", answer.in_use.how)
}

fn sites(found: &[SiteView], answer: &CarbonAnswer, shown: usize) -> String {
    let heads = [
        ("all of it on", Align::Left),
        ("g/kWh", Align::Right),
        ("stages", Align::Right),
        ("not allowed", Align::Right),
        ("energy", Align::Right),
        ("electricity", Align::Right),
        ("machines", Align::Right),
        ("total", Align::Right),
    ];
    let row = |site: &SiteView| {
        let grid = match &site.g_per_kwh {
            Figure::Value(grams) => significant(*grams),
            Figure::Unknown { .. } => "-".to_owned(),
        };
        let all = site.stages + site.left_out.len();
        let [energy, electricity, machines, total, _] = cells(&site.per_month);
        vec![
            site.site.clone(),
            grid,
            format!("{} of {all}", site.stages),
            match site.not_allowed.len() {
                0 => "-".to_owned(),
                count => count.to_string(),
            },
            energy,
            electricity,
            machines,
            total,
        ]
    };
    let mut text = table(&heads, found.iter().take(shown).map(row).collect());
    if let more @ 1.. = found.len().saturating_sub(shown) {
        let _ = write!(text, "\n{more} more (--compare --all)");
    }
    if let Figure::Value(planned) = &answer.planned {
        let _ = write!(text, "\nas planned: {}", part(&planned.per_month.total_kg, kilograms));
    }
    let _ = write!(text, "\na sum of fewer stages is of less work; moving data is in none of them");
    text
}

fn scores(answer: &CarbonAnswer) -> String {
    let heads = [
        ("stage", Align::Left),
        ("of", Align::Left),
        ("per", Align::Left),
        ("units", Align::Right),
        ("emits", Align::Right),
        ("as", Align::Left),
    ];
    let row = |score: &ScoreView| {
        let first = [score.stage.clone(), score.of.clone(), score.per.clone()];
        let last = match &score.score {
            Figure::Value(found) => {
                [significant(found.units), kilograms(found.grams / 1e3), found.label.clone()]
            }
            Figure::Unknown { unknown } => {
                ["-".to_owned(), "-".to_owned(), format!("not known: {unknown}")]
            }
        };
        first.into_iter().chain(last).collect()
    };
    let mut text = format!(
        "per unit of work, (E x I + M) / R\n\n{}",
        table(&heads, answer.scores.iter().map(row).collect())
    );
    let _ = write!(text, "\nboundary: {}", answer.boundary);
    let mut lacks: Vec<&str> = Vec::new();
    for score in &answer.scores {
        let Figure::Value(found) = &score.score else { continue };
        for why in &found.lacks {
            if !lacks.contains(&why.as_str()) {
                lacks.push(why);
            }
        }
    }
    for why in lacks {
        let _ = write!(text, "\nno SCI for want of {why}");
    }
    text
}
