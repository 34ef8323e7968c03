//! What can be wrong with numbers that are to be stored, or with how they are stored.

use nearside_architecture::Dtype;

/// Why blocks are not made, or not read.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum BlockError {
    /// A format that no GGUF file has as weights.
    #[error("{dtype} is no block format of GGUF files that is read here")]
    NotRead {
        /// The format.
        dtype: Dtype,
    },
    /// A format that is only read.
    #[error(
        "{dtype} is read but not written: its levels come from a codebook that has to be searched"
    )]
    NotWritten {
        /// The format.
        dtype: Dtype,
    },
    /// A format that is written with weights only.
    #[error("{dtype} is written only with weights of importance")]
    Unweighted {
        /// The format.
        dtype: Dtype,
    },
    /// A number of values that is no whole number of blocks.
    #[error("{values} values are no whole number of {dtype} blocks of {elements}")]
    Partial {
        /// The format.
        dtype: Dtype,
        /// Values of a block.
        elements: usize,
        /// How many values there are.
        values: usize,
    },
    /// Bytes that are not as many as the values need.
    #[error("these blocks of {dtype} take {expected} bytes, {found} are given")]
    Bytes {
        /// The format.
        dtype: Dtype,
        /// What the values need.
        expected: usize,
        /// What is given.
        found: usize,
    },
    /// A number of values that is no whole number of rows.
    #[error("{values} values are no whole number of rows of {row}")]
    Rows {
        /// Values of a row.
        row: usize,
        /// How many values there are.
        values: usize,
    },
    /// Weights that are not as many as a row has columns.
    #[error("{found} weights of importance are given for rows of {expected}")]
    Importance {
        /// Columns of a row.
        expected: usize,
        /// How many weights are given.
        found: usize,
    },
    /// A weight that says nothing about importance.
    #[error(
        "the weight of importance of column {column} is {weight}, it should be at least 0 and finite"
    )]
    Weight {
        /// The column, from 0.
        column: usize,
        /// Its weight.
        weight: f32,
    },
    /// A value that no level is near to.
    #[error("element {element} is {value}, numbers in blocks have to be finite")]
    NotFinite {
        /// The element, from 0, over all rows.
        element: usize,
        /// What it is.
        value: f32,
    },
}
