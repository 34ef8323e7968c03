//! What a safetensors header says: every tensor's type, shape and place in the file, exactly.
//!
//! Format: a little-endian `u64` length, that many bytes of JSON, then the tensors without gaps
//! (<https://github.com/huggingface/safetensors>, "Format").

use std::collections::BTreeMap;
use std::fmt;

use nearside_units::Bytes;
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::error::{Position, quoted};
use crate::{Dtype, HeaderError};

use super::json::{Object, json_error};

/// The longest header that is read, in bytes; the same limit as in the reference implementation.
pub const MAX_HEADER_BYTES: u64 = 100_000_000;
/// The most dimensions of a tensor.
pub const MAX_DIMENSIONS: usize = 16;
/// The most tensors of a file.
pub const MAX_TENSORS: usize = 1 << 20;

/// The key that holds free text instead of a tensor.
const METADATA: &str = "__metadata__";
/// The longest name that an error message looks up in the header, in bytes.
const MAX_SEARCHED: usize = 128;
/// Bytes of the length in front of the JSON.
const LENGTH_BYTES: u64 = 8;

/// A header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SafetensorsHeader {
    /// The tensors by name.
    pub tensors: BTreeMap<String, Tensor>,
    /// What the writer noted, such as the framework.
    pub metadata: BTreeMap<String, String>,
    /// Bytes before the first tensor.
    pub header_length: u64,
}

/// A tensor of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tensor {
    /// How its elements are stored; unsigned integers as the signed type of the same width.
    pub dtype: Dtype,
    /// Its dimensions, outermost first; empty for a single number.
    pub shape: Vec<u64>,
    /// Where it begins, in bytes after the header.
    pub begin: u64,
    /// Where it ends, in bytes after the header.
    pub end: u64,
}

/// Which file of a model in several files holds which tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SafetensorsIndex {
    /// The file of each tensor: a plain name beside the index.
    pub files: BTreeMap<String, String>,
    /// Bytes of all tensors, if stated.
    pub total_size: Option<u64>,
}

/// Reads a header from the first bytes of a file. `file_length` is the length of the whole file,
/// if known: then the tensors have to fill it exactly.
///
/// # Errors
/// When the input is too short ([`HeaderError::missing`] says by how much), the JSON is invalid, or
/// the tensors overlap, leave gaps, do not match their shapes or exceed the file.
pub fn parse(bytes: &[u8], file_length: Option<u64>) -> Result<SafetensorsHeader, HeaderError> {
    let length = bytes.len() as u64;
    let truncated = |offset, needed| HeaderError::Truncated { offset, needed, length };
    let Some((prefix, rest)) = bytes.split_first_chunk() else {
        return Err(truncated(0, LENGTH_BYTES));
    };
    let json_length = u64::from_le_bytes(*prefix);
    if json_length > MAX_HEADER_BYTES {
        let reason = format!("its header has {json_length} bytes, at most {MAX_HEADER_BYTES}");
        return Err(format_error(reason, 0));
    }
    let header_length = LENGTH_BYTES + json_length;
    if file_length.is_some_and(|file| header_length > file) {
        let reason = format!("its header has {json_length} bytes and does not fit in the file");
        return Err(format_error(reason, 0));
    }
    let json = usize::try_from(json_length).ok().and_then(|end| rest.get(..end));
    let json = json.ok_or_else(|| truncated(LENGTH_BYTES, json_length))?;
    let raw: RawHeader = serde_json::from_slice(json).map_err(|error| in_header(json, &error))?;
    let mut tensors = BTreeMap::new();
    for (name, raw) in raw.tensors {
        let tensor = raw.checked().map_err(|reason| tensor_error(&name, reason, json))?;
        tensors.insert(name, tensor);
    }
    let data = file_length.map(|file| file - header_length);
    check_layout(&tensors, data, json)?;
    Ok(SafetensorsHeader { tensors, metadata: raw.metadata, header_length })
}

