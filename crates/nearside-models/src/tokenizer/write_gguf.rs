//! A tokenizer of JSON files as the metadata of a GGUF file.
//!
//! - Byte-pair encoding of bytes is `gpt2`: tokens, merges, and the name of the way in which text is cut into words,
//!   which is found by the patterns of the file.
//! - Byte-pair encoding of characters that falls back on bytes is `llama`: tokens with scores. SentencePiece joins what
//!   has the greatest score first; the file has that order as a list of merges, so the score of a token is how early
//!   it is first made.
//!
//! What is written is read again and cuts texts as the JSON does, or it is an error: texts of several scripts, and the
//! tokens' own. Facts: `conversion/base.py` and `gguf/vocab.py` of llama.cpp.

use std::collections::BTreeMap;

use nearside_architecture::header::gguf;
use serde::Deserialize;
use serde_json::Value;

use crate::file::{MetadataArray, MetadataValue, gguf_header};
use crate::stored::StoredModel;

use super::pre_tokenizer::{self, Words};
use super::scored::SPACE;
use super::vocabulary::Kind;
use super::{AddSpecial, ControlText, Decoding, Tokenizer, TokenizerError, of_model};

const FILE: &str = "tokenizer.json";
/// The most tokens whose texts are cut to see whether both ways agree.
const TRIED: usize = 4096;
/// What is cut besides: several scripts, digits, spaces, code and signs.
const PROBE: &str = "Hello World! It's 2024, we've paid 1234.56 € (or $1,300) for 3x3=9 books…\n\n\
    Größe, naïve façade — “quoted” ‘text’.\tŁódź, İstanbul. Привет, мир! Γειά σου Κόσμε. שלום עולם. مرحبا بالعالم\n\
    नमस्ते दुनिया। สวัสดีชาวโลก 你好，世界！こんにちは世界。안녕하세요 세계 🚀🦙 👨‍👩‍👧 \n   indented\n\t\ttabs\r\nfn main() { x += 1; } // ok??!\n\
    https://example.org/a_b?c=d&e=%20  two  spaces    four 'LL 'Re don't DON'T   ";

/// The pairs of a tokenizer.
pub(crate) struct Pairs {
    /// Keys and values.
    pub(crate) pairs: Vec<(String, MetadataValue)>,
    /// What the file has no place for, a sentence each.
    pub(crate) left_out: Vec<String>,
}

/// The parts of a `tokenizer.json` that make it one kind or the other.
#[derive(Deserialize)]
struct File {
    model: Model,
    pre_tokenizer: Option<Value>,
    normalizer: Option<Value>,
}

#[derive(Deserialize)]
struct Model {
    #[serde(rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    merges: Vec<Merge>,
    #[serde(default)]
    byte_fallback: bool,
    #[serde(default)]
    ignore_merges: bool,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Merge {
    Text(String),
    Pair(String, String),
}

/// How a token is written in GGUF files.
struct Written {
    texts: Vec<String>,
    kinds: Vec<Kind>,
}

impl Tokenizer {
    /// The pairs of a folder's tokenizer, for an embedding of so many rows.
    ///
    /// # Errors
    /// When there is none, or GGUF has no word for what it does.
    pub(crate) fn gguf_pairs(stored: &StoredModel, rows: u64) -> Result<Pairs, TokenizerError> {
        let bytes = of_model::read(stored, FILE)?.ok_or_else(|| wrong("there is none"))?;
        let file: File =
            serde_json::from_slice(&bytes).map_err(|error| wrong(&error.to_string()))?;
        let tokenizer = Self::of(stored)?;
        let rows = usize::try_from(rows).unwrap_or(usize::MAX);
        let (written, left_out) = tokenizer.written(rows)?;
        let mut pairs = match file.form()? {
            Form::Merged(name) => {
                let mut pairs = vec![text("model", "gpt2"), text("pre", name)];
                let merges = file.model.merges.iter().map(Merge::text).collect();
                pairs.push(array("merges", MetadataArray::Text(merges)));
                pairs
            }
            Form::Scored { space_before } => {
                let mut pairs = vec![text("model", "llama"), text("pre", "default")];
                let scores = scores(&file.model.merges, &written);
                pairs.push(array("scores", MetadataArray::F32(scores)));
                if !space_before {
                    pairs.push(flag("add_space_prefix", false));
                }
                pairs
            }
        };
        let bytes_named = pairs.iter().any(|(key, _)| key.ends_with("scores"));
        pairs.extend(written.pairs(bytes_named));
        pairs.extend(tokenizer.special_pairs()?);
        tokenizer.check(&pairs)?;
        Ok(Pairs { pairs, left_out })
    }

