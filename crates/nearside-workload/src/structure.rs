//! From text to tables: TOML syntax, the format version, unknown keys and wrong types. All of them
//! are collected before meaning is looked at, because a missing table makes nonsense of the rest.

use std::ops::Range;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer, Error};

use crate::{FORMAT_VERSION, ProjectError, suggest};

/// A file whose syntax and version are right.
pub(crate) type Document<'text> = Spanned<DeTable<'text>>;

/// How many unknown keys and wrong types are reported in one go.
const MOST_ERRORS: usize = 50;

/// Reads the syntax and checks the version.
pub(crate) fn document(text: &str) -> Result<Document<'_>, Vec<ProjectError>> {
    let (document, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        return check_version(&document).map(|()| document);
    }
    let mut errors: Vec<_> = errors.iter().map(|error| explained(error, text)).collect();
    errors.sort_by_key(|error| error.span.as_ref().map(|span| span.start));
    Err(errors)
}

/// Reads tables of a known shape; reports every unknown key and wrong type.
pub(crate) fn tables<T: DeserializeOwned>(
    mut document: Document<'_>,
    text: &str,
) -> Result<T, Vec<ProjectError>> {
    let mut errors: Vec<ProjectError> = Vec::new();
    while errors.len() < MOST_ERRORS {
        let error = match T::deserialize(Deserializer::from(document.clone())) {
            Ok(tables) if errors.is_empty() => return Ok(tables),
            Ok(_) => break,
            Err(error) => error,
        };
        errors.push(explained(&error, text));
        // Take the offending entry out and read again, to find the next.
        let taken_out = error.span().is_some_and(|span| remove(document.get_mut(), &span));
        if !taken_out {
            break;
        }
    }
    errors.sort_by_key(|error| error.span.as_ref().map(|span| span.start));
    Err(errors)
}

fn check_version(document: &Document<'_>) -> Result<(), Vec<ProjectError>> {
    let hint = Some(format!("write version = {FORMAT_VERSION}"));
    let Some(version) = document.get_ref().get("version") else {
        let message = "the file does not say which version of the format it is".to_owned();
        return Err(vec![ProjectError { message, span: Some(0..0), hint }]);
    };
    let shown = match version.get_ref() {
        DeValue::Integer(number) => {
            if number.to_string() == FORMAT_VERSION.to_string() {
                return Ok(());
            }
            number.to_string()
        }
        DeValue::String(text) => format!("\"{text}\""),
        other => other.type_str().to_owned(),
    };
    let message = format!("version {shown} cannot be read: this build reads {FORMAT_VERSION}");
    Err(vec![ProjectError { message, span: Some(version.span()), hint }])
}

/// Removes the entry whose key or value stands there; tells whether there was one.
fn remove(table: &mut DeTable<'_>, span: &Range<usize>) -> bool {
    let found = table
        .iter()
        .find(|(key, value)| key.span() == *span || value.span() == *span)
        .map(|(key, _)| key.get_ref().to_string());
    if let Some(key) = found {
        return table.remove(key.as_str()).is_some();
    }
    table.iter_mut().any(|(_, value)| remove_within(value.get_mut(), span))
}

fn remove_within(value: &mut DeValue<'_>, span: &Range<usize>) -> bool {
    match value {
        DeValue::Table(table) => remove(table, span),
        DeValue::Array(items) => {
            let before = items.len();
            let kept: Vec<_> = items.iter().filter(|item| item.span() != *span).cloned().collect();
            if kept.len() < before {
                *items = kept.into_iter().collect();
                return true;
            }
            items.iter_mut().any(|item| remove_within(item.get_mut(), span))
        }
        _ => false,
    }
}

/// What the TOML reader says, in our words.
fn explained(error: &Error, text: &str) -> ProjectError {
    let span = error.span().or(Some(text.len()..text.len()));
    let message = error.message();
    if let Some(rest) = message.strip_prefix("unknown field ") {
        let mut names = rest.split('`').skip(1).step_by(2);
        let unknown = names.next().unwrap_or_default();
        let hint = suggest::hint(unknown, names, "keys that may stand here");
        return ProjectError { message: format!("unknown key \"{unknown}\""), span, hint };
    }
    let wrong_type =
        message.strip_prefix("invalid type: ").and_then(|rest| rest.split_once(", expected "));
    let message = match wrong_type {
        Some((found, expected)) => {
            format!("expected {}, found {}", in_toml(expected), in_toml(found))
        }
        None => match message.strip_prefix("missing field ") {
            Some(key) => format!("missing key \"{}\"", key.trim_matches('`')),
            None => message.to_owned(),
        },
    };
    let message = message.replace('`', "'");
    ProjectError { message, span, hint: None }
}

/// What serde calls a thing, in TOML's words.
fn in_toml(thing: &str) -> &str {
    match thing {
        "a sequence" | "sequence" => "a list",
        "a map" | "map" => "a table",
        "a boolean" => "true or false",
        // Only tables are read into types of ours.
        thing if thing.starts_with("struct ") => "a table",
        thing => thing,
    }
}