/// Reads a `model.safetensors.index.json`.
///
/// # Errors
/// When it is not JSON of that shape, or names a file that is not a plain name.
pub fn parse_index(bytes: &[u8]) -> Result<SafetensorsIndex, HeaderError> {
    let object = Object::parse(bytes)?;
    let expected = "a file name for each tensor";
    let files: Option<BTreeMap<String, String>> = object.read("weight_map", expected)?;
    let files = files.ok_or_else(|| object.missing(&["weight_map"]))?;
    let plain = |file: &String| {
        !file.is_empty() && !file.starts_with('.') && !file.contains(['/', '\\', ':', '\0'])
    };
    if let Some(file) = files.values().find(|file| !plain(file)) {
        let expected = format!("plain file names, not \"{}\"", quoted(file));
        return Err(object.wrong("weight_map", &expected));
    }
    let metadata = object.object("metadata")?;
    // Written as a whole number by most tools and as a float by some.
    let total: Option<f64> =
        metadata.map_or(Ok(None), |metadata| metadata.read("total_size", "a number of bytes"))?;
    let whole = total.filter(|total| *total >= 0.0 && *total < 2f64.powi(53));
    Ok(SafetensorsIndex { files, total_size: whole.map(|total| total as u64) })
}

impl SafetensorsHeader {
    /// How many elements all tensors have.
    #[must_use]
    pub fn parameters(&self) -> u64 {
        self.tensors.values().map(Tensor::elements).fold(0, u64::saturating_add)
    }

    /// Bytes of all tensors.
    #[must_use]
    pub fn bytes(&self) -> Bytes {
        Bytes::new(self.tensors.values().map(|tensor| tensor.end - tensor.begin).sum())
    }

    /// Bytes by storage type: what the weights really take, whatever the config says.
    #[must_use]
    pub fn weights_by_dtype(&self) -> BTreeMap<Dtype, Bytes> {
        let mut bytes = BTreeMap::new();
        for tensor in self.tensors.values() {
            let sum: &mut Bytes = bytes.entry(tensor.dtype).or_default();
            *sum += Bytes::new(tensor.end - tensor.begin);
        }
        bytes
    }
}

impl Tensor {
    /// How many elements it has.
    #[must_use]
    pub fn elements(&self) -> u64 {
        self.shape.iter().product()
    }
}

/// The JSON as it stands, with names seen once only.
#[derive(Default)]
struct RawHeader {
    tensors: Vec<(String, RawTensor)>,
    metadata: BTreeMap<String, String>,
}

/// A tensor as it stands.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTensor {
    dtype: String,
    shape: Shape,
    data_offsets: (u64, u64),
}

/// Dimensions, no more of them than a tensor may have.
struct Shape(Vec<u64>);

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(ShapeVisitor)
    }
}

struct ShapeVisitor;

impl<'de> Visitor<'de> for ShapeVisitor {
    type Value = Shape;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "a list of at most {MAX_DIMENSIONS} dimensions")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Shape, A::Error> {
        let mut shape = Vec::new();
        while let Some(size) = list.next_element()? {
            if shape.len() == MAX_DIMENSIONS {
                return Err(de::Error::invalid_length(MAX_DIMENSIONS + 1, &self));
            }
            shape.push(size);
        }
        Ok(Shape(shape))
    }
}

impl RawTensor {
    fn checked(self) -> Result<Tensor, String> {
        let Self { shape: Shape(shape), data_offsets: (begin, end), .. } = self;
        let dtype = stored(&self.dtype)
            .ok_or_else(|| format!("unknown type \"{}\"", quoted(&self.dtype)))?;
        let elements = shape.iter().try_fold(1u64, |product, size| product.checked_mul(*size));
        let (per_block, block_bytes) = dtype.block();
        let bytes = elements
            .filter(|elements| elements.is_multiple_of(per_block))
            .and_then(|elements| (elements / per_block).checked_mul(block_bytes));
        match (bytes, end.checked_sub(begin)) {
            (Some(bytes), Some(span)) if bytes == span => Ok(Tensor { dtype, shape, begin, end }),
            (Some(bytes), Some(span)) => Err(format!(
                "its shape {shape:?} of {dtype} needs {bytes} bytes, its place has {span}"
            )),
            (None, _) => Err(format!("its shape {shape:?} of {dtype} is no whole number of bytes")),
            (_, None) => Err(format!("ends at {end} before it begins at {begin}")),
        }
    }
}

/// The type of that name in the format's own list.
fn stored(name: &str) -> Option<Dtype> {
    Some(match name {
        "F64" => Dtype::F64,
        "F32" => Dtype::F32,
        "F16" => Dtype::F16,
        "BF16" => Dtype::Bf16,
        "F8_E4M3" | "F8_E5M2" | "F8_E8M0" | "F8_E4M3FNUZ" | "F8_E5M2FNUZ" => Dtype::F8,
        "F4" => Dtype::F4,
        "I64" | "U64" => Dtype::I64,
        "I32" | "U32" => Dtype::I32,
        "I16" | "U16" => Dtype::I16,
        "I8" => Dtype::I8,
        "U8" => Dtype::U8,
        "BOOL" => Dtype::Bool,
        _ => return None,
    })
}

