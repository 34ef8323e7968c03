//! Why an adapter is not read, or not written.

use std::io;
use std::path::PathBuf;

use crate::error::ModelError;
use crate::file::WriteError;

/// Why an adapter is not read, or not written.
#[derive(Debug, thiserror::Error)]
pub enum AdapterError {
    /// A file cannot be read or written.
    #[error("{}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// There is no adapter at that place.
    #[error("{}: {reason}", path.display())]
    NoAdapter {
        /// The place.
        path: PathBuf,
        /// What is missing or not understood.
        reason: String,
    },
    /// A field of `adapter_config.json` asks for what is not computed.
    #[error("adapter_config.json has {field} = {found}, {instead}")]
    Field {
        /// The field.
        field: String,
        /// What it says.
        found: String,
        /// What is computed here.
        instead: &'static str,
    },
    /// A tensor that is no part of a low-rank change.
    #[error("{name} is no half of a low-rank change of a matrix")]
    NoChange {
        /// Its name.
        name: String,
    },
    /// One half of a change is there, and the other is not.
    #[error("{name} has no other half")]
    Half {
        /// Its name.
        name: String,
    },
    /// The halves do not fit together, or are not of the rank that is stated.
    #[error("{name}: its halves are {halves:?}, which is no change of rank {rank}")]
    Halves {
        /// The name of the matrix.
        name: String,
        /// Dimensions of both.
        halves: [Vec<u64>; 2],
        /// The rank.
        rank: u64,
    },
    /// The model has no such matrix, or none that adapters change here.
    #[error("the model has no matrix {name} that an adapter changes here")]
    NoMatrix {
        /// What the adapter calls it.
        name: String,
    },
    /// The model has that matrix in another shape.
    #[error("{name} changes a matrix of {found:?}, the model has {expected:?} there")]
    Shape {
        /// What the adapter calls it.
        name: String,
        /// Rows and columns of the model's.
        expected: [usize; 2],
        /// Rows and columns that are changed.
        found: [usize; 2],
    },
    /// Two changes of one matrix.
    #[error("{name} is there twice")]
    Twice {
        /// What the adapter calls it.
        name: String,
    },
    /// The model is none that has adapters.
    #[error("the model: {reason}")]
    Base {
        /// Why.
        reason: String,
    },
    /// A tensor cannot be read.
    #[error(transparent)]
    Model(Box<ModelError>),
    /// A file cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

impl From<ModelError> for AdapterError {
    fn from(error: ModelError) -> Self {
        Self::Model(Box::new(error))
    }
}
