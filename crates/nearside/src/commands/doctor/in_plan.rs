//! `nearside doctor --plan`: what measured ceilings change in estimates, and where stages go then.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use nearside_architecture::Dtype;
use nearside_catalog::Catalog;
use nearside_estimate::{Calibration, estimate};
use nearside_units::{Duration, Known, Span};
use nearside_workload::{Batch, ModelRef, Recipe, Task, Training, Workload};
use schemars::JsonSchema;
use serde::Serialize;

use crate::commands::plan::solve;
use crate::error::CommandError;
use crate::view::{Figure, Range};
use crate::wire;
use crate::wire::calibration::Calibrations;
use crate::wire::placement::{Caution, Posed, pose, pose_unmeasured};
use crate::wire::project::{Loaded, file, load};

/// A small open model that stands for others where there is no project.
const REFERENCE: &str = "smollm2-135m";

/// What measured ceilings change.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct InPlan {
    /// The project, or the model that stands in for one.
    pub(super) of: String,
    /// Stages, or tasks of that model.
    pub(super) stages: Vec<StageChange>,
}

/// What measured ceilings change for one stage.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct StageChange {
    /// The stage.
    pub(super) stage: String,
    /// What it takes here by what machines of this kind reach.
    pub(super) assumed_seconds: Figure<Range>,
    /// What it takes here by what this machine was measured to reach.
    pub(super) measured_seconds: Figure<Range>,
    /// The second over the first, of what is likely.
    pub(super) times: Option<f64>,
    /// Where the plan puts it by the first, where it has a place.
    pub(super) site_assumed: Option<String>,
    /// Where the plan puts it by the second, where it has a place.
    pub(super) site_measured: Option<String>,
}

impl StageChange {
    /// Whether the plan puts it elsewhere.
    pub(super) fn moves(&self) -> bool {
        self.site_assumed != self.site_measured
    }

    /// Whether what it takes here changes.
    pub(super) fn changes(&self) -> bool {
        self.assumed_seconds != self.measured_seconds
    }

    fn of(stage: &str, assumed: &Known<Span<Duration>>, measured: &Known<Span<Duration>>) -> Self {
        let seconds = |time: &Known<Span<Duration>>| {
            Figure::of(time, |time| Range::of(*time, Duration::as_seconds))
        };
        let both = assumed.as_ref().zip(measured.as_ref()).value();
        let times = both.map(|(assumed, measured)| measured.likely() / assumed.likely());
        Self {
            stage: stage.to_owned(),
            assumed_seconds: seconds(assumed),
            measured_seconds: seconds(measured),
            times: times.filter(|times| times.is_finite()),
            site_assumed: None,
            site_measured: None,
        }
    }
}

/// What changes in the plan of the project in a folder; for a small model where there is none.
pub(super) fn of(path: &Path, catalog: &Catalog) -> Result<InPlan, CommandError> {
    match file(path).is_file() {
        true => of_project(&load(path, &[])?, catalog),
        false => of_reference(catalog),
    }
}

fn of_project(loaded: &Loaded, catalog: &Catalog) -> Result<InPlan, CommandError> {
    let assumed = pose_unmeasured(loaded, catalog)?;
    let measured = pose(loaded, catalog, Caution::Likely, &BTreeMap::new())?;
    let placed = |posed: &Posed| -> Result<BTreeMap<String, String>, CommandError> {
        let stages = solve(loaded, posed, false)?.stages;
        Ok(stages.into_iter().map(|stage| (stage.stage, stage.site)).collect())
    };
    let (sites_assumed, sites_measured) = (placed(&assumed)?, placed(&measured)?);
    let stages = assumed.stages.iter().zip(&measured.stages).map(|(one, other)| {
        let name = &loaded.project.stages[one.index].name.value;
        let here = |posed: &Posed, stage: &wire::placement::PosedStage| {
            let at = posed.sites.iter().position(|site| posed.this_machine.contains(&site.name));
            let found = at.and_then(|at| stage.estimates.get(at));
            found.map_or_else(
                || Known::unknown("the project does not use this machine for it"),
                |estimate| estimate.pass.clone(),
            )
        };
        let change = StageChange::of(name, &here(&assumed, one), &here(&measured, other));
        StageChange {
            site_assumed: sites_assumed.get(name).cloned(),
            site_measured: sites_measured.get(name).cloned(),
            ..change
        }
    });
    Ok(InPlan { of: loaded.project.name.clone(), stages: stages.collect() })
}

fn of_reference(catalog: &Catalog) -> Result<InPlan, CommandError> {
    let model = wire::models::resolve(REFERENCE, Path::new("."), catalog)?;
    let site = wire::sites::here(catalog)?.site;
    let calibrations = Calibrations::measured_on([&site], &mut Vec::new());
    let work = |workload: &Workload, calibration: &Calibration| {
        estimate(workload, &site, calibration).work
    };
    let stages = tasks(&model).map(|(name, workload)| {
        let assumed = work(&workload, &Calibration::default());
        StageChange::of(name, &assumed, &work(&workload, calibrations.of(&site)))
    });
    Ok(InPlan { of: REFERENCE.to_owned(), stages: stages.into() })
}

/// What people do with a small model.
fn tasks(model: &ModelRef) -> [(&'static str, Workload); 2] {
    let of = |task, weights| Workload {
        task,
        model: Some(ModelRef { architecture: Arc::clone(&model.architecture), ..model.clone() }),
        recipe: Recipe { weights, compute: weights, ..Recipe::default() },
        image: None,
    };
    let answers = Batch { requests: 1, prompt: 100, output: 100, batch: 1 };
    let step = Training { tokens: 2048, sequence: 512, batch: 4, accumulation: 1 };
    [
        ("an answer of 100 tokens", of(Task::Evaluation(answers), Dtype::F32)),
        ("a step of fine-tuning", of(Task::FineTune(step), Dtype::F32)),
    ]
}
