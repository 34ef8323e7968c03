//! `${...}` in a pipeline of DVC: the values that it may name, and filling them in.
//!
//! A text that is nothing but one `${name}` takes the value with its type; within other text a value is
//! written as Python writes it, and a map in a command as `--key value` words. `\${` stands for `${`.

use crate::yaml::{Node, Value, plain_text};
use crate::{Located, ProjectError, suggest};

/// The values that a pipeline may name.
#[derive(Clone, Debug)]
pub(super) struct Context(Node);

/// Where a text stands, which decides what may be filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In a command: maps become words.
    Command,
    /// What is gone through: lists and maps are taken as they are.
    Iterable,
    /// Anywhere else: texts, numbers and truth values.
    Plain,
}

impl Default for Context {
    fn default() -> Self {
        Self(Node { span: 0..0, value: Value::Map(Vec::new()) })
    }
}

impl Context {
    /// Adds a map, entry by entry; maps in maps are merged, anything else is replaced.
    pub(super) fn add(&mut self, more: &Node) {
        merge(&mut self.0, more);
    }

    /// The context with another value under a name.
    pub(super) fn with(&self, name: &str, node: Node) -> Self {
        let Value::Map(entries) = &self.0.value else { return self.clone() };
        let mut entries: Vec<_> =
            entries.iter().filter(|(other, _)| other.value != name).cloned().collect();
        entries.push((Located::new(name.to_owned(), node.span.clone()), node));
        Self(Node { span: 0..0, value: Value::Map(entries) })
    }

    /// What an expression such as `train.layers[0]` names.
    fn select(&self, expression: &str) -> Result<&Node, String> {
        let mut node = &self.0;
        let path = expression.trim().replace('[', ".").replace(']', "");
        for part in path.split('.') {
            let found = match &node.value {
                Value::Map(_) => node.get(part),
                Value::List(nodes) => part.parse().ok().and_then(|at: usize| nodes.get(at)),
                _ => None,
            };
            node = found.ok_or_else(|| unknown(expression, part, node))?;
        }
        Ok(node)
    }

    /// A value with everything in it filled in.
    pub(super) fn resolve(&self, node: &Node, place: Place) -> Result<Node, ProjectError> {
        let value = match &node.value {
            Value::Text(text) => self.text(text, place).map_err(|message| ProjectError {
                message,
                span: Some(node.span.clone()),
                hint: None,
            })?,
            Value::List(nodes) => {
                let each = nodes.iter().map(|node| self.resolve(node, place));
                Value::List(each.collect::<Result<_, _>>()?)
            }
            Value::Map(entries) => {
                let each = entries.iter().map(|(key, node)| {
                    let key_node =
                        Node { span: key.span.clone(), value: Value::Text(key.value.clone()) };
                    let filled = plain_text(&self.resolve(&key_node, Place::Plain)?.value);
                    let key = Located::new(filled, key.span.clone());
                    Ok((key, self.resolve(node, place)?))
                });
                Value::Map(each.collect::<Result<_, ProjectError>>()?)
            }
            other => other.clone(),
        };
        Ok(Node { span: node.span.clone(), value })
    }

    fn text(&self, text: &str, place: Place) -> Result<Value, String> {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, expression, after)) = next(rest) {
            let node = self.select(expression)?;
            if (before, after, filled.as_str()) == ("", "", "") && may_be_whole(node, place) {
                return Ok(node.value.clone());
            }
            filled.push_str(before);
            filled.push_str(&within(&node.value, expression, place)?);
            rest = after;
        }
        filled.push_str(rest);
        Ok(Value::Text(filled.replace(r"\${", "${")))
    }
}

/// What is before the next `${...}`, what is in it and what is after it.
fn next(text: &str) -> Option<(&str, &str, &str)> {
    let mut from = 0;
    loop {
        let at = from + text.get(from..)?.find("${")?;
        if text[..at].ends_with('\\') {
            from = at + 2;
            continue;
        }
        let (expression, after) = text.get(at + 2..)?.split_once('}')?;
        return Some((&text[..at], expression, after));
    }
}

