//! Commands in control groups of their own: what only a group ends, and what only a group counts.
//!
//! Where no group can be made the tests say so and stop; `run.rs` holds what must be so without.

#![cfg(target_os = "linux")]

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::{Run, command};
use crate::project::Project;
use crate::run::{eventually, is_running};

/// The folder of the group that tests run in, if groups can be made there.
fn own_group() -> Option<PathBuf> {
    let membership = fs::read_to_string("/proc/self/cgroup").unwrap();
    let group = membership.lines().find_map(|line| line.strip_prefix("0::/"));
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let mount = mounts.lines().find(|line| line.contains(" - cgroup2 "));
    let folder = group.zip(mount.and_then(|mount| mount.split(' ').nth(4)));
    let folder = folder.map(|(group, point)| Path::new(point).join(group));
    let made = folder.filter(|folder| {
        let probe = folder.join(format!("probe-{}", std::process::id()));
        fs::create_dir(&probe).and_then(|()| fs::remove_dir(&probe)).is_ok()
    });
    if made.is_none() {
        eprintln!("SKIPPED: no control group can be made; remedy: cgroup v2, delegated or as root");
    }
    made
}

/// The group of a project's runs.
fn group_of(project: &Project, own: &Path) -> PathBuf {
    let lock = fs::metadata(project.path().join(".nearside/run.lock")).unwrap();
    own.join(format!("nearside-{:x}-{:x}", lock.dev(), lock.ino()))
}

/// How many processes are in the group of a run's first command.
fn members(group: &Path) -> usize {
    fs::read_to_string(group.join("1/cgroup.procs")).unwrap_or_default().lines().count()
}

/// A word that nobody else sleeps for.
fn word(number: u32) -> String {
    format!("86{number}.{}", std::process::id())
}

/// The process between a run and its command.
fn guard_of(run: u32) -> Option<String> {
    let children = fs::read_to_string(format!("/proc/{run}/task/{run}/children")).ok()?;
    let is_guard = |child: &&str| {
        let line = fs::read_to_string(format!("/proc/{child}/cmdline")).unwrap_or_default();
        line.contains("__guard")
    };
    children.split_whitespace().find(is_guard).map(str::to_owned)
}

fn kill(process: &str) {
    assert!(Command::new("kill").args(["-KILL", process]).status().unwrap().success());
}

fn sleeping(name: &str, word: &str) -> Project {
    let stage = format!(
        "[stage.slow]\nphase = \"explore\"\nrun = \"(setsid sleep {word} &); sleep {word}; true\"\n"
    );
    Project::new(name, &stage)
}

#[test]
fn what_starts_another_and_ends_is_ended() {
    let Some(own) = own_group() else { return };
    let word = word(1);
    let stage = format!(
        "[stage.chain]\nphase = \"explore\"\noutputs = [\"x\"]\n\
         run = \"sh chain.sh {word} & sleep 0.1; echo x > x\"\n"
    );
    let project = Project::new("chain", &stage);
    // Nobody of them is there for long enough to be listed and killed.
    project.0.write("chain.sh", "trap '' TERM\nsh chain.sh \"$1\" &\n");
    assert_eq!(project.run(&[], 0)["chain"], "done");
    for _ in 0..50 {
        assert!(!is_running(&word));
    }
    assert!(!group_of(&project, &own).exists());
}

#[test]
fn a_guard_that_is_killed_takes_its_command_along() {
    let Some(own) = own_group() else { return };
    let word = word(2);
    let project = sleeping("guard-killed", &word);
    let mut run = project.start(&["run"]);
    eventually("the stage", || is_running(&word));
    kill(&guard_of(run.id()).unwrap());
    assert_eq!(run.wait().unwrap().code(), Some(5));
    assert!(!is_running(&word));
    assert!(!group_of(&project, &own).exists());
}

