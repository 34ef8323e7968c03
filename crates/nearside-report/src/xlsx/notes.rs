//! The tab of notes: how to use the file, what its words mean, where its formulas come from, what it leaves out.

use super::draft::{Draft, Look, Place, Tab};
use crate::notes::NOTES;

pub(super) fn lay_out(draft: &mut Draft<'_>) {
    let at = |row: u32| Place { tab: Tab::Notes, row, column: 0 };
    draft.text(at(0), "Notes", Look::Title);
    let written = format!(
        "Written on {} for {}; amounts in {}.",
        draft.findings.date,
        draft.findings.shown_title(),
        draft.findings.currency.code()
    );
    draft.text(at(1), written, Look::Quiet);
    let warnings: Vec<String> =
        draft.findings.warnings.iter().map(|text| crate::findings::one_line(text)).collect();
    let known = NOTES.map(|(heading, lines)| {
        (heading, lines.iter().map(|line| (*line).to_owned()).collect::<Vec<String>>())
    });
    let mut row = 3;
    for (heading, lines) in std::iter::once(("Warnings", warnings)).chain(known) {
        if lines.is_empty() {
            continue;
        }
        draft.text(at(row), heading, Look::Heading);
        row += 1;
        for line in lines {
            draft.text(at(row), line, Look::Wrapped);
            row += 1;
        }
        row += 1;
    }
    draft.leaf(Tab::Notes).widths = vec![(0, 110.0)];
}
