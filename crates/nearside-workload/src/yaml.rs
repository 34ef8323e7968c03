//! YAML with the place of everything in it, for errors that point at a line and column.
//!
//! Plain scalars are read by the core schema of YAML 1.2 (`yes` is a text). Aliases are written out,
//! `<<` merges; how deep and how much in all is bounded, so that no file takes all memory.

use std::collections::BTreeMap;
use std::ops::Range;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, StrInput};

use crate::{Located, ProjectError};

/// How deep lists and maps may lie in each other.
const DEEPEST: usize = 64;
/// Values of one file, with aliases written out, at most.
const MOST_VALUES: usize = 200_000;

/// A value and its bytes in the text.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    pub(crate) span: Range<usize>,
    pub(crate) value: Value,
}

/// A value of YAML, JSON or TOML.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Null,
    Truth(bool),
    Whole(i64),
    Decimal(f64),
    Text(String),
    List(Vec<Node>),
    /// In the order of the file.
    Map(Vec<(Located<String>, Node)>),
}

impl Node {
    /// What a key of a map holds.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        match &self.value {
            Value::Map(entries) => {
                entries.iter().find(|(name, _)| name.value == key).map(|(_, node)| node)
            }
            _ => None,
        }
    }
}

impl Value {
    /// What it is, for messages.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Truth(_) => "a truth value",
            Self::Whole(_) | Self::Decimal(_) => "a number",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
        }
    }
}

/// Reads a text that holds one document; an empty one holds nothing.
pub(crate) fn parse(text: &str) -> Result<Node, ProjectError> {
    let mut starts: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
    starts.push(text.len());
    let parser = Parser::new_from_str(text);
    let mut builder = Builder { parser, starts, anchors: BTreeMap::new(), values: 0 };
    builder.document()
}

/// Makes values of the events of the parser.
struct Builder<'a> {
    parser: Parser<'a, StrInput<'a>>,
    /// The byte at which each character starts.
    starts: Vec<usize>,
    anchors: BTreeMap<usize, Node>,
    values: usize,
}

