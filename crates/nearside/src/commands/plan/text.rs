//! The answer of `nearside plan` as text: the answer first, then why, then where it came from.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use nearside_units::{Bytes, significant};

use super::view::{
    FrontView, InfeasibleView, OtherView, PlanAnswer, StageView, TotalsView, WhatIf,
};
use crate::cli::Plan;
use crate::commands::config::assumptions_table;
use crate::output::{Align, Detail, table};
use crate::view::{Figure, InputView, MoneyRange, Range};

/// Sites that lost, shown per stage unless --all.
const NEAREST: usize = 3;
/// Plans of the front that are shown unless --all.
const POINTS: usize = 20;

pub(super) fn of(answer: &PlanAnswer, arguments: &Plan, detail: Detail) -> String {
    let mut text = headline(answer);
    if let Some(infeasible) = &answer.infeasible {
        text.push_str(&infeasible_text(answer, infeasible, arguments));
        return text;
    }
    match &arguments.stage {
        Some(name) => {
            let stages = answer.stages.iter().filter(|stage| stage.stage == *name);
            for stage in stages {
                text.push_str(&stage_text(stage, arguments));
                text.push_str(&basis(stage, detail));
            }
            return text;
        }
        None => text.push_str(&placements(answer)),
    }
    text.push_str(&moves(answer));
    for condition in &answer.conditions {
        let _ = write!(text, "\n\nconditional on {condition}");
    }
    text.push_str(&runners_up(answer));
    text.push_str(&losers(answer, arguments));
    text.push_str(
        &answer
            .front
            .as_ref()
            .map_or_else(String::new, |front| front_text(answer, front, arguments)),
    );
    text.push_str(
        &answer
            .what_if
            .as_ref()
            .map_or_else(String::new, |what_if| what_if_text(what_if, arguments)),
    );
    if detail == Detail::Explained {
        for stage in &answer.stages {
            text.push_str(&basis(stage, detail));
        }
        let _ = write!(
            text,
            "\n\nassumed, because the project file does not say\n{}",
            assumptions_table(&answer.assumptions)
        );
    }
    text
}

fn totals_text(totals: &TotalsView, currency: &str) -> String {
    let least = if totals.missing.is_empty() { "" } else { "at least " };
    format!(
        "{least}{} {currency}/month, one pass in {}, {} kgCO2e/month",
        money(&totals.cost_per_month),
        time(totals.pass_hours),
        significant(totals.carbon_kg_per_month)
    )
}

/// A decimal amount with cents, or three significant digits when it is small.
fn money(decimal: &str) -> String {
    let Ok(value) = decimal.parse::<f64>() else { return decimal.to_owned() };
    match value.abs() {
        0.0 => "0".to_owned(),
        size if size >= 1000.0 => format!("{value:.0}"),
        size if size >= 0.1 => format!("{value:.2}"),
        _ => significant(value),
    }
}

fn headline(answer: &PlanAnswer) -> String {
    let verdict = match &answer.totals {
        Some(totals) => totals_text(totals, &answer.currency),
        None => "no plan keeps to the limits".to_owned(),
    };
    let mut limits = vec![format!("least {}", answer.minimize)];
    limits.extend(answer.deadline_hours.map(|hours| format!("deadline {}", time(hours))));
    let currency = &answer.currency;
    limits.extend(
        answer.budget_per_month.as_ref().map(|budget| format!("budget {budget} {currency}/month")),
    );
    limits.extend(answer.proof.clone());
    let mut text = format!("{}: {verdict}\n{}", answer.project, limits.join(", "));
    for missing in answer.totals.iter().flat_map(|totals| &totals.missing) {
        let _ = write!(text, "\nnot counted: {missing}");
    }
    if let Some(full) =
        answer.totals.as_ref().and_then(|totals| totals.full_cost_per_month.as_ref())
    {
        let _ = write!(
            text,
            "\nnear-side machines count at marginal cost (electricity and wear); with purchase and \
             upkeep it is {} {currency}/month",
            money(full)
        );
    }
    text
}

fn range(figure: &Figure<Range>) -> String {
    match figure {
        Figure::Unknown { .. } => "-".to_owned(),
        Figure::Value(range) => match (significant(range.low), significant(range.high)) {
            (low, high) if low == high => low,
            (low, high) => format!("{low}-{high}"),
        },
    }
}

/// Hours as a length of time in a readable unit.
fn time(hours: f64) -> String {
    let time = nearside_units::Duration::from_seconds(hours * 3600.0);
    time.map_or_else(|_| "-".to_owned(), |time| time.to_string())
}

