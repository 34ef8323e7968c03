//! Values of a GGUF header's key-value pairs with their types, as they are written; and those of a file that was read,
//! so that another can have the same.

use nearside_architecture::header::gguf::{GgufHeader, MAX_DEPTH};

/// A value of a key-value pair.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the names are those of the types")]
pub enum MetadataValue {
    U8(u8),
    I8(i8),
    U16(u16),
    I16(i16),
    U32(u32),
    I32(i32),
    F32(f32),
    Bool(bool),
    Text(String),
    Array(MetadataArray),
    U64(u64),
    I64(i64),
    F64(f64),
}

/// An array: all elements are of one type.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the names are those of the types")]
pub enum MetadataArray {
    U8(Vec<u8>),
    I8(Vec<i8>),
    U16(Vec<u16>),
    I16(Vec<i16>),
    U32(Vec<u32>),
    I32(Vec<i32>),
    F32(Vec<f32>),
    Bool(Vec<bool>),
    Text(Vec<String>),
    Array(Vec<Self>),
    U64(Vec<u64>),
    I64(Vec<i64>),
    F64(Vec<f64>),
}

/// The key-value pairs of a header with their types, in the order of the file; `bytes` are those that the header was
/// read from. Bytes of a text that are not UTF-8 are replaced. `None` when these are not those bytes.
#[must_use]
pub fn metadata(header: &GgufHeader, bytes: &[u8]) -> Option<Vec<(String, MetadataValue)>> {
    let mut entries: Vec<_> = header.values.iter().collect();
    entries.sort_by_key(|(_, entry)| entry.offset);
    let read = |(key, entry): (&String, &nearside_architecture::header::gguf::Entry)| {
        // The number of its type stands in front of a value.
        let kind = usize::try_from(entry.offset).ok()?.checked_sub(4)?;
        let mut cursor = Cursor { rest: bytes.get(kind..)? };
        let kind = u32::from_le_bytes(cursor.take()?);
        Some((key.clone(), cursor.value(kind)?))
    };
    entries.into_iter().map(read).collect()
}

impl MetadataValue {
    /// Writes the number of its type, and the value.
    pub(super) fn push(&self, bytes: &mut Vec<u8>) {
        let (kind, value): (u32, &[u8]) = match self {
            Self::U8(value) => (0, &value.to_le_bytes()),
            Self::I8(value) => (1, &value.to_le_bytes()),
            Self::U16(value) => (2, &value.to_le_bytes()),
            Self::I16(value) => (3, &value.to_le_bytes()),
            Self::U32(value) => (4, &value.to_le_bytes()),
            Self::I32(value) => (5, &value.to_le_bytes()),
            Self::F32(value) => (6, &value.to_le_bytes()),
            Self::Bool(value) => (7, &[u8::from(*value)]),
            Self::Text(text) => {
                bytes.extend(8u32.to_le_bytes());
                return push_text(bytes, text);
            }
            Self::Array(array) => {
                bytes.extend(9u32.to_le_bytes());
                return array.push(bytes);
            }
            Self::U64(value) => (10, &value.to_le_bytes()),
            Self::I64(value) => (11, &value.to_le_bytes()),
            Self::F64(value) => (12, &value.to_le_bytes()),
        };
        bytes.extend(kind.to_le_bytes());
        bytes.extend(value);
    }
}

impl MetadataArray {
    /// Writes the number of its elements' type, how many there are, and them.
    fn push(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::U8(list) => push_list(bytes, 0, list, |value| value.to_le_bytes()),
            Self::I8(list) => push_list(bytes, 1, list, |value| value.to_le_bytes()),
            Self::U16(list) => push_list(bytes, 2, list, |value| value.to_le_bytes()),
            Self::I16(list) => push_list(bytes, 3, list, |value| value.to_le_bytes()),
            Self::U32(list) => push_list(bytes, 4, list, |value| value.to_le_bytes()),
            Self::I32(list) => push_list(bytes, 5, list, |value| value.to_le_bytes()),
            Self::F32(list) => push_list(bytes, 6, list, |value| value.to_le_bytes()),
            Self::Bool(list) => push_list(bytes, 7, list, |value| [u8::from(*value)]),
            Self::Text(list) => {
                push_list_head(bytes, 8, list.len());
                list.iter().for_each(|text| push_text(bytes, text));
            }
            Self::Array(list) => {
                push_list_head(bytes, 9, list.len());
                list.iter().for_each(|array| array.push(bytes));
            }
            Self::U64(list) => push_list(bytes, 10, list, |value| value.to_le_bytes()),
            Self::I64(list) => push_list(bytes, 11, list, |value| value.to_le_bytes()),
            Self::F64(list) => push_list(bytes, 12, list, |value| value.to_le_bytes()),
        }
    }
}

