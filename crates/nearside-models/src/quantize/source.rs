//! What is quantized: key-value pairs and tensors as a GGUF file has them, wherever they are from.

use std::ops::Range;

use nearside_architecture::Dtype;

use crate::adapter::{self, Adapter, AdapterError, LowRank};
use crate::block;
use crate::bytes::Bytes;
use crate::file::{MetadataArray, MetadataValue, metadata};
use crate::stored::{Naming, StoredModel};

use super::error::QuantizeError;
use super::rules::{self, Traits};

/// A model as a GGUF file would have it.
#[derive(Clone, Debug)]
pub struct Source {
    /// Its key-value pairs.
    pub metadata: Vec<(String, MetadataValue)>,
    /// Its tensors, those of no layer first, then by layer, by name.
    pub tensors: Vec<SourceTensor>,
    /// What GGUF has no place for, a sentence each; empty for a model that is GGUF already.
    pub left_out: Vec<String>,
}

/// A tensor of it.
#[derive(Clone, Debug)]
pub struct SourceTensor {
    /// Its name in GGUF files.
    pub name: String,
    /// Its dimensions, outermost first.
    pub shape: Vec<u64>,
    /// How it is stored.
    pub dtype: Dtype,
    /// The type that it has if it is not quantized.
    pub otherwise: Dtype,
    /// Its bytes: in one piece, or in one for each expert.
    pub pieces: Vec<Bytes>,
    /// How its rows lie there.
    pub order: RowOrder,
    /// What is added to it, for each expert; empty where nothing is.
    changes: Vec<Option<LowRank>>,
}

/// How the rows of a matrix lie in the file that it is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowOrder {
    /// As they are to be.
    Kept,
    /// Those of a head, of which there are so many, have what is turned together in two halves; the halves are to be
    /// interleaved, so that pairs are neighbours.
    Halves {
        /// Rows of a head.
        head: usize,
    },
}

impl Source {
    /// A model, whatever files it is in.
    ///
    /// # Errors
    /// As [`Source::of_gguf`] and [`Source::of_folder`].
    pub fn of(stored: &StoredModel) -> Result<Self, QuantizeError> {
        match &stored.gguf {
            Some(_) => Self::of_gguf(stored),
            None => Self::of_folder(stored),
        }
    }

    /// The model of a GGUF file.
    ///
    /// # Errors
    /// When it is none, or its key-value pairs cannot be read.
    pub fn of_gguf(stored: &StoredModel) -> Result<Self, QuantizeError> {
        let (header, bytes) = stored.gguf.as_ref().ok_or_else(|| QuantizeError::Unconvertible {
            what: "it is a folder of safetensors".to_owned(),
        })?;
        let mut metadata = metadata(header, bytes).ok_or(QuantizeError::Metadata)?;
        metadata.retain(|(key, _)| !key.starts_with("split."));
        let tensors = stored.tensors.iter().map(|(name, tensor)| SourceTensor {
            name: name.clone(),
            shape: tensor.shape.clone(),
            dtype: tensor.dtype,
            otherwise: tensor.dtype,
            pieces: vec![tensor.bytes.clone()],
            order: RowOrder::Kept,
            changes: Vec::new(),
        });
        Ok(Self::new(metadata, tensors.collect(), Vec::new()))
    }

    /// A model of these pairs and tensors.
    pub(super) fn new(
        metadata: Vec<(String, MetadataValue)>,
        mut tensors: Vec<SourceTensor>,
        left_out: Vec<String>,
    ) -> Self {
        tensors.sort_by(|one, other| {
            (layer(&one.name), &one.name).cmp(&(layer(&other.name), &other.name))
        });
        Self { metadata, tensors, left_out }
    }

