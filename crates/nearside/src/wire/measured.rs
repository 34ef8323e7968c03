//! What earlier runs of a stage say about its next estimate: how many times as long it took as was
//! estimated then, for what it read then.

use std::collections::BTreeMap;

use nearside_estimate::Input;
use nearside_ledger::{LedgerError, Outcome, ProjectLedger, Recorded, RunFilter, RunRow};
use nearside_units::{Basis, Bytes, Date, Duration, Kind, Span};
use nearside_workload::{Task, Workload};

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

/// A correction of the estimates of one stage.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Correction {
    /// Measured over estimated time: the least, the median, the most, with their spread.
    pub(crate) times: Span<f64>,
    /// What was measured.
    pub(crate) input: Input,
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
        Some(Self { times: times.ok()?, input })
    }
}

/// The stages of a project that have run on this machine. A ledger that cannot be read is noted.
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
        Ok(found)
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
    Correction::of(&pairs, &source, day)
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
}
