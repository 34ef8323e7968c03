//! The meter on the machine of this test: real processes, real files.
//!
//! Nothing here depends on how fast the machine is or who else uses it: a thread that wants to run
//! is on a processor or queued for one, and their sum is its demand.

#![cfg(target_os = "linux")]

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nearside_probe::ProbeError;
use nearside_probe::meter::{Measured, Meter, Sample, Settings, Subject, WaitClass};
use nearside_units::{self as units, Known};

fn shell(script: &str) -> Child {
    Command::new("sh").args(["-c", script]).stdin(Stdio::null()).spawn().expect("a shell")
}

fn settings() -> Settings {
    Settings { period: units::Duration::constant(0.02), accelerators: None, ..Settings::default() }
}

fn meter(subject: Subject) -> Meter {
    Meter::start(Path::new("/"), subject, settings()).expect("a process that is there")
}

/// Runs a script under the meter to its end.
fn measured(script: &str) -> Measured {
    let mut child = shell(script);
    let meter = meter(Subject::Spawned(child.id()));
    meter.wait(&mut child).expect("a child that ends").1
}

/// Waits until a child has ended, but leaves it there.
fn wait_without_taking(child: &Child) {
    let begin = Instant::now();
    while stat(child.id())[2] != "Z" {
        assert!(begin.elapsed() < Duration::from_secs(60), "the child does not end");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn kill(mut child: Child) {
    child.kill().expect("a child that runs");
    child.wait().expect("a child that ended");
}

/// On and queued, in threads that want to run.
fn demand(measured: &Measured) -> f64 {
    let time = |time: &Known<units::Duration>| time.clone().value().expect("times of scheduling");
    (time(&measured.cpu_on) + time(&measured.cpu_queued)) / measured.wall
}

/// A loop of this many steps, in seconds of processor time.
fn spin(steps: u32) -> String {
    format!("i=0; while [ $i -lt {steps} ]; do i=$((i+1)); done")
}

#[test]
fn a_spinning_child_is_about_one_core() {
    let child = shell("while :; do :; done");
    let meter = meter(Subject::Spawned(child.id()));
    std::thread::sleep(Duration::from_millis(800));
    let measured = meter.stop().unwrap();
    kill(child);
    let demand = demand(&measured);
    assert!((0.85..1.1).contains(&demand), "{demand}");
    assert_eq!(measured.threads.len(), 1);
    assert!(measured.threads[0].is_main && measured.threads[0].name == "sh");
}

#[test]
fn a_sleeper_uses_nothing_and_waits_for_a_timer() {
    let child = Command::new("sleep").arg("30").spawn().unwrap();
    let meter = meter(Subject::Spawned(child.id()));
    std::thread::sleep(Duration::from_millis(500));
    let measured = meter.stop().unwrap();
    kill(child);
    assert!(demand(&measured) < 0.1);
    let waits = measured.waits().value().unwrap();
    let visible = std::fs::read_to_string("/proc/self/wchan").is_ok();
    if visible && waits.of(WaitClass::NotVisible) == units::Duration::ZERO {
        assert!(waits.of(WaitClass::Timer) / measured.wall > 0.7, "{waits:?}");
    }
}

#[test]
fn a_child_of_a_child_is_followed() {
    let child = shell("sh -c 'while :; do :; done & wait' & wait");
    let root = child.id();
    let meter = meter(Subject::Spawned(root));
    std::thread::sleep(Duration::from_millis(800));
    let sample = meter.so_far().latest;
    let measured = meter.stop().unwrap();
    // Nobody takes grandchildren away with their shell.
    let spinner = measured.threads[0].process;
    Command::new("kill").arg(spinner.to_string()).status().unwrap();
    kill(child);
    assert_eq!(sample.work.processes, 3, "{sample:?}");
    assert_ne!(spinner, root);
    assert!((0.7..1.1).contains(&demand(&measured)), "{}", demand(&measured));
}

#[test]
fn processes_that_end_between_looks_keep_their_time() {
    // Some hundred processes that each live a few milliseconds, with about the same to do.
    let one = spin(4000);
    let measured = measured(&format!("n=0; while [ $n -lt 150 ]; do ({one}); n=$((n+1)); done"));
    let cpu = measured.last.work.cpu.clone().value().unwrap();
    let seen: f64 = measured.threads.iter().map(|thread| thread.on.as_seconds()).sum();
    // The kernel's own sum, which the zombie still shows.
    assert!(cpu.on.as_seconds() > 0.2, "{cpu:?}");
    assert!(cpu.on.as_seconds() >= seen);
    let processes: f64 = cpu.user.as_seconds() + cpu.system.as_seconds();
    assert!((cpu.on.as_seconds() - processes).abs() < 0.15 + 0.2 * processes, "{cpu:?} {seen}");
}

#[test]
fn the_total_is_what_the_kernel_charges_for_the_whole_tree() {
    let script = format!("{one}; ({one}); ({one}) & ({one}) & wait; ({one})", one = spin(60_000));
    let mut child = shell(&format!("exec sh -c '{script}'"));
    let meter = meter(Subject::Spawned(child.id()));
    wait_without_taking(&child);
    let measured = meter.stop().unwrap();
    let zombie = stat(child.id());
    child.wait().unwrap();
    // Fields 14 to 17: own and waited for.
    let charged: u64 = zombie[13..17].iter().map(|ticks| ticks.parse::<u64>().unwrap()).sum();
    let on = measured.cpu_on.clone().value().unwrap().as_seconds();
    assert!((on - charged as f64 / 100.0).abs() < 0.12, "{on} {charged}");
}

fn stat(process: u32) -> Vec<String> {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat")).expect("a child");
    // The name is one word in these tests.
    text.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn threads_that_fight_for_a_lock_wait_for_each_other() {
    let lock = Arc::new(Mutex::new(0u64));
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let contender = |number: usize| {
        let (lock, stop) = (Arc::clone(&lock), Arc::clone(&stop));
        let run = move || {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                // Held over a sleep, so that the others are asleep on any machine.
                let mut held = lock.lock().unwrap();
                *held += 1;
                std::thread::sleep(Duration::from_millis(3));
            }
        };
        std::thread::Builder::new().name(format!("contender{number}")).spawn(run).unwrap()
    };
    let threads: Vec<_> = (0..4).map(contender).collect();
    let meter = meter(Subject::Running(std::process::id()));
    std::thread::sleep(Duration::from_millis(900));
    let measured = meter.stop().unwrap();
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    for thread in threads {
        thread.join().unwrap();
    }
    let ours: Vec<_> =
        measured.threads.iter().filter(|thread| thread.name.starts_with("contender")).collect();
    assert_eq!(ours.len(), 4, "{:?}", measured.threads);
    let time =
        |class| -> f64 { ours.iter().map(|thread| thread.waits.of(class).as_seconds()).sum() };
    let asleep: f64 = ours.iter().map(|thread| thread.waits.total().as_seconds()).sum();
    if time(WaitClass::NotVisible) < 0.1 * asleep {
        assert!(time(WaitClass::Futex) > 0.4 * asleep, "{ours:?}");
        assert!(ours.iter().all(|thread| thread.voluntary_switches > 2), "{ours:?}");
    }
}

#[test]
fn totals_never_go_back() {
    let one = spin(3000);
    let script = format!(
        "n=0; while [ $n -lt 60 ]; do ({one}) & ({one}); cat /proc/self/stat >/dev/null; \
         n=$((n+1)); done; wait"
    );
    let measured = measured(&script);
    assert!(measured.samples.len() > 3);
    let totals = |sample: &Sample| {
        let work = sample.work.clone();
        let (cpu, scheduling) = (work.cpu.value().unwrap(), work.scheduling.value().unwrap());
        let (faults, bytes) = (work.faults.value().unwrap(), work.bytes.value().unwrap());
        let waits = WaitClass::ALL.map(|class| scheduling.waits.of(class).as_seconds());
        let mut totals = vec![
            cpu.on.as_seconds(),
            cpu.user.as_seconds(),
            cpu.system.as_seconds(),
            scheduling.queued.as_seconds(),
            scheduling.slices as f64,
            scheduling.voluntary_switches as f64,
            scheduling.involuntary_switches as f64,
            faults.minor as f64,
            faults.major as f64,
            bytes.read.get() as f64,
            bytes.written.get() as f64,
            bytes.disk_read.get() as f64,
            bytes.disk_written.get() as f64,
        ];
        totals.extend(waits);
        totals
    };
    for pair in measured.samples.windows(2) {
        let (before, after) = (totals(&pair[0]), totals(&pair[1]));
        for (place, (before, after)) in before.iter().zip(&after).enumerate() {
            assert!(before <= after, "total {place}: {before} then {after}");
        }
    }
}

#[test]
fn bytes_and_memory_of_a_tree() {
    let measured = measured(
        "(head -c 3000000 /dev/zero | cat >/dev/null); head -c 1000 /dev/zero >/dev/null; sleep 0.2",
    );
    let bytes = measured.last.work.bytes.clone().value().unwrap();
    // Read from the device, written to the pipe, read from it, written to nowhere.
    assert!(bytes.read.get() > 6_000_000 && bytes.read.get() < 7_000_000, "{bytes:?}");
    assert!(bytes.written.get() > 6_000_000 && bytes.written.get() < 7_000_000, "{bytes:?}");
    assert!(measured.peak_memory.value().unwrap() > units::Bytes::new(100 << 10));
    assert!(measured.last.work.faults.clone().value().unwrap().minor > 50);
}

#[test]
fn a_process_that_is_not_there_is_an_error() {
    let mut child = shell("exit 0");
    let id = child.id();
    child.wait().unwrap();
    let error = Meter::start(Path::new("/"), Subject::Spawned(id), settings()).unwrap_err();
    assert!(matches!(error, ProbeError::Subject { .. }), "{error}");
    assert_eq!(error.to_string(), format!("cannot measure process {id}: not there"));
}

#[test]
fn the_machine_is_seen_meanwhile() {
    let measured = measured(&spin(50_000));
    let usable = measured.usable_processors.clone().value().unwrap();
    assert!(usable > 0.0);
    let cores = measured.last.machine.cores.clone().value().unwrap();
    assert!(!cores.is_empty());
    assert!(
        measured.last.machine.memory_available.clone().value().unwrap() > units::Bytes::mib(16)
    );
    assert!(measured.last.machine.network.clone().value().is_some());
    // Without a model and without sensors there are reasons; with sensors there are joules.
    let energy = &measured.energy;
    assert!(!energy.parts.is_empty() || !energy.machine.missing.is_empty());
}
