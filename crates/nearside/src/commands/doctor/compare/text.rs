//! The answer of `nearside doctor --compare` as text.

use std::fmt::Write as _;

use super::view::{Changes, CompareAnswer, DifferenceView, NotComparedView, Verdict};
use crate::output::{Align, table};

const GROUPS: [(Changes, &str); 3] = [
    (Changes::Result, "could change a result"),
    (Changes::Speed, "speed or memory only"),
    (Changes::Nothing, "harmless"),
];

pub(super) fn of(answer: &CompareAnswer) -> String {
    let mut text = format!("against {}: {}", answer.file, verdict(answer));
    for (changes, title) in GROUPS {
        let of_group = |one: &&DifferenceView| one.changes == changes;
        let rows: Vec<_> = answer.differences.iter().filter(of_group).map(row).collect();
        if !rows.is_empty() {
            let heads = [title, "here", "there", "why"].map(|head| (head, Align::Left));
            let _ = write!(text, "\n\n{}", table(&heads, rows));
        }
    }
    let counts = |one: &&NotComparedView| one.changes != Changes::Nothing;
    let unknown: Vec<_> = answer.not_compared.iter().filter(counts).collect();
    if !unknown.is_empty() {
        text.push_str("\n\nnot compared");
    }
    for one in unknown {
        let _ = write!(text, "\n{}: {}", one.part, one.why);
    }
    text
}

fn verdict(answer: &CompareAnswer) -> String {
    let count = answer.differences.iter().filter(|one| one.changes == Changes::Result).count();
    match answer.verdict {
        Verdict::SameResults => "no difference that could change a result".to_owned(),
        Verdict::OtherResults if count == 1 => "1 difference could change a result".to_owned(),
        Verdict::OtherResults => format!("{count} differences could change a result"),
        Verdict::CannotTell => {
            "no difference that could change a result, but not all is known".to_owned()
        }
    }
}

fn row(one: &DifferenceView) -> Vec<String> {
    vec![one.part.clone(), one.here.clone(), one.there.clone(), one.why.clone()]
}
