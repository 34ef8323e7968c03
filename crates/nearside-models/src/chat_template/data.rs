//! Values that a chat template sees: JSON, with the keys of an object in the order in which they came.

use minijinja::Value;
use minijinja::value::Serde;
use serde::{Deserialize, Deserializer, Serialize};

/// A value of JSON. Read it from its text where the order of keys matters, as with tools: a `serde_json::Value` sorts
/// them.
#[derive(Clone, Debug, PartialEq)]
pub struct Data(pub(super) Value);

impl Data {
    /// The value that serializes as this one does.
    #[must_use]
    pub fn new(value: &impl Serialize) -> Self {
        Self(Value::from(Serde(value)))
    }
}

impl<'de> Deserialize<'de> for Data {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(Self)
    }
}

impl From<serde_json::Value> for Data {
    fn from(value: serde_json::Value) -> Self {
        Self::new(&value)
    }
}

impl From<&str> for Data {
    fn from(text: &str) -> Self {
        Self(Value::from(text))
    }
}

impl From<bool> for Data {
    fn from(flag: bool) -> Self {
        Self(Value::from(flag))
    }
}
