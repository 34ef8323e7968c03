//! Weights of importance: how much an error of each column of a matrix counts, which is the mean square of what goes
//! into that column when the model reads text.
//!
//! `weight = sum of x^2 / number of tokens`, for each expert by the tokens that used it. The file is llama.cpp's
//! (`imatrix.cpp` and `imatrix-loader.cpp`, MIT licence): a GGUF of type `imatrix` with tensors `NAME.in_sum2` and
//! `NAME.counts`, so that either program reads the other's.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;

use nearside_architecture::Dtype;
use nearside_architecture::header::gguf::{self, GgufHeader, Value};

use crate::block;
use crate::bytes::Bytes;
use crate::decoder::{DecoderModel, Segment, Wanted};
use crate::evaluate::Windows;
use crate::file::{MetadataArray, MetadataValue, TensorInfo, WriteError, write_gguf_file};
use crate::stored::StoredModel;

use super::error::QuantizeError;
use super::source::SourceTensor;

const SUMS: &str = ".in_sum2";
const COUNTS: &str = ".counts";
const TYPE: &str = "general.type";

/// Weights of importance of a model's matrices.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Importance {
    /// By the matrix's name in GGUF files: a weight for each column, expert by expert.
    weights: BTreeMap<String, Vec<f32>>,
    sums: BTreeMap<String, ColumnSums>,
    /// How many tokens of text it is from, where that is known.
    pub tokens: u64,
}

/// Sums of squares of what goes into a matrix.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ColumnSums {
    /// For each column, expert by expert.
    pub squares: Vec<f32>,
    /// How many tokens each expert saw.
    pub counts: Vec<f32>,
}

impl Importance {
    /// Weights of these sums, which are of a text of so many tokens.
    #[must_use]
    pub fn of_sums(sums: BTreeMap<String, ColumnSums>, tokens: u64) -> Self {
        let weights = sums.iter().map(|(name, sums)| (name.clone(), sums.means())).collect();
        Self { weights, sums, tokens }
    }

    /// How many matrices it has weights for.
    #[must_use]
    pub fn matrices(&self) -> usize {
        self.weights.len()
    }

    /// The weights of a matrix; `None` where it has none for it.
    ///
    /// # Errors
    /// When it has them for a matrix of another shape.
    pub fn of(&self, tensor: &SourceTensor) -> Result<Option<&[f32]>, QuantizeError> {
        let Some(weights) = self.weights.get(&tensor.name) else { return Ok(None) };
        let expected = tensor.width() * tensor.experts();
        if weights.len() != expected && tensor.name != "token_embd.weight" {
            let (name, found) = (&tensor.name, weights.len());
            return Err(QuantizeError::Importance(format!(
                "{name} has {found} weights, the model has {expected} columns there"
            )));
        }
        Ok((weights.len() == expected).then_some(weights.as_slice()))
    }