impl<'a> Builder<'a> {
    fn document(&mut self) -> Result<Node, ProjectError> {
        let mut found = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => break,
                Event::StreamStart | Event::DocumentEnd | Event::Nothing => {}
                Event::DocumentStart(_) if found.is_some() => {
                    return Err(wrong(self.bytes(span), "a second document in one file"));
                }
                Event::DocumentStart(_) => {
                    let (event, span) = self.next()?;
                    found = Some(self.node(event, span, 0)?);
                }
                _ => return Err(wrong(self.bytes(span), "a value outside of a document")),
            }
        }
        Ok(found.unwrap_or(Node { span: 0..0, value: Value::Null }))
    }

    fn next(&mut self) -> Result<(Event<'a>, Span), ProjectError> {
        match self.parser.next_event() {
            Some(Ok(found)) => Ok(found),
            Some(Err(error)) => {
                let at = self.byte(error.marker().index());
                Err(wrong(at..at, &format!("this is no YAML: {}", error.info())))
            }
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Node, ProjectError> {
        let bytes = self.bytes(span);
        self.count(&bytes, 1)?;
        if depth > DEEPEST {
            return Err(wrong(bytes, &format!("more than {DEEPEST} levels")));
        }
        let (anchor, value) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain && tag.is_none();
                (anchor, if plain { scalar(&text) } else { Value::Text(text.into_owned()) })
            }
            Event::SequenceStart(anchor, _) => (anchor, self.list(depth)?),
            Event::MappingStart(anchor, _) => (anchor, self.map(depth)?),
            Event::Alias(anchor) => return self.alias(anchor, bytes),
            _ => return Err(wrong(bytes, "a value is missing")),
        };
        let node = Node { span: bytes, value };
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn alias(&mut self, anchor: usize, span: Range<usize>) -> Result<Node, ProjectError> {
        let Some(node) = self.anchors.get(&anchor).cloned() else {
            return Err(wrong(span, "an alias of something that holds it"));
        };
        self.count(&span, size(&node))?;
        Ok(Node { span, value: node.value })
    }

    fn count(&mut self, span: &Range<usize>, more: usize) -> Result<(), ProjectError> {
        self.values = self.values.saturating_add(more);
        match self.values > MOST_VALUES {
            true => Err(wrong(span.clone(), &format!("more than {MOST_VALUES} values"))),
            false => Ok(()),
        }
    }

    fn list(&mut self, depth: usize) -> Result<Value, ProjectError> {
        let mut nodes = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Value::List(nodes)),
                (event, span) => nodes.push(self.node(event, span, depth + 1)?),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Value, ProjectError> {
        let mut entries: Vec<(Located<String>, Node)> = Vec::new();
        let mut merged = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::MappingEnd {
                break;
            }
            let key = self.key(event, span, depth)?;
            let (event, span) = self.next()?;
            let node = self.node(event, span, depth + 1)?;
            if key.value == "<<" {
                merged.extend(merges(node)?);
            } else if entries.iter().any(|(other, _)| *other == key) {
                return Err(wrong(key.span, &format!("\"{}\" is there twice", key.value)));
            } else {
                entries.push((key, node));
            }
        }
        for (key, node) in merged {
            if entries.iter().all(|(other, _)| *other != key) {
                entries.push((key, node));
            }
        }
        Ok(Value::Map(entries))
    }

    fn key(
        &mut self,
        event: Event<'a>,
        span: Span,
        depth: usize,
    ) -> Result<Located<String>, ProjectError> {
        let node = self.node(event, span, depth + 1)?;
        match node.value {
            Value::List(_) | Value::Map(_) => Err(wrong(node.span, "a key must be a text")),
            value => Ok(Located::new(plain_text(&value), node.span)),
        }
    }

    fn byte(&self, character: usize) -> usize {
        let end = self.starts.last().copied().unwrap_or(0);
        self.starts.get(character).copied().unwrap_or(end)
    }

    fn bytes(&self, span: Span) -> Range<usize> {
        self.byte(span.start.index())..self.byte(span.end.index())
    }
}

/// The entries that `<<` brings in: those of a map, or of several.
fn merges(node: Node) -> Result<Vec<(Located<String>, Node)>, ProjectError> {
    match node.value {
        Value::Map(entries) => Ok(entries),
        Value::List(nodes) => {
            let each = nodes.into_iter().map(merges).collect::<Result<Vec<_>, _>>()?;
            Ok(each.into_iter().flatten().collect())
        }
        _ => Err(wrong(node.span, "\"<<\" merges maps only")),
    }
}

fn size(node: &Node) -> usize {
    match &node.value {
        Value::List(nodes) => nodes.iter().map(size).sum::<usize>() + 1,
        Value::Map(entries) => entries.iter().map(|(_, node)| size(node)).sum::<usize>() + 1,
        _ => 1,
    }
}

fn wrong(span: Range<usize>, message: &str) -> ProjectError {
    ProjectError { message: message.to_owned(), span: Some(span), hint: None }
}

/// A plain scalar by the core schema.
fn scalar(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Truth(true),
        "false" | "False" | "FALSE" => return Value::Truth(false),
        ".nan" | ".NaN" | ".NAN" => return Value::Decimal(f64::NAN),
        ".inf" | ".Inf" | "+.inf" => return Value::Decimal(f64::INFINITY),
        "-.inf" | "-.Inf" => return Value::Decimal(f64::NEG_INFINITY),
        _ => {}
    }
    let radix = |prefix: &str, radix| {
        text.strip_prefix(prefix).and_then(|rest| i64::from_str_radix(rest, radix).ok())
    };
    if let Some(number) = radix("0x", 16).or_else(|| radix("0o", 8)) {
        return Value::Whole(number);
    }
    let is_number = text.contains(|letter: char| letter.is_ascii_digit())
        && text.chars().all(|letter| letter.is_ascii_digit() || "+-.eE".contains(letter));
    match (is_number, text.parse::<i64>(), text.parse::<f64>()) {
        (true, Ok(number), _) => Value::Whole(number),
        (true, _, Ok(number)) => Value::Decimal(number),
        _ => Value::Text(text.to_owned()),
    }
}

