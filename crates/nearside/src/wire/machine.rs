//! From what the probe finds, or a file states, to a machine of the catalog's kind.

use std::sync::Arc;

use nearside_catalog::{Accelerators, Catalog, Machine, Site};
use nearside_estimate::Calibration;
use nearside_probe::{Detected, DetectedAccelerator};
use nearside_units::{Basis, Bytes, Kind, Known, Sourced, Span};
use nearside_workload as workload;

use crate::error::{CommandError, Fault};

fn basis(kind: Kind, source: &str) -> Basis {
    Basis { kind, source: source.into(), as_of: None }
}

/// This machine, with what could not be told.
pub(crate) fn this_machine(catalog: &Catalog) -> Result<(Machine, Vec<String>), CommandError> {
    Ok(of_detected(catalog, &detected()?))
}

/// What the probe finds.
pub(crate) fn detected() -> Result<Detected, CommandError> {
    nearside_probe::this_machine()
        .map_err(|error| CommandError::new(Fault::World, error.to_string()))
}

/// What was detected as a machine of the catalog's kind, with what could not be told.
pub(crate) fn of_detected(catalog: &Catalog, detected: &Detected) -> (Machine, Vec<String>) {
    let mut notes = detected.notes.clone();
    let accelerators = detected_accelerators(catalog, detected, &mut notes);
    (machine_of(catalog, detected, accelerators), notes)
}

fn machine_of(
    catalog: &Catalog,
    detected: &Detected,
    accelerators: Option<Accelerators>,
) -> Machine {
    let measured = || basis(Kind::Measured, "this machine");
    let sourced = |bytes: Bytes| Sourced::new(bytes, measured());
    Machine {
        processor: detected.processor.model.clone().map(Arc::from),
        threads: detected
            .processor
            .usable_threads
            .clone()
            .map(|threads| Sourced::new(threads, measured())),
        memory: detected.memory.usable().map(sourced),
        disk: detected.disk.free.clone().map(sourced),
        embodied: embodied(catalog, accelerators.as_ref(), "desktop", 1.0),
        accelerators,
    }
}

/// Memory of this machine that nobody uses now, of how much.
#[derive(Clone, Debug)]
pub(crate) struct Free {
    /// Main memory.
    pub(crate) memory: Option<Part>,
    /// Memory of an accelerator: of the one that has least.
    pub(crate) device: Option<Part>,
}

/// A part of a whole.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    pub(crate) free: Bytes,
    pub(crate) total: Bytes,
}

impl Free {
    pub(crate) fn of(detected: &Detected) -> Self {
        let part = |free: &Known<Bytes>, total: &Known<Bytes>| {
            let (free, total) = (*free.as_ref().value()?, *total.as_ref().value()?);
            Some(Part { free: free.min(total), total })
        };
        let devices = detected.accelerators.iter();
        let devices = devices.filter_map(|found| part(&found.memory_free, &found.memory_total));
        Self {
            memory: part(&detected.memory.available, &detected.memory.usable()),
            device: devices.min_by_key(|part| part.free),
        }
    }

    /// Makes what is free what programs can have.
    pub(crate) fn limits(&self, site: &mut Site, calibration: &mut Calibration) {
        let free = |part: &Part| format!("free now, of {}", part.total);
        if let Some(part) = &self.memory {
            let basis = basis(Kind::Measured, &free(part));
            site.machine.memory = Known::Value(Sourced::new(part.free, basis));
        }
        let accelerators = site.machine.accelerators.as_ref();
        let stated = accelerators.and_then(|found| found.device.memory().value());
        if let Some((part, stated)) = self.device.as_ref().zip(stated) {
            let share = part.free.get() as f64 / (stated.value.get() as f64).max(1.0);
            let share = Sourced::new(Span::exact(share), basis(Kind::Measured, &free(part)));
            let memory = &mut calibration.memory;
            (memory.usable, memory.usable_shared) = (share.clone(), share);
        }
    }
}

