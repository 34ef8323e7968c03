//! The rules on runs that were made up: what each says, and what it says when others disturb.

use std::sync::Arc;

use nearside_units::{AtLeast, Bytes, Duration, Joules, Known, Span, Watts};

use super::{Bottleneck, Confidence, Share, Verdict, judge};
use crate::meter::{
    AcceleratorSample, Core, CpuTime, Energy, Faults, Limits, Measured, Megahertz, MemoryUse,
    Method, Network, NetworkScope, Paging, Pressure, Pressures, Sample, Scheduling, ThreadUse,
    ThrottleTimes, Throttled, Transferred, WaitClass, Waits,
};

const WALL: f64 = 10.0;

/// A run of ten seconds on four processors.
struct Run {
    threads: Vec<ThreadUse>,
    measured: Measured,
}

fn duration(seconds: f64) -> Duration {
    Duration::from_seconds(seconds).expect("a time")
}

fn nothing<T>() -> Known<T> {
    Known::unknown("not in this test")
}

fn energy() -> Energy {
    let none = || AtLeast::new(Span::exact(Joules::ZERO));
    Energy { parts: Vec::new(), machine: none(), marginal: none(), loaded: none() }
}

impl Run {
    fn new() -> Self {
        let last = sample(WALL);
        let measured = Measured {
            wall: duration(WALL),
            cpu_on: nothing(),
            cpu_queued: nothing(),
            peak_memory: Known::Value(Bytes::mib(100)),
            disk_read: Known::Value(Bytes::ZERO),
            disk_written: Known::Value(Bytes::ZERO),
            energy: energy(),
            last,
            samples: vec![sample(0.0)],
            looks_per_sample: 1,
            threads: Vec::new(),
            usable_processors: Known::Value(4.0),
            looks: 250,
            own_cost: duration(0.01),
            notes: Vec::new(),
        };
        Self { threads: Vec::new(), measured }
    }

    /// A thread that ran and was queued so long, woke so often, and waited so long.
    fn thread(mut self, on: f64, queued: f64, slices: u64, waited: &[(WaitClass, f64)]) -> Self {
        let mut waits = Waits::default();
        for (class, seconds) in waited {
            waits.add(*class, (seconds * 1e9) as u64);
        }
        let number = 100 + self.threads.len() as u32;
        self.threads.push(ThreadUse {
            process: 100,
            thread: number,
            is_main: self.threads.is_empty(),
            name: format!("thread {number}"),
            looked_at: duration(WALL),
            on: duration(on),
            queued: duration(queued),
            slices,
            voluntary_switches: slices,
            involuntary_switches: 0,
            waits,
        });
        self
    }

    /// Other programs kept so many processors busy.
    fn beside(mut self, processors: f64) -> Self {
        let on: f64 = self.threads.iter().map(|thread| thread.on.as_seconds()).sum();
        let busy = duration((processors * WALL + on) / 4.0);
        let core = |number| Core { number, busy, stolen: Duration::ZERO, clock: None };
        self.measured.last.machine.cores = Known::Value((0..4).map(core).collect());
        self
    }

    fn with(mut self, change: impl FnOnce(&mut Measured)) -> Self {
        change(&mut self.measured);
        self
    }

    fn verdict(self) -> Verdict {
        let Self { threads, mut measured } = self;
        let sum = |of: fn(&ThreadUse) -> Duration| {
            threads.iter().map(of).fold(Duration::ZERO, |sum, time| sum + time)
        };
        let (on, queued) = (sum(|thread| thread.on), sum(|thread| thread.queued));
        let mut waits = Waits::default();
        threads.iter().for_each(|thread| waits.add_all(&thread.waits));
        measured.cpu_on = Known::Value(on);
        measured.cpu_queued = Known::Value(queued);
        let work = &mut measured.last.work;
        let (user, system) = match &work.cpu {
            Known::Value(cpu) if cpu.system > Duration::ZERO => (Duration::ZERO, on),
            _ => (on, Duration::ZERO),
        };
        work.cpu = Known::Value(CpuTime { on, user, system });
        work.scheduling = Known::Value(scheduling(queued, waits));
        measured.threads = threads;
        judge(&measured)
    }

    #[track_caller]
    fn check(self, bottleneck: Bottleneck, confidence: Confidence) -> Verdict {
        let verdict = self.verdict();
        assert_eq!(
            (verdict.bottleneck, verdict.confidence),
            (bottleneck, confidence),
            "{verdict:#?}"
        );
        let sum: f64 = Share::ALL.into_iter().map(|share| verdict.shares.get(share)).sum();
        assert!((sum - 1.0).abs() < 1e-9, "shares are the whole: {sum}");
        verdict
    }
}

