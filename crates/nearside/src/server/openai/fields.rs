//! The fields of a request: taken one by one, each with what it may be; what nobody took is known in the end.

use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use super::error::ApiError;

/// Texts of a list at most.
const MOST_TEXTS: usize = 2048;

/// An object of a request.
#[derive(Clone, Debug)]
pub(super) struct Fields {
    /// Where it stands, with a dot at the end; nothing for the request itself.
    place: String,
    map: Map<String, Value>,
}

impl Fields {
    /// The body of a request.
    pub(super) fn parse(body: &[u8]) -> Result<Self, ApiError> {
        let invalid = |message: String| ApiError {
            code: Some("invalid_json"),
            ..ApiError::invalid(format!("the body of the request: {message}"))
        };
        match serde_json::from_slice(body).map_err(|error| invalid(error.to_string()))? {
            Value::Object(map) => Ok(Self { place: String::new(), map }),
            _ => Err(invalid("it should be an object".to_owned())),
        }
    }

    /// The name of a field, as errors call it.
    pub(super) fn path(&self, name: &str) -> String {
        format!("{}{name}", self.place)
    }

    fn wrong(&self, name: &str, expected: &str, found: &Value) -> ApiError {
        let mut shown = found.to_string();
        if shown.chars().count() > 60 {
            shown = shown.chars().take(57).chain("...".chars()).collect();
        }
        ApiError::field(&self.path(name), format_args!("{shown}, it should be {expected}"))
    }

    /// A field as it is; null is none.
    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        self.map.shift_remove(name).filter(|value| !value.is_null())
    }

    /// A number.
    pub(super) fn number(
        &mut self,
        name: &str,
        range: RangeInclusive<f64>,
    ) -> Result<Option<f64>, ApiError> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let number = value.as_f64().filter(|number| range.contains(number));
        let expected = || format!("a number from {} to {}", range.start(), range.end());
        number.map(Some).ok_or_else(|| self.wrong(name, &expected(), &value))
    }

    /// A whole number.
    pub(super) fn whole(
        &mut self,
        name: &str,
        range: RangeInclusive<u64>,
    ) -> Result<Option<u64>, ApiError> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let number = value.as_u64().filter(|number| range.contains(number));
        let expected = || format!("a whole number from {} to {}", range.start(), range.end());
        number.map(Some).ok_or_else(|| self.wrong(name, &expected(), &value))
    }

    /// True or false.
    pub(super) fn flag(&mut self, name: &str) -> Result<Option<bool>, ApiError> {
        let Some(value) = self.take(name) else { return Ok(None) };
        value.as_bool().map(Some).ok_or_else(|| self.wrong(name, "true or false", &value))
    }

    /// A text.
    pub(super) fn text(&mut self, name: &str) -> Result<Option<String>, ApiError> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(self.wrong(name, "a text", &other)),
        }
    }

    /// A text or several.
    pub(super) fn texts(&mut self, name: &str) -> Result<Vec<String>, ApiError> {
        let Some(value) = self.take(name) else { return Ok(Vec::new()) };
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let texts = match &value {
            Value::String(text) => Some(vec![text.clone()]),
            Value::Array(list) if list.len() <= MOST_TEXTS => list.iter().map(text).collect(),
            _ => None,
        };
        texts.ok_or_else(|| self.wrong(name, "a text or a list of texts", &value))
    }

    /// A list.
    pub(super) fn list(&mut self, name: &str) -> Result<Option<Vec<Value>>, ApiError> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Array(list)) => Ok(Some(list)),
            Some(other) => Err(self.wrong(name, "a list", &other)),
        }
    }

    /// An object.
    pub(super) fn object(&mut self, name: &str) -> Result<Option<Self>, ApiError> {
        match self.take(name) {
            None => Ok(None),
            Some(value) => self.nested(name, value).map(Some),
        }
    }

    /// A value of a field that should be an object.
    pub(super) fn nested(&self, name: &str, value: Value) -> Result<Self, ApiError> {
        match value {
            Value::Object(map) => Ok(Self { place: format!("{}.", self.path(name)), map }),
            other => Err(self.wrong(name, "an object", &other)),
        }
    }

    /// A field that has to be there.
    pub(super) fn required<T>(&self, name: &str, value: Option<T>) -> Result<T, ApiError> {
        value.ok_or_else(|| ApiError::field(&self.path(name), "it has to be there"))
    }

    /// An error when a field says something else than one of these.
    pub(super) fn only(
        &mut self,
        name: &str,
        allowed: &[Value],
        why: &str,
    ) -> Result<(), ApiError> {
        match self.take(name) {
            Some(value) if !allowed.contains(&value) => Err(ApiError::field(&self.path(name), why)),
            _ => Ok(()),
        }
    }

    /// The fields that nobody took.
    pub(super) fn rest(self) -> Vec<String> {
        self.map.into_iter().filter(|(_, value)| !value.is_null()).map(|(name, _)| name).collect()
    }

    /// The object as it is now.
    pub(super) fn into_value(self) -> Value {
        Value::Object(self.map)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &str) -> Fields {
        Fields::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_field_is_what_it_may_be_or_an_error_that_names_it() {
        let mut body = fields(r#"{"a": 3, "b": -1, "c": null, "d": {"e": "x"}, "f": ["y", 1]}"#);
        assert_eq!(body.number("a", 0.0..=4.0).unwrap(), Some(3.0));
        let wrong = body.whole("b", 0..=9).unwrap_err();
        assert_eq!(wrong.message, "b: -1, it should be a whole number from 0 to 9");
        assert_eq!(wrong.param.as_deref(), Some("b"));
        assert_eq!(body.text("c").unwrap(), None);
        let mut inner = body.object("d").unwrap().unwrap();
        assert_eq!(inner.flag("e").unwrap_err().param.as_deref(), Some("d.e"));
        assert!(body.texts("f").is_err());
    }

    #[test]
    fn what_nobody_took_is_known() {
        let mut body = fields(r#"{"user": "x", "model": "m", "metadata": null}"#);
        assert_eq!(body.text("model").unwrap().as_deref(), Some("m"));
        assert_eq!(body.rest(), ["user"]);
    }

    #[test]
    fn what_is_no_object_is_an_error() {
        for wrong in ["", "[]", "{", "{\"a\":1}}", "\u{0}"] {
            let error = Fields::parse(wrong.as_bytes()).unwrap_err();
            assert_eq!(error.code, Some("invalid_json"), "{wrong}");
        }
        let deep = "[".repeat(100_000);
        assert!(Fields::parse(format!("{{\"a\":{deep}").as_bytes()).is_err());
    }
}
