//! The answer of `nearside plan` as data: what text and JSON both show.

use std::collections::BTreeMap;

use nearside_plan::{
    Amount, Change, Front, FrontProof, Infeasible, Loss, Plan, Proof, Reason, RunnerUp, Stuck,
    Totals, Why,
};
use nearside_units::{AtLeast, Currency, Money, Span};
use schemars::JsonSchema;
use serde::Serialize;

use crate::commands::config::{AssumptionView, assumption};
use crate::view::{Figure, InputView, MoneyRange, Range, sources};
use crate::wire::placement::{Posed, PosedStage};
use crate::wire::project::Loaded;
use crate::wire::stages::{StageEstimate, scaled};

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
    pub(super) currency: String,
    /// What the whole plan comes to; none when no plan keeps to the limits.
    pub(super) totals: Option<TotalsView>,
    /// `exact`, or what is proven instead.
    pub(super) proof: Option<String>,
    /// Stages in the order they run.
    pub(super) stages: Vec<StageView>,
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
    pub(super) cost_per_month: String,
    /// The same with purchase and maintenance of near-side machines spread over use.
    pub(super) full_cost_per_month: Option<String>,
    /// One pass of the pipeline, in hours.
    pub(super) pass_hours: f64,
    /// Emissions per month, in kilograms of CO2 equivalent.
    pub(super) carbon_kg_per_month: f64,
    /// Why some parts are missing from the totals, which are then "at least".
    pub(super) missing: Vec<String>,
}

/// A stage and where it goes.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct StageView {
    /// Its name.
    pub(super) stage: String,
    /// Its phase of the lifecycle.
    pub(super) phase: String,
    /// The class of the data it reads.
    pub(super) reads: String,
    /// Trials of its matrix.
    pub(super) trials: usize,
    /// Runs per month; 1 for a service, whose figures are monthly.
    pub(super) runs_per_month: f64,
    /// Where it goes.
    pub(super) site: String,
    /// When it starts, in hours from the start of the pass.
    pub(super) start_hours: f64,
    /// What a pass waits for it, in hours.
    pub(super) pass_hours: Figure<Range>,
    /// Money per month at marginal cost.
    pub(super) cost_per_month: Figure<MoneyRange>,
    /// Money per month with purchase and maintenance spread over use.
    pub(super) full_cost_per_month: Figure<MoneyRange>,
    /// Energy per month, in kilowatt-hours.
    pub(super) energy_kwh_per_month: Figure<Range>,
    /// Emissions per month, in kilograms of CO2 equivalent.
    pub(super) carbon_kg_per_month: Figure<Range>,
    /// What limits its speed.
    pub(super) bottleneck: Figure<String>,
    /// Does it fit, and by how much.
    pub(super) fit: String,
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
    /// By how much it is worse, in thousandths of a thousandth of the objective's unit.
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

/// The parts of an answer that do not depend on the plan.
fn empty(loaded: &Loaded) -> PlanAnswer {
    let project = &loaded.project;
    let objective = &project.objective;
    let decimal = |money: Money| money.amount().normalize().to_string();
    let condition = |reliance: nearside_workload::Reliance| {
        format!(
            "a certificate that {} is {} (stage {})",
            reliance.output, reliance.class, reliance.stage
        )
    };
    PlanAnswer {
        project: project.name.clone(),
        minimize: objective.minimize.name().to_owned(),
        deadline_hours: objective.deadline.map(nearside_units::Duration::as_hours),
        budget_per_month: objective.budget.map(decimal),
        currency: project.money.exchange.currency().to_string(),
        totals: None,
        proof: None,
        stages: Vec::new(),
        transfers: Vec::new(),
        conditions: project.conditions().into_iter().map(condition).collect(),
        infeasible: None,
        front: None,
        what_if: None,
        assumptions: project.assumptions.iter().map(assumption).collect(),
    }
}

/// A plan as an answer.
pub(super) fn placed(loaded: &Loaded, posed: &Posed, plan: &Plan) -> PlanAnswer {
    let currency = loaded.project.money.exchange.currency();
    let stages: Vec<_> = posed
        .stages
        .iter()
        .enumerate()
        .map(|(at, stage)| stage_view(loaded, posed, plan, (at, stage)))
        .collect();
    let mut totals = totals(&plan.totals);
    totals.full_cost_per_month = full_cost(posed, plan, currency);
    PlanAnswer {
        totals: Some(totals),
        proof: Some(match plan.proof {
            Proof::Exact => "exact".to_owned(),
            Proof::Gap { lower_bound } => {
                format!("not proven: no plan comes to less than {}", amount(&lower_bound, currency))
            }
        }),
        stages,
        transfers: transfers(posed, plan),
        ..empty(loaded)
    }
}

