//! Tokenizers that Hugging Face's `tokenizers` computes.
//!
//! Its parts are driven one by one: so text can be cut with and without the control tokens in it, without a second
//! copy of the vocabulary, and a file's own limits of length do not shorten anything. It panics on some files that do
//! not fit together, so every call into it is caught.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::normalizers::Replace;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{
    AddedVocabulary, Decoder as _, Model as _, ModelWrapper, NormalizerWrapper, OffsetType,
    PreTokenizer as _, PreTokenizerWrapper, SplitDelimiterBehavior, Token,
};

use super::partition::{GUARD, Guard};
use super::pre_tokenizer::{PreTokenizer, Words};
use super::vocabulary::{Kind, Vocabulary};
use super::{ControlText, TokenizerError};

/// A tokenizer of the library.
#[derive(Clone, Debug)]
pub(super) struct Library {
    inner: tokenizers::Tokenizer,
    /// The added tokens, control tokens of which are not found in text.
    plain: AddedVocabulary,
}

impl Library {
    /// Reads a `tokenizer.json`.
    pub(super) fn from_json(bytes: &[u8]) -> Result<Self, TokenizerError> {
        let inner = caught(|| tokenizers::Tokenizer::from_bytes(bytes)).map_err(|reason| {
            TokenizerError::File {
                file: "tokenizer.json",
                reason: reason.chars().take(400).collect(),
            }
        })?;
        Ok(Self::of(inner))
    }

    /// Byte-pair encoding by merges; control tokens are none of it.
    pub(super) fn merged(
        vocabulary: &Vocabulary,
        merges: Vec<(String, String)>,
        way: PreTokenizer,
    ) -> Result<Self, TokenizerError> {
        let words: Vocab = vocabulary
            .iter()
            .filter(|(_, _, kind)| !kind.is_special())
            .filter(|(id, text, _)| vocabulary.id(text) == Some(*id))
            .map(|(id, text, _)| (text.to_owned(), id))
            .collect();
        check(&words, &merges)?;
        caught(|| {
            let model = BPE::builder()
                .vocab_and_merges(words, merges)
                .ignore_merges(way.words == Words::Whole)
                .byte_fallback(way.words == Words::Characters)
                .build()?;
            let mut inner = tokenizers::Tokenizer::new(model);
            inner.with_pre_tokenizer(Some(pre_tokenizer(way)?));
            if way.words == Words::Characters {
                inner.with_normalizer(Some(NormalizerWrapper::Replace(Replace::new(" ", "▁")?)))?;
            }
            Ok(inner)
        })
        .map(Self::of)
        .map_err(TokenizerError::Parts)
    }

    /// A tokenizer with a model, normalizer, pre-tokenizer and decoder of its own.
    pub(super) fn of(mut inner: tokenizers::Tokenizer) -> Self {
        // What a file says about its longest text and about padding is for training.
        let _untruncated = inner.with_truncation(None);
        inner.with_padding(None);
        let mut plain = inner.get_added_vocabulary().clone();
        plain.set_encode_special_tokens(true);
        Self { inner, plain }
    }

    /// The tokens of a text, without those that begin and end texts.
    ///
    /// A control token can be a word like any other for a model. One that it makes of text is not taken: that text is
    /// cut again with every name of such a token taken apart.
    pub(super) fn encode(
        &self,
        text: &str,
        control: ControlText,
        guard: &Guard,
        is_control: impl Fn(u32) -> bool,
    ) -> Result<Vec<u32>, TokenizerError> {
        let added = match control {
            ControlText::Plain => &self.plain,
            ControlText::Parsed => self.inner.get_added_vocabulary(),
        };
        caught(|| {
            let mut parts = added.extract_and_normalize(self.inner.get_normalizer(), text);
            if control == ControlText::Parsed && text.contains(GUARD) {
                parts.normalize(|part| {
                    part.filter(|character| character != GUARD);
                    Ok(())
                })?;
            }
            if let Some(words) = self.inner.get_pre_tokenizer() {
                words.pre_tokenize(&mut parts)?;
            }
            let has_control = |tokens: &[Token]| tokens.iter().any(|token| is_control(token.id));
            let model = self.inner.get_model();
            parts.tokenize(|part| {
                let tokens = model.tokenize(part.get())?;
                if !has_control(&tokens) {
                    return Ok(tokens);
                }
                let mut tokens = Vec::new();
                for piece in guard.guarded(part.get()).split(GUARD) {
                    tokens.extend(model.tokenize(piece)?);
                }
                if has_control(&tokens) {
                    return Err("it would become a control token".into());
                }
                Ok(tokens)
            })?;
            Ok(parts.into_encoding(None, 0, OffsetType::None)?.get_ids().to_vec())
        })
        .map_err(TokenizerError::Text)
    }

