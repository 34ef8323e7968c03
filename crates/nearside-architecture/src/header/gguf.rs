//! What a GGUF header says: key-value pairs, and every tensor's type, shape and place.
//!
//! Format: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>, versions 2 and 3, little
//! endian. Bits per weight are read from the tensors, for a file that is called `Q4_K_M` mixes
//! several types.

mod array;
mod decoder;
mod reader;
#[cfg(test)]
pub(super) mod tests;

use std::collections::BTreeMap;

use nearside_units::Bytes;

use crate::error::{Position, quoted};
use crate::{Architecture, Dtype, HeaderError};

pub use array::Elements;
use reader::Reader;

/// The most key-value pairs that are read.
pub const MAX_KEYS: u64 = 1 << 16;
/// The most tensors that are read.
pub const MAX_TENSORS: u64 = 1 << 17;
/// The longest key or tensor name, in bytes.
pub const MAX_NAME: u64 = (1 << 16) - 1;
/// The most dimensions of a tensor.
pub const MAX_DIMENSIONS: u32 = 8;
/// The deepest nesting of arrays.
pub const MAX_DEPTH: u32 = 4;
/// The longest array of whole numbers that is kept; longer ones are skipped over.
pub const MAX_KEPT: u64 = 4096;
/// The most array elements of one file that are kept.
pub const MAX_KEPT_IN_ALL: u64 = 1 << 16;
/// Where tensors begin when `general.alignment` is silent, in bytes.
pub const DEFAULT_ALIGNMENT: u64 = 32;

const MAGIC: [u8; 4] = *b"GGUF";
const ALIGNMENT: &str = "general.alignment";

/// A header.
#[derive(Clone, Debug, PartialEq)]
pub struct GgufHeader {
    /// The format's version: 2 or 3.
    pub version: u32,
    /// The key-value pairs.
    pub values: BTreeMap<String, Entry>,
    /// The tensors by name.
    pub tensors: BTreeMap<String, Tensor>,
    /// Bytes before the first tensor, padding included.
    pub header_length: u64,
}

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The value.
    pub value: Value,
    /// Its byte in the file.
    pub offset: u64,
}

/// A value of a key-value pair.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A whole number of any unsigned type.
    Unsigned(u64),
    /// A whole number of any signed type.
    Signed(i64),
    /// A floating-point number.
    Float(f64),
    /// A truth value.
    Bool(bool),
    /// A text.
    Text(String),
    /// A short array of whole numbers or truth values; negative ones are not kept.
    Numbers(Vec<u64>),
    /// An array that was skipped over.
    Array {
        /// How many elements it has.
        length: u64,
    },
}

/// A tensor of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tensor {
    /// How its elements are stored.
    pub dtype: Dtype,
    /// Its dimensions, innermost first, as the format has them.
    pub dimensions: Vec<u64>,
    /// Where it begins, in bytes after the header.
    pub offset: u64,
    /// How long it is.
    pub bytes: Bytes,
}

/// Which part of a model in several files this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Split {
    /// The number of this file, from 0.
    pub index: u64,
    /// How many files there are.
    pub count: u64,
    /// How many tensors all files have together, if stated.
    pub tensors: Option<u64>,
}

/// Reads a header from the first bytes of a file. `file_length` is the length of the whole file,
/// if known: then all tensors have to lie in it.
///
/// # Errors
/// When the input is too short ([`HeaderError::missing`] says by how much at least), or something
/// in it makes no sense; the error says at which byte.
pub fn parse(bytes: &[u8], file_length: Option<u64>) -> Result<GgufHeader, HeaderError> {
    let mut reader = Reader::new(bytes);
    if reader.take(4)? != MAGIC.as_slice() {
        return Err(reader.wrong_at(0, "it does not begin with GGUF"));
    }
    let version = reader.u32()?;
    match version {
        2 | 3 => {}
        _ if version.swap_bytes() <= 3 => return Err(reader.wrong_at(4, "it is big-endian")),
        _ => return Err(reader.wrong_at(4, &format!("version {version}, only 2 and 3 are read"))),
    }
    let tensor_count = reader.count("tensors", MAX_TENSORS)?;
    let key_count = reader.count("keys", MAX_KEYS)?;
    let values = read_values(&mut reader, key_count)?;
    let alignment = alignment(&values)?;
    let (tensors, places) = read_tensors(&mut reader, tensor_count, alignment)?;
    let header_length = reader.offset().next_multiple_of(alignment);
    check_layout(&places, file_length.map(|length| length.saturating_sub(header_length)))?;
    Ok(GgufHeader { version, values, tensors, header_length })
}

