//! From a solved planning problem to the answer that is shown.

use std::collections::BTreeMap;

use nearside_estimate::{Cost, Period};
use nearside_plan::{
    Amount, Change, Front, FrontProof, Infeasible, Loss, Obstacle, Plan, Proof, Reason, RunnerUp,
    Stuck, Totals, Why,
};
use nearside_units::{AtLeast, Currency, Known, Money};

use super::view::{
    FrontView, InfeasibleView, OtherView, PlanAnswer, PointView, RelaxationView, RunnerUpView,
    StageView, StuckView, TotalsView, TransferView,
};
use crate::commands::config::assumption;
use crate::view::{Figure, InputView, MoneyRange, Range};
use crate::wire::placement::{Posed, PosedStage};
use crate::wire::project::Loaded;
use crate::wire::stages::StageEstimate;

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
    for transfer in &plan.transfers {
        let cost = transfer.cost.clone();
        let money = cost.map(|micros| Money::from_micros(micros.get().cast_signed(), currency));
        sum.add(money, |sum, part| sum.checked_add(part).unwrap_or(*sum));
    }
    sum.is_complete().then(|| sum.total.amount().round_dp(6).normalize().to_string())
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
    let cost = estimate.cost.clone().and_then(|cost| {
        let scaled = (cost.marginal.scaled(monthly), cost.full.scaled(monthly));
        match scaled {
            (Ok(marginal), Ok(full)) => Known::Value(Cost { marginal, full }),
            (Err(error), _) | (_, Err(error)) => Known::unknown(error.to_string()),
        }
    });
    StageView {
        stage: stage.name.value.clone(),
        phase: stage.phase.name().to_owned(),
        reads: stage.reads.to_string(),
        trials: stage.trials.len(),
        runs_per_month: monthly,
        kind: match estimate.period {
            Period::Run => "run".to_owned(),
            Period::Month { .. } => "service".to_owned(),
        },
        site: site(placement.choice),
        start_hours: hours(placement.slot.start.get()),
        pass_hours: Figure::of(&estimate.pass, |span| Range::of(*span, |time| time.as_hours())),
        cost_per_month: Figure::of(&cost, |cost| MoneyRange::of(cost.marginal)),
        full_cost_per_month: Figure::of(&cost, |cost| MoneyRange::of(cost.full)),
        energy_kwh_per_month: Figure::of(&estimate.energy, |span| {
            Range::of(*span, |energy| energy.as_kwh() * monthly)
        }),
        carbon_kg_per_month: Figure::of(&estimate.carbon, |span| {
            Range::of(*span, |carbon| carbon.as_grams() / 1e3 * monthly)
        }),
        bottleneck: Figure::of(&estimate.bottleneck, |name| (*name).to_owned()),
        fit: estimate.why.to_string(),
        memory_bytes: memory(estimate),
        reason: reason(&placement.reason, &site, currency)
            + doubt(&placement.reason, estimate, monthly),
        runner_up: runner_up(&placement.runner_up, &site),
        others: others(&placement.others, &site, currency),
        inputs: estimate.inputs.iter().map(InputView::of).collect(),
    }
}

/// A difference smaller than the uncertainty of the stage's own cost is no difference to rely on.
fn doubt(reason: &Reason, estimate: &StageEstimate, monthly: f64) -> &'static str {
    let width_of_cost =
        estimate.cost.as_ref().value().map(|cost| {
            (cost.marginal.high().as_f64() - cost.marginal.low().as_f64()) * monthly * 1e6
        });
    match (reason, width_of_cost) {
        (Reason::Best { by: Some(Amount::Cost(by)), .. }, Some(width))
            if (by.get() as f64) < width =>
        {
            ", which is within the uncertainty"
        }
        _ => "",
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
        Reason::OnlyEligible => "no other site can take it".to_owned(),
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
    losses.iter().map(|loss| other(site(loss.choice), &loss.why, currency)).collect()
}

/// A site that was not taken: the kind of the reason, the reason in words, and how bad it is.
fn other(site: String, why: &Why, currency: Currency) -> OtherView {
    let text = |by: &Amount| amount(by, currency);
    let (kind, why, by) = match why {
        Why::Obstacles(obstacles) => {
            let words: Vec<_> = obstacles.iter().map(ToString::to_string).collect();
            // What may not be is said before what cannot be.
            let kind = match obstacles.first() {
                Some(Obstacle::Limit { .. }) => "not allowed",
                Some(Obstacle::Hard(_)) | None => "cannot",
            };
            let first = words.first().cloned().unwrap_or_default();
            let (kind, why) = (kind.to_owned(), words.join("; "));
            return OtherView { site, kind, why, first, by: u64::MAX };
        }
        Why::Unknown { figure, why } => ("unknown", format!("{figure} unknown: {why}"), u64::MAX),
        Why::Blocked(why) => ("cannot", format!("its data cannot move: {why}"), u64::MAX),
        Why::Breaks { by } => {
            ("breaks a limit", format!("breaks the {} by {}", limit(by), text(by)), by.get())
        }
        Why::Worse { by } => ("worse", format!("{} {}", text(by), worse(by)), by.get()),
        Why::Tie => ("tie", "equally good".to_owned(), 0),
        Why::Better { by } => ("better", format!("better by {}: not proven", text(by)), 0),
    };
    OtherView { site, kind: kind.to_owned(), first: why.clone(), why, by }
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
                .map(|why| other("-".to_owned(), &Why::Blocked(why.clone()), currency))
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