fn scheduling(queued: Duration, waits: Waits) -> Scheduling {
    Scheduling {
        queued,
        slices: 0,
        voluntary_switches: 0,
        involuntary_switches: 0,
        waits,
        busiest: 0.0,
        blocked: 0,
    }
}

fn sample(at: f64) -> Sample {
    let mut sample = Sample::empty();
    sample.at = duration(at);
    let zero = Duration::ZERO;
    let none = || Known::Value(Pressure { some: zero, full: Some(zero) });
    sample.work.cpu = Known::Value(CpuTime { on: zero, user: zero, system: zero });
    sample.work.scheduling = Known::Value(scheduling(zero, Waits::default()));
    sample.work.memory = Known::Value(MemoryUse {
        resident: Bytes::mib(100),
        proportional: nothing(),
        swapped: Bytes::ZERO,
        charged: None,
    });
    sample.work.faults = Known::Value(Faults { minor: 0, major: 0 });
    let transferred = Transferred {
        disk_read: Bytes::ZERO,
        disk_written: Bytes::ZERO,
        read: Bytes::ZERO,
        written: Bytes::ZERO,
    };
    sample.work.bytes = Known::Value(transferred);
    sample.work.limits = Limits {
        throttled: Known::Value(Throttled { periods: 100, throttled_periods: 0 }),
        memory_limit_hits: Known::Value(0),
        pressure: None,
    };
    sample.machine.pressure = Pressures { cpu: none(), memory: none(), io: none() };
    sample.machine.cores = Known::Value(Arc::from([]));
    sample.machine.memory_available = Known::Value(Bytes::gib(8));
    sample.machine.paging = Known::Value(Paging::default());
    sample.machine.network = Known::Value(Network {
        received: Bytes::ZERO,
        sent: Bytes::ZERO,
        loopback: Bytes::ZERO,
        scope: NetworkScope::Machine,
    });
    sample.machine.thermal_throttles = Known::Value(0);
    sample
}

#[test]
fn one_thread_or_all() {
    let one = Run::new().thread(9.9, 0.0, 100, &[]);
    let verdict = one.check(Bottleneck::SingleThread, Confidence::High);
    let bound = verdict.bound.expect("a bound");
    assert!((bound.speedup - 3.9).abs() < 0.1, "{bound:?}");
    assert_eq!(verdict.changes.len(), 2);

    let all = (0..4).fold(Run::new(), |run, _| run.thread(9.9, 0.0, 100, &[]));
    let verdict = all.check(Bottleneck::Processors, Confidence::High);
    assert!((verdict.bound.expect("a bound").speedup - 2.0).abs() < 0.03);

    let some = (0..2).fold(Run::new(), |run, _| run.thread(9.9, 0.0, 100, &[]));
    some.check(Bottleneck::FewThreads, Confidence::High);
}

#[test]
fn a_pool_that_waits_for_one_thread_is_no_lock() {
    let run = Run::new().thread(9.5, 0.0, 100, &[(WaitClass::Futex, 0.5)]);
    let run = (0..3).fold(run, |run, _| run.thread(0.3, 0.0, 400, &[(WaitClass::Futex, 9.7)]));
    run.check(Bottleneck::SingleThread, Confidence::High);
}

#[test]
fn threads_that_take_turns_wait_for_a_lock() {
    let turns =
        || (0..4).fold(Run::new(), |run, _| run.thread(2.5, 0.0, 900, &[(WaitClass::Futex, 7.5)]));
    let verdict = turns().check(Bottleneck::Lock, Confidence::High);
    assert!(verdict.because[0].starts_with("4 threads took turns: 75 %"), "{verdict:?}");
    // One waits for a clock while it holds the lock.
    let waits = [(WaitClass::Futex, 7.4), (WaitClass::Timer, 2.4)];
    let held = (0..4).fold(Run::new(), |run, _| run.thread(0.1, 0.0, 900, &waits));
    held.check(Bottleneck::Lock, Confidence::High);
    // The main thread sleeps, and workers look for work ten times a second.
    let idle = Run::new().thread(0.0, 0.0, 20, &[(WaitClass::Timer, 10.0)]);
    let idle = (0..3).fold(idle, |run, _| run.thread(0.0, 0.0, 100, &[(WaitClass::Futex, 10.0)]));
    idle.check(Bottleneck::Timer, Confidence::High);
}