/// Tensors have to follow each other without gaps and fill the file.
fn check_layout(
    tensors: &BTreeMap<String, Tensor>,
    data: Option<u64>,
    json: &[u8],
) -> Result<(), HeaderError> {
    let mut placed: Vec<_> = tensors.iter().collect();
    placed.sort_by_key(|(_, tensor)| (tensor.begin, tensor.end));
    let mut free = 0;
    for (name, tensor) in placed {
        let reason = match tensor.begin.cmp(&free) {
            std::cmp::Ordering::Less => "overlaps the one before it",
            std::cmp::Ordering::Greater => "leaves a gap after the one before it",
            std::cmp::Ordering::Equal => {
                free = tensor.end;
                continue;
            }
        };
        let reason = format!("{reason}: begins at {}, not at {free}", tensor.begin);
        return Err(tensor_error(name, reason, json));
    }
    let Some(data) = data.filter(|data| *data != free) else { return Ok(()) };
    let reason = format!("its tensors take {free} bytes, the file has {data} for them");
    Err(format_error(reason, LENGTH_BYTES + json.len() as u64))
}

fn format_error(reason: String, offset: u64) -> HeaderError {
    HeaderError::Format { format: "safetensors", reason, position: Position::Byte(offset) }
}

/// Points at the tensor's name, if it is short and spelled in the header as it is.
fn tensor_error(name: &str, reason: String, json: &[u8]) -> HeaderError {
    let spelled = format!("\"{name}\"");
    let searched = if spelled.len() <= MAX_SEARCHED { json } else { &[] };
    let found = searched.windows(spelled.len()).position(|window| window == spelled.as_bytes());
    let offset = LENGTH_BYTES + found.unwrap_or(0) as u64;
    HeaderError::Tensor { tensor: quoted(name), reason, position: Position::Byte(offset) }
}

/// A JSON error as a byte of the file: a header is no text that people open in an editor.
fn in_header(json: &[u8], error: &serde_json::Error) -> HeaderError {
    let before: usize = json
        .split_inclusive(|byte| *byte == b'\n')
        .take(error.line().saturating_sub(1))
        .map(<[u8]>::len)
        .sum();
    let offset = LENGTH_BYTES + (before + error.column().saturating_sub(1)) as u64;
    match json_error(error) {
        HeaderError::Json { reason, .. } => {
            HeaderError::Json { reason, position: Position::Byte(offset) }
        }
        other => other,
    }
}

impl<'de> Deserialize<'de> for RawHeader {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(HeaderVisitor)
    }
}

struct HeaderVisitor;

impl<'de> Visitor<'de> for HeaderVisitor {
    type Value = RawHeader;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object of tensors")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawHeader, A::Error> {
        let mut header = RawHeader::default();
        let mut seen = std::collections::BTreeSet::new();
        while let Some(name) = map.next_key::<String>()? {
            if !seen.insert(name.clone()) {
                let name = quoted(&name);
                return Err(de::Error::custom(format_args!("\"{name}\" is there twice")));
            }
            if name == METADATA {
                header.metadata = map.next_value()?;
                continue;
            }
            if header.tensors.len() == MAX_TENSORS {
                return Err(de::Error::custom(format_args!("more than {MAX_TENSORS} tensors")));
            }
            header.tensors.push((name, map.next_value()?));
        }
        Ok(header)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(json: &str) -> Vec<u8> {
        [&(json.len() as u64).to_le_bytes(), json.as_bytes()].concat()
    }

    fn tensor(name: &str, dtype: &str, shape: &str, offsets: &str) -> String {
        format!("\"{name}\":{{\"dtype\":\"{dtype}\",\"shape\":{shape},\"data_offsets\":{offsets}}}")
    }

    /// A header of those tensors; the file is `data` bytes longer.
    fn read(tensors: &[String], data: u64) -> Result<SafetensorsHeader, HeaderError> {
        let bytes = file(&format!("{{{}}}", tensors.join(",")));
        parse(&bytes, Some(bytes.len() as u64 + data))
    }

