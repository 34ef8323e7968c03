//! Between what the probe measures and what the ledger keeps: names, units, conditions as JSON.

use std::path::Path;

use nearside_catalog::Machine;
use nearside_ledger::{CeilingRow, Figures};
use nearside_probe::Detected;
use nearside_probe::ceiling::{Ceiling, Ceilings, QUIET_SHARE, Reached};
use nearside_units::{Bytes, BytesPerSecond, Date, Duration, FlopsPerSecond, Known, Span};
use serde::{Deserialize, Serialize};

/// The units that figures are kept in.
const FLOPS_PER_SECOND: &str = "FLOP/s";
const BYTES_PER_SECOND: &str = "B/s";
const SECONDS: &str = "s";

/// How a machine was and how a ceiling was measured, as it is kept beside it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub(crate) struct Conditions {
    /// Threads that were used.
    pub(crate) threads: usize,
    /// Load average of the minute before, where it could be read.
    pub(crate) load: Option<f64>,
    /// How the clock is governed, where it could be read.
    pub(crate) governor: Option<String>,
    /// Clock of the first processor before measuring, in MHz, where it could be read.
    pub(crate) clock_mhz: Option<String>,
    /// The disk that was measured, for a ceiling of a disk, where it could be read.
    pub(crate) disk: Option<String>,
    /// The folder that was measured, for a ceiling of a disk.
    pub(crate) folder: Option<String>,
    /// Instructions of the processor that matter.
    pub(crate) features: Vec<String>,
    /// How many runs the figures are made of.
    pub(crate) runs: usize,
    /// How it was measured.
    pub(crate) how: String,
}

impl Conditions {
    /// The conditions of a row; empty ones when they cannot be read.
    pub(crate) fn of(row: &CeilingRow) -> Self {
        serde_json::from_str(&row.conditions).unwrap_or_default()
    }

    /// Whether others kept the machine busy meanwhile.
    pub(crate) fn is_busy(&self) -> bool {
        self.load.is_some_and(|load| load > QUIET_SHARE * self.threads as f64)
    }

    /// Where it was measured, for a ceiling of a disk: earlier versions kept the disk alone.
    pub(crate) fn place(&self) -> Option<&str> {
        self.folder.as_deref().or(self.disk.as_deref())
    }

    /// Whether it holds for a disk: one of another disk does not.
    pub(crate) fn holds_on(&self, disk: Option<&str>) -> bool {
        self.disk.as_deref().zip(disk).is_none_or(|(own, disk)| own == disk)
    }

    /// In one line.
    pub(crate) fn line(&self) -> String {
        let load = self.load.map_or("load unknown".to_owned(), |load| format!("load {load:.2}"));
        let governor = self.governor.as_ref().map(|governor| format!(", {governor}"));
        let threads = self.threads;
        let threads_word = if threads == 1 { "thread" } else { "threads" };
        let place = self.place().map(|place| format!(" in {place}"));
        format!(
            "{threads} {threads_word}, {load}{}; {}{}",
            governor.unwrap_or_default(),
            self.how,
            place.unwrap_or_default()
        )
    }
}

/// Which machine ceilings belong to: what makes it as fast as it is, in words.
pub(crate) fn fingerprint(machine: &Machine) -> String {
    let processor = machine.processor.as_ref().value();
    let processor = processor.map_or_else(|| "unknown processor".to_owned(), ToString::to_string);
    let threads = machine.threads.as_ref().value();
    let threads = threads.map_or("unknown".to_owned(), |threads| threads.value.to_string());
    // Kernels of different versions keep a little more or less of the same memory.
    let gibibytes = |bytes: Bytes| (bytes.get() as f64 / Bytes::gib(1).get() as f64).round();
    let memory = machine.memory.as_ref().value();
    let memory = memory.map_or("unknown".to_owned(), |size| gibibytes(size.value).to_string());
    let accelerators = machine.accelerators.as_ref();
    let accelerators =
        accelerators.map(|found| format!(", {} x {}", found.count, found.device.name));
    let accelerators = accelerators.unwrap_or_default();
    format!("{processor}, {threads} threads, {memory} GiB{accelerators}")
}

/// Measured ceilings as rows to keep.
pub(crate) fn rows(
    ceilings: &Ceilings,
    folder: &Path,
    detected: &Detected,
    machine: &str,
    today: Date,
) -> Vec<CeilingRow> {
    let features = detected.processor.features.as_ref().value();
    let features: Vec<_> = features.into_iter().flatten().map(ToString::to_string).collect();
    let row = |ceiling: &Ceiling| {
        let (unit, figures) = plain(&ceiling.reached);
        let conditions = &ceilings.conditions;
        let known = |text: &Known<String>| text.as_ref().value().cloned();
        let conditions = Conditions {
            threads: conditions.threads,
            load: conditions.load.clone().value(),
            governor: known(&conditions.governor),
            clock_mhz: known(&conditions.clock),
            disk: known(&conditions.disk).filter(|_| ceiling.name.is_of_disk()),
            folder: ceiling.name.is_of_disk().then(|| folder.display().to_string()),
            features: features.clone(),
            runs: ceiling.runs,
            how: ceiling.how.clone(),
        };
        Some(CeilingRow {
            machine: machine.to_owned(),
            name: ceiling.name.to_string(),
            unit: unit.to_owned(),
            figures: figures?,
            measured_on: today,
            conditions: serde_json::to_string(&conditions).ok()?,
        })
    };
    ceilings.measured.iter().filter_map(row).collect()
}

/// Plain figures and their unit.
fn plain(reached: &Reached) -> (&'static str, Option<Figures>) {
    fn figures<T: Copy + PartialOrd>(span: Span<T>, number: fn(T) -> f64) -> Option<Figures> {
        Figures::new(number(span.low()), number(span.likely()), number(span.high())).ok()
    }
    match *reached {
        Reached::Arithmetic(span) => {
            (FLOPS_PER_SECOND, figures(span, FlopsPerSecond::as_flops_per_second))
        }
        Reached::Bandwidth(span) => {
            (BYTES_PER_SECOND, figures(span, BytesPerSecond::as_bytes_per_second))
        }
        Reached::Time(span) => (SECONDS, figures(span, Duration::as_seconds)),
    }
}

/// The figures of a row with their unit; nothing when this version does not know it.
pub(crate) fn reached(row: &CeilingRow) -> Option<Reached> {
    let figures = row.figures;
    let span = Span::new(figures.low(), figures.likely(), figures.high()).ok()?;
    match row.unit.as_str() {
        FLOPS_PER_SECOND => {
            span.try_map(FlopsPerSecond::from_flops_per_second).ok().map(Reached::Arithmetic)
        }
        BYTES_PER_SECOND => {
            span.try_map(BytesPerSecond::from_bytes_per_second).ok().map(Reached::Bandwidth)
        }
        SECONDS => span.try_map(Duration::from_seconds).ok().map(Reached::Time),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_come_back_with_their_unit() {
        let span = Span::new(1e9, 2e9, 3e9).unwrap().map(BytesPerSecond::constant);
        let (unit, figures) = plain(&Reached::Bandwidth(span));
        let mut row = CeilingRow {
            machine: "m".to_owned(),
            name: "memory-read".to_owned(),
            unit: unit.to_owned(),
            figures: figures.unwrap(),
            measured_on: "2026-11-23".parse().unwrap(),
            conditions: "no JSON".to_owned(),
        };
        assert_eq!(reached(&row), Some(Reached::Bandwidth(span)));
        assert_eq!(Conditions::of(&row), Conditions::default());
        row.unit = "furlongs".to_owned();
        assert_eq!(reached(&row), None);
    }
}