    /// Adds an adapter to the matrices that it changes; `stored` is the model that this is the source of.
    ///
    /// # Errors
    /// When a matrix is not there.
    pub fn adapt(&mut self, adapter: &Adapter, stored: &StoredModel) -> Result<(), AdapterError> {
        let turned = adapter::has_neighbours(stored);
        for (place, change) in adapter.iter() {
            let name = Naming::Gguf.name(place.part, Some(place.layer));
            let tensor = self.tensors.iter_mut().find(|tensor| tensor.name == name);
            let tensor = tensor.ok_or_else(|| AdapterError::NoMatrix { name: name.clone() })?;
            let head = match tensor.order {
                RowOrder::Halves { head } => Some(head),
                RowOrder::Kept => adapter.head(place, stored).filter(|_head| turned),
            };
            let change = match head {
                Some(head) => change.reordered(|row| half_row(row, head)),
                None => change.clone(),
            };
            let experts = if place.expert.is_some() { tensor.experts() } else { 1 };
            tensor.changes.resize(experts, None);
            let slot = tensor.changes.get_mut(place.expert.unwrap_or(0));
            *slot.ok_or(AdapterError::NoMatrix { name })? = Some(change);
        }
        Ok(())
    }

    /// Bytes of all tensors as they are.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.tensors.iter().map(SourceTensor::bytes).sum()
    }

    /// How many numbers all tensors have.
    #[must_use]
    pub fn parameters(&self) -> u64 {
        self.tensors.iter().map(SourceTensor::elements).sum()
    }

    /// What rules ask of it.
    #[must_use]
    pub fn traits(&self, has_importance: bool) -> Traits {
        let architecture = match self.value("general.architecture") {
            Some(MetadataValue::Text(name)) => name.clone(),
            _ => String::new(),
        };
        let number = |key: &str| self.value(&format!("{architecture}.{key}")).and_then(first);
        let heads = number("attention.head_count").unwrap_or(1);
        let keys = number("attention.head_count_kv").unwrap_or(heads);
        Traits {
            layers: number("block_count").unwrap_or(0) as usize,
            queries_per_key: heads.checked_div(keys).unwrap_or(0),
            experts: number("expert_count").unwrap_or(0),
            architecture,
            has_importance,
        }
    }

    fn value(&self, key: &str) -> Option<&MetadataValue> {
        self.metadata.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }
}

impl SourceTensor {
    /// One that is stored so, and has 32 bits where nothing is said of it.
    pub(super) fn stored(name: String, shape: Vec<u64>, dtype: Dtype, pieces: Vec<Bytes>) -> Self {
        let (otherwise, order, changes) = (Dtype::F32, RowOrder::Kept, Vec::new());
        Self { name, shape, dtype, otherwise, pieces, order, changes }
    }

    /// How many numbers it has.
    #[must_use]
    pub fn elements(&self) -> u64 {
        self.shape.iter().product()
    }

    /// How many numbers a row has.
    #[must_use]
    pub fn width(&self) -> usize {
        self.shape.last().map_or(1, |width| *width as usize)
    }

    /// Rows that share weights of importance: those of one expert.
    #[must_use]
    pub fn rows_of_expert(&self) -> usize {
        let rows = self.shape.len().checked_sub(2).and_then(|at| self.shape.get(at));
        rows.map_or(1, |rows| *rows as usize)
    }

    /// How many experts it is of; 1 where there are none.
    #[must_use]
    pub fn experts(&self) -> usize {
        let outer = self.shape.len().saturating_sub(2);
        self.shape[..outer].iter().product::<u64>() as usize
    }

    /// Whether rules are about it.
    #[must_use]
    pub fn is_matrix(&self) -> bool {
        rules::is_quantized(&self.name, &self.shape)
    }

    /// Whether something is added to its numbers, so that its bytes are not those of the result.
    #[must_use]
    pub const fn is_changed(&self) -> bool {
        !self.changes.is_empty()
    }

    /// Numbers of rows of one expert, with what is added to them.
    pub(super) fn numbers(&self, rows: Range<usize>) -> Result<Vec<f32>, QuantizeError> {
        let mut numbers = vec![0.0; rows.len() * self.width()];
        block::dequantize(self.dtype, &self.rows(rows.clone()), &mut numbers)
            .map_err(|error| QuantizeError::Block { name: self.name.clone(), error })?;
        let expert = rows.start.checked_div(self.rows_of_expert()).unwrap_or(0);
        let expert = if self.changes.len() > 1 { expert } else { 0 };
        if let Some(Some(change)) = self.changes.get(expert) {
            change.add_to(&mut numbers, rows.start - expert * self.rows_of_expert());
        }
        Ok(numbers)
    }

