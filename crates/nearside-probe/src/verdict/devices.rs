//! The rules for accelerators. A device counts as the work's when a process of the work uses it.
//!
//! "Some kernel ran" is all that every driver counts; how much of the device it used is not told by
//! it, so compute and memory bandwidth are told apart by the driver's share of time in which the
//! memory was used, with less confidence.
//! Sources: NVML reference (utilization rates, clocks event reasons).

use nearside_units::{Duration, Known};

use super::bottleneck::Bottleneck;
use super::{Finding, percent};
use crate::meter::{AcceleratorSample, Measured};

/// Share of the time at lowered clocks for heat, or by the power brake, that counts.
const HEAT: f64 = 0.02;
/// Share of the time at the power limit that counts.
const POWER_LIMIT: f64 = 0.30;
/// A device is idle when it is busy for a smaller share of the time.
const IDLE: f64 = 0.5;
/// A device is busy when it is busy for this share of the time.
const BUSY: f64 = 0.8;
/// Share of the busy time in which memory was used that speaks for bandwidth.
const MEMORY_BUSY: f64 = 0.6;
/// Share of a device's memory from which on it is full.
const FULL: f64 = 0.95;
/// Bytes per second over the link that mean that memory is moved back and forth.
const MOVED: f64 = 5e9;

/// The work's busiest device and the share of the time that it was busy.
pub(super) fn busiest(measured: &Measured) -> Option<(&AcceleratorSample, f64)> {
    let device = |device| Some((device, share(device, &known(&device.busy)?)));
    let devices = measured.last.accelerators.iter().filter(|device| is_the_works(device));
    devices.filter_map(device).max_by(|one, other| one.1.total_cmp(&other.1))
}

fn known<T: Clone>(value: &Known<T>) -> Option<T> {
    value.as_ref().value().cloned()
}

fn share(device: &AcceleratorSample, time: &Duration) -> f64 {
    (time.as_seconds() / device.watched.as_seconds().max(1e-9)).min(1.0)
}

/// Where the driver does not tell whose memory is whose, a device that worked counts.
fn is_the_works(device: &AcceleratorSample) -> bool {
    match &device.peak_work_memory {
        Known::Value(memory) => memory.get() > 0,
        Known::Unknown(_) => known(&device.busy).is_some_and(|busy| share(device, &busy) > 0.05),
    }
}

/// Names the bottleneck by the devices; none where they have nothing to say, and what the host
/// waited for holds.
pub(super) fn judge(measured: &Measured, host: &Finding) -> Option<Finding> {
    let (device, busy) = busiest(measured)?;
    let name = &device.name;
    let mut because = vec![format!("{name} was busy {} of the time", percent(busy))];
    if let Some(held) = held_back(device) {
        because.extend(held.because);
        return (busy > IDLE / 2.0).then_some(Finding { because, ..held });
    }
    let moved = known(&device.pcie).map_or(0.0, |(received, sent)| {
        received.get().max(sent.get()) as f64 / device.watched.as_seconds().max(1e-9)
    });
    if busy < BUSY && moved > MOVED {
        because.push(format!("{:.1} GB/s went over its link", moved / 1e9));
        let is_full = memory_share(device).is_some_and(|share| share > FULL);
        let bottleneck = match is_full {
            true => Bottleneck::AcceleratorMemory,
            false => Bottleneck::AcceleratorLink,
        };
        return Some(Finding { bottleneck, margin: moved / MOVED, because });
    }
    if busy < IDLE && !waits_for_device(host.bottleneck) {
        // What keeps the device waiting is the bottleneck.
        return Some(match host.bottleneck {
            Bottleneck::SingleThread => {
                because.extend(host.because.clone());
                let margin = host.margin.min(IDLE / busy.max(0.01));
                Finding { bottleneck: Bottleneck::Launch, margin, because }
            }
            bottleneck => {
                because.extend(host.because.clone());
                Finding { bottleneck, margin: host.margin, because }
            }
        });
    }
    Some(computing(device, busy, because))
}

/// The host only waits for the device, or sleeps.
const fn waits_for_device(host: Bottleneck) -> bool {
    matches!(
        host,
        Bottleneck::AcceleratorCompute
            | Bottleneck::Timer
            | Bottleneck::Unknown
            | Bottleneck::Input
    )
}

/// Clocks held down by heat or by power. At its power limit a device does what it was bought for, so
/// that is the bottleneck only where the clock is far from its highest.
fn held_back(device: &AcceleratorSample) -> Option<Finding> {
    let times = known(&device.throttled)?;
    let of = |time| share(device, &time);
    let (heat, brake, limit) = (of(times.heat), of(times.power_brake), of(times.power_limit));
    let held = |bottleneck, part: f64, least: f64, why: &str| Finding {
        bottleneck,
        margin: part / least,
        because: vec![format!("its clocks were held down by {why} {} of the time", percent(part))],
    };
    if heat > HEAT {
        return Some(held(Bottleneck::Heat, heat, HEAT, "heat"));
    }
    if brake > HEAT {
        return Some(held(Bottleneck::PowerLimit, brake, HEAT, "the machine's power supply"));
    }
    (limit > POWER_LIMIT && is_slowed(device))
        .then(|| held(Bottleneck::PowerLimit, limit, POWER_LIMIT, "its power limit"))
}

/// Whether the clock is a tenth or more below its highest.
fn is_slowed(device: &AcceleratorSample) -> bool {
    let clocks = known(&device.clock).zip(known(&device.clock_limit));
    clocks.is_some_and(|(clock, limit)| f64::from(clock.0) < 0.9 * f64::from(limit.0))
}

fn memory_share(device: &AcceleratorSample) -> Option<f64> {
    let (peak, total) = known(&device.peak_memory).zip(known(&device.memory_total))?;
    Some(peak.get() as f64 / total.get().max(1) as f64)
}

fn computing(device: &AcceleratorSample, busy: f64, mut because: Vec<String>) -> Finding {
    let memory = known(&device.memory_busy).map(|time| share(device, &time) / busy.max(0.01));
    if let Some(memory) = memory.filter(|memory| *memory > MEMORY_BUSY) {
        let part = percent(memory.min(1.0));
        because.push(format!("its memory was read or written in {part} of that"));
        // The driver counts moments, not bytes: never more than a good guess.
        return Finding { bottleneck: Bottleneck::AcceleratorBandwidth, margin: 1.2, because };
    }
    let margin = 1.0 + (busy - IDLE) / IDLE;
    Finding { bottleneck: Bottleneck::AcceleratorCompute, margin: margin.min(1.4), because }
}
