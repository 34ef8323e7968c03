//! `nearside privacy scan`: findings without values, tables, archives, SARIF, exit codes.

use std::fs;

use crate::answers::check_schema;
use crate::command::{Folder, list, nearside, number, text};

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
