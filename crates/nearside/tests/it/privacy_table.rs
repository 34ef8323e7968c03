//! `nearside privacy anonymize --k`: a table is written that keeps what it claims, or nothing is.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;

use crate::answers::check_schema;
use crate::command::{Folder, list, nearside, number, text};

/// Two hundred people: a name, an age, a postal code, an illness.
fn people() -> String {
    let mut table = "name,age,zip,illness,note\n".to_owned();
    for number in 0..200 {
        let (age, zip) = (20 + number * 7 % 60, 10_000 + number * 37 % 900);
        let illness = ["flu", "asthma", "none"][number % 3];
        table.push_str(&format!("Anna Kowalska,{age},{zip},{illness},\"a, b\"\n"));
    }
    table
}

const QUASI: [&str; 4] = ["--quasi", "age,zip", "--k", "5"];

fn arguments<'a>(file: &'a str, out: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let first = ["privacy", "anonymize", file, "-o", out, "-q"];
    [&first[..], &QUASI[..], more].concat()
}

#[test]
fn every_row_hides_among_others() {
    let folder = Folder::cleared("privacy-table");
    let file = folder.write("people.csv", people());
    let out = folder.path().join("out.csv").to_string_lossy().into_owned();
    let more = ["--sensitive", "illness", "--l", "2", "--drop-column", "name", "--json"];
    let answer = nearside(&arguments(&file, &out, &more)).exits(0).data();
    check_schema("privacy-anonymize-table", &answer);
    let written = fs::read_to_string(&out).unwrap();
    let mut classes: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for (index, row) in written.lines().enumerate() {
        let cells: Vec<&str> = row.split(',').collect();
        match index {
            0 => assert_eq!(row, "age,zip,illness,note"),
            _ => {
                assert!(row.ends_with(",\"a, b\""), "{row}");
                let key = (cells[0].to_owned(), cells[1].to_owned());
                classes.entry(key).or_default().push(cells[2].to_owned());
            }
        }
    }
    assert!(classes.len() > 1, "{classes:?}");
    for (key, illnesses) in &classes {
        let different: std::collections::BTreeSet<_> = illnesses.iter().collect();
        assert!(illnesses.len() >= 5 && different.len() >= 2, "{key:?} {illnesses:?}");
    }
    let least = classes.values().map(Vec::len).min().unwrap() as f64;
    assert!((number(&answer["kept"]["k"]) - least).abs() < 0.5, "{answer}");
    assert!((number(&answer["kept"]["classes"]) - classes.len() as f64).abs() < 0.5, "{answer}");
    assert_eq!(list(&answer["columns"]).len(), 2);
}

#[test]
fn what_else_tells_who_it_is_is_named() {
    let folder = Folder::cleared("privacy-table-left");
    let file = folder.write("people.csv", people());
    let out = folder.path().join("out.csv").to_string_lossy().into_owned();
    let answer = nearside(&arguments(&file, &out, &["--json"])).exits(1);
    let told = &answer.data()["left"][0];
    assert_eq!((text(&told["column"]), number(&told["kinds"]["PERSON"])), ("name", 200.0));
    // On stdout, from stdin by a file's name, as a table alone.
    let arguments = ["privacy", "anonymize", &file, "-q", "--k", "5", "--quasi", "age,zip"];
    assert_eq!(nearside(&arguments).exits(1).stdout, fs::read_to_string(out).unwrap());
}

