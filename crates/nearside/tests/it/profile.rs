//! `nearside profile`: what a command was held back by, and what becomes of its exit code.

use serde_json::Value;

use super::answers::check_schema;
use super::command::{Folder, Run, command, nearside};

fn profiled(words: &[&str]) -> Run {
    let arguments = [&["profile", "--json", "--"], words].concat();
    nearside(&arguments)
}

fn data(run: &Run) -> Value {
    let envelope: Value = serde_json::from_str(&run.stdout).expect(&run.stdout);
    assert_eq!(envelope["schema"], "nearside/profile/1");
    check_schema("profile", &envelope["data"]);
    envelope["data"].clone()
}

#[test]
fn the_code_of_the_command_is_passed_on() {
    let run = profiled(&["sh", "-c", "echo said; exit 7"]).exits(7);
    assert_eq!(data(&run)["exit"], serde_json::json!({ "code": 7, "of": "command" }));
    assert!(run.stderr.contains("said"), "what it prints does not mix with JSON: {}", run.stderr);
    let killed = profiled(&["sh", "-c", "kill -TERM $$"]).exits(143);
    assert_eq!(data(&killed)["exit"]["code"], 143);
    let text = nearside(&["profile", "--", "sh", "-c", "echo said; exit 3"]).exits(3);
    assert!(text.stdout.starts_with("said\n"), "{}", text.stdout);
    assert!(text.stdout.contains("ended with code 3"), "{}", text.stdout);
}

#[test]
fn a_command_that_cannot_be_started() {
    let run = profiled(&["no-such-program"]).exits(127);
    let data = data(&run);
    assert_eq!(data["exit"]["of"], "nearside");
    assert_eq!(data["found"], Value::Null);
    assert!(run.stderr.contains("no-such-program cannot be started"), "{}", run.stderr);
    nearside(&["profile"]).exits(2);
}

#[test]
fn a_sleeper_sleeps_and_says_so_on_a_page() {
    if !cfg!(target_os = "linux") {
        eprintln!("SKIPPED: processes are only seen on Linux");
        return;
    }
    let folder = Folder::new("profile-page");
    let page = folder.path().join("page.html");
    let arguments = ["profile", "--html", page.to_str().unwrap(), "--", "sleep", "1.5"];
    let run = nearside(&arguments).exits(0);
    assert!(run.stdout.starts_with("The bottleneck is the clock"), "{}", run.stdout);
    for part in ["where the time went", "sleeping by the clock", "worth trying", "processors"] {
        assert!(run.stdout.contains(part), "{part}: {}", run.stdout);
    }
    let page = std::fs::read_to_string(page).unwrap();
    assert!(page.contains("<svg") && page.contains("The bottleneck is the clock"), "{page}");
    let data = data(&profiled(&["sleep", "1.5"]).exits(0));
    let found = &data["found"];
    assert_eq!(found["bottleneck"], "idle");
    let shares: f64 =
        found["shares"].as_object().unwrap().values().map(|share| share.as_f64().unwrap()).sum();
    assert!((shares - 1.0).abs() < 1e-6, "{found}");
}

#[test]
fn a_page_that_cannot_be_written_is_told_and_nothing_is_lost() {
    let folder = Folder::new("profile-no-page");
    std::fs::write(folder.path().join("file"), "").unwrap();
    let page = folder.path().join("file/page.html");
    let run = nearside(&["profile", "--html", page.to_str().unwrap(), "--", "true"]).exits(4);
    assert!(run.stdout.contains("The bottleneck is"), "{}", run.stdout);
    assert!(run.stderr.contains("cannot write"), "{}", run.stderr);
}

/// Other tests run at the same time, so what may not happen is a wrong verdict that is sure.
#[test]
fn programs_of_known_bottleneck_are_judged() {
    if !cfg!(target_os = "linux") {
        eprintln!("SKIPPED: processes are only seen on Linux");
        return;
    }
    let folder = Folder::new("profile-self-test");
    let path = folder.path().to_str().unwrap();
    let arguments = ["profile", "--self-test", "--seconds", "1.2", "--hogs", "1", "--folder", path];
    let run = nearside(&arguments).exits(0);
    let rows: Vec<&str> = run.stdout.lines().skip(1).collect();
    assert_eq!(rows.len(), 10, "{}", run.stdout);
    for row in rows.iter().filter(|row| row.contains("skipped")) {
        eprintln!("SKIPPED: {row}");
    }
    assert!(run.stdout.contains(" right "), "{}", run.stdout);
    nearside(&["profile", "--self-test", "nothing"]).exits(2);
}

#[test]
#[cfg(unix)]
fn ctrl_c_ends_the_command_and_what_was_seen_is_told() {
    use std::os::unix::process::CommandExt as _;
    use std::process::{Command, Stdio};
    // A terminal's whole foreground group gets the signal.
    let mut profile = command(&["profile", "--json", "--", "sleep", "30"]);
    profile.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = profile.spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(1200));
    let group = format!("-{}", child.id());
    assert!(Command::new("kill").args(["-INT", "--", &group]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    let answer: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    assert_eq!(answer["data"]["exit"]["code"], 130);
    assert_eq!(output.status.code(), Some(130));
}
