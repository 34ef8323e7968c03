//! From a project to a planning problem: stages, sites, estimates, policy and transfers become
//! choices, obstacles, edges and routes of whole numbers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use nearside_catalog::{Catalog, Site};
use nearside_estimate::{Device, Period, Verdict};
use nearside_plan as plan;
use nearside_plan::{
    Choice, Edge, Figures, LimitId, Limits, LocationId, MachineId, Micros, Milligrams,
    Milliseconds, NamedLimit, Obstacle, Problem,
};
use nearside_policy::{Class, Decision, Place, Refusal};
use nearside_units::{Bytes, Known, Span};
use nearside_workload::{Goal, Input, Project, Stage, Task, Workload};
use rayon::prelude::*;

use super::calibration::{Calibrations, Ceilings};
use super::measured::{self, Correction, RunsOf};
use super::project::Loaded;
use super::routes::{Location, locations, routes};
use super::sites::Sites;
use super::stages::{StageEstimate, models_of, on_sites, workloads};
use crate::error::{CommandError, Fault};

/// Which end of an estimate is held against deadline and budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Caution {
    /// The likely value.
    Likely,
    /// The high end.
    High,
}

/// A planning problem with what its numbers stand for.
pub(crate) struct Posed {
    pub(crate) problem: Problem,
    /// Stages of the project in the order of the problem; datasets come before them.
    pub(crate) stages: Vec<PosedStage>,
    /// Datasets, which the problem sees as stages that can only be where they are.
    pub(crate) datasets: usize,
    /// The sites, in the order of every stage's choices.
    pub(crate) sites: Vec<Site>,
    /// The edges of the problem: what each carries.
    pub(crate) carried: Vec<String>,
    /// The names of the sites that are the machine that runs this program.
    pub(crate) this_machine: Vec<Arc<str>>,
    /// What had to be assumed on the way.
    pub(crate) notes: Vec<String>,
}

/// A stage with its estimates.
pub(crate) struct PosedStage {
    /// Its position in the project.
    pub(crate) index: usize,
    /// Runs per month, or 1 for a service, whose figures are monthly already.
    pub(crate) monthly: f64,
    /// One estimate per site; none when the stage cannot be estimated at all.
    pub(crate) estimates: Vec<StageEstimate>,
}

/// The named limits of every project, in the order of their ids; limits of single stages follow.
const CLEARANCES: [(Class, &str); 3] = [
    (Class::Internal, "policy.internal"),
    (Class::Personal, "policy.personal"),
    (Class::Special, "policy.special"),
];
const JURISDICTION: LimitId = LimitId(3);

/// Poses the planning problem of a project. Estimates of stages that ran here before are corrected by
/// that; `rehearsed` has what a rehearsal tells about those that did not.
pub(crate) fn pose(
    loaded: &Loaded,
    catalog: &Catalog,
    caution: Caution,
    rehearsed: &BTreeMap<String, Correction>,
) -> Result<Posed, CommandError> {
    posed(loaded, catalog, (caution, Ceilings::Measured), rehearsed)
}

/// Poses it as if no ceiling of this machine had been measured.
pub(crate) fn pose_unmeasured(loaded: &Loaded, catalog: &Catalog) -> Result<Posed, CommandError> {
    posed(loaded, catalog, (Caution::Likely, Ceilings::Assumed), &BTreeMap::new())
}