#[test]
fn neighbours_are_told_more_exactly() {
    let folder = Folder::cleared("privacy-table-mondrian");
    let file = folder.write("people.csv", people());
    let out = folder.path().join("out.csv").to_string_lossy().into_owned();
    let page = folder.path().join("page.html").to_string_lossy().into_owned();
    let more = ["--drop-column", "name", "--target", "illness", "--html", &page, "--json"];
    let lattice = nearside(&arguments(&file, &out, &more)).exits(0).data();
    let mondrian = [&more[..], &["--method", "mondrian"]].concat();
    let mondrian = nearside(&arguments(&file, &out, &mondrian)).exits(0).data();
    check_schema("privacy-anonymize-table", &mondrian);
    let penalty = |answer: &Value| number(&answer["utility"]["penalty"]);
    assert!(penalty(&mondrian) < penalty(&lattice), "{lattice} {mondrian}");
    assert!((number(&lattice["other"]["penalty"]) - penalty(&mondrian)).abs() < 1e-12);
    assert!(number(&mondrian["kept"]["k"]) >= 5.0);
    for area in ["original", "anonymized"] {
        assert!((0.0..=1.0).contains(&number(&mondrian["utility"]["auc"][area])), "{mondrian}");
    }
    // Shares of a column's groups are parts of one whole, before and after.
    for column in list(&mondrian["columns"]) {
        for side in ["before", "after"] {
            let sum: f64 = list(&column["shares"]).iter().map(|it| number(&it[side])).sum();
            assert!((sum - 1.0).abs() < 1e-9, "{column}");
        }
    }
    assert!(fs::read_to_string(&out).unwrap().contains(".."));
    let page = fs::read_to_string(page).unwrap();
    assert!(page.matches("<figure").count() == 2 && page.contains("zip: 200 values"), "{page}");
}

#[test]
fn rows_hide_in_a_population() {
    let folder = Folder::cleared("privacy-table-population");
    let everyone = people();
    let some: String = everyone.lines().take(8).map(|line| format!("{line}\n")).collect();
    let (some, everyone) = (folder.write("some.csv", some), folder.write("all.csv", everyone));
    let out = folder.path().join("out.csv").to_string_lossy().into_owned();
    // Among themselves seven people are told as one class; among two hundred they are told apart.
    let more = ["--drop-column", "name", "--method", "mondrian", "--json"];
    let alone = nearside(&arguments(&some, &out, &more)).exits(0).data();
    let more = [&more[..], &["--population", &everyone]].concat();
    let among = nearside(&arguments(&some, &out, &more)).exits(0).data();
    assert_eq!((&alone["kept"]["classes"], &among["kept"]["rows"]), (&1.into(), &7.into()));
    assert!(number(&among["kept"]["classes"]) > 1.0, "{among}");
    assert!(number(&among["kept"]["k"]) >= 5.0, "{among}");
    let more = ["--drop-column", "name", "--population", &everyone];
    let told = nearside(&arguments(&some, &out, &more)).exits(0).stdout;
    assert!(told.contains("each among at least"), "{told}");
}

