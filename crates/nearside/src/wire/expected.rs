//! How long a stage will take, for those who wait for it: its estimate, corrected by its earlier runs
//! here; where nothing is estimated, as long as those runs took.

use nearside_estimate::Period;
use nearside_ledger::{ProjectLedger, Recorded, RunRow};
use nearside_units::{Duration, Range, Span};

use super::measured::{correction, newest};
use super::stages::StageEstimate;

/// The least and the most time.
pub(crate) type Expected = Range<Duration>;

/// What is expected of a stage; nothing where it neither has an estimate nor has run here.
pub(super) fn of(
    ledger: &ProjectLedger,
    stage: &str,
    estimate: Option<&StageEstimate>,
) -> Option<Expected> {
    // A record that cannot be read is told when it is to be written.
    let runs = newest(ledger, stage).unwrap_or_default();
    // A service is estimated by the month, and its command ends when somebody ends it.
    let work = estimate.filter(|estimate| matches!(estimate.period, Period::Run));
    let pass = work.and_then(|estimate| estimate.pass.as_ref().value().copied());
    match pass {
        Some(pass) => Some(corrected(pass, &runs)),
        None => took(&runs),
    }
}

/// An estimate as wide as the runs that correct it, or as it was.
fn corrected(pass: Span<Duration>, runs: &[Recorded<RunRow>]) -> Expected {
    let pass = match correction(runs) {
        Some(correction) => correction.times.map(|times| pass.likely() * times),
        None => pass,
    };
    Range { low: pass.low(), high: pass.high() }
}

/// How long runs took.
fn took(runs: &[Recorded<RunRow>]) -> Option<Expected> {
    let seconds = || runs.iter().filter_map(|run| run.row.run_seconds);
    let (low, high) = (seconds().reduce(f64::min)?, seconds().reduce(f64::max)?);
    Some(Range { low: Duration::from_seconds(low).ok()?, high: Duration::from_seconds(high).ok()? })
}