fn decimal_micros(micros: i64) -> String {
    // The currency does not matter to the digits.
    Money::from_micros(micros, Currency::EUR).amount().round_dp(6).normalize().to_string()
}

fn totals(totals: &Totals) -> TotalsView {
    let mut missing: Vec<String> = Vec::new();
    let mut note = |why: &[std::sync::Arc<str>]| {
        for why in why {
            if !missing.iter().any(|known| **known == **why) {
                missing.push(why.to_string());
            }
        }
    };
    note(&totals.cost.missing);
    note(&totals.carbon.missing);
    note(&totals.time.missing);
    TotalsView {
        cost_per_month: decimal_micros(totals.cost.total.get().cast_signed()),
        full_cost_per_month: None,
        pass_hours: hours(totals.time.total.get()),
        carbon_kg_per_month: kilograms(totals.carbon.total.get()),
        missing,
    }
}

/// The cost of stages and transfers with near-side machines at their full price.
fn full_cost(posed: &Posed, plan: &Plan, currency: Currency) -> Option<String> {
    let mut sum = AtLeast::new(Money::zero(currency));
    for (at, stage) in posed.stages.iter().enumerate() {
        let choice = plan.placements[at + posed.datasets].choice;
        let cost = stage.estimates.get(choice)?.cost.clone();
        let monthly = cost.and_then(|cost| match cost.full.likely().scaled(stage.monthly) {
            Ok(money) => nearside_units::Known::Value(money),
            Err(error) => nearside_units::Known::unknown(error.to_string()),
        });
        sum.add(monthly, |sum, part| sum.checked_add(part).unwrap_or(*sum));
    }
    let moved = plan.transfers.iter().filter_map(|transfer| transfer.cost.as_ref().value());
    let moved: u64 = moved.map(|micros| micros.get()).sum();
    let total = sum.total.checked_add(Money::from_micros(moved.cast_signed(), currency)).ok()?;
    sum.is_complete().then(|| total.amount().round_dp(6).normalize().to_string())
}

fn hours(milliseconds: u64) -> f64 {
    milliseconds as f64 / 3.6e6
}

fn kilograms(milligrams: u64) -> f64 {
    milligrams as f64 / 1e6
}

fn stage_view(
    loaded: &Loaded,
    posed: &Posed,
    plan: &Plan,
    (at, posed_stage): (usize, &PosedStage),
) -> StageView {
    let position = at + posed.datasets;
    let stage = &loaded.project.stages[posed_stage.index];
    let placement = &plan.placements[position];
    let estimate = &posed.stages[at].estimates[placement.choice];
    let currency = loaded.project.money.exchange.currency();
    let site = |choice: usize| posed.sites[choice].name.to_string();
    let monthly = posed_stage.monthly;
    let money = |span: Span<Money>| MoneyRange::of(scaled(span, monthly).unwrap_or(span));
    StageView {
        stage: stage.name.value.clone(),
        phase: stage.phase.name().to_owned(),
        reads: stage.reads.to_string(),
        trials: stage.trials.len(),
        runs_per_month: monthly,
        site: site(placement.choice),
        start_hours: hours(placement.slot.start.get()),
        pass_hours: Figure::of(&estimate.pass, |span| Range::of(*span, |time| time.as_hours())),
        cost_per_month: Figure::of(&estimate.cost, |cost| money(cost.marginal)),
        full_cost_per_month: Figure::of(&estimate.cost, |cost| money(cost.full)),
        energy_kwh_per_month: Figure::of(&estimate.energy, |span| {
            Range::of(*span, |energy| energy.as_kwh() * monthly)
        }),
        carbon_kg_per_month: Figure::of(&estimate.carbon, |span| {
            Range::of(*span, |carbon| carbon.as_grams() / 1e3 * monthly)
        }),
        bottleneck: Figure::of(&estimate.bottleneck, |name| (*name).to_owned()),
        fit: estimate.why.to_string(),
        memory_bytes: memory(estimate),
        reason: reason(&placement.reason, &site, currency),
        runner_up: runner_up(&placement.runner_up, &site),
        others: others(&placement.others, &site, currency),
        inputs: estimate.inputs.iter().map(InputView::of).collect(),
    }
}