#[test]
fn waits_by_what_they_are_for() {
    let check = |class, bottleneck| {
        let run = Run::new().thread(1.0, 0.0, 900, &[(class, 9.0)]);
        let verdict = run.check(bottleneck, Confidence::High);
        let speedup = verdict.bound.expect("a bound").speedup;
        assert!((speedup - 10.0).abs() < 1e-6, "{speedup}");
    };
    check(WaitClass::Disk, Bottleneck::Disk);
    check(WaitClass::Network, Bottleneck::Network);
    check(WaitClass::Timer, Bottleneck::Timer);
    check(WaitClass::Pipe, Bottleneck::Input);
    check(WaitClass::LocalSocket, Bottleneck::Input);
    let run = Run::new().thread(1.0, 0.0, 900, &[(WaitClass::NotVisible, 9.0)]);
    run.check(Bottleneck::Unknown, Confidence::Low);
}

#[test]
fn pages_are_memory_only_where_they_come_again() {
    let faulting = || {
        let read = |measured: &mut Measured| measured.disk_read = Known::Value(Bytes::gib(4));
        Run::new().thread(1.0, 0.0, 900, &[(WaitClass::Page, 9.0)]).with(read)
    };
    faulting().check(Bottleneck::Disk, Confidence::High);
    let again = faulting().with(|measured| {
        let paging = Paging { refaulted: 500_000, ..Paging::default() };
        measured.last.machine.paging = Known::Value(paging);
    });
    again.check(Bottleneck::Memory, Confidence::High);
    // Without that counter, the limit tells.
    let hits = faulting().with(|measured| {
        measured.last.machine.paging = nothing();
        measured.last.work.limits.memory_limit_hits = Known::Value(900);
    });
    let verdict = hits.check(Bottleneck::Memory, Confidence::High);
    assert!(verdict.changes[0].what.contains("limit of memory"), "{:?}", verdict.changes);
}

#[test]
fn copying_from_a_disk_is_the_disk() {
    let run = Run::new().thread(6.0, 0.0, 900, &[(WaitClass::Disk, 4.0)]).with(|measured| {
        let time = duration(6.0);
        measured.disk_read = Known::Value(Bytes::gib(10));
        measured.last.work.cpu =
            Known::Value(CpuTime { on: time, user: Duration::ZERO, system: time });
    });
    run.check(Bottleneck::Disk, Confidence::High);
}

#[test]
fn a_quota_comes_first() {
    let run = (0..4).fold(Run::new(), |run, _| run.thread(2.0, 8.0, 900, &[]));
    let run = run.with(|measured| {
        let throttled = Throttled { periods: 100, throttled_periods: 90 };
        measured.last.work.limits.throttled = Known::Value(throttled);
    });
    run.check(Bottleneck::Quota, Confidence::High);
}

#[test]
fn others_lower_the_confidence_and_change_no_verdict() {
    let one = |on, queued, others| Run::new().thread(on, queued, 900, &[]).beside(others).verdict();
    for (on, queued, others, confidence) in [
        (10.0, 0.0, 0.0, Confidence::High),
        (6.5, 3.5, 3.9, Confidence::Medium),
        (2.0, 8.0, 3.9, Confidence::Low),
    ] {
        let verdict = one(on, queued, others);
        let found = (verdict.bottleneck, verdict.confidence);
        assert_eq!(found, (Bottleneck::SingleThread, confidence));
    }
    // A reader that is queued after each read is still one.
    let reader = Run::new().thread(0.5, 6.5, 900, &[(WaitClass::Disk, 3.0)]).beside(3.9);
    let verdict = reader.check(Bottleneck::Disk, Confidence::Low);
    let bound = verdict.bound.expect("a bound");
    assert!((bound.share - 3.0 / 3.5).abs() < 1e-6, "without what others took: {bound:?}");
    // A sleeper has hardly anything to lose.
    let sleeper = Run::new().thread(0.01, 0.09, 900, &[(WaitClass::Timer, 9.9)]).beside(3.9);
    sleeper.check(Bottleneck::Timer, Confidence::High);
    // Eight threads queue behind each other, not behind others.
    let own = (0..8).fold(Run::new(), |run, _| run.thread(5.0, 5.0, 900, &[])).beside(0.0);
    own.check(Bottleneck::Processors, Confidence::High);
}

