//! The runbook: what whoever takes a project over must know.

use nearside_ledger::{Outcome, RunRow};
use serde_json::Value;

use super::answers::check_schema;
use super::command::{Folder, command, list, nearside, text};
use super::recorded::{keep, row};

/// A project of two stages on this machine.
fn project(name: &str) -> Folder {
    let folder = Folder::cleared(name);
    folder.write(
        "nearside.toml",
        r#"version = 1
name = "handed|over"
[dataset.people]
path = "people.csv"
size = "1 MB"
class = "personal"
[stage.prepare]
phase = "prepare"
run = "echo ok > clean.csv"
outputs = ["clean.csv"]
inputs = []
[stage.judge]
phase = "evaluate"
inputs = ["people"]
run = "sh judge.sh"
[site.here]
[sites]
use = ["here"]
"#,
    );
    folder.write("people.csv", "name\nAda\n");
    folder.write("requirements.txt", "requests==2.32.3\n");
    folder
}

fn runbook(folder: &Folder) -> Value {
    let path = folder.path().to_str().unwrap();
    let data = nearside(&["report", path, "--runbook", "--json"]).exits(0).data();
    check_schema("runbook", &data);
    data
}

#[test]
fn failures_are_told_with_what_came_after_them() {
    let folder = project("runbook-faults");
    let failed = |key: &str, began: &str, said: &str| RunRow {
        cache_key: key.to_owned(),
        exit_code: Some(1),
        failure: Some(said.to_owned()),
        ..row("prepare", Outcome::Failed, began)
    };
    let ran = |key: &str, began: &str| RunRow {
        cache_key: key.to_owned(),
        exit_code: Some(0),
        run_seconds: Some(1.0),
        ..row("prepare", Outcome::Ran, began)
    };
    keep(
        &folder,
        &[
            failed("a", "2026-11-01T10:00:00Z", "exit code 1: CUDA out of memory: 2 GiB"),
            failed("a", "2026-11-02T10:00:00Z", "exit code 1: CUDA out of memory: 3 GiB"),
            ran("b", "2026-11-03T10:00:00Z"),
            failed("b", "2026-11-04T10:00:00Z", "exit code 1: read timed out"),
            ran("b", "2026-11-05T10:00:00Z"),
            row("prepare", Outcome::Cached, "2026-11-06T10:00:00Z"),
        ],
    );
    let data = runbook(&folder);
    let faults = list(&data["faults"]);
    let memory = &faults[0];
    assert_eq!((text(&memory["last"]), &memory["times"]), ("2026-11-02", &2.into()));
    assert!(text(&memory["afterwards"]).contains("was changed"), "{memory}");
    assert!(text(&memory["remedy"]).contains("nearside fit"), "{memory}");
    assert!(text(&faults[1]["afterwards"]).contains("the very same"), "{faults:?}");
    let stages = list(&data["stages"]);
    let named = |name: &str| stages.iter().find(|stage| stage["stage"] == name).unwrap();
    assert_eq!(text(&named("prepare")["last_ended_well"]), "2026-11-05");
    assert!(named("judge")["last_ended_well"].is_null());
    let environments = list(&data["environments"]);
    assert!(text(&environments[0]["command"]).contains("-r requirements.txt"), "{environments:?}");
    let maintenance = list(&data["maintenance"]);
    let ledger = maintenance.iter().find(|it| text(&it["what"]).contains("ledger")).unwrap();
    assert!(
        text(&ledger["state"])
            .starts_with("5 executions and 1 result that was there, the last of 2026-11-06"),
        "{ledger}"
    );
}

