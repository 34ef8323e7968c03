//! What this machine is and reaches: measured, kept, and used by the next estimate.

use nearside_ledger::{CeilingRow, Figures, MachineStore};
use serde_json::Value;

use super::answers::check_schema;
use super::command::{Folder, Run, TODAY, command, list, nearside, number, text};

/// Runs with a data folder of its own.
#[track_caller]
fn with_data(folder: &Folder, arguments: &[&str]) -> Run {
    let mut command = command(arguments);
    command.env("NEARSIDE_DATA_DIR", folder.path());
    Run::of(command, arguments)
}

/// What the doctor answers here; this very machine may have a fault of its own, which is told by 1.
#[track_caller]
fn doctor(folder: &Folder, arguments: &[&str]) -> Run {
    let run = with_data(folder, &[&["doctor"], arguments].concat());
    assert!(run.code <= 1, "{}\n{}{}", run.line, run.stdout, run.stderr);
    run
}

/// Ceilings of this machine as if they had been measured: slow, so that they are told from any
/// assumption.
fn keep_ceilings(folder: &Folder) {
    let doctor = doctor(folder, &["--json"]).data();
    let machine = text(&doctor["machine"]["fingerprint"]).to_owned();
    let row = |name: &str, unit: &str, likely: f64| CeilingRow {
        machine: machine.clone(),
        name: name.to_owned(),
        unit: unit.to_owned(),
        figures: Figures::new(likely * 0.98, likely, likely * 1.02).unwrap(),
        measured_on: TODAY.parse().unwrap(),
        conditions: r#"{"threads":2,"load":0.1,"features":[],"runs":9,"how":"by hand"}"#.to_owned(),
    };
    let rows = [
        row("matrix-f32", "FLOP/s", 100e9),
        row("memory-read", "B/s", 10e9),
        row("memory-triad", "B/s", 9e9),
        row("disk-read", "B/s", 2e9),
        row("a-ceiling-of-a-later-version", "s", 1.0),
    ];
    let mut store = MachineStore::open(&folder.path().join("machine.db")).unwrap();
    store.add_ceilings(&rows).unwrap();
}

#[test]
fn asking_measures_and_writes_nothing() {
    let folder = Folder::cleared("doctor-asks");
    let run = doctor(&folder, &["--json"]);
    let envelope = run.envelope();
    assert_eq!(envelope["schema"], "nearside/doctor/1");
    check_schema("doctor", &envelope["data"]);
    assert!(list(&envelope["data"]["ceilings"]).is_empty());
    assert!(text(&envelope["data"]["machine"]["fingerprint"]).contains("threads"));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    let shown = doctor(&folder, &[]);
    assert!(shown.stdout.contains("no ceilings were measured"), "{}", shown.stdout);
    assert!(shown.stderr.contains("doctor --measure"), "{}", shown.stderr);
}

/// Its own accelerator would answer in place of the processor.
fn has_accelerator(folder: &Folder) -> bool {
    let data = with_data(folder, &["doctor", "--json"]).data();
    !list(&data["machine"]["accelerators"]).is_empty()
}

#[test]
fn what_was_measured_narrows_what_fit_says_here() {
    let folder = Folder::cleared("doctor-fit");
    if has_accelerator(&folder) {
        eprintln!("SKIPPED: this machine has an accelerator, whose ceilings are not measured");
        return;
    }
    let fit = ["fit", "llama-3.2-1b", "--task", "inference", "--weights", "f32", "--json"];
    let width = |answer: &Value| {
        let speed = &answer["tasks"][0]["tokens_per_second"];
        number(&speed["high"]) / number(&speed["low"])
    };
    let before = with_data(&folder, &fit).data();
    keep_ceilings(&folder);
    let after = with_data(&folder, &fit).data();
    assert!(width(&after) < 0.7 * width(&before), "{} then {}", width(&before), width(&after));
    let inputs = list(&after["tasks"][0]["inputs"]);
    let input = |what: &str| inputs.iter().find(|input| input["what"] == what).unwrap();
    for what in ["32-bit matrix products here", "memory read here", "loading weights from disk"] {
        let input = input(what);
        assert_eq!((text(&input["kind"]), text(&input["as_of"])), ("measured", TODAY), "{what}");
        assert_eq!(text(&input["source"]), "doctor --measure: 2 threads, load 0.10; by hand");
    }
    assert!(inputs.iter().all(|input| input["what"] != "bandwidth per thread"));
    // A card of the catalog is another machine.
    let card = ["fit", "llama-3.2-1b", "--on", "t4", "--json"];
    assert_eq!(with_data(&folder, &card).stdout, nearside(&card).stdout);
}

#[test]
fn a_plan_uses_them_on_this_machine_alone() {
    let folder = Folder::cleared("doctor-plan");
    let project = Folder::cleared("doctor-plan-project");
    let file = project.write(
        "nearside.toml",
        r#"version = 1
name = "here"
[model.base]
source = "llama-3.2-1b"
[stage.judge]
phase = "evaluate"
workload = { task = "evaluation", model = "base", requests = 10, prompt = 100, output = 100 }
[site.here]
[sites]
use = ["here"]
[objective]
minimize = "time"
"#,
    );
    keep_ceilings(&folder);
    let plan = ["plan", &file, "--json"];
    let (with, without) = (with_data(&folder, &plan), nearside(&plan));
    assert_eq!((with.code, without.code), (0, 0), "{}{}", with.stdout, with.stderr);
    if !has_accelerator(&folder) {
        assert!(with.stdout.contains("memory read here"), "{}", with.stdout);
    }
    assert!(!without.stdout.contains("memory read here"), "{}", without.stdout);
}

