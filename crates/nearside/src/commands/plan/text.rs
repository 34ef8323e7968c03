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

/// Letters that stand for sites, so that tables stay narrow.
struct Legend<'a>(Vec<&'a str>);

impl<'a> Legend<'a> {
    fn of(sites: impl Iterator<Item = &'a str>) -> Self {
        let mut known: Vec<&str> = Vec::new();
        for site in sites {
            if !known.contains(&site) {
                known.push(site);
            }
        }
        Self(known)
    }

    fn letter(&self, site: &str) -> String {
        label(self.0.iter().position(|known| *known == site).unwrap_or(0))
    }

    fn text(&self) -> String {
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
    match stage.phase.as_str() {
        "deploy" => format!("ready in {}", times(&stage.pass_hours)),
        _ => times(&stage.pass_hours),
    }
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

/// One line per plan; a letter per stage says where it would go.
fn front_text(answer: &PlanAnswer, front: &FrontView, arguments: &Plan) -> String {
    let most = if arguments.all { usize::MAX } else { POINTS };
    let step = front.points.len().div_ceil(most).max(1);
    let shown: Vec<_> = front.points.iter().step_by(step).collect();
    let legend = Legend::of(shown.iter().flat_map(|point| &point.sites).map(String::as_str));
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
        figures.into_iter().chain(point.sites.iter().map(|site| legend.letter(site))).collect()
    });
    let complete = if front.complete { "all of them" } else { "too many to find all of them" };
    format!(
        "\n\n{} plans that nothing beats in cost, time and carbon at once ({complete}), {} shown\n{}\n{}",
        front.points.len(),
        shown.len(),
        table(&heads, rows.collect()),
        legend.text()
    )
}

/// a, b, ... z, aa, ab, ...
fn label(at: usize) -> String {
    let letter = |at: usize| char::from(b'a' + u8::try_from(at % 26).unwrap_or(0));
    match at {
        0..26 => letter(at).to_string(),
        _ => format!("{}{}", letter(at / 26 - 1), letter(at)),
    }
}

/// Before, after, and what moves between them.
fn what_if_text(before: &PlanAnswer, what_if: &WhatIf, arguments: &Plan) -> String {
    let after = &what_if.answer;
    let mut text = format!(
        "as it is\n  {}\nwhat if {}\n  {}",
        headline(before).replace('\n', "\n  "),
        what_if.changes.join(", "),
        headline(after).replace('\n', "\n  ")
    );
    if let Some(infeasible) = &after.infeasible {
        text.push_str(&infeasible_text(after, infeasible, arguments).replace('\n', "\n  "));
        return text;
    }
    let currency = &after.currency;
    if let (Some(before), Some(after)) = (&before.totals, &after.totals) {
        let number = |decimal: &str| decimal.parse::<f64>().unwrap_or(0.0);
        let cost = number(&after.cost_per_month) - number(&before.cost_per_month);
        let _ = write!(
            text,
            "\n\nthat is {} {}/month, {} per pass, {} kgCO2e/month",
            signed_money(&cost.to_string()),
            currency,
            signed_time(after.pass_hours - before.pass_hours),
            signed(after.carbon_kg_per_month - before.carbon_kg_per_month)
        );
    }
    let heads = [("stage that moves", Align::Left), ("from", Align::Left), ("to", Align::Left)];
    let rows: Vec<_> = what_if
        .moves
        .iter()
        .map(|(stage, from, to)| vec![stage.clone(), from.clone(), to.clone()])
        .collect();
    match rows.is_empty() {
        true => text.push_str("\n\nno stage moves"),
        false => {
            let _ = write!(text, "\n\n{}", table(&heads, rows));
        }
    }
    text
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
