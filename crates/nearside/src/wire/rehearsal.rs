//! A project as it is rehearsed: samples in place of its datasets, small models in place of its models,
//! and what its measured times say about the estimates of the full run.

use nearside_catalog::Catalog;
use nearside_run::{Jobs, Rehearsal, Runner, Taken};
use nearside_units::{Bytes, Known};
use nearside_workload::{Located, Model, Task, Workload};

use super::calibration::Calibrations;
use super::jobs::{failed, folder, jobs, record, runner_in};
use super::measured::{SHORTEST_SECONDS, reads};
use super::project::Loaded;
use super::stages::{models_of, on_sites, workloads};
use crate::error::CommandError;

/// A rehearsal that can begin.
pub(crate) struct Rehearsed {
    pub(crate) runner: Runner,
    /// What was taken of each dataset, in the order of the file; nothing of one that is not there.
    pub(crate) samples: Vec<(String, Option<Taken>)>,
}

/// The model that a rehearsal uses.
pub(crate) fn stand_in(model: &Model) -> &Located<String> {
    model.rehearsal.as_ref().unwrap_or(&model.source)
}

/// Makes the rehearsal's project, with so many records of each dataset.
pub(crate) fn set_up(loaded: &Loaded, records: usize) -> Result<Rehearsed, CommandError> {
    let record = record(loaded, true)?;
    let project = &loaded.project;
    let jobs = rehearsed(loaded);
    let rehearsal = Rehearsal {
        project: &folder(loaded)?,
        folder: &record.join("project"),
        datasets: project.datasets.iter().map(|dataset| dataset.path.clone()).collect(),
        outputs: jobs.jobs.iter().flat_map(|job| job.outputs.clone()).collect(),
        records,
    };
    let samples = rehearsal.set_up().map_err(failed)?;
    let names = project.datasets.iter().map(|dataset| dataset.name.value.clone());
    let samples = names.zip(samples).collect();
    Ok(Rehearsed {
        runner: runner_in(loaded, rehearsal.folder.to_path_buf(), record, jobs)?,
        samples,
    })
}

/// A runner of the last rehearsal as it is: no samples are taken.
pub(crate) fn runner(loaded: &Loaded) -> Result<Runner, CommandError> {
    let record = record(loaded, true)?;
    runner_in(loaded, record.join("project"), record, rehearsed(loaded))
}

/// The jobs of a rehearsal.
fn rehearsed(loaded: &Loaded) -> Jobs {
    let mut jobs = jobs(loaded, &stand_in);
    for job in &mut jobs.jobs {
        job.variables.push(("NEARSIDE_REHEARSAL".to_owned(), "1".to_owned()));
    }
    jobs
}

/// A stage's time in the rehearsal against what is estimated for the same on this machine.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Compared {
    /// Both, in seconds.
    Times {
        /// How long it took.
        measured: f64,
        /// How long it was estimated to take.
        estimated: f64,
    },
    /// The time says nothing about the full run; why.
    Not(String),
}

/// Compares every stage that has a command, in the order in which they run.
pub(crate) fn compare(
    loaded: &Loaded,
    catalog: &Catalog,
    runner: &Runner,
) -> Result<Vec<(String, Compared)>, CommandError> {
    let models = models_of(loaded, catalog)?;
    let site = super::sites::here(catalog)?.site;
    // What could not be read of the measured ceilings has been said when the plan was made.
    let calibrations = Calibrations::measured_on([&site], &mut Vec::new());
    let sites = [site];
    let compared = |place: &usize| {
        let (stage, job) = (&loaded.project.stages[*place], &runner.jobs.jobs[*place]);
        let measured = || {
            let took = runner.took(job).ok_or("it has not ended well")?;
            let sample = runner.reads(job).map_err(|error| error.to_string())?;
            let sampled = prepared(&workloads(stage, &models), sample)?;
            let measured = took.as_secs_f64();
            if measured < SHORTEST_SECONDS {
                return Err("it took less than a second".to_owned());
            }
            let estimate = on_sites(&sampled, &sites, &calibrations).pop();
            let pass = estimate.map_or(Known::unknown("no estimate"), |estimate| estimate.pass);
            let estimated = pass.map(|pass| pass.likely().as_seconds());
            match estimated {
                Known::Value(estimated) if estimated > 0.0 => {
                    Ok(Compared::Times { measured, estimated })
                }
                Known::Value(_) => Err("nothing was estimated for it".to_owned()),
                Known::Unknown(why) => Err(why.to_string()),
            }
        };
        (stage.name.value.clone(), measured().unwrap_or_else(Compared::Not))
    };
    let runs = |place: &&usize| !runner.jobs.jobs[**place].trials.is_empty();
    Ok(runner.jobs.order.iter().filter(runs).map(compared).collect())
}

/// The workloads as if they read so much; or why their time does not follow from how much they read.
fn prepared(
    workloads: &Known<Vec<(Workload, u32)>>,
    bytes: Bytes,
) -> Result<Vec<(Workload, u32)>, String> {
    let workloads = match workloads {
        Known::Value(workloads) => workloads,
        Known::Unknown(why) => return Err(why.to_string()),
    };
    let sampled = |(workload, count): &(Workload, u32)| {
        let mut workload = workload.clone();
        match &workload.task {
            Task::Preparation(_) => reads(&mut workload, bytes),
            Task::Custom(_) => return Err("nothing says what it takes for a sample".to_owned()),
            _ => return Err("tried on a small model".to_owned()),
        }
        Ok((workload, *count))
    };
    workloads.iter().map(sampled).collect()
}
