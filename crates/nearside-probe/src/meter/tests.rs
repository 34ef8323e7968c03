//! The sampler over made-up machines: files that the tests write, at times that the tests say.

mod accelerator;
mod energy;
mod work;

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration as Time;

use nearside_units::{Bytes, Joules, Known, Span, Watts};

use super::*;

/// A machine of files that goes away with the test.
struct Machine {
    root: PathBuf,
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root);
    }
}

/// What `/proc/PID/stat` says, in clock ticks and faults.
#[derive(Clone, Copy, Default)]
struct Used {
    ticks: u64,
    waited_ticks: u64,
    faults: u64,
    waited_faults: u64,
}

impl Machine {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("nearside-meter-{}-{number}", std::process::id());
        let machine = Self { root: std::env::temp_dir().join(name) };
        machine.write("proc/loadavg", "0.1 0.1 0.1 1/100 100\n");
        machine
    }

    fn write(&self, file: &str, text: &str) {
        let path = self.root.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// The last number given to a task.
    fn last(&self, id: u32) {
        self.write("proc/loadavg", &format!("0.1 0.1 0.1 1/100 {id}\n"));
    }

    fn process(&self, id: u32, parent: u32, used: Used) {
        let Used { ticks, waited_ticks, faults, waited_faults } = used;
        let stat = format!(
            "{id} (made up) S {parent} {parent} {parent} 0 -1 0 {faults} {waited_faults} 0 0 {ticks} 0 \
             {waited_ticks} 0 20 0 1 0 1000 1000000 256 0\n"
        );
        self.write(&format!("proc/{id}/stat"), &stat);
        self.write(&format!("proc/{id}/status"), &format!("Name:\tmade up\nTgid:\t{id}\n"));
        self.write(&format!("proc/{id}/schedstat"), "0 0 0\n");
        self.write(&format!("proc/{id}/task/{id}/stat"), &stat);
        self.io(id, 0);
        self.thread(id, id, (0, 0, 0), "0");
    }

    fn io(&self, id: u32, disk_read: u64) {
        let text = format!(
            "rchar: {}\nwchar: 7\nsyscr: 1\nsyscw: 1\nread_bytes: {disk_read}\nwrite_bytes: 0\n",
            disk_read * 2
        );
        self.write(&format!("proc/{id}/io"), &text);
    }

    fn thread(&self, process: u32, id: u32, (on, queued, slices): (u64, u64, u64), channel: &str) {
        let folder = format!("proc/{process}/task/{id}");
        self.write(&format!("{folder}/schedstat"), &format!("{on} {queued} {slices}\n"));
        self.write(&format!("{folder}/wchan"), channel);
        let status =
            "Name:\tmade up\nvoluntary_ctxt_switches:\t5\nnonvoluntary_ctxt_switches:\t2\n";
        self.write(&format!("{folder}/status"), status);
    }

    /// Takes a process away. An ordinary file that somebody keeps open outlives its folder, so it
    /// is emptied first.
    fn end(&self, id: u32) {
        for file in ["stat", "io", &format!("task/{id}/schedstat")] {
            self.write(&format!("proc/{id}/{file}"), "");
        }
        fs::remove_dir_all(self.root.join(format!("proc/{id}"))).unwrap();
    }

    fn meter(&self, subject: &Subject) -> Sampler {
        self.meter_with(subject, &quiet())
    }

    fn meter_with(&self, subject: &Subject, settings: &Settings) -> Sampler {
        Sampler::begin(&self.root, subject, settings).unwrap()
    }
}

/// No accelerators, no model.
fn quiet() -> Settings {
    Settings { accelerators: None, ..Settings::default() }
}

fn milliseconds(milliseconds: u64) -> Time {
    Time::from_millis(milliseconds)
}

fn cpu(sample: &Sample) -> Duration {
    sample.work.cpu.as_ref().map(|cpu| cpu.on).value().expect("time that is visible")
}