fn may_be_whole(node: &Node, place: Place) -> bool {
    place == Place::Iterable || !matches!(node.value, Value::List(_) | Value::Map(_))
}

fn within(value: &Value, expression: &str, place: Place) -> Result<String, String> {
    match value {
        Value::Map(_) if place == Place::Command => words("", value, expression),
        Value::List(_) | Value::Map(_) => {
            Err(format!("${{{expression}}} is {}, which cannot stand in a text", value.kind()))
        }
        scalar => Ok(plain_text(scalar)),
    }
}

/// A map as words of a command: `--key value`, `--key` for what is true, nothing for what is false.
fn words(above: &str, value: &Value, expression: &str) -> Result<String, String> {
    let Value::Map(entries) = value else { return Ok(String::new()) };
    let mut all = Vec::new();
    for (key, node) in entries {
        let key = format!("{above}{}", key.value);
        match &node.value {
            Value::Map(_) => all.push(words(&format!("{key}."), &node.value, expression)?),
            Value::Truth(true) => all.push(format!("--{key}")),
            Value::Truth(false) => {}
            Value::List(nodes) => {
                let each = nodes.iter().map(|node| word(&node.value, expression));
                let each = each.collect::<Result<Vec<_>, _>>()?;
                if !each.is_empty() {
                    all.push(format!("--{key} {}", each.join(" ")));
                }
            }
            scalar => all.push(format!("--{key} {}", word(scalar, expression)?)),
        }
    }
    all.retain(|words| !words.is_empty());
    Ok(all.join(" "))
}

fn word(value: &Value, expression: &str) -> Result<String, String> {
    match value {
        Value::List(_) | Value::Map(_) => Err(format!("${{{expression}}} holds lists of lists")),
        Value::Text(text) => Ok(super::shell_word(text)),
        scalar => Ok(plain_text(scalar)),
    }
}

fn unknown(expression: &str, part: &str, at: &Node) -> String {
    let near = match &at.value {
        Value::Map(entries) => {
            suggest::nearest(part, entries.iter().map(|(key, _)| key.value.as_str()))
        }
        _ => None,
    };
    let near = near.map_or(String::new(), |near| format!("; did you mean \"{near}\"?"));
    format!("${{{expression}}}: nothing is called \"{part}\" in vars or parameter files{near}")
}

fn merge(into: &mut Node, more: &Node) {
    let (Value::Map(entries), Value::Map(others)) = (&mut into.value, &more.value) else {
        into.clone_from(more);
        return;
    };
    for (key, node) in others {
        match entries.iter_mut().find(|(other, _)| other == key) {
            Some((_, old)) => merge(old, node),
            None => entries.push((key.clone(), node.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::parse;

    fn context() -> Context {
        let mut context = Context::default();
        let text = "train: {lr: 1e-5, layers: [64, 8], amp: true, name: it's}\nseed: 0.10";
        context.add(&parse(text).unwrap());
        context
    }

    fn filled(text: &str, place: Place) -> Result<String, String> {
        let node = Node { span: 0..0, value: Value::Text(text.to_owned()) };
        let node = context().resolve(&node, place).map_err(|error| error.message)?;
        Ok(plain_text(&node.value))
    }

    #[test]
    fn values_are_written_as_in_python() {
        for (text, expected) in [
            ("--lr ${train.lr} ${train.layers[1]} ${seed}", "--lr 1e-05 8 0.1"),
            ("a ${ train.amp } \\${HOME} $HOME {x}", "a true ${HOME} $HOME {x}"),
            ("x ${train}", "x --lr 1e-05 --layers 64 8 --amp --name 'it'\"'\"'s'"),
        ] {
            assert_eq!(filled(text, Place::Command).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn what_is_not_there_is_named() {
        let error = filled("${train.lrr}", Place::Plain).unwrap_err();
        assert!(error.contains("\"lrr\"") && error.contains("did you mean \"lr\"?"), "{error}");
        let error = filled("a ${train.layers}", Place::Plain).unwrap_err();
        assert!(error.contains("is a list"), "{error}");
    }
}
