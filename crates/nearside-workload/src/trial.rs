//! `matrix = { ... }`: values to try, and the placeholders that stand for them.

use std::collections::BTreeMap;

use crate::Located;
use crate::project_file::{Named, in_file_order};
use crate::reader::Reader;
use crate::scalar::{Field, Scalar};
use crate::suggest;

/// The most trials of one stage.
const MOST_TRIALS: usize = 10_000;

/// One axis of a matrix: a name and the values to try.
pub(crate) struct Axis<'a> {
    name: &'a Located<String>,
    values: Vec<&'a Field>,
}

/// One value per axis, in the order of the axes.
pub(crate) type Values = Vec<(String, Field)>;

/// The axes of a matrix in the order of the file; what cannot be tried is reported.
pub(crate) fn axes<'a>(
    reader: &mut Reader,
    path: &str,
    matrix: &'a Named<Vec<Field>>,
) -> Vec<Axis<'a>> {
    let mut axes: Vec<Axis<'a>> = Vec::new();
    let mut trials = 1usize;
    for (name, values) in in_file_order(matrix) {
        let mut section = reader.section(path);
        let key = format!("matrix.{}", name.value);
        if !name.value.chars().all(is_name_letter) || name.value.is_empty() {
            let hint = "use letters, digits, - and _";
            section.error(&name.span, &key, "cannot be a placeholder", hint);
        }
        if values.is_empty() {
            section.error(&name.span, &key, "has no values to try", "as in rank = [8, 16]");
        }
        let (mut good, bad): (Vec<&Field>, Vec<&Field>) =
            values.iter().partition(|value| can_be_tried(value));
        for value in bad {
            let fact = "a value to try is a string or a finite number";
            section.error(&value.span, &key, fact, "");
        }
        if trials.saturating_mul(good.len()) > MOST_TRIALS {
            let fact = format!("more than {MOST_TRIALS} trials");
            section.error(&name.span, &key, &fact, "try fewer values");
            good.truncate(1);
        }
        trials *= good.len();
        axes.push(Axis { name, values: good });
    }
    axes
}

const fn can_be_tried(value: &Field) -> bool {
    match value.value {
        Scalar::Text(_) | Scalar::Whole(_) => true,
        Scalar::Decimal(number) => number.is_finite(),
        Scalar::Truth(_) | Scalar::Nested => false,
    }
}

