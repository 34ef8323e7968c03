//! What every combination of a table is told as, whichever search chose it.

use super::dictionary::Combinations;
use super::taxonomy::{Span, Taxonomy};

/// What every combination is told as.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// By quasi-identifier.
    pub columns: Vec<ToldColumn>,
    /// Whether the rows of each combination are kept.
    pub kept: Vec<bool>,
    /// Rows that are left out.
    pub suppressed: u64,
}

/// What the values of a column are told as.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ToldColumn {
    /// The labels.
    pub labels: Vec<Label>,
    /// The label of each combination.
    pub of: Vec<u32>,
}

/// What a value may be told as.
#[derive(Clone, Debug, PartialEq)]
pub struct Label {
    /// As it is written.
    pub text: String,
    /// The values that it stands for.
    pub span: Span,
    /// How much is lost of a value that is told so: [`Taxonomy::penalty`].
    pub penalty: f64,
}

impl Told {
    /// Whether the rows of a combination are kept.
    #[must_use]
    pub fn is_kept(&self, combination: usize) -> bool {
        self.kept.get(combination).copied().unwrap_or(false)
    }

    /// What a combination's value of a column is told as.
    #[must_use]
    pub fn label(&self, column: usize, combination: usize) -> Option<&Label> {
        let column = self.columns.get(column)?;
        column.labels.get(*column.of.get(combination)? as usize)
    }
}

/// The labels of a column, each range of values once.
pub(super) struct Labels {
    numbers: Combinations,
    labels: Vec<Label>,
}

impl Labels {
    pub(super) fn new() -> Self {
        Self { numbers: Combinations::new(2), labels: Vec::new() }
    }

    /// The number of the label of the least group that holds a range.
    pub(super) fn add(&mut self, span: Span, taxonomy: &Taxonomy) -> u32 {
        let number = self.numbers.add(&[span.first, span.last]);
        if self.numbers.len() > self.labels.len() {
            let (span, text) = taxonomy.group(span);
            self.labels.push(Label { text, span, penalty: taxonomy.penalty(span) });
        }
        number
    }

    /// The number of a label that has a name, and no other's range.
    pub(super) fn add_named(&mut self, span: Span, name: &str, taxonomy: &Taxonomy) -> u32 {
        let text = name.to_owned();
        self.labels.push(Label { text, span, penalty: taxonomy.penalty(span) });
        self.numbers.add(&[span.first, span.last])
    }

    pub(super) fn finish(self) -> Vec<Label> {
        self.labels
    }
}
