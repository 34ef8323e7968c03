//! From a project to the jobs that are executed.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use nearside_policy::Class;
use nearside_run::{Aim, Job, Jobs, Network, RunError, Runner, Stop, Surroundings, Trial, sandbox};
use nearside_store::AtRest;
use nearside_workload::{Input, Located, Model, Project, Sandbox, Stage};

use super::keys::{self, Purpose};
use super::project::Loaded;
use super::promises::Promises;
use crate::environment;
use crate::error::{CommandError, Fault};

/// The record of a project, below its folder.
pub(crate) const RECORD: &str = ".nearside";

/// A runner of a project's stages.
pub(crate) fn runner(loaded: &Loaded) -> Result<Runner, CommandError> {
    runner_in(loaded, folder(loaded)?, record(loaded, false)?, jobs(loaded, &|model| &model.source))
}

/// The project's folder, absolute.
pub(crate) fn folder(loaded: &Loaded) -> Result<PathBuf, CommandError> {
    std::path::absolute(&loaded.folder).map_err(|error| {
        let message = format!("cannot find {}: {error}", loaded.folder.display());
        CommandError::new(Fault::World, message)
    })
}

/// The folder of a project's record, or of that of its rehearsals.
pub(crate) fn record(loaded: &Loaded, rehearsal: bool) -> Result<PathBuf, CommandError> {
    let record = folder(loaded)?.join(RECORD);
    Ok(if rehearsal { record.join("rehearsal") } else { record })
}

/// A runner of jobs in a folder, with its record in another.
pub(super) fn runner_in(
    loaded: &Loaded,
    project: PathBuf,
    record: PathBuf,
    jobs: Jobs,
) -> Result<Runner, CommandError> {
    let program = std::env::current_exe().map_err(|error| {
        CommandError::new(Fault::World, format!("cannot find the running program: {error}"))
    })?;
    let surroundings = Surroundings {
        record,
        project,
        around: folder(loaded)?,
        program,
        path: environment::search_path(),
        variables: environment::variables(),
        locked: super::environment_lock::decisive(&loaded.folder)?,
    };
    let promises = Promises::of(loaded, surroundings.project.clone(), surroundings.record.clone())?;
    let runner = Runner::new(jobs, surroundings).map_err(failed)?;
    let keys = keys::sealing(keys::file(loaded, Purpose::Sealing)?);
    Ok(runner.with_keys(keys).guarded_by(Arc::new(promises)))
}

/// Which name or path of a model a run uses.
pub(super) type Source<'a> = &'a dyn Fn(&Model) -> &Located<String>;

/// The jobs of a project, in the order of its stages.
pub(super) fn jobs(loaded: &Loaded, source: Source<'_>) -> Jobs {
    let project = &loaded.project;
    let job = |(place, stage): (usize, &Stage)| Job {
        name: stage.name.value.clone(),
        trials: trials(stage),
        inputs: inputs(loaded, stage, source),
        variables: variables(project, stage, source),
        outputs: stage.outputs.iter().map(|output| output.path.clone()).collect(),
        image: stage.image.clone(),
        network: network(stage, project.policy.sandbox),
        at_rest: at_rest(stage),
        stop: stage.stop.as_ref().map(stop),
        waits_for: project.graph.predecessors(place),
    };
    let jobs = project.stages.iter().enumerate().map(job).collect();
    Jobs { jobs, order: project.graph.order.clone() }
}

/// What is stated, of the stage or by the policy, has to hold; what is assumed for the sake of the data
/// holds where it can.
fn network(stage: &Stage, sandbox: Sandbox) -> Network {
    match (stage.network, stage.network_in_force()) {
        (_, nearside_workload::Network::Open) => Network::Open,
        (None, _) if sandbox == Sandbox::WherePossible => Network::CutIfPossible,
        (_, nearside_workload::Network::None) => Network::Cut,
    }
}

/// What reads people's data writes and prints it, whatever it promises, until somebody has looked.
fn at_rest(stage: &Stage) -> AtRest {
    let highest = stage.outputs.iter().map(|output| output.class).max();
    match stage.reads.max(highest.unwrap_or(Class::Public)) >= Class::Personal {
        true => AtRest::Sealed,
        false => AtRest::Plain,
    }
}

