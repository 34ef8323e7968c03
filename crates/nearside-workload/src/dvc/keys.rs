//! What a key of a pipeline file holds, or the error that says where it holds something else.

use crate::yaml::{Node, Value};
use crate::{Located, ProjectError, suggest};

/// An error at a value.
pub(super) fn wrong(node: &Node, message: &str) -> ProjectError {
    ProjectError { message: message.to_owned(), span: Some(node.span.clone()), hint: None }
}

/// Complains about a key that nobody knows.
pub(super) fn check(node: &Node, what: &str, known: &[&str]) -> Result<(), ProjectError> {
    if !matches!(node.value, Value::Map(_) | Value::Null) {
        return Err(wrong(node, &format!("{what} must be a map, not {}", node.value.kind())));
    }
    match entries(node).iter().find(|(key, _)| !known.contains(&key.value.as_str())) {
        None => Ok(()),
        Some((key, _)) => Err(ProjectError {
            message: format!("unknown key \"{}\" in {what}", key.value),
            span: Some(key.span.clone()),
            hint: suggest::hint(&key.value, known.iter().copied(), "known"),
        }),
    }
}

/// The entries of a map; none where it is none.
pub(super) fn entries(node: &Node) -> &[(Located<String>, Node)] {
    match &node.value {
        Value::Map(entries) => entries,
        _ => &[],
    }
}

/// A text.
pub(super) fn text(node: &Node) -> Option<&str> {
    match &node.value {
        Value::Text(text) => Some(text),
        _ => None,
    }
}

/// A list; nothing written is an empty one.
pub(super) fn list(node: &Node) -> Result<&[Node], ProjectError> {
    match &node.value {
        Value::List(nodes) => Ok(nodes),
        Value::Null => Ok(&[]),
        other => Err(wrong(node, &format!("a list is expected, not {}", other.kind()))),
    }
}

/// Whether a key says `true`.
pub(super) fn says_true(node: &Node, key: &str) -> bool {
    node.get(key).is_some_and(|node| node.value == Value::Truth(true))
}

/// A value of TOML, from nowhere in the pipeline file.
pub(super) fn from_toml(value: &toml::Value) -> Node {
    let value = match value {
        toml::Value::String(text) => Value::Text(text.clone()),
        toml::Value::Integer(number) => Value::Whole(*number),
        toml::Value::Float(number) => Value::Decimal(*number),
        toml::Value::Boolean(truth) => Value::Truth(*truth),
        toml::Value::Datetime(date) => Value::Text(date.to_string()),
        toml::Value::Array(values) => Value::List(values.iter().map(from_toml).collect()),
        toml::Value::Table(table) => {
            let entry = |(key, value): (&String, &toml::Value)| {
                (Located::new(key.clone(), 0..0), from_toml(value))
            };
            Value::Map(table.iter().map(entry).collect())
        }
    };
    Node { span: 0..0, value }
}
