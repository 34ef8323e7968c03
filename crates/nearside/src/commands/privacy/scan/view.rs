//! What `privacy scan` answers.

use std::collections::BTreeMap;

use nearside_privacy::scan::{Entity, Finding, Proof, Scanned};
use nearside_privacy::source::Skipped;
use schemars::JsonSchema;
use serde::Serialize;

/// The answer of `nearside privacy scan`.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct PrivacyScanAnswer {
    /// Findings that are listed, by path and place; values are never told.
    pub(super) findings: Vec<FindingView>,
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

impl PrivacyScanAnswer {
    /// Whether nothing was found and everything was read.
    pub(super) fn is_clean(&self) -> bool {
        self.found == 0 && self.unreadable.is_empty()
    }
}

/// Events, counted as they come.
pub(super) struct Tally {
    listed: usize,
    answer: PrivacyScanAnswer,
    kinds: BTreeMap<Entity, u64>,
    /// What was found in the content that is looked through.
    here: BTreeMap<Entity, u64>,
    columns: BTreeMap<u32, BTreeMap<&'static str, u64>>,
    /// Where the findings of this content begin in the list.
    first: usize,
}

impl Tally {
    /// Nothing yet; so many findings are listed at most.
    pub(super) fn new(listed: usize) -> Self {
        let answer = PrivacyScanAnswer {
            findings: Vec::new(),
            found: 0,
            kinds: Vec::new(),
            contents: Vec::new(),
            columns: Vec::new(),
            unreadable: Vec::new(),
            left_out: Vec::new(),
            looked_through: 0,
            bytes: 0,
            lines: 0,
        };
        let (kinds, here, columns) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { listed, answer, kinds, here, columns, first: 0 }
    }

    pub(super) fn found(&mut self, path: &str, finding: &Finding) {
        self.answer.found += 1;
        *self.kinds.entry(finding.entity).or_default() += 1;
        *self.here.entry(finding.entity).or_default() += 1;
        if let Some(column) = finding.column {
            let kinds = self.columns.entry(column).or_default();
            *kinds.entry(finding.entity.name()).or_default() += 1;
        }
        if self.answer.findings.len() < self.listed {
            self.answer.findings.push(FindingView {
                path: path.to_owned(),
                start: finding.start,
                end: finding.end,
                line: finding.line,
                // Named once the heads are known.
                column: finding.column.map(|column| column.to_string()),
                kind: finding.entity.name(),
                class: class_of(finding.entity),
                score: f64::from(finding.score) / 100.0,
                rule: finding.rule,
                why: why(finding),
            });
        }
    }

    pub(super) fn looked(&mut self, path: &str, scanned: &Scanned) {
        self.answer.looked_through += 1;
        self.answer.bytes += scanned.bytes;
        self.answer.lines += scanned.lines;
        self.end(path, scanned);
    }

    pub(super) fn unreadable(&mut self, path: &str, why: &str) {
        self.end(path, &Scanned::default());
        let (path, why) = (path.to_owned(), why.to_owned());
        self.answer.unreadable.push(UnreadableView { path, why });
    }

    pub(super) fn skipped(&mut self, path: &str, what: Skipped) {
        let (path, what) = (path.to_owned(), what.to_string());
        self.answer.left_out.push(LeftOutView { path, what });
    }

    /// Closes a content: its columns get their names.
    fn end(&mut self, path: &str, scanned: &Scanned) {
        let name = |column: u32| match scanned.columns.get(column as usize) {
            Some(column) if !column.name.is_empty() => column.name.clone(),
            _ => format!("{}", column + 1),
        };
        for finding in self.answer.findings.iter_mut().skip(self.first) {
            finding.column =
                finding.column.as_ref().and_then(|column| column.parse().ok()).map(name);
        }
        self.first = self.answer.findings.len();
        let columns = std::mem::take(&mut self.columns).into_iter();
        self.answer.columns.extend(columns.map(|(column, kinds)| {
            let (path, column) = (path.to_owned(), name(column));
            ColumnView { path, column, kinds }
        }));
        let here = std::mem::take(&mut self.here);
        if !here.is_empty() {
            let kinds = here.iter().map(|(entity, count)| (entity.name(), *count)).collect();
            let (path, count) = (path.to_owned(), here.values().sum());
            self.answer.contents.push(ContentView { path, count, kinds });
        }
    }

    pub(super) fn answer(mut self) -> PrivacyScanAnswer {
        self.answer.kinds = self
            .kinds
            .iter()
            .map(|(entity, count)| KindView {
                kind: entity.name(),
                what: entity.what(),
                class: class_of(*entity),
                count: *count,
            })
            .collect();
        self.answer
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
