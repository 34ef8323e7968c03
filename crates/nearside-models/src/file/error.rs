//! What can be wrong with a file that is to be written.

use std::io;

use nearside_architecture::Dtype;
use nearside_store::StoreError;

/// Why a file is not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The system refused; its words follow.
    #[error("cannot write the file: {0}")]
    Io(#[from] io::Error),
    /// The file cannot take its place.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A name or key that the format does not have.
    #[error("the name \"{name}\" has {} bytes, it should have 1 to {most}", name.len())]
    Name {
        /// The name.
        name: String,
        /// The most bytes of one.
        most: u64,
    },
    /// A name or key that is there already.
    #[error("\"{name}\" is there twice")]
    Twice {
        /// The name.
        name: String,
    },
    /// A shape that has no place in a file.
    #[error(
        "tensor \"{tensor}\" of shape {shape:?} is no whole number of {dtype} blocks in each row"
    )]
    Shape {
        /// The tensor.
        tensor: String,
        /// Its dimensions, outermost first.
        shape: Vec<u64>,
        /// How its elements are stored.
        dtype: Dtype,
    },
    /// More dimensions than the format has.
    #[error("tensor \"{tensor}\" has {found} dimensions, {format} files have at most {most}")]
    Dimensions {
        /// The tensor.
        tensor: String,
        /// The format.
        format: &'static str,
        /// How many it has.
        found: usize,
        /// The most that the format has.
        most: usize,
    },
    /// A type that the format does not have.
    #[error("tensor \"{tensor}\" is of {dtype}, which {format} files are not written with")]
    Dtype {
        /// The tensor.
        tensor: String,
        /// Its type.
        dtype: Dtype,
        /// The format.
        format: &'static str,
    },
    /// Data that is not as long as the header says.
    #[error("the data of tensor \"{tensor}\" has {found} bytes, its shape needs {expected}")]
    Length {
        /// The tensor.
        tensor: String,
        /// What its shape needs.
        expected: u64,
        /// What there is; one too many stands for all that follow.
        found: u64,
    },
    /// An alignment that readers do not take.
    #[error(
        "general.alignment is {found}, it should be a whole number of 32 bits and a power of two, from 8"
    )]
    Alignment {
        /// What it is.
        found: String,
    },
}
