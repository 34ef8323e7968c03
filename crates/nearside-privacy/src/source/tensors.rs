//! What a file of weights says beside its weights: the header of safetensors, the metadata of GGUF.
//!
//! Weights themselves are no text; that they were not looked at is told.
//! Source: safetensors, "Format"; ggml, docs/gguf.md.

use std::fmt::Write as _;
use std::io::{self, Read};

use super::error::SourceError;
use super::meter::{Exactly, fill};
use super::opener::{Opener, Place};
use super::{Form, Skipped};

impl Opener<'_> {
    pub(super) fn safetensors(
        &mut self,
        place: &Place,
        stream: &mut dyn Read,
    ) -> Result<(), SourceError> {
        let mut length = [0; 8];
        fill(stream, &mut length)?;
        let length = u64::from_le_bytes(length);
        if length > self.limits.metadata {
            return Err(SourceError::too_large("the header is larger", self.limits.metadata));
        }
        let header = place.inside("header");
        self.text(&header, Some(Form::Json), &mut Exactly::new(stream, length))?;
        self.skipped(place, Skipped::Weights);
        Ok(())
    }

    pub(super) fn gguf(&mut self, place: &Place, stream: &mut dyn Read) -> Result<(), SourceError> {
        let mut metadata = Metadata { stream, left: self.limits.metadata, text: String::new() };
        let result = metadata.read();
        let header = place.inside("header");
        let text = metadata.text;
        self.text(&header, Some(Form::Text), &mut text.as_bytes())?;
        result?;
        self.skipped(place, Skipped::Weights);
        Ok(())
    }
}

/// Metadata of GGUF, read as lines of `key: value`.
struct Metadata<'r> {
    stream: &'r mut dyn Read,
    /// Bytes that may still be read.
    left: u64,
    text: String,
}

/// Types of values by their number.
const STRING: u32 = 8;
const ARRAY: u32 = 9;
/// Arrays in arrays.
const MOST_NESTED: u32 = 4;

impl Metadata<'_> {
    fn read(&mut self) -> Result<(), SourceError> {
        self.bytes(4)?;
        let version = self.number32()?;
        if !(2..=3).contains(&version) {
            return Err(SourceError::Sealed("a version of GGUF that is not read"));
        }
        let _tensors = self.number64()?;
        for _ in 0..self.number64()? {
            let key = self.string()?;
            let kind = self.number32()?;
            self.value(&key, kind, 0)?;
        }
        Ok(())
    }

    fn value(&mut self, key: &str, kind: u32, nested: u32) -> Result<(), SourceError> {
        match (kind, width(kind)) {
            (STRING, _) => {
                let value = self.string()?;
                self.line(key, &value);
                Ok(())
            }
            (ARRAY, _) if nested < MOST_NESTED => {
                let kind = self.number32()?;
                let count = self.number64()?;
                match width(kind) {
                    // Rows of numbers are no text.
                    Some(width) => self.skip(count.saturating_mul(width)),
                    None => {
                        // Its key once: it is a stranger's, and may be as long as the bound.
                        self.line(key, &"");
                        (0..count).try_for_each(|_| self.value("", kind, nested + 1))
                    }
                }
            }
            (_, Some(width)) => {
                let bytes = self.bytes(width)?;
                let value = bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte));
                // Floats are configuration, never text.
                if !matches!(kind, 6 | 12) {
                    self.line(key, &value);
                }
                Ok(())
            }
            _ => Err(SourceError::Damaged(format!("a value of GGUF has the unknown type {kind}"))),
        }
    }

    fn line(&mut self, key: &str, value: &dyn std::fmt::Display) {
        // Writing to a string cannot fail.
        let _ = match key.is_empty() {
            true => writeln!(self.text, "{value}"),
            false => writeln!(self.text, "{key}: {value}"),
        };
    }

    fn take(&mut self, count: u64) -> Result<(), SourceError> {
        self.left = self.left.checked_sub(count).ok_or_else(|| {
            SourceError::Damaged("the metadata is larger than the bound for headers".to_owned())
        })?;
        Ok(())
    }

    fn skip(&mut self, count: u64) -> Result<(), SourceError> {
        self.take(count)?;
        Ok(Exactly::new(&mut *self.stream, count).finish()?)
    }

    fn bytes(&mut self, count: u64) -> Result<Vec<u8>, SourceError> {
        self.take(count)?;
        let mut bytes = Vec::new();
        Exactly::new(&mut *self.stream, count).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn number32(&mut self) -> Result<u32, SourceError> {
        let bytes = self.bytes(4)?;
        bytes.first_chunk().map(|bytes| u32::from_le_bytes(*bytes)).ok_or_else(ended)
    }

    fn number64(&mut self) -> Result<u64, SourceError> {
        let bytes = self.bytes(8)?;
        bytes.first_chunk().map(|bytes| u64::from_le_bytes(*bytes)).ok_or_else(ended)
    }

    fn string(&mut self) -> Result<String, SourceError> {
        let length = self.number64()?;
        Ok(String::from_utf8_lossy(&self.bytes(length)?).into_owned())
    }
}

fn ended() -> SourceError {
    SourceError::Read(io::Error::from(io::ErrorKind::UnexpectedEof))
}

/// Bytes of a value of a type of fixed size.
const fn width(kind: u32) -> Option<u64> {
    match kind {
        0 | 1 | 7 => Some(1),
        2 | 3 => Some(2),
        4..=6 => Some(4),
        10..=12 => Some(8),
        _ => None,
    }
}
