//! How long a stage will take, for those who wait for it: its estimate, corrected by its earlier runs
//! here; where nothing is estimated, as long as those runs took.

use nearside_estimate::Period;
use nearside_ledger::ProjectLedger;
use nearside_units::{Duration, Range, Span};

use super::measured::{Correction, correction, newest};
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
        Some(pass) => Some(corrected(pass, correction(&runs).as_ref())),
        None => took(runs.iter().filter_map(|run| run.row.run_seconds)),
    }
}

/// An estimate as wide as the runs that correct it, or as it was.
fn corrected(pass: Span<Duration>, correction: Option<&Correction>) -> Expected {
    let pass = match correction {
        Some(correction) => correction.times.map(|times| pass.likely() * times),
        None => pass,
    };
    Range { low: pass.low(), high: pass.high() }
}

/// How long runs took.
fn took(seconds: impl Iterator<Item = f64> + Clone) -> Option<Expected> {
    let (low, high) = (seconds.clone().reduce(f64::min)?, seconds.reduce(f64::max)?);
    Some(Range { low: Duration::from_seconds(low).ok()?, high: Duration::from_seconds(high).ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_correct_an_estimate_or_stand_for_it() {
        let time = Duration::constant;
        let pass = Span::new(time(1.0), time(2.0), time(4.0)).unwrap();
        assert_eq!(corrected(pass, None).to_string(), "1.00-4.00 s");
        // They took three times as long as was estimated, give or take a fifth.
        let correction = Correction::of(&[(6.0, 2.0)], "a run", None);
        assert_eq!(corrected(pass, correction.as_ref()).to_string(), "5.00-7.20 s");
        let expected = took([9.0, 7.0, 8.0].into_iter()).map(|expected| expected.to_string());
        assert_eq!(expected.as_deref(), Some("7.00-9.00 s"));
        assert_eq!(took(std::iter::empty()), None);
    }
}
