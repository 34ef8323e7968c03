//! What can be wrong with a model's files, and with what is asked of it.

use std::io;
use std::path::PathBuf;

use nearside_architecture::HeaderError;
use thiserror::Error;

use crate::block::BlockError;
use crate::kernel::KernelError;

/// Why a model cannot be opened, or does not compute.
#[derive(Debug, Error)]
pub enum ModelError {
    /// A file cannot be read.
    #[error("cannot read {}: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// There is no model at that place.
    #[error("{}: {reason}", path.display())]
    NoModel {
        /// The place.
        path: PathBuf,
        /// What is missing or not understood.
        reason: String,
    },
    /// A file's header makes no sense.
    #[error("{}", error.in_file(&path.display().to_string()))]
    Header {
        /// The file.
        path: PathBuf,
        /// Where and why.
        #[source]
        error: HeaderError,
    },
    /// A number of the configuration makes no sense.
    #[error("{field}: {found}, it should be {expected}")]
    Configured {
        /// Its name.
        field: String,
        /// What it should be.
        expected: &'static str,
        /// What it is.
        found: String,
    },
    /// A tensor that the architecture has is not in the files.
    #[error("there is no tensor {name}")]
    Absent {
        /// Its name there.
        name: String,
    },
    /// A tensor's shape is not that of the architecture.
    #[error("tensor {name} is {found:?}, the architecture has {expected:?} there")]
    Shape {
        /// Its name.
        name: String,
        /// Dimensions that follow from the architecture, outermost first.
        expected: Vec<usize>,
        /// Those that it has.
        found: Vec<u64>,
    },
    /// The architecture has parts that are not computed here.
    #[error("this model has {what}, which is not computed here yet")]
    Unsupported {
        /// The part.
        what: String,
    },
    /// A token that the vocabulary does not have.
    #[error("there is no token {token}: the vocabulary has {vocabulary}")]
    Token {
        /// The token.
        token: u32,
        /// How many there are.
        vocabulary: usize,
    },
    /// More tokens than there is room for.
    #[error("{tokens} tokens do not fit into a context of {context}")]
    Context {
        /// How many there would be.
        tokens: usize,
        /// How many there is room for.
        context: usize,
    },
    /// A product of weights and activations that do not fit together.
    #[error(transparent)]
    Kernel(#[from] KernelError),
    /// Weights of a type that is not read.
    #[error(transparent)]
    Block(#[from] BlockError),
}
