//! The answer of `nearside doctor` as data: what text and JSON both show.

use std::path::Path;

use nearside_probe::ceiling::{CeilingName, Missing};
use nearside_probe::{Detected, DetectedAccelerator, disk};
use nearside_units::{Bytes, Date, Known};
use schemars::JsonSchema;
use serde::Serialize;

use super::confidence::{Confidence, Measured};
use super::examined::{SectionView, TorchView};
use super::in_plan::InPlan;
use crate::view::{Figure, Range};
use crate::wire::ceilings::Conditions;

/// The answer of `nearside doctor`.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct DoctorAnswer {
    /// What the machine is.
    pub(super) machine: MachineView,
    /// What holds of it and what does not, by section.
    pub(super) sections: Vec<SectionView>,
    /// The newest build of PyTorch that runs on its devices.
    pub(super) torch: Figure<TorchView>,
    /// The newest measurement of each of its ceilings.
    pub(super) ceilings: Vec<CeilingView>,
    /// What was to be measured and could not be.
    pub(super) not_measured: Vec<MissingView>,
    /// What they change in the plan, where that is asked.
    pub(super) in_plan: Option<InPlan>,
    /// The file that keeps ceilings.
    pub(super) kept_in: Option<String>,
}

/// What a machine is.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct MachineView {
    /// What tells it from other machines when ceilings are kept.
    pub(super) fingerprint: String,
    /// Name and version of its operating system.
    pub(super) operating_system: Figure<String>,
    /// Release of its kernel.
    pub(super) kernel: Figure<String>,
    /// Name of its processor.
    pub(super) processor: Figure<String>,
    /// Physical cores.
    pub(super) cores: Figure<u32>,
    /// Hardware threads.
    pub(super) threads: Figure<u32>,
    /// Hardware threads that programs may use here.
    pub(super) usable_threads: Figure<u32>,
    /// Instructions that decide how fast a model runs.
    pub(super) features: Figure<Vec<String>>,
    /// Memory that programs may use together.
    pub(super) memory_bytes: Figure<u64>,
    /// Memory that a new program could get now.
    pub(super) available_memory_bytes: Figure<u64>,
    /// The folder whose disk is meant.
    pub(super) folder: String,
    /// What may still be written there.
    pub(super) free_disk_bytes: Figure<u64>,
    /// Accelerators.
    pub(super) accelerators: Vec<AcceleratorView>,
}

/// An accelerator as its driver describes it.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct AcceleratorView {
    /// Its name.
    pub(super) name: Figure<String>,
    /// Memory installed on it.
    pub(super) memory_bytes: Figure<u64>,
    /// Version of its driver.
    pub(super) driver: Figure<String>,
}

/// A measured ceiling.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct CeilingView {
    /// Its name in the file that keeps it.
    pub(super) name: String,
    /// What it is.
    pub(super) title: String,
    /// 10th percentile, median and 90th percentile of the runs, in that unit.
    pub(super) reached: Range,
    /// FLOP/s, B/s or s.
    pub(super) unit: String,
    /// The day of measuring.
    pub(super) measured_on: String,
    /// How the machine was and how it was measured.
    pub(super) conditions: Conditions,
    /// How far it can be trusted: its age, and what became of it since.
    pub(super) confidence: Confidence,
}

/// Something that could not be measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct MissingView {
    /// What.
    pub(super) what: String,
    /// Why, and what to do.
    pub(super) why: String,
}

impl MachineView {
    pub(super) fn of(detected: &Detected, fingerprint: &str, folder: &Path) -> Self {
        let processor = &detected.processor;
        let system = &detected.operating_system;
        Self {
            fingerprint: fingerprint.to_owned(),
            operating_system: Figure::of(&system.name, Clone::clone),
            kernel: Figure::of(&system.kernel, Clone::clone),
            processor: Figure::of(&processor.model, Clone::clone),
            cores: Figure::of(&processor.cores, |count| *count),
            threads: Figure::of(&processor.threads, |count| *count),
            usable_threads: Figure::of(&processor.usable_threads, |count| *count),
            features: Figure::of(&processor.features, |features| {
                features.iter().map(ToString::to_string).collect()
            }),
            memory_bytes: bytes(&detected.memory.usable()),
            available_memory_bytes: bytes(&available(&detected.memory)),
            folder: folder.display().to_string(),
            free_disk_bytes: bytes(&disk(folder).free),
            accelerators: detected.accelerators.iter().map(AcceleratorView::of).collect(),
        }
    }
}

/// What a new program could get now: a control group may leave less than the machine has.
fn available(memory: &nearside_probe::Memory) -> Known<Bytes> {
    match (&memory.available, memory.usable()) {
        (Known::Value(available), Known::Value(usable)) => Known::Value((*available).min(usable)),
        _ => memory.available.clone(),
    }
}

fn bytes(known: &Known<Bytes>) -> Figure<u64> {
    Figure::of(known, |bytes| bytes.get())
}

impl AcceleratorView {
    fn of(found: &DetectedAccelerator) -> Self {
        Self {
            name: Figure::of(&found.name, Clone::clone),
            memory_bytes: bytes(&found.memory_total),
            driver: Figure::of(&found.driver_version, Clone::clone),
        }
    }
}

impl CeilingView {
    pub(super) fn of(measured: &Measured<'_>, today: Date) -> Self {
        let row = measured.newest;
        let title = row.name.parse::<CeilingName>().map_or("", CeilingName::title);
        let figures = row.figures;
        Self {
            name: row.name.clone(),
            title: if title.is_empty() { row.name.clone() } else { title.to_owned() },
            reached: Range { low: figures.low(), likely: figures.likely(), high: figures.high() },
            unit: row.unit.clone(),
            measured_on: row.measured_on.to_string(),
            conditions: Conditions::of(row),
            confidence: measured.confidence(today),
        }
    }

    /// Where it is from, in one line.
    pub(super) fn source(&self) -> String {
        format!("{}: measured on {}, {}", self.name, self.measured_on, self.conditions.line())
    }
}

impl MissingView {
    pub(super) fn of(missing: &Missing) -> Self {
        Self { what: missing.what.to_owned(), why: missing.why.clone() }
    }
}
