//! Findings as SARIF 2.1.0 (OASIS), which code hosts and editors show beside the lines.

use std::path::Path;

use serde_json::{Value, json};

use super::view::{Counts, FindingView};
use crate::error::CommandError;
use crate::output::Output;
use crate::output::document::Document;

/// A document that grows with what is found.
pub(super) struct Sarif {
    document: Document,
    /// The kinds that were found, in the order of their first finding: the rules of the document.
    kinds: Vec<&'static str>,
    first: bool,
}

impl Sarif {
    /// Begins a document.
    pub(super) fn new(file: &Path) -> Result<Self, CommandError> {
        let mut document = Document::new(file)?;
        document.add(|to| {
            to.write_all(
                b"{\n\"$schema\": \"https://json.schemastore.org/sarif-2.1.0.json\",\n\
                \"version\": \"2.1.0\",\n\"runs\": [{\n\"results\": [",
            )
        })?;
        Ok(Self { document, kinds: Vec::new(), first: true })
    }

    /// Adds a finding.
    pub(super) fn add(&mut self, finding: &FindingView) -> Result<(), CommandError> {
        let index = self.kinds.iter().position(|known| *known == finding.kind);
        let index = index.unwrap_or_else(|| {
            self.kinds.push(finding.kind);
            self.kinds.len() - 1
        });
        let before = if std::mem::take(&mut self.first) { "\n" } else { ",\n" };
        let result = result(finding, index);
        self.document.add(|to| write!(to, "{before}{result}"))
    }

    /// Ends the document with its rules and with what was not read.
    pub(super) fn finish(mut self, counts: &Counts, output: &Output) -> Result<(), CommandError> {
        let rules: Vec<Value> = self
            .kinds
            .iter()
            .filter_map(|kind| counts.kinds.iter().find(|known| known.kind == *kind))
            .map(|kind| {
                json!({
                    "id": kind.kind,
                    "shortDescription": { "text": kind.what },
                    "properties": { "class": kind.class },
                })
            })
            .collect();
        let unread: Vec<Value> = counts
            .unreadable
            .iter()
            .map(|unreadable| {
                let text = format!("{} was not read: {}", unreadable.path, unreadable.why);
                json!({ "level": "error", "message": { "text": text } })
            })
            .collect();
        let driver =
            json!({ "name": "nearside", "version": env!("CARGO_PKG_VERSION"), "rules": rules });
        let invocation = json!({
            "executionSuccessful": counts.unreadable.is_empty() && !counts.interrupted,
            "toolExecutionNotifications": unread,
        });
        self.document.add(|to| {
            writeln!(to, "\n],\n\"tool\": {{ \"driver\": {driver} }},")?;
            writeln!(to, "\"invocations\": [{invocation}]\n}}]\n}}")
        })?;
        self.document.finish(output)
    }
}

fn result(finding: &FindingView, index: usize) -> Value {
    json!({
        "ruleId": finding.kind,
        "ruleIndex": index,
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
