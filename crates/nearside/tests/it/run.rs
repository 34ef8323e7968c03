//! `nearside run` and `why`, on projects of shell commands: what runs, what does not, and what is left
//! when things go wrong.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::command::{Run, command};
use crate::project::{CHAIN, Project, results};

fn chain(name: &str) -> Project {
    let project = Project::new(name, CHAIN);
    project.0.write("sort.sh", "sort \"$1\"\n");
    project
}

#[test]
fn what_is_there_is_not_made_again() {
    let project = chain("again");
    let all = |result| results(&[("sort", result), ("count", result), ("show", result)]);
    assert_eq!(project.run(&[], 0), all("done"));
    assert_eq!(project.read("build/shown/link"), "2\n");
    assert_eq!(project.run(&[], 0), all("current"));
    let text = project.nearside(&["run"]).exits(0);
    assert_eq!(text.stdout, "3 stages are up to date\n");
    assert_eq!(project.run(&["--force"], 0), all("done"));
}

#[test]
fn a_change_reaches_exactly_what_depends_on_it() {
    let project = chain("change");
    project.run(&[], 0);
    // Another order of the same words: the same result, and nothing after it runs.
    project.0.write("data/words.txt", "two\none\n");
    let why = project.nearside(&["why", "sort"]).exits(0).stdout;
    assert_eq!(why, "sort would run:\n  input data/words.txt changed\n");
    let dry = project.run(&["--dry-run"], 0);
    let expected = [("sort", "run"), ("count", "undecided"), ("show", "undecided")];
    assert_eq!(dry, results(&expected));
    let expected = [("sort", "done"), ("count", "current"), ("show", "current")];
    assert_eq!(project.run(&[], 0), results(&expected));
    // Back again: it is still in the cache.
    project.0.write("data/words.txt", "one\ntwo\n");
    assert_eq!(project.run(&[], 0)["sort"], "current");
    // Code that a command names is part of what it depends on.
    project.0.write("sort.sh", "sort -r \"$1\"\n");
    let why = project.nearside(&["why", "sort"]).exits(0).stdout;
    assert_eq!(why, "sort would run:\n  code sort.sh changed\n");
    let expected = [("sort", "done"), ("count", "done"), ("show", "current")];
    assert_eq!(project.run(&[], 0), results(&expected));
    // So is a command, which is shown.
    let file = project.read("nearside.toml").replace("wc -l", "wc -w");
    project.0.write("nearside.toml", file);
    let why = project.nearside(&["why", "count"]).exits(0).stdout;
    assert!(why.contains("wc -l < build/sorted.txt") && why.contains("-> wc -w"), "{why}");
    let explained = project.nearside(&["why", "count", "--explain"]).exits(0).stdout;
    assert!(explained.contains("tool wc (/"), "{explained}");
}

#[test]
fn what_was_removed_or_changed_is_put_back() {
    let project = chain("back");
    project.run(&[], 0);
    fs::remove_dir_all(project.path().join("build")).unwrap();
    let all = results(&[("sort", "restored"), ("count", "restored"), ("show", "restored")]);
    assert_eq!(project.run(&[], 0), all);
    assert_eq!(project.read("build/shown/link"), "2\n");
    project.0.write("build/count.txt", "3\n");
    let expected = [("sort", "current"), ("count", "restored"), ("show", "current")];
    assert_eq!(project.run(&[], 0), results(&expected));
    assert_eq!(project.read("build/count.txt"), "2\n");
    // Without the cache it is made again.
    fs::remove_dir_all(project.path().join(".nearside/cache/objects")).unwrap();
    fs::remove_file(project.path().join("build/count.txt")).unwrap();
    assert_eq!(project.run(&[], 0)["count"], "done");
}

#[test]
fn variables_that_a_command_reads_count() {
    let project = Project::new(
        "variables",
        "[stage.say]\nphase = \"explore\"\noutputs = [\"said\"]\nrun = \"echo $WORD > said\"\n",
    );
    let run = |word: &str| {
        let mut command = command(&["run", "--json"]);
        command.current_dir(project.path()).env("WORD", word);
        Run::of(command, &["run"]).exits(0).data()["stages"][0]["result"].clone()
    };
    assert_eq!([run("a"), run("a"), run("b"), run("a")], ["done", "current", "done", "restored"]);
    assert_eq!(project.read("said"), "a\n");
}

