//! Whole jobs: what comes out parses, holds nothing that a scan finds, and says the same of the same.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::num::NonZero;
use std::path::Path;

use nearside_policy::Class;
use nearside_store::sealed::Identity;
use proptest::prelude::*;

use super::text::Work;
use super::*;
use crate::scan::{self, Entity};
use crate::source::{Form, Limits};
use crate::vault::{Deposit, Vault};

struct Trial {
    folder: tempfile::TempDir,
    rules: Rules,
}

fn options() -> scan::Options {
    scan::Options { threads: NonZero::<usize>::MIN, ..scan::Options::default() }
}

impl Trial {
    fn new(default: Operator) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder, rules: Rules { default, ..Rules::default() } }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    /// What a file becomes with its values in a vault, and what comes back from that.
    fn there_and_back(&self, name: &str, text: &str) -> (String, String) {
        let (identity, vault) = (Identity::of(&[3; 32]), Vault::at(self.path("vault")));
        let deposit = RefCell::new(vault.deposit(&identity.recipient()).unwrap());
        fs::write(self.path(name), text).unwrap();
        let mut done = self.job(&self.path(name), Unread::Fail, Some(&deposit)).unwrap();
        let masked = self.path("masked").with_extension(name.rsplit('.').next().unwrap());
        done.store(&masked).unwrap();
        deposit.into_inner().store().unwrap();
        let limits = Limits::default();
        let (scan, scratch) = (options(), self.folder.path());
        let reveal = Reveal { input: &masked, limits: &limits, scan, scratch };
        let values = |labels: &BTreeSet<String>| -> Result<_, AnonymizeError> {
            Ok(vault.values(&identity, labels)?)
        };
        let mut revealed = reveal.run(&values).unwrap();
        assert_eq!(revealed.files[0].unknown, 0);
        revealed.store(&self.path("back")).unwrap();
        let read = |path| fs::read_to_string(path).unwrap();
        (read(masked), read(self.path("back")))
    }

    fn run(&self, input: &Path, unreadable: Unread) -> Result<Anonymized, AnonymizeError> {
        self.job(input, unreadable, None)
    }

    fn job(
        &self,
        input: &Path,
        unreadable: Unread,
        vault: Option<&RefCell<Deposit>>,
    ) -> Result<Anonymized, AnonymizeError> {
        let (pseudonyms, limits) = (Pseudonyms::of(&SecretKey::of([7; 32])), Limits::default());
        let (rules, scratch) = (&self.rules, self.folder.path());
        let pseudonyms = &pseudonyms;
        let limits = &limits;
        Job { input, rules, pseudonyms, limits, scan: options(), scratch, unreadable, vault }.run()
    }

    /// What a file of that name and text becomes.
    fn made(&self, name: &str, text: &str) -> (String, Anonymized) {
        fs::write(self.path(name), text).unwrap();
        let mut done = self.run(&self.path(name), Unread::Fail).unwrap();
        done.store(&self.path("out")).unwrap();
        (fs::read_to_string(self.path("out")).unwrap(), done)
    }
}

fn found(form: Option<Form>, text: &str) -> Vec<(Entity, String)> {
    let mut found = Vec::new();
    scan::scan(form, &mut text.as_bytes(), options(), &mut |finding| {
        let value = &text.as_bytes()[finding.start as usize..finding.end as usize];
        found.push((finding.entity, String::from_utf8_lossy(value).into_owned()));
    })
    .unwrap();
    found
}

/// Operators that leave nothing.
const THOROUGH: [Operator; 4] =
    [Operator::Remove, Operator::Replace, Operator::Mask, Operator::Hash];

const TABLE: &str = "id,name,email,phone,iban,password,note\r\n\
1,\"Young, Ann\",ann@example.org,+49 30 2312500,DE89 3704 0044 0532 0130 00,hunter2!x,\"Ann Young said \"\"hi\"\"\nring (415) 279-3605\"\r\n\
2,Bob Stone,ann@example.org,415-341-5705,,,\r\n";

const LINES: &str = concat!(
    r#"{"name": "Ann Young", "phone": "+49 30 2312500", "at": [48.13714, 11.57540], "text": "first\nann@example.org wrote"}"#,
    "\n",
    r#"{"name": "Bob Stone", "password": "hunter2!x", "card": 4111111111111111, "ok": true, "n": 1.5e3}"#,
    "\n"
);