/// A range of hours in one readable unit.
fn times(figure: &Figure<Range>) -> String {
    let Figure::Value(range) = figure else { return "-".to_owned() };
    let seconds = |hours: f64| nearside_units::Duration::from_seconds(hours * 3600.0).ok();
    let ends = seconds(range.low).zip(seconds(range.high));
    ends.map_or_else(
        || "-".to_owned(),
        |(low, high)| nearside_units::Range { low, high }.to_string(),
    )
}

fn money_range(figure: &Figure<MoneyRange>) -> String {
    match figure {
        Figure::Unknown { .. } => "-".to_owned(),
        Figure::Value(range) => match (money(&range.low), money(&range.high)) {
            (low, high) if low == high => low,
            (low, high) => format!("{low}-{high}"),
        },
    }
}

fn word(figure: &Figure<String>) -> String {
    match figure {
        Figure::Value(word) => word.clone(),
        Figure::Unknown { .. } => "-".to_owned(),
    }
}

fn placements(answer: &PlanAnswer) -> String {
    let cost = format!("{}/month", answer.currency);
    let full = format!("full {}/month", answer.currency);
    let heads = [
        ("stage", Align::Left),
        ("phase", Align::Left),
        ("reads", Align::Left),
        ("site", Align::Left),
        ("time", Align::Right),
        (cost.as_str(), Align::Right),
        (full.as_str(), Align::Right),
        ("kgCO2e/month", Align::Right),
        ("bottleneck", Align::Left),
    ];
    let row = |stage: &StageView| {
        let trials = match stage.trials {
            1 => String::new(),
            count => format!(" x{count}"),
        };
        vec![
            format!("{}{trials}", stage.stage),
            stage.phase.clone(),
            stage.reads.clone(),
            stage.site.clone(),
            times(&stage.pass_hours),
            money_range(&stage.cost_per_month),
            money_range(&stage.full_cost_per_month),
            range(&stage.carbon_kg_per_month),
            word(&stage.bottleneck),
        ]
    };
    let why =
        |stage: &StageView| vec![stage.stage.clone(), stage.site.clone(), stage.reason.clone()];
    let heads_why = [("stage", Align::Left), ("at", Align::Left), ("because", Align::Left)];
    format!(
        "\n\n{}\n\n{}",
        table(&heads, answer.stages.iter().map(row).collect()),
        table(&heads_why, answer.stages.iter().map(why).collect())
    )
}

fn moves(answer: &PlanAnswer) -> String {
    if answer.transfers.is_empty() {
        return "\n\nno data moves between locations".to_owned();
    }
    let cost = format!("{}/month", answer.currency);
    let heads = [
        ("data that moves", Align::Left),
        ("for", Align::Left),
        ("from", Align::Left),
        ("to", Align::Left),
        ("size", Align::Right),
        ("time", Align::Right),
        (cost.as_str(), Align::Right),
    ];
    let rows = answer.transfers.iter().map(|transfer| {
        vec![
            transfer.what.clone(),
            transfer.to.clone(),
            transfer.from_site.clone(),
            transfer.to_site.clone(),
            Bytes::new(transfer.bytes).si(),
            transfer.hours.map_or("-".to_owned(), time),
            transfer.cost_per_month.as_deref().map_or("-".to_owned(), money),
        ]
    });
    format!("\n\n{}", table(&heads, rows.collect()))
}

fn signed(value: f64) -> String {
    let sign = if value < 0.0 { "-" } else { "+" };
    format!("{sign}{}", significant(value.abs()))
}

fn signed_time(hours: f64) -> String {
    let sign = if hours < 0.0 { "-" } else { "+" };
    match hours.abs() {
        0.0 => "+0".to_owned(),
        size => format!("{sign}{}", time(size)),
    }
}

fn signed_money(decimal: &str) -> String {
    let shown = money(decimal);
    if shown.starts_with('-') { shown } else { format!("+{shown}") }
}

fn runners_up(answer: &PlanAnswer) -> String {
    let cost = format!("{}/month", answer.currency);
    let heads = [
        ("runner-up", Align::Left),
        ("site", Align::Left),
        (cost.as_str(), Align::Right),
        ("pass", Align::Right),
        ("kgCO2e/month", Align::Right),
    ];
    let rows: Vec<_> = answer
        .stages
        .iter()
        .map(|stage| match &stage.runner_up {
            Some(other) => vec![
                stage.stage.clone(),
                other.site.clone(),
                signed_money(&other.extra_cost_per_month),
                signed_time(other.extra_pass_hours),
                signed(other.extra_carbon_kg_per_month),
            ],
            None => vec![stage.stage.clone(), "none".to_owned()],
        })
        .collect();
    format!("\n\n{}", table(&heads, rows))
}