fn push_text(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend((text.len() as u64).to_le_bytes());
    bytes.extend(text.as_bytes());
}

fn push_list_head(bytes: &mut Vec<u8>, kind: u32, length: usize) {
    bytes.extend(kind.to_le_bytes());
    bytes.extend((length as u64).to_le_bytes());
}

fn push_list<T, const N: usize>(
    bytes: &mut Vec<u8>,
    kind: u32,
    list: &[T],
    one: impl Fn(&T) -> [u8; N],
) {
    push_list_head(bytes, kind, list.len());
    bytes.extend(list.iter().flat_map(one));
}

/// Bytes of a header from a place on.
struct Cursor<'a> {
    rest: &'a [u8],
}

impl Cursor<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(*taken)
    }

    fn text(&mut self) -> Option<String> {
        let length = usize::try_from(u64::from_le_bytes(self.take()?)).ok()?;
        let (text, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(String::from_utf8_lossy(text).into_owned())
    }

    fn value(&mut self, kind: u32) -> Option<MetadataValue> {
        Some(match kind {
            0 => MetadataValue::U8(u8::from_le_bytes(self.take()?)),
            1 => MetadataValue::I8(i8::from_le_bytes(self.take()?)),
            2 => MetadataValue::U16(u16::from_le_bytes(self.take()?)),
            3 => MetadataValue::I16(i16::from_le_bytes(self.take()?)),
            4 => MetadataValue::U32(u32::from_le_bytes(self.take()?)),
            5 => MetadataValue::I32(i32::from_le_bytes(self.take()?)),
            6 => MetadataValue::F32(f32::from_le_bytes(self.take()?)),
            7 => MetadataValue::Bool(self.take()? != [0]),
            8 => MetadataValue::Text(self.text()?),
            9 => MetadataValue::Array(self.array(1)?),
            10 => MetadataValue::U64(u64::from_le_bytes(self.take()?)),
            11 => MetadataValue::I64(i64::from_le_bytes(self.take()?)),
            12 => MetadataValue::F64(f64::from_le_bytes(self.take()?)),
            _ => return None,
        })
    }

    fn array(&mut self, depth: u32) -> Option<MetadataArray> {
        let kind = u32::from_le_bytes(self.take()?);
        let length = usize::try_from(u64::from_le_bytes(self.take()?)).ok()?;
        Some(match kind {
            0 => MetadataArray::U8(self.list(length, u8::from_le_bytes)?),
            1 => MetadataArray::I8(self.list(length, i8::from_le_bytes)?),
            2 => MetadataArray::U16(self.list(length, u16::from_le_bytes)?),
            3 => MetadataArray::I16(self.list(length, i16::from_le_bytes)?),
            4 => MetadataArray::U32(self.list(length, u32::from_le_bytes)?),
            5 => MetadataArray::I32(self.list(length, i32::from_le_bytes)?),
            6 => MetadataArray::F32(self.list(length, f32::from_le_bytes)?),
            7 => MetadataArray::Bool(self.list(length, |byte| byte != [0])?),
            8 => MetadataArray::Text((0..length).map(|_| self.text()).collect::<Option<_>>()?),
            9 if depth < MAX_DEPTH => {
                let arrays = (0..length).map(|_| self.array(depth + 1));
                MetadataArray::Array(arrays.collect::<Option<_>>()?)
            }
            10 => MetadataArray::U64(self.list(length, u64::from_le_bytes)?),
            11 => MetadataArray::I64(self.list(length, i64::from_le_bytes)?),
            12 => MetadataArray::F64(self.list(length, f64::from_le_bytes)?),
            _ => return None,
        })
    }

    fn list<T, const N: usize>(
        &mut self,
        length: usize,
        one: impl Fn([u8; N]) -> T,
    ) -> Option<Vec<T>> {
        let (list, rest) = self.rest.split_at_checked(length.checked_mul(N)?)?;
        self.rest = rest;
        Some(list.as_chunks().0.iter().map(|bytes| one(*bytes)).collect())
    }
}
