//! What `run` does becomes rows of the project's ledger.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use nearside_catalog::{Catalog, Site};
use nearside_estimate::{Device, Period};
use nearside_ledger::{
    Amount, Appender, ArtifactRow, LedgerError, Outcome, PlanRow, ProjectLedger, RunRow, SampleRow,
    SpendRow, Timestamp,
};
use nearside_policy::Class;
use nearside_run::{Attempt, Job, Load, Made, Ran, Refused, Runner, Tried};
use nearside_units::{Bytes, Duration, Known};
use nearside_workload::{HERE, ModelRef, Project, Stage};

use super::busy;
use super::calibration::Calibrations;
use super::emissions::Emissions;
use super::expected::{self, Expected};
use super::measured::reads;
use super::meters::{Meters, Reading, Used};
use super::project::Loaded;
use super::spend::{Costs, Execution};
use super::stages::{StageEstimate, models_of, on_sites, workloads};
use crate::error::{CommandError, Fault};
use crate::output::Output;
use crate::redact;

/// The ledger below the folder of a record.
pub(crate) fn file(record: &Path) -> PathBuf {
    record.join("ledger.db")
}

/// A ledger that cannot be used.
pub(crate) fn failed(error: &LedgerError) -> CommandError {
    let refused = CommandError::new(Fault::World, error.to_string());
    match error.hint() {
        Some(hint) => refused.hint(hint),
        None => refused,
    }
}

/// Records the stages of one run of a project.
pub(crate) struct Journal<'a> {
    pub(crate) loaded: &'a Loaded,
    ledger: ProjectLedger,
    /// What this run is called.
    run: String,
    /// What ended and is not in the ledger yet.
    waiting: Vec<Entry>,
    estimates: Estimates,
    predictions: BTreeMap<String, StageEstimate>,
    /// The plan that holds, by its id, and its row until that is in the ledger.
    plan: Option<String>,
    plan_row: Option<PlanRow>,
    pub(crate) meters: Meters,
    /// Why it cannot be written any more.
    failed: Option<LedgerError>,
}

/// The plan that holds while stages run.
pub(crate) struct PlanHeld {
    /// What runs call it by; the same for plans that decide the same.
    pub(crate) id: String,
    /// What it minimises, under which limits, in words.
    pub(crate) objective: String,
    /// Where each stage goes, with estimate and reason.
    pub(crate) json: String,
}

/// Where estimates come from.
enum Estimates {
    /// Nobody asked yet: a run without anything to run needs none.
    NotAsked,
    From(Box<Predictor>),
    /// There are none.
    Never,
}

/// A row of a run with what belongs to it.
struct Entry {
    row: RunRow,
    made: Vec<Made>,
    readings: Vec<Reading>,
    tried: Vec<Tried>,
    spend: Vec<SpendRow>,
}

impl<'a> Journal<'a> {
    /// A journal in the ledger of a record, which is made if it is not there.
    pub(crate) fn open(loaded: &'a Loaded, record: &Path) -> Result<Self, CommandError> {
        let ledger = ProjectLedger::open(&file(record)).map_err(|error| failed(&error))?;
        let now = moment(SystemTime::now());
        Ok(Self {
            loaded,
            ledger,
            run: format!("{now}/{}", std::process::id()),
            waiting: Vec::new(),
            estimates: Estimates::NotAsked,
            predictions: BTreeMap::new(),
            plan: None,
            plan_row: None,
            meters: Meters::of(&loaded.project),
            failed: None,
        })
    }

    /// Records this run without holding it against estimates.
    pub(crate) fn without_estimates(&mut self) {
        self.estimates = Estimates::Never;
    }

    /// Gets ready to estimate what stages take here, the first time that it is asked, and gives the
    /// catalog that it does so with. Where that cannot be done, a warning says why and the run goes on.
    pub(crate) fn prepare(&mut self, output: &Output) -> Option<Catalog> {
        if !matches!(self.estimates, Estimates::NotAsked) {
            return None;
        }
        let made = super::catalog(output).and_then(|catalog| {
            Predictor::new(self.loaded, &catalog).map(|predictor| (predictor, catalog))
        });
        match made {
            Ok((predictor, catalog)) => {
                self.estimates = Estimates::From(Box::new(predictor));
                for stage in &self.loaded.project.stages {
                    self.predict(&stage.name.value, None);
                }
                Some(catalog)
            }
            Err(error) => {
                for problem in error.problems {
                    output.warning(&format!("nothing is estimated: {}", problem.message));
                }
                self.estimates = Estimates::Never;
                None
            }
        }
    }