/// How many sites lost for which kind of reason, and the nearest of those that could be taken.
fn losers(answer: &PlanAnswer, arguments: &Plan) -> String {
    let mut text = "\n\nwhy the others lost, everything else held fixed".to_owned();
    for stage in &answer.stages {
        let counts: Vec<_> = kinds(&stage.others).iter().map(kind_text).collect();
        let _ = write!(text, "\n  {}: {}", stage.stage, counts.join("; "));
        let most = if arguments.all { usize::MAX } else { NEAREST };
        for other in nearest(&stage.others, most) {
            if arguments.all || other.by < u64::MAX {
                let _ = write!(text, "\n    {}: {}", other.site, other.why);
            }
        }
    }
    text
}

/// The kinds of reasons with how many sites have them and the most frequent reason of each.
fn kinds(others: &[OtherView]) -> Vec<(&str, usize, Option<&str>)> {
    let mut kinds: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
    for other in others {
        *kinds.entry(&other.kind).or_default().entry(&other.why).or_default() += 1;
    }
    kinds
        .into_iter()
        .map(|(kind, reasons)| {
            let count = reasons.values().sum();
            let common = reasons.into_iter().max_by_key(|(_, count)| *count).map(|(why, _)| why);
            (kind, count, common)
        })
        .collect()
}

fn kind_text((kind, count, common): &(&str, usize, Option<&str>)) -> String {
    match (*kind, common) {
        ("cannot" | "not allowed" | "unknown", Some(why)) => {
            format!("{count} {kind} ({why}{})", if *count > 1 { ", ..." } else { "" })
        }
        _ => format!("{count} {kind}"),
    }
}

fn nearest(others: &[OtherView], most: usize) -> Vec<&OtherView> {
    let mut sorted: Vec<_> = others.iter().collect();
    let worse = |other: &OtherView| matches!(other.kind.as_str(), "worse" | "tie" | "better");
    sorted.sort_by_key(|other| (!worse(other), other.by));
    sorted.truncate(most);
    sorted
}

fn stage_text(stage: &StageView, arguments: &Plan) -> String {
    let mut text = format!(
        "\n\n{} ({}) at {}: {}\nfits: {}",
        stage.stage, stage.phase, stage.site, stage.reason, stage.fit
    );
    for (category, bytes) in &stage.memory_bytes {
        let _ = write!(text, "\n  {category:12} {:>10}", Bytes::new(*bytes).to_string());
    }
    let heads = [("site", Align::Left), ("why not", Align::Left)];
    let most = if arguments.all { usize::MAX } else { 4 * NEAREST };
    let rows = nearest(&stage.others, most)
        .into_iter()
        .map(|other| vec![other.site.clone(), other.why.clone()]);
    let _ = write!(text, "\n\n{}", table(&heads, rows.collect()));
    text
}

fn basis(stage: &StageView, detail: Detail) -> String {
    if detail == Detail::Plain {
        return String::new();
    }
    let heads = [
        ("what", Align::Left),
        ("value", Align::Right),
        ("kind", Align::Left),
        ("source", Align::Left),
    ];
    let rows = stage.inputs.iter().map(InputView::row);
    format!("\n\nbasis of {} at {}\n{}", stage.stage, stage.site, table(&heads, rows.collect()))
}

/// One line per plan; a letter per stage says where it would go.
fn front_text(answer: &PlanAnswer, front: &FrontView, arguments: &Plan) -> String {
    let most = if arguments.all { usize::MAX } else { POINTS };
    let step = front.points.len().div_ceil(most).max(1);
    let shown: Vec<_> = front.points.iter().step_by(step).collect();
    let mut sites: Vec<&str> = Vec::new();
    for site in shown.iter().flat_map(|point| &point.sites) {
        if !sites.contains(&site.as_str()) {
            sites.push(site);
        }
    }
    let letter = |site: &str| {
        let at = sites.iter().position(|known| *known == site).unwrap_or(0);
        label(at)
    };
    let cost = format!("{}/month", answer.currency);
    let fixed = [cost.as_str(), "pass", "kgCO2e/month"].map(|head| (head, Align::Right));
    let stages = answer.stages.iter().map(|stage| (stage.stage.as_str(), Align::Left));
    let heads: Vec<_> = fixed.into_iter().chain(stages).collect();
    let rows = shown.iter().map(|point| {
        let figures = [
            money(&point.totals.cost_per_month),
            time(point.totals.pass_hours),
            significant(point.totals.carbon_kg_per_month),
        ];
        figures.into_iter().chain(point.sites.iter().map(|site| letter(site))).collect()
    });
    let complete = if front.complete { "all of them" } else { "too many to find all of them" };
    let mut text = format!(
        "\n\n{} plans that nothing beats in cost, time and carbon at once ({complete}), {} shown\n{}\n",
        front.points.len(),
        shown.len(),
        table(&heads, rows.collect())
    );
    for site in &sites {
        let _ = write!(text, "\n  {}  {site}", letter(site));
    }
    text
}