fn posed(
    loaded: &Loaded,
    catalog: &Catalog,
    (caution, ceilings): (Caution, Ceilings),
    rehearsed: &BTreeMap<String, Correction>,
) -> Result<Posed, CommandError> {
    let project = &loaded.project;
    let Sites { sites, mut notes, this_machine } = super::sites::of_project(loaded, catalog)?;
    let here = sites.iter().filter(|site| this_machine.contains(&site.name));
    let calibrations = match ceilings {
        Ceilings::Measured => Calibrations::measured_on(here, &mut notes),
        Ceilings::Assumed => Calibrations::default(),
    };
    if sites.is_empty() {
        return Err(CommandError::new(Fault::Input, "the project may use no site at all")
            .hint("[sites] use = [\"here\", \"aws/*\"]"));
    }
    if project.stages.is_empty() {
        return Err(CommandError::new(Fault::Input, "the project has no stages to place")
            .hint("add a [stage.NAME] with a phase and a workload"));
    }
    let corrections = measured::corrections(loaded, &mut notes);
    let models = models_of(loaded, catalog)?;
    let locations = locations(&sites, catalog)?;
    let (routes, more) = routes(&locations, catalog, &project.money.exchange)?;
    notes.extend(more);
    let mut stages = Vec::new();
    let mut posed = Vec::new();
    let limits = named_limits(project);
    for dataset in &project.datasets {
        posed.push(dataset_stage(&dataset.name.value, &dataset.at, &locations)?);
    }
    let all_workloads: Vec<_> =
        project.stages.iter().map(|stage| workloads(stage, &models)).collect();
    let estimated = |workloads: &Known<Vec<_>>| match workloads {
        Known::Value(workloads) => (on_sites(workloads, &sites, &calibrations), None),
        Known::Unknown(why) => (Vec::new(), Some(Arc::clone(why))),
    };
    let mut all_estimates: Vec<_> = all_workloads.par_iter().map(estimated).collect();
    for index in &project.graph.order {
        let stage = &project.stages[*index];
        let (mut estimates, cannot) = std::mem::take(&mut all_estimates[*index]);
        let ran = corrections.get(&stage.name.value);
        let own = ran.filter(|correction| correction.runs_of == RunsOf::Stage);
        let correction = own.or_else(|| rehearsed.get(&stage.name.value)).or(ran);
        if let Some(correction) = correction {
            let corrected = |(estimate, site): (StageEstimate, &Site)| {
                estimate.corrected(correction, own.is_some() && this_machine.contains(&site.name))
            };
            estimates = estimates.into_iter().zip(&sites).map(corrected).collect();
        }
        let service =
            estimates.iter().any(|estimate| matches!(estimate.period, Period::Month { .. }));
        let monthly = if service { 1.0 } else { stage.repeat.per_month() };
        let context = Context { project, stage, locations: &locations, limits: &limits, caution };
        let choices = sites.iter().enumerate().map(|(at, site)| {
            let estimate = estimates.get(at);
            context.choice(site, at, estimate, cannot.as_deref(), monthly)
        });
        let name = stage.name.value.clone();
        posed.push(plan::Stage { name, choices: choices.collect() });
        stages.push(PosedStage { index: *index, monthly, estimates });
    }
    notes.extend(cautions(&all_workloads));
    let (edges, carried) = edges(loaded, &all_workloads, &stages, &mut notes)?;
    notes.sort();
    notes.dedup();
    let problem = Problem {
        stages: posed,
        edges,
        routes,
        limits: numeric_limits(project, limits)?,
        objective: match project.objective.minimize {
            Goal::Cost => plan::Objective::Cost,
            Goal::Time => plan::Objective::Time,
            Goal::Carbon => plan::Objective::Carbon,
        },
    };
    let datasets = project.datasets.len();
    Ok(Posed { problem, stages, datasets, sites, carried, this_machine, notes })
}

/// What a reader should know about the workloads.
fn cautions(workloads: &[Known<Vec<(Workload, u32)>>]) -> BTreeSet<String> {
    let all = workloads.iter().filter_map(|known| known.as_ref().value()).flatten();
    all.flat_map(|(workload, _)| super::models::cautions(workload)).collect()
}

fn named_limits(project: &Project) -> Vec<NamedLimit> {
    let clearances = CLEARANCES.iter().map(|(_, name)| (*name).to_owned());
    let stages = project.stages.iter().map(|stage| format!("stage.{}.sites", stage.name.value));
    clearances
        .chain(["policy.jurisdiction".to_owned()])
        .chain(stages)
        .map(|name| NamedLimit { name })
        .collect()
}

fn numeric_limits(project: &Project, named: Vec<NamedLimit>) -> Result<Limits, CommandError> {
    let objective = &project.objective;
    let budget = match objective.budget {
        None => None,
        Some(budget) => {
            let converted = project
                .money
                .exchange
                .convert(budget)
                .map_err(|error| CommandError::new(Fault::Input, error.to_string()))?;
            Some(Micros::new(u64::try_from(converted.as_micros()).unwrap_or(0)))
        }
    };
    Ok(Limits {
        deadline: objective.deadline.map(milliseconds),
        budget,
        carbon: objective.carbon.map(milligrams),
        named,
    })
}

fn milliseconds(time: nearside_units::Duration) -> Milliseconds {
    Milliseconds::new((time.as_seconds() * 1e3).round() as u64)
}

