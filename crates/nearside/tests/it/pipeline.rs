//! `nearside init` in folders with a `dvc.yaml`: the stages that come of it, and that they do the same.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::command::{Folder, Run, command, list, nearside, root, text};
use super::readme::entries;

/// Where `cargo xtask setup` installs DVC.
const DVC: &str = "target/engines/dvc/bin/dvc";

/// A copy of a pipeline of the tests.
fn copy(case: &str, name: &str) -> Folder {
    let copy = Folder::cleared(name);
    let source = pipelines().join(case);
    for path in files(&source).iter().filter(|path| !path.ends_with("expected.toml")) {
        let relative = path.strip_prefix(&source).unwrap().to_str().expect("a UTF-8 path");
        copy.write(relative, std::fs::read(path).unwrap());
    }
    copy
}

fn pipelines() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dvc")
}

/// Every file below a folder that is not hidden.
fn files(folder: &Path) -> Vec<PathBuf> {
    let hidden = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().starts_with('.');
    let paths = entries(folder).into_iter().filter(|path| !hidden(path));
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

fn within(folder: &Folder, arguments: &[&str]) -> Run {
    let mut command = command(arguments);
    command.current_dir(folder.path());
    Run::of(command, arguments)
}

/// What of a project file does not depend on this machine.
fn portable(text: &str) -> String {
    text.lines().take_while(|line| *line != "[site.here]").map(|line| format!("{line}\n")).collect()
}

#[test]
fn pipelines_become_the_stages_that_are_recorded() {
    for case in ["classifier", "legacy", "sweep"] {
        let folder = copy(case, &format!("dvc-golden/{case}"));
        let run = within(&folder, &["init", "--json"]).exits(0);
        let envelope = run.envelope();
        let file = portable(text(&envelope["data"]["text"]));
        let expected = pipelines().join(case).join("expected.toml");
        if std::env::var_os("NEARSIDE_UPDATE").is_some() {
            std::fs::write(&expected, &file).unwrap();
        }
        assert_eq!(file, std::fs::read_to_string(&expected).unwrap(), "{case}");
        // What is a comment in the file is a warning as well.
        let told = list(&envelope["warnings"]).iter().filter(|told| {
            let told = text(told);
            assert!(told.starts_with("not carried over: "), "{told}");
            file.contains(told)
        });
        assert_eq!(told.count(), file.matches("# not carried over: ").count(), "{case}");
        within(&folder, &["init", "--force"]).exits(0);
        // Nothing says how much its stages compute, which is a finding and no fault of the file.
        let planned = within(&folder, &["plan", "--json"]);
        assert!(matches!(planned.code, 0 | 1), "{}", planned.stderr);
        // What is only tracked is fetched first.
        folder.write("data/data.xml", "<a/>");
        within(&folder, &["run", "--dry-run"]).exits(0);
    }
}

#[test]
fn what_is_wrong_with_a_pipeline_is_shown_at_its_place() {
    let folder = Folder::cleared("dvc-wrong");
    let path = folder.path().to_str().unwrap().to_owned();
    for (pipeline, place, says) in [
        ("stages:\n  a:\n    cmd: [x\n", "dvc.yaml:3:13", "this is no YAML"),
        ("stages:\n  a:\n    cdm: x\n", "dvc.yaml:3:5", "unknown key \"cdm\""),
        ("stages:\n  a:\n    cmd: x ${b.c}\n", "dvc.yaml:3:10", "nothing is called \"b\""),
        ("stages:\n  a:\n    deps: [x]\n", "dvc.yaml:3:5", "stage \"a\" has no cmd"),
        ("stages:\n  a:\n    foreach: 3\n    do: {cmd: x}\n", "dvc.yaml:3:14", "not a number"),
        ("vars: [v.yaml]\nstages: {}\n", "dvc.yaml:1:8", "v.yaml is not there"),
    ] {
        folder.write("dvc.yaml", pipeline);
        let run = nearside(&["init", &path, "--force"]).exits(3);
        for expected in [place, says, "hint: mend it"] {
            assert!(run.stderr.contains(expected), "{pipeline}\n{expected}\n{}", run.stderr);
        }
    }
    folder.write("dvc.yaml", "stages: {a: {cmd: 'true'}}\n");
    folder.write("params.yaml", "a: 1\nb: [\n");
    let run = nearside(&["init", &path, "--force"]).exits(3);
    assert!(run.stderr.contains("params.yaml: 3:1: this is no YAML"), "{}", run.stderr);
}

#[test]
fn a_pipeline_makes_here_what_dvc_makes_of_it() {
    let dvc = [root().join(DVC), PathBuf::from("dvc")].into_iter().find(|program| {
        Command::new(program).arg("--version").output().is_ok_and(|run| run.status.success())
    });
    let here = copy("sweep", "dvc-sweep-here");
    within(&here, &["init"]).exits(0);
    within(&here, &["run", "--dry-run"]).exits(0);
    within(&here, &["run"]).exits(0);
    assert_eq!(within(&here, &["run"]).exits(0).stdout, "5 stages are up to date\n");
    let Some(dvc) = dvc else {
        eprintln!("SKIPPED: DVC is not installed; remedy: cargo xtask setup");
        return;
    };
    let there = copy("sweep", "dvc-sweep-there");
    for folder in ["work", "models"] {
        std::fs::create_dir_all(there.path().join(folder)).unwrap();
    }
    for arguments in [["init", "--no-scm", "--quiet"], ["repro", "--quiet", "--no-commit"]] {
        let mut command = Command::new(&dvc);
        command.args(arguments).current_dir(there.path()).env("DVC_NO_ANALYTICS", "1");
        let ran = command.env("DVC_SITE_CACHE_DIR", there.path().join(".site")).output().unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    }
    let made = |folder: &Folder| -> BTreeMap<PathBuf, Vec<u8>> {
        let own = ["nearside.toml", "dvc.lock"];
        let paths = files(folder.path()).into_iter();
        let paths = paths.map(|path| path.strip_prefix(folder.path()).unwrap().to_path_buf());
        paths
            .filter(|path| !own.iter().any(|name| path == Path::new(name)))
            .map(|path| (path.clone(), std::fs::read(folder.path().join(&path)).unwrap()))
            .collect()
    };
    let (here, there) = (made(&here), made(&there));
    assert_eq!(here.len(), 6 + 4 + 2 + 2, "{:?}", here.keys());
    let differs = here.iter().filter(|(path, bytes)| there.get(*path) != Some(*bytes));
    assert_eq!(differs.map(|(path, _)| path).collect::<Vec<_>>(), Vec::<&PathBuf>::new());
    assert_eq!(here.len(), there.len());
}
