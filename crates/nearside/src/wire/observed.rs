//! Runs of open models on this machine beside what had been expected of them: rows of `machine.db`, and what they teach
//! the next estimate ([`nearside_estimate::observation`]).

use nearside_architecture::Dtype;
use nearside_catalog::Site;
use nearside_estimate::engine::nearside::Sequence;
use nearside_estimate::observation::memory::Reserved;
use nearside_estimate::observation::step::Stepped;
use nearside_estimate::observation::{Evidence, Observation, ObservedSite, calibrate};
use nearside_estimate::{Calibration, Device, own_engine_phases, read_bandwidth};
use nearside_ledger::{Figures, MachineStore, ObservationRow};
use nearside_units::{Bytes, Duration, Flops, Known, Span};
use serde::{Deserialize, Serialize};

use super::calibration::machine_file;
use crate::error::{CommandError, Fault};

/// What is measured of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Metric {
    /// Reading the prompt, in seconds.
    Prompt,
    /// Writing a token, in seconds.
    Token,
    /// The most memory of the process, in bytes.
    Memory,
    /// Energy of the machine while it ran, in joules.
    Energy,
}

impl Metric {
    const ALL: [(Self, &'static str, &'static str); 4] = [
        (Self::Prompt, "prompt", "s"),
        (Self::Token, "token", "s"),
        (Self::Memory, "memory", "B"),
        (Self::Energy, "energy", "J"),
    ];

    /// The metric of a row; nothing for one of another version.
    pub(crate) fn of(row: &ObservationRow) -> Option<Self> {
        let known = Self::ALL.into_iter();
        let mut known = known.filter(|(_, name, unit)| row.metric == *name && row.unit == *unit);
        known.next().map(|(metric, ..)| metric)
    }

    /// Its name in rows and JSON.
    pub(crate) fn name(self) -> &'static str {
        Self::ALL.iter().find(|(metric, ..)| *metric == self).map_or("", |(_, name, _)| name)
    }

    fn unit(self) -> &'static str {
        Self::ALL.iter().find(|(metric, ..)| *metric == self).map_or("", |(.., unit)| unit)
    }
}

/// What a metric needs to be judged, as it is kept beside it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Details {
    /// The type of most weights.
    dtype: String,
    /// Bytes of weights that a token read.
    weights: u64,
    /// Bytes of keys and values that a token read.
    cache: u64,
    /// Weights that a token read.
    elements: u64,
    /// Products of the prompt with weights, in operations.
    products: f64,
    /// Arithmetic of its attention, in operations.
    attention: f64,
    /// Layers.
    layers: u32,
    /// Tokens of the prompt.
    prompt: u64,
    /// Tokens that were written.
    written: u64,
    /// What would have been estimated if nothing had ever run: low, likely, high.
    before_runs: [f64; 3],
    /// Time that threads waited for a processor over the time that they were on one, where it could be seen.
    queued_share: Option<f64>,
}

/// Threads that wait so long for a processor, as a share of the time that they are on one, share the machine with
/// others: what was measured then is no measure of it. Assumed.
const BUSY: f64 = 0.15;

impl Details {
    /// Of a sequence, with what would have been estimated before any run.
    pub(crate) fn of(sequence: &Sequence, queued_share: Option<f64>) -> Self {
        Self {
            dtype: sequence.dtype.to_string(),
            weights: sequence.weights.get(),
            cache: sequence.cache.get(),
            elements: sequence.elements,
            products: sequence.products.as_flops(),
            attention: sequence.attention.as_flops(),
            layers: sequence.layers,
            prompt: sequence.prompt,
            written: sequence.written,
            before_runs: [0.0; 3],
            queued_share,
        }
    }

    fn read(row: &ObservationRow) -> Option<Self> {
        serde_json::from_str(&row.details).ok()
    }

    fn before_runs<T: Copy + PartialOrd>(&self, of: impl Fn(f64) -> Option<T>) -> Option<Span<T>> {
        let [low, likely, high] = self.before_runs;
        Span::new(of(low)?, of(likely)?, of(high)?).ok()
    }
}

/// Whether others kept the processors busy, by how long threads waited for one over the time that they were on one.
pub(crate) fn is_busy(queued_share: Option<f64>) -> bool {
    queued_share.is_some_and(|share| share > BUSY)
}

