//! What does the meter itself cost? Prints its share of a core while it follows 50 threads, and the
//! time it takes to start.
//!
//! `cargo run --release -p nearside-probe --example meter -- [SECONDS] [LOOKS PER SECOND]`
//!
//! The work is this program itself, started again as a chain of processes of several threads. With
//! `--overhead COMMAND...` it runs a command under the meter instead and prints one line of JSON,
//! for `bench/meter.py`.

#![allow(clippy::print_stdout, reason = "a benchmark prints its answer")]

use std::error::Error;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nearside_probe::meter::{Measured, Meter, Settings, Subject, WaitClass};
use nearside_units as units;

/// What the threads do, in how many processes of how many threads, and in words. The bound holds
/// for 50 threads; the last row shows what a large tree costs.
const ROWS: [(&str, usize, usize, &str); 6] = [
    ("asleep", 5, 10, "all wait for ever"),
    ("ticking", 5, 10, "each sleeps 20 ms, again and again"),
    ("locking", 5, 10, "each takes one lock, again and again"),
    ("spinning", 5, 10, "each computes"),
    ("ticking", 50, 1, "each sleeps 20 ms, again and again"),
    ("ticking", 20, 50, "each sleeps 20 ms, again and again"),
];
/// Starts that are timed.
const STARTS: usize = 101;
/// What the meter promises.
const MOST_SHARE: f64 = 0.005;
const MOST_START: Duration = Duration::from_millis(10);

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["--work", kind, processes, threads] => work(kind, processes.parse()?, threads.parse()?),
        ["--overhead", command @ ..] => overhead(command),
        rest => {
            let seconds = rest.first().map_or(Ok(10.0), |text| text.parse())?;
            let looks = rest.get(1).map_or(Ok(10.0), |text| text.parse())?;
            report(seconds, looks)
        }
    }
}

fn report(seconds: f64, looks: f64) -> Result<(), Box<dyn Error>> {
    println!(
        "{looks} looks per second, {seconds} s each; bound {} % of a core",
        MOST_SHARE * 100.0
    );
    println!("{:<9} {:<8} {:>8} {:>8} {:>4}  the threads", "kind", "tree", "of core", "look", "ok");
    for (kind, processes, threads, what) in ROWS {
        let mut tree = start_work(kind, processes, threads)?;
        std::thread::sleep(Duration::from_millis(1000));
        let measured = measure(tree.id(), Duration::from_secs_f64(seconds), looks);
        tree.kill()?;
        tree.wait()?;
        // The others see that it is gone.
        std::thread::sleep(Duration::from_millis(1000));
        let measured = measured?;
        let share = measured.own_cost / measured.wall;
        println!(
            "{kind:<9} {:<8} {:>6.3} % {:>5.0} us {:>4}  {what}; {}",
            format!("{processes} x {threads}"),
            share * 100.0,
            measured.own_cost.as_seconds() * 1e6 / measured.looks as f64,
            if share < MOST_SHARE { "yes" } else { "NO" },
            seen(&measured),
        );
    }
    let starts = starts()?;
    let median = starts[STARTS / 2];
    println!(
        "start: median {:.2} ms, slowest of {STARTS} {:.2} ms, bound {} ms: {}",
        median.as_secs_f64() * 1e3,
        starts[STARTS - 1].as_secs_f64() * 1e3,
        MOST_START.as_millis(),
        if median < MOST_START { "yes" } else { "NO" },
    );
    Ok(())
}

/// What the meter saw of the work, in a few words.
fn seen(measured: &Measured) -> String {
    let cores = measured.cpu_on.clone().value().map_or(f64::NAN, |on| on / measured.wall);
    let queued =
        measured.cpu_queued.clone().value().map_or(f64::NAN, |queued| queued / measured.wall);
    let waits = measured.waits().value().unwrap_or_default();
    let mut most: Vec<_> = WaitClass::ALL.iter().map(|class| (*class, waits.of(*class))).collect();
    most.sort_by(|one, other| other.1.as_seconds().total_cmp(&one.1.as_seconds()));
    let asleep = most.iter().take(2).filter(|(_, time)| *time > units::Duration::ZERO);
    let asleep: Vec<String> = asleep
        .map(|(class, time)| format!("{} {:.1}", class.title(), *time / measured.wall))
        .collect();
    format!(
        "{} threads, {cores:.2} on, {queued:.2} queued, asleep: {}",
        measured.last.work.threads,
        asleep.join(", ")
    )
}

