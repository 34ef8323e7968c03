//! What every document of the question "does a machine pay" is made from, and how names of strangers are
//! made fit to stand in them.

use nearside_economics::{Roi, RoiError, Sample};
use nearside_units::{Currency, Date};
use thiserror::Error;

/// Letters of a name that are shown; longer ones are cut.
const MOST_LETTERS: usize = 60;

/// Letters of a source or a warning that are shown.
const MOST_OF_A_TEXT: usize = 2000;

/// What was found, for people.
#[derive(Clone, Debug, PartialEq)]
pub struct Findings {
    /// The calculation and where in it the answers are.
    pub roi: Roi,
    /// What it is about: the name of the project, or "template".
    pub title: String,
    /// The currency of every amount.
    pub currency: Currency,
    /// The day of writing.
    pub date: Date,
    /// What a reader must know, whole sentences.
    pub warnings: Vec<String>,
    /// What random draws came to, for each alternative in the order of the calculation; may be empty.
    pub drawn: Vec<Drawn>,
}

/// What random draws of all uncertain inputs came to against one alternative.
#[derive(Clone, Debug, PartialEq)]
pub struct Drawn {
    /// Months until cash has come back.
    pub payback: Sample,
    /// Net present value.
    pub worth: Sample,
}

/// Why there is no document.
#[derive(Debug, Error)]
pub enum ReportError {
    /// The calculation cannot be written down.
    #[error(transparent)]
    Calculation(#[from] RoiError),
    /// The workbook cannot be put together.
    #[error("the workbook cannot be written")]
    Workbook(#[from] rust_xlsxwriter::XlsxError),
}

impl Findings {
    /// The title as it may stand in a document.
    pub(crate) fn shown_title(&self) -> String {
        printable(&self.title)
    }

    /// The names of the alternatives as they may stand in a document, each told from the others.
    pub(crate) fn alternatives(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for far in &self.roi.far {
            let name = printable(&far.name);
            let numbered = (2..).map(|number| format!("{name} ({number})"));
            let mut candidates = std::iter::once(name.clone()).chain(numbered);
            names.extend(candidates.find(|candidate| !names.contains(candidate)));
        }
        names
    }
}

/// One line of visible letters, at most so many.
pub(crate) fn printable(text: &str) -> String {
    let line = one_line(text);
    match line.chars().count() {
        0 => "(no name)".to_owned(),
        count if count > MOST_LETTERS => {
            let cut: String = line.chars().take(MOST_LETTERS - 1).collect();
            format!("{}\u{2026}", cut.trim_end())
        }
        _ => line,
    }
}

/// Text without hidden letters and line breaks, as long as a cell of a spreadsheet may surely be.
pub(crate) fn one_line(text: &str) -> String {
    let visible = text.chars().map(|letter| if is_hidden(letter) { ' ' } else { letter });
    let visible: String = visible.take(MOST_OF_A_TEXT).collect();
    visible.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Control letters, those that turn the direction of writing, and those that no XML may hold.
fn is_hidden(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}')
        || matches!(letter, '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_one_short_visible_line() {
        assert_eq!(printable(" a\u{0}b\n\tc\u{202e}d "), "a b c d");
        assert_eq!(printable("\u{1}\u{2}"), "(no name)");
        let long = printable(&"x".repeat(300));
        assert_eq!(long.chars().count(), MOST_LETTERS);
        assert!(long.ends_with('\u{2026}'));
        assert_eq!(printable("=1+1"), "=1+1");
    }
}
