//! The answer of `nearside plan` as text: the answer first, then why, then where it came from.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use nearside_units::{Bytes, significant};

use super::alternatives::{front_text, infeasible_text, what_if_text};
use super::view::{OtherView, PlanAnswer, StageView, TotalsView};
use crate::cli::Plan;
use crate::commands::config::assumptions_table;
use crate::output::{Align, Detail, table};
use crate::view::{Figure, InputView, MoneyRange, Range, seconds, seconds_range};

/// Sites that lost, shown per stage unless --all.
pub(super) const NEAREST: usize = 3;

pub(super) fn of(answer: &PlanAnswer, arguments: &Plan, detail: Detail) -> String {
    if let Some(what_if) = &answer.what_if {
        return what_if_text(answer, what_if, arguments);
    }
    let mut text = headline(answer);
    if let Some(infeasible) = &answer.infeasible {
        text.push_str(&infeasible_text(answer, infeasible, arguments));
        return text;
    }
    if let Some(name) = &arguments.stage {
        for stage in answer.stages.iter().filter(|stage| stage.stage == *name) {
            text.push_str(&stage_text(answer, stage, arguments));
            text.push_str(&basis(stage, detail));
        }
        return text;
    }
    text.push_str(&placements(answer));
    text.push_str(&moves(answer));
    for condition in &answer.conditions {
        let _ = write!(text, "\n\nconditional on {condition}");
    }
    match &answer.front {
        Some(front) => text.push_str(&front_text(answer, front, arguments)),
        None => {
            text.push_str(&runners_up(answer));
            text.push_str(&losers(answer, arguments));
        }
    }
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

pub(in crate::commands) fn totals_text(totals: &TotalsView, currency: &str) -> String {
    let least = if totals.missing.is_empty() { "" } else { "at least " };
    format!(
        "{least}{} {currency}/month, one pass in {}, {} kgCO2e/month",
        money(&totals.cost_per_month),
        time(totals.pass_hours),
        significant(totals.carbon_kg_per_month)
    )
}

/// A decimal amount with cents, or three significant digits when it is small.
pub(super) fn money(decimal: &str) -> String {
    let Ok(value) = decimal.parse::<f64>() else { return decimal.to_owned() };
    match value.abs() {
        0.0 => "0".to_owned(),
        size if size >= 1000.0 => format!("{value:.0}"),
        size if size >= 0.1 => format!("{value:.2}"),
        _ => significant(value),
    }
}

pub(super) fn headline(answer: &PlanAnswer) -> String {
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
    if answer.stages.iter().any(|stage| stage.site.contains('/')) {
        text.push_str("\nnot counted: disks and storage of rented machines, downloads of models");
    }
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
pub(super) fn time(hours: f64) -> String {
    seconds(hours * 3600.0)
}

/// A range of hours in one readable unit.
pub(in crate::commands) fn times(figure: &Figure<Range>) -> String {
    let Figure::Value(range) = figure else { return "-".to_owned() };
    seconds_range(range.low * 3600.0, range.high * 3600.0)
}

pub(in crate::commands) fn money_range(figure: &Figure<MoneyRange>) -> String {
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

/// Letters that stand for sites, so that tables stay narrow.
pub(in crate::commands) struct Legend<'a>(Vec<&'a str>);

impl<'a> Legend<'a> {
    pub(in crate::commands) fn of(sites: impl Iterator<Item = &'a str>) -> Self {
        let mut known: Vec<&str> = Vec::new();
        for site in sites {
            if !known.contains(&site) {
                known.push(site);
            }
        }
        Self(known)
    }

    /// The letter of a site; its name when it has none.
    pub(in crate::commands) fn letter(&self, site: &str) -> String {
        self.0.iter().position(|known| *known == site).map_or_else(|| site.to_owned(), label)
    }

    pub(in crate::commands) fn text(&self) -> String {
        let line = |(at, site): (usize, &&str)| format!("\n  {}  {site}", label(at));
        self.0.iter().enumerate().map(line).collect()
    }
}

fn placements(answer: &PlanAnswer) -> String {
    let legend = Legend::of(answer.stages.iter().map(|stage| stage.site.as_str()));
    let cost = format!("{}/month", answer.currency);
    let heads = [
        ("stage", Align::Left),
        ("phase", Align::Left),
        ("reads", Align::Left),
        ("at", Align::Left),
        ("time", Align::Right),
        (cost.as_str(), Align::Right),
        ("full price", Align::Right),
        ("kgCO2e/month", Align::Right),
    ];
    let row = |stage: &StageView| {
        vec![
            named(stage),
            stage.phase.clone(),
            stage.reads.clone(),
            legend.letter(&stage.site),
            pass(stage),
            money_range(&stage.cost_per_month),
            money_range(&stage.full_cost_per_month),
            range(&stage.carbon_kg_per_month),
        ]
    };
    let why = |stage: &StageView| {
        vec![
            stage.stage.clone(),
            legend.letter(&stage.site),
            word(&stage.bottleneck),
            stage.reason.clone(),
        ]
    };
    let heads_why = [
        ("stage", Align::Left),
        ("at", Align::Left),
        ("limited by", Align::Left),
        ("there because", Align::Left),
    ];
    format!(
        "\n\n{}\n{}\n\n{}",
        table(&heads, answer.stages.iter().map(row).collect()),
        legend.text(),
        table(&heads_why, answer.stages.iter().map(why).collect())
    )
}

fn named(stage: &StageView) -> String {
    match stage.trials {
        1 => stage.stage.clone(),
        count => format!("{} x{count}", stage.stage),
    }
}

/// What a pass waits for a stage; a service is waited for until it is ready.
fn pass(stage: &StageView) -> String {
    match stage.kind.as_str() {
        "service" => format!("ready in {}", times(&stage.pass_hours)),
        _ => times(&stage.pass_hours),
    }
}

fn moves(answer: &PlanAnswer) -> String {
    if answer.transfers.is_empty() {
        return "\n\nno data moves between locations".to_owned();
    }
    let legend = Legend::of(answer.stages.iter().map(|stage| stage.site.as_str()));
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
            legend.letter(&transfer.from_site),
            legend.letter(&transfer.to_site),
            Bytes::new(transfer.bytes).si(),
            transfer.hours.map_or("-".to_owned(), time),
            transfer.cost_per_month.as_deref().map_or("-".to_owned(), money),
        ]
    });
    format!("\n\n{}", table(&heads, rows.collect()))
}

