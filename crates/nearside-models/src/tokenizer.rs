//! Text as tokens and back: the tokenizers that models carry, in `tokenizer.json` or in the metadata of a GGUF file.
//!
//! Byte-pair encoding by merges, WordPiece and unigram models are computed by Hugging Face's `tokenizers`; that by
//! scores, as SentencePiece has it, by this crate, for its order of joining cannot be written as a list of merges.
//! Whether control tokens are recognised in a text is said with every text: what a person or a program wrote is plain.
//!
//! Invariants: tokens of a text decode to it, unless the tokenizer itself normalizes text; plain text never becomes a
//! control token; nothing that is yielded while text is streamed changes later.

mod encoders;
mod error;
mod gguf;
mod json;
mod library;
mod of_model;
mod partition;
mod pre_tokenizer;
mod scored;
mod special;
mod stream;
mod vocabulary;
mod write_gguf;

use std::borrow::Cow;

pub use error::TokenizerError;
pub use json::JsonFiles;
pub use special::SpecialTokens;
pub use stream::Stream;

use library::Library;
pub(crate) use library::caught;
use partition::{Finder, Guard, Part, unguarded};
use scored::Scored;
use special::Affixes;
use vocabulary::{Kind, Vocabulary};

/// Whether the tokens that begin and end texts are added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddSpecial {
    /// As the tokenizer says.
    Add,
    /// None: the text has them already, as one made by a chat template, or is a part of one.
    Omit,
}

/// What becomes of the text of a control token, such as `<|im_end|>`, in a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ControlText {
    /// It is text like any other.
    #[default]
    Plain,
    /// It is that token, unless it was guarded: see [`Tokenizer::guarded`].
    Parsed,
}

/// Whether control tokens are left out of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SkipSpecial {
    /// They are left out.
    Skip,
    /// They are written as they are called.
    Keep,
}

/// A model's tokenizer.
#[derive(Clone, Debug)]
pub struct Tokenizer {
    engine: Engine,
    vocabulary: Vocabulary,
    guard: Guard,
    affixes: Affixes,
    special: SpecialTokens,
    decoding: Decoding,
}

/// What cuts text into tokens.
#[derive(Clone, Debug)]
enum Engine {
    /// The library, which finds added tokens itself.
    Json(Library),
    /// The library, with added tokens found before.
    Merged(Library, Added),
    /// Scores.
    Scored(Scored, Added),
}

/// Tokens that are found in text before it is cut.
#[derive(Clone, Debug)]
struct Added {
    /// Those that stand in plain text as well.
    plain: Finder,
    /// All.
    all: Finder,
}

/// What the text of a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Decoding {
    /// Every character of it is a byte.
    ByteLevel,
    /// It is its own text, with `▁` for spaces, or the byte that it names; whether the first space is left out.
    Spaced { strip: bool },
    /// It depends on those before it.
    Library,
}

impl Added {
    fn new(vocabulary: &Vocabulary) -> Result<Self, TokenizerError> {
        Ok(Self {
            plain: Finder::of(vocabulary, |kind| kind == Kind::UserDefined)?,
            all: Finder::of(vocabulary, |kind| kind == Kind::UserDefined || kind.is_special())?,
        })
    }

    fn split<'text>(&self, text: &'text str, control: ControlText) -> Vec<Part<'text>> {
        match control {
            ControlText::Plain => self.plain.split(text),
            ControlText::Parsed => self.all.split(text),
        }
    }
}

impl Tokenizer {
    fn new(
        engine: Engine,
        vocabulary: Vocabulary,
        decoding: Decoding,
        special: SpecialTokens,
        affixes: Affixes,
    ) -> Result<Self, TokenizerError> {
        let control = vocabulary.iter().filter(|(_, _, kind)| kind.is_special());
        let guard = Guard::new(control.map(|(_, text, _)| text))?;
        Ok(Self { engine, vocabulary, guard, affixes, special, decoding })
    }

    /// The tokens of a text.
    ///
    /// # Errors
    /// When the tokenizer has no token for something in it, or its parts contradict each other.
    pub fn encode(
        &self,
        text: &str,
        add: AddSpecial,
        control: ControlText,
    ) -> Result<Vec<u32>, TokenizerError> {
        let mut tokens = Vec::new();
        if add == AddSpecial::Add {
            tokens.extend_from_slice(&self.affixes.before);
        }
        match &self.engine {
            Engine::Json(library) => tokens.extend(self.library_tokens(library, text, control)?),
            Engine::Merged(library, added) => {
                for part in added.split(text, control) {
                    match part {
                        Part::Token(id) => tokens.push(id),
                        Part::Text(text) => {
                            tokens.extend(self.library_tokens(library, text, control)?);
                        }
                    }
                }
            }
            Engine::Scored(scored, added) => {
                scored_tokens(scored, &added.split(text, control), control, &mut tokens);
            }
        }
        if add == AddSpecial::Add {
            tokens.extend_from_slice(&self.affixes.after);
        }
        Ok(tokens)
    }

    fn library_tokens(
        &self,
        library: &Library,
        text: &str,
        control: ControlText,
    ) -> Result<Vec<u32>, TokenizerError> {
        let is_control = |id| {
            self.vocabulary.kind(id) == Some(Kind::Control) && self.special.unknown != Some(id)
        };
        library.encode(text, control, &self.guard, is_control)
    }

