//! `foreach` and `matrix`: one stage of a pipeline file that stands for many.

use super::fill::{Context, Place};
use super::keys::{self, entries, wrong};
use super::{DvcStage, MOST_STAGES, Reading, trials};
use crate::yaml::{Node, Value, plain_text};
use crate::{Located, ProjectError};

/// One of the many: what is behind the `@` of its name, and what `item` and `key` are for it.
#[derive(Clone, Debug)]
pub(super) struct Round {
    pub(super) key: String,
    pub(super) item: Node,
    names: Vec<&'static str>,
}

impl Round {
    pub(super) fn context(&self, context: &Context) -> Context {
        let key = Node { span: self.item.span.clone(), value: Value::Text(self.key.clone()) };
        self.names.iter().fold(context.clone(), |context, name| match *name {
            "key" => context.with("key", key.clone()),
            name => context.with(name, self.item.clone()),
        })
    }
}

impl Reading<'_> {
    /// The stages that an entry of `stages` stands for.
    pub(super) fn group(&mut self, name: &str, node: &Node) -> Result<Vec<DvcStage>, ProjectError> {
        let (template, rounds) = match (node.get("foreach"), node.get("matrix")) {
            (Some(iterable), _) => {
                keys::check(node, &format!("stage \"{name}\""), &["foreach", "do"])?;
                let Some(template) = node.get("do") else {
                    return Err(wrong(node, &format!("stage \"{name}\" has foreach without do")));
                };
                (template, foreach(&self.context.resolve(iterable, Place::Iterable)?)?)
            }
            (None, Some(axes)) => (node, matrix(&self.context.resolve(axes, Place::Iterable)?)?),
            (None, None) => {
                let entry = self.entry(name, node, &self.context)?;
                self.pipeline.lost.extend(entry.lost.clone());
                return Ok(vec![entry.stage()]);
            }
        };
        let mut written_out = Vec::new();
        for round in &rounds {
            let name = format!("{name}@{}", round.key);
            written_out.push(self.entry(&name, template, &round.context(&self.context))?);
        }
        if let Some(entry) = written_out.first() {
            self.pipeline.lost.extend(entry.lost.clone());
        }
        match trials::together(self, name, template, &rounds, &written_out)? {
            Some(stage) => Ok(vec![stage]),
            None => Ok(written_out.into_iter().map(super::entry::Entry::stage).collect()),
        }
    }
}

/// A list of scalars goes by its values, a list of anything else by its places, a map by its keys.
fn foreach(iterable: &Node) -> Result<Vec<Round>, ProjectError> {
    match &iterable.value {
        Value::Map(entries) => Ok(entries
            .iter()
            .map(|(key, item)| Round {
                key: key.value.clone(),
                item: item.clone(),
                names: vec!["item", "key"],
            })
            .collect()),
        Value::List(items) => {
            let composite = items.iter().any(|item| is_composite(&item.value));
            let mut rounds: Vec<Round> = Vec::new();
            for (place, item) in items.iter().enumerate() {
                let key = if composite { place.to_string() } else { plain_text(&item.value) };
                if rounds.iter().all(|round| round.key != key) {
                    rounds.push(Round { key, item: item.clone(), names: vec!["item"] });
                }
            }
            Ok(rounds)
        }
        other => {
            let message = format!("foreach goes through a list or a map, not {}", other.kind());
            Err(wrong(iterable, &message))
        }
    }
}

/// Parts of a name, and the value of every axis so far.
type Combination = (Vec<String>, Vec<(Located<String>, Node)>);

/// Every combination; the last axis changes fastest.
fn matrix(axes: &Node) -> Result<Vec<Round>, ProjectError> {
    if !matches!(axes.value, Value::Map(_)) {
        return Err(wrong(axes, "a matrix is a map of lists"));
    }
    let mut combinations: Vec<Combination> = vec![(Vec::new(), Vec::new())];
    for (axis, values) in entries(axes) {
        let values = keys::list(values)?;
        if combinations.len().saturating_mul(values.len()) > MOST_STAGES {
            return Err(wrong(axes, &format!("more than {MOST_STAGES} stages")));
        }
        let with = |(parts, item): &Combination, place: usize, value: &Node| {
            let part = match is_composite(&value.value) {
                true => format!("{}{place}", axis.value),
                false => plain_text(&value.value),
            };
            let (mut parts, mut item) = (parts.clone(), item.clone());
            parts.push(part);
            item.push((axis.clone(), value.clone()));
            (parts, item)
        };
        combinations = combinations
            .iter()
            .flat_map(|before| {
                values.iter().enumerate().map(move |(place, value)| with(before, place, value))
            })
            .collect();
    }
    let round = |(parts, item): Combination| Round {
        key: parts.join("-"),
        item: Node { span: axes.span.clone(), value: Value::Map(item) },
        names: vec!["item", "key"],
    };
    Ok(combinations.into_iter().map(round).collect())
}

const fn is_composite(value: &Value) -> bool {
    matches!(value, Value::List(_) | Value::Map(_))
}
