//! How far measured ceilings can be trusted: age, drift, and what they change.

use nearside_ledger::{CeilingRow, Figures, MachineStore};
use serde_json::Value;

use super::answers::check_schema;
use super::command::{Folder, Run, command, list, number, text};

fn with_data(folder: &Folder, arguments: &[&str]) -> Run {
    let mut command = command(arguments);
    command.env("NEARSIDE_DATA_DIR", folder.path());
    Run::of(command, arguments)
}

/// Keeps a measurement of this machine: what, how much, when, beside which load, governed how.
fn keep(
    folder: &Folder,
    (name, unit): (&str, &str),
    likely: f64,
    (day, load, by): (&str, f64, &str),
) {
    let doctor = with_data(folder, &["doctor", "--json"]).exits(0).data();
    let row = CeilingRow {
        machine: text(&doctor["machine"]["fingerprint"]).to_owned(),
        name: name.to_owned(),
        unit: unit.to_owned(),
        figures: Figures::new(likely * 0.98, likely, likely * 1.02).unwrap(),
        measured_on: day.parse().unwrap(),
        conditions: format!(
            r#"{{"threads":2,"load":{load},"governor":"{by}","features":[],"runs":9,"how":"by hand"}}"#
        ),
    };
    let mut store = MachineStore::open(&folder.path().join("machine.db")).unwrap();
    store.add_ceilings(&[row]).unwrap();
}

const READ: (&str, &str) = ("memory-read", "B/s");
const MATRIX: (&str, &str) = ("matrix-f32", "FLOP/s");

fn confidence(folder: &Folder, name: &str) -> Value {
    let data = with_data(folder, &["doctor", "--json"]).exits(0).data();
    check_schema("doctor", &data);
    let ceilings = list(&data["ceilings"]);
    ceilings.iter().find(|it| it["name"] == name).expect("it was kept")["confidence"].clone()
}

#[test]
fn the_newest_is_held_against_those_before() {
    let folder = Folder::cleared("confidence-drift");
    keep(&folder, READ, 20e9, ("2026-08-01", 0.1, "performance"));
    let once = confidence(&folder, "memory-read");
    assert_eq!(once["drift"]["verdict"], "cannot tell");
    assert_eq!((number(&once["age_days"]) as i64, &once["stale"]), (114, &Value::Bool(true)));
    keep(&folder, READ, 20.1e9, ("2026-09-01", 0.1, "performance"));
    assert_eq!(confidence(&folder, "memory-read")["drift"]["verdict"], "steady");
    keep(&folder, READ, 15e9, ("2026-11-01", 0.1, "powersave"));
    let slower = confidence(&folder, "memory-read");
    assert_eq!((&slower["drift"]["verdict"], &slower["stale"]), (&"slower".into(), &false.into()));
    assert!((number(&slower["drift"]["times"]) - 15.0 / 20.05).abs() < 1e-9);
    let causes = list(&slower["drift"]["causes"]);
    assert!(text(&causes[0]["what"]).contains("powersave now, by performance before"));
    let shown = with_data(&folder, &["doctor"]).exits(0);
    assert!(shown.stdout.contains("memory read is slower than before"), "{}", shown.stdout);
    assert!(shown.stdout.contains("2026-11-01 (22 days)"), "{}", shown.stdout);
    // Beside other programs it says nothing of the machine.
    keep(&folder, READ, 9e9, ("2026-11-20", 1.5, "performance"));
    let busy = confidence(&folder, "memory-read");
    assert_eq!(busy["drift"]["verdict"], "cannot tell");
    assert!(text(&busy["drift"]["why"]).contains("load 1.50"), "{busy}");
}

#[test]
fn old_ceilings_are_told() {
    let folder = Folder::cleared("confidence-stale");
    keep(&folder, READ, 20e9, ("2026-08-26", 0.1, "performance"));
    let run = with_data(&folder, &["doctor"]).exits(0);
    assert!(!run.stderr.contains("stale"), "{}", run.stderr);
    let folder = Folder::cleared("confidence-stale");
    keep(&folder, READ, 20e9, ("2026-08-25", 0.1, "performance"));
    let run = with_data(&folder, &["doctor"]).exits(0);
    assert!(run.stdout.contains("(90 days, stale)"), "{}", run.stdout);
    assert!(run.stderr.contains("90 days and more are stale"), "{}", run.stderr);
}

