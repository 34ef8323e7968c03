//! Text from tokens, as they come: what is yielded is whole, a character cut over tokens waits for its end.

use std::str;

use super::library::caught;
use super::{SkipSpecial, Tokenizer, TokenizerError};

type LibraryStream<'tokenizer> = tokenizers::DecodeStream<
    'tokenizer,
    tokenizers::ModelWrapper,
    tokenizers::NormalizerWrapper,
    tokenizers::PreTokenizerWrapper,
    tokenizers::PostProcessorWrapper,
    tokenizers::DecoderWrapper,
>;

/// Makes text of tokens, one by one.
pub struct Stream<'tokenizer> {
    tokenizer: &'tokenizer Tokenizer,
    skip: SkipSpecial,
    state: State<'tokenizer>,
}

enum State<'tokenizer> {
    /// Every token has bytes of its own.
    Bytes(Bytes),
    /// What a token is depends on those before it.
    Library(LibraryStream<'tokenizer>),
}

/// Bytes that are not yet text.
#[derive(Debug, Default)]
pub(super) struct Bytes {
    waiting: Vec<u8>,
    /// Whether a space that comes first is left out.
    strip: bool,
}

impl Bytes {
    pub(super) const fn new(strip: bool) -> Self {
        Self { waiting: Vec::new(), strip }
    }

    /// Takes bytes, and yields what is text by now; bytes that can be none are U+FFFD.
    pub(super) fn push(&mut self, mut bytes: &[u8]) -> String {
        if self.strip && !bytes.is_empty() {
            self.strip = false;
            bytes = bytes.strip_prefix(b" ").unwrap_or(bytes);
        }
        self.waiting.extend_from_slice(bytes);
        let mut text = String::new();
        loop {
            let (valid, rest) = match str::from_utf8(&self.waiting) {
                Ok(valid) => (valid, None),
                Err(error) => {
                    let (valid, _) = self.waiting.split_at(error.valid_up_to());
                    (str::from_utf8(valid).unwrap_or(""), Some(error.error_len()))
                }
            };
            text.push_str(valid);
            let taken = valid.len();
            match rest {
                None => self.waiting.clear(),
                Some(None) => drop(self.waiting.drain(..taken)),
                Some(Some(wrong)) => {
                    text.push(char::REPLACEMENT_CHARACTER);
                    self.waiting.drain(..taken + wrong);
                    continue;
                }
            }
            return text;
        }
    }

    /// What is left when nothing more comes.
    pub(super) fn finish(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.waiting)).into_owned()
    }
}

impl<'tokenizer> Stream<'tokenizer> {
    pub(super) fn new(tokenizer: &'tokenizer Tokenizer, skip: SkipSpecial) -> Self {
        let state = match (tokenizer.strips(), tokenizer.library_decoder()) {
            (_, Some(library)) => {
                State::Library(library.inner().decode_stream(skip == SkipSpecial::Skip))
            }
            (strip, None) => State::Bytes(Bytes::new(strip)),
        };
        Self { tokenizer, skip, state }
    }

    /// The tokenizer whose tokens it takes.
    #[must_use]
    pub const fn tokenizer(&self) -> &'tokenizer Tokenizer {
        self.tokenizer
    }

    /// Takes a token, and yields the text that is whole by now; it may be empty.
    ///
    /// # Errors
    /// When there is no such token.
    pub fn push(&mut self, id: u32) -> Result<String, TokenizerError> {
        let special = self.tokenizer.is_special(id)?;
        match &mut self.state {
            State::Bytes(_) if special && self.skip == SkipSpecial::Skip => Ok(String::new()),
            State::Bytes(state) => Ok(state.push(&self.tokenizer.token(id)?)),
            State::Library(state) => caught(|| state.step(id))
                .map(Option::unwrap_or_default)
                .map_err(TokenizerError::Text),
        }
    }

    /// What is left when no more tokens come: a character without its end is U+FFFD.
    pub fn finish(&mut self) -> String {
        match &mut self.state {
            State::Bytes(state) => state.finish(),
            State::Library(_) => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_cut_over_tokens_waits_for_its_end() {
        let mut bytes = Bytes::new(true);
        let emoji = "😀".as_bytes();
        assert_eq!(bytes.push(b""), "");
        assert_eq!(bytes.push(&[b" a", &emoji[..1]].concat()), "a");
        assert_eq!(bytes.push(&emoji[1..3]), "");
        assert_eq!(bytes.push(&[&emoji[3..], b" b"].concat()), "😀 b");
        assert_eq!(bytes.finish(), "");
    }

    #[test]
    fn what_can_be_no_text_is_replaced_at_once() {
        let mut bytes = Bytes::new(false);
        assert_eq!(bytes.push(&[0xff, b'a', 0xe2, 0x82]), "\u{fffd}a");
        assert_eq!(bytes.push(b"b"), "\u{fffd}b");
        assert_eq!(bytes.push(&[0xe2]), "");
        assert_eq!(bytes.finish(), "\u{fffd}");
    }
}
