//! What `nearside privacy certify` answers, for tables and JSON alike.

use std::collections::BTreeMap;

use nearside_policy::{Class, Ground, Hash, Hidden, Scan};
use nearside_privacy::artifact::{Examined, Place};
use schemars::JsonSchema;
use serde::Serialize;

use crate::wire::certificates::Held;

/// The answer of `nearside privacy certify ARTIFACT`.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct CertifyAnswer {
    /// Its path in the project.
    pub(super) artifact: String,
    /// The class it has without a certificate.
    pub(super) from: String,
    /// Why it is of that class.
    pub(super) because: String,
    /// The class that was asked for.
    pub(super) to: String,
    /// `certified`, `refused`, or `not needed` where it is of the class as it is.
    pub(super) result: &'static str,
    /// The certificate, where one was made.
    pub(super) certificate: Option<CertificateView>,
    /// What speaks against the class.
    pub(super) against: Against,
}

/// What speaks against a class.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Against {
    /// How much of each kind was found that is above the class.
    pub(super) counts: BTreeMap<String, u64>,
    /// The first of these findings: kind and place, never the value.
    pub(super) findings: Vec<FindingView>,
    /// Contents that could not be judged.
    pub(super) unreadable: u64,
    /// The first of them.
    pub(super) not_judged: Vec<NotJudged>,
}

/// Where something was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct FindingView {
    /// The kind, as in `EMAIL`.
    pub(super) kind: String,
    /// The kind in words.
    pub(super) what: String,
    /// The class of such data.
    pub(super) class: String,
    /// The content, as in `build/a.zip!people.csv`.
    pub(super) file: String,
    /// The line, from 1.
    pub(super) line: u64,
    /// The column of a table, from 1.
    pub(super) column: Option<u32>,
    /// First byte in the content.
    pub(super) start: u64,
    /// The byte after the last.
    pub(super) end: u64,
    /// How sure that is, in hundredths.
    pub(super) score: u8,
    /// What speaks for it.
    pub(super) proof: String,
}

/// What could not be judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct NotJudged {
    /// The content.
    pub(super) file: String,
    /// Why not.
    pub(super) why: String,
}

/// The answer of `nearside privacy certify ARTIFACT --verify`.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct VerifyAnswer {
    /// Its path in the project.
    pub(super) artifact: String,
    /// The class that was asked for.
    pub(super) class: String,
    /// Whether a certificate proves that it is of that class.
    pub(super) valid: bool,
    /// Why not.
    pub(super) why_not: Option<String>,
    /// BLAKE3 digest of what is there.
    pub(super) blake3: String,
    /// SHA-256 digest of what is there.
    pub(super) sha256: String,
    /// The certificate, or the one that comes nearest.
    pub(super) certificate: Option<CertificateView>,
}

/// The answer of `nearside privacy certify --list`, `--rotate` and `--revoke`.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct CertificatesAnswer {
    /// Every certificate, in the order of making.
    pub(super) certificates: Vec<CertificateView>,
    /// Every key.
    pub(super) keys: Vec<KeyView>,
}

/// A key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct KeyView {
    /// The public half of an Ed25519 pair, as hexadecimal digits.
    pub(super) key: String,
    /// Why it was revoked, where it was.
    pub(super) revoked: Option<String>,
}

impl KeyView {
    pub(super) fn of(key: Hash, revoked: Option<&str>) -> Self {
        Self { key: key.to_string(), revoked: revoked.map(str::to_owned) }
    }
}

/// A certificate.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct CertificateView {
    /// The number of its entry in the ledger.
    pub(super) entry: u64,
    /// The artifact's path in the project.
    pub(super) artifact: String,
    /// The stage that made it.
    pub(super) stage: Option<String>,
    /// BLAKE3 digest of its content.
    pub(super) blake3: String,
    /// SHA-256 digest of its content.
    pub(super) sha256: String,
    /// The class it would have without this.
    pub(super) from: String,
    /// The class it has by this.
    pub(super) to: String,
    /// On which ground: `scan-clean`, `hidden-rows` or `expert`.
    pub(super) ground: String,
    /// The ground in words.
    pub(super) because: Option<String>,
    /// When it was made, in UTC.
    pub(super) made: String,
    /// The key that signed it.
    pub(super) key: String,
    /// Digest of the rules that were scanned by.
    pub(super) rules_digest: String,
    /// Why it is not believed, where it is not.
    pub(super) not_believed: Option<String>,
    /// The signed statement, as other programs read it: a DSSE envelope.
    pub(super) envelope: serde_json::Value,
}

impl CertificateView {
    pub(super) fn of(held: &Held) -> Self {
        let (row, proven) = (&held.row, &held.proven);
        let proven_ground = proven.as_ref().ok().map(|proven| &proven.certificate().ground);
        Self {
            entry: held.entry,
            artifact: row.path.clone(),
            stage: row.stage.clone(),
            blake3: row.blake3.clone(),
            sha256: row.sha256.clone(),
            from: row.from_class.clone(),
            to: row.to_class.clone(),
            ground: row.ground.clone(),
            because: proven_ground.map(because),
            made: row.at.to_string(),
            key: row.public_key.clone(),
            rules_digest: row.rules_digest.clone(),
            not_believed: proven.as_ref().err().map(ToString::to_string),
            envelope: serde_json::from_str(&row.envelope_json).unwrap_or_default(),
        }
    }
}

fn scanned(scan: &Scan) -> String {
    let (kinds, recall) = (scan.looked_for.len(), &scan.recall);
    let share = recall.found as f64 / recall.of.max(1) as f64;
    format!(
        "all of it was scanned for {kinds} kinds, and nothing above the class was found; such a scan \
         finds {:.0} % ({})",
        share * 100.0,
        recall.source
    )
}

/// A ground in words.
fn because(ground: &Ground) -> String {
    match ground {
        Ground::ScanClean(scan) => scanned(scan),
        Ground::Hidden(hidden) => {
            let Hidden { quasi, keeps, k, rows, classes, .. } = hidden;
            format!(
                "its {rows} rows keep {keeps} by {}: {classes} classes, the smallest of {k}; and {}",
                quasi.join(", "),
                scanned(&hidden.scan)
            )
        }
        Ground::Expert(expert) => {
            let found: u64 = expert.despite.values().sum();
            format!(
                "{} decided it: {} (with {found} findings and {} contents that could not be judged)",
                expert.approver, expert.reason, expert.unreadable
            )
        }
    }
}

impl Against {
    pub(super) fn of(examined: &Examined, to: Class) -> Self {
        let above = examined.counts.iter().filter(|(entity, _)| entity.class() > to);
        let counts = above.map(|(entity, count)| (entity.name().to_owned(), *count)).collect();
        let places = examined.places.iter().filter(|place| place.finding.entity.class() > to);
        let not_judged = examined.not_judged.iter().cloned();
        Self {
            counts,
            findings: places.map(FindingView::of).collect(),
            unreadable: examined.unreadable,
            not_judged: not_judged.map(|(file, why)| NotJudged { file, why }).collect(),
        }
    }
}

impl FindingView {
    fn of(place: &Place) -> Self {
        let Place { name, finding } = place;
        Self {
            kind: finding.entity.name().to_owned(),
            what: finding.entity.what().to_owned(),
            class: finding.entity.class().to_string(),
            file: name.clone(),
            line: finding.line,
            column: finding.column.map(|column| column + 1),
            start: finding.start,
            end: finding.end,
            score: finding.score,
            proof: finding.proof.what().to_owned(),
        }
    }
}
