//! The answer of `nearside plan` as data: what text and JSON both show.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::commands::config::AssumptionView;
use crate::view::{Figure, InputView, MoneyRange, Range, sources};

/// The answer of `nearside plan`.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct PlanAnswer {
    /// The project.
    pub(super) project: String,
    /// cost, time or carbon.
    pub(super) minimize: String,
    /// Deadline of one pass, in hours.
    pub(super) deadline_hours: Option<f64>,
    /// Budget per month, a decimal number in the currency.
    pub(super) budget_per_month: Option<String>,
    /// ISO 4217 code of every amount.
    pub(in crate::commands) currency: String,
    /// What the whole plan comes to; none when no plan keeps to the limits.
    pub(in crate::commands) totals: Option<TotalsView>,
    /// `exact`, or what is proven instead.
    pub(super) proof: Option<String>,
    /// Stages in the order they run.
    pub(in crate::commands) stages: Vec<StageView>,
    /// Data that moves between locations.
    pub(super) transfers: Vec<TransferView>,
    /// Certificates that the plan is conditional on.
    pub(super) conditions: Vec<String>,
    /// What would make a plan possible, when there is none.
    pub(super) infeasible: Option<InfeasibleView>,
    /// Every plan that nothing beats in cost, time and carbon at once.
    pub(super) front: Option<FrontView>,
    /// The plan as if the project said otherwise.
    pub(super) what_if: Option<WhatIf>,
    /// Values that the project does not state.
    pub(super) assumptions: Vec<AssumptionView>,
}

/// What a plan comes to.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct TotalsView {
    /// Money per month, a decimal number; near-side machines at marginal cost.
    pub(in crate::commands) cost_per_month: String,
    /// The same with purchase and maintenance of near-side machines spread over use.
    pub(in crate::commands) full_cost_per_month: Option<String>,
    /// One pass of the pipeline, in hours.
    pub(in crate::commands) pass_hours: f64,
    /// Emissions per month, in kilograms of CO2 equivalent.
    pub(in crate::commands) carbon_kg_per_month: f64,
    /// Why some parts are missing from the totals, which are then "at least".
    pub(in crate::commands) missing: Vec<String>,
}

/// A stage and where it goes.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct StageView {
    /// Its name.
    pub(in crate::commands) stage: String,
    /// Its phase of the lifecycle.
    pub(super) phase: String,
    /// The class of the data it reads.
    pub(super) reads: String,
    /// Trials of its matrix.
    pub(super) trials: usize,
    /// Runs per month; 1 for a service, whose figures are monthly.
    pub(super) runs_per_month: f64,
    /// `run`: work that ends, or `service`: up for so many hours a month; a pass waits until it is
    /// ready.
    pub(super) kind: String,
    /// Where it goes.
    pub(in crate::commands) site: String,
    /// When it starts, in hours from the start of the pass.
    pub(super) start_hours: f64,
    /// What a pass waits for it, in hours.
    pub(in crate::commands) pass_hours: Figure<Range>,
    /// Money per month at marginal cost.
    pub(in crate::commands) cost_per_month: Figure<MoneyRange>,
    /// Money per month with purchase and maintenance spread over use.
    pub(super) full_cost_per_month: Figure<MoneyRange>,
    /// Energy per month, in kilowatt-hours.
    pub(super) energy_kwh_per_month: Figure<Range>,
    /// Emissions per month, in kilograms of CO2 equivalent.
    pub(super) carbon_kg_per_month: Figure<Range>,
    /// What limits its speed.
    pub(super) bottleneck: Figure<String>,
    /// Does it fit, and by how much.
    pub(in crate::commands) fit: String,
    /// Live memory at the peak by category, in bytes.
    pub(super) memory_bytes: BTreeMap<String, u64>,
    /// Why there.
    pub(super) reason: String,
    /// The best plan with this stage elsewhere.
    pub(super) runner_up: Option<RunnerUpView>,
    /// Why each other site was not taken, everything else held fixed.
    pub(super) others: Vec<OtherView>,
    /// What its figures were computed from.
    pub(super) inputs: Vec<InputView>,
}

