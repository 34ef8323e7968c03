//! What earlier runs say about the next estimates: how many times as long a stage took as was estimated
//! then, for what it read then, and how much memory. A stage that never ran is corrected by those of
//! its kind that did.

use std::collections::BTreeMap;

use nearside_estimate::Input;
use nearside_ledger::{LedgerError, Outcome, ProjectLedger, Recorded, RunFilter, RunRow};
use nearside_units::{Basis, Bytes, Date, Duration, Kind, Span};
use nearside_workload::{Project, Stage, Task, Workload};

use super::jobs::record;
use super::journal;
use super::project::Loaded;

/// What ended sooner was mostly the start of a program.
pub(super) const SHORTEST_SECONDS: f64 = 1.0;
/// Runs of a stage that count, the newest.
const MOST_RUNS: u32 = 5;
/// How far the next run may be from the runs that were measured. Assumed: runs of one command on one
/// machine with other work on it.
const SPREAD: f64 = 1.2;
/// The same of its memory. Assumed: what a command holds follows from its sizes.
const MEMORY_SPREAD: f64 = 1.1;
/// How far a stage may be from others of its kind. Assumed: other programs and sizes, same machine.
const KIND_SPREAD: f64 = 1.5;
/// A stage that took more than so many times its estimate, or less than that part of it, does something
/// else than its workload states: it says nothing of others.
const FAR_OFF: f64 = 10.0;

/// A correction of the estimates of one stage.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Correction {
    /// Measured over estimated time: the least, the median, the most, with their spread.
    pub(crate) times: Span<f64>,
    /// The same of memory, where it was measured.
    pub(crate) memory: Option<Span<f64>>,
    /// Whose runs were measured.
    pub(crate) runs_of: RunsOf,
    /// What was measured.
    pub(crate) input: Input,
}

/// Whose runs a correction comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RunsOf {
    /// The stage itself.
    Stage,
    /// Stages of the same kind.
    Kind,
}

impl Correction {
    /// Of one or more runs: seconds measured and estimated. Nothing where none counts.
    pub(crate) fn of(runs: &[(f64, f64)], source: &str, as_of: Option<Date>) -> Option<Self> {
        let counts = |run: &&(f64, f64)| run.0 >= SHORTEST_SECONDS && run.1 > 0.0;
        let mut runs: Vec<_> = runs.iter().filter(counts).copied().collect();
        runs.sort_by(|one, other| (one.0 / one.1).total_cmp(&(other.0 / other.1)));
        let (first, last) = (runs.first()?, runs.last()?);
        let middle = runs[runs.len() / 2];
        let times =
            Span::new(first.0 / first.1 / SPREAD, middle.0 / middle.1, last.0 / last.1 * SPREAD);
        let seconds = || runs.iter().map(|run| run.0);
        let (low, high) = (seconds().fold(f64::MAX, f64::min), seconds().fold(0.0, f64::max));
        let time = |seconds: f64| Duration::from_seconds(seconds).ok();
        let measured = Span::new(time(low)?, time(middle.0)?, time(high)?).ok()?;
        let basis = Basis { kind: Kind::Measured, source: source.into(), as_of };
        let input = Input { what: "time of earlier runs", value: measured.into(), basis };
        Some(Self { times: times.ok()?, memory: None, runs_of: RunsOf::Stage, input })
    }

    /// Of a stage that did not run, by those of its kind that did. Nothing where none counts.
    fn of_kind(ran: &[(&str, &Self)]) -> Option<Self> {
        let near =
            |(_, found): &&(&str, &Self)| (1.0 / FAR_OFF..=FAR_OFF).contains(&found.times.likely());
        let mut ran: Vec<_> = ran.iter().filter(near).copied().collect();
        ran.sort_by(|one, other| one.1.times.likely().total_cmp(&other.1.times.likely()));
        let (_, least) = ran.first()?;
        let (_, most) = ran.last()?;
        let (_, middle) = ran[ran.len() / 2];
        let times = Span::new(
            least.times.likely() / KIND_SPREAD,
            middle.times.likely(),
            most.times.likely() * KIND_SPREAD,
        );
        let names: Vec<_> = ran.iter().map(|(name, _)| *name).collect();
        let source = format!("runs here of stages of the same kind: {}", names.join(", "));
        let basis =
            Basis { kind: Kind::Derived, source: source.into(), ..middle.input.basis.clone() };
        let input = Input { what: "time of stages like it", ..middle.input.clone() };
        let input = Input { basis, ..input };
        Some(Self { times: times.ok()?, memory: None, runs_of: RunsOf::Kind, input })
    }
}

/// Measured over estimated memory of some runs, both in bytes.
fn memory(runs: &[(u64, u64)]) -> Option<Span<f64>> {
    let ratios = || runs.iter().map(|(measured, estimated)| *measured as f64 / *estimated as f64);
    let (low, high) = (ratios().fold(f64::MAX, f64::min), ratios().fold(0.0, f64::max));
    (high > 0.0).then(|| Span::new(low, high, high * MEMORY_SPREAD).ok()).flatten()
}