fn milligrams(carbon: nearside_units::GramsCo2e) -> Milligrams {
    Milligrams::new((carbon.as_grams() * 1e3).round() as u64)
}

/// A dataset, which is where it is.
fn dataset_stage(
    name: &str,
    at: &str,
    locations: &[Location<'_>],
) -> Result<plan::Stage, CommandError> {
    let position = locations.iter().position(|location| &*location.name == at);
    let location = position.ok_or_else(|| {
        CommandError::new(
            Fault::Input,
            format!("dataset \"{name}\" is at \"{at}\", which the project does not use"),
        )
        .hint(format!("add \"{at}\" to [sites] use, or set dataset.{name}.at to a site in it"))
    })?;
    let choice = Choice {
        site: at.to_owned(),
        location: LocationId(location),
        machine: None,
        figures: Figures::known(0, 0, 0),
        obstacles: Vec::new(),
    };
    Ok(plan::Stage { name: format!("dataset {name}"), choices: vec![choice] })
}

/// What a choice of one stage depends on besides its site.
struct Context<'a> {
    project: &'a Project,
    stage: &'a Stage,
    locations: &'a [Location<'a>],
    limits: &'a [NamedLimit],
    caution: Caution,
}

impl Context<'_> {
    fn choice(
        &self,
        site: &Site,
        at: usize,
        estimate: Option<&StageEstimate>,
        cannot: Option<&str>,
        monthly: f64,
    ) -> Choice {
        let location =
            self.locations.iter().position(|location| location.name == site.place.location);
        let mut obstacles = self.limits_against(site);
        let figures = match estimate {
            Some(estimate) => {
                obstacles.extend(memory_obstacle(estimate));
                self.figures(estimate, monthly)
            }
            None => {
                let why = cannot.unwrap_or("it cannot be estimated").to_owned();
                obstacles.push(Obstacle::Hard(why));
                Figures::known(0, 0, 0)
            }
        };
        Choice {
            site: site.name.to_string(),
            location: LocationId(location.unwrap_or(0)),
            machine: site.is_near().then_some(MachineId(at)),
            figures,
            obstacles,
        }
    }

    fn figures(&self, estimate: &StageEstimate, monthly: f64) -> Figures {
        let cautious = self.caution == Caution::High;
        let cost = estimate.cost.as_ref().map(|cost| {
            let money = if cautious { cost.marginal.high() } else { cost.marginal.likely() };
            Micros::new((money.as_micros().max(0) as f64 * monthly).round() as u64)
        });
        let carbon = estimate.carbon.as_ref().map(|carbon| milligrams(carbon.likely() * monthly));
        let time = estimate.pass.as_ref().map(|pass: &Span<nearside_units::Duration>| {
            milliseconds(if cautious { pass.high() } else { pass.likely() })
        });
        Figures { cost, carbon, time }
    }

    /// Clearance, jurisdiction and the stage's own list of sites.
    fn limits_against(&self, site: &Site) -> Vec<Obstacle> {
        let mut obstacles = Vec::new();
        let place = Place { clearance: site.clearance, country: site.place.country.clone() };
        let decision = self.project.policy.rules.decide(self.stage.reads, &place);
        if let Decision::Refused(refusal) = decision {
            let limit = match refusal {
                Refusal::Clearance { class, .. } => {
                    let position = CLEARANCES.iter().position(|(listed, _)| *listed == class);
                    LimitId(position.unwrap_or(0))
                }
                Refusal::Jurisdiction { .. } | Refusal::UnknownJurisdiction { .. } => JURISDICTION,
            };
            obstacles.push(Obstacle::Limit { limit, why: refusal.to_string() });
        }
        if let Some(patterns) = &self.stage.sites
            && !patterns.iter().any(|pattern| pattern.matches(&site.name))
        {
            let name = format!("stage.{}.sites", self.stage.name.value);
            let position = self.limits.iter().position(|limit| limit.name == name);
            let why = "not among the sites of this stage".to_owned();
            obstacles.push(Obstacle::Limit { limit: LimitId(position.unwrap_or(0)), why });
        }
        obstacles
    }
}

/// Fitting uses the high end: what may not fit is not chosen.
fn memory_obstacle(estimate: &StageEstimate) -> Option<Obstacle> {
    let says = match estimate.verdict {
        Verdict::Fits => return None,
        Verdict::Uncertain => "may not fit",
        Verdict::DoesNotFit => "does not fit",
        Verdict::Unknown => "not estimated",
    };
    Some(Obstacle::Hard(format!("{says}: {}", estimate.why)))
}