#[test]
fn a_stage_that_fails_leaves_what_was_there() {
    let project = Project::new(
        "fails",
        r#"
[stage.first]
phase = "prepare"
inputs = ["words"]
outputs = ["build/a.txt"]
run = "cp data/words.txt build/a.txt; echo half >> build/a.txt; sh check.sh"
[stage.second]
phase = "features"
inputs = ["build/a.txt"]
outputs = ["b.txt"]
run = "cp build/a.txt b.txt"
[stage.other]
phase = "features"
inputs = ["words"]
outputs = ["c.txt"]
run = "cp data/words.txt c.txt"
"#,
    );
    project.0.write("check.sh", "exit 0\n");
    project.run(&[], 0);
    let before = project.read("build/a.txt");
    project.0.write("check.sh", "echo oh no; exit 3\n");
    let expected = [("first", "failed"), ("second", "skipped"), ("other", "skipped")];
    assert_eq!(project.run(&["--force"], 5), results(&expected));
    let expected = [("first", "failed"), ("second", "skipped"), ("other", "done")];
    assert_eq!(project.run(&["--force", "--keep-going"], 5), results(&expected));
    assert_eq!(project.read("build/a.txt"), before);
    let run = project.nearside(&["run"]).exits(5);
    let expected = "first failed: its command ended with exit code 3\n  | oh no\n  all of it is in \
                    .nearside/logs/first.log";
    assert!(run.stdout.contains(expected), "{}", run.stdout);
    // One stage alone passes the code of its command on.
    project.nearside(&["run", "--only", "first"]).exits(3);
    project.0.write("check.sh", "exit 0\n");
    assert_eq!(project.run(&["--from", "first"], 0).len(), 2);
    // A program that is not there, and an output that is not written.
    let file = project.read("nearside.toml").replace("sh check.sh", "no-such-program-here");
    project.0.write("nearside.toml", &file);
    project.nearside(&["run", "--only", "first"]).exits(127);
    let file = file.replace("no-such-program-here", "rm build/a.txt");
    project.0.write("nearside.toml", file);
    let run = project.nearside(&["run", "--only", "first"]).exits(5);
    assert!(run.stdout.contains("it did not write build/a.txt"), "{}", run.stdout);
    assert_eq!(project.read("build/a.txt"), before);
}

#[test]
fn trials_follow_each_other_and_undeclared_files_are_told() {
    let project = Project::new(
        "trials",
        r#"
[stage.tune]
phase = "tuning"
inputs = ["words"]
outputs = ["build/tuned"]
matrix = { rank = [8, 16] }
run = "mkdir -p build/tuned; echo {rank} $NEARSIDE_TRIAL > build/tuned/{rank}; echo x > build/extra"
"#,
    );
    let run = project.nearside(&["run"]).exits(0);
    assert!(run.stderr.contains("tune: wrote build/extra, which is not among its outputs"));
    assert_eq!(project.read("build/tuned/8"), "8 rank=8\n");
    assert_eq!(project.read("build/tuned/16"), "16 rank=16\n");
    assert_eq!(project.read("build/extra"), "x\n");
}

#[test]
fn stages_that_say_the_same_do_not_share_a_result() {
    let stage = |name: &str| {
        format!(
            "[stage.{name}]\nphase = \"prepare\"\ninputs = [\"words\"]\n\
             outputs = [\"build/{name}\"]\nrun = \"echo $NEARSIDE_STAGE > build/$NEARSIDE_STAGE\"\n"
        )
    };
    let project = Project::new("alike", &[stage("a"), stage("b")].concat());
    assert_eq!(project.run(&[], 0), results(&[("a", "done"), ("b", "done")]));
    assert_eq!(project.read("build/a") + &project.read("build/b"), "a\nb\n");
    // Another output of the same command is another result.
    let file = project.read("nearside.toml").replace("\"build/a\"", "\"build/a\", \"build/more\"");
    project.0.write("nearside.toml", file);
    assert_eq!(project.run(&["--dry-run"], 0), results(&[("a", "run"), ("b", "current")]));
    let why = project.nearside(&["why", "a"]).exits(0).stdout;
    assert!(why.contains("outputs changed"), "{why}");
}

