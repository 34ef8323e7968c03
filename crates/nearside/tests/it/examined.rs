//! What is wrong with a machine, as the command tells it: recorded machines of the probe's tests,
//! as text, JSON and a report to paste.

#[path = "../../../nearside-probe/tests/doctor/tree.rs"]
mod tree;

use serde_json::Value;

use super::answers::check_schema;
use super::command::{Run, list, nearside, text};
use tree::Tree;

const PROJECT: &str = "/home/ada/project";

/// What the doctor says of a recorded machine.
#[track_caller]
fn doctor(tree: &Tree, arguments: &[&str]) -> Run {
    let root = tree.root.to_str().expect("a UTF-8 path");
    nearside(&[&["doctor", "--root", root, PROJECT], arguments].concat())
}

/// Names of checks with that status.
fn ids(data: &Value, status: &str) -> Vec<String> {
    let sections = list(&data["sections"]).iter();
    let checks = sections.flat_map(|section| list(&section["checks"]));
    let wanted = checks.filter(|check| check["status"] == status);
    wanted.map(|check| text(&check["id"]).to_owned()).collect()
}

#[test]
fn a_fault_is_told_with_evidence_rule_and_commands_and_exits_with_1() {
    let tree = Tree::unfold("driver-mismatch", "it");
    let run = doctor(&tree, &[]).exits(1);
    for words in [
        "FAULT  driver 580.126.09 is loaded, its library is 580.142.01  [driver-library-match]",
        "    seen  /proc/driver/nvidia/version: 580.126.09",
        "    rule  the loaded module and the installed library have the same version",
        "    fix   sudo reboot",
        "driver and runtime   2 FAULTs",
        "Ubuntu 24.04.2 LTS",
        "PyTorch that fits: torch 2.15+cu132",
        "  pip install 'torch==2.15.*' --index-url https://download.pytorch.org/whl/cu132",
    ] {
        assert!(run.stdout.contains(words), "{words}\n{}", run.stdout);
    }
    // What is well is one line for each section, and nothing is said of ceilings of this machine.
    assert!(run.stdout.contains("\nnetwork              ok (4 checks)\n"), "{}", run.stdout);
    assert!(
        !run.stdout.contains("ceilings") && !run.stderr.contains("--measure"),
        "{}",
        run.stderr
    );
}

#[test]
fn a_healthy_machine_exits_with_0_and_explains_itself() {
    let tree = Tree::unfold("healthy-server", "it");
    let plain = doctor(&tree, &[]).exits(0).stdout;
    assert!(!plain.contains("FAULT") && !plain.contains("WARNING"), "{plain}");
    let explained = doctor(&tree, &["--explain"]).exits(0).stdout;
    assert!(explained.lines().count() > plain.lines().count() + 30, "{explained}");
    for words in ["[driver-floor]", "needs driver 580 or newer", "source: pytorch/pytorch"] {
        assert!(explained.contains(words), "{words}\n{explained}");
    }
}

#[test]
fn text_and_json_tell_the_same_and_again() {
    for case in ["pascal-cu130", "full-disk-and-slow-cache", "healthy-wsl", "mounted-disk"] {
        let tree = Tree::unfold(case, "it-json");
        let project: &[&str] = if case == "mounted-disk" { &[] } else { &[PROJECT] };
        let root = tree.root.to_str().expect("a UTF-8 path");
        let asked = [&["doctor", "--root", root], project].concat();
        let json = nearside(&[&asked[..], &["--json"]].concat());
        let data = json.data();
        check_schema("doctor", &data);
        let again = nearside(&[&asked[..], &["--json"]].concat()).data();
        for part in ["sections", "torch"] {
            assert!(data[part] == again[part], "{case}: {part} differs the second time");
        }
        let shown = nearside(&asked).stdout;
        for status in ["fault", "warning"] {
            for id in ids(&data, status) {
                assert!(shown.contains(&format!("[{id}]")), "{case}: {id}\n{shown}");
            }
        }
        assert_eq!(json.code, i32::from(!ids(&data, "fault").is_empty()), "{case}");
    }
    let tree = Tree::unfold("pascal-cu130", "it-build");
    let data = doctor(&tree, &["--json"]).exits(1).data();
    assert_eq!(text(&data["torch"]["build"]), "torch 2.14+cu126");
    assert!(text(&list(&data["torch"]["refused"])[0]).contains("compute capability 6.1"), "{data}");
}

#[test]
fn a_report_names_nobody() {
    for case in ["open-secrets", "proxies", "hmm-kaslr", "pascal-cu130", "full-disk-and-slow-cache"]
    {
        let tree = Tree::unfold(case, "it-report");
        let report = doctor(&tree, &["--report"]).stdout;
        assert!(report.starts_with("### nearside "), "{report}");
        for secret in ["ada", "cairn", "geheim", "example", "hf_notatoken", "sk-notakey"] {
            let word = |sign: char| !sign.is_alphanumeric() && sign != '_' && sign != '-';
            assert!(!report.split(word).any(|found| found == secret), "{case}: {secret}\n{report}");
        }
    }
    let tree = Tree::unfold("open-secrets", "it-report-home");
    let report = doctor(&tree, &["--report"]).exits(0).stdout;
    for words in
        ["**WARNING** `secret-files`", "- seen: `~/project/.env`", "```sh\nchmod 600 ~/.cache"]
    {
        assert!(report.contains(words), "{words}\n{report}");
    }
}

#[test]
fn what_a_project_says_of_its_data_counts() {
    let tree = Tree::unfold("healthy-workstation", "it-personal");
    assert!(ids(&doctor(&tree, &["--json"]).exits(0).data(), "warning").is_empty());
    let file = tree.root.join("home/ada/project/nearside.toml");
    let project = "version = 1\nname = \"here\"\n\
        [dataset.letters]\npath = \"letters.csv\"\nclass = \"personal\"\n\
        [stage.read]\nphase = \"explore\"\ninputs = [\"letters\"]\nrun = \"true\"\n[site.here]\n";
    std::fs::write(&file, project).unwrap();
    let personal = doctor(&tree, &["--json"]).exits(0).data();
    let warned = ids(&personal, "warning");
    assert!(warned.contains(&"disk-encryption".to_owned()), "{warned:?}");
    std::fs::write(&file, "no project").unwrap();
    let run = doctor(&tree, &[]).exits(0);
    assert!(run.stderr.contains("its data counts as not personal"), "{}", run.stderr);
}

#[test]
fn wrong_places_and_combinations_are_refused() {
    let run = nearside(&["doctor", "/nonexistent"]).exits(3);
    assert!(run.stderr.contains("/nonexistent is no folder"), "{}", run.stderr);
    let run = nearside(&["doctor", "--root", "/nonexistent"]).exits(3);
    assert!(run.stderr.contains("/nonexistent is no folder"), "{}", run.stderr);
    let tree = Tree::unfold("mounted-disk", "it-refused");
    let root = tree.root.to_str().expect("a UTF-8 path");
    let run = nearside(&["doctor", "--root", root, "home/nobody"]).exits(3);
    assert!(run.stderr.contains("home/nobody is no folder"), "{}", run.stderr);
    nearside(&["doctor", "--report", "--json"]).exits(2);
    nearside(&["doctor", "--root", root, "--measure"]).exits(2);
}
