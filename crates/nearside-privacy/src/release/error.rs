//! Why nothing was released.

use thiserror::Error;

use crate::tabular::TabularError;

/// Why nothing was released. None of these depends on what the cells of a well formed table hold.
#[derive(Debug, Error)]
pub enum ReleaseError {
    /// The table cannot be read.
    #[error(transparent)]
    Table(#[from] TabularError),
    /// The operating system has no random numbers.
    #[error("the system gives no random numbers: {0}")]
    Random(getrandom::Error),
    /// What may be spent is none.
    #[error("{0} cannot be spent: epsilon and rho are from 1e-9 to 1000")]
    Amount(f64),
    /// Delta is no probability that can be asked for.
    #[error("a delta of {0} is none: it must be above 0 and below 1")]
    Delta(f64),
    /// What may be spent is too little for all that is asked.
    #[error("what may be spent is too little to be shared among {0} answers")]
    Parts(usize),
    /// Noise of a scale that no sampler has.
    #[error(
        "the noise would be too great: spend more, or ask for narrower bounds, a coarser step or fewer rows a person"
    )]
    Scale,
    /// A text is no decimal.
    #[error("{0:?} is no decimal of at most 18 digits")]
    Decimal(String),
    /// Bounds are none.
    #[error("bounds from {lower} to {upper} in steps of {step} are none: {why}")]
    Grid {
        /// The lower bound.
        lower: String,
        /// The upper one.
        upper: String,
        /// The step.
        step: String,
        /// Why.
        why: &'static str,
    },
    /// A domain is none.
    #[error("the domain of {column:?} is none: {why}")]
    Domain {
        /// The column.
        column: String,
        /// Why.
        why: String,
    },
    /// A share of the rows is none.
    #[error("a quantile of {0} / {1} is none: it is above 0, below 1, of at most 1000 parts")]
    Fraction(u32, u32),
    /// Nothing is asked for, or the same thing twice.
    #[error("{0}")]
    Query(&'static str),
    /// More cells than can be held.
    #[error("{cells} cells are more than can be released ({most}): name fewer columns or labels")]
    Cells {
        /// How many.
        cells: u128,
        /// The most.
        most: u128,
    },
}
