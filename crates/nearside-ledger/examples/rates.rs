//! How many entries a second a ledger takes and verifies, on the disk of the folder that is given.
//!
//! `cargo run --release -p nearside-ledger --example rates -- FOLDER`
#![allow(clippy::print_stdout, reason = "printing is what it is for")]

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use nearside_ledger::{MovementRow, ProjectLedger, Table, Timestamp};

/// Appends of one entry each: each waits for the disk.
const ALONE: u64 = 200;
/// Entries of one append.
const TOGETHER: u64 = 1000;
/// Appends of so many entries.
const APPENDS: u64 = 200;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).ok_or("give a folder to write in")?;
    let path = Path::new(&folder).join("rates.db");
    if path.exists() {
        return Err(format!("{} is there already", path.display()).into());
    }
    let began: Timestamp = "2026-11-23T10:00:00Z".parse()?;
    let mut ledger = ProjectLedger::open(&path)?;
    timed("appended alone", ALONE, || {
        (0..ALONE).try_for_each(|at| ledger.add(&movement(began, at)).map(drop))
    })?;
    timed("appended together", APPENDS * TOGETHER, || {
        (0..APPENDS).try_for_each(|_append| {
            ledger.append(|to| {
                (0..TOGETHER).try_for_each(|at| to.add(&movement(began, at)).map(drop))
            })
        })
    })?;
    let entries = ALONE + APPENDS * TOGETHER;
    let found = timed("verified", entries, || ledger.verify(None))?;
    if !found.is_sound() {
        return Err(format!("{:?}", found.faults).into());
    }
    timed("written as CSV", entries, || ledger.write_csv(Table::Movements, &mut std::io::sink()))?;
    timed("written as JSON", entries, || ledger.write_json_lines(&mut std::io::sink()))?;
    drop(ledger);
    println!("{:>10.0} bytes an entry", std::fs::metadata(&path)?.len() as f64 / entries as f64);
    timed("opened and asked for its head", 1, || ProjectLedger::open(&path)?.head())?;
    Ok(())
}

fn movement(at: Timestamp, bytes: u64) -> MovementRow {
    MovementRow {
        at,
        run: Some("2026-11-23-1".to_owned()),
        path: "build/tickets.clean.csv".to_owned(),
        from_site: "here".to_owned(),
        to_site: "lab".to_owned(),
        bytes,
        digest: "0f3a".repeat(16),
        class: "internal".to_owned(),
        certificate: None,
    }
}

fn timed<T, E>(what: &str, count: u64, run: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    let began = Instant::now();
    let value = run()?;
    let seconds = began.elapsed().as_secs_f64();
    println!("{:>10.0} entries/s {what} ({count} in {seconds:.3} s)", count as f64 / seconds);
    Ok(value)
}
