//! One value as it stands in a file: text, number or truth, not yet understood.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};

use crate::Located;

/// A value with its place in the file.
pub(crate) type Field = Located<Scalar>;

/// A value whose meaning depends on its key: most are strings with a unit, but a bare number must
/// get as far as the reader so that the error can name the unit it lacks.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Scalar {
    /// A string, or a date without quotes.
    Text(String),
    /// A whole number.
    Whole(i64),
    /// A decimal number; may be NaN or infinite.
    Decimal(f64),
    /// `true` or `false`.
    Truth(bool),
    /// A list or a table, which is never a value here.
    Nested,
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match toml::Value::deserialize(deserializer)? {
            toml::Value::String(text) => Self::Text(text),
            toml::Value::Integer(number) => Self::Whole(number),
            toml::Value::Float(number) => Self::Decimal(number),
            toml::Value::Boolean(truth) => Self::Truth(truth),
            toml::Value::Datetime(date) => Self::Text(date.to_string()),
            toml::Value::Array(_) | toml::Value::Table(_) => Self::Nested,
        })
    }
}

impl JsonSchema for Scalar {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Quantity".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string" })
    }
}

impl fmt::Display for Scalar {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => formatter.write_str(text),
            Self::Whole(number) => number.fmt(formatter),
            Self::Decimal(number) => number.fmt(formatter),
            Self::Truth(truth) => truth.fmt(formatter),
            Self::Nested => formatter.write_str("a list or a table"),
        }
    }
}

/// Schema of a count: an integer, or a string such as `"20M"`.
pub(crate) struct CountSchema;

impl JsonSchema for CountSchema {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Count".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["integer", "string"] })
    }
}

/// Schema of a value of a matrix.
pub(crate) struct ScalarSchema;

impl JsonSchema for ScalarSchema {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Scalar".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["integer", "number", "string"] })
    }
}