/// Corrections of the stages that never ran, by those of their kind that did.
fn with_kinds(
    project: &Project,
    ran: BTreeMap<String, Correction>,
) -> BTreeMap<String, Correction> {
    let kind = |stage: &Stage| {
        let workload = stage.trials.first()?.workload.as_ref()?;
        Some(workload.task_name)
    };
    let mut all = ran.clone();
    for stage in project.stages.iter().filter(|stage| !ran.contains_key(&stage.name.value)) {
        let Some(own) = kind(stage) else { continue };
        let like = project.stages.iter().filter(|other| kind(other) == Some(own));
        let like: Vec<_> = like
            .filter_map(|other| {
                let name = other.name.value.as_str();
                Some((name, ran.get(name)?))
            })
            .collect();
        if let Some(correction) = Correction::of_kind(&like) {
            all.insert(stage.name.value.clone(), correction);
        }
    }
    all
}

/// Corrections of a project's stages by what ran on this machine. A ledger that cannot be read is noted.
pub(crate) fn corrections(
    loaded: &Loaded,
    notes: &mut Vec<String>,
) -> BTreeMap<String, Correction> {
    let record = match record(loaded, false) {
        Ok(record) => record,
        Err(error) => {
            let problems = error.problems.into_iter().map(|problem| problem.message);
            notes.extend(problems.map(|why| format!("earlier runs do not count: {why}")));
            return BTreeMap::new();
        }
    };
    let found = || {
        let ledger = ProjectLedger::open_to_read(&journal::file(&record))?;
        let Some(ledger) = ledger else { return Ok(BTreeMap::new()) };
        let mut found = BTreeMap::new();
        for stage in &loaded.project.stages {
            if let Some(correction) = correction(&newest(&ledger, &stage.name.value)?) {
                found.insert(stage.name.value.clone(), correction);
            }
        }
        Ok(with_kinds(&loaded.project, found))
    };
    found().unwrap_or_else(|error: LedgerError| {
        notes.push(format!("earlier runs do not count: {error}"));
        BTreeMap::new()
    })
}

/// The newest runs of a stage that count, those that ended well.
pub(super) fn newest(
    ledger: &ProjectLedger,
    stage: &str,
) -> Result<Vec<Recorded<RunRow>>, LedgerError> {
    ledger.runs(&RunFilter {
        stage: Some(stage.to_owned()),
        outcome: Some(Outcome::Ran),
        limit: Some(MOST_RUNS),
        ..RunFilter::default()
    })
}

pub(super) fn correction(runs: &[Recorded<RunRow>]) -> Option<Correction> {
    let pair = |run: &RunRow| run.run_seconds.zip(run.predicted_likely_seconds);
    let pairs: Vec<_> = runs.iter().filter_map(|run| pair(&run.row)).collect();
    let newest = runs.first()?.row.began.to_string();
    let day = newest.get(..10).and_then(|day| day.parse().ok());
    let source = match pairs.len() {
        1 => "1 run of this stage here".to_owned(),
        count => format!("{count} runs of this stage here"),
    };
    let correction = Correction::of(&pairs, &source, day)?;
    // What ended sooner was not seen at its most.
    let long = |run: &&RunRow| run.run_seconds.is_some_and(|time| time >= SHORTEST_SECONDS);
    let sizes = |run: &RunRow| run.peak_memory_bytes.zip(run.predicted_memory_bytes);
    let measured = runs.iter().map(|run| &run.row).filter(long).filter_map(sizes);
    let measured: Vec<_> = measured.filter(|(_, estimated)| *estimated > 0).collect();
    Some(Correction { memory: memory(&measured), ..correction })
}

/// Makes data work read as much as it does, whatever the project says.
pub(super) fn reads(workload: &mut Workload, bytes: Bytes) {
    if let Task::Preparation(preparation) = &mut workload.task {
        preparation.bytes = bytes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_that_are_long_enough_correct() {
        let of = |runs: &[(f64, f64)]| {
            Correction::of(runs, "runs", None)
                .map(|found| [found.times.low(), found.times.likely(), found.times.high()])
        };
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[(0.5, 1.0), (3.0, 0.0)]), None);
        assert_eq!(of(&[(6.0, 3.0)]), Some([2.0 / SPREAD, 2.0, 2.0 * SPREAD]));
        let of_three = of(&[(6.0, 3.0), (0.1, 1.0), (4.0, 4.0), (9.0, 3.0)]);
        assert_eq!(of_three, Some([1.0 / SPREAD, 2.0, 3.0 * SPREAD]));
    }
    #[test]
    fn stages_of_a_kind_correct_each_other() {
        let ran = |times: f64| Correction::of(&[(times * 10.0, 10.0)], "runs", None).unwrap();
        let (one, other, odd) = (ran(2.0), ran(3.0), ran(20.0));
        let found = Correction::of_kind(&[("a", &one), ("b", &other), ("c", &odd)]).unwrap();
        assert_eq!(found.times, Span::new(2.0 / KIND_SPREAD, 3.0, 3.0 * KIND_SPREAD).unwrap());
        assert_eq!(found.input.basis.kind, Kind::Derived);
        assert!(found.input.basis.source.ends_with("a, b"), "{}", found.input.basis);
        assert_eq!(Correction::of_kind(&[("c", &odd)]), None, "it does something else");
        assert_eq!(Correction::of_kind(&[]), None);
    }

    #[test]
    fn memory_that_was_measured() {
        assert_eq!(memory(&[]), None);
        let found = memory(&[(50, 100), (80, 100)]).unwrap();
        assert_eq!(found, Span::new(0.5, 0.8, 0.8 * MEMORY_SPREAD).unwrap());
    }
}
