//! What a whole run came to.

use std::sync::Arc;

use nearside_units::{Bytes, Duration, Known};

use super::energy::Energy;
use super::sample::{Sample, ThreadUse};
use super::wait::{WaitClass, Waits};

/// What a whole run came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// From the start of the meter to its stop.
    pub wall: Duration,
    /// Time on processors, of all processes, those that have ended too.
    pub cpu_on: Known<Duration>,
    /// Time that threads were ready to run and waited for a processor.
    pub cpu_queued: Known<Duration>,
    /// The most memory that all processes held at a look, or one process ever did.
    pub peak_memory: Known<Bytes>,
    /// Bytes fetched from disks.
    pub disk_read: Known<Bytes>,
    /// Bytes sent to disks.
    pub disk_written: Known<Bytes>,
    /// Energy, with the method by which each part is known.
    pub energy: Energy,
    /// The last look: every other total since the start.
    pub last: Sample,
    /// Looks over time, oldest first, neighbours put together where there were too many.
    pub samples: Vec<Sample>,
    /// How many looks one of them stands for.
    pub looks_per_sample: u64,
    /// The busiest threads, busiest first, ended ones too; the main thread is always among them.
    pub threads: Vec<ThreadUse>,
    /// Logical processors that the work may use: affinity and quota, whichever is less.
    pub usable_processors: Known<f64>,
    /// Looks that were taken.
    pub looks: u64,
    /// Processor time that the meter itself took.
    pub own_cost: Duration,
    /// What could not be seen, and why.
    pub notes: Vec<Arc<str>>,
}

/// What is known while the work goes on.
#[derive(Clone, Debug, PartialEq)]
pub struct SoFar {
    /// The latest look.
    pub latest: Sample,
    /// The most memory that all processes held at a look, or one process ever did.
    pub peak_memory: Known<Bytes>,
    /// Energy until a second or so ago; no value before there was any reading.
    pub energy: Option<Arc<Energy>>,
}

impl Measured {
    /// Sleep of all threads by what they waited for.
    #[must_use]
    pub fn waits(&self) -> Known<Waits> {
        self.last.work.scheduling.as_ref().map(|scheduling| scheduling.waits)
    }

    /// Sleep of one class over all threads.
    #[must_use]
    pub fn waited_for(&self, class: WaitClass) -> Known<Duration> {
        self.waits().map(|waits| waits.of(class))
    }
}
