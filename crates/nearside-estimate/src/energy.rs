//! Power and energy of a site at work and at rest.
//!
//! At the wall: `PUE x (accelerators + threads + memory)`; an own machine's stated wall power wins.

use nearside_catalog::{Economics, Machine, Site};
use nearside_units::{Joules, Known, Span, Watts};

use crate::calibration::Calibration;
use crate::estimate::Device;

/// Power at the wall of a site that works, and of one that waits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Power {
    /// At work.
    pub busy: Span<Watts>,
    /// Waiting.
    pub idle: Span<Watts>,
}

/// Power at the wall while `device` works.
#[must_use]
pub fn power(site: &Site, device: Device, calibration: &Calibration) -> Known<Power> {
    let pue = site.place.pue.value;
    let parts = parts(&site.machine, device, calibration);
    let stated = match &site.economics {
        Economics::Owned(owned) => owned
            .load
            .as_ref()
            .value()
            .map(|load| load.value)
            .zip(owned.idle.as_ref().value().map(|idle| idle.value)),
        Economics::Rented { .. } => None,
    };
    let power = match (stated, device) {
        (Some((load, idle)), Device::Accelerator) => Known::Value(Power {
            busy: Span::new(load * 0.8, load * 0.95, load).unwrap_or(Span::exact(load)),
            idle: Span::exact(idle),
        }),
        // The stated load includes accelerators: processor work adds its own part to idling.
        (Some((load, idle)), Device::Processor) => parts.map(|parts| {
            let busy = parts.busy.map(|part| if idle + part < load { idle + part } else { load });
            Power { busy, idle: Span::exact(idle) }
        }),
        (None, _) => parts,
    };
    power.map(|power| {
        let at_wall = |watts: Span<Watts>| watts.combine(pue, |watts, pue| watts * pue);
        Power { busy: at_wall(power.busy), idle: at_wall(power.idle) }
    })
}

/// Power of the parts of a machine.
fn parts(machine: &Machine, device: Device, calibration: &Calibration) -> Known<Power> {
    let watts = |watts: Span<f64>, times: f64| {
        watts.map(|watts| Watts::from_watts(watts * times).unwrap_or(Watts::ZERO))
    };
    let threads = machine.threads.as_ref().map(|threads| f64::from(threads.value));
    let memory = machine.memory.as_ref().map(|memory| memory.value.as_gb());
    let accelerators = match &machine.accelerators {
        None => Known::Value(Watts::ZERO),
        Some(accelerators) => {
            accelerators.device.power().map(|power| power.value * f64::from(accelerators.count))
        }
    };
    threads.zip(memory).zip(accelerators).map(|((threads, memory), accelerators)| {
        let memory = watts(calibration.power.memory_watts.value, memory);
        let resting = watts(calibration.power.thread_watts.value, threads * 0.25);
        let share = |share: Span<f64>| share.map(|share| accelerators * share);
        let idle = memory + resting + share(calibration.power.idle_share.value);
        let busy = match device {
            Device::Accelerator => memory + resting + share(calibration.power.busy_share.value),
            Device::Processor => idle + watts(calibration.power.thread_watts.value, threads * 0.75),
        };
        Power { busy, idle }
    })
}

/// Energy of so much work and so much waiting.
#[must_use]
pub fn energy(
    power: Power,
    busy: Span<nearside_units::Duration>,
    waiting: Span<nearside_units::Duration>,
) -> Span<Joules> {
    power.busy.combine(busy, |power, time| power * time)
        + power.idle.combine(waiting, |power, time| power * time)
}