fn read_values(
    reader: &mut Reader<'_>,
    count: u64,
) -> Result<BTreeMap<String, Entry>, HeaderError> {
    let mut values = BTreeMap::new();
    for _ in 0..count {
        let at = reader.offset();
        let key = reader.name("key")?;
        let kind = reader.u32()?;
        let entry = Entry { offset: reader.offset(), value: reader.value(kind)? };
        if values.contains_key(&key) {
            return Err(reader.wrong_at(at, &format!("key \"{}\" is there twice", quoted(&key))));
        }
        values.insert(key, entry);
    }
    Ok(values)
}

/// The alignment of tensors: a power of two.
fn alignment(values: &BTreeMap<String, Entry>) -> Result<u64, HeaderError> {
    match values.get(ALIGNMENT) {
        None => Ok(DEFAULT_ALIGNMENT),
        Some(Entry { value: Value::Unsigned(alignment), .. })
            if alignment.is_power_of_two() && *alignment <= 1 << 24 =>
        {
            Ok(*alignment)
        }
        Some(entry) => Err(entry.wrong(ALIGNMENT, "a power of two")),
    }
}

/// Where a tensor lies and where it is described, for complaints about the layout.
struct Placed {
    name: String,
    begin: u64,
    end: u64,
    described_at: u64,
}

fn read_tensors(
    reader: &mut Reader<'_>,
    count: u64,
    alignment: u64,
) -> Result<(BTreeMap<String, Tensor>, Vec<Placed>), HeaderError> {
    let mut tensors = BTreeMap::new();
    let mut places = Vec::new();
    for _ in 0..count {
        let described_at = reader.offset();
        let name = reader.name("tensor name")?;
        let tensor = read_tensor(reader, &name, alignment)?;
        let begin = tensor.offset;
        let end = begin.checked_add(tensor.bytes.get()).ok_or_else(|| {
            tensor_error(&name, "its end is beyond 2^64".to_owned(), described_at)
        })?;
        places.push(Placed { name: name.clone(), begin, end, described_at });
        if tensors.insert(name.clone(), tensor).is_some() {
            return Err(tensor_error(&name, "is there twice".to_owned(), described_at));
        }
    }
    Ok((tensors, places))
}

fn read_tensor(reader: &mut Reader<'_>, name: &str, alignment: u64) -> Result<Tensor, HeaderError> {
    let at = reader.offset();
    let rank = reader.u32()?;
    if rank > MAX_DIMENSIONS {
        return Err(tensor_error(name, format!("{rank} dimensions, at most {MAX_DIMENSIONS}"), at));
    }
    let dimensions = (0..rank).map(|_| reader.u64()).collect::<Result<Vec<_>, _>>()?;
    let at = reader.offset();
    let kind = reader.u32()?;
    let dtype =
        stored(kind).ok_or_else(|| tensor_error(name, format!("unknown type {kind}"), at))?;
    let at = reader.offset();
    let offset = reader.u64()?;
    if !offset.is_multiple_of(alignment) {
        let reason = format!("its offset {offset} is no multiple of the alignment {alignment}");
        return Err(tensor_error(name, reason, at));
    }
    let (per_block, block_bytes) = dtype.block();
    let row = dimensions.first().copied().unwrap_or(1);
    let elements = dimensions.iter().try_fold(1u64, |product, size| product.checked_mul(*size));
    let bytes = elements
        .filter(|elements| *elements > 0 && row.is_multiple_of(per_block))
        .and_then(|elements| (elements / per_block).checked_mul(block_bytes));
    let bytes = bytes.ok_or_else(|| {
        let reason = format!("dimensions {dimensions:?} of {dtype} are no whole number of bytes");
        tensor_error(name, reason, at)
    })?;
    Ok(Tensor { dtype, dimensions, offset, bytes: Bytes::new(bytes) })
}

/// Tensors must not overlap, and have to lie in the file.
fn check_layout(places: &[Placed], data: Option<u64>) -> Result<(), HeaderError> {
    let mut sorted: Vec<_> = places.iter().collect();
    sorted.sort_by_key(|place| place.begin);
    let mut free = 0;
    for Placed { name, begin, end, described_at } in sorted {
        if *begin < free {
            let reason = format!("overlaps the one before it: begins at {begin}, not after {free}");
            return Err(tensor_error(name, reason, *described_at));
        }
        if data.is_some_and(|data| *end > data) {
            let reason = format!("ends at {end}, the file has {} for tensors", data.unwrap_or(0));
            return Err(tensor_error(name, reason, *described_at));
        }
        free = *end;
    }
    Ok(())
}

fn tensor_error(name: &str, reason: String, offset: u64) -> HeaderError {
    HeaderError::Tensor { tensor: quoted(name), reason, position: Position::Byte(offset) }
}

impl Entry {
    fn wrong(&self, key: &str, expected: &str) -> HeaderError {
        HeaderError::Field {
            field: quoted(key),
            expected: expected.to_owned(),
            found: quoted(&format!("{:?}", self.value)),
            position: Position::Byte(self.offset),
        }
    }
}

