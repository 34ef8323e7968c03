//! The elements of an array that the header keeps only the length of, such as the words of a tokenizer.

use crate::HeaderError;
use crate::error::quoted;

use super::reader::Reader;
use super::{Entry, Value};

/// What an array holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Elements {
    /// Texts; bytes that are not UTF-8 are replaced.
    Texts(Vec<String>),
    /// Floating-point numbers.
    Floats(Vec<f64>),
    /// Whole numbers or truth values.
    Integers(Vec<i64>),
}

impl Entry {
    /// The elements of the array that stands here in `bytes`, which are those that the header was read from.
    ///
    /// # Errors
    /// When it is no array, or one of arrays, or the bytes end before it does.
    pub fn elements(&self, bytes: &[u8]) -> Result<Elements, HeaderError> {
        if !matches!(self.value, Value::Array { .. } | Value::Numbers(_)) {
            return Err(self.wrong("value", "an array"));
        }
        Reader::at(bytes, self.offset)?.elements()
    }
}

impl Reader<'_> {
    fn elements(&mut self) -> Result<Elements, HeaderError> {
        let kind = self.u32()?;
        let length = self.u64()?;
        let mut texts = Vec::new();
        let mut floats = Vec::new();
        let mut integers = Vec::new();
        for _ in 0..length {
            match self.value(kind)? {
                Value::Text(text) => texts.push(text),
                Value::Float(number) => floats.push(number),
                Value::Signed(number) => integers.push(number),
                Value::Bool(flag) => integers.push(i64::from(flag)),
                Value::Unsigned(number) => {
                    integers.push(i64::try_from(number).map_err(|wide| {
                        self.wrong_at(self.offset(), &format!("{number} in an array: {wide}"))
                    })?);
                }
                other => {
                    let reason = format!("{} in an array", quoted(&format!("{other:?}")));
                    return Err(self.wrong_at(self.offset(), &reason));
                }
            }
        }
        Ok(match kind {
            8 => Elements::Texts(texts),
            6 | 12 => Elements::Floats(floats),
            _ => Elements::Integers(integers),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::super::tests::llama;
    use super::*;

    #[test]
    fn words_scores_and_kinds_are_read_where_they_stand() {
        let floats = [&6u32.to_le_bytes()[..], &2u64.to_le_bytes(), &[0; 4], &1f32.to_le_bytes()];
        let kinds = [&5u32.to_le_bytes()[..], &2u64.to_le_bytes(), &1i32.to_le_bytes(), &[255; 4]];
        let file = llama().key("a.floats", 9, &floats.concat()).key("a.kinds", 9, &kinds.concat());
        let (bytes, length) = file.finish();
        let header = parse(&bytes, Some(length)).unwrap();
        let read = |key: &str| header.values[key].elements(&bytes).unwrap();
        let words = ["a", "b", "c"].map(str::to_owned).to_vec();
        assert_eq!(read("tokenizer.ggml.tokens"), Elements::Texts(words));
        assert_eq!(read("a.floats"), Elements::Floats(vec![0.0, 1.0]));
        assert_eq!(read("a.kinds"), Elements::Integers(vec![1, -1]));
        assert!(header.values["a.bool"].elements(&bytes).is_err());
        assert!(header.values["tokenizer.ggml.tokens"].elements(&bytes[..80]).is_err());
    }
}