#[test]
fn a_table_stays_a_table() {
    for operator in THOROUGH {
        let trial = Trial::new(operator);
        let (text, done) = trial.made("in.csv", TABLE);
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let rows: Vec<_> = reader.records().map(|row| row.unwrap()).collect();
        assert_eq!(rows.len(), 2, "{text}");
        assert!(rows.iter().all(|row| row.len() == 7), "{text}");
        assert_eq!(&rows[0][2], &rows[1][2], "the same address: {text}");
        assert_eq!(&rows[0][5], "[PASSWORD]");
        assert_eq!(found(Some(Form::Delimited), &text), [], "{operator}: {text}");
        assert_eq!(done.left_of(Class::Personal), 0);
        assert!(text.contains("\r\n") && text.starts_with("id,name,email"), "{text}");
    }
}

#[test]
fn json_stays_json() {
    for operator in THOROUGH {
        let trial = Trial::new(operator);
        let (text, done) = trial.made("in.jsonl", LINES);
        let rows: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
        assert_eq!(rows.len(), 2, "{text}");
        assert!(rows[0]["at"][1].is_string() && rows[1]["card"].is_string(), "{text}");
        assert_eq!(rows[1]["n"], 1.5e3);
        assert!(rows[0]["text"].as_str().unwrap().starts_with("first\n"), "{text}");
        assert_eq!(rows[1]["password"], "[PASSWORD]");
        assert_eq!(found(Some(Form::Json), &text), [], "{operator}: {text}");
        assert_eq!(done.left_of(Class::Personal), 0);
    }
}

#[test]
fn a_value_is_the_same_in_every_format() {
    let trial = Trial::new(Operator::Replace);
    let (table, _) = trial.made("in.csv", "name,city\nJosé García,Berlin\nAnn Young,Rome\n");
    let (json, _) = trial.made("in.json", "{\"name\": \"José García\"}");
    let (text, _) = trial.made("in.txt", "Dear Mr José García, hello\n");
    let label = table.lines().nth(1).unwrap().split(',').next().unwrap();
    assert!(label.starts_with("[PERSON_"), "{table}");
    assert!(json.contains(label) && text.contains(label), "{table}{json}{text}");
}

#[test]
fn columns_are_left_out_or_stay() {
    let mut trial = Trial::new(Operator::Replace);
    trial.rules.dropped_columns = ["id", "name", "note"].map(str::to_owned).into();
    trial.rules.kept_columns = ["email", "password"].map(str::to_owned).into();
    let (text, done) = trial.made("in.csv", TABLE);
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("email,phone,iban,password"));
    let first = lines.next().unwrap();
    assert!(first.starts_with("ann@example.org,[PHONE_") && first.ends_with(",[PASSWORD]"));
    assert_eq!(lines.count(), 1);
    assert_eq!(done.left_of(Class::Personal), 2);
    assert_eq!(done.left_of(Class::Special), 0);
    let kept = BTreeMap::from([((Entity::Email, Operator::Keep), 2)]);
    assert_eq!(done.files[0].chosen, kept);
    trial.rules.kept_columns = ["emial".to_owned()].into();
    let error = trial.run(&trial.path("in.csv"), Unread::Fail).unwrap_err();
    assert_eq!(error.to_string(), "no table has a column \"emial\"");
}

#[test]
fn only_some_kinds_are_replaced() {
    let mut trial = Trial::new(Operator::Mask);
    trial.rules.only = [Entity::Email].into();
    let text = "Ann Young <ann@example.org>, password: hunter2!x\n";
    let (text, done) = trial.made("in.txt", text);
    assert_eq!(text, "Ann Young <***@*******.***>, password: [PASSWORD]\n");
    assert_eq!(done.left_of(Class::Personal), 1);
}

