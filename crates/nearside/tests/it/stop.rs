//! `stop = { ... }` in a stage with a matrix: which trials run, and what is told of the others.

use std::path::Path;

use super::command::{list, text};
use super::project::Project;

/// A stage that tries ranks, with a rule and a command.
fn project(name: &str, rule: &str, command: &str) -> Project {
    let head =
        "[stage.tune]\nphase = \"tuning\"\ninputs = [\"words\"]\noutputs = [\"build/tuned\"]\n";
    let matrix = "matrix = { rank = [1, 2, 3, 4, 5, 6] }\n";
    Project::new(name, &format!("{head}{matrix}stop = {{ {rule} }}\nrun = '''{command}'''\n"))
}

/// Every trial's result, the best one marked.
fn trials(project: &Project, arguments: &[&str]) -> Vec<String> {
    let run = project.nearside(&[&["run", "--json"], arguments].concat()).exits(0);
    let data = run.data();
    let each = list(&data["stages"][0]["trials"]).iter().map(|trial| {
        let best = if trial["best"] == true { " best" } else { "" };
        format!("{} {}{best}", text(&trial["trial"]), text(&trial["result"]))
    });
    each.collect()
}

/// Losses 3, 1, 2, 4, 5, 6 by rank.
const LOSSES: &str = "mkdir -p build/tuned; set -- 3 1 2 4 5 6; shift $(({rank} - 1)); \
                      echo '{\"eval\": {\"loss\": '$1'}}' > build/tuned/{rank}.json";
const METRIC: &str = "metric = \"build/tuned/{rank}.json:eval.loss\", goal = \"min\"";

#[test]
fn trials_that_cannot_help_are_not_run() {
    let project = project("stop", &format!("{METRIC}, patience = 2"), LOSSES);
    let expected = [
        "rank=1 done",
        "rank=2 done best",
        "rank=3 done",
        "rank=4 done",
        "rank=5 skipped",
        "rank=6 skipped",
    ];
    assert_eq!(trials(&project, &[]), expected);
    assert_eq!(project.read("build/tuned/5.json"), "");
    // The same without running.
    assert_eq!(trials(&project, &[]), expected);
    let run = project.nearside(&["run", "--force"]).exits(0);
    for line in [
        "tune: rank=2 is the best with 1",
        "tune: rank=5 skipped: eval.loss did not improve in 2 trials",
    ] {
        assert!(run.stdout.contains(line), "{}", run.stdout);
    }
    let ledger = project.nearside(&["ledger", "export", "--form", "json"]).exits(0).stdout;
    for sample in ["trial rank=2 best", "trial rank=6 skipped"] {
        assert!(ledger.contains(sample), "{ledger}");
    }
    // The rule is part of what the result depends on.
    let file = project.read("nearside.toml").replace("patience = 2", "target = 3");
    project.0.write("nearside.toml", file);
    let why = project.nearside(&["why", "tune"]).exits(0).stdout;
    assert!(why.contains("stop changed"), "{why}");
    assert_eq!(trials(&project, &[])[..2], ["rank=1 done best", "rank=2 skipped"]);
}

#[cfg(unix)]
#[test]
fn a_trial_that_falls_behind_is_ended_with_all_that_it_started() {
    let word = format!("600.{}", std::process::id());
    // Three good trials of two steps; the fourth is worse at the second step and would go on for ever.
    let command = "mkdir -p build/tuned; f=build/tuned/{rank}.jsonl; \
                   echo '{\"step\": 1, \"loss\": 3}' > $f; \
                   if [ {rank} = 4 ]; then echo '{\"step\": 2, \"loss\": 9}' >> $f; \
                   (setsid sleep WORD &); sleep WORD; touch build/late; \
                   else echo '{\"step\": 2, \"loss\": '{rank}'}' >> $f; fi"
        .replace("WORD", &word);
    let rule = "metric = \"build/tuned/{rank}.jsonl:loss\", goal = \"min\", running = \"median\"";
    let project = project("median", rule, &command);
    let expected = [
        "rank=1 done best",
        "rank=2 done",
        "rank=3 done",
        "rank=4 stopped",
        "rank=5 stopped",
        "rank=6 stopped",
    ];
    assert_eq!(trials(&project, &[]), expected);
    assert!(!Path::new(&project.path().join("build/late")).exists());
    let processes = std::process::Command::new("ps").args(["-eo", "args"]).output().unwrap();
    let processes = String::from_utf8_lossy(&processes.stdout).into_owned();
    assert!(!processes.contains(&format!("sleep {word}")), "{processes}");
}

#[test]
fn a_figure_that_is_not_there_is_a_failure_that_says_so() {
    let project = project("figure", &format!("{METRIC}, patience = 2"), "mkdir -p build/tuned");
    let run = project.nearside(&["run"]).exits(5);
    let says = "tune failed: trial rank=1: it did not write build/tuned/1.json";
    assert!(run.stdout.contains(says), "{}", run.stdout);
    let file = project.read("nearside.toml");
    project.0.write(
        "nearside.toml",
        file.replace("mkdir -p build/tuned'", &format!("{}'", LOSSES.replace("loss", "los"))),
    );
    let run = project.nearside(&["run"]).exits(5);
    let says = "build/tuned/1.json holds no number under \"eval.loss\"; it holds eval";
    assert!(run.stdout.contains(says), "{}", run.stdout);
    // A trial that fails still fails the stage.
    project.0.write("nearside.toml", file.replace("mkdir -p build/tuned'", "exit 3'"));
    project.nearside(&["run", "--only", "tune"]).exits(3);
    for (rule, says) in [
        ("metric = \"x.json\", goal = \"min\", patience = 1", "names no file and key"),
        ("metric = \"x.json:a\", goal = \"mni\", patience = 1", "did you mean \"min\"?"),
        ("metric = \"x.json:a\", goal = \"min\"", "never stops anything"),
        ("metric = \"{rnak}.json:a\", goal = \"min\", target = 1", "did you mean {rank}?"),
        ("metric = \"x.json:a\", goal = \"min\", patience = 0", "must be at least 1"),
    ] {
        let stated = format!("{METRIC}, patience = 2");
        project.0.write("nearside.toml", file.replace(&stated, rule));
        let run = project.nearside(&["run"]).exits(3);
        assert!(run.stderr.contains(says), "{rule}\n{}", run.stderr);
    }
}
