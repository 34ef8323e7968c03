//! A tokenizer in the metadata of a GGUF file.
//!
//! Keys: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>, `tokenizer.ggml.*`; what holds where they are
//! silent is in `llama-vocab.cpp` of llama.cpp.

use std::collections::BTreeMap;

use nearside_architecture::header::gguf::{Elements, GgufHeader, Value};

use super::library::Library;
use super::scored::Scored;
use super::special::{Affixes, SpecialTokens};
use super::vocabulary::{Kind, Vocabulary};
use super::{Added, Decoding, Engine, Tokenizer, TokenizerError, encoders, json, pre_tokenizer};

const MODEL: &str = "tokenizer.ggml.model";
const TOKENS: &str = "tokenizer.ggml.tokens";
const SCORES: &str = "tokenizer.ggml.scores";
const TYPES: &str = "tokenizer.ggml.token_type";
const MERGES: &str = "tokenizer.ggml.merges";
const CHARACTERS: &str = "tokenizer.ggml.precompiled_charsmap";
const TEMPLATE: &str = "tokenizer.chat_template";

/// What a file says, and the bytes that it is said in.
#[derive(Clone, Copy)]
pub(super) struct Metadata<'file> {
    header: &'file GgufHeader,
    bytes: &'file [u8],
}

/// Special tokens where a file is silent.
#[derive(Clone, Copy, Default)]
struct Defaults {
    begin: Option<u32>,
    end: Option<u32>,
    unknown: Option<u32>,
    separator: Option<u32>,
    begins: bool,
    ends: bool,
}

impl Tokenizer {
    /// Reads a tokenizer from a GGUF header and the bytes that it was read from.
    ///
    /// # Errors
    /// When a key is missing or makes no sense, which the error names, or the tokenizer is of a kind that is not read.
    pub fn from_gguf(header: &GgufHeader, bytes: &[u8]) -> Result<Self, TokenizerError> {
        let metadata = Metadata { header, bytes };
        let kind = metadata.text(MODEL).ok_or_else(|| TokenizerError::key(MODEL, "is missing"))?;
        let mut vocabulary = metadata.vocabulary()?;
        mark_ends(&mut vocabulary);
        match kind {
            "llama" => scored(metadata, vocabulary),
            "gpt2" => merged(
                metadata,
                vocabulary,
                metadata.text("tokenizer.ggml.pre").unwrap_or_default(),
            ),
            "gemma4" => merged(metadata, vocabulary, "gemma4"),
            "bert" => word_piece(metadata, vocabulary),
            "t5" => unigram(metadata, vocabulary),
            other => Err(TokenizerError::Kind(other.chars().take(64).collect())),
        }
    }
}

/// Byte-pair encoding by scores.
fn scored(metadata: Metadata<'_>, vocabulary: Vocabulary) -> Result<Tokenizer, TokenizerError> {
    let scores = metadata.scores(&vocabulary)?;
    let (begin, end, unknown) = (Some(1), Some(2), Some(0));
    let defaults = Defaults { begin, end, unknown, begins: true, ..Defaults::default() };
    let (special, affixes) = metadata.special(&vocabulary, defaults);
    let space_before = metadata.flag("tokenizer.ggml.add_space_prefix").unwrap_or(true);
    let scored = Scored::new(&vocabulary, scores, special.unknown, space_before);
    let decoding = Decoding::Spaced { strip: space_before };
    let engine = Engine::Scored(scored, Added::new(&vocabulary)?);
    Tokenizer::new(engine, vocabulary, decoding, special, affixes)
}

/// Byte-pair encoding by merges.
fn merged(
    metadata: Metadata<'_>,
    vocabulary: Vocabulary,
    name: &str,
) -> Result<Tokenizer, TokenizerError> {
    let way = pre_tokenizer::find(name)?;
    let merges = metadata.merges()?;
    let defaults = Defaults { begins: way.begins, ..Defaults::default() };
    let (special, mut affixes) = metadata.special(&vocabulary, defaults);
    let decoding = match way.words {
        pre_tokenizer::Words::Characters => Decoding::Spaced { strip: false },
        _ => Decoding::ByteLevel,
    };
    // Files of that kind say that nothing is put before a text, and are wrong.
    if name == "gemma4" && affixes.before.is_empty() {
        affixes.before.extend(special.begin);
    }
    let library = Library::merged(&vocabulary, merges, way)?;
    let engine = Engine::Merged(library, Added::new(&vocabulary)?);
    Tokenizer::new(engine, vocabulary, decoding, special, affixes)
}

