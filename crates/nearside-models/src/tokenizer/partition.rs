//! Where the texts of control tokens stand in a text, and how content is kept from being taken for one.
//!
//! A token whose text begins first is found, and of those the longest, as in Hugging Face's `tokenizers`. Content may
//! have such a text in it without meaning the token. [`Finder::guarded`] puts [`GUARD`] into every one; what is
//! guarded is found by nobody, may go through a chat template, and loses its guards before it is cut into words.

use std::borrow::Cow;

use aho_corasick::{AhoCorasick, MatchKind};

use super::TokenizerError;
use super::vocabulary::Vocabulary;

/// Keeps a text from being a token: a code point that Unicode keeps for such use within a program.
pub(super) const GUARD: char = '\u{fdd0}';

/// A part of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part<'text> {
    /// Text that is still to be cut into tokens.
    Text(&'text str),
    /// A token that stands there as such.
    Token(u32),
}

/// Finds the texts of tokens.
#[derive(Clone, Debug)]
pub(super) struct Finder {
    /// Which token each pattern is.
    ids: Vec<u32>,
    longest: AhoCorasick,
}

impl Finder {
    /// A finder of tokens by their texts; empty texts are none.
    pub(super) fn new<'text>(
        tokens: impl Iterator<Item = (u32, &'text str)>,
    ) -> Result<Self, TokenizerError> {
        let (ids, texts): (Vec<_>, Vec<_>) = tokens.filter(|(_, text)| !text.is_empty()).unzip();
        let longest = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(texts)
            .map_err(|error| TokenizerError::Parts(error.to_string()))?;
        Ok(Self { ids, longest })
    }

    /// A finder of those tokens of a vocabulary that `wanted` says.
    pub(super) fn of(
        vocabulary: &Vocabulary,
        wanted: impl Fn(super::vocabulary::Kind) -> bool,
    ) -> Result<Self, TokenizerError> {
        let tokens = vocabulary.iter().filter(|(_, _, kind)| wanted(*kind));
        Self::new(tokens.map(|(id, text, _)| (id, text)))
    }

    /// The parts of a text, in its order.
    pub(super) fn split<'text>(&self, text: &'text str) -> Vec<Part<'text>> {
        let mut parts = Vec::new();
        let mut done = 0;
        for found in self.longest.find_iter(text) {
            if done < found.start() {
                parts.push(Part::Text(&text[done..found.start()]));
            }
            parts.extend(self.ids.get(found.pattern().as_usize()).copied().map(Part::Token));
            done = found.end();
        }
        if done < text.len() {
            parts.push(Part::Text(&text[done..]));
        }
        parts
    }
}

/// Puts guards into the texts of tokens.
#[derive(Clone, Debug)]
pub(super) struct Guard(AhoCorasick);

impl Guard {
    /// A guard against these texts; those of one character cannot be guarded.
    pub(super) fn new<'text>(
        texts: impl Iterator<Item = &'text str>,
    ) -> Result<Self, TokenizerError> {
        let texts = texts.filter(|text| text.chars().nth(1).is_some());
        AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .build(texts)
            .map(Self)
            .map_err(|error| TokenizerError::Parts(error.to_string()))
    }

    /// A text with a guard after the first character of every token's text, those that overlap as well.
    pub(super) fn guarded<'text>(&self, text: &'text str) -> Cow<'text, str> {
        let mut starts: Vec<_> =
            self.0.find_overlapping_iter(text).map(|found| found.start()).collect();
        if starts.is_empty() {
            return Cow::Borrowed(text);
        }
        starts.sort_unstable();
        starts.dedup();
        let mut guarded = String::with_capacity(text.len() + starts.len() * GUARD.len_utf8());
        let mut starts = starts.into_iter().peekable();
        for (at, character) in text.char_indices() {
            guarded.push(character);
            if starts.next_if_eq(&at).is_some() {
                guarded.push(GUARD);
            }
        }
        Cow::Owned(guarded)
    }
}

/// A text without its guards.
pub(super) fn unguarded(text: &str) -> Cow<'_, str> {
    if text.contains(GUARD) { Cow::Owned(text.replace(GUARD, "")) } else { Cow::Borrowed(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finder() -> Finder {
        Finder::new([(7, "<s>"), (8, "<s><s>"), (9, "")].into_iter()).unwrap()
    }

    #[test]
    fn the_longest_of_those_that_begin_first_is_found() {
        assert_eq!(
            finder().split("a<s><s><s>b"),
            [Part::Text("a"), Part::Token(8), Part::Token(7), Part::Text("b")]
        );
        assert_eq!(finder().split(""), []);
    }

    #[test]
    fn what_is_guarded_is_found_by_nobody() {
        let guard = Guard::new(["<s>", "s><"].into_iter()).unwrap();
        let guarded = guard.guarded("a<s><s>");
        assert_eq!(guarded, "a<\u{fdd0}s\u{fdd0}><\u{fdd0}s>");
        assert_eq!(finder().split(&guarded), [Part::Text(&guarded)]);
        assert_eq!(unguarded(&guarded), "a<s><s>");
        assert!(matches!(guard.guarded("none"), Cow::Borrowed("none")));
    }
}
