//! A JSON object whose fields remember where they stand in the text, so that a complaint about one
//! can point at it.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde_json::value::RawValue;

use crate::HeaderError;
use crate::error::{Position, quoted};

/// The fields of one object, unparsed; `null` counts as absent, as in Python.
pub(super) struct Object<'a> {
    text: &'a str,
    /// The path to this object, as in `text_config.`.
    path: String,
    start: Position,
    fields: BTreeMap<String, &'a RawValue>,
}

/// What a JSON reader's complaint says, and where.
pub(super) fn json_error(error: &serde_json::Error) -> HeaderError {
    let message = error.to_string();
    let reason = message.rsplit_once(" at line ").map_or(message.as_str(), |(reason, _)| reason);
    let (line, column) = (error.line().max(1) as u64, error.column().max(1) as u64);
    HeaderError::Json { reason: quoted(reason), position: Position::Text { line, column } }
}

impl<'a> Object<'a> {
    /// Reads a whole text.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, HeaderError> {
        let text = std::str::from_utf8(bytes).map_err(|error| HeaderError::Json {
            reason: "not UTF-8".to_owned(),
            position: Position::in_text(bytes, error.valid_up_to()),
        })?;
        let fields = serde_json::from_str(text).map_err(|error| json_error(&error))?;
        let start = Position::Text { line: 1, column: 1 };
        Ok(Self { text, path: String::new(), start, fields })
    }

    /// The unparsed value of a field.
    pub(super) fn raw(&self, name: &str) -> Option<&'a RawValue> {
        self.fields.get(name).copied().filter(|raw| raw.get() != "null")
    }

    /// How many fields there are.
    pub(super) fn count(&self) -> u64 {
        self.fields.len() as u64
    }

    /// The whole text.
    pub(super) const fn text(&self) -> &'a str {
        self.text
    }

    /// The names of all fields.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.fields.keys().map(String::as_str)
    }

    /// Whether a field is there, be it `null`.
    pub(super) fn mentions(&self, name: &str) -> bool {
        self.fields.contains_key(name)
    }

    /// An object inside this one.
    pub(super) fn object(&self, name: &str) -> Result<Option<Self>, HeaderError> {
        self.raw(name)
            .map(|raw| match serde_json::from_str(raw.get()) {
                Ok(fields) => {
                    let path = format!("{}{name}.", self.path);
                    Ok(Self { text: self.text, path, start: self.position(raw), fields })
                }
                Err(_) => Err(self.wrong(name, "an object")),
            })
            .transpose()
    }

    /// A field of any type that serde can read; `expected` says in words what that is.
    pub(super) fn read<T: serde::de::DeserializeOwned>(
        &self,
        name: &str,
        expected: &str,
    ) -> Result<Option<T>, HeaderError> {
        self.raw(name)
            .map(|raw| {
                serde_json::from_str(raw.get()).ok().ok_or_else(|| self.wrong(name, expected))
            })
            .transpose()
    }

    /// A whole number within bounds.
    pub(super) fn number(
        &self,
        name: &str,
        bounds: RangeInclusive<u64>,
    ) -> Result<Option<u64>, HeaderError> {
        let (low, high) = (*bounds.start(), *bounds.end());
        let expected = || format!("a whole number from {low} to {high}");
        match self.raw(name) {
            None => Ok(None),
            Some(raw) => match raw.get().parse() {
                Ok(number) if bounds.contains(&number) => Ok(Some(number)),
                _ => Err(self.wrong(name, &expected())),
            },
        }
    }

    /// The first of several names for one number.
    pub(super) fn first(
        &self,
        names: &[&str],
        bounds: RangeInclusive<u64>,
    ) -> Result<Option<u64>, HeaderError> {
        let present = names.iter().find(|name| self.raw(name).is_some());
        present.map_or(Ok(None), |name| self.number(name, bounds))
    }

    /// The first of several names for one number that has to be there.
    pub(super) fn required(
        &self,
        names: &[&str],
        bounds: RangeInclusive<u64>,
    ) -> Result<u64, HeaderError> {
        self.first(names, bounds)?.ok_or_else(|| self.missing(names))
    }

    /// A truth value.
    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, HeaderError> {
        self.read(name, "true or false")
    }

    /// A text.
    pub(super) fn string(&self, name: &str) -> Result<Option<String>, HeaderError> {
        self.read(name, "a text")
    }

    /// A complaint about a field that is there.
    pub(super) fn wrong(&self, name: &str, expected: &str) -> HeaderError {
        let raw = self.fields.get(name);
        HeaderError::Field {
            field: format!("{}{name}", self.path),
            expected: expected.to_owned(),
            found: raw.map_or_else(|| "nothing".to_owned(), |raw| quoted(raw.get())),
            position: raw.map_or(self.start, |raw| self.position(raw)),
        }
    }

    /// A complaint about a field that is not there.
    pub(super) fn missing(&self, names: &[&str]) -> HeaderError {
        let named: Vec<_> = names.iter().map(|name| format!("\"{}{name}\"", self.path)).collect();
        HeaderError::Missing { field: named.join(" or "), position: self.start }
    }

    /// Raw values borrow from the text, so that their address tells their place.
    fn position(&self, raw: &RawValue) -> Position {
        let offset = (raw.get().as_ptr() as usize).wrapping_sub(self.text.as_ptr() as usize);
        Position::in_text(self.text.as_bytes(), offset)
    }
}
