//! What `privacy scan` answers.

use std::collections::BTreeMap;

use nearside_privacy::scan::{Column, Entity, Finding, Proof, Scanned};
use nearside_privacy::source::Skipped;
use schemars::JsonSchema;
use serde::Serialize;

/// The answer of `nearside privacy scan`.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct PrivacyScanAnswer {
    /// Findings that are listed, by path and place; values are never told.
    pub(super) findings: Vec<FindingView>,
    /// All else.
    #[serde(flatten)]
    pub(super) counts: Counts,
}

/// What was found and looked through, in numbers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Counts {
    /// How many findings there are; more than are listed where a limit was given.
    pub(super) found: u64,
    /// How many of each kind.
    pub(super) kinds: Vec<KindView>,
    /// Contents in which something was found, and how much.
    pub(super) contents: Vec<ContentView>,
    /// Columns of tables in which something was found.
    pub(super) columns: Vec<ColumnView>,
    /// What could not be read, or not in full: nobody knows what is in it.
    pub(super) unreadable: Vec<UnreadableView>,
    /// What no text can be told of and was left out.
    pub(super) left_out: Vec<LeftOutView>,
    /// Contents that were looked through: files, and what lies inside archives and databases.
    pub(super) looked_through: u64,
    /// Their text, in bytes.
    pub(super) bytes: u64,
    /// Their lines.
    pub(super) lines: u64,
    /// Whether it was interrupted: the rest was not looked at.
    pub(super) interrupted: bool,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(super) struct FindingView {
    /// The file, and after each `!` what lies inside it.
    pub(super) path: String,
    /// Its first byte in the text of the content.
    pub(super) start: u64,
    /// The byte after its last.
    pub(super) end: u64,
    /// Its line, from 1.
    pub(super) line: u64,
    /// Its column of a table, by head or number.
    pub(super) column: Option<String>,
    /// What it is.
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    /// How sensitive that is: `personal`, `special`, or `secret`.
    pub(super) class: &'static str,
    /// How sure it is, from 0.5 to 0.99.
    pub(super) score: f64,
    /// The rule that found it.
    pub(super) rule: &'static str,
    /// What speaks for it.
    pub(super) why: String,
}

/// How many findings of a kind there are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(super) struct KindView {
    /// The kind.
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    /// What it is, in words.
    pub(super) what: &'static str,
    /// How sensitive that is.
    pub(super) class: &'static str,
    /// How many.
    pub(super) count: u64,
}

/// A content in which something was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(super) struct ContentView {
    /// The file, and after each `!` what lies inside it.
    pub(super) path: String,
    /// How many findings.
    pub(super) count: u64,
    /// How many of each kind.
    pub(super) kinds: BTreeMap<&'static str, u64>,
}

/// A column of a table in which something was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(super) struct ColumnView {
    /// The table.
    pub(super) path: String,
    /// Its head, or its number from 1.
    pub(super) column: String,
    /// How many of each kind.
    pub(super) kinds: BTreeMap<&'static str, u64>,
}

/// Something that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(super) struct UnreadableView {
    /// What.
    pub(super) path: String,
    /// Why.
    pub(super) why: String,
}

/// Something that was left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(super) struct LeftOutView {
    /// What.
    pub(super) path: String,
    /// What of it.
    pub(super) what: String,
}

impl Counts {
    /// Whether nothing was found and everything was read.
    pub(super) fn is_clean(&self) -> bool {
        self.found == 0 && self.unreadable.is_empty()
    }
}

/// Events, counted as they come.
#[derive(Default)]
pub(super) struct Tally {
    counts: Counts,
    kinds: BTreeMap<Entity, u64>,
    /// What was found in the content that is looked through, and in its columns.
    here: BTreeMap<Entity, u64>,
    columns: BTreeMap<u32, BTreeMap<&'static str, u64>>,
    /// The columns of the table that is looked through.
    heads: Vec<Column>,
}

impl Tally {
    /// A table begins.
    pub(super) fn opened(&mut self, columns: &[Column]) {
        self.heads = columns.to_vec();
    }

    /// Counts a finding; so many there are now.
    pub(super) fn found(&mut self, finding: &Finding) -> u64 {
        self.counts.found += 1;
        *self.kinds.entry(finding.entity).or_default() += 1;
        *self.here.entry(finding.entity).or_default() += 1;
        if let Some(column) = finding.column {
            let kinds = self.columns.entry(column).or_default();
            *kinds.entry(finding.entity.name()).or_default() += 1;
        }
        self.counts.found
    }

    /// A finding of the content that is looked through, as it is told.
    pub(super) fn view(&self, path: &str, finding: &Finding) -> FindingView {
        FindingView {
            path: path.to_owned(),
            start: finding.start,
            end: finding.end,
            line: finding.line,
            column: finding.column.map(|column| self.name(column)),
            kind: finding.entity.name(),
            class: class_of(finding.entity),
            score: f64::from(finding.score) / 100.0,
            rule: finding.rule,
            why: why(finding),
        }
    }

    /// A column, by its head or its number from 1.
    fn name(&self, column: u32) -> String {
        match self.heads.get(column as usize) {
            Some(column) if !column.name.is_empty() => column.name.clone(),
            _ => format!("{}", column + 1),
        }
    }

    pub(super) fn looked(&mut self, path: &str, scanned: &Scanned) {
        self.counts.looked_through += 1;
        self.counts.bytes += scanned.bytes;
        self.counts.lines += scanned.lines;
        self.end(path);
    }

    pub(super) fn unreadable(&mut self, path: &str, why: &str) {
        self.end(path);
        let (path, why) = (path.to_owned(), why.to_owned());
        self.counts.unreadable.push(UnreadableView { path, why });
    }

    pub(super) fn skipped(&mut self, path: &str, what: Skipped) {
        let (path, what) = (path.to_owned(), what.to_string());
        self.counts.left_out.push(LeftOutView { path, what });
    }

    /// Closes a content.
    fn end(&mut self, path: &str) {
        let columns = std::mem::take(&mut self.columns).into_iter().map(|(column, kinds)| {
            let (path, column) = (path.to_owned(), self.name(column));
            ColumnView { path, column, kinds }
        });
        self.counts.columns.extend(columns.collect::<Vec<_>>());
        self.heads.clear();
        let here = std::mem::take(&mut self.here);
        if !here.is_empty() {
            let kinds = here.iter().map(|(entity, count)| (entity.name(), *count)).collect();
            let (path, count) = (path.to_owned(), here.values().sum());
            self.counts.contents.push(ContentView { path, count, kinds });
        }
    }

    /// All of it; `interrupted` says that there is more.
    pub(super) fn counts(self, interrupted: bool) -> Counts {
        let kinds = self.kinds.iter().map(|(entity, count)| KindView {
            kind: entity.name(),
            what: entity.what(),
            class: class_of(*entity),
            count: *count,
        });
        Counts { kinds: kinds.collect(), interrupted, ..self.counts }
    }
}

/// A class of data; a secret is none and is told as what it is.
fn class_of(entity: Entity) -> &'static str {
    match entity.group() {
        nearside_privacy::scan::Group::Secret => "secret",
        _ => entity.class().name(),
    }
}

fn why(finding: &Finding) -> String {
    let words: Vec<_> = finding.cues.names().collect();
    match (finding.proof, words.is_empty()) {
        (Proof::Labelled, false) => format!("a word beside it says {}", words.join(", ")),
        (proof, true) => proof.what().to_owned(),
        (proof, false) => format!("{}; near it: {}", proof.what(), words.join(", ")),
    }
}
