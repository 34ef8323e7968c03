//! Every resource by the USE method: utilisation, saturation, errors.
//!
//! Source: Gregg, "Thinking methodically about performance", CACM 56(2), 2013.

use nearside_units::{Bytes, Duration, Known};

use super::demand::Demand;
use super::shares::{Share, Shares};
use crate::meter::{AcceleratorSample, Measured, WaitClass};

/// One resource.
#[derive(Clone, Debug, PartialEq)]
pub struct Usage {
    /// Which one.
    pub resource: String,
    /// Share of it that the work used, 0 to 1.
    pub utilisation: Known<f64>,
    /// How much that is.
    pub used: Known<String>,
    /// Threads that waited for it, on average.
    pub waiting: Known<f64>,
    /// Errors and signs of a limit: how often, and what.
    pub errors: Known<(u64, &'static str)>,
}

/// Every resource of a run.
pub(super) fn of(measured: &Measured, shares: &Shares, demand: &Demand) -> Vec<Usage> {
    let mut usage = vec![
        processors(measured, demand),
        memory(measured),
        disk(measured, shares),
        network(measured),
        locks(measured),
    ];
    usage.extend(measured.last.accelerators.iter().map(accelerator));
    usage
}

/// Threads that slept for a class of things, on average.
fn asleep(measured: &Measured, class: WaitClass) -> Known<f64> {
    measured.waited_for(class).map(|time| over(measured, time))
}

fn over(measured: &Measured, time: Duration) -> f64 {
    time.as_seconds() / measured.wall.as_seconds().max(1e-9)
}

fn rate(measured: &Measured, bytes: Bytes) -> f64 {
    bytes.get() as f64 / 1e6 / measured.wall.as_seconds().max(1e-9)
}

fn processors(measured: &Measured, demand: &Demand) -> Usage {
    let throttled = &measured.last.work.limits.throttled;
    let heat = &measured.last.machine.thermal_throttles;
    Usage {
        resource: "processors".to_owned(),
        utilisation: demand
            .usable
            .as_ref()
            .map(|usable| (demand.running / usable.max(0.01)).min(1.0)),
        used: demand
            .usable
            .as_ref()
            .map(|usable| format!("{:.2} of {}", demand.running, super::count(*usable))),
        waiting: measured.cpu_queued.as_ref().map(|queued| over(measured, *queued)),
        errors: match (throttled, heat) {
            (_, Known::Value(heat)) if *heat > 0 => Known::Value((*heat, "slowed by heat")),
            (Known::Value(throttled), _) => {
                Known::Value((throttled.throttled_periods, "periods over quota"))
            }
            (Known::Unknown(why), _) => Known::Unknown(why.clone()),
        },
    }
}

fn memory(measured: &Measured) -> Usage {
    let available = measured.last.machine.memory_available.as_ref();
    let peak = measured.peak_memory.as_ref();
    Usage {
        resource: "main memory".to_owned(),
        utilisation: peak
            .zip(available)
            .map(|(peak, available)| {
                let now = measured.last.work.memory.as_ref().value();
                let now = now.map_or(0, |memory| memory.resident.get());
                peak.get() as f64 / (available.get() + now).max(1) as f64
            })
            .map(|share| share.min(1.0)),
        used: measured.peak_memory.as_ref().map(ToString::to_string),
        waiting: asleep(measured, WaitClass::Page),
        errors: measured
            .last
            .work
            .limits
            .memory_limit_hits
            .as_ref()
            .map(|hits| (*hits, "limit hit")),
    }
}

fn disk(measured: &Measured, shares: &Shares) -> Usage {
    let bytes = measured.disk_read.as_ref().zip(measured.disk_written.as_ref());
    Usage {
        resource: "disk".to_owned(),
        utilisation: match shares.are_known() {
            true => Known::Value(shares.get(Share::Disk) + shares.get(Share::Page)),
            false => Known::unknown("nothing of the work was seen"),
        },
        used: bytes.map(|(read, written)| {
            let (read, written) = (rate(measured, *read), rate(measured, *written));
            format!("{read:.1} MB/s read, {written:.1} MB/s written")
        }),
        waiting: asleep(measured, WaitClass::Disk),
        errors: Known::unknown("errors of disks are not read"),
    }
}

fn network(measured: &Measured) -> Usage {
    let network = measured.last.machine.network.as_ref();
    Usage {
        resource: "network".to_owned(),
        utilisation: Known::unknown("what the link can carry is not known"),
        used: network.map(|network| {
            let [received, sent, own] = [network.received, network.sent, network.loopback]
                .map(|bytes| rate(measured, bytes));
            format!("{received:.2} MB/s in, {sent:.2} MB/s out, {own:.2} MB/s to itself")
        }),
        waiting: asleep(measured, WaitClass::Network),
        errors: Known::unknown("errors of the network are not read"),
    }
}

fn locks(measured: &Measured) -> Usage {
    Usage {
        resource: "locks and other threads".to_owned(),
        utilisation: Known::unknown("locks have no capacity"),
        used: Known::unknown("locks have no capacity"),
        waiting: asleep(measured, WaitClass::Futex),
        errors: Known::unknown("locks have no errors"),
    }
}

fn accelerator(device: &AcceleratorSample) -> Usage {
    let watched = device.watched.as_seconds().max(1e-9);
    Usage {
        resource: device.name.to_string(),
        utilisation: device.busy.as_ref().map(|busy| (busy.as_seconds() / watched).min(1.0)),
        used: device
            .peak_memory
            .as_ref()
            .zip(device.memory_total.as_ref())
            .map(|(peak, total)| format!("{peak} of {total} at the peak")),
        waiting: Known::unknown("queues of kernels are not visible"),
        errors: device.throttled.as_ref().map(|times| {
            let seconds = times.heat.as_seconds() + times.power_brake.as_seconds();
            (seconds.round() as u64, "seconds at lowered clocks")
        }),
    }
}
