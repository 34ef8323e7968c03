//! `nearside run --rehearse`: what it uses, what it leaves alone, what it says of the full run.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::command::Folder;
use crate::project::{Project, results};

#[test]
fn a_rehearsal_uses_samples_and_small_models_and_leaves_the_project_alone() {
    // The first line still belongs to the dataset.
    let stages = r#"size = "2 MB"
[model.base]
source = "llama-3.1-8b"
rehearsal = "tiny-llama-demo"
[stage.copy]
phase = "prepare"
inputs = ["words"]
outputs = ["build/copy"]
workload = { task = "preparation", core_seconds_per_gb = 1e9, memory = "1 GB" }
run = "sleep 1.1; cat data/words.txt > build/copy"
[stage.use]
phase = "evaluate"
inputs = ["build/copy"]
outputs = ["build/used"]
workload = { task = "evaluation", model = "base", requests = 10, prompt = 9, output = 9 }
run = "echo $NEARSIDE_MODEL_BASE $NEARSIDE_REHEARSAL $(cat build/copy) > build/used"
[site.here]
price = "1000 EUR"
bought = "2026-01"
power = { load = "300 W", idle = "90 W", tariff = "0.30 EUR/kWh" }
location = { country = "DE" }
"#;
    let project = Project::new("rehearse", stages);
    let rehearse = ["run", "--rehearse", "--sample", "1", "--json"];
    let likely = |stage: &Value| stage["pass_hours"]["likely"].as_f64().unwrap();
    let plan = project.nearside(&["plan", "--json"]).exits(0).data();
    let mut corrections = Vec::new();
    for result in ["done", "current"] {
        let answer = project.nearside(&rehearse).exits(0).data();
        let ended = answer["stages"].as_array().unwrap().iter();
        assert!(ended.clone().count() == 2 && ended.clone().all(|stage| stage["result"] == result));
        let rehearsal = &answer["rehearsal"];
        assert_eq!(rehearsal["samples"][0]["taken"], "records");
        assert_eq!(rehearsal["samples"][0]["count"], 1);
        assert_eq!(rehearsal["models"][0]["rehearsal"], "tiny-llama-demo");
        let stages = rehearsal["full_run"]["stages"].as_array().unwrap();
        let times = stages[0]["corrected_by"].as_f64().unwrap();
        let full = likely(&stages[0]) / likely(&plan["stages"][0]);
        assert!((full / times - 1.0).abs() < 1e-6, "{full} {times}");
        assert_eq!(stages[1]["not_corrected"], "tried on a small model");
        corrections.push(times);
    }
    // What was measured is remembered with the result. The processors of this machine decide what
    // was estimated for four bytes, four seconds of one core.
    let processors = std::thread::available_parallelism().unwrap().get() as f64;
    assert_eq!(corrections[0].to_bits(), corrections[1].to_bits());
    assert!(corrections[0] > 0.25 && corrections[0] < 2.0 * processors, "{corrections:?}");
    let own = project.path().join(".nearside/rehearsal/project/build/used");
    assert_eq!(fs::read_to_string(own).unwrap(), "tiny-llama-demo 1 one\n");
    assert!(!project.path().join("build").exists());
    assert_eq!(project.run(&[], 0), results(&[("copy", "done"), ("use", "done")]));
    assert_eq!(project.read("build/used"), "llama-3.1-8b one two\n");
}

#[test]
fn the_example_is_rehearsed_and_run() {
    let python = std::process::Command::new("python3").arg("--version").output();
    if !python.is_ok_and(|output| output.status.success()) {
        eprintln!("SKIPPED: the example needs python3; remedy: apt install python3");
        return;
    }
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/support-assistant");
    let folder = Folder::cleared("run-example");
    copy(&examples, folder.path());
    let project = Project(folder);
    for arguments in [&["run", "--rehearse"][..], &["run"]] {
        let run = project.nearside(arguments).exits(0);
        assert!(run.stdout.contains("serve      done"), "{}", run.stdout);
        let again = project.nearside(arguments).exits(0);
        assert!(again.stdout.starts_with("8 stages are up to date"), "{}", again.stdout);
    }
    assert!(project.read("build/tickets.clean.csv").len() > 1000);
}

/// Copies what a folder holds, records of runs aside.
pub(crate) fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let (source, place) = (entry.path(), to.join(entry.file_name()));
        match source.is_dir() {
            true if entry.file_name() == ".nearside" || entry.file_name() == "build" => {}
            true => {
                fs::create_dir_all(&place).unwrap();
                copy(&source, &place);
            }
            false => drop(fs::copy(&source, &place).unwrap()),
        }
    }
}