    /// Which plan holds for what ends from now on, if there is a new one.
    pub(crate) fn follow(&mut self, held: Option<PlanHeld>) {
        let Some(PlanHeld { id, objective, json }) = held else { return };
        self.plan = Some(id.clone());
        // One that cannot be looked for is written anew: the writing tells what is wrong.
        if !self.ledger.plan(&id).is_ok_and(|known| known.is_some()) {
            let at = moment(SystemTime::now());
            let project = self.loaded.project.name.clone();
            self.plan_row = Some(PlanRow { id, at, project, objective, plan_json: json });
        }
    }

    /// Estimates what a stage will take here, which it will be measured against: for what it reads
    /// now, where that is known.
    pub(crate) fn predict(&mut self, name: &str, bytes: Option<Bytes>) {
        let Estimates::From(predictor) = &self.estimates else { return };
        let stage = self.loaded.project.stage(name);
        if let Some(estimate) = stage.and_then(|stage| predictor.estimate(stage, bytes)) {
            self.predictions.insert(name.to_owned(), estimate);
        }
    }

    /// How long a stage will take here, by its earlier runs and what is estimated for it.
    pub(crate) fn expected(&self, stage: &str) -> Option<Expected> {
        expected::of(&self.ledger, stage, self.predictions.get(stage))
    }

    /// What jobs take of this machine, by place: of its memories by what is estimated for them, the high
    /// end of each, and of its processors by their earlier runs.
    pub(crate) fn loads(&self, runner: &Runner) -> BTreeMap<usize, Load> {
        let load = |job: &Job| {
            // A record that cannot be read is told when it is to be written.
            let busy = busy::processors(&self.ledger, &job.name).ok().flatten();
            Load { processors: busy.map(busy::share), ..self.memory(&job.name) }
        };
        runner.jobs.jobs.iter().map(load).enumerate().collect()
    }

    /// What is estimated that a stage takes of this machine's memories.
    fn memory(&self, stage: &str) -> Load {
        let share = || {
            let fit = &self.predictions.get(stage)?.largest.fit;
            let available = fit.available.as_ref().value()?.low().get();
            Some((fit.device, fit.needed?.high().get() as f64 / available.max(1) as f64))
        };
        let (memory, accelerators) = match share() {
            None => (None, None),
            Some((Device::Accelerator, share)) => (Some(0.0), Some(share)),
            Some((Device::Processor, share)) => (Some(share), Some(0.0)),
        };
        Load { memory, accelerators, processors: None }
    }

    /// A stage has ended. What ran is in the ledger when this returns; what was there already is
    /// written with the next one, or at the end.
    pub(crate) fn ended(&mut self, runner: &Runner, job: &Job, ran: &Ran, attempt: &Attempt) {
        let computed = !matches!(ran, Ran::Current | Ran::Restored);
        let used = self.meters.used(&job.name).filter(|_| computed);
        let Some(mut row) = self.row(job, ran, attempt, used) else { return };
        let spend = match computed {
            true => self.spend(&mut row, attempt, used),
            false => Vec::new(),
        };
        // What was made before is recorded where it was made.
        let made = match ran {
            Ran::Done(_) => runner.made(&attempt.key),
            _ => Vec::new(),
        };
        let readings = used.map_or_else(Vec::new, |used| used.readings.clone());
        let tried = match ran {
            Ran::Done(_) => runner.tried(&attempt.key),
            _ => Vec::new(),
        };
        self.waiting.push(Entry { row, made, readings, tried, spend });
        if computed {
            self.write();
        }
    }

    /// Writes the rest; why the record is incomplete, if it is.
    pub(crate) fn close(mut self) -> Result<(), CommandError> {
        self.write();
        match self.failed {
            None => Ok(()),
            Some(error) => {
                let mut told = failed(&error);
                if let Some(problem) = told.problems.first_mut() {
                    problem.message =
                        format!("results are kept, but not all is recorded: {}", problem.message);
                }
                Err(told)
            }
        }
    }