/// a, b, ... z, aa, ab, ...
fn label(at: usize) -> String {
    let letter = |at: usize| char::from(b'a' + u8::try_from(at % 26).unwrap_or(0));
    match at {
        0..26 => letter(at).to_string(),
        _ => format!("{}{}", letter(at / 26 - 1), letter(at)),
    }
}

fn what_if_text(what_if: &WhatIf, arguments: &Plan) -> String {
    let answer = &what_if.answer;
    let mut then = headline(answer);
    if let Some(infeasible) = &answer.infeasible {
        then.push_str(&infeasible_text(answer, infeasible, arguments));
    }
    for (stage, from, to) in &what_if.moves {
        let _ = write!(then, "\n{stage} would move from {from} to {to}");
    }
    if what_if.moves.is_empty() && answer.is_feasible() {
        then.push_str("\nno stage would move");
    }
    format!("\n\nwhat if {}\n  {}", what_if.changes.join(", "), then.replace('\n', "\n  "))
}

fn infeasible_text(answer: &PlanAnswer, found: &InfeasibleView, arguments: &Plan) -> String {
    let mut text = String::new();
    let single = found.relaxations.iter().all(|relaxation| relaxation.changes.len() == 1);
    if !found.relaxations.is_empty() {
        text.push_str(match single {
            true => "\n\neach of these alone makes a plan possible",
            false => "\n\nonly together do these make a plan possible",
        });
    }
    for relaxation in &found.relaxations {
        let then = totals_text(&relaxation.totals, &answer.currency);
        let _ = write!(text, "\n  {}\n    then {then}", relaxation.changes.join("\n  and "));
    }
    for stuck in &found.stuck {
        let _ = write!(text, "\n\n{} has nowhere to go, whatever the limits", stuck.what);
        text.push_str(&grouped(&stuck.why, arguments));
    }
    if !found.complete {
        text.push_str("\n\nnot everything was tried: other or smaller changes may exist");
    }
    text
}

/// Reasons with the sites that have them, the most frequent first.
fn grouped(others: &[OtherView], arguments: &Plan) -> String {
    let mut reasons: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for other in others {
        reasons.entry(&other.why).or_default().push(&other.site);
    }
    let mut reasons: Vec<_> = reasons.into_iter().collect();
    reasons.sort_by_key(|(_, sites)| std::cmp::Reverse(sites.len()));
    let most = if arguments.all { usize::MAX } else { NEAREST };
    let mut text = String::new();
    for (why, sites) in reasons.iter().take(most.saturating_mul(2)) {
        let more = sites.len().saturating_sub(most);
        let named = sites.iter().take(most).copied().collect::<Vec<_>>().join(", ");
        let and = if more > 0 { format!(" and {more} more") } else { String::new() };
        let _ = write!(text, "\n  {why}: {named}{and}");
    }
    text
}

/// What could be done next.
pub(super) fn hints(answer: &PlanAnswer, arguments: &Plan) -> Vec<String> {
    let mut hints = Vec::new();
    let path = arguments.path.display();
    if let (None, Some(stage)) = (&arguments.stage, answer.stages.first()) {
        hints.push(format!(
            "`nearside plan {path} --stage {}` shows one stage in full; --explain every source; \
                 --pareto the alternatives",
            stage.stage
        ));
    }
    let stuck = answer.infeasible.iter().flat_map(|found| &found.stuck);
    let unstated = |why: &OtherView| why.why.contains("states no workload");
    if let Some(stuck) = stuck.into_iter().find(|stuck| stuck.why.iter().any(unstated)) {
        hints.push(format!(
            "say what {} computes: workload = {{ task = \"lora\", model = \"base\", ... }}; \
             `nearside config schema` lists the tasks",
            stuck.what
        ));
    }
    hints
}