    /// Content that is safe within text whose control tokens are parsed: none of its own is found, and the tokens are
    /// those of the content. Use it on what a person, a document or a tool wrote before a chat template has it.
    #[must_use]
    pub fn guarded<'text>(&self, content: &'text str) -> Cow<'text, str> {
        match unguarded(content) {
            Cow::Borrowed(content) => self.guard.guarded(content),
            Cow::Owned(content) => Cow::Owned(self.guard.guarded(&content).into_owned()),
        }
    }

    /// The text of tokens; bytes that are no text are U+FFFD.
    ///
    /// # Errors
    /// When there is no such token.
    pub fn decode(&self, ids: &[u32], skip: SkipSpecial) -> Result<String, TokenizerError> {
        if let Some(library) = self.library_decoder() {
            let mut texts = Vec::with_capacity(ids.len());
            for id in ids {
                if !(self.is_special(*id)? && skip == SkipSpecial::Skip) {
                    texts.extend(self.vocabulary.text(*id).map(str::to_owned));
                }
            }
            return library.decode(texts);
        }
        let mut stream = self.stream(skip);
        let mut text = String::new();
        for id in ids {
            text.push_str(&stream.push(*id)?);
        }
        text.push_str(&stream.finish());
        Ok(text)
    }

    /// Makes text of tokens as they come.
    #[must_use]
    pub fn stream(&self, skip: SkipSpecial) -> Stream<'_> {
        Stream::new(self, skip)
    }

    /// The bytes of a token; a control token's are its name.
    ///
    /// # Errors
    /// When there is no such token.
    pub fn token(&self, id: u32) -> Result<Vec<u8>, TokenizerError> {
        let absent = || TokenizerError::Token { id, size: self.vocabulary.size() };
        let text = self.vocabulary.text(id).ok_or_else(absent)?;
        let kind = self.vocabulary.kind(id).ok_or_else(absent)?;
        Ok(match self.decoding {
            _ if kind.is_special() => text.as_bytes().to_vec(),
            Decoding::ByteLevel if kind == Kind::UserDefined => text.as_bytes().to_vec(),
            Decoding::ByteLevel => bytes_of(text),
            Decoding::Spaced { .. } => match scored::byte(text) {
                Some(byte) if kind == Kind::Byte => vec![byte],
                _ => text.replace(scored::SPACE, " ").into_bytes(),
            },
            Decoding::Library => text.as_bytes().to_vec(),
        })
    }

    /// The token that is written so in the vocabulary.
    #[must_use]
    pub fn id(&self, token: &str) -> Option<u32> {
        self.vocabulary.id(token)
    }

    /// How text is cut, in the words of the field.
    #[must_use]
    pub fn method(&self) -> &'static str {
        match &self.engine {
            Engine::Json(library) | Engine::Merged(library, _) => library.method(),
            Engine::Scored(..) => "byte-pair encoding by scores",
        }
    }

    /// How many tokens there are, those that are not in use included.
    #[must_use]
    pub fn size(&self) -> u32 {
        self.vocabulary.size()
    }

    /// The tokens that steer the model, and its chat templates.
    #[must_use]
    pub const fn special(&self) -> &SpecialTokens {
        &self.special
    }

    /// Whether a token steers the model and is no text.
    ///
    /// # Errors
    /// When there is no such token.
    pub fn is_special(&self, id: u32) -> Result<bool, TokenizerError> {
        let absent = || TokenizerError::Token { id, size: self.vocabulary.size() };
        self.vocabulary.kind(id).map(Kind::is_special).ok_or_else(absent)
    }

    /// Whether the first space of a text was put there by the tokenizer.
    const fn strips(&self) -> bool {
        matches!(self.decoding, Decoding::Spaced { strip: true })
    }

    /// The library, if it alone knows the text of tokens.
    fn library_decoder(&self) -> Option<&Library> {
        match (&self.engine, self.decoding) {
            (Engine::Json(library) | Engine::Merged(library, _), Decoding::Library) => {
                Some(library)
            }
            _ => None,
        }
    }
}

/// The tokens of a text by scores.
fn scored_tokens(scored: &Scored, parts: &[Part<'_>], control: ControlText, tokens: &mut Vec<u32>) {
    let mut at_start = true;
    for part in parts {
        match part {
            Part::Token(id) => tokens.push(*id),
            Part::Text(text) if control == ControlText::Parsed => {
                scored.encode(&unguarded(text), at_start, tokens);
            }
            Part::Text(text) => scored.encode(text, at_start, tokens),
        }
        at_start = matches!(part, Part::Token(_));
    }
}

/// The bytes of a token whose every character is one: those that can be seen are themselves, the others, in their
/// order, the characters from U+0100. A token with another character in it is its text.
fn bytes_of(text: &str) -> Vec<u8> {
    let bytes = text.chars().map(|character| match u32::from(character) {
        code @ (0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff) => u8::try_from(code).ok(),
        code @ 0x100..=0x120 => u8::try_from(code - 0x100).ok(),
        code @ 0x121..=0x142 => u8::try_from(code - 0x121 + 0x7f).ok(),
        0x143 => Some(0xad),
        _ => None,
    });
    bytes.collect::<Option<Vec<_>>>().unwrap_or_else(|| text.as_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use tokenizers::pre_tokenizers::byte_level::ByteLevel;

    use super::*;

    #[test]
    fn every_byte_has_a_character_of_its_own() {
        let mut bytes: Vec<_> = ByteLevel::alphabet()
            .into_iter()
            .map(|character| bytes_of(&character.to_string()))
            .collect();
        bytes.sort();
        assert_eq!(bytes, (0..=255).map(|byte| vec![byte]).collect::<Vec<_>>());
        assert_eq!(bytes_of("a▁"), "a▁".as_bytes());
    }
}
