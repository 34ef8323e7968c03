//! A labelled set made anonymous, document by document: nothing is found in any result, tables and
//! JSON still parse, and how many of the labelled values are still there is said.
//!
//! One JSON object a line with `format`, `text` and `spans` of `start`, `end` and `type`, in the file
//! that `NEARSIDE_PII_SET` names, or else in `shared/reference/pii_dev.jsonl` of the checkout.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking and says aloud what it skips"
)]

use std::fs;
use std::num::NonZero;
use std::path::{Path, PathBuf};

use nearside_policy::Class;
use nearside_privacy::anonymize::{Job, Operator, Pseudonyms, Rules, SecretKey, Unread};
use nearside_privacy::scan::Options;
use nearside_privacy::source::Limits;
use serde_json::Value;

/// The most labelled values, in percent, that the rules may miss.
const MOST_MISSED: usize = 15;

fn set() -> Option<String> {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/reference/pii_dev.jsonl");
    let path = std::env::var_os("NEARSIDE_PII_SET").map_or(shared, PathBuf::from);
    let text = fs::read_to_string(&path).ok();
    if text.is_none() {
        let path = path.display();
        eprintln!("SKIPPED: no labelled set at {path}; remedy: name one in NEARSIDE_PII_SET");
    }
    text
}

fn parses(text: &str, format: &str) -> bool {
    match format {
        "json" => {
            text.lines().all(|line| serde_json::from_str::<Value>(line).is_ok())
                || serde_json::from_str::<Value>(text).is_ok()
        }
        "csv" => csv::Reader::from_reader(text.as_bytes()).records().all(|row| row.is_ok()),
        _ => true,
    }
}

#[test]
fn a_labelled_set_is_clean_afterwards() {
    let Some(set) = set() else { return };
    let folder = tempfile::tempdir().unwrap();
    let pseudonyms = Pseudonyms::of(&SecretKey::of([1; 32]));
    let (limits, scan) =
        (Limits::default(), Options { threads: NonZero::<usize>::MIN, ..Options::default() });
    for operator in [Operator::Replace] {
        let rules = Rules { default: operator, ..Rules::default() };
        let (mut values, mut missed) = (0, 0);
        for line in set.lines() {
            let document: Value = serde_json::from_str(line).unwrap();
            let (text, format) = (document["text"].as_str().unwrap(), document["format"].as_str());
            let format = format.unwrap_or("txt");
            let input = folder.path().join("in").with_extension(format);
            fs::write(&input, text).unwrap();
            let job = Job {
                input: &input,
                rules: &rules,
                pseudonyms: &pseudonyms,
                limits: &limits,
                scan,
                scratch: folder.path(),
                unreadable: Unread::Fail,
                vault: None,
            };
            let mut done = job.run().unwrap();
            let output = folder.path().join("out");
            done.store(&output).unwrap();
            let made = fs::read_to_string(&output).unwrap();
            assert_eq!(done.left_of(Class::Public), 0, "{operator} of {line}");
            assert!(parses(&made, format) || !parses(text, format), "{made}");
            let spans = document["spans"].as_array().unwrap();
            let place = |span: &Value, key: &str| span[key].as_u64().unwrap() as usize;
            let value = |span: &Value| &text[place(span, "start")..place(span, "end")];
            values += spans.len();
            missed += spans.iter().filter(|span| made.contains(value(span))).count();
        }
        eprintln!("{operator}: {missed} of {values} labelled values are still there");
        assert!(missed * 100 <= values * MOST_MISSED, "{missed} of {values}");
    }
}