    /// Texts and kinds of as many tokens as the embedding has rows: what has none has no token either, and rows without
    /// a token have one that nobody makes.
    fn written(&self, rows: usize) -> Result<(Written, Vec<String>), TokenizerError> {
        let (mut texts, mut kinds) = (Vec::new(), Vec::new());
        for (id, token, kind) in self.vocabulary.iter().take(rows) {
            let kind = match kind {
                _ if self.special.unknown == Some(id)
                    && !matches!(self.decoding, Decoding::ByteLevel) =>
                {
                    Kind::Unknown
                }
                Kind::UserDefined if looks_special(token) => Kind::Control,
                kind => kind,
            };
            texts.push(match kind {
                Kind::Unused => format!("[PAD{id}]"),
                Kind::UserDefined => token.replace(SPACE, " "),
                _ => token.to_owned(),
            });
            kinds.push(kind);
        }
        let beyond: Vec<_> = self.vocabulary.iter().skip(rows).collect();
        if let Some((id, token, _)) = beyond.iter().find(|(_, _, kind)| *kind == Kind::Normal) {
            return Err(wrong(&format!(
                "token {id} (\"{token}\") is beyond the {rows} of the embedding"
            )));
        }
        let left_out = beyond.iter().map(|(id, token, _)| {
            format!("token {id} ({token}) is left out: the embedding has {rows} rows")
        });
        let left_out = left_out.collect();
        for id in texts.len()..rows {
            texts.push(format!("[PAD{id}]"));
            kinds.push(Kind::Unused);
        }
        Ok((Written { texts, kinds }, left_out))
    }

    /// Which tokens steer the model, what is put around a text, and the chat templates.
    fn special_pairs(&self) -> Result<Vec<(String, MetadataValue)>, TokenizerError> {
        let special = &self.special;
        let mut pairs = Vec::new();
        for (key, id) in [
            ("bos_token_id", special.begin),
            ("eos_token_id", special.end),
            ("unknown_token_id", special.unknown),
            ("padding_token_id", special.padding),
        ] {
            pairs.extend(id.map(|id| (key_of(key), MetadataValue::U32(id))));
        }
        let around = |added: &[u32], token: Option<u32>| match added {
            [] => Ok(false),
            [one] if Some(*one) == token => Ok(true),
            _ => Err(wrong("it puts other tokens around a text than those that begin and end one")),
        };
        pairs.push(flag("add_bos_token", around(&self.affixes.before, special.begin)?));
        pairs.push(flag("add_eos_token", around(&self.affixes.after, special.end)?));
        let mut names = Vec::new();
        for (name, source) in &special.templates {
            let source = MetadataValue::Text(source.clone());
            if name == "default" {
                pairs.push(("tokenizer.chat_template".to_owned(), source));
            } else {
                pairs.push((format!("tokenizer.chat_template.{name}"), source));
                names.push(name.clone());
            }
        }
        if !names.is_empty() {
            let names = MetadataValue::Array(MetadataArray::Text(names));
            pairs.push(("tokenizer.chat_templates".to_owned(), names));
        }
        Ok(pairs)
    }