/// WordPiece: the files have a mark at the beginning of a word, the model has one everywhere else.
fn word_piece(metadata: Metadata<'_>, vocabulary: Vocabulary) -> Result<Tokenizer, TokenizerError> {
    let vocabulary = encoders::continued(&vocabulary);
    let defaults = Defaults {
        begin: Some(101),
        unknown: Some(100),
        separator: Some(102),
        begins: true,
        ..Defaults::default()
    };
    let (special, mut affixes) = metadata.special(&vocabulary, defaults);
    let separator = metadata.id("tokenizer.ggml.seperator_token_id", &vocabulary);
    affixes.after =
        separator.or(defaults.separator.filter(|id| *id < vocabulary.size())).into_iter().collect();
    let lowercase = metadata.flag("tokenizer.ggml.normalizer.lowercase").unwrap_or(true);
    let strip = metadata.flag("tokenizer.ggml.normalizer.strip_accents").unwrap_or(lowercase);
    let library = encoders::word_piece(&vocabulary, special.unknown, (lowercase, strip))?;
    let engine = Engine::Merged(library, Added::new(&vocabulary)?);
    Tokenizer::new(engine, vocabulary, Decoding::Library, special, affixes)
}

/// A unigram model.
fn unigram(metadata: Metadata<'_>, vocabulary: Vocabulary) -> Result<Tokenizer, TokenizerError> {
    let scores = metadata.scores(&vocabulary)?;
    let defaults = Defaults { end: Some(1), unknown: Some(2), ends: true, ..Defaults::default() };
    let (special, affixes) = metadata.special(&vocabulary, defaults);
    let options = encoders::Unigram {
        unknown: special.unknown,
        characters: metadata.characters()?,
        space_before: metadata.flag("tokenizer.ggml.add_space_prefix").unwrap_or(false),
        single_spaces: metadata.flag("tokenizer.ggml.remove_extra_whitespaces").unwrap_or(false),
    };
    let decoding = Decoding::Spaced { strip: options.space_before };
    let library = encoders::unigram(&vocabulary, &scores, &options)?;
    let engine = Engine::Merged(library, Added::new(&vocabulary)?);
    Tokenizer::new(engine, vocabulary, decoding, special, affixes)
}

/// What ends a text steers the model, whatever the file says that it is; only a piece of text is believed to be one.
fn mark_ends(vocabulary: &mut Vocabulary) {
    for name in super::special::ENDS {
        if let Some(id) = vocabulary.id(name)
            && vocabulary.kind(id) == Some(Kind::UserDefined)
        {
            vocabulary.set_kind(id, Kind::Control);
        }
    }
}

