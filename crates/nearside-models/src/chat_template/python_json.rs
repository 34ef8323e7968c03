//! JSON as Python's `json.dumps` writes it, which is what models saw when they were trained.
//!
//! A space follows commas and colons, numbers are written as Python shows them, other letters than ASCII's stay.

use std::fmt::Write as _;

use minijinja::value::{Value, ValueKind};
use minijinja::{Error, ErrorKind, State};

/// The deepest nesting that is written.
const MAX_DEPTH: usize = 128;

/// How values are written.
pub(super) struct Style {
    /// What begins a line of a nested value, once for each level; without it all is one line.
    pub(super) indent: Option<String>,
    /// What parts elements, and keys from values.
    pub(super) separators: (String, String),
    /// Whether letters other than ASCII's are written by their numbers.
    pub(super) ascii: bool,
    /// Whether keys are sorted.
    pub(super) sorted: bool,
}

impl Style {
    /// The text of a value.
    ///
    /// Every element costs a step, for a list may be longer than it was to make.
    pub(super) fn write(&self, state: &State<'_, '_>, value: &Value) -> Result<String, Error> {
        let mut out = String::new();
        self.value(state, value, 0, &mut out)?;
        Ok(out)
    }

    fn value(
        &self,
        state: &State<'_, '_>,
        value: &Value,
        depth: usize,
        out: &mut String,
    ) -> Result<(), Error> {
        state.consume_fuel(1)?;
        if depth > MAX_DEPTH {
            return Err(refused("it is nested too deep"));
        }
        match value.kind() {
            ValueKind::None => out.push_str("null"),
            ValueKind::Bool => out.push_str(if value.is_true() { "true" } else { "false" }),
            ValueKind::Number => self.number(value, out),
            ValueKind::String => quoted(value.as_str().unwrap_or_default(), self.ascii, out),
            ValueKind::Seq | ValueKind::Iterable => {
                self.list(('[', ']'), depth, out, value.try_iter()?, |element, out| {
                    self.value(state, &element, depth + 1, out)
                })?;
            }
            ValueKind::Map => self.map(state, value, depth, out)?,
            other => return Err(refused(&format!("a value of type {other} is none of JSON"))),
        }
        Ok(())
    }

    fn map(
        &self,
        state: &State<'_, '_>,
        value: &Value,
        depth: usize,
        out: &mut String,
    ) -> Result<(), Error> {
        let mut entries = Vec::new();
        for key in value.try_iter()? {
            let name = match key.kind() {
                ValueKind::String => key.as_str().unwrap_or_default().to_owned(),
                ValueKind::None | ValueKind::Bool | ValueKind::Number => {
                    let mut name = String::new();
                    self.value(state, &key, depth + 1, &mut name)?;
                    name
                }
                other => return Err(refused(&format!("a key of type {other} is none of JSON"))),
            };
            entries.push((name, value.get_item(&key)?));
        }
        if self.sorted {
            entries.sort_by(|left, right| left.0.cmp(&right.0));
        }
        self.list(('{', '}'), depth, out, entries.into_iter(), |(name, value), out| {
            quoted(&name, self.ascii, out);
            out.push_str(&self.separators.1);
            self.value(state, &value, depth + 1, out)
        })
    }

    fn list<T>(
        &self,
        (open, close): (char, char),
        depth: usize,
        out: &mut String,
        elements: impl Iterator<Item = T>,
        mut write: impl FnMut(T, &mut String) -> Result<(), Error>,
    ) -> Result<(), Error> {
        out.push(open);
        let mut empty = true;
        for element in elements {
            if !empty {
                out.push_str(&self.separators.0);
            }
            empty = false;
            self.line(depth + 1, out);
            write(element, out)?;
        }
        if !empty {
            self.line(depth, out);
        }
        out.push(close);
        Ok(())
    }

    fn line(&self, depth: usize, out: &mut String) {
        if let Some(indent) = &self.indent {
            out.push('\n');
            out.push_str(&indent.repeat(depth));
        }
    }

    fn number(&self, value: &Value, out: &mut String) {
        match f64::try_from(value.clone()) {
            Ok(number) if !value.is_integer() => out.push_str(&float(number)),
            _ => out.push_str(&value.to_string()),
        }
    }
}

fn refused(reason: &str) -> Error {
    Error::new(ErrorKind::BadSerialization, reason.to_owned())
}

fn quoted(text: &str, ascii: bool, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\0'..'\u{20}' => escaped(character, out),
            _ if ascii && character > '~' => escaped(character, out),
            _ => out.push(character),
        }
    }
    out.push('"');
}

fn escaped(character: char, out: &mut String) {
    for unit in character.encode_utf16(&mut [0; 2]) {
        // Writing to a text never fails.
        let _written = write!(out, "\\u{unit:04x}");
    }
}

/// A number as Python shows it: the shortest digits that are it, with an exponent from 1e16 and below 1e-4.
pub(super) fn float(number: f64) -> String {
    if number.is_nan() {
        return "NaN".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    let scientific = format!("{number:e}");
    let Some((digits, exponent)) = scientific.split_once('e') else { return scientific };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if number == 0.0 || (-4..16).contains(&exponent) {
        let plain = number.to_string();
        if plain.contains('.') { plain } else { format!("{plain}.0") }
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        format!("{digits}e{sign}{:02}", exponent.abs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_python() {
        let shown = [
            0.0,
            -0.0,
            1.0,
            0.1,
            1e16,
            123_456_789_012_345_680.0,
            1e15,
            1e-4,
            1e-5,
            1.5e-10,
            -2.5e300,
        ];
        let shown: Vec<_> = shown.into_iter().map(float).collect();
        assert_eq!(
            shown,
            [
                "0.0",
                "-0.0",
                "1.0",
                "0.1",
                "1e+16",
                "1.2345678901234568e+17",
                "1000000000000000.0",
                "0.0001",
                "1e-05",
                "1.5e-10",
                "-2.5e+300"
            ]
        );
    }
}