#[test]
fn a_run_records_why_it_failed_but_not_what_it_read_of_people() {
    let folder = project("runbook-people");
    let path = folder.path().to_str().unwrap();
    folder.write("judge.sh", "echo 'no row for Ada' >&2; exit 3\n");
    nearside(&["run", path, "--keep-going"]).exits(5);
    let data = runbook(&folder);
    let fault = &list(&data["faults"])[0];
    assert_eq!((text(&fault["stage"]), &fault["times"]), ("judge", &1.into()));
    assert!(text(&fault["said"]).contains("exit code 3"), "{fault}");
    assert!(!data.to_string().contains("Ada"), "{data}");
    assert!(text(&fault["afterwards"]).contains("not ended well since"), "{fault}");
    // Of what is about nobody, the last line helps.
    let file = std::fs::read_to_string(folder.path().join("nearside.toml")).unwrap();
    folder.write("nearside.toml", file.replace("\"personal\"", "\"internal\""));
    nearside(&["run", path, "--keep-going"]).exits(5);
    let fault = list(&runbook(&folder)["faults"])[0].clone();
    assert!(text(&fault["said"]).ends_with("no row for Ada"), "{fault}");
}

#[test]
fn a_lock_is_read_and_not_only_named() {
    let folder = project("runbook-lock");
    let lock = "version = 1\n[system]\nlibc = \"glibc 2.36\"\n[python]\nversion = \"3.12.3\"\n\
                torch = \"cuda 12.6\"\n[packages]\nnumpy = \"2.1.0\"\n";
    folder.write("nearside.lock", lock);
    let data = runbook(&folder);
    let first = &list(&data["environments"])[0];
    let what = "what was found where it was written: Python 3.12.3, 1 package, PyTorch for cuda 12.6, \
                glibc 2.36";
    assert_eq!((text(&first["from"]), text(&first["what"])), ("nearside.lock", what));
    // One that cannot be read is told, and the runbook is written all the same.
    folder.write("nearside.lock", "version = 1\nsystem = 3\n");
    let path = folder.path().to_str().unwrap();
    let run = nearside(&["report", path, "--runbook"]).exits(0);
    assert!(run.stdout.contains("cannot be read: expected a table"), "{}", run.stdout);
    assert!(run.stderr.contains("nearside.lock: expected a table"), "{}", run.stderr);
}

#[test]
fn markdown_and_page_say_the_same() {
    let folder = project("runbook-forms");
    let path = folder.path().to_str().unwrap();
    let markdown = nearside(&["report", path, "--runbook"]).exits(0).stdout;
    assert!(markdown.starts_with("# Runbook of handed\\|over\n"), "{markdown}");
    let parts = [
        "Machines",
        "Rebuilding the environments",
        "Running the stages",
        "What has failed",
        "Maintenance",
    ];
    for part in parts {
        assert!(markdown.contains(&format!("\n## {part}\n")), "{part}: {markdown}");
    }
    assert!(markdown.contains("The ledger has no failure."), "{markdown}");
    let page = folder.path().join("runbook.html");
    let file = page.to_str().unwrap();
    let run = nearside(&["report", path, "--runbook", "--html", file]).exits(0);
    assert_eq!(run.stdout, "");
    let html = std::fs::read_to_string(page).unwrap();
    assert!(parts.iter().all(|part| html.contains(&format!("<h2>{part}</h2>"))), "{html}");
    assert!(html.contains("<h1>Runbook of handed|over</h1>") && !html.contains("http"), "{html}");
}

#[test]
fn a_runbook_is_of_one_project_and_written_without_a_plan_too() {
    let run = nearside(&["report", "a", "b", "--runbook"]).exits(2);
    assert!(run.stderr.contains("one project"), "{}", run.stderr);
    nearside(&["report", "--runbook", "--draws", "9"]).exits(2);
    nearside(&["report", "--html", "x.html"]).exits(2);
    nearside(&["report", "/nonexistent", "--runbook"]).exits(3);
    let folder = project("runbook-without-plan");
    let file = std::fs::read_to_string(folder.path().join("nearside.toml")).unwrap();
    folder.write("nearside.toml", file.replace("use = [\"here\"]", "use = [\"azure/*\"]"));
    let path = folder.path().to_str().unwrap();
    let data = runbook(&folder);
    assert_eq!(list(&data["stages"]).len(), 2, "{data}");
    let output = command(&["report", path, "--runbook"]).output().unwrap();
    assert!(output.status.success());
}
