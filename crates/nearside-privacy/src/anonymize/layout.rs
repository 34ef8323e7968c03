//! How a text is written, byte by byte: what is content and may be replaced, and what is structure
//! and stays, so that a table stays a table and JSON stays JSON.

use crate::scan::Scanned;
use crate::source::Form;

/// How a text is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// Anything: all of it is content.
    Text,
    /// Rows of cells, with what separates them.
    Delimited(u8),
    /// JSON, or lines of it.
    Json,
}

impl Layout {
    /// The layout that a search of a text found it to have.
    pub(super) const fn of(scanned: &Scanned) -> Self {
        match (scanned.separator, scanned.form) {
            (Some(separator), _) => Self::Delimited(separator),
            (None, Some(Form::Json)) => Self::Json,
            (None, _) => Self::Text,
        }
    }
}

/// What a byte is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Part of a value.
    Content,
    /// Part of a number or word of JSON, which has no quotes.
    Bare,
    /// What holds values apart; it always stays.
    Structure,
}

/// Where in a text of JSON a byte stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Json {
    Outside,
    Bare,
    String,
    /// After a backslash, or before so many hexadecimal digits.
    Escape,
    Hexadecimal(u8),
}

/// Tells content from structure.
#[derive(Clone, Debug)]
pub(super) struct Lexer {
    layout: Layout,
    quoted: bool,
    json: Json,
    /// The column of the next byte.
    pub(super) column: usize,
    /// The row of the next byte.
    pub(super) row: u64,
}

impl Lexer {
    pub(super) const fn new(layout: Layout) -> Self {
        Self { layout, quoted: false, json: Json::Outside, column: 0, row: 0 }
    }

    pub(super) const fn layout(&self) -> Layout {
        self.layout
    }

    /// Passes a byte.
    pub(super) fn step(&mut self, byte: u8) -> Kind {
        match self.layout {
            Layout::Text => Kind::Content,
            Layout::Delimited(separator) => self.cell(byte, separator),
            Layout::Json => self.json(byte),
        }
    }

    /// Whether the last byte is part of an escape that goes on.
    pub(super) const fn is_within_escape(&self) -> bool {
        matches!(self.json, Json::Escape | Json::Hexadecimal(_))
    }

    fn cell(&mut self, byte: u8, separator: u8) -> Kind {
        match byte {
            b'"' => self.quoted = !self.quoted,
            _ if self.quoted => return Kind::Content,
            b'\n' => {
                self.column = 0;
                self.row += 1;
            }
            b'\r' => {}
            byte if byte == separator => self.column += 1,
            _ => return Kind::Content,
        }
        Kind::Structure
    }

    fn json(&mut self, byte: u8) -> Kind {
        let (next, kind) = match (self.json, byte) {
            // No string holds a line break: what is open is damaged, and ends here.
            (_, b'\n') => {
                self.row += 1;
                (Json::Outside, Kind::Structure)
            }
            (Json::String, b'"') => (Json::Outside, Kind::Structure),
            (Json::String, b'\\') => (Json::Escape, Kind::Content),
            (Json::Escape, b'u') => (Json::Hexadecimal(4), Kind::Content),
            (Json::Hexadecimal(left @ 2..), _) => (Json::Hexadecimal(left - 1), Kind::Content),
            (Json::String | Json::Escape | Json::Hexadecimal(_), _) => {
                (Json::String, Kind::Content)
            }
            (_, b'"') => (Json::String, Kind::Structure),
            (_, b'{' | b'}' | b'[' | b']' | b',' | b':' | b' ' | b'\t' | b'\r') => {
                (Json::Outside, Kind::Structure)
            }
            (Json::Outside | Json::Bare, _) => (Json::Bare, Kind::Bare),
        };
        self.json = next;
        kind
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Content as it is, bare words between `<>`, structure as `_`.
    fn kinds(text: &str, layout: Layout) -> String {
        let mut lexer = Lexer::new(layout);
        let sign = |byte: u8| match lexer.step(byte) {
            Kind::Content => char::from(byte),
            Kind::Bare => '#',
            Kind::Structure => '_',
        };
        text.bytes().map(sign).collect()
    }

    #[test]
    fn structure_is_told_from_content() {
        let json = kinds(r#"{"a": "x\"y\u0041z", "b": -12.5, "c": [true]}"#, Layout::Json);
        assert_eq!(json, r##"__a____x\"y\u0041z____b___#####___c____####__"##);
        let table = kinds("a;\"b;\n\"\r\nc;d", Layout::Delimited(b';'));
        assert_eq!(table, "a__b;\n___c_d");
    }
}
