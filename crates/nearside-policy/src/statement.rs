//! A certificate as others read it: an in-toto Statement v1.
//!
//! Source: in-toto Attestation Framework, `spec/v1/statement.md`. What is in the file is kept apart
//! from what it means: these are its fields, [`Certificate`] is the meaning.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::certificate::{Expert, Hidden, Maker, Recall, Scan};
use crate::{Certificate, Class, Digests, Ground, Hash, Subject};

/// The type of statements.
pub const STATEMENT: &str = "https://in-toto.io/Statement/v1";
/// The type of what a certificate states.
pub const PREDICATE: &str = "https://nearside.dev/attestation/anonymization/v1";

/// Why a text is no certificate.
#[derive(Debug, Error)]
pub enum StatementError {
    /// It is no such JSON.
    #[error("no statement of an anonymization: {0}")]
    Form(#[from] serde_json::Error),
    /// It states something else.
    #[error("it states {0}, which is no anonymization")]
    Other(String),
    /// A field does not say what it has to.
    #[error("its {field} is \"{value}\", which cannot be")]
    Field {
        /// The field.
        field: &'static str,
        /// What it says.
        value: String,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Statement {
    #[serde(rename = "_type")]
    kind: String,
    subject: Vec<SubjectFields>,
    #[serde(rename = "predicateType")]
    predicate_type: String,
    predicate: Predicate,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SubjectFields {
    name: String,
    digest: BTreeMap<String, String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Predicate {
    from_class: String,
    to_class: String,
    made: String,
    program: Program,
    ground: GroundFields,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Program {
    name: String,
    version: String,
    rules_digest: String,
}

#[derive(Serialize, Deserialize)]
#[serde(
    deny_unknown_fields,
    tag = "kind",
    rename_all = "kebab-case",
    rename_all_fields = "camelCase"
)]
enum GroundFields {
    ScanClean {
        looked_for: Vec<String>,
        recall: RecallFields,
        findings: u64,
        unreadable: u64,
    },
    HiddenRows {
        looked_for: Vec<String>,
        recall: RecallFields,
        findings: u64,
        unreadable: u64,
        quasi_identifiers: Vec<String>,
        sensitive: Option<String>,
        keeps: String,
        k: u64,
        rows: u64,
        classes: u64,
    },
    Expert {
        reason: String,
        approver: String,
        despite: BTreeMap<String, u64>,
        unreadable: u64,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RecallFields {
    found: u64,
    of: u64,
    source: String,
}

const PROGRAM: &str = "nearside";

/// The bytes that are signed.
#[must_use]
pub(crate) fn write(certificate: &Certificate) -> Vec<u8> {
    let Certificate { subject, from, to, ground, made, by } = certificate;
    let digest = [("blake3", subject.digests.blake3), ("sha256", subject.digests.sha256)];
    let digest = digest.map(|(name, hash)| (name.to_owned(), hash.to_string())).into();
    let ground = match ground.clone() {
        Ground::ScanClean(Scan { looked_for, recall: Recall { found, of, source } }) => {
            let recall = RecallFields { found, of, source };
            GroundFields::ScanClean { looked_for, recall, findings: 0, unreadable: 0 }
        }
        Ground::Hidden(hidden) => {
            let Hidden { scan, quasi, sensitive, keeps, k, rows, classes } = hidden;
            let Scan { looked_for, recall: Recall { found, of, source } } = scan;
            GroundFields::HiddenRows {
                looked_for,
                recall: RecallFields { found, of, source },
                findings: 0,
                unreadable: 0,
                quasi_identifiers: quasi,
                sensitive,
                keeps,
                k,
                rows,
                classes,
            }
        }
        Ground::Expert(Expert { reason, approver, despite, unreadable }) => {
            GroundFields::Expert { reason, approver, despite, unreadable }
        }
    };
    let statement = Statement {
        kind: STATEMENT.to_owned(),
        subject: vec![SubjectFields { name: subject.name.clone(), digest }],
        predicate_type: PREDICATE.to_owned(),
        predicate: Predicate {
            from_class: from.to_string(),
            to_class: to.to_string(),
            made: made.clone(),
            program: Program {
                name: PROGRAM.to_owned(),
                version: by.version.clone(),
                rules_digest: by.rules.to_string(),
            },
            ground,
        },
    };
    // Keys are texts and numbers are whole, which JSON can say.
    serde_json::to_vec(&statement).unwrap_or_default()
}

/// What the signed bytes state.
pub(crate) fn read(bytes: &[u8]) -> Result<Certificate, StatementError> {
    let statement: Statement = serde_json::from_slice(bytes)?;
    let kinds = [(statement.kind, STATEMENT), (statement.predicate_type, PREDICATE)];
    if let Some((other, _)) = kinds.into_iter().find(|(kind, expected)| kind != expected) {
        return Err(StatementError::Other(other));
    }
    let Predicate { from_class, to_class, made, program, ground } = statement.predicate;
    if program.name != PROGRAM {
        return Err(StatementError::Field { field: "program", value: program.name });
    }
    let ground = match ground {
        GroundFields::ScanClean { looked_for, recall, findings: 0, unreadable: 0 } => {
            let RecallFields { found, of, source } = recall;
            Ground::ScanClean(Scan { looked_for, recall: Recall { found, of, source } })
        }
        GroundFields::HiddenRows {
            looked_for,
            recall: RecallFields { found, of, source },
            findings: 0,
            unreadable: 0,
            quasi_identifiers: quasi,
            sensitive,
            keeps,
            k,
            rows,
            classes,
        } => {
            let scan = Scan { looked_for, recall: Recall { found, of, source } };
            Ground::Hidden(Hidden { scan, quasi, sensitive, keeps, k, rows, classes })
        }
        GroundFields::ScanClean { findings, unreadable, .. }
        | GroundFields::HiddenRows { findings, unreadable, .. } => {
            let value = format!("{findings} findings, {unreadable} unreadable");
            return Err(StatementError::Field { field: "ground", value });
        }
        GroundFields::Expert { reason, approver, despite, unreadable } => {
            Ground::Expert(Expert { reason, approver, despite, unreadable })
        }
    };
    Ok(Certificate {
        subject: subject(statement.subject)?,
        from: class("fromClass", &from_class)?,
        to: class("toClass", &to_class)?,
        ground,
        made,
        by: Maker { version: program.version, rules: hash("rulesDigest", &program.rules_digest)? },
    })
}

fn subject(subjects: Vec<SubjectFields>) -> Result<Subject, StatementError> {
    let count = subjects.len();
    let [SubjectFields { name, digest }] =
        <[SubjectFields; 1]>::try_from(subjects).map_err(|_other| StatementError::Field {
            field: "subject",
            value: format!("{count} artifacts"),
        })?;
    let named = |field: &'static str| {
        let value = digest.get(field).map_or("", String::as_str);
        hash(field, value)
    };
    let digests = Digests { blake3: named("blake3")?, sha256: named("sha256")? };
    Ok(Subject { name, digests })
}

fn class(field: &'static str, value: &str) -> Result<Class, StatementError> {
    value.parse().map_err(|_other| StatementError::Field { field, value: value.to_owned() })
}

fn hash(field: &'static str, value: &str) -> Result<Hash, StatementError> {
    value.parse().map_err(|_other| StatementError::Field { field, value: value.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certificate::tests::{certificate, expert, hidden};

    #[test]
    fn certificates_are_read_as_they_are_written() {
        for certificate in [certificate(), expert(), hidden()] {
            assert_eq!(read(&write(&certificate)).unwrap(), certificate);
        }
    }

    #[test]
    fn the_statement_is_what_the_framework_says() {
        let (ones, twos, threes) = ("01".repeat(32), "02".repeat(32), "03".repeat(32));
        let expected = format!(
            r#"{{"_type":"https://in-toto.io/Statement/v1","subject":[{{"name":"build/tickets.clean.csv","digest":{{"blake3":"{ones}","sha256":"{twos}"}}}}],"predicateType":"https://nearside.dev/attestation/anonymization/v1","predicate":{{"fromClass":"personal","toClass":"internal","made":"2026-11-23T10:00:00Z","program":{{"name":"nearside","version":"0.1.0","rulesDigest":"{threes}"}},"ground":{{"kind":"scan-clean","lookedFor":["PERSON","EMAIL"],"recall":{{"found":99,"of":100,"source":"a set of texts"}},"findings":0,"unreadable":0}}}}}}"#
        );
        assert_eq!(String::from_utf8(write(&certificate())).unwrap(), expected);
    }

    #[test]
    fn what_states_something_else_is_refused() {
        let text = String::from_utf8(write(&certificate())).unwrap();
        for (from, to, why) in [
            ("Statement/v1", "Statement/v2", "which is no anonymization"),
            ("anonymization/v1", "upload/v1", "which is no anonymization"),
            ("\"findings\":0", "\"findings\":3", "3 findings"),
            ("\"unreadable\":0", "\"unreadable\":1", "1 unreadable"),
            ("\"toClass\":\"internal\"", "\"toClass\":\"secret\"", "toClass is \"secret\""),
            ("0101", "0x01", "blake3 is"),
            ("scan-clean", "believed", "unknown variant"),
            ("\"made\"", "\"hidden\":1,\"made\"", "unknown field"),
        ] {
            let error = read(text.replacen(from, to, 1).as_bytes()).unwrap_err().to_string();
            assert!(error.contains(why), "{from}: {error}");
        }
    }
}
