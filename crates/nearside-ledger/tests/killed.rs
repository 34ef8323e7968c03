//! A program that is killed while it writes loses nothing that it had committed.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test")]

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nearside_ledger::{CeilingRow, Figures, MachineStore};

/// Says to the test program that it is the one to be killed, and where it writes.
const WRITER: &str = "NEARSIDE_TEST_WRITER";
/// What the writer says after each commit, before the number of its commit.
const SAID: &str = "committed ";
/// Rows of each commit.
const TOGETHER: usize = 20;
/// Commits after which the writer is killed, in each round.
const ROUNDS: [usize; 3] = [1, 7, 40];

/// Commits without end; not a test unless it is told to be the writer.
#[test]
fn writer() {
    let Some(file) = std::env::var_os(WRITER) else { return };
    let mut store = MachineStore::open(Path::new(&file)).unwrap();
    let before = store.newest_ceilings("machine").unwrap().len() / TOGETHER;
    for commit in before.. {
        let rows: Vec<_> = (0..TOGETHER).map(|part| row(commit, part)).collect();
        store.add_ceilings(&rows).unwrap();
        println!("{SAID}{commit}");
    }
}

fn row(commit: usize, part: usize) -> CeilingRow {
    let figure = commit as f64;
    CeilingRow {
        machine: "machine".to_owned(),
        name: format!("{commit:06}/{part:02}"),
        unit: "B/s".to_owned(),
        figures: Figures::new(figure, figure, figure).unwrap(),
        measured_on: "2026-11-23".parse().unwrap(),
        conditions: "{}".to_owned(),
    }
}

#[test]
fn a_killed_program_loses_nothing_it_committed() {
    let folder: PathBuf = Path::new(env!("CARGO_TARGET_TMPDIR")).join("killed");
    let _not_there = std::fs::remove_dir_all(&folder);
    let file = folder.join("machine.db");
    for commits in ROUNDS {
        let last = killed_after(&file, commits);
        let store = MachineStore::open(&file).unwrap();
        let found = store.newest_ceilings("machine").unwrap();
        // All that was said is there; one more commit may have come before its message did.
        let whole = found.len() / TOGETHER;
        assert_eq!(found.len() % TOGETHER, 0, "part of a commit");
        assert!(whole > last, "{whole} commits, but number {last} was said to be there");
        for (at, found) in found.iter().enumerate() {
            assert_eq!(*found, row(at / TOGETHER, at % TOGETHER));
        }
    }
}

/// Starts a writer, kills it (SIGKILL on Unix) after so many commits, and gives the last it said.
fn killed_after(file: &Path, commits: usize) -> usize {
    let mut writer = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "writer", "--nocapture"])
        .env(WRITER, file)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let said = BufReader::new(writer.stdout.take().unwrap()).lines().map_while(Result::ok);
    let numbers = said.filter_map(|line| line.strip_prefix(SAID)?.parse().ok());
    let last = numbers.take(commits).last();
    writer.kill().unwrap();
    writer.wait().unwrap();
    last.unwrap_or_else(|| panic!("the writer committed nothing"))
}
