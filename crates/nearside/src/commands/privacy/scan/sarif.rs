//! Findings as SARIF 2.1.0 (OASIS), which code hosts and editors show beside the lines.

use serde_json::{Value, json};

use super::view::PrivacyScanAnswer;

/// The document.
pub(super) fn of(answer: &PrivacyScanAnswer) -> String {
    let rules: Vec<Value> = answer
        .kinds
        .iter()
        .map(|kind| {
            json!({
                "id": kind.kind,
                "shortDescription": { "text": kind.what },
                "properties": { "class": kind.class },
            })
        })
        .collect();
    let index = |kind: &str| answer.kinds.iter().position(|known| known.kind == kind);
    let results: Vec<Value> = answer
        .findings
        .iter()
        .map(|finding| {
            json!({
                "ruleId": finding.kind,
                "ruleIndex": index(finding.kind),
                "level": if finding.class == "secret" { "error" } else { "warning" },
                "message": { "text": format!("{}: {}", finding.kind, finding.why) },
                "rank": finding.score * 100.0,
                "locations": [{
                    "physicalLocation": {
                        "artifactLocation": { "uri": uri(&finding.path) },
                        "region": {
                            "startLine": finding.line,
                            "byteOffset": finding.start,
                            "byteLength": finding.end - finding.start,
                        },
                    },
                }],
            })
        })
        .collect();
    let unread: Vec<Value> = answer
        .unreadable
        .iter()
        .map(|unreadable| {
            let text = format!("{} was not read: {}", unreadable.path, unreadable.why);
            json!({ "level": "error", "message": { "text": text } })
        })
        .collect();
    let document = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "nearside",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            }},
            "invocations": [{
                "executionSuccessful": answer.unreadable.is_empty(),
                "toolExecutionNotifications": unread,
            }],
            "results": results,
        }],
    });
    format!("{document:#}\n")
}

/// A path as a relative URI: what may not stand in one is written by its bytes.
fn uri(path: &str) -> String {
    let kept = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/!".contains(&byte);
    path.bytes().fold(String::new(), |mut uri, byte| {
        match byte {
            b'\\' => uri.push('/'),
            byte if kept(byte) => uri.push(char::from(byte)),
            byte => uri.push_str(&format!("%{byte:02X}")),
        }
        uri
    })
}
