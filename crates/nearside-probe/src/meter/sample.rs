//! What one look at the work and its machine tells.
//!
//! Whatever can be is a total since the start that never falls, so leaving samples out loses only
//! resolution: [`Means`](super::Means) says what happened between any two samples.

use std::sync::Arc;

use nearside_units::{Bytes, Duration, Joules, Known, Watts};

use super::accelerator::AcceleratorSample;
use super::thread::Thread;
use super::wait::Waits;

/// A look at the work and its machine.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Time since the start of the meter.
    pub at: Duration,
    /// What the measured processes have used.
    pub work: Work,
    /// What the whole machine did.
    pub machine: MachineSample,
    /// Power and energy of the machine's parts; the latest reading, shared between samples.
    pub power: Arc<[PowerSample]>,
    /// The machine's accelerators; the latest reading, shared between samples.
    pub accelerators: Arc<[AcceleratorSample]>,
}

/// What the measured processes have used.
#[derive(Clone, Debug, PartialEq)]
pub struct Work {
    /// Processes that are alive; the most, over samples that were put together.
    pub processes: usize,
    /// Their threads; the most, over samples that were put together.
    pub threads: usize,
    /// Time on processors.
    pub cpu: Known<CpuTime>,
    /// Scheduling of the threads. Of threads that ended between two looks, what was last seen.
    pub scheduling: Known<Scheduling>,
    /// Memory.
    pub memory: Known<MemoryUse>,
    /// Page faults.
    pub faults: Known<Faults>,
    /// Bytes read and written.
    pub bytes: Known<Transferred>,
    /// What limits of control groups did to the work.
    pub limits: Limits,
}

/// Time on processors, of all threads together, those that have ended too.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CpuTime {
    /// In all. To a nanosecond for threads that were seen, to 10 ms for what ended unseen.
    pub on: Duration,
    /// Of that, in the program itself; counted in steps of 10 ms.
    pub user: Duration,
    /// Of that, in the kernel; counted in steps of 10 ms.
    pub system: Duration,
}

/// Scheduling of all threads together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scheduling {
    /// Time that threads were ready to run and waited for a processor.
    pub queued: Duration,
    /// Times that a thread was put on a processor.
    pub slices: u64,
    /// Times that a thread left it to sleep. Read in turns, so a second or so behind.
    pub voluntary_switches: u64,
    /// Times that a thread was pushed off. Read in turns, so a second or so behind.
    pub involuntary_switches: u64,
    /// Time asleep, by what for.
    pub waits: Waits,
    /// Share of the last step that the busiest thread was on a processor, 0 to 1; the mean, over
    /// samples that were put together.
    pub busiest: f64,
    /// Threads that waited for a disk or a page of memory at the moment of looking (state `D`); the
    /// most, over samples that were put together.
    pub blocked: usize,
}

/// Memory of all processes together.
#[derive(Clone, Debug, PartialEq)]
pub struct MemoryUse {
    /// In main memory; pages that processes share count for each of them. The most, over samples
    /// that were put together.
    pub resident: Bytes,
    /// In main memory, shared pages divided among those that share them (`Pss`). Read every few
    /// seconds at most.
    pub proportional: Known<Bytes>,
    /// Swapped out. Read in turns.
    pub swapped: Bytes,
    /// What the control group is charged with, page cache included; no value where the subject is
    /// no group.
    pub charged: Option<Known<Bytes>>,
}

/// Page faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Faults {
    /// That needed no disk.
    pub minor: u64,
    /// That did.
    pub major: u64,
}

/// Bytes read and written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transferred {
    /// Fetched from disks (not from the page cache).
    pub disk_read: Bytes,
    /// Sent to disks, or to be sent later.
    pub disk_written: Bytes,
    /// Read by system calls, from wherever: files in memory, sockets, pipes.
    pub read: Bytes,
    /// Written by system calls, to wherever.
    pub written: Bytes,
}

/// What limits of control groups did to the work.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Being held back by a quota of processor time.
    pub throttled: Known<Throttled>,
    /// Times that the limit of memory was hit.
    pub memory_limit_hits: Known<u64>,
    /// Pressure within the group itself; no value where the subject is no group.
    pub pressure: Option<Pressures>,
}

/// Being held back by a quota of processor time, in the group where it happened most.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Throttled {
    /// Periods of the quota that passed with something to run.
    pub periods: u64,
    /// Periods in which the quota was used up.
    pub throttled_periods: u64,
}

/// What the whole machine did: the latest reading, at most half a second or so old.
#[derive(Clone, Debug, PartialEq)]
pub struct MachineSample {
    /// Time that tasks stalled.
    pub pressure: Pressures,
    /// Every logical processor; the latest reading, shared between samples.
    pub cores: Known<Arc<[Core]>>,
    /// Memory that a new program could get. The least, over samples that were put together.
    pub memory_available: Known<Bytes>,
    /// Paging of the machine.
    pub paging: Known<Paging>,
    /// Network of the work's own namespace, which is the machine's where it has none.
    pub network: Known<Network>,
    /// Times that processors were slowed down by heat.
    pub thermal_throttles: Known<u64>,
}

/// Time that tasks stalled for lack of a resource (PSI).
#[derive(Clone, Debug, PartialEq)]
pub struct Pressures {
    /// For lack of a processor.
    pub cpu: Known<Pressure>,
    /// For lack of memory.
    pub memory: Known<Pressure>,
    /// For a disk.
    pub io: Known<Pressure>,
}

/// Time that tasks stalled for lack of one resource.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pressure {
    /// At least one task did.
    pub some: Duration,
    /// All tasks that were not idle did; no value where the kernel does not count it.
    pub full: Option<Duration>,
}

