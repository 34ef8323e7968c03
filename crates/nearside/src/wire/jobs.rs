//! From a project to the jobs that are executed.

use std::path::{Path, PathBuf};

use nearside_run::{Job, Jobs, RunError, Runner, Surroundings, Trial};
use nearside_workload::{Input, Project, Stage};

use super::project::Loaded;
use crate::environment;
use crate::error::{CommandError, Fault};

/// The record of a project, below its folder.
const RECORD: &str = ".nearside";

/// A runner of a project's stages, and the stages that have nothing to execute.
pub(crate) fn runner(loaded: &Loaded) -> Result<Runner, CommandError> {
    let absolute = |path: &Path| {
        std::path::absolute(path).map_err(|error| {
            let message = format!("cannot find {}: {error}", path.display());
            CommandError::new(Fault::World, message)
        })
    };
    let project = absolute(&loaded.folder)?;
    let program = std::env::current_exe().map_err(|error| {
        CommandError::new(Fault::World, format!("cannot find the running program: {error}"))
    })?;
    let surroundings = Surroundings {
        record: project.join(RECORD),
        project,
        program,
        path: environment::search_path(),
        variables: environment::variables(),
    };
    Runner::new(jobs(&loaded.project), surroundings).map_err(failed)
}

/// The jobs of a project, in the order of its stages.
fn jobs(project: &Project) -> Jobs {
    let job = |(place, stage): (usize, &Stage)| Job {
        name: stage.name.value.clone(),
        trials: trials(stage),
        inputs: inputs(project, stage),
        outputs: stage.outputs.iter().map(|output| output.path.clone()).collect(),
        image: stage.image.clone(),
        waits_for: project.graph.predecessors(place),
    };
    let jobs = project.stages.iter().enumerate().map(job).collect();
    Jobs { jobs, order: project.graph.order.clone() }
}

fn trials(stage: &Stage) -> Vec<Trial> {
    let trial = |trial: &nearside_workload::Trial| {
        let values = trial.values.iter().map(|(axis, value)| format!("{axis}={value}"));
        let name = values.collect::<Vec<_>>().join(" ");
        Some(Trial { name, command: trial.run.clone()? })
    };
    stage.trials.iter().filter_map(trial).collect()
}

/// Paths of what a stage reads; one that does not say is taken to read all that comes before it.
fn inputs(project: &Project, stage: &Stage) -> Vec<String> {
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
    paths.sort();
    paths.dedup();
    paths
}

/// A run that could not be.
pub(crate) fn failed(error: RunError) -> CommandError {
    let message = error.to_string();
    match error {
        RunError::Outside { .. } => CommandError::new(Fault::Input, message)
            .hint("name outputs relative to the project's folder, as in outputs = [\"build/x\"]"),
        RunError::NoInput { .. } => CommandError::new(Fault::Input, message)
            .hint("make it, or run the stage that writes it: nearside run"),
        RunError::Container { .. } => CommandError::new(Fault::Input, message)
            .hint("remove image = ... from the stage to run it as a process"),
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
