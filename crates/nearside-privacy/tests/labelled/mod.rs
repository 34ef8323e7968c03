//! Labelled texts: JSON lines of `text`, `format`, `spans` of `start`, `end` (bytes) and `type`, and
//! `decoys`; what a scan of them finds and misses.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::ops::Range;

use nearside_privacy::scan::{Options, scan};
use nearside_privacy::source::Form;
use serde_json::Value;

/// What came of one kind.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Count {
    /// Labels that were found.
    pub(crate) found: f64,
    /// Labels that were not.
    pub(crate) missed: f64,
    /// Findings that no label has.
    pub(crate) wrong: f64,
}

impl Count {
    /// How much of what was found is right.
    pub(crate) fn precision(self) -> f64 {
        self.found / (self.found + self.wrong).max(1.0)
    }

    /// How much was found.
    pub(crate) fn recall(self) -> f64 {
        self.found / (self.found + self.missed).max(1.0)
    }

    /// Their harmonic mean.
    pub(crate) fn f1(self) -> f64 {
        2.0 * self.found / (2.0 * self.found + self.missed + self.wrong).max(1.0)
    }

    /// Adds another count.
    pub(crate) fn add(&mut self, other: Self) {
        self.found += other.found;
        self.missed += other.missed;
        self.wrong += other.wrong;
    }
}

/// What came of a labelled set.
#[derive(Default)]
pub(crate) struct Score {
    /// By kind.
    pub(crate) kinds: BTreeMap<String, Count>,
    /// Traps.
    pub(crate) decoys: f64,
    /// Traps of which some part was found.
    pub(crate) flagged: f64,
}

impl Score {
    /// The counts of some kinds together.
    pub(crate) fn of(&self, chosen: impl Fn(&str) -> bool) -> Count {
        let mut sum = Count::default();
        for (kind, count) in &self.kinds {
            if chosen(kind) {
                sum.add(*count);
            }
        }
        sum
    }
}

/// One label, finding or trap that was not as it should be.
pub(crate) struct Told<'t> {
    /// `missed`, `wrong` or `decoy`.
    pub(crate) what: &'static str,
    /// The kind of the label or finding.
    pub(crate) kind: &'t str,
    /// The text.
    pub(crate) text: &'t str,
    /// Where it stands.
    pub(crate) place: Range<usize>,
}

/// Scans every document and holds what is found against its labels.
pub(crate) fn score(lines: &str, tell: &mut dyn FnMut(Told<'_>)) -> Score {
    let mut score = Score::default();
    for line in lines.lines() {
        let document: Value = serde_json::from_str(line).expect("a labelled document");
        hold(&document, &mut score, tell);
    }
    score
}

fn hold(document: &Value, score: &mut Score, tell: &mut dyn FnMut(Told<'_>)) {
    let text = document["text"].as_str().expect("a text");
    let form = match document["format"].as_str() {
        Some("csv") => Some(Form::Delimited),
        Some("json") => Some(Form::Json),
        _ => None,
    };
    let options = Options { threads: NonZero::<usize>::MIN, ..Options::default() };
    let mut found = Vec::new();
    let each = &mut |finding| found.push(finding);
    scan(form, &mut text.as_bytes(), options, each).expect("a text in memory");
    let found: Vec<(&str, Range<usize>)> = found
        .iter()
        .map(|finding| (finding.entity.name(), finding.start as usize..finding.end as usize))
        .collect();
    let list = |name: &str| document[name].as_array().map_or(&[][..], Vec::as_slice);
    let mut right = vec![false; found.len()];
    for span in list("spans") {
        let (kind, place) = (span["type"].as_str().unwrap_or_default(), place_of(span));
        let same = found.iter().position(|(name, other)| *name == kind && *other == place);
        let count = score.kinds.entry(kind.to_owned()).or_default();
        match same {
            Some(index) => {
                right[index] = true;
                count.found += 1.0;
            }
            None => {
                count.missed += 1.0;
                tell(Told { what: "missed", kind, text, place });
            }
        }
    }
    for ((kind, place), _) in found.iter().zip(&right).filter(|(_, right)| !**right) {
        score.kinds.entry((*kind).to_owned()).or_default().wrong += 1.0;
        tell(Told { what: "wrong", kind, text, place: place.clone() });
    }
    for decoy in list("decoys") {
        let place = place_of(decoy);
        score.decoys += 1.0;
        let hit =
            found.iter().find(|(_, other)| other.start < place.end && other.end > place.start);
        if let Some((kind, _)) = hit {
            score.flagged += 1.0;
            tell(Told { what: "decoy", kind, text, place });
        }
    }
}

fn place_of(span: &Value) -> Range<usize> {
    let end = |name: &str| span[name].as_u64().unwrap_or_default() as usize;
    end("start")..end("end")
}