/// The accelerators of the kind of the first one that the catalog knows.
fn detected_accelerators(
    catalog: &Catalog,
    detected: &Detected,
    notes: &mut Vec<String>,
) -> Option<Accelerators> {
    let known = |found: &DetectedAccelerator| {
        let name = found.name.as_ref().value()?;
        let device = match &found.memory_total {
            Known::Value(memory) => catalog.device_with_memory(name, *memory),
            Known::Unknown(_) => catalog.device(name),
        };
        device.ok().cloned()
    };
    let mut devices = Vec::new();
    for found in &detected.accelerators {
        match known(found) {
            Some(device) => devices.push(device),
            None => notes.push(format!(
                "the catalog does not know the accelerator {}; it is left out",
                found.name.as_ref().value().map_or("without a name", String::as_str)
            )),
        }
    }
    let first = devices.first()?.clone();
    let alike = devices.iter().filter(|device| device.name == first.name).count();
    if alike < devices.len() {
        let others = devices.len() - alike;
        notes.push(format!(
            "{others} accelerators of another kind than {} are left out",
            first.name
        ));
    }
    Some(Accelerators { device: Arc::new(first), count: u32::try_from(alike).unwrap_or(1) })
}

/// A machine as a file states it.
pub(crate) fn stated(
    catalog: &Catalog,
    machine: &workload::Machine,
    file: &str,
) -> Result<Machine, CommandError> {
    let says = || basis(Kind::Published, file);
    let unstated = |what: &str| format!("{file} does not state {what}");
    let accelerators = match machine.accelerators.as_slice() {
        [] => None,
        [one] => {
            let device = catalog.device(&one.device.value)?;
            let count = u32::try_from(one.count).unwrap_or(u32::MAX);
            Some(Accelerators { device: Arc::new(device.clone()), count })
        }
        _ => {
            let message = format!("{file} states accelerators of several kinds");
            return Err(CommandError::new(Fault::Input, message)
                .hint("describe them as two sites; mixed machines are not estimated yet"));
        }
    };
    let threads = machine.threads.or(machine.cores).and_then(|count| u32::try_from(count).ok());
    let sourced = |bytes: Bytes| Sourced::new(bytes, says());
    Ok(Machine {
        processor: Known::from_option(
            machine.processor.as_deref().map(Arc::from),
            unstated("a processor"),
        ),
        threads: Known::from_option(
            threads.map(|threads| Sourced::new(threads, says())),
            unstated("threads or cores"),
        ),
        memory: Known::from_option(machine.memory.map(sourced), unstated("memory")),
        disk: Known::from_option(machine.disk.map(sourced), unstated("a disk")),
        embodied: embodied(catalog, accelerators.as_ref(), "desktop", 1.0),
        accelerators,
    })
}

/// What making a machine emitted: a share of its chassis, and its accelerators.
pub(crate) fn embodied(
    catalog: &Catalog,
    accelerators: Option<&Accelerators>,
    chassis: &str,
    share: f64,
) -> Known<Sourced<Span<nearside_units::GramsCo2e>>> {
    let chassis = catalog.embodied_item(chassis).map(|item| item.emissions());
    let cards = match accelerators {
        None => return chassis.map(|chassis| chassis.map(|span| span.map(|grams| grams * share))),
        Some(accelerators) => {
            let count = f64::from(accelerators.count);
            let one = catalog.embodied(&accelerators.device);
            one.map(|one| one.map(|span| span.map(|grams| grams * count)))
        }
    };
    chassis.zip(cards).map(|(chassis, cards)| {
        let total = chassis.value.map(|grams| grams * share) + cards.value;
        let source = format!("{}; {}", chassis.basis.source, cards.basis.source);
        let kind = chassis.basis.kind.max(cards.basis.kind).max(Kind::Derived);
        Sourced::new(total, Basis { kind, source: source.into(), as_of: cards.basis.as_of })
    })
}