fn trials(stage: &Stage) -> Vec<Trial> {
    let trial = |trial: &nearside_workload::Trial| {
        let values = trial.values.iter().map(|(axis, value)| format!("{axis}={value}"));
        let name = values.collect::<Vec<_>>().join(" ");
        Some(Trial { name, command: trial.run.clone()?, metric: trial.metric.clone() })
    };
    stage.trials.iter().filter_map(trial).collect()
}

fn stop(stop: &nearside_workload::Stop) -> Stop {
    Stop {
        key: stop.key.clone(),
        aim: match stop.aim {
            nearside_workload::Aim::Min => Aim::Least,
            nearside_workload::Aim::Max => Aim::Most,
        },
        patience: stop.patience,
        target: stop.target,
        by_median: stop.by_median,
    }
}

/// Paths of what a stage reads; one that does not say is taken to read all that comes before it.
fn inputs(loaded: &Loaded, stage: &Stage, source: Source<'_>) -> Vec<String> {
    let project = &loaded.project;
    let mut paths: Vec<String> = match &stage.inputs {
        Some(inputs) => {
            let path = |input: &Input| match input {
                Input::Dataset(name) => project.dataset(name).map(|found| found.path.clone()),
                Input::Output { path, .. } => Some(path.clone()),
            };
            inputs.iter().filter_map(path).collect()
        }
        None => {
            let place = project.stages.iter().position(|other| other.name == stage.name);
            let before = place.map_or_else(Vec::new, |place| project.graph.ancestors(place));
            let outputs = before.iter().flat_map(|place| &project.stages[*place].outputs);
            outputs.map(|output| output.path.clone()).collect()
        }
    };
    // A model that is a file or folder of the project is read as well.
    let models = models(project, stage).into_iter().map(|model| source(model).value.clone());
    paths.extend(models.filter(|model| loaded.folder.join(model).exists()));
    paths.sort();
    paths.dedup();
    paths
}

/// The models that a stage works on: all of the project's where it does not say.
fn models<'a>(project: &'a Project, stage: &Stage) -> Vec<&'a Model> {
    let specs: Vec<_> = stage.trials.iter().filter_map(|trial| trial.workload.as_ref()).collect();
    let named: Vec<_> = specs.iter().filter_map(|spec| spec.model.as_ref()).collect();
    let works_on = |model: &&Model| specs.is_empty() || named.contains(&&model.name.value);
    project.models.iter().filter(works_on).collect()
}

/// Tells commands which models to use: `NEARSIDE_MODEL_BASE` for the model `base`.
fn variables(project: &Project, stage: &Stage, source: Source<'_>) -> Vec<(String, String)> {
    let letter = |letter: char| match letter.is_ascii_alphanumeric() {
        true => letter.to_ascii_uppercase(),
        false => '_',
    };
    let variable = |model: &Model| {
        let name: String = model.name.value.chars().map(letter).collect();
        (format!("NEARSIDE_MODEL_{name}"), source(model).value.clone())
    };
    models(project, stage).into_iter().map(variable).collect()
}

/// A run that could not be.
pub(crate) fn failed(error: RunError) -> CommandError {
    let message = error.to_string();
    match error {
        RunError::Outside { .. } => CommandError::new(Fault::Input, message)
            .hint("name outputs relative to the project's folder, as in outputs = [\"build/x\"]"),
        RunError::NoInput { .. } => CommandError::new(Fault::Input, message)
            .hint("make it, or run the stage that writes it: nearside run"),
        RunError::NoEngine { .. } => CommandError::new(Fault::World, message)
            .hint("install podman, or remove image = ... from the stage to run it as a process"),
        RunError::NoImage { engine, image, .. } => {
            CommandError::new(Fault::World, message).hint(format!("{engine} pull {image}"))
        }
        RunError::Engine { engine, .. } => {
            CommandError::new(Fault::World, message).hint(format!("look at it with {engine} info"))
        }
        RunError::NoSandbox { .. } => CommandError::new(Fault::World, message).hint(format!(
            "{}; or write network = \"open\" in the stage if it may reach the network",
            sandbox::remedy()
        )),
        RunError::Busy { .. } => CommandError::new(Fault::World, message)
            .hint("wait for it, or stop it with Ctrl-C where it runs"),
        _ => CommandError::new(Fault::World, message),
    }
}

/// A path as the person would write it: relative to where they are, if it is below.
pub(crate) fn shown(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
    path.strip_prefix(here).unwrap_or(path).display().to_string()
}
