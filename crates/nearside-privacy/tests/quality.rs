//! How much is found, and how much of what is found is right, on labelled texts: the development
//! set, and a set that `bench/pii/generate.py` makes by somebody else's idea of text.

#![allow(clippy::print_stderr, reason = "a test says aloud what it skips and what it missed")]

mod labelled;

use std::path::{Path, PathBuf};
use std::process::Command;

use labelled::{Score, Told};

/// Kinds that have no form of their own, or whose form many other things have.
const UNSTRUCTURED: [&str; 5] = ["PERSON", "ADDRESS", "POSTCODE", "USERNAME", "PASSWORD"];

/// The score of a set; what is not as it should be is printed, so that a failure shows it.
fn scored(lines: &str) -> Score {
    labelled::score(lines, &mut |told: Told<'_>| {
        let value = told.text.get(told.place).unwrap_or_default();
        eprintln!("{} {}: {value}", told.what, told.kind);
    })
}

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
    let score = scored(&lines);
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
fn short_texts_written_by_hand_are_found() {
    let score = scored(include_str!("by_hand.jsonl"));
    let structured = score.of(|kind| !UNSTRUCTURED.contains(&kind));
    assert!(structured.f1() >= 0.97, "structured: {}", structured.f1());
    let secrets =
        score.of(|kind| kind == "PASSWORD" || kind.ends_with("KEY") || kind.ends_with("TOKEN"));
    assert!(secrets.found > 50.0, "the set is empty: {}", secrets.found);
    assert!(secrets.recall() >= 0.95, "secrets: {}", secrets.recall());
    let people = score.of(|kind| matches!(kind, "PERSON" | "ADDRESS"));
    assert!(people.f1() >= 0.85, "people and addresses: {}", people.f1());
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
    let score = scored(&made);
    // Many values stand in tables of SQL and Markdown without a label beside them.
    let structured = score.of(|kind| !UNSTRUCTURED.contains(&kind));
    assert!(structured.found > 3_000.0, "the set is empty: {}", structured.found);
    assert!(structured.precision() >= 0.98, "precision {}", structured.precision());
    assert!(structured.recall() >= 0.95, "recall {}", structured.recall());
    assert!(structured.f1() >= 0.97, "F1 {}", structured.f1());
    let people = score.of(|kind| matches!(kind, "PERSON" | "ADDRESS"));
    assert!(people.f1() >= 0.80, "people and addresses: {}", people.f1());
    assert!(score.flagged <= 0.005 * score.decoys, "{} of {}", score.flagged, score.decoys);
}