#[test]
fn what_cannot_be_done_is_said_and_leaves_nothing() {
    let folder = Folder::cleared("privacy-table-bad");
    let file = folder.write("people.csv", people());
    let empty = folder.write("empty.csv", "age,zip,illness\n");
    let doubled = folder.write("doubled.csv", "age,zip,age\n30,1,30\n30,1,31\n");
    let gone = folder.path().join("gone.csv").to_string_lossy().into_owned();
    let ragged = folder.write("ragged.csv", "age,zip\n30,10115\n31\n");
    let mixed = folder.write("mixed.csv", "age,zip\n30,1\n31,1\n32,1\n33,1\n34,1\n35,1\nold,1\n");
    folder.write("levels/x_age.csv", "20;20-39;*\n21;20-39;*\n");
    let levels = folder.path().join("levels").to_string_lossy().into_owned();
    let out = folder.path().join("out.csv").to_string_lossy().into_owned();
    let cases: [(&str, &[&str], i32, &str); 15] = [
        (&file, &["--k", "201", "--quasi", "age"], 3, "a class of 201 rows cannot be made of 200"),
        (&file, &["--k", "5", "--quasi", "age,salary"], 3, "there is no column \"salary\""),
        (&file, &["--k", "5", "--quasi", "age,age"], 3, "named more than once"),
        (&file, &["--k", "5", "--quasi", "age", "--sensitive", "age"], 3, "more than once"),
        (&file, &["--k", "1", "--quasi", "age"], 2, "1 is not in 2.."),
        (&file, &["--k", "5", "--quasi", "age", "--l", "2"], 2, "--sensitive"),
        (&file, &["--k", "5", "--quasi", "age", "--target", "age"], 3, "more than once"),
        (&file, &["--k", "5", "--quasi", "age", "--target", "zip"], 3, "different values"),
        (&file, &["--k", "5", "--quasi", "age", "--population", &gone], 3, "cannot read"),
        (
            &file,
            &["--k", "5", "--quasi", "age", "--hierarchies", &levels],
            3,
            "does not name the value",
        ),
        (&empty, &["--k", "5", "--quasi", "age"], 3, "the table has no rows"),
        (&doubled, &["--k", "2", "--quasi", "age,zip"], 3, "several columns \"age\""),
        (&doubled, &["--k", "2", "--quasi", "zip", "--drop-column", "age"], 3, "several columns"),
        (&ragged, &["--k", "2", "--quasi", "age"], 3, "line 3 has 1 cells"),
        (&mixed, &["--k", "2", "--quasi", "age"], 3, "has numbers and also \"old\""),
    ];
    for (file, more, code, why) in cases {
        let run =
            nearside(&[&["privacy", "anonymize", file, "-o", &out], more].concat()).exits(code);
        assert!(run.stderr.contains(why), "{why}: {}", run.stderr);
        assert!(!folder.path().join("out.csv").exists(), "{why}");
    }
    // A column in which every value is another one is told as *.
    let mut unique = "id,age\n".to_owned();
    (0..50).for_each(|number| unique.push_str(&format!("u{}x{number},30\n", number * 17 % 7)));
    let unique = folder.write("unique.csv", unique);
    let run = [
        "privacy",
        "anonymize",
        &unique,
        "-o",
        &out,
        "--k",
        "5",
        "--quasi",
        "id,age",
        "--json",
        "-q",
    ];
    let answer = nearside(&run).exits(0).data();
    assert_eq!(
        (&answer["columns"][0]["example"], &answer["kept"]["classes"]),
        (&"*".into(), &1.into())
    );
}

#[test]
fn columns_that_tell_who_it_is_are_suggested() {
    let folder = Folder::cleared("privacy-risk");
    let file = folder.write("people.csv", people());
    let answer =
        nearside(&["privacy", "risk", &file, "--quasi", "illness", "--json", "-q"]).exits(0);
    let answer = answer.data();
    check_schema("privacy-risk", &answer);
    let kinds: Vec<&str> = list(&answer["columns"]).iter().map(|it| text(&it["kind"])).collect();
    assert_eq!(kinds, ["constant", "attribute", "identifier", "attribute", "constant"]);
    assert_eq!(text(&answer["suggested"][0]["column"]), "age");
    assert!((number(&answer["named"]["smallest"]) - 66.0).abs() < 0.5, "{answer}");
    let run = nearside(&["privacy", "risk", &file]).exits(0);
    assert!(run.stdout.contains("--k 10 --quasi age"), "{}", run.stdout);
    nearside(&["privacy", "risk", &file, "--quasi", "salary"]).exits(3);
    let empty = folder.write("empty.csv", "age,zip,illness\n");
    nearside(&["privacy", "risk", &empty]).exits(3);
}

#[test]
fn what_noise_buys_is_told_and_found() {
    let steps = ["--rate", "0.01", "--steps", "1000", "--delta", "1e-5", "--json"];
    let account = |more: &[&str]| nearside(&[&["privacy", "account"], more, &steps[..]].concat());
    let spent = account(&["--sigma", "1"]).exits(0).data();
    check_schema("privacy-account", &spent);
    // dp-accounting 0.6.0
    assert!((number(&spent["epsilon"]) - 1.8282).abs() < 0.005, "{spent}");
    assert_eq!(text(&spent["method"]), "PLD");
    let found = account(&["--epsilon", "1.8282"]).exits(0).data();
    assert!((number(&found["sigma"]) - 1.0).abs() < 0.005, "{found}");
    assert!(number(&found["epsilon"]) <= 1.8282, "{found}");
    for wrong in
        [&["--sigma", "0"][..], &["--epsilon", "-1"], &["--sigma", "1", "--epsilon", "1"], &[]]
    {
        account(wrong).exits(2);
    }
}
