//! A plan as the ledger keeps it: where each stage goes, what is estimated for it there, and why.
//!
//! It is the same plan as long as it decides the same: objective, limits, and the site of every stage.
//! Estimates move a little with every run that they are corrected by; the ones that are kept are those
//! of the moment when it was first decided so.

use std::fmt::Write as _;

use nearside_store::Fields;
use serde::Serialize;

use super::view::{PlanAnswer, StageView, TotalsView};
use crate::view::{Figure, MoneyRange, Range};
use crate::wire::journal::PlanHeld;

/// Digits of a plan's name; enough for the plans of one project.
const NAME: usize = 16;

/// What is kept of a plan.
#[derive(Serialize)]
struct Kept<'a> {
    currency: &'a str,
    totals: &'a Option<TotalsView>,
    stages: Vec<KeptStage<'a>>,
}

/// What is kept of a stage.
#[derive(Serialize)]
struct KeptStage<'a> {
    stage: &'a str,
    site: &'a str,
    pass_hours: &'a Figure<Range>,
    cost_per_month: &'a Figure<MoneyRange>,
    reason: &'a str,
}

/// The plan to be recorded; none where nothing can be placed.
pub(in crate::commands) fn record(answer: &PlanAnswer) -> Option<PlanHeld> {
    if !answer.is_feasible() {
        return None;
    }
    let stage = |stage: &'_ StageView| -> String { format!("{} at {}", stage.stage, stage.site) };
    let objective = objective(answer);
    let decided = Fields::default().text(&answer.project).text(&objective);
    let places = answer.stages.iter().map(stage);
    let digest = places.fold(decided, |fields, place| fields.text(&place)).digest().to_string();
    let kept = Kept {
        currency: &answer.currency,
        totals: &answer.totals,
        stages: answer.stages.iter().map(KeptStage::of).collect(),
    };
    let json = serde_json::to_string(&kept).ok()?;
    Some(PlanHeld { id: digest.chars().take(NAME).collect(), objective, json })
}

impl<'a> KeptStage<'a> {
    fn of(stage: &'a StageView) -> Self {
        Self {
            stage: &stage.stage,
            site: &stage.site,
            pass_hours: &stage.pass_hours,
            cost_per_month: &stage.cost_per_month,
            reason: &stage.reason,
        }
    }
}

/// What is minimised, within which limits.
fn objective(answer: &PlanAnswer) -> String {
    let mut text = answer.minimize.clone();
    if let Some(hours) = answer.deadline_hours {
        let _ = write!(text, ", a pass within {hours} h");
    }
    if let Some(budget) = &answer.budget_per_month {
        let _ = write!(text, ", at most {budget} {}/month", answer.currency);
    }
    text
}