/// A logical processor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Core {
    /// Its number.
    pub number: u32,
    /// Time it did something, for anyone.
    pub busy: Duration,
    /// Time that another virtual machine had it instead (`steal`).
    pub stolen: Duration,
    /// Its clock when read.
    pub clock: Option<Megahertz>,
}

/// A clock rate in MHz.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Megahertz(pub u32);

/// Paging of the whole machine, in pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Paging {
    /// Read back from swap.
    pub swapped_in: u64,
    /// Written to swap.
    pub swapped_out: u64,
    /// Faults that needed a disk.
    pub major_faults: u64,
    /// Pages that were dropped and had to be read again: memory is too small for what is in use.
    pub refaulted: u64,
}

/// Bytes over the network interfaces of one namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// Received, loopback left out.
    pub received: Bytes,
    /// Sent, loopback left out.
    pub sent: Bytes,
    /// To oneself.
    pub loopback: Bytes,
    /// Whose they are.
    pub scope: NetworkScope,
}

/// Whose bytes a network counter counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkScope {
    /// Only the work's: it has a network namespace of its own.
    Work,
    /// Everybody's on this machine.
    Machine,
}

/// Power and energy of one part of the machine.
#[derive(Clone, Debug, PartialEq)]
pub struct PowerSample {
    /// The source, `package-0`.
    pub name: Arc<str>,
    /// Which part of the machine it is.
    pub part: super::power::Part,
    /// How it is known.
    pub method: super::power::Method,
    /// Energy since the start.
    pub energy: Joules,
    /// Mean power over the last step; none before there was one.
    pub power: Option<Watts>,
}

/// What one thread has used since counting began.
#[derive(Clone, Debug, PartialEq)]
pub struct ThreadUse {
    /// Its process.
    pub process: u32,
    /// Its number.
    pub thread: u32,
    /// Whether it is the main thread of the process that is measured.
    pub is_main: bool,
    /// Its name, at most 15 bytes by the kernel's rule; empty when it ended before it was read.
    pub name: String,
    /// How long it was looked at.
    pub looked_at: Duration,
    /// Time on a processor.
    pub on: Duration,
    /// Time ready to run, waiting for a processor.
    pub queued: Duration,
    /// Times put on a processor.
    pub slices: u64,
    /// Times it left the processor to sleep.
    pub voluntary_switches: u64,
    /// Times it was pushed off.
    pub involuntary_switches: u64,
    /// Time asleep, by what for.
    pub waits: Waits,
}

impl ThreadUse {
    pub(crate) fn of(process: u32, is_main: bool, thread: &Thread) -> Self {
        let (used, switched) = (thread.used(), thread.switched());
        Self {
            process,
            thread: thread.id,
            is_main,
            name: thread.name.text(),
            looked_at: super::seconds(thread.looked_at()),
            on: super::seconds(used.on),
            queued: super::seconds(used.queued),
            slices: used.slices,
            voluntary_switches: switched.voluntary,
            involuntary_switches: switched.involuntary,
            waits: thread.waited(),
        }
    }

    /// Time it ran or wanted to, for sorting.
    pub(crate) fn nanoseconds(&self) -> u64 {
        ((self.on + self.queued).as_seconds() * 1e9) as u64
    }
}

impl Work {
    /// Nothing is visible, for this reason.
    pub(crate) fn unknown(why: &Arc<str>, limits: Limits) -> Self {
        Self {
            processes: 0,
            threads: 0,
            cpu: Known::Unknown(Arc::clone(why)),
            scheduling: Known::Unknown(Arc::clone(why)),
            memory: Known::Unknown(Arc::clone(why)),
            faults: Known::Unknown(Arc::clone(why)),
            bytes: Known::Unknown(Arc::clone(why)),
            limits,
        }
    }
}

impl Sample {
    /// Before the first look.
    pub(crate) fn empty() -> Self {
        let why: Arc<str> = "not read yet".into();
        let limits = Limits {
            throttled: Known::Unknown(Arc::clone(&why)),
            memory_limit_hits: Known::Unknown(Arc::clone(&why)),
            pressure: None,
        };
        Self {
            at: Duration::ZERO,
            work: Work::unknown(&why, limits),
            machine: MachineSample {
                pressure: Pressures {
                    cpu: Known::Unknown(Arc::clone(&why)),
                    memory: Known::Unknown(Arc::clone(&why)),
                    io: Known::Unknown(Arc::clone(&why)),
                },
                cores: Known::Unknown(Arc::clone(&why)),
                memory_available: Known::Unknown(Arc::clone(&why)),
                paging: Known::Unknown(Arc::clone(&why)),
                network: Known::Unknown(Arc::clone(&why)),
                thermal_throttles: Known::Unknown(why),
            },
            power: Arc::from([]),
            accelerators: Arc::from([]),
        }
    }

    /// One sample in place of two that follow each other: totals of the later, extremes of both.
    pub(crate) fn merged(earlier: &Self, later: Self, share: f64) -> Self {
        let mut merged = later;
        let (work, before) = (&mut merged.work, &earlier.work);
        work.processes = work.processes.max(before.processes);
        work.threads = work.threads.max(before.threads);
        if let (Known::Value(now), Known::Value(then)) = (&mut work.memory, &before.memory) {
            now.resident = now.resident.max(then.resident);
            now.swapped = now.swapped.max(then.swapped);
        }
        if let (Known::Value(now), Known::Value(then)) = (&mut work.scheduling, &before.scheduling)
        {
            now.busiest = now.busiest * (1.0 - share) + then.busiest * share;
            now.blocked = now.blocked.max(then.blocked);
        }
        let available = &mut merged.machine.memory_available;
        if let (Known::Value(now), Known::Value(then)) =
            (available, &earlier.machine.memory_available)
        {
            *now = (*now).min(*then);
        }
        merged
    }
}
