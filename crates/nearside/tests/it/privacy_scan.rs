//! `nearside privacy scan`: findings without values, tables, archives, SARIF, exit codes.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::answers::check_schema;
use crate::command::{Folder, command, list, nearside, number, text};

const TABLE: &str = "id;Nachname;telefon;note\n\
    1;Krämer;+49 151 26196152;paid by 4111 1111 1111 1111\n\
    2;\"Weiß, Anna\";030 1234567;order 4111 1111 1111 1112\n";

#[test]
fn findings_are_told_without_their_values() {
    let folder = Folder::cleared("privacy-scan-table");
    let file = folder.write("people.csv", TABLE);
    let run = nearside(&["privacy", "scan", &file]).exits(1);
    for secret in ["Krämer", "26196152", "4111", "1234567"] {
        assert!(!run.stdout.contains(secret), "{}", run.stdout);
    }
    for told in ["people.csv:2 (Nachname)", "PERSON", "PHONE", "CREDIT_CARD", "Nachname"] {
        assert!(run.stdout.contains(told), "{told}: {}", run.stdout);
    }
    let answer = nearside(&["privacy", "scan", &file, "--json"]).exits(1).data();
    check_schema("privacy-scan", &answer);
    let findings = list(&answer["findings"]);
    let kinds: Vec<_> = findings.iter().map(|finding| text(&finding["type"])).collect();
    assert_eq!(kinds, ["PERSON", "PHONE", "CREDIT_CARD", "PERSON", "PHONE"]);
    for finding in findings {
        let (start, end) = (number(&finding["start"]), number(&finding["end"]));
        assert!(start < end && finding["path"] == file.as_str(), "{finding}");
    }
    let card = &findings[2];
    let place = number(&card["start"]) as usize..number(&card["end"]) as usize;
    assert_eq!(&TABLE.as_bytes()[place], b"4111 1111 1111 1111");
}

#[test]
fn nothing_found_is_zero_and_what_cannot_be_read_is_one() {
    let folder = Folder::cleared("privacy-scan-clean");
    folder.write("notes.md", "Version 12.36.7.9 of 2024-05-01, see table 3.\n");
    let path = folder.path().to_string_lossy().into_owned();
    let clean = nearside(&["privacy", "scan", &path]).exits(0);
    assert!(clean.stdout.contains("nothing personal or secret was found"), "{}", clean.stdout);
    let sealed = folder.write("x.7z", b"7z\xbc\xaf\x27\x1c rest");
    let run = nearside(&["privacy", "scan", &path]).exits(1);
    assert!(run.stdout.contains(&format!("not read: {sealed}")), "{}", run.stdout);
}

#[test]
fn kinds_classes_and_scores_are_chosen() {
    let folder = Folder::cleared("privacy-scan-kinds");
    let file = folder.write("a.txt", "mail ann@acme.org, NHS number 943 476 5919\n");
    let code =
        |arguments: &[&str]| nearside(&[&["privacy", "scan", &file], arguments].concat()).code;
    assert_eq!(code(&["--only", "EMAIL"]), 1);
    assert_eq!(code(&["--only", "IBAN"]), 0);
    assert_eq!(code(&["--class", "special"]), 1);
    assert_eq!(code(&["--class", "special", "--without", "UK_NHS"]), 0);
    assert_eq!(code(&["--class", "secret"]), 2);
    assert_eq!(code(&["--only", "NOTHING"]), 2);
    assert_eq!(code(&["--score", "0.1"]), 2);
    nearside(&["privacy", "scan", "absent"]).exits(3);
}

#[test]
fn findings_are_written_for_code_hosts() {
    let folder = Folder::cleared("privacy-scan-sarif");
    let file = folder.write("src/a.py", "x = 1\nmail = \"ann@acme.org\"\n");
    let out = folder.path().join("out.sarif");
    nearside(&["privacy", "scan", &file, "--sarif", &out.to_string_lossy()]).exits(1);
    let text = fs::read_to_string(out).unwrap();
    let sarif: serde_json::Value = serde_json::from_str(&text).unwrap();
    let result = &sarif["runs"][0]["results"][0];
    assert_eq!(result["ruleId"], "EMAIL");
    let region = &result["locations"][0]["physicalLocation"]["region"];
    assert_eq!(region["startLine"], 2);
    assert!(!text.contains("acme"), "{text}");
}

#[test]
fn a_document_for_programs_holds_what_is_not_listed_but_nothing_that_is_not_wanted() {
    let folder = Folder::cleared("privacy-scan-sarif-limit");
    let lines = (0..50).map(|number| format!("ann{number}@acme.org, 10.1.2.{number}\n"));
    let file = folder.write("a.txt", lines.collect::<String>());
    let out = folder.path().join("out.sarif");
    let out = out.to_string_lossy();
    let absent = folder.path().join("absent").to_string_lossy().into_owned();
    let run = nearside(&[
        "privacy", "scan", &file, &absent, "--only", "EMAIL", "--limit", "3", "--sarif", &out,
        "--json", "-q",
    ])
    .exits(1)
    .data();
    assert_eq!((list(&run["findings"]).len(), &run["found"]), (3, &50.into()));
    assert_eq!(list(&run["unreadable"]).len(), 1);
    let sarif: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(&*out).unwrap()).unwrap();
    let run = &sarif["runs"][0];
    assert_eq!(list(&run["results"]).len(), 50);
    assert_eq!(list(&run["tool"]["driver"]["rules"]).len(), 1);
    assert_eq!(run["invocations"][0]["executionSuccessful"], false);
    let nowhere = folder.path().join("a.txt/out.sarif");
    nearside(&["privacy", "scan", &file, "--sarif", &nowhere.to_string_lossy()]).exits(4);
    // A finding that is not wanted is in neither.
    nearside(&["privacy", "scan", &file, "--without", "EMAIL,IP", "--sarif", &out]).exits(0);
    assert!(!fs::read_to_string(&*out).unwrap().contains("EMAIL"));
}

#[test]
fn who_is_interrupted_tells_what_was_found_until_then() {
    let folder = Folder::cleared("privacy-scan-interrupted");
    let told = folder.path().join("told.json");
    let mut child = command(&["privacy", "scan", "-", "--json"])
        .stdin(Stdio::piped())
        .stdout(fs::File::create(&told).unwrap())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    // More than a block, so that some of it is looked at before the end.
    input.write_all("mail ann@acme.org\n".repeat(400_000).as_bytes()).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    assert!(
        Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success()
    );
    assert_eq!(child.wait().unwrap().code(), Some(5));
    drop(input);
    let answer: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(told).unwrap()).unwrap();
    let data = &answer["data"];
    check_schema("privacy-scan", data);
    assert_eq!(data["interrupted"], true);
    assert!(number(&data["found"]) > 1000.0, "{}", data["found"]);
    assert_eq!(list(&data["unreadable"])[0]["why"], "it was interrupted");
}