pub(super) fn signed(value: f64) -> String {
    let sign = if value < 0.0 { "-" } else { "+" };
    format!("{sign}{}", significant(value.abs()))
}

pub(super) fn signed_time(hours: f64) -> String {
    let sign = if hours < 0.0 { "-" } else { "+" };
    match hours.abs() {
        0.0 => "+0".to_owned(),
        size => format!("{sign}{}", time(size)),
    }
}

pub(super) fn signed_money(decimal: &str) -> String {
    let shown = money(decimal);
    if shown.starts_with('-') { shown } else { format!("+{shown}") }
}

fn runners_up(answer: &PlanAnswer) -> String {
    let cost = format!("{}/month", answer.currency);
    let heads = [
        ("stage", Align::Left),
        ("next best site", Align::Left),
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
    format!(
        "\n\nrunner-up: the best plan with one stage elsewhere, the others placed anew\n{}",
        table(&heads, rows)
    )
}

/// How many sites lost for which reason, and the nearest of those that could be taken.
fn losers(answer: &PlanAnswer, arguments: &Plan) -> String {
    let mut text = "\n\nwhy the others lost, everything else held fixed".to_owned();
    let most = if arguments.all { usize::MAX } else { NEAREST };
    for stage in &answer.stages {
        let _ = write!(text, "\n  {}", stage.stage);
        for other in nearest(&stage.others, most) {
            if arguments.all || other.by < u64::MAX {
                let _ = write!(text, "\n    {}: {}", other.site, other.why);
            }
        }
        for (kind, count, common) in kinds(&stage.others) {
            let and = if count > 1 && kind == "cannot" { ", or alike" } else { "" };
            match common {
                Some(why) => {
                    let _ = write!(text, "\n    {count} {kind}: {why}{and}");
                }
                None => {
                    let _ = write!(text, "\n    {count} {kind}");
                }
            }
        }
    }
    text
}

/// The kinds of reasons, how many sites have them, and the most frequent reason of those kinds
/// whose sites could not be taken.
fn kinds(others: &[OtherView]) -> Vec<(&str, usize, Option<&str>)> {
    let mut kinds: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
    for other in others {
        *kinds.entry(&other.kind).or_default().entry(&other.first).or_default() += 1;
    }
    let counted = kinds.into_iter().map(|(kind, reasons)| {
        let count = reasons.values().sum();
        let common = reasons.into_iter().max_by_key(|(_, count)| *count).map(|(why, _)| why);
        (kind, count, common.filter(|_| matches!(kind, "cannot" | "not allowed" | "unknown")))
    });
    counted.collect()
}

fn nearest(others: &[OtherView], most: usize) -> Vec<&OtherView> {
    let mut sorted: Vec<_> = others.iter().collect();
    let worse = |other: &OtherView| matches!(other.kind.as_str(), "worse" | "tie" | "better");
    sorted.sort_by_key(|other| (!worse(other), other.by));
    sorted.truncate(most);
    sorted
}

fn stage_text(answer: &PlanAnswer, stage: &StageView, arguments: &Plan) -> String {
    let currency = &answer.currency;
    let mut text = format!(
        "\n\n{} ({}) at {}\nbecause      {}\nfits         {}",
        named(stage),
        stage.phase,
        stage.site,
        stage.reason,
        stage.fit
    );
    for (category, bytes) in &stage.memory_bytes {
        let _ = write!(text, "\n  {category:11}{:>10}", Bytes::new(*bytes).to_string());
    }
    let _ = write!(
        text,
        "\nlimited by   {}\nstarts       {} into the pass\ntime         {}\ncost         {} \
         {currency}/month, full price {} {currency}/month\nenergy       {} kWh/month\ncarbon       \
         {} kgCO2e/month\nruns         {} a month",
        word(&stage.bottleneck),
        time(stage.start_hours),
        pass(stage),
        money_range(&stage.cost_per_month),
        money_range(&stage.full_cost_per_month),
        range(&stage.energy_kwh_per_month),
        range(&stage.carbon_kg_per_month),
        significant(stage.runs_per_month),
    );
    for transfer in answer.transfers.iter().filter(|transfer| transfer.to == stage.stage) {
        let _ = write!(
            text,
            "\nfetches      {} ({}) from {}",
            transfer.what,
            Bytes::new(transfer.bytes).si(),
            transfer.from_site
        );
    }
    if let Some(other) = &stage.runner_up {
        let _ = write!(
            text,
            "\nrunner-up    {}: {} {currency}/month, {} per pass, {} kgCO2e/month",
            other.site,
            signed_money(&other.extra_cost_per_month),
            signed_time(other.extra_pass_hours),
            signed(other.extra_carbon_kg_per_month)
        );
    }
    let heads = [("site", Align::Left), ("why not, everything else held fixed", Align::Left)];
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

/// a, b, ... z, aa, ab, ...
fn label(at: usize) -> String {
    let letter = |at: usize| char::from(b'a' + u8::try_from(at % 26).unwrap_or(0));
    match at {
        0..26 => letter(at).to_string(),
        _ => format!("{}{}", letter(at / 26 - 1), letter(at)),
    }
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