impl GgufHeader {
    /// The architecture that the header describes.
    ///
    /// # Errors
    /// When a key is missing or makes no sense; the error names it.
    pub fn decoder(&self) -> Result<Architecture, HeaderError> {
        decoder::read(self)
    }

    /// How many elements all tensors have.
    #[must_use]
    pub fn parameters(&self) -> u64 {
        let elements = self.tensors.values().map(Tensor::elements);
        elements.fold(0, u64::saturating_add)
    }

    /// Bytes of all tensors, without padding.
    #[must_use]
    pub fn bytes(&self) -> Bytes {
        let bytes = self.tensors.values().map(|tensor| tensor.bytes.get());
        Bytes::new(bytes.fold(0, u64::saturating_add))
    }

    /// Bytes by storage type: what the weights really take.
    #[must_use]
    pub fn weights_by_dtype(&self) -> BTreeMap<Dtype, Bytes> {
        let mut bytes: BTreeMap<Dtype, Bytes> = BTreeMap::new();
        for tensor in self.tensors.values() {
            let sum = bytes.entry(tensor.dtype).or_default();
            *sum = Bytes::new(sum.get().saturating_add(tensor.bytes.get()));
        }
        bytes
    }

    /// Bits per weight over all tensors; `None` without tensors.
    #[must_use]
    pub fn bits_per_weight(&self) -> Option<f64> {
        let parameters = self.parameters();
        (parameters > 0).then(|| self.bytes().get() as f64 * 8.0 / parameters as f64)
    }

    /// Which part of a model in several files this is; `None` if it is all of it.
    #[must_use]
    pub fn split(&self) -> Option<Split> {
        let number = |key: &str| match self.values.get(key)?.value {
            Value::Unsigned(number) => Some(number),
            Value::Signed(number) => u64::try_from(number).ok(),
            _ => None,
        };
        let (index, count) = (number("split.no")?, number("split.count")?);
        (count > 1).then(|| Split { index, count, tensors: number("split.tensors.count") })
    }

    /// Whether all tensors of the model are known: there is one file, or all were joined.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let known = self.tensors.len() as u64;
        let all = |split: Split| split.tensors.is_some_and(|tensors| known >= tensors);
        known > 0 && self.split().is_none_or(all)
    }

    /// Adds the tensors of a model's other files to those of its first.
    ///
    /// # Errors
    /// When a tensor is in two files.
    pub fn join(&mut self, other: &Self) -> Result<(), HeaderError> {
        for (name, tensor) in &other.tensors {
            if self.tensors.insert(name.clone(), tensor.clone()).is_some() {
                let reason = "is in two of the files".to_owned();
                return Err(tensor_error(name, reason, other.header_length));
            }
        }
        Ok(())
    }
}

impl Tensor {
    /// How many elements it has.
    #[must_use]
    pub fn elements(&self) -> u64 {
        self.dimensions.iter().product()
    }
}

/// The number that files have for a type; `None` for one that is not in any.
#[must_use]
pub fn number_of(dtype: Dtype) -> Option<u32> {
    (0..=LAST_TYPE).find(|number| stored(*number) == Some(dtype))
}

/// The greatest number of a type.
const LAST_TYPE: u32 = 40;

/// The type with that number (`enum ggml_type` in `ggml.h`).
fn stored(kind: u32) -> Option<Dtype> {
    Some(match kind {
        0 => Dtype::F32,
        1 => Dtype::F16,
        2 => Dtype::Q4_0,
        3 => Dtype::Q4_1,
        6 => Dtype::Q5_0,
        7 => Dtype::Q5_1,
        8 => Dtype::Q8_0,
        9 => Dtype::Q8_1,
        10 => Dtype::Q2K,
        11 => Dtype::Q3K,
        12 => Dtype::Q4K,
        13 => Dtype::Q5K,
        14 => Dtype::Q6K,
        15 => Dtype::Q8K,
        16 => Dtype::Iq2Xxs,
        17 => Dtype::Iq2Xs,
        18 => Dtype::Iq3Xxs,
        19 => Dtype::Iq1S,
        20 => Dtype::Iq4Nl,
        21 => Dtype::Iq3S,
        22 => Dtype::Iq2S,
        23 => Dtype::Iq4Xs,
        24 => Dtype::I8,
        25 => Dtype::I16,
        26 => Dtype::I32,
        27 => Dtype::I64,
        28 => Dtype::F64,
        29 => Dtype::Iq1M,
        30 => Dtype::Bf16,
        34 => Dtype::Tq1_0,
        35 => Dtype::Tq2_0,
        39 => Dtype::Mxfp4,
        40 => Dtype::Nvfp4,
        _ => return None,
    })
}