#[cfg(target_os = "linux")]
#[test]
fn stages_run_beside_each_other_as_far_as_memory_allows() {
    let stage = |name: &str, memory: &str| {
        format!(
            "[stage.{name}]\nphase = \"prepare\"\ninputs = [\"words\"]\noutputs = [\"build/{name}\"]\n\
             workload = {{ task = \"preparation\", core_seconds_per_gb = 1, memory = \"{memory}\" }}\n\
             run = \"date +%s.%N > build/{name}; sleep 0.8; date +%s.%N >> build/{name}\"\n"
        )
    };
    let stages =
        [stage("a", "1 MB"), stage("b", "1 MB"), stage("c", "900 TB"), stage("d", "900 TB")];
    let project = Project::new("beside", &format!("size = \"1 kB\"\n{}", stages.concat()));
    project.run(&["--jobs", "4"], 0);
    let times = |name: &str| -> Vec<f64> {
        let text = project.read(&format!("build/{name}"));
        text.lines().map(|line| line.parse().unwrap()).collect()
    };
    let overlap = |one: &str, other: &str| {
        let (one, other) = (times(one), times(other));
        one[0] < other[1] && other[0] < one[1]
    };
    assert!(overlap("a", "b"));
    for (one, other) in [("a", "c"), ("b", "c"), ("a", "d"), ("b", "d"), ("c", "d")] {
        assert!(!overlap(one, other), "{one} and {other}");
    }
}

#[test]
fn what_stages_print_can_be_followed() {
    let stages = "[stage.talk]\nphase = \"explore\"\n\
                  run = \"echo first; sleep 0.2; echo second >&2; printf rest\"\n";
    let project = Project::new("follow", stages);
    for _ in 0..2 {
        let run = project.nearside(&["run", "--follow", "--force"]).exits(0);
        assert_eq!(run.stderr, "talk | first\ntalk | second\ntalk | rest\n");
    }
    assert_eq!(project.nearside(&["run", "--force"]).exits(0).stderr, "");
    assert_eq!(project.read(".nearside/logs/talk.log"), "first\nsecond\nrest");
}

#[test]
fn bad_projects_are_answered_with_what_is_wrong() {
    let project = Project::new(
        "bad",
        "[stage.a]\nphase = \"explore\"\ninputs = [\"words\"]\noutputs = [\"../x\"]\nrun = \"true\"\n",
    );
    let run = project.nearside(&["run"]).exits(3);
    assert!(run.stderr.contains("output \"../x\" is not a path inside the project"));
    let file = project.read("nearside.toml").replace("../x", "x");
    project.0.write("nearside.toml", file);
    let run = project.nearside(&["run", "--only", "b"]).exits(2);
    assert!(run.stderr.contains("there is no stage \"b\"") && run.stderr.contains("stages are a"));
    fs::remove_file(project.path().join("data/words.txt")).unwrap();
    let run = project.nearside(&["run"]).exits(5);
    assert!(run.stdout.contains("reads data/words.txt, which is not there"), "{}", run.stdout);
    project.0.write("data/words.txt", "x");
    fs::remove_dir_all(project.path().join(".nearside")).unwrap();
    project.0.write(".nearside", "a file where the record belongs");
    let run = project.nearside(&["run"]).exits(4);
    assert!(run.stderr.contains(".nearside"), "{}", run.stderr);
}