    /// Finds weights by reading a text with the model, which was put together from `stored` for
    /// [`Windows::room`] tokens, `windows.length` tokens at a time; what is left over at the end is left out. `tell` is
    /// told how many tokens are done, and may end it.
    ///
    /// # Errors
    /// When the model does not compute, the text is shorter than a window, or `tell` ends it.
    pub fn of_text(
        mut model: DecoderModel,
        stored: &StoredModel,
        text: &[u32],
        windows: &Windows,
        tell: &mut dyn FnMut(usize) -> ControlFlow<()>,
    ) -> Result<Self, QuantizeError> {
        let length = windows.length.max(1);
        let room = windows.room();
        let observation = model.observe(stored);
        let mut cache = model.cache(room);
        let mut read = 0;
        for window in text.chunks_exact(length) {
            if tell(read).is_break() {
                return Err(QuantizeError::Interrupted);
            }
            let tokens: Vec<u32> =
                windows.begin.into_iter().chain(window.iter().copied()).collect();
            cache.truncate(0);
            let segment = Segment { cache: &mut cache, tokens: &tokens, wanted: Wanted::None };
            model.forward(&mut [segment])?;
            read += length;
        }
        match read {
            0 => Err(QuantizeError::Importance(format!(
                "a text of {} tokens is too short: {length} are read together",
                text.len()
            ))),
            read => Ok(Self::of_sums(observation.sums(), read as u64)),
        }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read, is of another kind, or holds what are no weights.
    pub fn read(path: &Path) -> Result<Self, QuantizeError> {
        let wrong = |error: &dyn std::fmt::Display| QuantizeError::Importance(error.to_string());
        let bytes = Bytes::map(path)
            .map_err(|error| QuantizeError::File { name: path.display().to_string(), error })?;
        let header =
            gguf::parse(&bytes, Some(bytes.len() as u64)).map_err(|error| wrong(&error))?;
        match header.values.get(TYPE).map(|entry| &entry.value) {
            Some(Value::Text(kind)) if kind == "imatrix" => {}
            _ => return Err(wrong(&format!("its {TYPE} is not imatrix"))),
        }
        let mut sums = BTreeMap::new();
        for name in header.tensors.keys().filter_map(|name| name.strip_suffix(SUMS)) {
            let squares = numbers(&header, &bytes, &format!("{name}{SUMS}"))?;
            let counts = numbers(&header, &bytes, &format!("{name}{COUNTS}"))?;
            if counts.is_empty() || !squares.len().is_multiple_of(counts.len()) {
                return Err(wrong(&format!("{name} has no count for each expert")));
            }
            sums.insert(name.to_owned(), ColumnSums { squares, counts });
        }
        if sums.is_empty() {
            return Err(wrong(&"it has no weights"));
        }
        let number = |key: &str| match header.values.get(key).map(|entry| &entry.value) {
            Some(Value::Unsigned(number)) => *number,
            _ => 0,
        };
        let tokens = number("imatrix.chunk_count") * number("imatrix.chunk_size");
        Ok(Self::of_sums(sums, tokens))
    }

    /// Writes a file, whole or not at all. `text` is what the text is called, `window` how many tokens were read
    /// together.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, path: &Path, text: &str, window: u32) -> Result<(), QuantizeError> {
        let chunks = u32::try_from(self.tokens / u64::from(window.max(1))).unwrap_or(u32::MAX);
        let metadata = [
            (TYPE, MetadataValue::Text("imatrix".to_owned())),
            ("imatrix.datasets", MetadataValue::Array(MetadataArray::Text(vec![text.to_owned()]))),
            ("imatrix.chunk_count", MetadataValue::U32(chunks)),
            ("imatrix.chunk_size", MetadataValue::U32(window)),
        ];
        let metadata = metadata.map(|(key, value)| (key.to_owned(), value));
        let tensors = self.sums.iter().flat_map(|(name, sums)| {
            let experts = sums.counts.len() as u64;
            let width = sums.squares.len() as u64 / experts.max(1);
            [(SUMS, width, &sums.squares), (COUNTS, 1, &sums.counts)].map(
                |(end, width, numbers)| {
                    let (name, shape) = (format!("{name}{end}"), vec![experts, width]);
                    (TensorInfo { name, dtype: Dtype::F32, shape }, numbers)
                },
            )
        });
        let (tensors, numbers): (Vec<_>, Vec<_>) = tensors.unzip();
        write_gguf_file(path, &metadata, &tensors, |index, out| {
            let numbers = numbers.get(index).copied().into_iter().flatten();
            let bytes: Vec<u8> = numbers.flat_map(|number| number.to_le_bytes()).collect();
            Ok::<_, QuantizeError>(out.write_all(&bytes).map_err(WriteError::from)?)
        })?;
        Ok(())
    }
}

impl ColumnSums {
    /// The mean for each column; an expert that no token used says nothing, and all its columns count alike.
    fn means(&self) -> Vec<f32> {
        let width = self.squares.len() / self.counts.len().max(1);
        let experts = self.squares.chunks(width.max(1)).zip(&self.counts);
        let means = experts.flat_map(|(squares, count)| {
            squares.iter().map(move |sum| if *count > 0.0 { sum / count } else { 1.0 })
        });
        means.collect()
    }
}

/// The numbers of a tensor of floats.
fn numbers(header: &GgufHeader, bytes: &Bytes, name: &str) -> Result<Vec<f32>, QuantizeError> {
    let read = || {
        let tensor = header.tensors.get(name).filter(|tensor| tensor.dtype == Dtype::F32)?;
        let from = usize::try_from(header.header_length + tensor.offset).ok()?;
        let to = from.checked_add(usize::try_from(tensor.bytes.get()).ok()?)?;
        let mut numbers = vec![0.0; usize::try_from(tensor.elements()).ok()?];
        block::dequantize(Dtype::F32, &bytes.part(from..to)?, &mut numbers).ok()?;
        numbers.iter().all(|number| number.is_finite() && *number >= 0.0).then_some(numbers)
    };
    read().ok_or_else(|| QuantizeError::Importance(format!("{name} is missing, or no numbers")))
}