    /// An error where the pairs are a tokenizer that cuts texts otherwise.
    fn check(&self, pairs: &[(String, MetadataValue)]) -> Result<(), TokenizerError> {
        let unread = |error: &dyn std::fmt::Display| wrong(&format!("as GGUF: {error}"));
        let bytes = gguf_header(pairs, &[]).map_err(|error| unread(&error))?;
        let header = gguf::parse(&bytes, None).map_err(|error| unread(&error))?;
        let read = Self::from_gguf(&header, &bytes)?;
        let of_text = |kind| matches!(kind, Kind::Normal | Kind::Byte);
        let normal =
            self.vocabulary.iter().filter(|(id, _, kind)| of_text(*kind) && *id < read.size());
        let every = (self.vocabulary.size() as usize).div_ceil(TRIED).max(1);
        let tokens: Vec<u32> = normal.step_by(every).map(|(id, ..)| id).collect();
        let of_tokens = self.decode(&tokens, super::SkipSpecial::Skip)?;
        for text in PROBE.split_inclusive('\n').chain(of_tokens.split_inclusive(' ')) {
            let cut =
                |tokenizer: &Self| tokenizer.encode(text, AddSpecial::Add, ControlText::Plain);
            if cut(self)? != cut(&read)? {
                let text: String = text.chars().take(64).collect();
                return Err(wrong(&format!("as GGUF it would cut {text:?} into other tokens")));
            }
        }
        Ok(())
    }
}

/// Which kind of tokenizer a file has.
enum Form {
    /// Merges of bytes; how GGUF files call its way of cutting words.
    Merged(&'static str),
    /// Scores of characters.
    Scored {
        /// Whether a space is put before a text.
        space_before: bool,
    },
}

impl File {
    fn form(&self) -> Result<Form, TokenizerError> {
        let Model { kind, merges, byte_fallback, ignore_merges } = &self.model;
        if kind.as_deref().is_some_and(|kind| kind != "BPE") || merges.is_empty() {
            let kind = kind.as_deref().unwrap_or("unnamed");
            return Err(wrong(&format!("its model is {kind} and not BPE with merges")));
        }
        let steps = self.pre_tokenizer.as_ref().map(steps).unwrap_or_default();
        let is_bytes = steps.iter().any(|step| kind_of(step) == "ByteLevel");
        if is_bytes {
            let words = if *ignore_merges { Words::Whole } else { Words::Merged };
            return merged(&steps, words);
        }
        if !byte_fallback {
            return Err(wrong("its BPE is neither of bytes nor falls back on them"));
        }
        let space_before = self.space_before(&steps)?;
        Ok(Form::Scored { space_before })
    }

    /// Whether a space is put before a text that is cut by characters; an error for what else is done to text.
    fn space_before(&self, steps: &[&Value]) -> Result<bool, TokenizerError> {
        let normalizers = self.normalizer.as_ref().map(self::steps).unwrap_or_default();
        let mut before = false;
        for step in normalizers.iter().chain(steps) {
            let text = |field: &str| step.get(field).and_then(Value::as_str);
            let pattern = step.pointer("/pattern/String").and_then(Value::as_str);
            before |= match kind_of(step) {
                "Prepend" if text("prepend") == Some("▁") => true,
                "Replace" if pattern == Some(" ") && text("content") == Some("▁") => false,
                "Metaspace" if text("replacement") == Some("▁") => {
                    let old = step.get("add_prefix_space").and_then(Value::as_bool);
                    match text("prepend_scheme") {
                        Some(scheme) => scheme != "never",
                        None => old.unwrap_or(true),
                    }
                }
                // Spaces are gone by then.
                "Split" if pattern == Some(" ") => false,
                other => return Err(wrong(&format!("\"{other}\" on text is not known here"))),
            };
        }
        Ok(before)
    }
}

/// The way of cutting words that these steps are.
fn merged(steps: &[&Value], words: Words) -> Result<Form, TokenizerError> {
    let mut patterns = Vec::new();
    for step in steps {
        let is =
            |field: &str, otherwise| step.get(field).and_then(Value::as_bool).unwrap_or(otherwise);
        match kind_of(step) {
            "ByteLevel" if is("add_prefix_space", true) => {
                return Err(wrong("it puts a space before a text, which gpt2 files do not say"));
            }
            "ByteLevel" if is("use_regex", true) => patterns.push(pre_tokenizer::GPT2),
            "ByteLevel" => {}
            "Digits" if is("individual_digits", false) => patterns.push(r"\p{N}"),
            "Split" if step.get("behavior").and_then(Value::as_str) == Some("Isolated") => {
                let pattern = step.pointer("/pattern/Regex").and_then(Value::as_str);
                patterns.push(pattern.ok_or_else(|| wrong("it splits text by no pattern"))?);
            }
            other => {
                return Err(wrong(&format!(
                    "the way \"{other}\" of cutting text into words is not known"
                )));
            }
        }
    }
    match pre_tokenizer::with_patterns(&patterns, words) {
        Some(way) => Ok(Form::Merged(way.name())),
        None => {
            let patterns = patterns.join("  ").chars().take(200).collect::<String>();
            Err(wrong(&format!("no name of llama.cpp's is known for cutting words by {patterns}")))
        }
    }
}

/// The steps of a normalizer or pre-tokenizer, which may be a sequence of them.
fn steps(value: &Value) -> Vec<&Value> {
    let list =
        ["pretokenizers", "normalizers"].into_iter().find_map(|field| value.get(field)?.as_array());
    match list {
        Some(list) => list.iter().flat_map(steps).collect(),
        None if value.is_null() => Vec::new(),
        None => vec![value],
    }
}

fn kind_of(step: &Value) -> &str {
    step.get("type").and_then(Value::as_str).unwrap_or_default()
}

impl Merge {
    /// As GGUF has it: a space parts the pair, so one within it is the character that stands for it.
    fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Pair(left, right) => {
                format!("{} {}", left.replace(' ', "Ġ"), right.replace(' ', "Ġ"))
            }
        }
    }

