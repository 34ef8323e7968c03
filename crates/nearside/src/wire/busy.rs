//! How many processors the commands of a stage keep busy, by its earlier runs here: what a run counts
//! with when it lets stages go on beside each other.

use nearside_ledger::{LedgerError, ProjectLedger, Recorded, SampleRow};

use super::measured::{SHORTEST_SECONDS, newest};
use super::meters::PROCESSOR_TIME;

/// Processors that a stage kept busy on average, in the busiest of its newest runs; nothing for one that
/// has not run here for long enough.
pub(super) fn processors(ledger: &ProjectLedger, stage: &str) -> Result<Option<f64>, LedgerError> {
    let mut most: Option<f64> = None;
    for run in newest(ledger, stage)? {
        let found = ledger.show(run.entry)?;
        let busy = found.and_then(|details| mean(&details.samples));
        most = busy.into_iter().chain(most).reduce(f64::max);
    }
    Ok(most)
}

/// Time on processors over time, until the last reading of a run: 12 s on processors in 4 s are 3.
fn mean(samples: &[Recorded<SampleRow>]) -> Option<f64> {
    let mut readings = samples.iter().rev().map(|sample| &sample.row);
    let last = readings.find(|reading| reading.name == PROCESSOR_TIME)?;
    (last.seconds >= SHORTEST_SECONDS).then(|| last.value / last.seconds)
}

/// What a stage takes of this machine's processors, of all of them.
pub(super) fn share(processors: f64) -> f64 {
    // One at least; where the system does not say, there is one.
    let here = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    processors / here as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_reading_of_a_long_run_counts() {
        let sample = |name: &str, seconds: f64, value: f64| {
            let (name, unit) = (name.to_owned(), String::new());
            Recorded { entry: 1, row: SampleRow { run_entry: 1, seconds, name, unit, value } }
        };
        let cpu = |seconds, value| sample(PROCESSOR_TIME, seconds, value);
        assert_eq!(mean(&[cpu(2.0, 1.0), cpu(4.0, 12.0), sample("memory", 5.0, 1e9)]), Some(3.0));
        assert_eq!(mean(&[cpu(0.5, 1.0)]), None);
        assert_eq!(mean(&[sample("memory", 5.0, 1e9)]), None);
    }
}
