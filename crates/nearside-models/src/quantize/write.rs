//! The file: tensors one after the other, some rows at a time.

use std::io::Write;
use std::ops::ControlFlow;
use std::path::Path;

use crate::block;
use crate::file::{WriteError, write_gguf_file};

use super::error::QuantizeError;
use super::importance::Importance;
use super::source::SourceTensor;
use super::{Dtype, Plan};

/// Numbers that are converted at once: 64 MiB of them as floats.
const AT_ONCE: usize = 16 << 20;

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress<'a> {
    /// The tensor that is converted.
    pub tensor: &'a str,
    /// Bytes of the source that are done.
    pub done: u64,
    /// Bytes of the source.
    pub total: u64,
}

impl Plan<'_> {
    /// Writes the file, whole or not at all; gives its length. `tell` is told how far it is, and may end it.
    ///
    /// # Errors
    /// When numbers are not finite, weights of importance do not fit, the file cannot be written, or `tell` ends it; an
    /// older file is then still there.
    pub fn write(
        &self,
        path: &Path,
        importance: Option<&Importance>,
        tell: &mut dyn FnMut(Progress<'_>) -> ControlFlow<()>,
    ) -> Result<u64, QuantizeError> {
        let total = self.source.bytes();
        let mut done = 0;
        write_gguf_file(path, &self.metadata, &self.tensors, |index, out| {
            let (Some(from), Some(to)) = (self.source.tensors.get(index), self.tensors.get(index))
            else {
                return Ok(());
            };
            let weights = importance.map(|all| all.of(from)).transpose()?.flatten();
            let mut conversion = Conversion { from, to: to.dtype, weights, made: Vec::new() };
            for rows in conversion.shares() {
                if tell(Progress { tensor: &from.name, done, total }).is_break() {
                    return Err(QuantizeError::Interrupted);
                }
                done += (from.row_bytes() * rows.len()) as u64;
                conversion.write(rows, out)?;
            }
            Ok(())
        })
    }
}

/// A tensor on its way from one type to another.
struct Conversion<'a> {
    from: &'a SourceTensor,
    to: Dtype,
    /// Weights of importance: as many as a row has columns, for each expert.
    weights: Option<&'a [f32]>,
    /// Memory that is used again.
    made: Vec<u8>,
}

impl Conversion<'_> {
    /// Rows that are converted at once: of one expert and one piece.
    fn shares(&self) -> Vec<std::ops::Range<usize>> {
        let each = self.from.rows_of_expert().max(1);
        let most = (AT_ONCE / self.from.width().max(1)).max(1);
        let all = self.from.all_rows();
        let firsts = (0..all).step_by(each);
        let shares = firsts.flat_map(|first| {
            let end = (first + each).min(all);
            (first..end).step_by(most).map(move |row| row..(row + most).min(end))
        });
        shares.collect()
    }

    fn write(
        &mut self,
        rows: std::ops::Range<usize>,
        out: &mut dyn Write,
    ) -> Result<(), QuantizeError> {
        let Self { from, to, weights, made } = self;
        if from.dtype == *to && !from.is_changed() {
            out.write_all(&from.rows(rows)).map_err(WriteError::from)?;
            return Ok(());
        }
        let width = from.width();
        let expert = rows.start / from.rows_of_expert().max(1);
        let weights = weights.and_then(|weights| weights.chunks_exact(width).nth(expert));
        let numbers = from.numbers(rows)?;
        let (elements, size) = to.block();
        made.resize(numbers.len() / elements as usize * size as usize, 0);
        block::quantize_into(*to, &numbers, weights, width, made)
            .map_err(|error| QuantizeError::Block { name: from.name.clone(), error })?;
        out.write_all(made).map_err(WriteError::from)?;
        Ok(())
    }
}
