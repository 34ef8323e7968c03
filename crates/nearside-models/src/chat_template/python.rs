//! What Jinja has of Python and the engine has not, or has otherwise: methods of texts, tests and filters.

use minijinja::value::{Kwargs, Rest, Value, ValueKind, from_args};
use minijinja::{Environment, Error, ErrorKind, State};

use super::Raised;
use super::python_json::Style;

/// The widest indent that is made.
const MAX_INDENT: usize = 64;

/// Adds all of it.
pub(super) fn add(environment: &mut Environment<'static>) {
    minijinja_contrib::add_to_environment(environment);
    environment.set_unknown_method_callback(method);
    environment.set_formatter(super::python_text::format);
    environment.add_filter("tojson", tojson);
    environment.add_filter("indent", indent);
    environment.add_function("raise_exception", raise_exception);
    environment.add_test("sequence", |value: &Value| {
        matches!(value.kind(), ValueKind::Seq | ValueKind::String | ValueKind::Map)
    });
    environment.add_test("iterable", |value: &Value| {
        !value.is_none() && (value.kind() == ValueKind::String || value.try_iter().is_ok())
    });
}

fn raise_exception(message: Value) -> Result<Value, Error> {
    let message = message.to_string();
    let raised = Raised(message.clone());
    Err(Error::new(ErrorKind::InvalidOperation, message).with_source(raised))
}

fn tojson(
    state: &State<'_, '_>,
    value: &Value,
    positional: Rest<Value>,
    named: Kwargs,
) -> Result<Value, Error> {
    // `tojson(x, ensure_ascii, indent, separators, sort_keys)`
    let argument = |place: usize, name: &str| -> Result<Value, Error> {
        let named: Option<Value> = named.get(name)?;
        Ok(named.or_else(|| positional.get(place).cloned()).unwrap_or(Value::from(())))
    };
    let (ascii, indent) = (argument(0, "ensure_ascii")?, argument(1, "indent")?);
    let (separators, sorted) = (argument(2, "separators")?, argument(3, "sort_keys")?);
    named.assert_all_used()?;
    let indent = match indent.kind() {
        ValueKind::None | ValueKind::Undefined => None,
        ValueKind::String => Some(indent.to_string()),
        _ => Some(" ".repeat(usize::try_from(indent)?.min(MAX_INDENT))),
    };
    let separators = if separators.is_none() {
        let elements = if indent.is_some() { "," } else { ", " };
        (elements.to_owned(), ": ".to_owned())
    } else {
        (separators.get_item_by_index(0)?.to_string(), separators.get_item_by_index(1)?.to_string())
    };
    let style = Style { indent, separators, ascii: ascii.is_true(), sorted: sorted.is_true() };
    style.write(state, value).map(Value::from)
}

/// Lines after the first begin with spaces, or with a text; a line that ends the text stays.
fn indent(text: &str, positional: Rest<Value>, named: Kwargs) -> Result<String, Error> {
    // `indent(s, width, first, blank)`
    let argument = |place: usize, name: &str| -> Result<Option<Value>, Error> {
        let named: Option<Value> = named.get(name)?;
        Ok(named.or_else(|| positional.get(place).cloned()))
    };
    let width = argument(0, "width")?.unwrap_or(Value::from(4));
    let first = argument(1, "first")?.is_some_and(|first| first.is_true());
    let blank = argument(2, "blank")?.is_some_and(|blank| blank.is_true());
    named.assert_all_used()?;
    let before = match width.as_str() {
        Some(before) => before.to_owned(),
        None => " ".repeat(usize::try_from(width)?.min(MAX_INDENT)),
    };
    let lines = text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
    let lines = lines.enumerate().map(|(index, line)| match index {
        0 if !first => line.to_owned(),
        0 => format!("{before}{line}"),
        _ if line.is_empty() && !blank => String::new(),
        _ => format!("{before}{line}"),
    });
    Ok(lines.collect::<Vec<_>>().join("\n"))
}

fn method(state: &mut State, value: &Value, name: &str, args: &[Value]) -> Result<Value, Error> {
    if let Some(text) = value.as_str()
        && let Some(result) = text_method(text, name, args)
    {
        return result;
    }
    minijinja_contrib::pycompat::unknown_method_callback(state, value, name, args)
}

/// Methods of texts; `None` for those that others know.
fn text_method(text: &str, name: &str, args: &[Value]) -> Option<Result<Value, Error>> {
    Some(match name {
        "title" => from_args::<()>(args).map(|()| Value::from(title(text))),
        "swapcase" => from_args::<()>(args).map(|()| Value::from(swapcase(text))),
        "casefold" => from_args::<()>(args).map(|()| Value::from(text.to_lowercase())),
        "removeprefix" => from_args(args)
            .map(|(prefix,): (&str,)| Value::from(text.strip_prefix(prefix).unwrap_or(text))),
        "removesuffix" => from_args(args)
            .map(|(suffix,): (&str,)| Value::from(text.strip_suffix(suffix).unwrap_or(text))),
        "partition" => from_args(args).map(|(separator,): (&str,)| {
            let (head, tail) = text.split_once(separator).unwrap_or((text, ""));
            parted(head, if head.len() == text.len() { "" } else { separator }, tail)
        }),
        "rpartition" => from_args(args).map(|(separator,): (&str,)| {
            let (head, tail) = text.rsplit_once(separator).unwrap_or(("", text));
            parted(head, if tail.len() == text.len() { "" } else { separator }, tail)
        }),
        "rsplit" => from_args(args).and_then(|(separator, most): (Option<&str>, Option<i64>)| {
            rsplit(text, separator, most)
        }),
        _ => return None,
    })
}

fn parted(head: &str, separator: &str, tail: &str) -> Value {
    [head, separator, tail].into_iter().map(Value::from).collect()
}

fn rsplit(text: &str, separator: Option<&str>, most: Option<i64>) -> Result<Value, Error> {
    let most = most.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX);
    let parts: Vec<&str> = match separator {
        Some("") => return Err(Error::new(ErrorKind::InvalidOperation, "empty separator")),
        Some(separator) => text.rsplitn(most.saturating_add(1), separator).collect(),
        None => {
            let mut parts = Vec::new();
            let mut rest = text.trim_end();
            while !rest.is_empty() && parts.len() < most {
                let start = rest
                    .rfind(char::is_whitespace)
                    .map_or(0, |at| at + rest[at..].chars().next().map_or(1, char::len_utf8));
                parts.push(&rest[start..]);
                rest = rest[..start].trim_end();
            }
            if !rest.is_empty() {
                parts.push(rest);
            }
            parts
        }
    };
    Ok(parts.into_iter().rev().map(Value::from).collect())
}

/// Every letter after what is none in upper case, every other in lower case.
fn title(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut within = false;
    for character in text.chars() {
        if within {
            out.extend(character.to_lowercase());
        } else {
            out.extend(character.to_uppercase());
        }
        within = character.is_alphabetic();
    }
    out
}

fn swapcase(text: &str) -> String {
    let swapped = text.chars().map(|character| {
        if character.is_lowercase() {
            character.to_uppercase().to_string()
        } else {
            character.to_lowercase().to_string()
        }
    });
    swapped.collect()
}
