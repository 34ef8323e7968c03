//! When many stages of a pipeline are trials of one: they differ by a value in their command and in
//! where they write, each in folders that nobody else writes to, and read the same.

use super::entry::Entry;
use super::fill::Context;
use super::unroll::Round;
use super::{DvcStage, Reading, shell_word};
use crate::ProjectError;
use crate::paths::is_within;
use crate::trial::placeholder;
use crate::yaml::{Node, Value, plain_text};

/// What stands for an opening and a closing bracket of a placeholder until other brackets are escaped.
const OPEN: char = '\u{1}';
const CLOSE: char = '\u{2}';

/// One stage whose trials do what these stages do; nothing where that would mean something else.
pub(super) fn together(
    reading: &Reading<'_>,
    name: &str,
    template: &Node,
    rounds: &[Round],
    entries: &[Entry],
) -> Result<Option<DvcStage>, ProjectError> {
    let Some(matrix) = matrix(rounds).filter(|_| rounds.len() > 1) else { return Ok(None) };
    let context = with_placeholders(&reading.context, &matrix);
    // A value that is asked for in another way than as it is cannot be a placeholder.
    let Ok(general) = reading.entry(name, template, &context) else { return Ok(None) };
    let Some(folders) = folders(entries) else { return Ok(None) };
    let same = |entry: &Entry| {
        let inside = |path: &String| folders.iter().any(|folder| is_within(path, folder));
        entry.reads == general.reads
            && entry.folder == general.folder
            && !entry.frozen
            && !entry.reads.iter().any(inside)
    };
    let commands = |(entry, round): (&Entry, &Round)| {
        filled(&general.command(), round, &matrix) == entry.command()
    };
    let others = reading.pipeline.stages.iter().flat_map(|stage| &stage.writes);
    let alone = |path: &String| {
        folders.iter().all(|folder| !is_within(path, folder) && !is_within(folder, path))
    };
    let means_the_same = entries.iter().all(same)
        && entries.iter().zip(rounds).all(commands)
        && others.into_iter().all(alone)
        && general.reads.iter().all(|path| folders.iter().all(|folder| !is_within(folder, path)));
    if !means_the_same {
        return Ok(None);
    }
    let make: Vec<_> = folders.iter().map(|folder| shell_word(folder)).collect();
    let mut stage = general.stage();
    stage.command = format!("mkdir -p {} && {}", make.join(" "), stage.command);
    stage.command = stage.command.replace(OPEN, "{").replace(CLOSE, "}");
    stage.notes = entries.first().map(|entry| entry.notes.clone()).unwrap_or_default();
    let how = "trials of one stage; DVC keeps each result by itself, here they are kept together";
    stage.notes.push(how.to_owned());
    (stage.matrix, stage.writes) = (matrix, folders);
    Ok(Some(stage))
}

/// The axes with their values in the order of the file; nothing where a value is no text or number.
fn matrix(rounds: &[Round]) -> Option<Vec<(String, Vec<String>)>> {
    let mut axes: Vec<(String, Vec<String>)> = Vec::new();
    for round in rounds {
        for (axis, value) in values(round) {
            let usable = matches!(value, Value::Text(_) | Value::Whole(_) | Value::Decimal(_));
            let name = format!("{{{axis}}}");
            if !usable || placeholder(&name) != Some((axis.as_str(), "")) {
                return None;
            }
            let text = plain_text(value);
            match axes.iter_mut().find(|(other, _)| *other == axis) {
                Some((_, values)) if values.contains(&text) => {}
                Some((_, values)) => values.push(text),
                None => axes.push((axis, vec![text])),
            }
        }
    }
    let product = axes.iter().map(|(_, values)| values.len()).product::<usize>();
    (!axes.is_empty() && product == rounds.len()).then_some(axes)
}

/// The value of every axis in one round; `foreach` over scalars has one axis, `item`.
fn values(round: &Round) -> Vec<(String, &Value)> {
    match &round.item.value {
        Value::Map(entries) => {
            entries.iter().map(|(axis, node)| (axis.value.clone(), &node.value)).collect()
        }
        value => vec![("item".to_owned(), value)],
    }
}