    /// Bytes of rows of one piece, in the order that they are to have; none beyond the last.
    pub(super) fn rows(&self, rows: Range<usize>) -> Bytes {
        let none = || Bytes::from(Vec::new());
        let of_piece = self.all_rows().checked_div(self.pieces.len()).unwrap_or(0);
        let piece = rows.start.checked_div(of_piece).unwrap_or(0);
        let Some(bytes) = self.pieces.get(piece) else { return none() };
        let row = self.row_bytes();
        let within = rows.start - piece * of_piece..rows.end - piece * of_piece;
        match self.order {
            RowOrder::Kept => bytes.part(within.start * row..within.end * row).unwrap_or_else(none),
            RowOrder::Halves { head } => {
                let mut gathered = Vec::with_capacity(within.len() * row);
                for wanted in within {
                    let lies = half_row(wanted, head);
                    gathered.extend_from_slice(
                        bytes.get(lies * row..(lies + 1) * row).unwrap_or_default(),
                    );
                }
                Bytes::from(gathered)
            }
        }
    }

    /// Bytes of all its numbers.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.pieces.iter().map(|piece| piece.len() as u64).sum()
    }

    /// Bytes of a row.
    pub(super) fn row_bytes(&self) -> usize {
        let (elements, size) = self.dtype.block();
        self.width() / elements as usize * size as usize
    }

    /// How many rows it has.
    pub(super) fn all_rows(&self) -> usize {
        (self.elements() as usize).checked_div(self.width()).unwrap_or(0)
    }
}

/// Where a row lies whose head has its pairs in two halves, when pairs are to be neighbours: row `2 i + h` of a head is
/// row `i` of half `h`.
pub(crate) const fn half_row(wanted: usize, head: usize) -> usize {
    let (first, within) = (wanted / head * head, wanted % head);
    first + within % 2 * (head / 2) + within / 2
}

/// The layer of a tensor; `None` comes first.
fn layer(name: &str) -> Option<u64> {
    name.strip_prefix("blk.")?.split('.').next()?.parse().ok()
}

/// A whole number, or the first of several.
fn first(value: &MetadataValue) -> Option<u64> {
    Some(match value {
        MetadataValue::U8(number) => (*number).into(),
        MetadataValue::U16(number) => (*number).into(),
        MetadataValue::U32(number) => (*number).into(),
        MetadataValue::U64(number) => *number,
        MetadataValue::I32(number) => u64::try_from(*number).ok()?,
        MetadataValue::I64(number) => u64::try_from(*number).ok()?,
        MetadataValue::Array(MetadataArray::U32(list)) => (*list.first()?).into(),
        MetadataValue::Array(MetadataArray::I32(list)) => u64::try_from(*list.first()?).ok()?,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_of_a_head_are_interleaved_and_heads_stay_apart() {
        let lies: Vec<_> = (0..12).map(|row| half_row(row, 6)).collect();
        assert_eq!(lies, [0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11]);
        let tensor = SourceTensor {
            name: "blk.0.attn_q.weight".to_owned(),
            shape: vec![8, 2],
            dtype: Dtype::F16,
            otherwise: Dtype::F32,
            pieces: vec![Bytes::from((0..32).collect::<Vec<u8>>())],
            order: RowOrder::Halves { head: 4 },
            changes: Vec::new(),
        };
        let rows = tensor.rows(3..6);
        assert_eq!(*rows, [12, 13, 14, 15, 16, 17, 18, 19, 24, 25, 26, 27]);
    }

    #[test]
    fn rows_of_an_expert_are_those_of_its_piece() {
        let tensor = SourceTensor {
            name: "blk.0.ffn_up_exps.weight".to_owned(),
            shape: vec![2, 2, 1],
            dtype: Dtype::F16,
            otherwise: Dtype::F32,
            pieces: vec![Bytes::from(vec![0, 1, 2, 3]), Bytes::from(vec![4, 5, 6, 7])],
            order: RowOrder::Kept,
            changes: Vec::new(),
        };
        assert_eq!((tensor.bytes(), tensor.all_rows()), (8, 4));
        assert_eq!(*tensor.rows(1..2), [2, 3]);
        assert_eq!(*tensor.rows(2..4), [4, 5, 6, 7]);
        assert!(tensor.rows(4..5).is_empty());
    }
}
