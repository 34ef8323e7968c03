//! A cursor over bytes that strangers wrote: nothing is read, or allocated, before it is there.

use crate::HeaderError;
use crate::error::{Position, quoted};

use super::{MAX_DEPTH, MAX_KEPT, MAX_KEPT_IN_ALL, MAX_NAME, Value};

/// Bytes of a value of each fixed-size type, by number; 0 for text (8) and array (9).
const SIZES: [u64; 13] = [1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8];
const TEXT: u32 = 8;
const ARRAY: u32 = 9;
/// Bytes of a length.
const LENGTH: u64 = 8;
/// Bytes of the shortest array: the type of its elements and their number.
const SHORTEST_ARRAY: u64 = 12;

pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    offset: usize,
    /// Array elements kept so far.
    kept: u64,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, offset: 0, kept: 0 }
    }

    /// One that goes on at a byte.
    pub(super) fn at(bytes: &'a [u8], offset: u64) -> Result<Self, HeaderError> {
        let mut reader = Self::new(bytes);
        reader.take(offset)?;
        Ok(reader)
    }

    /// The byte that comes next.
    pub(super) fn offset(&self) -> u64 {
        self.offset as u64
    }

    pub(super) fn wrong_at(&self, offset: u64, reason: &str) -> HeaderError {
        let position = Position::Byte(offset);
        HeaderError::Format { format: "GGUF", reason: reason.to_owned(), position }
    }

    /// An error unless that many bytes are left.
    fn need(&self, needed: u64) -> Result<(), HeaderError> {
        let left = (self.bytes.len() - self.offset) as u64;
        let length = self.bytes.len() as u64;
        let truncated = HeaderError::Truncated { offset: self.offset(), needed, length };
        if needed <= left { Ok(()) } else { Err(truncated) }
    }

    /// The next bytes.
    pub(super) fn take(&mut self, count: u64) -> Result<&'a [u8], HeaderError> {
        self.need(count)?;
        let end = self.offset + usize::try_from(count).unwrap_or(0);
        let taken = self.bytes.get(self.offset..end).unwrap_or_default();
        self.offset = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], HeaderError> {
        let taken = self.take(N as u64)?;
        Ok(taken.first_chunk().copied().unwrap_or([0; N]))
    }

    pub(super) fn u32(&mut self) -> Result<u32, HeaderError> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, HeaderError> {
        self.array().map(u64::from_le_bytes)
    }

    /// A number of things, at most so many.
    pub(super) fn count(&mut self, things: &str, most: u64) -> Result<u64, HeaderError> {
        let at = self.offset();
        let count = self.u64()?;
        match count <= most {
            true => Ok(count),
            false => Err(self.wrong_at(at, &format!("{count} {things}, at most {most} are read"))),
        }
    }

    /// A key or a tensor's name.
    pub(super) fn name(&mut self, what: &str) -> Result<String, HeaderError> {
        let at = self.offset();
        let length = self.u64()?;
        if length == 0 || length > MAX_NAME {
            let reason = format!("a {what} of {length} bytes, it should have 1 to {MAX_NAME}");
            return Err(self.wrong_at(at, &reason));
        }
        let bytes = self.take(length)?;
        match std::str::from_utf8(bytes) {
            Ok(name) => Ok(name.to_owned()),
            Err(_) => {
                let shown = quoted(&String::from_utf8_lossy(bytes));
                Err(self.wrong_at(at, &format!("the {what} \"{shown}\" is not UTF-8")))
            }
        }
    }

    /// A value of that type.
    pub(super) fn value(&mut self, kind: u32) -> Result<Value, HeaderError> {
        Ok(match kind {
            TEXT => {
                let length = self.u64()?;
                Value::Text(String::from_utf8_lossy(self.take(length)?).into_owned())
            }
            ARRAY => self.list()?,
            6 => Value::Float(f32::from_le_bytes(self.array()?).into()),
            12 => Value::Float(f64::from_le_bytes(self.array()?)),
            7 => Value::Bool(self.array::<1>()? != [0]),
            _ => self.integer(kind)?,
        })
    }

    fn integer(&mut self, kind: u32) -> Result<Value, HeaderError> {
        Ok(match kind {
            0 => Value::Unsigned(u8::from_le_bytes(self.array()?).into()),
            1 => Value::Signed(i8::from_le_bytes(self.array()?).into()),
            2 => Value::Unsigned(u16::from_le_bytes(self.array()?).into()),
            3 => Value::Signed(i16::from_le_bytes(self.array()?).into()),
            4 => Value::Unsigned(self.u32()?.into()),
            5 => Value::Signed(i32::from_le_bytes(self.array()?).into()),
            10 => Value::Unsigned(self.u64()?),
            11 => Value::Signed(i64::from_le_bytes(self.array()?)),
            _ => return Err(self.unknown(kind)),
        })
    }

    fn unknown(&self, kind: u32) -> HeaderError {
        self.wrong_at(self.offset().saturating_sub(4), &format!("unknown value type {kind}"))
    }

    /// An array: short ones of whole numbers are kept, others skipped over.
    fn list(&mut self) -> Result<Value, HeaderError> {
        let kind = self.u32()?;
        let length = self.u64()?;
        let fits = length <= MAX_KEPT && self.kept + length <= MAX_KEPT_IN_ALL;
        if !fits || matches!(kind, TEXT | ARRAY | 6 | 12) {
            self.skip(kind, length, 1)?;
            return Ok(Value::Array { length });
        }
        self.kept += length;
        let mut numbers = Vec::new();
        for _ in 0..length {
            numbers.push(match self.value(kind)? {
                Value::Unsigned(number) => Some(number),
                Value::Signed(number) => u64::try_from(number).ok(),
                Value::Bool(flag) => Some(u64::from(flag)),
                _ => None,
            });
        }
        let kept: Option<Vec<u64>> = numbers.into_iter().collect();
        Ok(kept.map_or(Value::Array { length }, Value::Numbers))
    }

    /// Skips the elements of an array. Every element takes bytes, so that the input bounds the work.
    fn skip(&mut self, kind: u32, length: u64, depth: u32) -> Result<(), HeaderError> {
        match kind {
            TEXT => {
                self.need(length.saturating_mul(LENGTH))?;
                for _ in 0..length {
                    let bytes = self.u64()?;
                    self.take(bytes)?;
                }
            }
            ARRAY if depth == MAX_DEPTH => {
                return Err(self.wrong_at(self.offset(), &format!("arrays {depth} deep")));
            }
            ARRAY => {
                self.need(length.saturating_mul(SHORTEST_ARRAY))?;
                for _ in 0..length {
                    let (kind, length) = (self.u32()?, self.u64()?);
                    self.skip(kind, length, depth + 1)?;
                }
            }
            _ => match SIZES.get(kind as usize) {
                Some(size) => self.take(length.saturating_mul(*size)).map(|_| ())?,
                None => return Err(self.unknown(kind)),
            },
        }
        Ok(())
    }
}
