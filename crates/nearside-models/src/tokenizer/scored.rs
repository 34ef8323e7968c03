//! Byte-pair encoding as SentencePiece has it: no list of merges, but a score for every token.
//!
//! Spaces are written `▁`. The text is cut into characters; of all neighbours that together are a token, those with
//! the greatest score become one, the leftmost first, until none are left. A character that is no token is its bytes,
//! or the unknown token where there are none for them. Source: `bpe_model.cc` of SentencePiece, `llama-vocab.cpp` of
//! llama.cpp. Control tokens are never made of text.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use tokenizers::models::bpe::Vocab;

use super::vocabulary::{Kind, Vocabulary};

/// How a space is written.
pub(super) const SPACE: char = '▁';

/// Cuts text by scores.
#[derive(Clone, Debug)]
pub(super) struct Scored {
    ids: Vocab,
    scores: Vec<f32>,
    /// The tokens of the 256 bytes.
    bytes: Vec<Option<u32>>,
    unknown: Option<u32>,
    /// The longest token that is made of others, in bytes.
    longest: usize,
    /// Whether a space is put before text that begins or follows a control token.
    space_before: bool,
}

/// A run of the text that is, or becomes, one token.
struct Symbol {
    start: usize,
    /// Where it ends; at `start` when it has become a part of the one before.
    end: usize,
    previous: Option<usize>,
    next: Option<usize>,
}

/// Two neighbours that are a token together.
struct Pair {
    score: f32,
    left: usize,
    right: usize,
    /// How long both were: a pair of which one has grown or gone is none any more.
    length: usize,
}

impl Ord for Pair {
    fn cmp(&self, other: &Self) -> Ordering {
        self.score.total_cmp(&other.score).then(other.left.cmp(&self.left))
    }
}

impl PartialOrd for Pair {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Pair {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Pair {}

impl Scored {
    pub(super) fn new(
        vocabulary: &Vocabulary,
        scores: Vec<f32>,
        unknown: Option<u32>,
        space_before: bool,
    ) -> Self {
        let mut bytes = vec![None; 256];
        let mut ids = Vocab::new();
        let mut longest = 0;
        for (id, text, kind) in vocabulary.iter() {
            match kind {
                Kind::Byte => {
                    if let Some(slot) = byte(text).and_then(|byte| bytes.get_mut(usize::from(byte)))
                    {
                        *slot = Some(id);
                    }
                }
                Kind::Normal | Kind::UserDefined | Kind::Unused => {
                    longest = longest.max(text.len());
                    ids.entry(text.to_owned()).or_insert(id);
                }
                Kind::Unknown | Kind::Control => {}
            }
        }
        Self { ids, scores, bytes, unknown, longest, space_before }
    }

    /// The tokens of a text that begins or follows a control token, or does not.
    pub(super) fn encode(&self, text: &str, at_start: bool, tokens: &mut Vec<u32>) {
        let before = if at_start && self.space_before { "▁" } else { "" };
        let text = format!("{before}{}", text.replace(' ', "▁"));
        let mut symbols = characters(&text);
        let mut pairs = BinaryHeap::new();
        for right in 1..symbols.len() {
            pairs.extend(self.pair(&text, &symbols, Some(right - 1), Some(right)));
        }
        while let Some(pair) = pairs.pop() {
            if let Some((before, after)) = join(&mut symbols, &pair) {
                pairs.extend(self.pair(&text, &symbols, before, Some(pair.left)));
                pairs.extend(self.pair(&text, &symbols, Some(pair.left), after));
            }
        }
        for symbol in symbols.iter().filter(|symbol| symbol.start < symbol.end) {
            self.push(&text[symbol.start..symbol.end], tokens);
        }
    }

    fn pair(
        &self,
        text: &str,
        symbols: &[Symbol],
        left: Option<usize>,
        right: Option<usize>,
    ) -> Option<Pair> {
        let (left, right) = (left?, right?);
        let (start, end) = (symbols.get(left)?.start, symbols.get(right)?.end);
        let length = end - start;
        if length > self.longest {
            return None;
        }
        let id = *self.ids.get(&text[start..end])?;
        let score = self.scores.get(usize::try_from(id).ok()?).copied().unwrap_or(0.0);
        Some(Pair { score, left, right, length })
    }

