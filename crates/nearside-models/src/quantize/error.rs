//! Why a model is not quantized.

use std::io;

use nearside_architecture::Dtype;

use crate::block::BlockError;
use crate::error::ModelError;
use crate::file::WriteError;
use crate::tokenizer::TokenizerError;

use super::Mix;

/// Why a model is not quantized.
#[derive(Debug, thiserror::Error)]
pub enum QuantizeError {
    /// The model cannot be opened, or does not compute.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Its tokenizer cannot be read.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// The file cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// A tensor cannot be made into blocks.
    #[error("tensor {name}: {error}")]
    Block {
        /// Its name.
        name: String,
        /// Why.
        #[source]
        error: BlockError,
    },
    /// The model has lost too much already.
    #[error(
        "{name} is {dtype} already: what was lost then is not brought back, and more would be lost"
    )]
    Requantized {
        /// The first such tensor.
        name: String,
        /// Its type.
        dtype: Dtype,
    },
    /// So few bits are good for nothing without weights of importance.
    #[error("{mix} stores {name} as {dtype}, which needs weights of importance")]
    Unweighted {
        /// The mix.
        mix: Mix,
        /// The first such tensor.
        name: String,
        /// The type that it would have.
        dtype: Dtype,
    },
    /// A stated type that no tensor takes.
    #[error("{keep}: the model has no matrix of that name")]
    KeepsNothing {
        /// What was stated.
        keep: String,
    },
    /// The key-value pairs of the model cannot be read.
    #[error("the key-value pairs of the file cannot be read")]
    Metadata,
    /// The model cannot be written as GGUF.
    #[error("{what}; no GGUF file is made of it here")]
    Unconvertible {
        /// What it has, or lacks.
        what: String,
    },
    /// Weights of importance make no sense, or cannot be found.
    #[error("weights of importance: {0}")]
    Importance(String),
    /// A file of the model cannot be read.
    #[error("cannot read {name}: {error}")]
    File {
        /// Its name.
        name: String,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// It was told to end.
    #[error("interrupted")]
    Interrupted,
}
