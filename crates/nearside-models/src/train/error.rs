//! Why nothing is trained.

use std::io;

use crate::error::ModelError;
use crate::file::WriteError;
use crate::tokenizer::TokenizerError;

/// Why nothing is trained.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The model cannot be opened, or is of a kind that is not trained.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The tokenizer cannot be made, or finds something that it has no token for.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// The folder cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// Matrices that do not fit together.
    #[error("a product of {left:?} and {right:?} does not have {sums} numbers")]
    Product {
        /// Rows and columns of the left one.
        left: [usize; 2],
        /// Rows and columns of the right one.
        right: [usize; 2],
        /// Numbers that there is room for.
        sums: usize,
    },
    /// A tensor that is trained and has no part in the loss.
    #[error("the loss does not depend on {name}")]
    NoGradient {
        /// Its name.
        name: String,
    },
    /// A loss or gradient that is no number any more.
    #[error("the loss of step {step} is {loss}, its gradient has length {gradient}")]
    NotFinite {
        /// The step, from 1.
        step: usize,
        /// The loss.
        loss: f64,
        /// The length of the gradient.
        gradient: f64,
    },
    /// Sizes or rates that make no model.
    #[error("{what} is {found}, it should be {expected}")]
    Asked {
        /// Of what.
        what: &'static str,
        /// What it should be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// Less text than one batch or one validation takes.
    #[error("the text has {found} tokens, training and validation need {needed}")]
    TooShort {
        /// How many it has.
        found: usize,
        /// How many are needed.
        needed: usize,
    },
    /// A batch whose parts do not fit together.
    #[error("a batch of {tokens} tokens, {targets} targets and sequences of {lengths} tokens")]
    Batch {
        /// Its tokens.
        tokens: usize,
        /// What is to be predicted after each.
        targets: usize,
        /// Tokens of all its sequences.
        lengths: usize,
    },
    /// A file cannot be written.
    #[error("cannot write {name}: {error}")]
    File {
        /// Its name.
        name: String,
        /// Why.
        #[source]
        error: io::Error,
    },
}
