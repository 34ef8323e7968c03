//! One value of a lock as it stands in the file: a text, a list, a table of texts, or nothing that may
//! stand there.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::ops::Range;
use std::str::FromStr;

use nearside_units::Known;
use serde::{Deserialize, Deserializer};

use crate::Located;
use crate::reader::Section;

/// A value, not yet understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    Text(String),
    List(BTreeSet<String>),
    Table(BTreeMap<String, String>),
    Other,
}

/// A value with its place in the file.
pub(super) type Stated = Located<Entry>;

/// What stands in the place of a value that nobody knows: `{ unknown = "why" }`.
const UNKNOWN: &str = "unknown";

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = |value: toml::Value| match value {
            toml::Value::String(text) => Some(text),
            _ => None,
        };
        Ok(match toml::Value::deserialize(deserializer)? {
            toml::Value::String(text) => Self::Text(text),
            toml::Value::Integer(number) => Self::Text(number.to_string()),
            toml::Value::Array(items) => {
                items.into_iter().map(text).collect::<Option<_>>().map_or(Self::Other, Self::List)
            }
            toml::Value::Table(table) => {
                let texts = table.into_iter().map(|(key, value)| Some((key, text(value)?)));
                texts.collect::<Option<_>>().map_or(Self::Other, Self::Table)
            }
            _ => Self::Other,
        })
    }
}

impl Section<'_> {
    /// A text, or why it is not known.
    pub(super) fn known(&mut self, key: &str, entry: Option<&Stated>) -> Known<String> {
        let Some(entry) = entry else { return Known::unknown("not stated") };
        match &entry.value {
            Entry::Text(text) => Known::Value(text.clone()),
            _ => self.unknown_reason(key, entry, "expected a text"),
        }
    }

    /// A value that is written as a text, or why it is not known.
    pub(super) fn known_as<T: FromStr<Err: Display>>(
        &mut self,
        key: &str,
        entry: Option<&Stated>,
    ) -> Known<T> {
        self.known(key, entry).and_then(|text| match text.parse() {
            Ok(value) => Known::Value(value),
            Err(error) => {
                let error: <T as FromStr>::Err = error;
                let span = entry.map(|entry| entry.span.clone()).unwrap_or_default();
                self.error(&span, key, &error.to_string(), "");
                Known::unknown("not read")
            }
        })
    }

    /// A list of texts, or why it is not known.
    pub(super) fn known_list(
        &mut self,
        key: &str,
        entry: Option<&Stated>,
    ) -> Known<BTreeSet<String>> {
        let Some(entry) = entry else { return Known::unknown("not stated") };
        match &entry.value {
            Entry::List(list) => Known::Value(list.clone()),
            _ => self.unknown_reason(key, entry, "expected a list of texts"),
        }
    }

    /// Refuses a version that says nothing.
    pub(super) fn not_empty(&mut self, key: &str, span: &Range<usize>, version: &str) {
        if version.trim().is_empty() {
            self.error(span, key, "the version is empty", "write it, or remove the line");
        }
    }

    /// The reason that stands in the place of a value.
    fn unknown_reason<T>(&mut self, key: &str, entry: &Stated, expected: &str) -> Known<T> {
        if let Entry::Table(table) = &entry.value
            && let Some(why) = table.get(UNKNOWN)
            && table.len() == 1
        {
            return Known::unknown(why.as_str());
        }
        let fact = format!("{expected} or {{ unknown = \"why\" }}");
        self.error(&entry.span, key, &fact, "");
        Known::unknown("not read")
    }
}