/// A scalar as Python writes it, which is how pipelines put it into commands.
pub(crate) fn plain_text(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Truth(truth) => truth.to_string(),
        Value::Whole(number) => number.to_string(),
        Value::Decimal(number) => decimal(*number),
        Value::Text(text) => text.clone(),
        Value::List(_) | Value::Map(_) => String::new(),
    }
}

/// The shortest digits that read back as the same number; with an exponent below 1e-4 and from 1e16.
fn decimal(number: f64) -> String {
    if !number.is_finite() {
        return number.to_string().to_lowercase();
    }
    let scientific = format!("{number:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    match exponent.parse::<i32>().unwrap_or(0) {
        -4..=15 if number.fract() == 0.0 => format!("{number:.1}"),
        -4..=15 => number.to_string(),
        exponent => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{digits}e{sign}{:02}", exponent.abs())
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn value(text: &str) -> Value {
        parse(text).unwrap().value
    }

    #[test]
    fn scalars_are_those_of_the_core_schema() {
        for (text, expected) in [
            ("yes", Value::Text("yes".to_owned())),
            ("True", Value::Truth(true)),
            ("", Value::Null),
            ("0x10", Value::Whole(16)),
            ("1e-3", Value::Decimal(0.001)),
            ("'12'", Value::Text("12".to_owned())),
            ("1.2.3", Value::Text("1.2.3".to_owned())),
        ] {
            assert_eq!(value(text), expected, "{text}");
        }
        for (number, text) in
            [(0.1, "0.1"), (1e-5, "1e-05"), (2.5e-4, "0.00025"), (3.0, "3.0"), (1e16, "1e+16")]
        {
            assert_eq!(plain_text(&Value::Decimal(number)), text);
        }
    }

    #[test]
    fn aliases_are_written_out_and_merged() {
        let text = "base: &base {a: 1, b: 2}\nmore:\n  <<: *base\n  b: 3\nlist: [*base]\n";
        let root = parse(text).unwrap();
        let more = root.get("more").unwrap();
        assert_eq!(more.get("a").unwrap().value, Value::Whole(1));
        assert_eq!(more.get("b").unwrap().value, Value::Whole(3));
        let bomb: String = (0..9).fold("a0: &a0 [x, x]\n".to_owned(), |text, level| {
            let alias = format!("*a{level}, ").repeat(9);
            format!("{text}a{}: &a{} [{alias}]\n", level + 1, level + 1)
        });
        assert!(parse(&bomb).unwrap_err().message.contains("values"));
    }

    #[test]
    fn errors_know_their_line_and_column() {
        for (text, place, says) in [
            ("a: 1\nb: [1, 2\n", (3, 1), "this is no YAML"),
            ("ä: 1\nb: 2\nä: 3\n", (3, 1), "there twice"),
            ("a: 1\n---\nb: 1\n", (2, 1), "second document"),
            ("a: &x [*x]\n", (1, 8), "alias"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.message.contains(says), "{error}");
            assert_eq!(error.line_and_column(text), Some(place), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[a-c:\\-\\[\\]{}&*<#'\"|>\n ,0-9é]{0,60}") {
            let _ = parse(&text);
        }

        #[test]
        fn json_is_read(number in any::<i32>(), text in "[a-z\"\\\\é]{0,8}") {
            let json = serde_json::json!({"a": [number, text.clone()]}).to_string();
            let node = parse(&json).unwrap();
            let Value::List(nodes) = &node.get("a").unwrap().value else { panic!() };
            prop_assert_eq!(&nodes[0].value, &Value::Whole(number.into()));
            prop_assert_eq!(&nodes[1].value, &Value::Text(text));
        }
    }
}