/// Waits until something holds, for a while.
pub(crate) fn eventually(what: &str, holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(20), "{what} did not happen");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[cfg(unix)]
#[test]
fn watching_runs_what_an_edit_affects_until_it_is_ended() {
    let project = Project::new("watch", CHAIN);
    project.0.write("sort.sh", "sort \"$1\"\n");
    let mut child = project.start(&["run", "--watch"]);
    eventually("the first run", || project.path().join("build/shown/count").exists());
    project.0.write("data/words.txt", "one\n");
    eventually("the run after an edit", || project.read("build/shown/count").trim() == "1");
    project.0.write("nearside.toml", "this is no project");
    std::thread::sleep(Duration::from_millis(700));
    let file = format!(
        "version = 1\nname = \"test\"\n[dataset.words]\npath = \"data/words.txt\"\n{CHAIN}"
    );
    project
        .0
        .write("nearside.toml", file.replace("cp build/count.txt", "echo 7; cp build/count.txt"));
    eventually("the run after a mended file", || {
        project.path().join(".nearside/logs/show.log").exists()
            && project.read(".nearside/logs/show.log") == "7\n"
    });
    fs::remove_file(project.path().join("build/sorted.txt")).unwrap();
    eventually("what was removed", || project.read("build/sorted.txt") == "one\n");
    // The rest of that run, or it would be interrupted and exit with 5.
    std::thread::sleep(Duration::from_millis(1500));
    let id = child.id().to_string();
    std::process::Command::new("kill").args(["-INT", &id]).status().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(project.run(&[], 0)["show"], "current");
}

#[cfg(unix)]
#[test]
fn a_shell_shows_what_a_stage_finds() {
    let project =
        Project::new("shell", &CHAIN.replace("build/sorted.txt", "build/deep/sorted.txt"));
    project.0.write("sort.sh", "sort \"$1\"\n");
    project.0.write("build/deep/sorted.txt", "kept\n");
    let look = "#!/bin/sh\necho \"$NEARSIDE_STAGE $(ls build/deep) $(cat data/words.txt)\" > \"$FOUND\"\n\
                echo thrown away > build/deep/sorted.txt\nexit 3\n";
    let look = project.0.write("look", look);
    std::process::Command::new("chmod").args(["+x", &look]).status().unwrap();
    let arguments = ["run", "--shell", "sort"];
    let mut command = command(&arguments);
    command.env("SHELL", &look).env("FOUND", project.path().join("found"));
    command.current_dir(project.path());
    let run = Run::of(command, &arguments).exits(3);
    assert!(run.stderr.contains("the stage runs: sh sort.sh"), "{}", run.stderr);
    assert_eq!(project.read("found"), "sort  one two\n".replace("one two", "one\ntwo"));
    assert_eq!(project.read("build/deep/sorted.txt"), "kept\n");
    let left = fs::read_dir(project.path().join(".nearside")).unwrap().flatten();
    assert!(
        left.map(|entry| entry.file_name())
            .all(|name| name != "work" && !name.to_string_lossy().starts_with("shell"))
    );
    project.nearside(&["run", "--shell", "none"]).exits(2);
}

/// Whether a process runs a command with this word in it.
pub(crate) fn is_running(word: &str) -> bool {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let lines = entries.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    lines.into_iter().any(|line| String::from_utf8_lossy(&line).contains(word))
}

#[cfg(target_os = "linux")]
#[test]
fn nothing_that_a_stage_starts_outlives_it() {
    let word = format!("86{:06}", std::process::id() % 1_000_000);
    let stages = format!(
        "[stage.leaves]\nphase = \"explore\"\noutputs = [\"x\"]\n\
         run = \"(setsid sleep {word} &) ; sleep {word} & echo x > x\"\n"
    );
    let project = Project::new("leaves", &stages);
    assert_eq!(project.run(&[], 0)["leaves"], "done");
    assert!(!is_running(&word));
    // The same when the run is killed, and when it is asked to end.
    for signal in ["KILL", "INT", "TERM"] {
        let file = project.read("nearside.toml").replace("& echo x > x", "; echo x > x");
        project.0.write("nearside.toml", file);
        let mut child = project.start(&["run", "--force"]);
        eventually("the stage", || is_running(&word));
        let number = child.id().to_string();
        std::process::Command::new("kill").args(["-s", signal, &number]).status().unwrap();
        let status = child.wait().unwrap();
        assert_eq!(status.code(), (signal != "KILL").then_some(5), "{signal}");
        eventually("the end of the tree", || !is_running(&word));
        assert!(!project.path().join(".nearside/work/leaves/x").exists());
    }
}