#[test]
fn a_group_of_version_two_counts_by_itself() {
    let machine = Machine::new();
    let group = "sys/fs/cgroup/job";
    machine.process(100, 1, Used { ticks: 10, ..Used::default() });
    machine.process(101, 1, Used { ticks: 10, ..Used::default() });
    machine.write("proc/self/mountinfo", "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
    machine.write("proc/100/cgroup", "0::/job\n");
    machine.write(&format!("{group}/cgroup.procs"), "100\n");
    machine.write(&format!("{group}/inner/cgroup.procs"), "101\n");
    let state = |used: u64, throttled: u64, read: u64, hits: u64| {
        let cpu = format!(
            "usage_usec {used}\nuser_usec {used}\nsystem_usec 0\nnr_periods 40\nnr_throttled {throttled}\n"
        );
        machine.write(&format!("{group}/cpu.stat"), &cpu);
        let io = format!("8:0 rbytes={read} wbytes=5 rios=1\n8:16 rbytes=1 wbytes=2 rios=1\n");
        machine.write(&format!("{group}/io.stat"), &io);
        machine.write(&format!("{group}/memory.events"), &format!("low 0\nhigh 0\nmax {hits}\n"));
        machine.write(&format!("{group}/memory.current"), "8192\n");
        let pressure = format!("some avg10=0 total={used}\nfull avg10=0 total=0\n");
        machine.write(&format!("{group}/io.pressure"), &pressure);
    };
    state(1_000_000, 3, 100, 1);
    let mut meter = machine.meter(&Subject::Group(format!("/{group}/")));
    assert_eq!(meter.latest().work.processes, 2);
    state(1_750_000, 5, 4196, 4);
    meter.look(Time::from_secs(1));
    let work = &meter.latest().work;
    assert_eq!(cpu(meter.latest()), Duration::constant(0.75));
    assert_eq!(work.bytes.clone().value().unwrap().disk_read, Bytes::new(4096));
    assert_eq!(work.limits.throttled.clone().value().unwrap().throttled_periods, 2);
    assert_eq!(work.limits.memory_limit_hits, Known::Value(3));
    let pressure = work.limits.pressure.clone().unwrap().io.value().unwrap();
    assert_eq!(pressure.some, Duration::constant(0.75));
    let charged = work.memory.clone().value().unwrap().charged;
    assert_eq!(charged, Some(Known::Value(Bytes::new(8192))));
}

#[test]
fn what_ended_unseen_is_in_the_count_of_its_group() {
    let machine = Machine::new();
    machine.process(100, 1, Used::default());
    let group = "sys/fs/cgroup/run/1";
    let used = |used: u64| {
        let text = format!("usage_usec {used}\nuser_usec {used}\nsystem_usec 0\n");
        machine.write(&format!("{group}/cpu.stat"), &text);
    };
    // It was made for this process: what it counted before the first look counts.
    used(250_000);
    let confined = Subject::Confined { process: 100, group: format!("/{group}") };
    let mut meter = machine.meter(&confined);
    assert_eq!(cpu(meter.latest()), Duration::constant(0.25));
    used(900_000);
    meter.look(Time::from_secs(1));
    assert_eq!(cpu(meter.latest()), Duration::constant(0.9));
    // A process that never got into its group counts by itself.
    let gone = Subject::Confined { process: 100, group: "sys/fs/cgroup/run/2".to_owned() };
    assert_eq!(machine.meter(&gone).latest().work.processes, 1);
}

#[test]
fn a_group_of_version_one_counts_by_itself() {
    let machine = Machine::new();
    let group = "sys/fs/cgroup/cpuacct/job";
    machine.process(100, 1, Used::default());
    machine.write(
        "proc/self/mountinfo",
        "32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n\
         35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n",
    );
    machine.write("proc/100/cgroup", "4:memory:/job\n1:cpu:/\n");
    machine.write("sys/fs/cgroup/cpu/cpu.stat", "nr_periods 9\nnr_throttled 4\n");
    machine.write("sys/fs/cgroup/memory/job/memory.failcnt", "2\n");
    machine.write(&format!("{group}/cgroup.procs"), "100\n");
    machine.write(&format!("{group}/cpuacct.usage"), "500000000\n");
    let mut meter = machine.meter(&Subject::Group(group.to_owned()));
    machine.write(&format!("{group}/cpuacct.usage"), "900000000\n");
    machine.write("sys/fs/cgroup/memory/job/memory.failcnt", "12\n");
    machine.write("sys/fs/cgroup/cpu/cpu.stat", "nr_periods 19\nnr_throttled 5\n");
    meter.look(Time::from_secs(1));
    assert_eq!(cpu(meter.latest()), Duration::constant(0.4));
    let limits = &meter.latest().work.limits;
    assert_eq!(limits.memory_limit_hits, Known::Value(10));
    let throttled = limits.throttled.clone().value().unwrap();
    assert_eq!((throttled.periods, throttled.throttled_periods), (10, 1));
}

#[test]
fn kept_samples_are_bounded_and_reach_from_start_to_end() {
    let machine = Machine::new();
    machine.process(100, 1, Used::default());
    let mut meter =
        machine.meter_with(&Subject::Spawned(100), &Settings { most_samples: 16, ..quiet() });
    for look in 1..=1000 {
        meter.look(milliseconds(look * 100));
    }
    let measured = meter.stop(milliseconds(100_100));
    assert!((8..=16).contains(&measured.samples.len()), "{}", measured.samples.len());
    assert_eq!(measured.looks_per_sample, 64);
    assert_eq!(measured.samples.last().unwrap().at, measured.wall);
    assert!(measured.samples.is_sorted_by(|one, next| one.at < next.at));
    assert_eq!(measured.looks, 1002);
}
