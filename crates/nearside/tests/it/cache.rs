//! `nearside cache`: what is listed, what is removed, and that nothing needed or half remains.

use std::fs;
use std::time::Duration;

use serde_json::Value;

use super::command::{list, text};
use super::project::{CHAIN, Project, results};

/// A chain that has been run with several orders of the words, the last of them in force.
fn project(name: &str, versions: usize) -> Project {
    let project = Project::new(name, CHAIN);
    project.0.write("sort.sh", "cat \"$1\"\n");
    for version in 0..versions {
        project.0.write("data/words.txt", "word\n".repeat(version + 1));
        project.run(&[], 0);
    }
    project
}

fn fates(data: &Value) -> Vec<&str> {
    list(&data["results"]).iter().map(|result| text(&result["fate"])).collect()
}

#[test]
fn what_is_needed_stays_and_the_rest_goes() {
    let project = project("prune", 3);
    let listed = project.nearside(&["cache", "list", "--json"]).exits(0).data();
    assert_eq!(fates(&listed).iter().filter(|fate| **fate == "needed").count(), 3);
    assert_eq!(fates(&listed).len(), 9);
    // Young: nothing goes.
    let text = project.nearside(&["cache", "prune"]).exits(0);
    assert!(text.stdout.starts_with("would free 0 B"), "{}", text.stdout);
    let dry = project.nearside(&["cache", "prune", "--keep", "0s", "--json"]).exits(0).data();
    assert_eq!(fates(&dry).iter().filter(|fate| **fate == "removed").count(), 6);
    assert_eq!(dry["pruned"], false);
    let again = project.nearside(&["cache", "list", "--json"]).exits(0).data();
    assert_eq!(again["stored_bytes"], dry["stored_bytes"], "a dry run removed something");
    fs::create_dir_all(project.path().join(".nearside/work/old")).unwrap();
    project.0.write(".nearside/work/old/half", "12345");
    let run = project.nearside(&["cache", "prune", "--keep", "0s", "--yes"]).exits(0);
    assert!(run.stdout.contains("\nfreed ") && run.stdout.contains("3 logs"), "{}", run.stdout);
    assert!(run.stdout.contains("1 working folder 5"), "{}", run.stdout);
    assert!(!project.path().join(".nearside/work/old").exists());
    let left = project.nearside(&["cache", "list", "--json"]).exits(0).data();
    assert_eq!(fates(&left), ["needed"; 3]);
    // All that is left can be put back, nothing of what went can.
    fs::remove_dir_all(project.path().join("build")).unwrap();
    let restored = [("sort", "restored"), ("count", "restored"), ("show", "restored")];
    assert_eq!(project.run(&[], 0), results(&restored));
    project.0.write("data/words.txt", "word\n");
    assert_eq!(project.run(&[], 0)["sort"], "done");
}

#[test]
fn the_newest_results_stay_within_a_size() {
    let project = project("prune-size", 4);
    let all = project.nearside(&["cache", "prune", "--keep-size", "1GB", "--json"]).exits(0).data();
    assert!(!fates(&all).contains(&"removed"));
    let few = project.nearside(&["cache", "prune", "--keep-size", "1B", "--json"]).exits(0).data();
    assert_eq!(fates(&few).iter().filter(|fate| **fate == "removed").count(), 9);
    let run = project.nearside(&["cache", "prune", "--keep", "soon"]).exits(2);
    assert!(run.stderr.contains("--keep"), "{}", run.stderr);
    assert_eq!(project.nearside(&["cache", "list", "--rehearsal"]).exits(0).code, 0);
}

#[test]
fn a_run_that_goes_on_keeps_pruning_away() {
    let stage =
        "[stage.slow]\nphase = \"explore\"\noutputs = [\"x\"]\nrun = \"sleep 30; echo x > x\"\n";
    let project = Project::new("prune-busy", stage);
    let mut child = project.start(&["run"]);
    let log = project.path().join(".nearside/logs/slow.log");
    while !log.exists() {
        std::thread::sleep(Duration::from_millis(10));
    }
    let run = project.nearside(&["cache", "prune", "--yes", "--keep", "0s"]).exits(4);
    assert!(run.stderr.contains("another run of this project is going on"), "{}", run.stderr);
    // Looking is no harm.
    project.nearside(&["cache", "prune", "--keep", "0s"]).exits(0);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(log.exists());
}

#[test]
fn a_killed_removal_leaves_no_result_in_part() {
    const FILES: usize = 120;
    let stage = format!(
        "[stage.many]\nphase = \"prepare\"\ninputs = [\"words\"]\noutputs = [\"build/many\"]\n\
         run = \"mkdir build/many; seq {FILES} | sed \\\"s/^/$(tr '\\\\n' ' ' < data/words.txt)/\\\" | \
         split -a 3 -l 1 - build/many/\"\n"
    );
    let project = Project::new("prune-killed", &stage);
    let mut removed = 0;
    for round in 0..12u64 {
        let word = format!("round {round}\n");
        for version in ["a", "b"] {
            project.0.write("data/words.txt", format!("{word}{version}\n"));
            project.run(&[], 0);
            // What the round before left is out of the way: two results are there when one is killed.
            if version == "a" {
                project.nearside(&["cache", "prune", "--keep", "0s", "--yes"]).exits(0);
            }
        }
        let mut child = project.start(&["cache", "prune", "--keep", "0s", "--yes"]);
        std::thread::sleep(Duration::from_millis(4 + (round * 7) % 50));
        child.kill().unwrap();
        child.wait().unwrap();
        let listed = project.nearside(&["cache", "list", "--json"]).exits(0).data();
        assert_eq!(fates(&listed)[0], "needed", "round {round}");
        // The older one comes back whole or is made again; both ways it is there in the end.
        fs::remove_dir_all(project.path().join("build")).unwrap();
        assert_eq!(project.run(&[], 0)["many"], "restored", "round {round}: what is needed");
        project.0.write("data/words.txt", format!("{word}a\n"));
        let is_listed = fates(&listed).len() > 1;
        let result = project.run(&[], 0)["many"].clone();
        assert_eq!(result, if is_listed { "restored" } else { "done" }, "round {round}");
        removed += usize::from(!is_listed);
        let made = fs::read_dir(project.path().join("build/many")).unwrap().count();
        assert_eq!((made, project.read("build/many/aaa")), (FILES, format!("round {round} a 1\n")));
        project.nearside(&["cache", "prune", "--keep", "0s", "--yes"]).exits(0);
    }
    eprintln!("{removed} of 12 removals were killed after a result was gone");
}
