//! The readings of an execution in a terminal: memory and busy processors over time.

use nearside_report::{bars, columns, time_axis};
use nearside_units::{Bytes, significant};

use super::view::Sample;
use crate::view::seconds;

/// Readings without which there is nothing to see.
const LEAST: usize = 2;

/// Stretches of time in seconds, with the value in each.
type Stretches = Vec<(f64, [f64; 1])>;

/// A line for each thing that was read often enough, and one of the time; nothing where there is none.
pub(super) fn of(samples: &[Sample]) -> Option<String> {
    let memory = line("memory", &held(&series(samples, "memory")), |bytes| {
        Bytes::new(bytes as u64).to_string()
    });
    let busy = line("processors", &rates(&series(samples, "processor time")), significant);
    let (lines, widths): (Vec<_>, Vec<_>) = [memory, busy].into_iter().flatten().unzip();
    let end = samples.iter().map(|sample| sample.seconds).fold(0.0, f64::max);
    let axis = time_axis(*widths.iter().max()?, &seconds(end));
    Some(format!("{}\n  {:10}  {axis}", lines.join("\n"), ""))
}

/// When and what was read of one thing.
fn series(samples: &[Sample], name: &str) -> Vec<(f64, f64)> {
    let of_it = samples.iter().filter(|sample| sample.name == name);
    of_it.map(|sample| (sample.seconds, sample.value)).collect()
}

/// Each reading stands for the time since the one before.
fn held(series: &[(f64, f64)]) -> Stretches {
    let before = std::iter::once(0.0).chain(series.iter().map(|(at, _)| *at));
    series.iter().zip(before).map(|((at, value), before)| (at - before, [*value])).collect()
}

/// What a counter grew by in each second since the reading before.
fn rates(series: &[(f64, f64)]) -> Stretches {
    let before = std::iter::once(&(0.0, 0.0)).chain(series);
    let pairs = series.iter().zip(before).filter(|((at, _), (before, _))| at > before);
    pairs
        .map(|((at, value), (before, was))| {
            let seconds = at - before;
            (seconds, [(value - was).max(0.0) / seconds])
        })
        .collect()
}

/// The line of one thing as high as the most of it, and how many columns it has.
fn line(
    name: &str,
    stretches: &Stretches,
    shown: impl Fn(f64) -> String,
) -> Option<(String, usize)> {
    if stretches.len() < LEAST {
        return None;
    }
    let columns: Vec<f64> = columns(stretches).into_iter().map(|[value]| value).collect();
    let most = columns.iter().copied().fold(0.0, f64::max);
    let bars = bars(columns.iter().map(|value| value / most.max(f64::MIN_POSITIVE)));
    Some((format!("  {name:10}  {bars}  up to {}", shown(most)), columns.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(name: &str, seconds: f64, value: f64) -> Sample {
        Sample { seconds, name: name.to_owned(), unit: String::new(), value }
    }

    #[test]
    fn memory_is_as_it_was_read_and_processors_are_what_time_grew_by() {
        let readings = [(1.0, 1.0), (2.0, 3.0), (3.0, 3.0), (4.0, 4.0)];
        let time = readings.map(|(at, value)| sample("processor time", at, value));
        let memory = readings.map(|(at, value)| sample("memory", at, value * 1024.0));
        let chart = of(&[time, memory].concat()).unwrap();
        let expected = "  memory      ▂▆▆█  up to 4.00 KiB\n  processors  ▄█ ▄  up to 2.00\n              \
            0 s 4.00 s";
        assert_eq!(chart, expected);
    }

    #[test]
    fn one_reading_draws_nothing() {
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[sample("memory", 1.0, 5.0)]), None);
        // What was read twice at once, and nothing at all.
        assert!(of(&[sample("memory", 0.0, 0.0), sample("memory", 0.0, 0.0)]).is_some());
    }
}
