//! What the result of a stage depends on, part by part.

use std::collections::BTreeSet;

use nearside_store::{Digest, Fields};
use serde::{Deserialize, Serialize};

/// What the result of a stage depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Of all parts.
    pub digest: Digest,
    /// The parts, in the order in which they were looked at.
    pub parts: Vec<Part>,
}

/// One thing that a result depends on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// What it is, as in `input data/tickets.csv` or `tool python`.
    pub name: String,
    /// The digest of its content, or a text that is one already.
    pub content: String,
    /// The content itself where it is a short text, such as a command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

impl Part {
    /// A part by the digest of its content.
    pub(crate) fn of(name: String, digest: &Digest) -> Self {
        Self { name, content: digest.to_string(), text: None }
    }

    /// A part that is a text.
    pub(crate) fn text(name: String, text: &str) -> Self {
        let content = Digest::of(text.as_bytes()).to_string();
        Self { name, content, text: Some(text.to_owned()) }
    }
}

/// A part that is no longer what it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// The part.
    pub name: String,
    /// What happened to it.
    pub how: How,
}

/// What happened to a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum How {
    /// It was not there before.
    New,
    /// It is no longer there.
    Gone,
    /// Its content is another one; both where they are short texts.
    Other(Option<(String, String)>),
}

impl std::fmt::Display for Changed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = &self.name;
        match &self.how {
            How::New => write!(f, "{name} is new"),
            How::Gone => write!(f, "{name} is gone"),
            How::Other(None) => write!(f, "{name} changed"),
            How::Other(Some((before, now))) => write!(f, "{name} changed: {before} -> {now}"),
        }
    }
}

/// Of texts of many lines, such as the facts of an environment, the lines that the other has not.
fn differing((before, now): (String, String)) -> (String, String) {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
    let (old, new) = (lines(&before), lines(&now));
    if old.len().max(new.len()) < 2 {
        return (before, now);
    }
    let only = |these: &BTreeSet<String>, others: &BTreeSet<String>| {
        let only: Vec<_> = these.difference(others).cloned().collect();
        if only.is_empty() { "nothing".to_owned() } else { only.join(", ") }
    };
    match (only(&old, &new), only(&new, &old)) {
        // Nothing but their order is another one.
        (left, right) if left == right => (before, now),
        sides => sides,
    }
}

impl Key {
    /// The key of these parts.
    #[must_use]
    pub fn of(parts: Vec<Part>) -> Self {
        let add = |fields: Fields, part: &Part| fields.text(&part.name).text(&part.content);
        let digest = parts.iter().fold(Fields::default().text("stage 1"), add).digest();
        Self { digest, parts }
    }

    /// What is different from the parts of another time.
    #[must_use]
    pub fn changed_since(&self, before: &[Part]) -> Vec<Changed> {
        let same =
            |name: &str, parts: &[Part]| parts.iter().find(|part| part.name == name).cloned();
        let now = self.parts.iter().filter_map(|part| {
            let how = match same(&part.name, before) {
                None => How::New,
                Some(old) if old.content == part.content => return None,
                Some(old) => How::Other(old.text.zip(part.text.clone()).map(differing)),
            };
            Some(Changed { name: part.name.clone(), how })
        });
        let gone = before.iter().filter(|part| same(&part.name, &self.parts).is_none());
        let gone = gone.map(|part| Changed { name: part.name.clone(), how: How::Gone });
        now.chain(gone).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changed_is_named() {
        let part = |name: &str, text: &str| Part::text(name.to_owned(), text);
        let before = [part("command", "a"), part("input x", "1"), part("tool y", "2")];
        let key = Key::of(vec![part("command", "b"), part("input x", "1"), part("input z", "3")]);
        let changed = key.changed_since(&before);
        let changed: Vec<_> = changed.iter().map(ToString::to_string).collect();
        assert_eq!(changed, ["command changed: a -> b", "input z is new", "tool y is gone"]);
        assert!(key.changed_since(&key.parts).is_empty());
        let facts = |text: &str| Key::of(vec![part("environment", text)]);
        let changed = |now: &str, before: &str| {
            let changed = facts(now).changed_since(&facts(before).parts);
            changed.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(changed("a 1\nb 2", "a 1\nb 1"), ["environment changed: b 1 -> b 2"]);
        assert_eq!(changed("a 1", "a 1\nb 1"), ["environment changed: b 1 -> nothing"]);
        let moved = Key::of(vec![part("command", "b"), part("input x", "1"), part("input z", "4")]);
        assert_ne!(moved.digest, key.digest);
    }
}
