//! What goes wrong around a run and not in it: a disk without room, a stage that prints without end.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::command::Folder;
use crate::project::{Project, results};

/// A file system of its own at a folder, gone when this is dropped.
struct Small<'a>(&'a Path);

impl<'a> Small<'a> {
    /// One of so many MiB; nothing, said aloud, where none can be mounted.
    fn mount(at: &'a Path, size: u32) -> Option<Self> {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={size}m"), "tmpfs"]).arg(at);
        let why = match mount.output() {
            Ok(done) if done.status.success() => return Some(Self(at)),
            Ok(done) => String::from_utf8_lossy(&done.stderr).trim().to_owned(),
            Err(error) => error.to_string(),
        };
        eprintln!("SKIPPED: no small disk can be mounted ({why}); remedy: run it as root on Linux");
        None
    }
}

impl Drop for Small<'_> {
    fn drop(&mut self) {
        // Lazily: nothing that is still open may keep it.
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}

/// The second stage writes as much as a file says, which is no part of what it depends on.
const WRITES: &str = r#"
[stage.small]
phase = "prepare"
inputs = ["words"]
outputs = ["build/small"]
run = "cp data/words.txt build/small"
[stage.big]
phase = "features"
inputs = ["build/small"]
outputs = ["build/big"]
run = "head -c $(cat size) /dev/zero > build/big"
"#;

/// Why a stage failed, and that it did.
#[track_caller]
fn failure(project: &Project) -> String {
    let run = project.nearside(&["run", "--json"]).exits(5).data();
    let stages = run["stages"].as_array().unwrap();
    let big = stages.iter().find(|stage| stage["stage"] == "big").unwrap();
    assert_eq!(big["result"], "failed", "{run}");
    big["why"].as_str().unwrap().to_owned()
}

#[test]
fn a_full_disk_fails_one_stage_and_hurts_nothing_else() {
    // Whatever an earlier test that was killed left mounted there.
    let folder = Folder::new("run-full-disk");
    let _ = Command::new("umount").args(["-q", "-l"]).arg(folder.path()).status();
    let Some(_disk) = Small::mount(folder.path(), 16) else { return };
    let project = Project::new("full-disk/project", WRITES);
    let whole = || {
        assert_eq!(project.read("build/small"), "one\ntwo\n");
        let built = fs::read_dir(project.path().join("build")).unwrap().flatten();
        assert_eq!(built.map(|entry| entry.file_name()).collect::<Vec<_>>(), ["small"]);
        project.nearside(&["ledger", "verify"]).exits(0);
    };
    // Its command meets the end of the disk.
    project.0.write("size", "64000000");
    let why = failure(&project);
    assert!(why.contains("exit code 1") && why.contains("is full ("), "{why}");
    whole();
    // Its command has room for what it writes, but that cannot be kept.
    project.0.write("size", "10000000");
    let why = failure(&project);
    assert!(why.contains("No space left on device"), "{why}");
    whole();
    // Something else took the room before, nearly all of it and all of it.
    for size in [15 << 20, 16 << 20] {
        let filler = project.path().join("filler");
        let _ = fs::write(&filler, vec![0; size]);
        let run = project.nearside(&["run"]);
        assert!(matches!(run.code, 4 | 5), "{}{}", run.stdout, run.stderr);
        let said = run.stdout + &run.stderr;
        assert!(said.contains("full") || said.contains("No space"), "{said}");
        fs::remove_file(&filler).unwrap();
        whole();
    }
    project.0.write("size", "1000000");
    let expected = results(&[("small", "current"), ("big", "done")]);
    assert_eq!(project.run(&[], 0), expected);
    assert_eq!(fs::metadata(project.path().join("build/big")).unwrap().len(), 1_000_000);
    project.nearside(&["ledger", "verify"]).exits(0);
}

/// The most memory that a process held so far.
#[cfg(target_os = "linux")]
fn peak(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes << 10)
}

#[cfg(target_os = "linux")]
#[test]
fn a_stage_that_prints_a_gigabyte_takes_a_disk_and_no_memory() {
    const PRINTED: u64 = 1_000_000_000;
    let stage = format!(
        "[stage.loud]\nphase = \"explore\"\noutputs = [\"x\"]\n\
         run = \"yes | head -c {PRINTED}; echo > x; echo; echo last; exit 1\"\n"
    );
    let project = Project::new("gigabyte", &stage);
    let mut child = project.start(&["run"]);
    let mut most = 0;
    let status = loop {
        most = most.max(peak(child.id()).unwrap_or(0));
        match child.try_wait().unwrap() {
            Some(status) => break status,
            None => std::thread::sleep(Duration::from_millis(5)),
        }
    };
    assert_eq!(status.code(), Some(5));
    assert!((1 << 20..64 << 20).contains(&most), "{most} bytes of memory");
    let log = project.path().join(".nearside/logs/loud.log");
    assert_eq!(fs::metadata(&log).unwrap().len(), PRINTED + "\nlast\n".len() as u64);
    // Much for a target folder to keep.
    fs::remove_file(log).unwrap();
}