/// Whether a figure is that of a machine beside other work. Memory is the same whatever else runs.
pub(crate) fn is_disturbed(row: &ObservationRow) -> bool {
    // Where it could not be seen, it may have been beside anything.
    let details = Details::read(row);
    let alone = details.and_then(|details| details.queued_share).is_some_and(|share| share <= BUSY);
    !alone && Metric::of(row) != Some(Metric::Memory)
}

/// A metric with what was expected, with what would have been without any run, and what was measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Compared {
    pub(crate) metric: Metric,
    pub(crate) expected: Span<f64>,
    pub(crate) before_runs: Span<f64>,
    pub(crate) measured: f64,
}

impl Compared {
    /// Whether what was measured lies in what was expected.
    pub(crate) fn is_within(&self) -> bool {
        (self.expected.low()..=self.expected.high()).contains(&self.measured)
    }

    /// As a row of a machine.
    pub(crate) fn row(
        &self,
        machine: &str,
        workload: &str,
        details: &Details,
        today: nearside_units::Date,
    ) -> Option<ObservationRow> {
        let ends = |span: Span<f64>| [span.low(), span.likely(), span.high()];
        let [low, likely, high] = ends(self.expected);
        let details = Details { before_runs: ends(self.before_runs), ..details.clone() };
        Some(ObservationRow {
            site: machine.to_owned(),
            workload: workload.to_owned(),
            metric: self.metric.name().to_owned(),
            unit: self.metric.unit().to_owned(),
            estimate: Figures::new(low, likely, high).ok()?,
            measured: self.measured,
            details: serde_json::to_string(&details).ok()?,
            measured_on: today,
        })
    }
}

/// Keeps rows.
pub(crate) fn record(rows: &[ObservationRow]) -> Result<(), CommandError> {
    let path = machine_file()?;
    let world = |error: nearside_ledger::LedgerError| {
        CommandError::new(Fault::World, error.to_string())
            .hint(format!("move {} away and measure again", path.display()))
    };
    let mut store = MachineStore::open(&path).map_err(world)?;
    rows.iter().try_for_each(|row| store.add_observation(row)).map_err(world)
}

/// A calibration with what runs on a site taught.
pub(crate) fn taught(before: Calibration, site: &Site, rows: &[ObservationRow]) -> Calibration {
    let found: Vec<_> = rows.iter().filter_map(|row| observation(row, site, &before)).collect();
    let Known::Value(read) = read_bandwidth(site, &before) else { return before };
    if found.is_empty() {
        return before;
    }
    let (device, bandwidth) = (Device::Processor, read.likely());
    calibrate(&before, &ObservedSite { name: &site.name, device, bandwidth, read }, &found)
        .calibration
}

/// What a row says; nothing where it is of another version, or others kept the machine busy.
fn observation(row: &ObservationRow, site: &Site, before: &Calibration) -> Option<Observation> {
    let details = Details::read(row).filter(|_| !is_disturbed(row))?;
    let dtype: Dtype = details.dtype.parse().ok()?;
    let time = |seconds: f64| Duration::from_seconds(seconds).ok();
    let evidence = match Metric::of(row)? {
        Metric::Token => {
            let sequence = sequence(&details, dtype)?;
            let decoded = sequence.observed(&before.own_engine, time(row.measured)?);
            Evidence::Token(dtype, decoded)
        }
        Metric::Prompt => {
            // What would be estimated today: ceilings may have been measured since.
            let phases = own_engine_phases(site, before, &sequence(&details, dtype)?);
            let estimate = phases.value()?.prompt;
            Evidence::Prompt(dtype, Stepped { estimate, measured: time(row.measured)? })
        }
        Metric::Memory => {
            let bytes = |number: f64| Some(Bytes::new(number.max(0.0) as u64));
            let estimate = details.before_runs(bytes)?;
            Evidence::Process(Reserved { estimate, measured: bytes(row.measured)? })
        }
        // What parts draw is not learnt from runs.
        Metric::Energy => return None,
    };
    let (name, workload) = (site.name.clone(), row.workload.as_str().into());
    Some(Observation { site: name, workload, on: row.measured_on, evidence })
}

/// The prompt and the answer that it was; nothing where the numbers are none.
fn sequence(details: &Details, dtype: Dtype) -> Option<Sequence> {
    Some(Sequence {
        dtype,
        weights: Bytes::new(details.weights),
        elements: details.elements,
        cache: Bytes::new(details.cache),
        layers: details.layers,
        prompt: details.prompt,
        written: details.written,
        products: Flops::from_flops(details.products).ok()?,
        attention: Flops::from_flops(details.attention).ok()?,
    })
}