#[test]
fn little_was_seen() {
    let short = Run::new().thread(9.9, 0.0, 100, &[]).with(|measured| measured.looks = 3);
    short.check(Bottleneck::SingleThread, Confidence::Low);
    let blind = Run::new().with(|measured| measured.samples.clear());
    let verdict = judge(&blind.measured);
    assert_eq!(verdict.bottleneck, Bottleneck::Unknown);
}

fn device(busy: f64) -> AcceleratorSample {
    AcceleratorSample {
        name: "NVIDIA H100".into(),
        energy: nothing(),
        method: Method::Sampled,
        power: Known::Value(Watts::constant(300.0)),
        busy: Known::Value(duration(busy)),
        memory_busy: Known::Value(duration(0.2 * busy)),
        peak_memory: Known::Value(Bytes::gib(20)),
        memory_total: Known::Value(Bytes::gib(80)),
        peak_work_memory: Known::Value(Bytes::gib(20)),
        clock: Known::Value(Megahertz(1980)),
        clock_limit: Known::Value(Megahertz(1980)),
        throttled: Known::Value(ThrottleTimes {
            power_limit: Duration::ZERO,
            heat: Duration::ZERO,
            power_brake: Duration::ZERO,
        }),
        pcie: Known::Value((Bytes::ZERO, Bytes::ZERO)),
        watched: duration(WALL),
    }
}

#[test]
fn accelerators() {
    let run = |device: AcceleratorSample| {
        // A host thread that spins while it waits for the device looks busy.
        let run = Run::new().thread(9.9, 0.0, 900, &[]);
        run.with(|measured| measured.last.accelerators = Arc::from([device])).verdict()
    };
    let check = |device, bottleneck| {
        let verdict = run(device);
        assert_eq!(verdict.bottleneck, bottleneck, "{verdict:#?}");
        assert_ne!(verdict.confidence, Confidence::High, "no counter tells that much");
    };
    check(device(9.5), Bottleneck::AcceleratorCompute);
    check(
        AcceleratorSample { memory_busy: Known::Value(duration(9.0)), ..device(9.5) },
        Bottleneck::AcceleratorBandwidth,
    );
    let idle = run(device(2.0));
    assert_eq!(idle.bottleneck, Bottleneck::Launch);
    let moved = Known::Value((Bytes::gib(120), Bytes::ZERO));
    let link = run(AcceleratorSample { pcie: moved.clone(), ..device(4.0) });
    assert_eq!(link.bottleneck, Bottleneck::AcceleratorLink);
    let full = Known::Value(Bytes::gib(79));
    let spilled = run(AcceleratorSample { pcie: moved, peak_memory: full, ..device(4.0) });
    assert_eq!(spilled.bottleneck, Bottleneck::AcceleratorMemory);
    let times = |heat, power_limit| {
        let (heat, power_limit) = (duration(heat), duration(power_limit));
        Known::Value(ThrottleTimes { power_limit, heat, power_brake: Duration::ZERO })
    };
    let hot = run(AcceleratorSample { throttled: times(1.0, 0.0), ..device(9.5) });
    assert_eq!(hot.bottleneck, Bottleneck::Heat);
    // At its power limit with its clock up, a device does what it was bought for.
    let limit = AcceleratorSample { throttled: times(0.0, 9.0), ..device(9.5) };
    assert_eq!(run(limit.clone()).bottleneck, Bottleneck::AcceleratorCompute);
    let capped = run(AcceleratorSample { clock: Known::Value(Megahertz(1200)), ..limit });
    assert_eq!(capped.bottleneck, Bottleneck::PowerLimit);
}

#[test]
fn a_device_of_others_says_nothing() {
    let others = AcceleratorSample { peak_work_memory: Known::Value(Bytes::ZERO), ..device(9.5) };
    let run = Run::new().thread(9.9, 0.0, 100, &[]);
    let run = run.with(|measured| measured.last.accelerators = Arc::from([others]));
    run.check(Bottleneck::SingleThread, Confidence::High);
}

#[test]
fn data_that_comes_too_slowly_starves_a_device() {
    let run = Run::new().thread(1.0, 0.0, 900, &[(WaitClass::Disk, 9.0)]);
    let run = run.with(|measured| measured.last.accelerators = Arc::from([device(2.0)]));
    let verdict = run.check(Bottleneck::Disk, Confidence::High);
    assert!(verdict.because[0].contains("H100 was busy 20 %"), "{:?}", verdict.because);
}
