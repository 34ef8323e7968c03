//! What does the meter itself cost? Prints its share of a core while it follows 50 threads, and the
//! time it takes to start.
//!
//! `cargo run --release -p nearside-probe --example meter -- [SECONDS] [LOOKS PER SECOND]`
//!
//! The work is this program itself, started again as 5 processes of 10 threads, of which each does
//! one of four things. With `--overhead COMMAND...` it runs a command under the meter instead and
//! prints one line of JSON, for `bench/meter.py`.

#![allow(clippy::print_stdout, reason = "a benchmark prints its answer")]

use std::error::Error;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nearside_probe::meter::{Measured, Meter, Settings, Subject, WaitClass};
use nearside_units as units;

/// Processes of the tree, the first included, and threads of each.
const PROCESSES: usize = 5;
const THREADS: usize = 10;
/// What the threads do.
const KINDS: [(&str, &str); 4] = [
    ("asleep", "all wait for ever"),
    ("ticking", "each sleeps 20 ms, again and again"),
    ("locking", "each takes one lock, again and again"),
    ("spinning", "each computes"),
];
/// Starts that are timed.
const STARTS: usize = 101;
/// What the meter promises.
const MOST_SHARE: f64 = 0.005;
const MOST_START: Duration = Duration::from_millis(10);

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["--work", kind, processes] => work(kind, processes.parse()?),
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
        "{PROCESSES} processes of {THREADS} threads, {looks} looks per second, {seconds} s each"
    );
    println!(
        "{:<10} {:>14} {:>10} {:>9} {:>9}  the threads",
        "kind", "share of core", "per look", "looks", "ok"
    );
    for (kind, what) in KINDS {
        let mut tree = start_work(kind)?;
        std::thread::sleep(Duration::from_millis(500));
        let measured = measure(tree.id(), Duration::from_secs_f64(seconds), looks);
        tree.kill()?;
        tree.wait()?;
        let measured = measured?;
        let share = measured.own_cost / measured.wall;
        println!(
            "{kind:<10} {:>12.3} % {:>7.0} us {:>9} {:>9}  {what}; {}",
            share * 100.0,
            measured.own_cost.as_seconds() * 1e6 / measured.looks as f64,
            measured.looks,
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
    let mut tree = start_work("ticking")?;
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

fn start_work(kind: &str) -> std::io::Result<Child> {
    let processes = PROCESSES.to_string();
    Command::new(std::env::current_exe()?).args(["--work", kind, &processes]).spawn()
}

/// Works until it is killed, or its parent is gone.
fn work(kind: &str, processes: usize) -> Result<(), Box<dyn Error>> {
    if processes > 1 {
        let fewer = (processes - 1).to_string();
        Command::new(std::env::current_exe()?).args(["--work", kind, &fewer]).spawn()?;
    }
    let parent = std::os::unix::process::parent_id();
    let lock = Arc::new(Mutex::new(0u64));
    for _ in 1..THREADS {
        let (lock, kind) = (Arc::clone(&lock), kind.to_owned());
        std::thread::spawn(move || {
            loop {
                match kind.as_str() {
                    "asleep" => std::thread::sleep(Duration::from_secs(1000)),
                    "ticking" => std::thread::sleep(Duration::from_millis(20)),
                    "locking" => {
                        if let Ok(mut count) = lock.lock() {
                            *count +=
                                (0..20_000).fold(0, |sum, add| std::hint::black_box(sum + add));
                        }
                    }
                    _ => {
                        std::hint::black_box((0..1000u64).sum::<u64>());
                    }
                }
            }
        });
    }
    while std::os::unix::process::parent_id() == parent {
        std::thread::sleep(Duration::from_millis(200));
    }
    Ok(())
}