    /// The token of a symbol, or those of its bytes.
    fn push(&self, text: &str, tokens: &mut Vec<u32>) {
        if let Some(id) = self.ids.get(text) {
            tokens.push(*id);
            return;
        }
        let bytes = text.bytes().map(|byte| self.bytes.get(usize::from(byte)).copied().flatten());
        match bytes.collect::<Option<Vec<_>>>() {
            Some(bytes) => tokens.extend(bytes),
            // Unknown characters in a row are one token.
            None => {
                if let Some(unknown) = self.unknown
                    && tokens.last() != Some(&unknown)
                {
                    tokens.push(unknown);
                }
            }
        }
    }
}

/// Every character as a symbol.
fn characters(text: &str) -> Vec<Symbol> {
    let starts =
        text.char_indices().map(|(start, character)| (start, start + character.len_utf8()));
    let mut symbols: Vec<_> = starts
        .enumerate()
        .map(|(index, (start, end))| Symbol {
            start,
            end,
            previous: index.checked_sub(1),
            next: Some(index + 1),
        })
        .collect();
    if let Some(last) = symbols.last_mut() {
        last.next = None;
    }
    symbols
}

/// Makes one symbol of two, if they are still what they were; tells the neighbours of the new one.
fn join(symbols: &mut [Symbol], pair: &Pair) -> Option<(Option<usize>, Option<usize>)> {
    let (left, right) = (symbols.get(pair.left)?, symbols.get(pair.right)?);
    let gone = left.start == left.end || right.start == right.end;
    if gone || left.end != right.start || right.end - left.start != pair.length {
        return None;
    }
    let (end, next, previous) = (right.end, right.next, left.previous);
    if let Some(right) = symbols.get_mut(pair.right) {
        right.end = right.start;
    }
    if let Some(left) = symbols.get_mut(pair.left) {
        (left.end, left.next) = (end, next);
    }
    if let Some(after) = next.and_then(|next| symbols.get_mut(next)) {
        after.previous = Some(pair.left);
    }
    Some((previous, next))
}

/// The byte that a token such as `<0x0A>` stands for.
pub(super) fn byte(text: &str) -> Option<u8> {
    let digits = text.strip_prefix("<0x")?.strip_suffix('>')?;
    (digits.len() == 2).then(|| u8::from_str_radix(digits, 16).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scored(bytes: bool) -> Scored {
        let words =
            ["<unk>", "▁", "a", "b", "ab", "aba", "▁ab", "</s>", "<", "/s>", "<0xC3>", "<0xA9>"];
        let mut kinds = vec![Kind::Normal; words.len()];
        (kinds[0], kinds[7]) = (Kind::Unknown, Kind::Control);
        if bytes {
            (kinds[10], kinds[11]) = (Kind::Byte, Kind::Byte);
        }
        let scores = vec![0.0, -9.0, -9.0, -9.0, -1.0, -2.0, -3.0, 0.0, -9.0, -9.0, 0.0, 0.0];
        let vocabulary = Vocabulary::new(words.map(str::to_owned).to_vec(), kinds);
        Scored::new(&vocabulary, scores, Some(0), true)
    }

    fn encoded(scored: &Scored, text: &str, at_start: bool) -> Vec<u32> {
        let mut tokens = Vec::new();
        scored.encode(text, at_start, &mut tokens);
        tokens
    }

    #[test]
    fn the_greatest_score_is_joined_first_and_then_the_leftmost() {
        // ab ab a: the pair (ab, a) that began as (a, b) first, then its neighbour cannot have it.
        assert_eq!(encoded(&scored(true), "ababa", false), [4, 5]);
        assert_eq!(encoded(&scored(true), "ab", true), [6]);
        assert_eq!(encoded(&scored(true), "ab", false), [4]);
    }

    #[test]
    fn characters_without_a_token_are_their_bytes_or_unknown() {
        assert_eq!(encoded(&scored(true), "é", false), [10, 11]);
        assert_eq!(encoded(&scored(true), "ü", false), [0]);
        assert_eq!(encoded(&scored(false), "éüa", false), [0, 2]);
    }

    #[test]
    fn text_never_becomes_a_control_token() {
        assert_eq!(encoded(&scored(true), "</s>", false), [8, 0]);
    }
}