#[test]
fn a_file_that_is_no_ledger_is_told_and_not_used() {
    let folder = Folder::cleared("doctor-broken");
    folder.write("machine.db", "this is no database, but it is long enough for one".repeat(20));
    let fit = with_data(&folder, &["fit", "llama-3.2-1b", "--json"]);
    assert!(fit.code <= 1, "{}", fit.stderr);
    let warnings = fit.envelope()["warnings"].to_string();
    assert!(warnings.contains("measured ceilings not used"), "{warnings}");
    let doctor = with_data(&folder, &["doctor"]).exits(4);
    assert!(doctor.stderr.contains("machine.db"), "{}", doctor.stderr);
}

#[test]
fn a_project_file_means_its_folder() {
    let folder = Folder::cleared("doctor-file");
    let file = folder.write("nearside.toml", "version = 1\nname = \"x\"\n");
    let place = folder.path().to_str().unwrap().to_owned();
    let checks = |path: &str| doctor(&folder, &[path, "--json"]).data()["sections"].clone();
    let about = |sections: &Value| sections.to_string().contains(&place);
    assert_eq!(about(&checks(&file)), about(&checks(&place)));
    let other = folder.write("notes.txt", "");
    let run = nearside(&["doctor", &other]).exits(3);
    assert!(run.stderr.contains("notes.txt is no folder"), "{}", run.stderr);
    assert!(run.stderr.contains("or its nearside.toml"), "{}", run.stderr);
    nearside(&["doctor", &format!("{place}/none.toml")]).exits(3);
    nearside(&["doctor", "--emit", &file, "--dry-run"]).exits(0);
}

#[test]
fn a_root_must_hold_a_system() {
    let folder = Folder::cleared("doctor-no-system");
    folder.write("data/notes.txt", "");
    let place = folder.path().to_str().unwrap();
    let run = nearside(&["doctor", "--root", place]).exits(3);
    assert!(run.stderr.contains("holds no system: no etc, proc, sys, usr"), "{}", run.stderr);
    folder.write("etc/os-release", "PRETTY_NAME=\"Debian\"\n");
    let run = nearside(&["doctor", "--root", place, "--json"]).exits(0);
    assert!(!run.stdout.contains("\"warning\"") && !run.stdout.contains("\"fault\""));
}

#[test]
fn a_driver_is_missed_only_where_there_is_a_device() {
    let folder = Folder::cleared("doctor-no-device");
    let run = doctor(&folder, &["--json"]);
    let envelope = run.envelope();
    let bus = std::fs::read_dir("/sys/bus/pci/devices").into_iter().flatten().flatten();
    let vendor = |path: std::path::PathBuf| std::fs::read_to_string(path.join("vendor"));
    let any = bus.filter_map(|device| vendor(device.path()).ok()).any(|it| it.trim() == "0x10de");
    let any = any || std::path::Path::new("/dev/nvidiactl").exists();
    assert!(any || !envelope["warnings"].to_string().contains("NVIDIA"), "{envelope}");
}

#[test]
fn a_folder_to_measure_must_exist() {
    let run = nearside(&["doctor", "--measure", "--folder", "/nonexistent"]).exits(3);
    assert!(run.stderr.contains("/nonexistent is no folder"), "{}", run.stderr);
}

#[test]
fn measuring_keeps_ceilings_and_says_what_it_does() {
    let folder = Folder::cleared("doctor-measures");
    let place = folder.path().to_str().unwrap();
    let run = doctor(&folder, &["--measure", "--folder", place]);
    for words in ["measuring memory (3 of 6)", "measuring accelerators (6 of 6)"] {
        assert!(run.stderr.contains(words), "{}", run.stderr);
    }
    assert!(run.stdout.contains("not measured: accelerators: "), "{}", run.stdout);
    let answer = doctor(&folder, &["--json"]).data();
    check_schema("doctor", &answer);
    let names: Vec<_> = list(&answer["ceilings"]).iter().map(|one| text(&one["name"])).collect();
    for name in ["matrix-f32", "matrix-int8", "memory-read", "memory-triad", "loopback-rate"] {
        assert!(names.contains(&name), "{name} in {names:?}");
    }
    let shown = doctor(&folder, &[]).stdout;
    let whole = folder.path().canonicalize().unwrap();
    let named = |line: &str| line.starts_with("disk") && line.contains(whole.to_str().unwrap());
    assert!(!names.contains(&"disk-read") || shown.lines().any(named), "{shown}");
    for ceiling in list(&answer["ceilings"]) {
        let reached = |end: &str| number(&ceiling["reached"][end]);
        assert!(0.0 < reached("low") && reached("low") <= reached("high"), "{ceiling}");
        assert_eq!(text(&ceiling["measured_on"]), TODAY);
    }
    // Nothing but the file of the machine and what SQLite keeps beside it.
    let left = std::fs::read_dir(folder.path()).unwrap().flatten();
    let left: Vec<_> = left.map(|entry| entry.file_name().into_string().unwrap()).collect();
    assert!(left.iter().all(|name| name.starts_with("machine.db")), "{left:?}");
}
