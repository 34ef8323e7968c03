//! Why a header cannot be read, and where in the file.

use std::fmt;

use thiserror::Error;

/// Where in a file something is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    /// In a text file: line and column, both from 1, the column in bytes.
    Text {
        /// The line.
        line: u64,
        /// The column.
        column: u64,
    },
    /// In a binary file: the byte, from 0.
    Byte(u64),
}

impl Position {
    /// The position of a byte of a text.
    #[must_use]
    pub fn in_text(text: &[u8], offset: usize) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line = before.iter().filter(|byte| **byte == b'\n').count() as u64 + 1;
        let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
        Self::Text { line, column: (before.len() - start) as u64 + 1 }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text { line, column } => write!(formatter, "{line}:{column}"),
            Self::Byte(offset) => write!(formatter, "byte {offset}"),
        }
    }
}

/// What is wrong with a header. The message says what; [`HeaderError::position`] says where.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum HeaderError {
    /// Shorter than it says it is; [`HeaderError::missing`] tells how much to read on.
    #[error("truncated: needs {needed} bytes at offset {offset}, the file has {length}")]
    Truncated {
        /// Where the reader stood.
        offset: u64,
        /// What it wanted to read there, at least.
        needed: u64,
        /// How long the input is.
        length: u64,
    },
    /// Not JSON, or not JSON of the right shape.
    #[error("invalid JSON: {reason}")]
    Json {
        /// What the JSON reader says.
        reason: String,
        /// Where.
        position: Position,
    },
    /// A field that has to be there is not.
    #[error("field {field} is missing")]
    Missing {
        /// The field, with the names it may go by.
        field: String,
        /// Where it was looked for.
        position: Position,
    },
    /// A field whose value makes no sense.
    #[error("field \"{field}\": expected {expected}, found {found}")]
    Field {
        /// The field.
        field: String,
        /// What would be right.
        expected: String,
        /// What is there.
        found: String,
        /// Where.
        position: Position,
    },
    /// A tensor whose description makes no sense.
    #[error("tensor \"{tensor}\": {reason}")]
    Tensor {
        /// The tensor.
        tensor: String,
        /// What is wrong with it.
        reason: String,
        /// Where.
        position: Position,
    },
    /// Bytes that no file of this format has.
    #[error("not a readable {format} header: {reason}")]
    Format {
        /// The format.
        format: &'static str,
        /// What is wrong with it.
        reason: String,
        /// Where.
        position: Position,
    },
}

impl HeaderError {
    /// Where in the file it is.
    #[must_use]
    pub fn position(&self) -> Position {
        match self {
            Self::Truncated { offset, .. } => Position::Byte(*offset),
            Self::Json { position, .. }
            | Self::Missing { position, .. }
            | Self::Field { position, .. }
            | Self::Tensor { position, .. }
            | Self::Format { position, .. } => *position,
        }
    }

    /// How many bytes more than were given are needed at least, when the input ended too early.
    #[must_use]
    pub fn missing(&self) -> Option<u64> {
        match self {
            Self::Truncated { offset, needed, length } => {
                Some(offset.saturating_add(*needed).saturating_sub(*length))
            }
            _ => None,
        }
    }

    /// The message with its place in that file, as in `config.json:3:18: ...`.
    #[must_use]
    pub fn in_file(&self, file: &str) -> String {
        format!("{file}:{}: {self}", self.position())
    }
}

/// At most this many characters of a file are quoted in a message.
const QUOTED: usize = 60;

/// A piece of a file for a message: short, and without control characters.
pub(crate) fn quoted(text: &str) -> String {
    let clean = |character: char| if character.is_control() { ' ' } else { character };
    let mut short: String = text.chars().take(QUOTED).map(clean).collect();
    if text.chars().nth(QUOTED).is_some() {
        short.push_str("...");
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_from_one() {
        let text = b"{\n  \"a\": 0\n}";
        assert_eq!(Position::in_text(text, 0).to_string(), "1:1");
        assert_eq!(Position::in_text(text, 9).to_string(), "2:8");
        assert_eq!(Position::in_text(text, 999).to_string(), "3:2");
    }

    #[test]
    fn a_truncated_input_says_how_much_is_missing() {
        let error = HeaderError::Truncated { offset: 10, needed: 8, length: 12 };
        assert_eq!(error.missing(), Some(6));
        let text = "a.gguf:byte 10: truncated: needs 8 bytes at offset 10, the file has 12";
        assert_eq!(error.in_file("a.gguf"), text);
    }
}
