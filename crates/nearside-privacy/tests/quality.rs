//! How much is found, and how much of what is found is right, on labelled texts: the development
//! set, and a set that `bench/pii/generate.py` makes by somebody else's idea of text.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::Command;

use nearside_privacy::scan::{Options, scan};
use nearside_privacy::source::Form;
use serde_json::Value;

/// What came of one kind.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    found: f64,
    missed: f64,
    wrong: f64,
}

impl Count {
    fn precision(self) -> f64 {
        self.found / (self.found + self.wrong).max(1.0)
    }

    fn recall(self) -> f64 {
        self.found / (self.found + self.missed).max(1.0)
    }

    fn f1(self) -> f64 {
        2.0 * self.found / (2.0 * self.found + self.missed + self.wrong).max(1.0)
    }

    fn add(&mut self, other: Self) {
        self.found += other.found;
        self.missed += other.missed;
        self.wrong += other.wrong;
    }
}

#[derive(Default)]
struct Score {
    kinds: BTreeMap<String, Count>,
    decoys: f64,
    flagged: f64,
}

impl Score {
    /// The counts of some kinds together.
    fn of(&self, chosen: impl Fn(&str) -> bool) -> Count {
        let mut sum = Count::default();
        for (kind, count) in &self.kinds {
            if chosen(kind) {
                sum.add(*count);
            }
        }
        sum
    }
}

fn score(lines: &str) -> Score {
    let mut score = Score::default();
    let options = Options { threads: NonZero::<usize>::MIN, ..Options::default() };
    for line in lines.lines() {
        let document: Value = serde_json::from_str(line).expect("a labelled document");
        let text = document["text"].as_str().expect("a text");
        let form = match document["format"].as_str() {
            Some("csv") => Some(Form::Delimited),
            Some("json") => Some(Form::Json),
            _ => None,
        };
        let mut found = Vec::new();
        let each = &mut |finding| found.push(finding);
        scan(form, &mut text.as_bytes(), options, each).expect("a text in memory");
        let ends = |span: &Value| (span["start"].as_u64(), span["end"].as_u64());
        let list = |name: &str| document[name].as_array().cloned().unwrap_or_default();
        let mut right = vec![false; found.len()];
        for span in list("spans") {
            let kind = span["type"].as_str().unwrap_or_default();
            let same = found.iter().position(|finding| {
                let place = (Some(finding.start), Some(finding.end));
                finding.entity.name() == kind && place == ends(&span)
            });
            let count = score.kinds.entry(kind.to_owned()).or_default();
            match same {
                Some(index) => {
                    right[index] = true;
                    count.found += 1.0;
                }
                None => count.missed += 1.0,
            }
        }
        for (finding, _) in found.iter().zip(&right).filter(|(_, right)| !**right) {
            score.kinds.entry(finding.entity.name().to_owned()).or_default().wrong += 1.0;
        }
        for decoy in list("decoys") {
            let (Some(start), Some(end)) = ends(&decoy) else { continue };
            let hit = found.iter().any(|finding| finding.start < end && finding.end > start);
            score.decoys += 1.0;
            score.flagged += f64::from(u8::from(hit));
        }
    }
    score
}

/// Kinds that have no form of their own, or whose form many other things have.
const UNSTRUCTURED: [&str; 5] = ["PERSON", "ADDRESS", "POSTCODE", "USERNAME", "PASSWORD"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn the_development_set_is_found_and_its_decoys_are_not() {
    let path = root().join("../shared/reference/pii_dev.jsonl");
    let Ok(lines) = std::fs::read_to_string(&path) else {
        eprintln!("SKIPPED: there is no {}; put the labelled set there", path.display());
        return;
    };
    let score = score(&lines);
    const CHECKED: [&str; 30] = [
        "ABA",
        "AU_TFN",
        "AWS_ACCESS_KEY",
        "BR_CPF",
        "CA_SIN",
        "CREDIT_CARD",
        "CRYPTO",
        "DEA",
        "DE_TAX_ID",
        "EMAIL",
        "ES_NIE",
        "ES_NIF",
        "FR_NIR",
        "GITHUB_TOKEN",
        "IBAN",
        "IMEI",
        "IN_AADHAAR",
        "IP",
        "IT_FISCAL_CODE",
        "JWT",
        "MAC",
        "NL_BSN",
        "PL_PESEL",
        "PRIVATE_KEY",
        "SLACK_TOKEN",
        "UK_NHS",
        "US_NPI",
        "US_SSN",
        "US_ITIN",
        "VIN",
    ];
    for kind in CHECKED {
        let count = score.of(|name| name == kind);
        assert!(count.precision() >= 0.99, "{kind}: precision {}", count.precision());
        assert!(count.recall() >= 0.99, "{kind}: recall {}", count.recall());
    }
    let structured = score.of(|kind| !UNSTRUCTURED.contains(&kind));
    assert!(structured.f1() >= 0.97, "structured: {}", structured.f1());
    let people = score.of(|kind| matches!(kind, "PERSON" | "ADDRESS"));
    assert!(people.f1() >= 0.70, "people and addresses: {}", people.f1());
    assert!(score.flagged <= 0.005 * score.decoys, "{} of {}", score.flagged, score.decoys);
}

#[test]
fn text_by_another_hand_is_found_too() {
    let script = root().join("bench/pii/generate.py");
    let made =
        Command::new("python3").arg(&script).args(["--seed", "41", "--documents", "800"]).output();
    let Ok(made) = made.as_ref().map(|made| String::from_utf8_lossy(&made.stdout)) else {
        eprintln!("SKIPPED: there is no python3 to make the labelled set; install it");
        return;
    };
    let score = score(&made);
    // Many values stand in tables of SQL and Markdown without a label beside them.
    let structured = score.of(|kind| !UNSTRUCTURED.contains(&kind));
    assert!(structured.found > 3_000.0, "the set is empty: {}", structured.found);
    assert!(structured.precision() >= 0.98, "precision {}", structured.precision());
    assert!(structured.recall() >= 0.88, "recall {}", structured.recall());
    let people = score.of(|kind| matches!(kind, "PERSON" | "ADDRESS"));
    assert!(people.f1() >= 0.70, "people and addresses: {}", people.f1());
    assert!(score.flagged <= 0.005 * score.decoys, "{} of {}", score.flagged, score.decoys);
}