/// What moves between stages, and from datasets to the stages that read them.
fn edges(
    loaded: &Loaded,
    workloads: &[Known<Vec<(Workload, u32)>>],
    posed: &[PosedStage],
    notes: &mut Vec<String>,
) -> Result<(Vec<Edge>, Vec<String>), CommandError> {
    let project = &loaded.project;
    let datasets = project.datasets.len();
    let position: BTreeMap<usize, usize> =
        posed.iter().enumerate().map(|(at, stage)| (stage.index, at + datasets)).collect();
    let mut edges = Vec::new();
    let mut carried = Vec::new();
    let mut push = |from: usize, to: usize, pass: Bytes, stage: &Stage, name: &str| {
        let monthly = pass.scaled(stage.repeat.per_month());
        edges.push(Edge { from, to, pass, monthly });
        carried.push(name.to_owned());
    };
    for (index, stage) in project.stages.iter().enumerate() {
        for input in stage.inputs.iter().flatten() {
            let Input::Dataset(name) = input else { continue };
            let found = project.datasets.iter().position(|dataset| dataset.name.value == *name);
            let Some(from) = found else { continue };
            let size = dataset_size(loaded, from)?;
            push(from, position[&index], size, stage, name);
        }
    }
    for edge in &project.graph.edges {
        let (producer, consumer) = (&project.stages[edge.from], &project.stages[edge.to]);
        let (size, name) = match &edge.carries {
            None => (Bytes::ZERO, "order only"),
            Some(path) => {
                (output_size(producer, path, &workloads[edge.from], notes), path.as_str())
            }
        };
        push(position[&edge.from], position[&edge.to], size, consumer, name);
    }
    Ok((edges, carried))
}

/// The size of a dataset: stated, or that of its file or folder.
pub(crate) fn dataset_size(loaded: &Loaded, index: usize) -> Result<Bytes, CommandError> {
    let dataset = &loaded.project.datasets[index];
    if let Known::Value(size) = dataset.size {
        return Ok(size);
    }
    super::size_on_disk(&loaded.folder.join(&dataset.path)).ok_or_else(|| {
        let (name, path) = (&dataset.name.value, &dataset.path);
        let message = format!("the size of dataset \"{name}\" is not known: {path} is not here");
        let hint = "state it, as in size = \"2.4 GB\": moving it takes time and money";
        loaded.at(&dataset.name.span, CommandError::new(Fault::Input, message).hint(hint))
    })
}

/// The size of an output: stated, or what such a task usually writes.
pub(crate) fn output_size(
    stage: &Stage,
    path: &str,
    workloads: &Known<Vec<(Workload, u32)>>,
    notes: &mut Vec<String>,
) -> Bytes {
    let output = stage
        .outputs
        .iter()
        .find(|output| path == output.path || path.starts_with(&format!("{}/", output.path)));
    if let Some(Known::Value(size)) = output.map(|output| &output.size) {
        return *size;
    }
    let workload = workloads.as_ref().value().and_then(|workloads| workloads.first());
    let guess = workload.and_then(|(workload, _)| usual_output(workload));
    let (size, why) = guess.unwrap_or((Bytes::mib(1), "a report"));
    notes.push(format!(
        "the size of {path} is not stated: {} is assumed, {why} (sizes = {{ \"{path}\" = \"...\" }})",
        size.si()
    ));
    size
}

/// What a task writes: adapters, weights, or as much as it read.
fn usual_output(workload: &Workload) -> Option<(Bytes, &'static str)> {
    match &workload.task {
        Task::Preparation(preparation) => Some((preparation.bytes, "as large as what is read")),
        Task::Lora(..) | Task::Qlora(..) | Task::FineTune(_) | Task::Pretrain(_) => {
            let demand =
                nearside_estimate::demand::demand(workload, 1, Device::Accelerator).ok()?;
            let (bits, why) = match &workload.task {
                Task::Lora(..) | Task::Qlora(..) => (32, "adapters in 32 bits"),
                _ => (16, "weights in 16 bits"),
            };
            Some((Bytes::new(demand.memory.trained * bits / 8), why))
        }
        Task::Inference(_) | Task::Evaluation(_) | Task::Custom(_) => None,
    }
}
