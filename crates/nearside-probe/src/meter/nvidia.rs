//! The counters of NVIDIA accelerators, through NVML.
//!
//! What a device does not support is asked once and remembered with its reason: a driver that says
//! "not supported" ten times per second costs as much as one that answers.
//! Source: NVML reference (energy in millijoules, power in milliwatts, utilisation in per cent).

use std::collections::BTreeMap;
use std::sync::Arc;

use nearside_units::{Bytes, Joules, Known, QuantityError, Watts};
use nvml_wrapper::enum_wrappers::device::Clock;
use nvml_wrapper::enums::device::{SampleValue, UsedGpuMemory};
use nvml_wrapper::error::NvmlError;
use nvml_wrapper::structs::device::FieldId;
use nvml_wrapper::{Device, Nvml};

use super::accelerator::{
    AcceleratorCounters, AcceleratorProcess, AcceleratorReading, ThrottleReasons,
};
use super::sample::Megahertz;
use crate::nvidia::{MAX_DEVICES, known, load};

/// NVML's fields of bytes over PCIe (`NVML_FI_DEV_PCIE_COUNT_TX_BYTES` and `_RX_BYTES`).
const PCIE_SENT: FieldId = FieldId(197);
const PCIE_RECEIVED: FieldId = FieldId(198);

/// The counters of this machine's NVIDIA devices. Loading the driver's library takes from 20 ms to
/// a second.
///
/// # Errors
/// In words, when there is no driver or it does not answer.
pub fn open() -> Result<Box<dyn AcceleratorCounters>, String> {
    let library = load()?;
    let count = library.device_count().map_err(|error| error.to_string())?.min(MAX_DEVICES);
    let name = |index| {
        let name = library.device_by_index(index).and_then(|device| device.name());
        let name = name.unwrap_or_else(|_| "NVIDIA device".to_owned());
        // Twins have the same name.
        Arc::from(if count > 1 { format!("{name} #{index}") } else { name })
    };
    let names = (0..count).map(name).collect();
    let devices = (0..count).map(|_| Remembered::default()).collect();
    Ok(Box::new(Counters { library, names, devices }))
}

struct Counters {
    library: Nvml,
    names: Vec<Arc<str>>,
    devices: Vec<Remembered>,
}

/// What one device does not support, by question, and until when processes were read.
#[derive(Default)]
struct Remembered {
    refusals: BTreeMap<&'static str, Arc<str>>,
    processes_until: Option<u64>,
}

impl Remembered {
    /// Asks, unless it is known that there is no answer.
    fn ask<T>(
        &mut self,
        what: &'static str,
        question: impl FnOnce() -> Result<T, NvmlError>,
    ) -> Known<T> {
        if let Some(why) = self.refusals.get(what) {
            return Known::Unknown(Arc::clone(why));
        }
        let answer = question();
        let lasting = matches!(
            answer,
            Err(NvmlError::NotSupported
                | NvmlError::NoPermission
                | NvmlError::FailedToLoadSymbol(_)
                | NvmlError::InvalidArg)
        );
        let answer = known(what, answer);
        if let (Known::Unknown(why), true) = (&answer, lasting) {
            self.refusals.insert(what, Arc::clone(why));
        }
        answer
    }
}

impl AcceleratorCounters for Counters {
    fn names(&self) -> Vec<Arc<str>> {
        self.names.clone()
    }

    fn read(&mut self, index: usize) -> AcceleratorReading {
        let Self { library, devices, .. } = self;
        let device = library.device_by_index(index as u32);
        match (device, devices.get_mut(index)) {
            (Ok(device), Some(remembered)) => reading(&device, remembered),
            (Err(error), _) => lost(&error.to_string()),
            (Ok(_), None) => lost("no such device"),
        }
    }
}