    fn write(&mut self) {
        if self.failed.is_some() || self.waiting.is_empty() {
            return;
        }
        let (waiting, project) = (&self.waiting, &self.loaded.project);
        let plan_row = &self.plan_row;
        let add = |to: &mut Appender<'_>| {
            if let Some(row) = plan_row {
                to.add(row)?;
            }
            for Entry { row, made, readings, tried, spend } in waiting {
                let run_entry = to.add(row)?;
                for made in made {
                    to.add(&artifact(project, run_entry, &row.stage, made))?;
                }
                for Reading { seconds, name, unit, value } in readings {
                    let (name, unit) = ((*name).to_owned(), (*unit).to_owned());
                    let (seconds, value) = (*seconds, *value);
                    to.add(&SampleRow { run_entry, seconds, name, unit, value })?;
                }
                for tried in tried {
                    to.add(&sample(run_entry, row, tried))?;
                }
                for charge in spend {
                    to.add(charge)?;
                }
            }
            Ok(())
        };
        match self.ledger.append(add) {
            Ok(()) => {
                self.waiting.clear();
                self.plan_row = None;
            }
            Err(error) => self.failed = Some(error),
        }
    }

    /// What an execution cost, which its row also gets to know where all of it is known.
    fn spend(&self, row: &mut RunRow, attempt: &Attempt, used: Option<&Used>) -> Vec<SpendRow> {
        let Estimates::From(predictor) = &self.estimates else { return Vec::new() };
        // One that did not end well has cost what it ran.
        let Some(Ok(took)) = row.run_seconds.map(Duration::from_seconds) else { return Vec::new() };
        let energy = used.and_then(Used::energy);
        let stage = row.stage.clone();
        let execution = Execution {
            stage: &stage,
            began: attempt.began,
            took,
            energy: energy.map(|(energy, method)| (energy, method.to_string())),
            device: self.predictions.get(&stage).map(|found| found.largest.fit.device),
        };
        predictor.emissions(&execution).note(row);
        let Some(costs) = predictor.costs(&execution) else { return Vec::new() };
        let total = costs.total();
        let name = &self.loaded.project.name;
        let rows = costs.charges().map(|charge| charge.row(&execution, &self.run, name)).collect();
        row.cost_amount = total.map(Amount::from);
        row.cost_currency = total.map(nearside_units::Money::currency);
        rows
    }

    /// The row of a stage; nothing for one that was not looked at.
    fn row(&self, job: &Job, ran: &Ran, attempt: &Attempt, used: Option<&Used>) -> Option<RunRow> {
        let (outcome, code) = match ran {
            Ran::Current => (Outcome::Cached, None),
            Ran::Restored => (Outcome::Restored, None),
            Ran::Done(_) => (Outcome::Ran, Some(0)),
            Ran::Failed { code, .. } => (Outcome::Failed, code.map(i64::from)),
            Ran::Refused(_) => (Outcome::Failed, None),
            Ran::Interrupted => (Outcome::Interrupted, None),
            Ran::Skipped(_) => return None,
        };
        // What did not come to its end is not what was estimated.
        let estimate = self.predictions.get(&job.name).filter(|_| outcome == Outcome::Ran);
        // A service is estimated by the month, and its command ends when somebody ends it.
        let work = estimate.filter(|estimate| matches!(estimate.period, Period::Run));
        let pass = work.and_then(|estimate| estimate.pass.as_ref().value().copied());
        let energy = used.and_then(Used::energy);
        let partial = used.and_then(Used::energy_at_least);
        let needed = estimate.and_then(|estimate| estimate.largest.fit.needed);
        Some(RunRow {
            run: self.run.clone(),
            project: self.loaded.project.name.clone(),
            plan: self.plan.clone().filter(|_| !matches!(ran, Ran::Current | Ran::Restored)),
            stage: job.name.clone(),
            trial: String::new(),
            site: HERE.to_owned(),
            cache_key: attempt.key.to_string(),
            outcome,
            exit_code: code,
            began: moment(attempt.began),
            transfer_seconds: None,
            queue_seconds: None,
            boot_seconds: None,
            run_seconds: attempt.took.map(|took| took.as_secs_f64()),
            predicted_low_seconds: pass.map(|pass| pass.low().as_seconds()),
            predicted_likely_seconds: pass.map(|pass| pass.likely().as_seconds()),
            predicted_high_seconds: pass.map(|pass| pass.high().as_seconds()),
            peak_memory_bytes: used.and_then(|used| used.memory).map(Bytes::get),
            predicted_memory_bytes: needed.map(|needed| needed.likely().get()),
            energy_joules: energy.as_ref().map(|(energy, _)| energy.as_joules()),
            energy_method: energy.map(|(_, method)| method.to_string()),
            cost_amount: None,
            cost_currency: None,
            operational_grams_co2e: None,
            embodied_grams_co2e: None,
            energy_at_least_joules: partial.as_ref().map(|(energy, _)| energy.as_joules()),
            energy_known_parts: partial.map(|(_, parts)| parts),
            failure: failure(ran, self.loaded.project.stage(&job.name).map(|stage| stage.reads)),
        })
    }
}

/// Letters of a failure that are kept.
const MOST_OF_A_FAILURE: usize = 200;