    /// The text of tokens as the file's decoder has it.
    pub(super) fn decode(&self, texts: Vec<String>) -> Result<String, TokenizerError> {
        caught(|| match self.inner.get_decoder() {
            Some(decoder) => decoder.decode(texts),
            None => Ok(texts.join(" ")),
        })
        .map_err(TokenizerError::Text)
    }

    /// How text is cut, in the words of the field.
    pub(super) fn method(&self) -> &'static str {
        match self.inner.get_model() {
            ModelWrapper::BPE(_) => "byte-pair encoding",
            ModelWrapper::WordPiece(_) => "WordPiece",
            ModelWrapper::WordLevel(_) => "whole words",
            ModelWrapper::Unigram(_) => "unigram",
        }
    }

    /// The library's own tokenizer.
    pub(super) const fn inner(&self) -> &tokenizers::Tokenizer {
        &self.inner
    }

    /// Every token as the library's decoders want it, with what it is for.
    pub(super) fn vocabulary(&self) -> Result<Vocabulary, TokenizerError> {
        let added = self.inner.get_added_vocabulary();
        let mut words: Vec<_> =
            self.inner.get_vocab(true).into_iter().map(|(text, id)| (id, text)).collect();
        words.sort_unstable();
        let Some((last, _)) = words.last() else {
            return Ok(Vocabulary::new(Vec::new(), Vec::new()));
        };
        // Numbers may be left out, but not many: a file cannot ask for more memory than it brings.
        if u64::from(*last) >= 2 * words.len() as u64 + 4096 {
            let reason = format!("its last of {} tokens is number {last}", words.len());
            return Err(TokenizerError::File { file: "tokenizer.json", reason });
        }
        let mut texts = Vec::with_capacity(words.len());
        let mut kinds = Vec::with_capacity(words.len());
        for (id, text) in words {
            while (texts.len() as u64) < u64::from(id) {
                texts.push(String::new());
                kinds.push(Kind::Unused);
            }
            if texts.len() as u64 > u64::from(id) {
                continue;
            }
            kinds.push(match added.get_added_tokens_decoder().get(&id) {
                Some(token) if token.special => Kind::Control,
                Some(_) => Kind::UserDefined,
                None => Kind::Normal,
            });
            texts.push(text);
        }
        Ok(Vocabulary::new(texts, kinds))
    }
}

/// No merge may make more than the longest token: the library has no room for it. What else a merge must be, it looks
/// after itself.
fn check(words: &Vocab, merges: &[(String, String)]) -> Result<(), TokenizerError> {
    let longest = words.keys().map(String::len).max().unwrap_or(0);
    match merges.iter().find(|(left, right)| left.len() + right.len() > longest) {
        None => Ok(()),
        Some((left, right)) => {
            let made: String = left.chars().chain(right.chars()).take(64).collect();
            Err(TokenizerError::key("tokenizer.ggml.merges", format!("\"{made}\" is no token")))
        }
    }
}

/// What cuts text into words, and writes their bytes as the characters that the vocabulary has for them.
fn pre_tokenizer(way: PreTokenizer) -> tokenizers::Result<PreTokenizerWrapper> {
    let mut steps = Vec::new();
    for pattern in way.patterns {
        let pattern = SplitPattern::Regex((*pattern).to_owned());
        let split = Split::new(pattern, SplitDelimiterBehavior::Isolated, false)?;
        steps.push(PreTokenizerWrapper::Split(split));
    }
    if way.words != Words::Characters {
        steps.push(PreTokenizerWrapper::ByteLevel(ByteLevel::new(false, false, false)));
    }
    Ok(PreTokenizerWrapper::Sequence(Sequence::new(steps)))
}

/// What a call into the library gives; a panic in it is an error.
pub(crate) fn caught<T>(call: impl FnOnce() -> tokenizers::Result<T>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_panic) => Err("its parts contradict each other".to_owned()),
    }
}