#[test]
fn a_folder_becomes_a_folder_or_nothing() {
    let trial = Trial::new(Operator::Replace);
    fs::create_dir_all(trial.path("in/deep")).unwrap();
    fs::write(trial.path("in/a.txt"), "mail ann@example.org").unwrap();
    fs::write(trial.path("in/deep/b.txt"), "and ann@example.org").unwrap();
    fs::write(trial.path("in/empty.txt"), "").unwrap();
    fs::write(trial.path("in/wide.txt"), b"\xff\xfea\0n\0n\0@\0e\0.\0o\0r\0g\0").unwrap();
    let mut done = trial.run(&trial.path("in"), Unread::Fail).unwrap();
    done.store(&trial.path("out")).unwrap();
    let read = |name: &str| fs::read_to_string(trial.path("out").join(name)).unwrap();
    assert_eq!(read("a.txt").replace("mail", "and"), read("deep/b.txt"));
    assert_eq!(read("empty.txt"), "");
    assert!(read("wide.txt").starts_with("[EMAIL_"));
    assert!(done.store(&trial.path("out")).unwrap_err().to_string().contains("there already"));
    fs::write(trial.path("in/zip.gz"), b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x03\0\0\0\0\0\0\0\0\0")
        .unwrap();
    fs::write(trial.path("in/binary"), b"\x7fELF\0\0 ann@example.org").unwrap();
    let Err(AnonymizeError::Unreadable(files)) = trial.run(&trial.path("in"), Unread::Fail) else {
        panic!("binary files were read");
    };
    assert_eq!(files.len(), 2, "{files:?}");
    let mut done = trial.run(&trial.path("in"), Unread::LeaveOut).unwrap();
    done.store(&trial.path("other")).unwrap();
    assert_eq!((done.files.len(), done.left_out.len()), (4, 2));
    assert!(!trial.path("other/binary").exists());
    let names = fs::read_dir(trial.folder.path()).unwrap().count();
    assert_eq!(names, 3, "something was left beside the results");
}

#[test]
fn what_a_cell_says_is_known_in_its_row() {
    let trial = Trial::new(Operator::Remove);
    let table = "id,surname,text\n1,Quxo Zebu,by Quxo Zebu\n2,Ann,by Quxo Zebu\n";
    let (text, _) = trial.made("in.csv", table);
    let mut rows = text.lines().skip(1);
    assert_eq!(rows.next(), Some("1,[PERSON],by [PERSON]"));
    assert_eq!(rows.next(), Some("2,[PERSON],by Quxo Zebu"));
    let line = "{\"surname\": \"Quxo Zebu\", \"text\": \"by Quxo Zebu\"}\n";
    let (text, _) = trial.made("in.jsonl", line);
    assert_eq!(text, "{\"surname\": \"[PERSON]\", \"text\": \"by [PERSON]\"}\n");
}

#[test]
fn dates_of_a_subject_are_moved_alike() {
    let mut trial = Trial::new(Operator::Shift);
    trial.rules.subject = Some("patient".to_owned());
    let table = "patient,dob,twin_dob\n7,1974-11-13,1974-11-23\n8,1974-11-13,1974-11-13\n\
                 7,1974-11-13,\n";
    let (text, done) = trial.made("in.csv", table);
    let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(rows[1][1], rows[3][1]);
    assert_ne!(rows[1][1], rows[2][1]);
    assert_ne!(rows[1][1], "1974-11-13");
    let later = super::shift::shifted(rows[1][1], 10);
    assert_eq!(later.as_deref(), Some(rows[1][2]));
    let shifted = (Entity::DateOfBirth, Operator::Shift);
    assert_eq!((done.files[0].replaced[&shifted], done.files[0].chosen[&shifted]), (5, 5));
    assert_eq!(done.left_of(Class::Personal), 0);
}

#[test]
fn surrogates_are_known_for_what_they_are() {
    let trial = Trial::new(Operator::Surrogate);
    let (text, done) = trial.made("in.csv", TABLE);
    assert!(!text.contains("Young") && !text.contains("Stone"), "{text}");
    assert!(text.contains("@example.") && text.contains("[PASSWORD]"), "{text}");
    let file = &done.files[0];
    assert!(file.chosen.keys().all(|(_, operator)| *operator == Operator::Surrogate));
    assert!(!file.chosen.is_empty() && file.left.is_empty(), "{:?}", file.left);
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let rows: Vec<_> = reader.records().map(|row| row.unwrap()).collect();
    assert_eq!(&rows[0][2], &rows[1][2]);
    assert_eq!(done.left_of(Class::Personal), 0, "nobody is behind them");
}

/// Reads few bytes at a time.
struct Slow<'s>(&'s [u8], usize);

impl Read for Slow<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let most = self.1.min(buffer.len());
        self.0.read(&mut buffer[..most])
    }
}

#[test]
fn a_result_does_not_depend_on_the_pieces_that_are_read() {
    let pseudonyms = Pseudonyms::of(&SecretKey::of([7; 32]));
    let folder = tempfile::tempdir().unwrap();
    let rules = Rules { subject: Some("id".to_owned()), ..Rules::default() };
    let work = Work {
        rules: &rules,
        pseudonyms: &pseudonyms,
        scan: options(),
        scratch: folder.path(),
        vault: None,
    };
    for (form, text) in [
        (Form::Delimited, TABLE.repeat(9)),
        (Form::Json, LINES.repeat(9)),
        (Form::Text, TABLE.repeat(9)),
    ] {
        let made = |size: usize| {
            let slow = || Slow(text.as_bytes(), size);
            let searched = work.search(Some(form), &mut slow()).unwrap();
            let mut clean = work.write(searched, b"", &mut slow()).unwrap().unwrap();
            let mut made = String::new();
            clean.file.read_to_string(&mut made).unwrap();
            made
        };
        let whole = made(usize::MAX);
        assert!(whole.contains("[EMAIL_"));
        for size in [1, 3, 7, 64] {
            assert_eq!(made(size), whole, "{form:?} in pieces of {size}");
        }
    }
}

