//! What is quantized: key-value pairs and tensors as a GGUF file has them, wherever they are from.

use nearside_architecture::Dtype;

use crate::block;
use crate::bytes::Bytes;
use crate::file::{MetadataArray, MetadataValue, metadata};
use crate::stored::StoredModel;

use super::error::QuantizeError;
use super::rules::{self, Traits};

/// A model as a GGUF file would have it.
#[derive(Clone, Debug)]
pub struct Source {
    /// Its key-value pairs.
    pub metadata: Vec<(String, MetadataValue)>,
    /// Its tensors, those of no layer first, then by layer, by name.
    pub tensors: Vec<SourceTensor>,
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
    /// Its bytes.
    pub bytes: Bytes,
}

impl Source {
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
            bytes: tensor.bytes.clone(),
        });
        Ok(Self::new(metadata, tensors.collect()))
    }

    /// A model of these pairs and tensors.
    pub(super) fn new(
        metadata: Vec<(String, MetadataValue)>,
        mut tensors: Vec<SourceTensor>,
    ) -> Self {
        tensors.sort_by(|one, other| {
            (layer(&one.name), &one.name).cmp(&(layer(&other.name), &other.name))
        });
        Self { metadata, tensors }
    }

    /// Bytes of all tensors as they are.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.tensors.iter().map(|tensor| tensor.bytes.len() as u64).sum()
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

    /// Numbers of rows.
    pub(super) fn numbers(&self, rows: std::ops::Range<usize>) -> Result<Vec<f32>, QuantizeError> {
        let mut numbers = vec![0.0; rows.len() * self.width()];
        block::dequantize(self.dtype, &self.rows(rows), &mut numbers)
            .map_err(|error| QuantizeError::Block { name: self.name.clone(), error })?;
        Ok(numbers)
    }

    /// Bytes of rows; none beyond the last.
    pub(super) fn rows(&self, rows: std::ops::Range<usize>) -> Bytes {
        let (elements, size) = self.dtype.block();
        let row = self.width() / elements as usize * size as usize;
        let part = self.bytes.part(rows.start * row..rows.end * row);
        part.unwrap_or_else(|| Bytes::from(Vec::new()))
    }

    /// How many rows it has.
    pub(super) fn all_rows(&self) -> usize {
        (self.elements() as usize).checked_div(self.width()).unwrap_or(0)
    }
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