fn measure(process: u32, time: Duration, looks: f64) -> Result<Measured, Box<dyn Error>> {
    let settings =
        Settings { period: units::Duration::from_seconds(1.0 / looks)?, ..Settings::default() };
    let meter = Meter::start(Path::new("/"), Subject::Running(process), settings)?;
    std::thread::sleep(time);
    Ok(meter.stop()?)
}

/// Times from asking for a meter to having the first look, shortest first.
fn starts() -> Result<Vec<Duration>, Box<dyn Error>> {
    let mut tree = start_work("ticking", 5, 10)?;
    std::thread::sleep(Duration::from_millis(500));
    let mut times = Vec::with_capacity(STARTS);
    for _ in 0..STARTS {
        let begin = Instant::now();
        let meter = Meter::start(Path::new("/"), Subject::Running(tree.id()), Settings::default())?;
        times.push(begin.elapsed());
        meter.stop()?;
    }
    tree.kill()?;
    tree.wait()?;
    times.sort();
    Ok(times)
}

/// Runs a command under the meter.
fn overhead(command: &[&str]) -> Result<(), Box<dyn Error>> {
    let (program, arguments) = command.split_first().ok_or("no command")?;
    let begin = Instant::now();
    let mut child = Command::new(program).args(arguments).stdout(Stdio::null()).spawn()?;
    let spawned = begin.elapsed();
    let meter = Meter::start(Path::new("/"), Subject::Spawned(child.id()), Settings::default())?;
    let started = begin.elapsed() - spawned;
    // As a caller would that does not need the last moments of the child.
    child.wait()?;
    let ended = begin.elapsed();
    let measured = meter.stop()?;
    println!(
        "{{\"start_ms\": {:.3}, \"stop_ms\": {:.3}, \"wall_s\": {:.4}, \"own_cpu_s\": {:.6}, \
         \"cpu_on_s\": {:.4}}}",
        started.as_secs_f64() * 1e3,
        (begin.elapsed() - ended).as_secs_f64() * 1e3,
        measured.wall.as_seconds(),
        measured.own_cost.as_seconds(),
        measured.cpu_on.value().map_or(f64::NAN, |on| on.as_seconds()),
    );
    Ok(())
}

fn start_work(kind: &str, processes: usize, threads: usize) -> std::io::Result<Child> {
    let (processes, threads) = (processes.to_string(), threads.to_string());
    Command::new(std::env::current_exe()?).args(["--work", kind, &processes, &threads]).spawn()
}

/// Works until it is killed, or whoever started it is gone.
fn work(kind: &str, processes: usize, threads: usize) -> Result<(), Box<dyn Error>> {
    let mut child =
        if processes > 1 { Some(start_work(kind, processes - 1, threads)?) } else { None };
    let begun_by = parent();
    let lock = Arc::new(Mutex::new(0u64));
    for _ in 1..threads {
        let (lock, kind) = (Arc::clone(&lock), kind.to_owned());
        std::thread::spawn(move || {
            loop {
                step(&kind, &lock);
            }
        });
    }
    while parent() == begun_by {
        match threads {
            1 => step(kind, &lock),
            _ => std::thread::sleep(Duration::from_millis(200)),
        }
    }
    if let Some(child) = &mut child {
        child.kill()?;
    }
    Ok(())
}

/// One step of a thread's work.
fn step(kind: &str, lock: &Mutex<u64>) {
    match kind {
        "asleep" => std::thread::sleep(Duration::from_secs(1000)),
        "ticking" => std::thread::sleep(Duration::from_millis(20)),
        "locking" => {
            if let Ok(mut count) = lock.lock() {
                *count += (0..20_000).fold(0, |sum, add| std::hint::black_box(sum + add));
            }
        }
        _ => {
            std::hint::black_box((0..1000u64).sum::<u64>());
        }
    }
}

#[cfg(unix)]
fn parent() -> u32 {
    std::os::unix::process::parent_id()
}

/// Elsewhere the work is left to whoever ends the benchmark.
#[cfg(not(unix))]
fn parent() -> u32 {
    0
}