impl<'file> Metadata<'file> {
    fn value(&self, key: &str) -> Option<&'file Value> {
        Some(&self.header.values.get(key)?.value)
    }

    fn text(&self, key: &str) -> Option<&'file str> {
        match self.value(key)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    fn flag(&self, key: &str) -> Option<bool> {
        match self.value(key)? {
            Value::Bool(flag) => Some(*flag),
            _ => None,
        }
    }

    /// A token that the file names by its number; one that is not there is none.
    fn id(&self, key: &str, vocabulary: &Vocabulary) -> Option<u32> {
        let id = match self.value(key)? {
            Value::Unsigned(id) => u32::try_from(*id).ok()?,
            Value::Signed(id) => u32::try_from(*id).ok()?,
            _ => return None,
        };
        (id < vocabulary.size()).then_some(id)
    }

    fn array(&self, key: &'static str) -> Result<Option<Elements>, TokenizerError> {
        let Some(entry) = self.header.values.get(key) else { return Ok(None) };
        let elements = entry.elements(self.bytes);
        elements.map(Some).map_err(|source| TokenizerError::Array { key, source })
    }

    fn texts(&self, key: &'static str) -> Result<Vec<String>, TokenizerError> {
        match self.array(key)? {
            Some(Elements::Texts(texts)) => Ok(texts),
            Some(_) => Err(TokenizerError::key(key, "is no array of texts")),
            None => Err(TokenizerError::key(key, "is missing")),
        }
    }

    fn vocabulary(&self) -> Result<Vocabulary, TokenizerError> {
        let texts = self.texts(TOKENS)?;
        let mut kinds = match self.array(TYPES)? {
            Some(Elements::Integers(kinds)) => kinds.into_iter().map(Kind::numbered).collect(),
            None => vec![Kind::Normal; texts.len()],
            Some(_) => return Err(TokenizerError::key(TYPES, "is no array of whole numbers")),
        };
        if kinds.len() < texts.len() {
            return Err(TokenizerError::key(TYPES, "is shorter than the tokens are many"));
        }
        kinds.truncate(texts.len());
        Ok(Vocabulary::new(texts, kinds))
    }

    fn scores(&self, vocabulary: &Vocabulary) -> Result<Vec<f32>, TokenizerError> {
        let scores: Vec<_> = match self.array(SCORES)? {
            Some(Elements::Floats(scores)) => {
                scores.into_iter().map(|score| score as f32).collect()
            }
            Some(Elements::Integers(scores)) => {
                scores.into_iter().map(|score| score as f32).collect()
            }
            Some(_) => return Err(TokenizerError::key(SCORES, "is no array of numbers")),
            None => return Err(TokenizerError::key(SCORES, "is missing")),
        };
        if (scores.len() as u64) < u64::from(vocabulary.size()) {
            return Err(TokenizerError::key(SCORES, "is shorter than the tokens are many"));
        }
        Ok(scores)
    }

    /// Pairs of tokens; a space parts them, and one that comes first is none of those.
    fn merges(&self) -> Result<Vec<(String, String)>, TokenizerError> {
        let pairs = self.texts(MERGES)?.into_iter().map(|pair| {
            let first = pair.chars().next().map_or(0, char::len_utf8);
            let (head, tail) = pair.split_at(first);
            let (left, right) = tail.split_once(' ')?;
            Some((format!("{head}{left}"), right.to_owned()))
        });
        let pairs: Option<Vec<_>> = pairs.collect();
        pairs.ok_or_else(|| TokenizerError::key(MERGES, "has one that is no pair"))
    }

    /// What characters are normalized to, as SentencePiece keeps it.
    fn characters(&self) -> Result<Option<Vec<u8>>, TokenizerError> {
        match self.array(CHARACTERS)? {
            None => Ok(None),
            Some(Elements::Integers(bytes)) => {
                // Signed and unsigned bytes are both in use.
                Ok(Some(bytes.into_iter().map(|byte| byte.to_le_bytes()[0]).collect()))
            }
            Some(_) => Err(TokenizerError::key(CHARACTERS, "is no array of bytes")),
        }
    }

    fn special(&self, vocabulary: &Vocabulary, defaults: Defaults) -> (SpecialTokens, Affixes) {
        let default = |id: Option<u32>| id.filter(|id| *id < vocabulary.size());
        let id = |key: &str| self.id(key, vocabulary);
        let end = id("tokenizer.ggml.eos_token_id").or(default(defaults.end));
        let mut special = SpecialTokens {
            begin: id("tokenizer.ggml.bos_token_id").or(default(defaults.begin)),
            end,
            ends: json::named_ends(vocabulary),
            padding: id("tokenizer.ggml.padding_token_id"),
            unknown: id("tokenizer.ggml.unknown_token_id").or(default(defaults.unknown)),
            templates: self.templates(),
        };
        special.ends.extend(end);
        special.ends.extend(id("tokenizer.ggml.eot_token_id"));
        special.ends.extend(id("tokenizer.ggml.eom_token_id"));
        let begins = self.flag("tokenizer.ggml.add_bos_token").unwrap_or(defaults.begins);
        let ends = self.flag("tokenizer.ggml.add_eos_token").unwrap_or(defaults.ends);
        let affixes = Affixes {
            before: special.begin.filter(|_id| begins).into_iter().collect(),
            after: special.end.filter(|_id| ends).into_iter().collect(),
        };
        (special, affixes)
    }

    fn templates(&self) -> BTreeMap<String, String> {
        let named = self.header.values.iter().filter_map(|(key, entry)| {
            let name = match key.strip_prefix(TEMPLATE)? {
                "" => "default",
                name => name.strip_prefix('.')?,
            };
            match &entry.value {
                Value::Text(source) => Some((name.to_owned(), source.clone())),
                _ => None,
            }
        });
        named.collect()
    }
}