/// The best plan with a stage elsewhere, everything else re-optimised.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct RunnerUpView {
    /// Where.
    pub(super) site: String,
    /// How much more the plan would cost per month, a decimal number; negative when less.
    pub(super) extra_cost_per_month: String,
    /// How much longer a pass would take, in hours.
    pub(super) extra_pass_hours: f64,
    /// How much more it would emit per month, in kilograms of CO2 equivalent.
    pub(super) extra_carbon_kg_per_month: f64,
}

/// A site that was not taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct OtherView {
    /// The site.
    pub(super) site: String,
    /// Which kind of reason: not allowed, does not fit, worse, breaks a limit, unknown, tie.
    pub(super) kind: String,
    /// Why not.
    pub(super) why: String,
    /// The first of several reasons, to count alike ones.
    #[serde(skip)]
    pub(super) first: String,
    /// By how much it is worse, in the planner's whole numbers.
    #[serde(skip)]
    pub(super) by: u64,
}

/// Data that moves.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct TransferView {
    /// What moves.
    pub(super) what: String,
    /// From which stage or dataset.
    pub(super) from: String,
    /// To which stage.
    pub(super) to: String,
    /// From which site.
    pub(super) from_site: String,
    /// To which site.
    pub(super) to_site: String,
    /// How much in one pass, in bytes.
    pub(super) bytes: u64,
    /// How long in one pass, in hours.
    pub(super) hours: Option<f64>,
    /// Money per month, a decimal number.
    pub(super) cost_per_month: Option<String>,
}

/// Why there is no plan, and what would help.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct InfeasibleView {
    /// Each line alone restores feasibility, or the single line does.
    pub(super) relaxations: Vec<RelaxationView>,
    /// Stages that have no site whatever the limits.
    pub(super) stuck: Vec<StuckView>,
    /// Whether everything was tried.
    pub(super) complete: bool,
}

/// A change that restores feasibility.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct RelaxationView {
    /// What to change.
    pub(super) changes: Vec<String>,
    /// What the best plan then comes to.
    pub(super) totals: TotalsView,
}

/// A stage without a site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct StuckView {
    /// The stage, or the data that cannot move.
    pub(super) what: String,
    /// Why, site by site.
    pub(super) why: Vec<OtherView>,
}

/// The Pareto front.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct FrontView {
    /// Whether every such plan is there.
    pub(super) complete: bool,
    /// The plans, cheapest first.
    pub(super) points: Vec<PointView>,
}

/// One plan of the front.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct PointView {
    /// What it comes to.
    pub(super) totals: TotalsView,
    /// The site of every stage, in the order of the stages.
    pub(super) sites: Vec<String>,
}

/// The plan as if the project said otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct WhatIf {
    /// What was changed.
    pub(super) changes: Vec<String>,
    /// Stages that would move: their name, from where, to where.
    pub(super) moves: Vec<(String, String, String)>,
    /// The whole other answer.
    pub(super) answer: Box<PlanAnswer>,
}

impl WhatIf {
    pub(super) fn between(changes: &[String], before: &PlanAnswer, after: PlanAnswer) -> Self {
        let moved = |stage: &StageView| {
            let now = after.stages.iter().find(|other| other.stage == stage.stage)?;
            (now.site != stage.site)
                .then(|| (stage.stage.clone(), stage.site.clone(), now.site.clone()))
        };
        let moves = before.stages.iter().filter_map(moved).collect();
        Self { changes: changes.to_vec(), moves, answer: Box::new(after) }
    }
}

impl PlanAnswer {
    pub(super) const fn is_feasible(&self) -> bool {
        self.infeasible.is_none()
    }

    pub(super) fn sources(&self) -> Vec<String> {
        sources(self.stages.iter().flat_map(|stage| &stage.inputs))
    }
}