fn memory(estimate: &StageEstimate) -> BTreeMap<String, u64> {
    let memory = estimate.largest.fit.memory.as_ref();
    let rows = memory.map(|memory| {
        memory
            .by_category
            .iter()
            .map(|(category, bytes)| (category.name().to_owned(), bytes.get()))
            .collect()
    });
    rows.unwrap_or_default()
}

fn runner_up(runner_up: &RunnerUp, site: &impl Fn(usize) -> String) -> Option<RunnerUpView> {
    let RunnerUp::Found(found) = runner_up else { return None };
    Some(RunnerUpView {
        site: site(found.choice),
        extra_cost_per_month: decimal_micros(found.extra.cost),
        extra_pass_hours: found.extra.time as f64 / 3.6e6,
        extra_carbon_kg_per_month: found.extra.carbon as f64 / 1e6,
    })
}

/// An amount in words.
fn amount(amount: &Amount, currency: Currency) -> String {
    match amount {
        Amount::Cost(micros) => {
            let money = Money::from_micros(micros.get().cast_signed(), currency);
            format!("{money}/month")
        }
        Amount::Time(time) => {
            let time = nearside_units::Duration::from_seconds(time.get() as f64 / 1e3);
            time.map_or_else(|_| "?".to_owned(), |time| time.to_string())
        }
        Amount::Carbon(carbon) => {
            let carbon = nearside_units::GramsCo2e::from_grams(carbon.get() as f64 / 1e3);
            carbon.map_or_else(|_| "?".to_owned(), |carbon| format!("{carbon}/month"))
        }
    }
}

const fn worse(amount: &Amount) -> &'static str {
    match amount {
        Amount::Cost(_) => "dearer",
        Amount::Time(_) => "later",
        Amount::Carbon(_) => "more carbon",
    }
}

const fn limit(amount: &Amount) -> &'static str {
    match amount {
        Amount::Cost(_) => "budget",
        Amount::Time(_) => "deadline",
        Amount::Carbon(_) => "carbon limit",
    }
}

fn reason(reason: &Reason, site: &impl Fn(usize) -> String, currency: Currency) -> String {
    let text = |by: &Amount| amount(by, currency);
    match reason {
        Reason::OnlyEligible => "the only site that may and can hold it".to_owned(),
        Reason::OnlySite => "no plan exists with it elsewhere".to_owned(),
        Reason::Best { objective, by } => {
            let best = match objective {
                nearside_plan::Objective::Cost => "cheapest",
                nearside_plan::Objective::Time => "fastest",
                nearside_plan::Objective::Carbon => "least carbon",
            };
            match by {
                Some(by) if by.get() > 0 => format!("{best}, by {}", text(by)),
                _ => best.to_owned(),
            }
        }
        Reason::AvoidsTransfer { instead_of, together, .. } => format!(
            "{} alone is better, but with its transfers {} {}",
            site(*instead_of),
            text(together),
            worse(together)
        ),
        Reason::KeepsDataMoving { instead_of, why } => {
            format!("data cannot move to or from {}: {why}", site(*instead_of))
        }
        Reason::MeetsLimit { instead_of, by } => {
            format!("{} is better, but breaks the {} by {}", site(*instead_of), limit(by), text(by))
        }
        Reason::Tie { with } => format!("among the best; {} is as good", site(*with)),
    }
}

fn others(losses: &[Loss], site: &impl Fn(usize) -> String, currency: Currency) -> Vec<OtherView> {
    let view = |loss: &Loss| {
        let (kind, why, by) = why(&loss.why, currency);
        OtherView { site: site(loss.choice), kind: kind.to_owned(), why, by }
    };
    losses.iter().map(view).collect()
}

/// The kind of a reason, the reason in words, and how bad it is.
fn why(why: &Why, currency: Currency) -> (&'static str, String, u64) {
    let text = |by: &Amount| amount(by, currency);
    match why {
        Why::Obstacles(obstacles) => {
            let words: Vec<_> = obstacles.iter().map(ToString::to_string).collect();
            let hard = obstacles.iter().any(|one| matches!(one, nearside_plan::Obstacle::Hard(_)));
            (if hard { "cannot" } else { "not allowed" }, words.join("; "), u64::MAX)
        }
        Why::Unknown { figure, why } => ("unknown", format!("{figure} unknown: {why}"), u64::MAX),
        Why::Blocked(why) => ("cannot", format!("its data cannot move: {why}"), u64::MAX),
        Why::Breaks { by } => {
            ("breaks a limit", format!("breaks the {} by {}", limit(by), text(by)), by.get())
        }
        Why::Worse { by } => ("worse", format!("{} {}", text(by), worse(by)), by.get()),
        Why::Tie => ("tie", "equally good".to_owned(), 0),
        Why::Better { by } => ("better", format!("better by {}: not proven", text(by)), 0),
    }
}