fn reading(device: &Device<'_>, remembered: &mut Remembered) -> AcceleratorReading {
    let percent = |percent: u32| f64::from(percent) / 100.0;
    let utilization = remembered.ask("utilization", || device.utilization_rates());
    let memory = remembered.ask("memory", || device.memory_info());
    let energy = remembered.ask("energy", || device.total_energy_consumption());
    let power = remembered.ask("power", || device.power_usage());
    let clock = remembered.ask("clock", || device.clock_info(Clock::SM));
    let clock_limit = remembered.ask("clock limit", || device.max_clock_info(Clock::SM));
    let throttle = remembered.ask("clocks event reasons", || device.current_throttle_reasons());
    let (pcie_sent, pcie_received) = pcie(device, remembered);
    AcceleratorReading {
        energy: energy
            .and_then(|millijoules| quantity(Joules::from_joules(millijoules as f64 / 1e3))),
        power: power
            .and_then(|milliwatts| quantity(Watts::from_watts(f64::from(milliwatts) / 1e3))),
        busy: utilization.as_ref().map(|utilization| percent(utilization.gpu)),
        memory_busy: utilization.map(|utilization| percent(utilization.memory)),
        memory_used: memory.as_ref().map(|memory| Bytes::new(memory.used)),
        memory_total: memory.map(|memory| Bytes::new(memory.total)),
        clock: clock.map(Megahertz),
        clock_limit: clock_limit.map(Megahertz),
        throttle: throttle.map(|reasons| ThrottleReasons(reasons.bits())),
        pcie_received,
        pcie_sent,
        processes: processes(device, remembered),
    }
}

fn quantity<T>(value: Result<T, QuantityError>) -> Known<T> {
    value.map_or_else(|error| Known::unknown(error.to_string()), Known::Value)
}

/// Bytes sent and received over PCIe; counters that newer drivers have.
fn pcie(device: &Device<'_>, remembered: &mut Remembered) -> (Known<Bytes>, Known<Bytes>) {
    let mut ask = |what, field: FieldId| {
        remembered.ask(what, || {
            let value =
                device.field_values_for(&[field])?.pop().ok_or(NvmlError::Unknown)??.value?;
            match value {
                SampleValue::U32(bytes) => Ok(Bytes::new(u64::from(bytes))),
                SampleValue::U64(bytes) => Ok(Bytes::new(bytes)),
                SampleValue::I64(_) | SampleValue::F64(_) => Err(NvmlError::NotSupported),
            }
        })
    };
    (ask("PCIe bytes sent", PCIE_SENT), ask("PCIe bytes received", PCIE_RECEIVED))
}

/// Processes that compute or draw, with the share of the device that each had since the last time.
fn processes(device: &Device<'_>, remembered: &mut Remembered) -> Known<Vec<AcceleratorProcess>> {
    let compute = remembered.ask("processes", || device.running_compute_processes());
    let drawing = remembered.ask("drawing processes", || device.running_graphics_processes());
    let until = remembered.processes_until;
    let mut busy: BTreeMap<u32, f64> = BTreeMap::new();
    // "Not found" means that none did anything.
    let shares = remembered.ask("processes' utilization", || {
        match device.process_utilization_stats(until) {
            Err(NvmlError::NotFound) => Ok(Vec::new()),
            answer => answer,
        }
    });
    if let Known::Value(shares) = &shares {
        for share in shares.iter().filter(|share| share.sm_util <= 100) {
            *busy.entry(share.pid).or_default() += f64::from(share.sm_util) / 100.0;
        }
        remembered.processes_until = shares.iter().map(|share| share.timestamp).max().or(until);
    }
    compute.map(|mut all| {
        all.extend(drawing.value().unwrap_or_default());
        all.sort_by_key(|process| process.pid);
        all.dedup_by_key(|process| process.pid);
        let process =
            |process: nvml_wrapper::struct_wrappers::device::ProcessInfo| AcceleratorProcess {
                process: process.pid,
                memory: match process.used_gpu_memory {
                    UsedGpuMemory::Used(bytes) => Known::Value(Bytes::new(bytes)),
                    UsedGpuMemory::Unavailable => Known::unknown("NVML does not tell it here"),
                },
                busy: shares.as_ref().map(|_| busy.get(&process.pid).copied().unwrap_or(0.0)),
            };
        all.into_iter().map(process).collect()
    })
}

/// A device that does not answer.
fn lost(why: &str) -> AcceleratorReading {
    let why: Arc<str> = format!("NVML: {why}").into();
    let unknown = || Arc::clone(&why);
    AcceleratorReading {
        energy: Known::Unknown(unknown()),
        power: Known::Unknown(unknown()),
        busy: Known::Unknown(unknown()),
        memory_busy: Known::Unknown(unknown()),
        memory_used: Known::Unknown(unknown()),
        memory_total: Known::Unknown(unknown()),
        clock: Known::Unknown(unknown()),
        clock_limit: Known::Unknown(unknown()),
        throttle: Known::Unknown(unknown()),
        pcie_received: Known::Unknown(unknown()),
        pcie_sent: Known::Unknown(unknown()),
        processes: Known::Unknown(unknown()),
    }
}
