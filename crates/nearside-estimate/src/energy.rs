//! Power and energy of a site at work and at rest.
//!
//! At the wall: `PUE x (accelerators + threads + memory)`; an own machine's stated wall power wins.

use nearside_catalog::{Economics, Machine, Site};
use nearside_units::{Duration, Joules, Known, Span, Watts};

use crate::calibration::{Calibration, PowerUse};
use crate::estimate::Device;

/// Power at the wall of a site that works, and of one that waits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Power {
    /// At work.
    pub busy: Span<Watts>,
    /// Waiting.
    pub idle: Span<Watts>,
}

/// Power at the wall while `devices` of the accelerators, or the processors, work. What an own
/// machine is stated to draw beats what its parts come to.
#[must_use]
pub fn power(site: &Site, device: Device, devices: u64, calibration: &Calibration) -> Known<Power> {
    let pue = site.place.pue.value;
    let parts = parts(&site.machine, device, devices, calibration);
    let (load, idle) = match &site.economics {
        Economics::Owned(owned) => (owned.load.as_ref().value(), owned.idle.as_ref().value()),
        Economics::Rented { .. } => (None, None),
    };
    let (load, idle) = (load.map(|load| load.value), idle.map(|idle| idle.value));
    let share = calibration.power.stated_load_share.value;
    let power = match (load, idle, device) {
        (Some(load), Some(idle), Device::Accelerator) => {
            let busy = share.map(|share| load * share);
            Known::Value(Power { busy, idle: Span::exact(idle) })
        }
        _ => parts.map(|parts| {
            let resting = idle.map_or(parts.idle, Span::exact);
            // The stated load includes accelerators: processor work adds its part to idling.
            let busy = match (load, device) {
                (Some(load), Device::Accelerator) => share.map(|share| load * share),
                (Some(load), Device::Processor) => {
                    let added = parts.busy.combine_inverse(parts.idle, |busy, idle| {
                        busy.checked_sub(idle).unwrap_or(Watts::ZERO)
                    });
                    (resting + added).map(|watts| if watts < load { watts } else { load })
                }
                (None, _) => parts.busy,
            };
            Power { busy, idle: resting }
        }),
    };
    power.map(|power| {
        let at_wall = |watts: Span<Watts>| watts.combine(pue, with_overhead);
        Power { busy: at_wall(power.busy), idle: at_wall(power.idle) }
    })
}

/// Power of the building for so much power of its computers: `power x PUE`, once.
///
/// ```
/// use nearside_estimate::energy::with_overhead;
/// use nearside_units::{Duration, Watts};
/// // LLaMA 65B: 1,022,362 hours of a GPU at 400 W with a PUE of 1.1 (arXiv 2302.13971: 449 MWh).
/// let energy = with_overhead(Watts::constant(400.0), 1.1) * Duration::hours(1_022_362.0);
/// assert_eq!(energy.to_string(), "450 MWh");
/// ```
#[must_use]
pub fn with_overhead(power: Watts, pue: f64) -> Watts {
    power * pue
}

/// Power of the parts of a machine.
fn parts(
    machine: &Machine,
    device: Device,
    devices: u64,
    calibration: &Calibration,
) -> Known<Power> {
    let PowerUse { busy_share, idle_share, thread_watts, memory_watts, resting_share, .. } =
        &calibration.power;
    let watts = |watts: Span<f64>, times: f64| {
        watts.map(|watts| Watts::from_watts(watts * times).unwrap_or(Watts::ZERO))
    };
    let threads = machine.threads.as_ref().map(|threads| f64::from(threads.value));
    let memory = machine.memory.as_ref().map(|memory| memory.value.as_gb());
    let accelerators = match &machine.accelerators {
        None => Known::Value((Watts::ZERO, 0.0)),
        Some(accelerators) => {
            let count = f64::from(accelerators.count);
            accelerators.device.power().map(|power| (power.value, count))
        }
    };
    threads.zip(memory).zip(accelerators).map(|((threads, memory), (one, count))| {
        let memory = watts(memory_watts.value, memory);
        let host = watts(thread_watts.value, threads);
        let resting = host.combine(resting_share.value, |host, share| host * share);
        let cards = |share: Span<f64>, count: f64| share.map(|share| one * (share * count));
        let idle = memory + resting + cards(idle_share.value, count);
        let busy = match device {
            Device::Accelerator => {
                let working = (devices as f64).min(count);
                memory
                    + resting
                    + cards(busy_share.value, working)
                    + cards(idle_share.value, count - working)
            }
            Device::Processor => memory + host + cards(idle_share.value, count),
        };
        Power { busy, idle }
    })
}

/// Energy of a run: work, and waiting before it.
#[must_use]
pub fn energy(power: Power, busy: Span<Duration>, waiting: Span<Duration>) -> Span<Joules> {
    power.busy.combine(busy, |power, time| power * time)
        + power.idle.combine(waiting, |power, time| power * time)
}

/// Energy of a month of service: what is not work is waiting.
#[must_use]
pub fn service_energy(power: Power, busy: Span<Duration>, up: Duration) -> Span<Joules> {
    let end = |busy_power: Watts, idle_power: Watts, busy: Duration| {
        busy_power * busy + idle_power * up.checked_sub(busy).unwrap_or(Duration::ZERO)
    };
    let low = end(power.busy.low(), power.idle.low(), busy.low());
    let likely = end(power.busy.likely(), power.idle.likely(), busy.likely());
    let high = end(power.busy.high(), power.idle.high(), busy.high());
    Span::new(low, likely, high).unwrap_or(Span::exact(likely))
}
