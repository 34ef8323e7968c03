//! What `privacy scan` tells people.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use nearside_privacy::scan::Entity;
use nearside_units::Bytes;

use super::view::{Counts, PrivacyScanAnswer};
use crate::output::{Align, table};

/// The most contents, columns and unreadable things that are listed.
const MOST: usize = 40;

pub(super) fn shown(answer: &PrivacyScanAnswer, only: &[Entity]) -> String {
    let PrivacyScanAnswer { findings, counts } = answer;
    let mut text = String::new();
    if !findings.is_empty() {
        let rows = findings.iter().map(|finding| {
            let place = match &finding.column {
                Some(column) => format!("{}:{} ({column})", finding.path, finding.line),
                None => format!("{}:{}", finding.path, finding.line),
            };
            let bytes = format!("{}-{}", finding.start, finding.end);
            vec![
                place,
                bytes,
                finding.kind.to_owned(),
                format!("{:.2}", finding.score),
                finding.why.clone(),
            ]
        });
        let heads = [
            ("where", Align::Left),
            ("bytes", Align::Left),
            ("what", Align::Left),
            ("sure", Align::Right),
            ("why", Align::Left),
        ];
        text.push_str(&table(&heads, rows.collect()));
        text.push('\n');
        more(&mut text, counts.found, findings.len(), "findings (--limit N lists more)");
        text.push('\n');
    }
    kinds(&mut text, counts);
    columns(&mut text, counts);
    if counts.contents.len() > 1 {
        let rows = counts.contents.iter().take(MOST);
        let rows = rows.map(|content| vec![content.path.clone(), list(&content.kinds)]);
        text.push_str(&table(&[("file", Align::Left), ("found", Align::Left)], rows.collect()));
        text.push('\n');
        more(&mut text, counts.contents.len() as u64, MOST, "files");
        text.push('\n');
    }
    unread(&mut text, counts);
    let verdict = match (counts.found, counts.unreadable.len()) {
        (0, 0) if !only.is_empty() => {
            let kinds = only.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(", ");
            format!("nothing of these kinds was found: {kinds}")
        }
        (0, 0) => "nothing personal or secret was found".to_owned(),
        (0, unread) => format!("nothing was found, but {unread} could not be read"),
        (1, 0) => "1 finding".to_owned(),
        (found, 0) => format!("{found} findings"),
        (found, unread) => format!("findings: {found}; {unread} could not be read"),
    };
    let looked = match counts.looked_through {
        1 => "1 file or part of one".to_owned(),
        contents => format!("{contents} files and parts of files"),
    };
    let bytes = Bytes::new(counts.bytes);
    let end =
        if counts.interrupted { "; it was interrupted, the rest was not looked at" } else { "" };
    let _ = writeln!(text, "{verdict}; looked through {looked}, {bytes} of text{end}");
    text
}

fn kinds(text: &mut String, counts: &Counts) {
    if counts.kinds.is_empty() {
        return;
    }
    let rows = counts.kinds.iter().map(|kind| {
        vec![
            kind.kind.to_owned(),
            kind.count.to_string(),
            kind.class.to_owned(),
            kind.what.to_owned(),
        ]
    });
    let heads = [
        ("kind", Align::Left),
        ("count", Align::Right),
        ("class", Align::Left),
        ("what it is", Align::Left),
    ];
    text.push_str(&table(&heads, rows.collect()));
    text.push_str("\n\n");
}

fn columns(text: &mut String, counts: &Counts) {
    if counts.columns.is_empty() {
        return;
    }
    let rows = counts.columns.iter().take(MOST);
    let rows =
        rows.map(|column| vec![column.path.clone(), column.column.clone(), list(&column.kinds)]);
    let heads = [("table", Align::Left), ("column", Align::Left), ("found", Align::Left)];
    text.push_str(&table(&heads, rows.collect()));
    text.push('\n');
    more(text, counts.columns.len() as u64, MOST, "columns");
    text.push('\n');
}

fn unread(text: &mut String, counts: &Counts) {
    for unreadable in counts.unreadable.iter().take(MOST) {
        let _ = writeln!(text, "not read: {}: {}", unreadable.path, unreadable.why);
    }
    more(text, counts.unreadable.len() as u64, MOST, "that could not be read");
    let mut left_out: BTreeMap<&str, usize> = BTreeMap::new();
    for left in &counts.left_out {
        *left_out.entry(&left.what).or_default() += 1;
    }
    for (what, count) in left_out {
        let _ = writeln!(text, "left out: {what} ({count})");
    }
    if !counts.unreadable.is_empty() || !counts.left_out.is_empty() {
        text.push('\n');
    }
}

/// Says how many more there are than shown.
fn more(text: &mut String, all: u64, shown: usize, what: &str) {
    if let more @ 1.. = all.saturating_sub(shown as u64) {
        let _ = writeln!(text, "and {more} more {what}");
    }
}

fn list(kinds: &BTreeMap<&'static str, u64>) -> String {
    let kinds: Vec<_> = kinds.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
    kinds.join(", ")
}
