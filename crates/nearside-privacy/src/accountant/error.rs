//! Why nothing can be said about the privacy that a mechanism spends.

use thiserror::Error;

/// Why nothing can be said about the privacy that a mechanism spends.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum AccountantError {
    /// The noise multiplier is none.
    #[error("a noise multiplier of {0} is none: it must be a finite number above 0")]
    Sigma(f64),
    /// The sampling rate is none.
    #[error("a sampling rate of {0} is none: it must be above 0 and at most 1")]
    Rate(f64),
    /// Nothing is done.
    #[error("a mechanism of 0 steps spends nothing: it must have 1 or more")]
    Steps,
    /// Delta is no probability that can be asked for.
    #[error("a delta of {0} is none: it must be above 0 and below 1")]
    Delta(f64),
    /// Epsilon is none.
    #[error("an epsilon of {0} is none: it must be a finite number, {1}")]
    Epsilon(f64, &'static str),
    /// No accountant has a finite bound.
    #[error("no finite epsilon is known: the noise is too small for what is done")]
    Unbounded,
    /// No noise multiplier that is looked at reaches the target.
    #[error(
        "no noise multiplier up to {sigma} reaches an epsilon of {target}: with that one it is {least}"
    )]
    Unreachable {
        /// The epsilon that is wanted.
        target: f64,
        /// The greatest noise multiplier that is looked at.
        sigma: f64,
        /// Epsilon with it.
        least: f64,
    },
}
