//! `nearside privacy certify` in words.

use std::fmt::Write as _;

use super::view::{
    Against, CertificateView, CertificatesAnswer, CertifyAnswer, FindingView, VerifyAnswer,
};
use crate::output::{Align, table};

/// Digits of a digest or key that people compare.
const SHORT: usize = 12;
/// Findings that are listed.
const MOST: usize = 20;

pub(super) fn certified(answer: &CertifyAnswer) -> String {
    let CertifyAnswer { artifact, from, because, to, result, certificate, against } = answer;
    match certificate {
        Some(certificate) => {
            format!("{artifact} is {to}, where it was {from}\n{}", details(certificate))
        }
        None if *result == "not needed" => {
            format!("{artifact} is {from} as it is ({because}): no certificate is needed")
        }
        None => format!("{artifact} is not {to} but {from} ({because}){}", reasons(against)),
    }
}

fn reasons(against: &Against) -> String {
    let mut text = String::new();
    for finding in against.findings.iter().take(MOST) {
        let FindingView { kind, what, file, line, column, proof, .. } = finding;
        let column = column.map_or(String::new(), |column| format!(", column {column}"));
        let _ = write!(text, "\n  {file}:{line}{column}: {kind} ({what}, by {proof})");
    }
    let found: u64 = against.counts.values().sum();
    let more = found.saturating_sub(against.findings.len().min(MOST) as u64);
    if more > 0 {
        let _ = write!(text, "\n  and {more} more");
    }
    for unread in against.not_judged.iter().take(MOST) {
        let _ = write!(text, "\n  {}: not judged: {}", unread.file, unread.why);
    }
    let more = against.unreadable.saturating_sub(against.not_judged.len().min(MOST) as u64);
    if more > 0 {
        let _ = write!(text, "\n  and {more} more that were not judged");
    }
    text
}

fn details(certificate: &CertificateView) -> String {
    let CertificateView { blake3, sha256, because, made, key, entry, .. } = certificate;
    let because = because.as_deref().unwrap_or("not to be read");
    format!(
        "ground   {because}\nblake3   {blake3}\nsha256   {sha256}\nsigned   {made} with key {key}\nledger   entry {entry}"
    )
}

pub(super) fn verified(answer: &VerifyAnswer) -> String {
    let VerifyAnswer { artifact, class, why_not, certificate, .. } = answer;
    let details = certificate.as_ref().map_or(String::new(), |found| {
        let CertificateView { artifact, from, to, .. } = found;
        format!("\ncertificate of {artifact}, from {from} to {to}\n{}", self::details(found))
    });
    match why_not {
        None => format!("{artifact} is {class} by a certificate that holds{details}"),
        Some(why) => format!("{artifact} is not proven to be {class}: {why}{details}"),
    }
}

pub(super) fn listed(answer: &CertificatesAnswer) -> String {
    if answer.certificates.is_empty() && answer.keys.is_empty() {
        return "no certificate was made yet".to_owned();
    }
    let heads = ["entry", "artifact", "from", "to", "ground", "made", "content", "key", "believed"];
    let heads = heads.map(|head| (head, Align::Left));
    let short = |digits: &str| digits.chars().take(SHORT).collect::<String>();
    let row = |certificate: &CertificateView| {
        let believed = certificate.not_believed.as_deref();
        vec![
            certificate.entry.to_string(),
            certificate.artifact.clone(),
            certificate.from.clone(),
            certificate.to.clone(),
            certificate.ground.clone(),
            certificate.made.clone(),
            short(&certificate.blake3),
            short(&certificate.key),
            believed.map_or("yes".to_owned(), |why| format!("no: {why}")),
        ]
    };
    let mut text = table(&heads, answer.certificates.iter().map(row).collect());
    for key in &answer.keys {
        let revoked = key.revoked.as_ref().map_or(String::new(), |why| format!(" revoked: {why}"));
        let _ = write!(text, "\nkey {}{revoked}", key.key);
    }
    text
}
