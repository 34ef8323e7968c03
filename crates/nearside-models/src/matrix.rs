//! A matrix of a model: rows as a file has them.

use std::ops::Range;

use nearside_architecture::Dtype;

use crate::block::{self, BlockError};
use crate::bytes::Bytes;
use crate::kernel::Weights;

/// Rows of weights, stored in whole blocks each.
#[derive(Clone, Debug)]
pub struct Matrix {
    dtype: Dtype,
    rows: usize,
    width: usize,
    bytes: Bytes,
}

impl Matrix {
    /// Rows of that width; `None` when the bytes are not theirs.
    #[must_use]
    pub fn new(dtype: Dtype, rows: usize, width: usize, bytes: Bytes) -> Option<Self> {
        let (per_block, block_bytes) = dtype.block();
        let whole = width.is_multiple_of(usize::try_from(per_block).ok()?);
        let row = width / usize::try_from(per_block).ok()? * usize::try_from(block_bytes).ok()?;
        let fits = whole && row.checked_mul(rows)? == bytes.len();
        fits.then_some(Self { dtype, rows, width, bytes })
    }

    /// How its elements are stored.
    #[must_use]
    pub const fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// How many rows it has: the width of what comes out.
    #[must_use]
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// How wide a row is, and what goes in.
    #[must_use]
    pub const fn width(&self) -> usize {
        self.width
    }

    /// As kernels take it.
    #[must_use]
    pub fn weights(&self) -> Weights<'_> {
        let Self { dtype, rows, width, bytes } = self;
        Weights { dtype: *dtype, rows: *rows, width: *width, bytes }
    }

    /// Some of its rows; `None` where it has none such.
    #[must_use]
    pub fn part(&self, rows: Range<usize>) -> Option<Self> {
        let row = self.bytes.len().checked_div(self.rows)?;
        let bytes = self.bytes.part(rows.start * row..rows.end * row)?;
        Some(Self { rows: rows.len(), bytes, ..self.clone() })
    }

    /// The numbers of one row.
    ///
    /// # Errors
    /// When there is no such row, or its type is not read.
    pub fn row(&self, row: usize, numbers: &mut [f32]) -> Result<(), BlockError> {
        let bytes =
            self.part(row..row + 1).map_or_else(|| Bytes::from(Vec::new()), |part| part.bytes);
        block::dequantize(self.dtype, &bytes, numbers)
    }

    /// All its numbers, row by row.
    ///
    /// # Errors
    /// When its type is not read.
    pub fn numbers(&self) -> Result<Vec<f32>, BlockError> {
        let mut numbers = vec![0.0; self.rows * self.width];
        block::dequantize(self.dtype, &self.bytes, &mut numbers)?;
        Ok(numbers)
    }
}