/// Its own accelerator would do the work.
fn has_accelerator(folder: &Folder) -> bool {
    let data = with_data(folder, &["doctor", "--json"]).data();
    !list(&data["machine"]["accelerators"]).is_empty()
}

#[test]
fn a_slow_machine_takes_longer_than_one_of_its_kind() {
    let folder = Folder::cleared("confidence-reference");
    let nowhere = Folder::cleared("confidence-reference-folder");
    let path = nowhere.path().to_str().unwrap();
    let nothing = with_data(&folder, &["doctor", path, "--plan", "--json"]).exits(0).data();
    assert!(nothing["in_plan"].is_null(), "nothing was measured");
    if has_accelerator(&folder) {
        eprintln!("SKIPPED: this machine has an accelerator, whose ceilings are not measured");
        return;
    }
    keep(&folder, READ, 0.2e9, ("2026-11-20", 0.1, "performance"));
    keep(&folder, MATRIX, 1e9, ("2026-11-20", 0.1, "performance"));
    let found = with_data(&folder, &["doctor", path, "--plan", "--json"]).exits(0).data();
    check_schema("doctor", &found);
    let stages = list(&found["in_plan"]["stages"]);
    assert_eq!((text(&found["in_plan"]["of"]), stages.len()), ("smollm2-135m", 2));
    for stage in stages {
        let times = number(&stage["times"]);
        let ends = |of: &str| number(&stage[of]["likely"]);
        assert!(times > 3.0, "{stage}");
        assert!((times - ends("measured_seconds") / ends("assumed_seconds")).abs() < 1e-9);
    }
}

#[test]
fn a_project_says_which_stages_change_and_move() {
    let folder = Folder::cleared("confidence-project-data");
    if has_accelerator(&folder) {
        eprintln!("SKIPPED: this machine has an accelerator, whose ceilings are not measured");
        return;
    }
    let project = Folder::cleared("confidence-project");
    project.write("tower.toml", "version = 1\nname = \"tower\"\ncores = 2\nmemory = \"16 GiB\"\n");
    project.write(
        "nearside.toml",
        r#"version = 1
name = "two-sites"
[model.base]
source = "smollm2-135m"
[stage.judge]
phase = "evaluate"
workload = { task = "evaluation", model = "base", requests = 10, prompt = 100, output = 100 }
[site.here]
[site.tower]
machine = "tower.toml"
[sites]
use = ["here", "tower"]
[objective]
minimize = "time"
"#,
    );
    let path = project.path().to_str().unwrap();
    let judged = |folder: &Folder| {
        let run = with_data(folder, &["doctor", path, "--plan", "--json"]).exits(0).data();
        list(&run["in_plan"]["stages"])[0].clone()
    };
    // So slow that any other machine is better.
    keep(&folder, READ, 0.05e9, ("2026-11-20", 0.1, "performance"));
    keep(&folder, MATRIX, 0.05e9, ("2026-11-20", 0.1, "performance"));
    let slow = judged(&folder);
    assert!(number(&slow["times"]) > 10.0, "{slow}");
    assert_eq!(text(&slow["site_measured"]), "tower");
    // So fast that none is.
    let folder = Folder::cleared("confidence-project-data");
    keep(&folder, READ, 900e9, ("2026-11-20", 0.1, "performance"));
    keep(&folder, MATRIX, 90e12, ("2026-11-20", 0.1, "performance"));
    let fast = judged(&folder);
    assert!(number(&fast["times"]) < 1.0, "{fast}");
    assert_eq!(text(&fast["site_measured"]), "here");
    let shown = with_data(&folder, &["doctor", path, "--plan"]).exits(0);
    let words = "what they change for two-sites: 1 of 1 estimates here";
    assert!(shown.stdout.contains(words), "{}", shown.stdout);
}