/// Every combination; the last axis changes fastest. Without axes there is one, of no values.
pub(crate) fn combinations(axes: &[Axis<'_>]) -> Vec<Values> {
    axes.iter().fold(vec![Values::new()], |combinations, axis| {
        let with = |values: &Values, value: &Field| {
            let mut values = values.clone();
            values.push((axis.name.value.clone(), value.clone()));
            values
        };
        let each = |values: &Values| -> Vec<Values> {
            axis.values.iter().copied().map(|value| with(values, value)).collect()
        };
        combinations.iter().flat_map(each).collect()
    })
}

/// Fills the placeholders of a text, `{name}`; nothing where one is unknown. `{{name}}` stands for a literal `{name}`, and
/// braces around anything but a name, or after a `$`, are left to the shell.
pub(crate) fn fill(
    reader: &mut Reader,
    text: &Located<String>,
    values: &[(String, Field)],
) -> Option<String> {
    let mut filled = String::new();
    let mut rest = text.value.as_str();
    while let Some(open) = rest.find('{') {
        let (before, from_brace) = rest.split_at(open);
        filled.push_str(before);
        let (piece, after) = match placeholder(from_brace) {
            Some(_) if before.ends_with('$') => from_brace.split_at(1),
            Some((name, after)) => {
                filled.push_str(&value_of(reader, text, name, values)?);
                ("", after)
            }
            None => literal(from_brace).unwrap_or_else(|| from_brace.split_at(1)),
        };
        filled.push_str(piece);
        rest = after;
    }
    filled.push_str(rest);
    Some(filled)
}

/// Fills the placeholders of a workload table. A value that is nothing but a placeholder becomes
/// the value of the axis, with its type and its place in the file.
pub(crate) fn fill_table(
    reader: &mut Reader,
    table: &BTreeMap<Located<String>, Field>,
    values: &[(String, Field)],
) -> Option<BTreeMap<Located<String>, Field>> {
    let mut filled = BTreeMap::new();
    for (key, field) in table {
        let field = match &field.value {
            Scalar::Text(text) => fill_field(reader, text, field, values)?,
            _ => field.clone(),
        };
        filled.insert(key.clone(), field);
    }
    Some(filled)
}

fn fill_field(
    reader: &mut Reader,
    text: &str,
    field: &Field,
    values: &[(String, Field)],
) -> Option<Field> {
    if let Some((name, "")) = placeholder(text)
        && let Some((_, value)) = values.iter().find(|(axis, _)| axis == name)
    {
        return Some(value.clone());
    }
    let text = Located::new(text.to_owned(), field.span.clone());
    let filled = fill(reader, &text, values)?;
    Some(Located::new(Scalar::Text(filled), text.span))
}

/// Reports placeholders where none can be filled in.
pub(crate) fn refuse(reader: &mut Reader, text: &Located<String>, what: &str) {
    let found = text.value.char_indices().filter(|(_, letter)| *letter == '{');
    let names = found.filter_map(|(at, _)| placeholder(text.value.get(at..)?));
    if let Some((name, _)) = names.into_iter().next() {
        let message =
            format!("placeholder {{{name}}} in {what}, which is the same for every trial");
        let hint = "write a folder here, and let each trial write its own file in it".to_owned();
        reader.report(&text.span, message, Some(hint));
    }
}

fn is_name_letter(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_' || letter == '-'
}

/// The name in `{name}` at the start of a text, and what follows.
pub(crate) fn placeholder(text: &str) -> Option<(&str, &str)> {
    let (name, after) = text.strip_prefix('{')?.split_once('}')?;
    let is_name = name.starts_with(|letter: char| letter.is_alphabetic() || letter == '_')
        && name.chars().all(is_name_letter);
    is_name.then_some((name, after))
}

/// What `{{name}}` at the start of a text stands for, and what follows.
fn literal(text: &str) -> Option<(&str, &str)> {
    let inner = text.strip_prefix('{')?;
    let (_, after) = placeholder(inner)?;
    let after = after.strip_prefix('}')?;
    let length = inner.len() - after.len() - 1;
    inner.get(..length).map(|name| (name, after))
}

fn value_of(
    reader: &mut Reader,
    text: &Located<String>,
    name: &str,
    values: &[(String, Field)],
) -> Option<String> {
    if let Some((_, value)) = values.iter().find(|(axis, _)| axis == name) {
        return Some(value.value.to_string());
    }
    let hint = match suggest::nearest(name, values.iter().map(|(axis, _)| axis.as_str())) {
        Some(near) => format!("did you mean {{{near}}}?"),
        None => {
            format!("add matrix = {{ {name} = [...] }}, or write {{{{{name}}}}} for plain braces")
        }
    };
    reader.report(&text.span, format!("unknown placeholder {{{name}}}"), Some(hint));
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(text: &str) -> Result<String, String> {
        let mut reader = Reader::default();
        let values = vec![("rank".to_owned(), Located::new(Scalar::Whole(8), 0..0))];
        let text = fill(&mut reader, &Located::new(text.to_owned(), 0..0), &values);
        let errors = reader.finish().map(|_| text.unwrap());
        errors.map_err(|errors| format!("{} ({})", errors[0], errors[0].hint.as_deref().unwrap()))
    }

    #[test]
    fn only_names_in_braces_are_placeholders() {
        for (text, expected) in [
            ("train.py --rank {rank}", "train.py --rank 8"),
            ("{rank}{rank}", "88"),
            ("echo {{rank}} ${rank} ${HOME}", "echo {rank} ${rank} ${HOME}"),
            (
                "awk '{print $1}' | xargs -I{} cp {a,b} {",
                "awk '{print $1}' | xargs -I{} cp {a,b} {",
            ),
            ("größe {rank} é", "größe 8 é"),
        ] {
            assert_eq!(filled(text).as_deref(), Ok(expected));
        }
        assert_eq!(
            filled("{rnak}").unwrap_err(),
            "unknown placeholder {rnak} (did you mean {rank}?)"
        );
        assert_eq!(
            filled("{depth}").unwrap_err(),
            "unknown placeholder {depth} (add matrix = { depth = [...] }, or write {{depth}} for plain braces)"
        );
    }
}