fn transfers(posed: &Posed, plan: &Plan) -> Vec<TransferView> {
    let name = |stage: usize| posed.problem.stages[stage].name.clone();
    let site = |stage: usize| {
        let choice = plan.placements[stage].choice;
        posed.problem.stages[stage].choices[choice].clone()
    };
    let edges = posed.problem.edges.iter().zip(&posed.carried).zip(&plan.transfers);
    let moved = edges.filter(|((edge, _), _)| {
        edge.pass.get() > 0 && site(edge.from).location != site(edge.to).location
    });
    let view =
        |((edge, what), transfer): ((&nearside_plan::Edge, &String), &nearside_plan::Transfer)| {
            let cost = transfer.cost.as_ref().value();
            TransferView {
                what: what.clone(),
                from: name(edge.from),
                to: name(edge.to),
                from_site: site(edge.from).site,
                to_site: site(edge.to).site,
                bytes: edge.pass.get(),
                hours: transfer.time.as_ref().value().map(|time| hours(time.get())),
                cost_per_month: cost.map(|micros| decimal_micros(micros.get().cast_signed())),
            }
        };
    moved.map(view).collect()
}

/// No plan as an answer.
pub(super) fn infeasible(loaded: &Loaded, posed: &Posed, found: &Infeasible) -> PlanAnswer {
    let currency = loaded.project.money.exchange.currency();
    let relaxations = found.relaxations.iter().map(|relaxation| {
        let change = |change: &Change| change_text(change, posed, &relaxation.choices, currency);
        RelaxationView {
            changes: relaxation.changes.iter().map(change).collect(),
            totals: totals(&relaxation.totals),
        }
    });
    let site = |choice: usize| posed.sites[choice].name.to_string();
    let stuck = found.stuck.iter().map(|stuck| match stuck {
        Stuck::Stage { stage, choices } => StuckView {
            what: format!("stage {}", posed.problem.stages[*stage].name),
            why: others(choices, &site, currency),
        },
        Stuck::Edge { edge, why } => StuckView {
            what: format!("moving {}", posed.carried[*edge]),
            why: why
                .iter()
                .map(|why| OtherView {
                    site: "-".to_owned(),
                    kind: "cannot".to_owned(),
                    why: why.to_string(),
                    by: u64::MAX,
                })
                .collect(),
        },
    });
    let infeasible = InfeasibleView {
        relaxations: relaxations.collect(),
        stuck: stuck.collect(),
        complete: found.complete,
    };
    PlanAnswer { infeasible: Some(infeasible), ..empty(loaded) }
}

/// A change as something that can be written in the project file.
fn change_text(change: &Change, posed: &Posed, choices: &[usize], currency: Currency) -> String {
    match change {
        Change::Raise { to } => {
            let key = match to {
                Amount::Cost(_) => "objective.budget",
                Amount::Time(_) => "objective.deadline",
                Amount::Carbon(_) => "objective.carbon",
            };
            format!("{key} of at least {}", amount(to, currency))
        }
        Change::Break { limit, stages } => {
            let name = &posed.problem.limits.named[limit.0].name;
            let moved = stages.iter().map(|stage| {
                let site = choices
                    .get(*stage)
                    .map(|choice| posed.problem.stages[*stage].choices[*choice].site.clone());
                let site = site.unwrap_or_default();
                format!("{} at {site}", posed.problem.stages[*stage].name)
            });
            format!("{name} that allows {}", moved.collect::<Vec<_>>().join(", "))
        }
    }
}

/// The Pareto front as an answer.
pub(super) fn front(posed: &Posed, front: &Front) -> FrontView {
    let points = front.points.iter().map(|point| PointView {
        totals: totals(&point.totals),
        sites: point
            .choices
            .iter()
            .skip(posed.datasets)
            .map(|choice| posed.sites[*choice].name.to_string())
            .collect(),
    });
    FrontView { complete: front.proof == FrontProof::Exact, points: points.collect() }
}