#[test]
fn a_run_that_is_killed_leaves_no_group() {
    let Some(own) = own_group() else { return };
    let word = word(3);
    let project = sleeping("run-killed", &word);
    let mut run = project.start(&["run"]);
    eventually("the stage", || is_running(&word));
    let group = group_of(&project, &own);
    eventually("guard, shell and both commands in the group", || members(&group) >= 4);
    kill(&run.id().to_string());
    run.wait().unwrap();
    eventually("the end of the tree", || !is_running(&word));
    eventually("the end of the group", || !group.exists());
}

#[test]
fn what_a_run_and_its_guard_left_ends_with_the_next_run() {
    let Some(own) = own_group() else { return };
    let word = word(4);
    let project = sleeping("both-killed", &word);
    let mut run = project.start(&["run"]);
    eventually("the stage", || is_running(&word));
    let group = group_of(&project, &own);
    eventually("guard, shell and both commands in the group", || members(&group) >= 4);
    let guard = guard_of(run.id()).unwrap();
    // The run first: it would end the rest when it sees its guard end.
    Command::new("kill").args(["-STOP", &guard]).status().unwrap();
    kill(&run.id().to_string());
    kill(&guard);
    run.wait().unwrap();
    assert!(is_running(&word) && group.exists());
    let file = project.read("nearside.toml");
    project.0.write("nearside.toml", file.replace(&format!("sleep {word}; true\"\n"), "true\"\n"));
    assert_eq!(project.run(&[], 0)["slow"], "done");
    assert!(!is_running(&word));
    assert!(!group.exists() && !project.path().join(".nearside/group").exists());
}

#[test]
fn what_nobody_waits_for_is_counted() {
    if own_group().is_none() {
        return;
    }
    if Command::new("perl").arg("-e0").status().is_err() {
        eprintln!("SKIPPED: children that nobody waits for need perl; remedy: apt install perl");
        return;
    }
    // A parent that ignores the end of its children never gets to know what they used, and most are
    // over before the meter looks again.
    let used = |name: &str, each: &str, after: &str| {
        let count = "for ($i = 0; $i < 300000; $i++) {}";
        let script = format!("{each} for (1..16) {{ unless (fork) {{ {count} exit }} {after} }}\n");
        let stage = "[stage.short]\nphase = \"explore\"\nrun = \"perl short.pl\"\n";
        let project = Project::new(name, stage);
        project.0.write("short.pl", script);
        let run = project.nearside(&["run", "--json"]).exits(0).data();
        run["stages"][0]["processor_seconds"].as_f64().unwrap()
    };
    let seen = used("seen", "", "wait;");
    let unseen = used("unseen", "$SIG{CHLD} = 'IGNORE';", "select(undef, undef, undef, 0.04);");
    assert!((0.6..1.7).contains(&(unseen / seen)), "{unseen} s of {seen} s");
}

#[test]
fn without_a_group_everything_is_as_before() {
    let Some(own) = own_group() else { return };
    // In this one no others can be made.
    let narrow = own.join(format!("narrow-{}", std::process::id()));
    fs::create_dir(&narrow).unwrap();
    fs::write(narrow.join("cgroup.max.descendants"), "0").unwrap();
    let word = word(5);
    let stage = format!(
        "[stage.leaves]\nphase = \"explore\"\noutputs = [\"x\"]\n\
         run = \"(setsid sleep {word} &) ; echo x > x\"\n"
    );
    let project = Project::new("narrow", &stage);
    let inside = format!("echo 0 > {}/cgroup.procs && exec \"$0\" \"$@\"", narrow.display());
    let plain = command(&["run", "--json"]);
    let mut run = Command::new("sh");
    run.args(["-c", &inside]).arg(plain.get_program()).args(plain.get_args());
    run.current_dir(project.path());
    for (name, value) in plain.get_envs() {
        match value {
            Some(value) => run.env(name, value),
            None => run.env_remove(name),
        };
    }
    let run = Run::of(run, &["run", "--json"]).exits(0);
    let _ = fs::remove_dir(&narrow);
    let stage = &run.data()["stages"][0];
    assert_eq!(stage["result"], "done");
    assert!(stage["processor_seconds"].as_f64().unwrap() > 0.0, "{stage}");
    assert!(!is_running(&word) && !project.path().join(".nearside/group").exists());
}