#[test]
fn what_is_in_a_vault_comes_back() {
    let table = TABLE.replace("hunter2!x", "");
    let lines = LINES.replace("hunter2!x", "");
    for (name, text) in [("in.csv", &table), ("in.jsonl", &lines), ("in.txt", &table)] {
        let (masked, back) = Trial::new(Operator::Vault).there_and_back(name, text);
        assert!(!masked.contains("Ann") && !masked.contains("4111") && masked.contains("[PERSON_"));
        assert_eq!(&back, text, "{masked}");
    }
    let (masked, back) = Trial::new(Operator::Vault).there_and_back("in.csv", TABLE);
    assert_eq!(back, TABLE.replace("hunter2!x", "[PASSWORD]"), "{masked}");
}

#[test]
fn a_text_that_changed_meanwhile_is_not_written() {
    let pseudonyms = Pseudonyms::of(&SecretKey::of([7; 32]));
    let folder = tempfile::tempdir().unwrap();
    let rules = Rules::default();
    let work = Work {
        rules: &rules,
        pseudonyms: &pseudonyms,
        scan: options(),
        scratch: folder.path(),
        vault: None,
    };
    for changed in ["ann@example.org and bob@example.org", "ann@example.org and Bob", ""] {
        let searched = work.search(None, &mut &b"ann@example.org and bob"[..]).unwrap();
        assert!(work.write(searched, b"", &mut changed.as_bytes()).unwrap().is_none());
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// Values that the scan knows, and text between them.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{1,8}@example\\.(org|com)",
        "\\+49 30 [1-9][0-9]{6}",
        "(Ann|Bob|Carla) (Young|Stone|Huber)",
        Just("4111 1111 1111 1111".to_owned()),
        Just("DE89 3704 0044 0532 0130 00".to_owned()),
        Just("password: hunter2!x ".to_owned()),
        Just("192.0.2.17".to_owned()),
        "[ a-zA-Z0-9\"',;:<>\\\\\n\u{e9}\u{1f600}.@/-]{0,12}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn whatever_a_table_holds_it_stays_one(
        cells in prop::collection::vec(prop::collection::vec(prop::collection::vec(piece(), 0..4), 4), 1..5),
        operator in prop::sample::select(&THOROUGH[..]),
    ) {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(["name", "email", "phone", "note"]).unwrap();
        for row in &cells {
            writer.write_record(row.iter().map(|cell| cell.concat())).unwrap();
        }
        let table = String::from_utf8(writer.into_inner().unwrap()).unwrap();
        let (text, done) = Trial::new(operator).made("in.csv", &table);
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        prop_assert_eq!(reader.records().filter_map(Result::ok).count(), cells.len(), "{}", text);
        prop_assert_eq!(found(Some(Form::Delimited), &text), [], "{} {}", operator, text);
        prop_assert_eq!(done.left_of(Class::Public), 0);
    }

    #[test]
    fn whatever_json_holds_it_stays_json(
        texts in prop::collection::vec(prop::collection::vec(piece(), 0..5), 1..5),
        numbers in prop::collection::vec(prop_oneof![any::<i64>(), 4915100000000..4915199999999_i64], 3),
        operator in prop::sample::select(&THOROUGH[..]),
    ) {
        let texts: Vec<String> = texts.iter().map(|pieces| pieces.concat()).collect();
        let value = serde_json::json!({"name": texts, "phone": numbers, "text": texts.concat()});
        let json = serde_json::to_string_pretty(&value).unwrap();
        let (text, done) = Trial::new(operator).made("in.json", &json);
        let parsed: serde_json::Value = serde_json::from_str(&text).expect(&text);
        prop_assert_eq!(parsed["name"].as_array().unwrap().len(), texts.len());
        prop_assert_eq!(parsed["phone"].as_array().unwrap().len(), 3);
        prop_assert_eq!(found(Some(Form::Json), &text), [], "{} {}", operator, text);
        prop_assert_eq!(done.left_of(Class::Public), 0);
    }

    #[test]
    fn whatever_a_table_holds_comes_back_from_a_vault(
        cells in prop::collection::vec(prop::collection::vec(prop::collection::vec(piece(), 0..4), 4), 1..5),
    ) {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(["name", "email", "phone", "note"]).unwrap();
        for row in &cells {
            writer.write_record(row.iter().map(|cell| cell.concat())).unwrap();
        }
        let table = String::from_utf8(writer.into_inner().unwrap()).unwrap();
        let (masked, back) = Trial::new(Operator::Vault).there_and_back("in.csv", &table);
        // Secrets are gone for good, and a value comes back as it was written first.
        let plain = |text: &str| text.to_lowercase().split_whitespace().collect::<String>();
        if !masked.contains("[PASSWORD]") {
            prop_assert_eq!(plain(&back), plain(&table), "{}", masked);
        }
    }
}