    fn fails(tensors: &[String], data: u64, expected: &str) {
        let error = read(tensors, data).unwrap_err().to_string();
        assert!(error.contains(expected), "{error} does not say {expected}");
    }

    #[test]
    fn bytes_and_parameters_are_counted_by_type() {
        let metadata = "\"__metadata__\":{\"format\":\"pt\"}".to_owned();
        let tensors = [
            metadata,
            tensor("b", "BF16", "[2,3]", "[4,16]"),
            tensor("a", "F32", "[]", "[0,4]"),
            tensor("empty", "F32", "[0,7]", "[16,16]"),
        ];
        let header = read(&tensors, 16).unwrap();
        assert_eq!((header.parameters(), header.bytes()), (7, Bytes::new(16)));
        let by_dtype = [(Dtype::F32, Bytes::new(4)), (Dtype::Bf16, Bytes::new(12))];
        assert_eq!(header.weights_by_dtype(), BTreeMap::from(by_dtype));
        assert_eq!(header.metadata["format"], "pt");
        assert_eq!(header.tensors["b"].shape, [2, 3]);
    }

    #[test]
    fn a_part_of_the_header_says_how_much_is_missing() {
        let bytes = file("{}      ");
        for end in 0..8 {
            assert_eq!(parse(&bytes[..end], None).unwrap_err().missing(), Some(8 - end as u64));
        }
        assert_eq!(parse(&bytes[..10], None).unwrap_err().missing(), Some(6));
        assert!(parse(&bytes, None).is_ok());
    }

    #[test]
    fn nonsense_is_named() {
        let a = |offsets: &str| tensor("a", "F32", "[2]", offsets);
        let b = |offsets: &str| tensor("b", "F32", "[2]", offsets);
        fails(&[a("[0,8]"), b("[4,12]")], 12, "\"b\": overlaps");
        fails(&[a("[0,8]"), b("[12,20]")], 20, "\"b\": leaves a gap");
        fails(&[a("[0,8]"), a("[8,16]")], 16, "\"a\" is there twice");
        fails(&[a("[0,9]")], 9, "needs 8 bytes, its place has 9");
        fails(&[a("[8,0]")], 8, "ends at 0 before it begins at 8");
        fails(&[a("[0,8]")], 7, "its tensors take 8 bytes, the file has 7");
        fails(&[a("[0,8]")], 9, "its tensors take 8 bytes, the file has 9");
        fails(&[tensor("a", "F17", "[2]", "[0,8]")], 8, "unknown type \"F17\"");
        fails(&[tensor("a", "F4", "[3]", "[0,2]")], 2, "no whole number of bytes");
        let overflow = tensor("a", "F32", "[4294967296,4294967296]", "[0,0]");
        fails(&[overflow], 0, "no whole number of bytes");
        let deep = tensor("a", "F32", &format!("{:?}", [1; 17]), "[0,4]");
        fails(&[deep], 4, "at most 16 dimensions");
        fails(&["\"a\":3".to_owned()], 0, "invalid JSON");
        let long = parse(&u64::MAX.to_le_bytes(), None).unwrap_err().to_string();
        assert!(long.contains("at most 100000000"), "{long}");
        let short = parse(&file("{}"), Some(9)).unwrap_err().to_string();
        assert!(short.contains("does not fit"), "{short}");
    }

    #[test]
    fn places_are_bytes_of_the_file() {
        let bytes = file("{\"a\":?}");
        assert_eq!(parse(&bytes, None).unwrap_err().position(), Position::Byte(8 + 5));
        let error = read(&[tensor("abc", "F17", "[2]", "[0,8]")], 8).unwrap_err();
        assert_eq!(error.position(), Position::Byte(8 + 1));
    }

    #[test]
    fn an_index_names_plain_files() {
        let index = |file: &str| {
            let text = format!(
                "{{\"metadata\": {{\"total_size\": 12.0}}, \"weight_map\": {{\"a\": \"{file}\"}}}}"
            );
            parse_index(text.as_bytes())
        };
        let good = index("model-00001-of-00002.safetensors").unwrap();
        assert_eq!((good.files.len(), good.total_size), (1, Some(12)));
        for bad in ["../a", "/etc/passwd", "C:a", "a\\\\b", "", ".."] {
            assert!(index(bad).is_err(), "{bad}");
        }
        assert!(parse_index(b"{}").unwrap_err().to_string().contains("\"weight_map\" is missing"));
    }
}
