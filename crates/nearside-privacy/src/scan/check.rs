//! What tests of rules ask: what is found in a text?

use super::{Finding, Options, scan};

/// Findings of a text.
pub(super) fn findings(text: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut reader = text.as_bytes();
    scan(None, &mut reader, Options::default(), &mut |finding| found.push(finding)).unwrap();
    found
}

fn shown(text: &str) -> Vec<(&'static str, &str)> {
    let place = |finding: &Finding| &text[finding.start as usize..finding.end as usize];
    findings(text).iter().map(|finding| (finding.entity.name(), place(finding))).collect()
}

/// The value, as what it is, is among the findings.
#[track_caller]
pub(super) fn found(text: &str, entity: &str, value: &str) {
    let all = shown(text);
    assert!(all.contains(&(entity, value)), "{text:?}: {all:?}");
}

/// Nothing is found.
#[track_caller]
pub(super) fn nothing(text: &str) {
    assert_eq!(shown(text), [], "{text:?}");
}
