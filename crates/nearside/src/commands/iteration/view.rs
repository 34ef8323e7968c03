//! The answer of `nearside iteration`.

use nearside_economics::{Between, Elsewhere, Loop, Quantiles, StageLoop, wait_for_cut};
use nearside_units::Duration;
use schemars::JsonSchema;
use serde::Serialize;

/// Cuts of a cycle that are often promised.
const PROMISED: [f64; 2] = [0.3, 0.4];

/// The answer of `nearside iteration`.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct IterationAnswer {
    /// A longer time between two runs was counted as a break.
    pub(super) pause_seconds: f64,
    /// The loop as it was measured.
    pub(super) here: LoopView,
    /// The same loop on far sites, on paper; the quickest first.
    pub(super) far: Vec<FarView>,
    /// Far sites that it cannot be on.
    pub(super) not_there: Vec<NotThere>,
}

/// The loop as it was measured.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct LoopView {
    /// Runs that executed something.
    pub(super) iterations: usize,
    /// Runs that found everything done.
    pub(super) without_work: usize,
    /// From the beginning of a run to its first new result.
    pub(super) to_first_result: Option<QuantilesView>,
    /// From the beginning of a run to its end.
    pub(super) waited: Option<QuantilesView>,
    /// From the end of a run to the beginning of the next, breaks left out.
    pub(super) worked: Option<QuantilesView>,
    /// Share of all cycles that was waiting, 0 to 1; null where no run followed another.
    pub(super) wait_share: Option<f64>,
    /// Cycles that this is of.
    pub(super) cycles: usize,
    pub(super) waited_seconds_per_week: f64,
    /// How long it was looked at; one week at least.
    pub(super) weeks: f64,
    /// Share of executions that found their result, 0 to 1.
    pub(super) reused: Option<f64>,
    pub(super) stages: Vec<StageView>,
    /// What a far loop has to wait for the promised cuts; empty where no run followed another.
    pub(super) promised: Vec<Promised>,
}

/// Half of the times are no longer, and nineteen of twenty.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct QuantilesView {
    pub(super) p50_seconds: f64,
    pub(super) p95_seconds: f64,
}

/// A stage on a site, in the runs that executed it.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct StageView {
    pub(super) stage: String,
    pub(super) site: String,
    pub(super) runs: usize,
    /// From the beginning of the run to its result.
    pub(super) to_result: QuantilesView,
    /// Its own time.
    pub(super) own: QuantilesView,
    /// Means of the phases of its own time.
    pub(super) transfer_seconds: f64,
    pub(super) queue_seconds: f64,
    pub(super) boot_seconds: f64,
    pub(super) run_seconds: f64,
    /// Share of the times that its result was there, 0 to 1.
    pub(super) reused: f64,
}

/// What a cut of the cycle takes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Promised {
    /// Share of a far cycle, 0 to 1.
    pub(super) cut: f64,
    /// Waiting in one iteration there from which on the machine here cuts that much.
    pub(super) far_wait_seconds: f64,
}

/// The loop on a far site.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct FarView {
    pub(super) site: String,
    /// Waiting in one iteration, on average.
    pub(super) wait_seconds: BetweenView,
    /// Of that, until a machine is there and ready.
    pub(super) startup_seconds: f64,
    /// Share of a cycle there that is waiting, 0 to 1.
    pub(super) wait_share: BetweenView,
    /// What the machine here cuts from a cycle there, as a share of it; below zero where the far site is
    /// quicker.
    pub(super) cut: BetweenView,
    /// What all iterations would have cost, a decimal number.
    pub(super) cost: String,
    /// ISO 4217 code.
    pub(super) currency: String,
    /// Why parts of the cost are missing.
    pub(super) cost_lacks: Vec<String>,
    /// Stages that are taken to last as long as here, for want of an estimate.
    pub(super) as_here: Vec<String>,
    /// Stages that cannot be there and stay here.
    pub(super) stays: Vec<Stays>,
}

/// A stage that stays here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Stays {
    pub(super) stage: String,
    pub(super) why: String,
}

/// With the data kept there, and with all of it moved there each time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct BetweenView {
    pub(super) kept: f64,
    pub(super) moved: f64,
}

/// A far site that the loop cannot be on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct NotThere {
    pub(super) site: String,
    pub(super) why: String,
}

impl QuantilesView {
    fn of(quantiles: &Quantiles) -> Self {
        Self { p50_seconds: quantiles.p50.as_seconds(), p95_seconds: quantiles.p95.as_seconds() }
    }
}

impl BetweenView {
    fn of<T>(between: &Between<T>, number: impl Fn(&T) -> f64) -> Self {
        Self { kept: number(&between.kept), moved: number(&between.moved) }
    }
}

impl LoopView {
    pub(super) fn of(found: &Loop) -> Self {
        let quantiles = |times: &Option<Quantiles>| times.as_ref().map(QuantilesView::of);
        let promised = found.worked.zip(found.waited).map(|(worked, waited)| {
            PROMISED.map(|cut| Promised {
                cut,
                far_wait_seconds: wait_for_cut(cut, worked.p50, waited.p50).as_seconds(),
            })
        });
        Self {
            iterations: found.iterations,
            without_work: found.without_work,
            to_first_result: quantiles(&found.to_first_result),
            waited: quantiles(&found.waited),
            worked: quantiles(&found.worked),
            wait_share: found.wait_share,
            cycles: found.cycles,
            waited_seconds_per_week: found.waited_per_week.as_seconds(),
            weeks: found.weeks,
            reused: found.reused,
            stages: found.stages.iter().map(StageView::of).collect(),
            promised: promised.map_or_else(Vec::new, |promised| promised.to_vec()),
        }
    }
}

impl StageView {
    fn of(stage: &StageLoop) -> Self {
        let [transfer, queue, boot, run] = stage.phases.map(Duration::as_seconds);
        Self {
            stage: stage.stage.clone(),
            site: stage.site.clone(),
            runs: stage.runs,
            to_result: QuantilesView::of(&stage.to_result),
            own: QuantilesView::of(&stage.own),
            transfer_seconds: transfer,
            queue_seconds: queue,
            boot_seconds: boot,
            run_seconds: run,
            reused: stage.reused,
        }
    }
}

impl FarView {
    pub(super) fn of(there: &Elsewhere) -> Self {
        let cost = there.cost.total;
        Self {
            site: there.site.clone(),
            wait_seconds: BetweenView::of(&there.wait, |wait| wait.as_seconds()),
            startup_seconds: there.startup.as_seconds(),
            wait_share: BetweenView::of(&there.wait_share, |share| *share),
            cut: BetweenView::of(&there.cut, |cut| *cut),
            cost: cost.amount().round_dp(6).normalize().to_string(),
            currency: cost.currency().to_string(),
            cost_lacks: there.cost.missing.iter().map(ToString::to_string).collect(),
            as_here: there.as_here.clone(),
            stays: there
                .stays
                .iter()
                .map(|(stage, why)| Stays { stage: stage.clone(), why: why.to_string() })
                .collect(),
        }
    }
}
