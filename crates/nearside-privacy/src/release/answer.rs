//! What is released: nothing here but noisy numbers, what is made of them, and how far off they are.

use std::num::NonZeroU32;

use super::noise::Noise;
use super::{Categorical, Decimal, Fraction, Privacy, Query};

/// An answer and what it spent.
#[derive(Clone, Debug, PartialEq)]
pub struct Released {
    /// What was spent.
    pub privacy: Privacy,
    /// The most rows of one person that this holds for.
    pub contributions: NonZeroU32,
    /// The answer.
    pub answer: Answer,
}

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Of a count or a sum. It may be below what is possible: put within bounds, it would be off to one side.
    Number(Number),
    /// Of a mean.
    Mean {
        /// The mean, within the bounds, with three digits more than the step.
        value: Decimal,
        /// It is at most so far from the exact mean in at least 95 % of all answers.
        error: Decimal,
        /// The sum of the rows' distances to the middle of the bounds.
        sum: Number,
        /// The rows, at least 1.
        count: Number,
    },
    /// Of quantiles, in their order in the query. Each was chosen by itself, so they may be the wrong way round.
    Quantiles(Vec<Quantile>),
    /// Of a histogram or a contingency table.
    Cells {
        /// The columns with their labels.
        columns: Vec<Labels>,
        /// The rows of every cell, the last column's labels next to each other. They may be below 0.
        counts: Vec<i128>,
        /// The noise of each.
        noise: Noise,
    },
    /// Made up rows.
    Synthetic(Synthetic),
}

/// A number with noise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Number {
    /// The number.
    pub value: Decimal,
    /// Its noise; [`Noise::error`] says how far off it is.
    pub noise: Noise,
}

/// A quantile.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantile {
    /// Which.
    pub at: Fraction,
    /// A value of the grid.
    pub value: Decimal,
    /// It is at most so many rows from the quantile's, in their order, in at least 95 % of all answers; infinite where
    /// nothing can be said.
    pub ranks: f64,
}

/// A column and its labels, the last of which is [`super::OTHER`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labels {
    /// The name of the column.
    pub name: String,
    /// Its labels.
    pub labels: Vec<String>,
}

/// Made up rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Synthetic {
    /// The columns with their labels.
    pub columns: Vec<Labels>,
    /// For each column, the number of the label of every row.
    pub codes: Vec<Vec<u32>>,
    /// The pairs of columns that keep how they go together, by their numbers.
    pub pairs: Vec<(usize, usize)>,
    /// The noise of every count of a single column.
    pub ones: Noise,
    /// The noise of every count of a pair of columns, where there is one.
    pub twos: Option<Noise>,
}

impl Query {
    /// Its columns with a domain, and their labels.
    pub(super) fn told(&self) -> Vec<Labels> {
        match self {
            Self::Histogram(column) => told(std::slice::from_ref(column)),
            Self::Contingency(columns) | Self::Synthetic { columns, .. } => told(columns),
            _ => Vec::new(),
        }
    }
}

/// Columns and their labels.
pub(super) fn told(columns: &[Categorical]) -> Vec<Labels> {
    let told = |column: &Categorical| Labels { name: column.name().clone(), labels: column.told() };
    columns.iter().map(told).collect()
}
