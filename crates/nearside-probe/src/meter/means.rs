//! What happened between two samples, per unit of time: the form in which states are shown.
//!
//! Totals make this exact over any stretch: threads running = on-time per time, threads ready but
//! queued = queued time per time, threads asleep for something = sleep of that class per time.

use nearside_units::{BytesPerSecond, Duration, Known};

use super::sample::Sample;
use super::wait::WaitClass;

/// Means between two samples of one meter. Numbers of threads are means over time, so 2.5 threads
/// are two all the time and one half of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Means {
    /// The time between the samples; more than nothing.
    pub time: Duration,
    /// Threads on a processor, which is the same as processors kept busy.
    pub running: Known<f64>,
    /// Threads that were ready to run and waited for a processor.
    pub queued: Known<f64>,
    /// Threads that waited for a disk or a page of memory.
    pub blocked: Known<f64>,
    /// Threads asleep, by what for, in the order of [`WaitClass::ALL`].
    pub asleep: Known<[f64; WaitClass::ALL.len()]>,
    /// Bytes fetched from disks per second; no value where there were none.
    pub disk_read: Known<Option<BytesPerSecond>>,
    /// Bytes sent to disks per second; no value where there were none.
    pub disk_written: Known<Option<BytesPerSecond>>,
    /// Major page faults per second.
    pub major_faults: Known<f64>,
}

impl Means {
    /// Between two samples of one meter; none when the second is not the later one.
    #[must_use]
    pub fn between(earlier: &Sample, later: &Sample) -> Option<Self> {
        let time = later.at.checked_sub(earlier.at).filter(|time| *time > Duration::ZERO)?;
        let over =
            |now: Duration, then: Duration| now.checked_sub(then).unwrap_or(Duration::ZERO) / time;
        let (now, then) = (later.work.clone(), earlier.work.clone());
        let scheduling = now.scheduling.zip(then.scheduling);
        let asleep = scheduling.as_ref().map(|(now, then)| {
            WaitClass::ALL.map(|class| over(now.waits.of(class), then.waits.of(class)))
        });
        let bytes = now.bytes.zip(then.bytes);
        let rate = |now: u64, then: u64| {
            let rate = now.saturating_sub(then) as f64 / time.as_seconds();
            BytesPerSecond::from_bytes_per_second(rate).ok()
        };
        Some(Self {
            time,
            running: now.cpu.zip(then.cpu).map(|(now, then)| over(now.on, then.on)),
            queued: scheduling.map(|(now, then)| over(now.queued, then.queued)),
            blocked: asleep
                .as_ref()
                .map(|asleep| asleep[WaitClass::Disk as usize] + asleep[WaitClass::Page as usize]),
            asleep,
            disk_read: bytes
                .as_ref()
                .map(|(now, then)| rate(now.disk_read.get(), then.disk_read.get())),
            disk_written: bytes
                .map(|(now, then)| rate(now.disk_written.get(), then.disk_written.get())),
            major_faults: now
                .faults
                .zip(then.faults)
                .map(|(now, then)| now.major.saturating_sub(then.major) as f64 / time.as_seconds()),
        })
    }
}
