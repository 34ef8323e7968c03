//! The plan as emissions: each stage where `plan` places it.

use nearside_catalog::Site;
use nearside_economics::carbon::{
    EnergyMethod, Footprint, InUse, RecordedRun, Spell, Used, Volume, footprint, in_use, volume,
};
use nearside_estimate::{Calibration, Input, Period};
use nearside_plan::{Infeasible, Obstacle, Outcome as Planned, ProblemError, Stuck, place};
use nearside_units::{Date, Duration, Known, Span};
use nearside_workload::HERE;

use super::World;
use super::view::InUseView;
use crate::error::{CommandError, Fault};
use crate::wire::placement::{Posed, PosedStage};
use crate::wire::stages::{StageEstimate, models_of, workloads};

/// A stage on the site of the plan.
pub(super) struct PlannedStage<'a> {
    pub(super) name: &'a str,
    pub(super) site: &'a Site,
    /// Runs per month, or 1 for a service.
    pub(super) monthly: f64,
    pub(super) service: bool,
    /// One run, or a month of a service.
    pub(super) once: Footprint,
    /// How long one run takes.
    pub(super) length: Known<Duration>,
    pub(super) volume: Volume,
    /// What its time and energy were computed from.
    pub(super) inputs: &'a [Input],
}

/// How much machines are in use: this one as the ledger has it, where that covers enough time.
pub(super) struct Uses {
    here: Calibration,
    elsewhere: Calibration,
    found: Known<InUse>,
}

impl Uses {
    pub(super) fn of(runs: &[RecordedRun], today: Date) -> Self {
        let spells: Vec<Spell> = runs.iter().filter_map(RecordedRun::spell).collect();
        let days = Date::from_unix_days(0).days_until(today).max(0);
        let found = in_use(&spells, Duration::hours(24.0 * days as f64));
        let elsewhere = Calibration::default();
        let mut here = elsewhere.clone();
        if let Known::Value(found) = &found {
            here.machine.own_use = found.share();
        }
        Self { here, elsewhere, found }
    }

    /// What holds on a site.
    pub(super) fn calibration(&self, site: &Site) -> &Calibration {
        if *site.name == *HERE { &self.here } else { &self.elsewhere }
    }

    pub(super) fn said(&self) -> InUseView {
        let share = &self.here.machine.own_use;
        InUseView {
            share: share.value.likely(),
            measured: self.found.as_ref().value().is_some(),
            how: match &self.found {
                Known::Value(_) => share.basis.source.to_string(),
                Known::Unknown(why) => format!("assumed: {why}"),
            },
        }
    }
}

/// The stages of the plan; unknown where no plan keeps to the limits.
pub(super) fn stages<'a>(
    posed: &'a Posed,
    world: &World<'a>,
) -> Result<Known<Vec<PlannedStage<'a>>>, CommandError> {
    let problem = |error: ProblemError| {
        let fault = match error {
            ProblemError::Overflow { .. } => Fault::Input,
            _ => Fault::Bug,
        };
        CommandError::new(fault, error.to_string())
    };
    let plan = match place(&posed.problem).map_err(problem)? {
        Planned::Placed(plan) => plan,
        Planned::Infeasible(found) => return Ok(Known::unknown(stuck(posed, &found))),
    };
    let models = models_of(world.loaded, world.catalog)?;
    let placed = posed.stages.iter().zip(plan.placements.iter().skip(posed.datasets));
    let stage = |(stage, placement): (&'a PosedStage, &nearside_plan::Placement)| {
        let project_stage = &world.loaded.project.stages[stage.index];
        let (site, estimate) = (&posed.sites[placement.choice], &stage.estimates[placement.choice]);
        let workloads = workloads(project_stage, &models).value().unwrap_or_default();
        PlannedStage {
            name: &project_stage.name.value,
            site,
            monthly: stage.monthly,
            service: matches!(estimate.period, Period::Month { .. }),
            once: once(estimate, site, project_stage.trials.len(), world),
            length: estimate.pass.clone().map(Span::likely),
            volume: volume(&workloads),
            inputs: &estimate.inputs,
        }
    };
    Ok(Known::Value(placed.map(stage).collect()))
}

/// Why there is no plan, in short.
fn stuck(posed: &Posed, found: &Infeasible) -> String {
    let stage = found.stuck.iter().find_map(|stuck| match stuck {
        Stuck::Stage { stage, .. } => posed.problem.stages.get(*stage),
        Stuck::Edge { .. } => None,
    });
    let mut obstacles = stage.into_iter().flat_map(|stage| &stage.choices).flat_map(|choice| {
        choice.obstacles.iter().map(|obstacle| match obstacle {
            Obstacle::Hard(why) | Obstacle::Limit { why, .. } => why,
        })
    });
    match (stage, obstacles.next()) {
        (Some(stage), Some(why)) => {
            format!("{} can be nowhere: {why} (`nearside plan` says more)", stage.name)
        }
        _ => "no plan keeps to the limits (`nearside plan` says why)".to_owned(),
    }
}

/// One run of a stage on a site, or a month of a service. What the estimate has of energy has the overhead
/// of the building in it.
pub(super) fn once(
    estimate: &StageEstimate,
    site: &Site,
    trials: usize,
    world: &World<'_>,
) -> Footprint {
    let time = match estimate.period {
        Period::Run => estimate.pass.clone(),
        Period::Month { up } => Known::Value(Span::exact(up * trials.max(1) as f64)),
    };
    let energy = estimate.energy.clone();
    let used = Used { site, energy, method: EnergyMethod::Estimated, time };
    footprint(&used, world.uses.calibration(site), world.today)
}