/// Why a stage failed, in one line. What a command said last may hold what it read: it is kept only where
/// that is about nobody, and without what opens a door.
fn failure(ran: &Ran, reads: Option<Class>) -> Option<String> {
    let (why, tail) = match ran {
        Ran::Failed { why, tail, .. } => (why, tail.as_slice()),
        // Its lines are places, not what was printed.
        Ran::Refused(Refused { why, .. }) => (why, [].as_slice()),
        _ => return None,
    };
    let told = reads.is_some_and(|class| class <= Class::Internal);
    let last = tail.iter().rev().find(|line| !line.trim().is_empty()).filter(|_| told);
    let said = |last: &String| format!("{why}: {}", redact::line(last.trim()));
    let text = last.map_or_else(|| why.clone(), said);
    let visible = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter });
    Some(visible.take(MOST_OF_A_FAILURE).collect())
}

/// A trial whose fate a rule decided: its figure, or zero and why it was not run.
fn sample(run_entry: u64, row: &RunRow, tried: &Tried) -> SampleRow {
    let Tried { name, figure, left_out, best } = tried;
    let what = match (figure, left_out, best) {
        (_, _, true) => "best",
        (None, ..) => "skipped",
        (_, Some(_), _) => "stopped",
        _ => "done",
    };
    SampleRow {
        run_entry,
        seconds: row.run_seconds.unwrap_or(0.0),
        name: format!("trial {name} {what}"),
        unit: if figure.is_some() { "metric" } else { "none" }.to_owned(),
        value: figure.unwrap_or(0.0),
    }
}

fn artifact(project: &Project, run_entry: u64, stage: &str, made: &Made) -> ArtifactRow {
    let output = project.stage(stage).and_then(|stage| stage.output(&made.path));
    let class = output.map_or_else(String::new, |output| output.class.to_string());
    ArtifactRow {
        run_entry,
        path: made.path.clone(),
        digest: made.digest.to_string(),
        bytes: made.bytes.get(),
        class,
    }
}

/// A moment as the ledger keeps it; one that it cannot hold is the beginning of time.
pub(crate) fn moment(time: SystemTime) -> Timestamp {
    let millis = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let moment = u64::try_from(millis).ok().and_then(Timestamp::from_unix_millis);
    moment.unwrap_or(Timestamp::EPOCH)
}

/// Estimates stages on this machine.
struct Predictor {
    models: BTreeMap<String, ModelRef>,
    site: [Site; 1],
    calibrations: Calibrations,
}

impl Predictor {
    fn new(loaded: &Loaded, catalog: &Catalog) -> Result<Self, CommandError> {
        let models = models_of(loaded, catalog)?;
        let own = super::sites::own_here(loaded, catalog)?;
        let site = [own.map_or_else(|| super::sites::here(catalog), Ok)?.site];
        // What cannot be read of the measured ceilings is said by `plan` and `fit`.
        let calibrations = Calibrations::measured_on(&site, &mut Vec::new());
        Ok(Self { models, site, calibrations })
    }

    /// What an execution here cost.
    fn costs(&self, execution: &Execution<'_>) -> Option<Costs> {
        let [site] = &self.site;
        Costs::of(execution, site, self.calibrations.of(site))
    }

    /// What an execution here emitted.
    fn emissions(&self, execution: &Execution<'_>) -> Emissions {
        let [site] = &self.site;
        Emissions::of(execution, site, self.calibrations.of(site))
    }

    fn estimate(&self, stage: &Stage, bytes: Option<Bytes>) -> Option<StageEstimate> {
        let Known::Value(mut workloads) = workloads(stage, &self.models) else { return None };
        if let Some(bytes) = bytes {
            workloads.iter_mut().for_each(|(workload, _)| reads(workload, bytes));
        }
        on_sites(&workloads, &self.site, &self.calibrations).pop()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_opens_a_door_is_not_kept() {
        let check = |last: &str, reads: Class, expect: &str| {
            let tail = vec!["before".to_owned(), last.to_owned(), String::new()];
            let failed = Ran::Failed { why: "exit code 1".to_owned(), code: Some(1), tail };
            assert_eq!(failure(&failed, Some(reads)).as_deref(), Some(expect));
        };
        let address = "no answer of https://me:pa55word@example.org/a";
        check(address, Class::Public, "exit code 1: no answer of https://HOST");
        let token = "denied: hf_abcdefghijklmnop";
        check(token, Class::Internal, "exit code 1: denied: REMOVED");
        check("ValueError: batch 8", Class::Public, "exit code 1: ValueError: batch 8");
        check("ValueError: batch 8", Class::Personal, "exit code 1");
    }
}
