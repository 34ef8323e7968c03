//! The other plans as text: the Pareto front, what if, and what would make one possible.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use nearside_units::significant;

use super::text::{
    Legend, NEAREST, headline, money, signed, signed_money, signed_time, time, totals_text,
};
use super::view::{FrontView, InfeasibleView, OtherView, PlanAnswer, WhatIf};
use crate::cli::Plan;
use crate::output::{Align, table};

/// Plans of the front that are shown unless --all.
const POINTS: usize = 20;

/// One line per plan; a letter per stage says where it would go.
pub(super) fn front_text(answer: &PlanAnswer, front: &FrontView, arguments: &Plan) -> String {
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
    let complete = match front.complete {
        true => "all of those whose figures are known",
        false => "too many to find all of them",
    };
    format!(
        "\n\n{} plans that nothing beats in cost, time and carbon at once ({complete}), {} shown\n{}\n{}",
        front.points.len(),
        shown.len(),
        table(&heads, rows.collect()),
        legend.text()
    )
}

/// Before, after, and what moves between them.
pub(super) fn what_if_text(before: &PlanAnswer, what_if: &WhatIf, arguments: &Plan) -> String {
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

pub(super) fn infeasible_text(
    answer: &PlanAnswer,
    found: &InfeasibleView,
    arguments: &Plan,
) -> String {
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