fn with_placeholders(context: &Context, matrix: &[(String, Vec<String>)]) -> Context {
    let node = |axis: &str| Node { span: 0..0, value: Value::Text(format!("{OPEN}{axis}{CLOSE}")) };
    let item = match matrix {
        [(axis, _)] if axis == "item" => node(axis),
        axes => {
            let entry =
                |(axis, _): &(String, _)| (crate::Located::new(axis.clone(), 0..0), node(axis));
            Node { span: 0..0, value: Value::Map(axes.iter().map(entry).collect()) }
        }
    };
    context.with("item", item)
}

/// The command of one round.
fn filled(command: &str, round: &Round, matrix: &[(String, Vec<String>)]) -> String {
    let values = values(round);
    let values = values.iter().filter(|(axis, _)| matrix.iter().any(|(other, _)| other == axis));
    values.fold(command.to_owned(), |command, (axis, value)| {
        command.replace(&format!("{OPEN}{axis}{CLOSE}"), &plain_text(value))
    })
}

/// For each output the folder that holds it in every round and nothing but it; none lies in another.
fn folders(entries: &[Entry]) -> Option<Vec<String>> {
    let first = entries.first()?;
    let mut folders: Vec<String> = Vec::new();
    for place in 0..first.writes.len() {
        let paths = entries.iter().map(|entry| entry.writes.get(place));
        let paths = paths.collect::<Option<Vec<_>>>()?;
        let folder = paths
            .iter()
            .skip(1)
            .fold(above(first.writes.get(place)?)?, |folder, path| shared(folder, path));
        if folder.is_empty() {
            return None;
        }
        if !folders.iter().any(|other| other == folder) {
            folders.push(folder.to_owned());
        }
    }
    let nested =
        |folder: &String| folders.iter().any(|other| other != folder && is_within(folder, other));
    let equal = entries.iter().all(|entry| entry.writes.len() == first.writes.len());
    (equal && !folders.is_empty() && !folders.iter().any(nested)).then(|| folders.clone())
}

fn above(path: &str) -> Option<&str> {
    path.rsplit_once('/').map(|(folder, _)| folder)
}

/// The deepest folder above both.
fn shared<'a>(folder: &'a str, path: &str) -> &'a str {
    let mut folder = folder;
    while !folder.is_empty() && !is_within(path, folder) {
        folder = above(folder).unwrap_or("");
    }
    folder
}

/// A command in which no brackets are taken for a placeholder.
pub(super) fn escaped(command: &str) -> String {
    let mut escaped = String::new();
    let mut rest = command;
    while let Some(open) = rest.find('{') {
        let (before, from_bracket) = rest.split_at(open);
        escaped.push_str(before);
        match placeholder(from_bracket) {
            Some((name, after)) if !before.ends_with('$') => {
                escaped.push_str(&format!("{{{{{name}}}}}"));
                rest = after;
            }
            _ => {
                escaped.push('{');
                rest = &from_bracket[1..];
            }
        }
    }
    escaped.push_str(rest);
    escaped
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Located;
    use crate::reader::Reader;

    proptest! {
        #[test]
        fn escaped_commands_come_back(command in "[a-c${}' ]{0,24}") {
            let mut reader = Reader::default();
            let text = Located::new(escaped(&command), 0..0);
            prop_assert_eq!(crate::trial::fill(&mut reader, &text, &[]), Some(command));
        }
    }

    #[test]
    fn folders_hold_the_outputs_of_every_round() {
        let entry = |writes: &[&str]| Entry {
            writes: writes.iter().map(|path| (*path).to_owned()).collect(),
            ..Entry::default()
        };
        let found = |one: &[&str], other: &[&str]| folders(&[entry(one), entry(other)]);
        let some = |paths: &[&str]| Some(paths.iter().map(|path| (*path).to_owned()).collect());
        assert_eq!(found(&["m/a/x", "n/a"], &["m/b/x", "n/b"]), some(&["m", "n"]));
        assert_eq!(found(&["a"], &["b"]), None);
        assert_eq!(found(&["m/a", "m/x/a"], &["m/b", "m/x/b"]), None);
        assert_eq!(found(&["m/a"], &["m/b", "m/c"]), None);
    }
}