#[test]
fn two_runs_do_not_meet() {
    let project = Project::new(
        "two",
        "[stage.slow]\nphase = \"explore\"\noutputs = [\"x\"]\nrun = \"sleep 30; echo x > x\"\n",
    );
    let mut child = project.start(&["run"]);
    eventually("the log", || project.path().join(".nearside/logs/slow.log").exists());
    let run = project.nearside(&["run"]).exits(4);
    let expected = format!("another run of this project is going on (process {})", child.id());
    assert!(run.stderr.contains(&expected), "{}", run.stderr);
    child.kill().unwrap();
    child.wait().unwrap();
    let file = project.read("nearside.toml").replace("sleep 30; ", "");
    project.0.write("nearside.toml", file);
    assert_eq!(project.run(&[], 0)["slow"], "done");
}

#[test]
fn much_output_is_kept_in_the_log_alone() {
    let project = Project::new(
        "loud",
        "[stage.loud]\nphase = \"explore\"\noutputs = [\"x\"]\n\
         run = \"head -c 20000000 /dev/zero | tr '\\\\0' 'y'; echo; echo last; exit 1\"\n",
    );
    let run = project.nearside(&["run"]).exits(5);
    assert!(run.stdout.contains("| last") && run.stdout.len() < 20_000, "{}", run.stdout.len());
    let log = fs::metadata(project.path().join(".nearside/logs/loud.log")).unwrap();
    assert!(log.len() > 20_000_000);
}

/// The content of every output, and whether nothing half written lies beside them.
fn outputs(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found = BTreeMap::new();
    for entry in entries {
        match entry.path().is_dir() {
            true => found.extend(outputs(&entry.path())),
            false => {
                found.insert(entry.path(), fs::read(entry.path()).unwrap());
            }
        }
    }
    found
}

#[test]
fn a_killed_run_loses_nothing_and_leaves_nothing_half() {
    const STAGES: usize = 6;
    let stage = |number: usize| {
        let input = match number {
            0 => "words".to_owned(),
            _ => format!("build/{}", number - 1),
        };
        let from = if number == 0 { "data/words.txt".to_owned() } else { format!("{input}/all") };
        format!(
            "[stage.s{number}]\nphase = \"prepare\"\ninputs = [\"{input}\"]\n\
             outputs = [\"build/{number}\"]\nrun = \"mkdir build/{number}; cat {from} > \
             build/{number}/all; sleep 0.01; cat {from} >> build/{number}/all; echo {number} > \
             build/{number}/last\"\n"
        )
    };
    let project = Project::new("killed", &(0..STAGES).map(stage).collect::<String>());
    project.run(&[], 0);
    let build = project.path().join("build");
    let whole = outputs(&build);
    assert_eq!(whole.len(), 2 * STAGES);
    let mut finished = 0;
    for round in 0..50u64 {
        if finished == STAGES {
            // All over again.
            fs::remove_dir_all(project.path().join(".nearside/cache")).unwrap();
            fs::remove_dir_all(&build).unwrap();
        }
        let mut child = project.start(&["run"]);
        // Moments all over a run, in an order without pattern.
        std::thread::sleep(Duration::from_millis(2 + (round * 37) % 180));
        child.kill().unwrap();
        child.wait().unwrap();
        let found = outputs(&build);
        let half: Vec<_> =
            found.iter().filter(|(path, now)| whole.get(*path) != Some(*now)).collect();
        assert!(half.is_empty(), "round {round}: {half:?}");
        let now = found.keys().filter(|path| path.ends_with("last")).count();
        assert_eq!(found.len(), 2 * now, "round {round}: a result is there in part");
        assert!(now >= finished || finished == STAGES, "round {round}: a result was lost");
        finished = now;
    }
    let ran = project.run(&[], 0);
    assert!(ran.values().filter(|result| *result == "done").count() <= STAGES - finished.min(1));
    assert_eq!(outputs(&build), whole);
    let ledger = project.nearside(&["ledger", "verify", "--json"]).exits(0).data();
    assert!(ledger["entries"].as_u64().unwrap() > 50, "{ledger}");
}