    /// What it makes.
    fn made(&self) -> String {
        match self {
            Self::Text(text) => text.replacen(' ', "", 1),
            Self::Pair(left, right) => format!("{left}{right}"),
        }
    }
}

/// A score for every token: less for each that is made before it; the others come after all.
fn scores(merges: &[Merge], written: &Written) -> Vec<f32> {
    let mut made = BTreeMap::new();
    for merge in merges {
        let next = made.len();
        made.entry(merge.made()).or_insert(next);
    }
    let mut last = made.len();
    let score = |text: &String| {
        let rank = made.get(text).copied().unwrap_or_else(|| {
            last += 1;
            last - 1
        });
        -(rank as f32)
    };
    written.texts.iter().map(score).collect()
}

impl Written {
    fn pairs(&self, bytes_named: bool) -> [(String, MetadataValue); 2] {
        let number = |kind: &Kind| match kind {
            Kind::Unknown => 2,
            Kind::Control => 3,
            Kind::UserDefined => 4,
            Kind::Unused => 5,
            Kind::Byte if bytes_named => 6,
            Kind::Byte | Kind::Normal => 1,
        };
        let kinds = self.kinds.iter().map(number).collect();
        [
            array("tokens", MetadataArray::Text(self.texts.clone())),
            array("token_type", MetadataArray::I32(kinds)),
        ]
    }
}

/// Tokens that steer a model though their files do not say so.
fn looks_special(token: &str) -> bool {
    let between = |begin: &str, end: &str| token.starts_with(begin) && token.ends_with(end);
    matches!(token, "<pad>" | "<mask>" | "<2mass>" | "[@BOS@]")
        || between("<|", "|>")
        || between("<｜", "｜>")
        || between("<unused", ">")
}

fn wrong(reason: &str) -> TokenizerError {
    TokenizerError::File { file: FILE, reason: reason.to_owned() }
}

fn key_of(key: &str) -> String {
    format!("tokenizer.ggml.{key}")
}

fn text(key: &str, text: &str) -> (String, MetadataValue) {
    (key_of(key), MetadataValue::Text(text.to_owned()))
}

fn flag(key: &str, flag: bool) -> (String, MetadataValue) {
    (key_of(key), MetadataValue::Bool(flag))
}

fn array(key: &str, array: MetadataArray) -> (String, MetadataValue) {
    (key_of(key), MetadataValue::Array(array))
}
