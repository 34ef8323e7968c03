//! What a rule sees: one segment of a text, the bytes before it, and what announces a value in it.

use std::cell::Cell;

use super::cue::{self, Cue, Cues};
use super::table::TableCell;
use crate::source::Form;

/// The most bytes to the left of a value that may announce it.
pub(super) const LEFT: usize = 96;
/// The most words to the left of a value that may announce it.
const WORDS: usize = 6;
/// The most bytes of a list before a value in which its key is looked for.
const LIST: usize = 256;

/// A segment to be looked at.
#[derive(Debug)]
pub(super) struct View<'a> {
    /// The segment, with what stands before and after it.
    pub(super) text: &'a [u8],
    /// Where the segment begins in it.
    pub(super) start: usize,
    /// Where it ends.
    pub(super) end: usize,
    /// How it is laid out.
    pub(super) form: Form,
    /// The cells of its tables, in order; empty where there are none.
    pub(super) cells: &'a [TableCell],
    /// The last place whose cues were asked for, and they.
    pub(super) known: Cell<(usize, Cues)>,
}

impl<'a> View<'a> {
    /// The byte at a place.
    pub(super) fn at(&self, place: usize) -> Option<u8> {
        self.text.get(place).copied()
    }

    /// The byte before a place.
    pub(super) fn before(&self, place: usize) -> Option<u8> {
        place.checked_sub(1).and_then(|before| self.at(before))
    }

    /// Some of the text, as far as there is so much.
    pub(super) fn slice(&self, start: usize, end: usize) -> &'a [u8] {
        self.text.get(start..end.min(self.text.len())).unwrap_or(&[])
    }

    /// What announces the value at a place: the words before it, else its key, else the head of its
    /// column.
    pub(super) fn cues(&self, place: usize) -> Cues {
        let (known, cues) = self.known.get();
        if known == place {
            return cues;
        }
        let cues = self.cues_of(place);
        self.known.set((place, cues));
        cues
    }

    fn cues_of(&self, place: usize) -> Cues {
        if let Some(cell) = self.cell(place) {
            let words = self.words_before(place, cell.start);
            return if words.is_empty() { cell.cues } else { words };
        }
        let open = match self.form {
            Form::Json => self.opening_quote(place),
            Form::Text | Form::Delimited => None,
        };
        let words = self.words_before(place, open.map_or(0, |open| open + 1));
        match open {
            Some(open) if words.is_empty() => self.key_cues(open),
            None if words.is_empty() && self.form == Form::Json => self.key_cues(place),
            _ => words,
        }
    }

    /// The cell that a place lies in.
    pub(super) fn cell(&self, place: usize) -> Option<&'a TableCell> {
        let after = self.cells.partition_point(|cell| cell.start <= place);
        let cell = after.checked_sub(1).and_then(|index| self.cells.get(index));
        cell.filter(|cell| place <= cell.end)
    }

    /// What the words before a place announce, not further left than a limit.
    fn words_before(&self, place: usize, limit: usize) -> Cues {
        let floor = limit.max(place.saturating_sub(LEFT));
        let mut sign = place;
        while matches!(self.before(sign), Some(b'"' | b'\'')) {
            sign -= 1;
        }
        if self.before(sign) == Some(b'=') {
            // `key=value`: nothing but the key speaks of it.
            let mut words = WordsBefore { text: self.text, floor, end: place, count: 0 };
            return words.next().map_or(Cues::NONE, cue::of_key);
        }
        let words = WordsBefore { text: self.text, floor, end: place, count: 0 };
        let found = cue::nearest(words);
        match { words }.next() {
            Some(first) if found.is_empty() => cue::of_key(first),
            _ => found,
        }
    }

    /// The quote that opens the string a place lies in, if one does.
    fn opening_quote(&self, place: usize) -> Option<usize> {
        let floor = place.saturating_sub(LEFT);
        let back = self.slice(floor, place).iter().rev().position(|byte| *byte == b'"')?;
        Some(place - 1 - back)
    }

    /// What the key before a value announces: `"key": value`, `"key": [.., value`.
    fn key_cues(&self, place: usize) -> Cues {
        let colon = match self.skip_back(place) {
            Some(at) if self.at(at) == Some(b':') => Some(at),
            Some(at) if matches!(self.at(at), Some(b',' | b'[')) => {
                let floor = place.saturating_sub(LIST);
                let open = self.slice(floor, place).iter().rposition(|byte| *byte == b'[');
                open.and_then(|open| self.skip_back(floor + open))
                    .filter(|at| self.at(*at) == Some(b':'))
            }
            _ => None,
        };
        let close = colon.and_then(|colon| self.skip_back(colon));
        let Some(close) = close.filter(|close| self.at(*close) == Some(b'"')) else {
            return Cues::NONE;
        };
        let floor = close.saturating_sub(LEFT);
        let open = self.slice(floor, close).iter().rposition(|byte| *byte == b'"');
        open.map_or(Cues::NONE, |open| cue::of_key(self.slice(floor + open + 1, close)))
    }

    /// The last byte before a place that is no blank.
    fn skip_back(&self, place: usize) -> Option<usize> {
        let floor = place.saturating_sub(LEFT);
        let before = self.slice(floor, place).iter();
        before.rev().position(|byte| !byte.is_ascii_whitespace()).map(|back| place - 1 - back)
    }
}

/// Words to the left of a place, nearest first, as far as they speak of it.
#[derive(Clone, Copy)]
struct WordsBefore<'a> {
    text: &'a [u8],
    floor: usize,
    end: usize,
    count: usize,
}

impl<'a> Iterator for WordsBefore<'a> {
    type Item = &'a [u8];
    fn next(&mut self) -> Option<&'a [u8]> {
        let text = self.text.get(self.floor..self.end)?;
        let mut end = text.len();
        while end > 0 && !is_letter(text[end - 1]) {
            end -= 1;
        }
        let mut start = end;
        while start > 0 && is_letter(text[start - 1]) {
            start -= 1;
        }
        let between = &text[end..];
        // `CPF: 69112355968, 11 92851 2989`: what announced the first number does not announce the next.
        let listed = self.count == 0
            && between.iter().any(|byte| matches!(byte, b',' | b';' | b'|'))
            && text[start..end].iter().filter(|byte| byte.is_ascii_digit()).count() >= 4;
        let over = self.count >= WORDS || start == end || listed || ends_line(between, self.count);
        if over || (self.count > 0 && is_break(between, end - start)) {
            return None;
        }
        self.count += 1;
        self.end = self.floor + start;
        Some(&text[start..end])
    }
}

/// Whether each byte is part of a word that may announce a value.
const LETTERS: [bool; 256] = {
    let mut letters = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        let here = byte as u8;
        letters[byte] =
            here.is_ascii_alphanumeric() || matches!(here, b'_' | b'\'') || here >= 0x80;
        byte += 1;
    }
    letters
};

const fn is_letter(byte: u8) -> bool {
    LETTERS[byte as usize]
}

/// Whether a sentence ends between two words; after one of three letters or fewer a point may
/// shorten it: `no. 5`.
fn is_break(between: &[u8], length: usize) -> bool {
    let point = between.iter().position(|byte| matches!(byte, b'.' | b'!' | b'?'));
    point.is_some_and(|at| length > 3 && between.get(at + 1).is_some_and(u8::is_ascii_whitespace))
}

/// Whether a line ends between words: a value may stand below a label that ends with a colon.
fn ends_line(between: &[u8], count: usize) -> bool {
    match between.iter().position(|byte| *byte == b'\n') {
        None => false,
        Some(first) => {
            let label = between.get(..first).is_some_and(|end| end.contains(&b':'));
            let more = between.get(first + 1..).is_some_and(|rest| rest.contains(&b'\n'));
            count > 0 || more || !label
        }
    }
}

/// How sure a finding is, in hundredths, where words speak for or against it.
///
/// `own` are the words of this kind; `general` are words that fit the kind among others.
pub(super) fn weigh(base: u8, cues: Cues, own: Cues, general: Cues) -> u8 {
    const AGAINST: Cues = Cues::of(&[Cue::Version, Cue::Metric, Cue::Thing]);
    match cues {
        cues if cues.meets(own) => (base + 50).clamp(85, 99),
        // Among kinds that are all announced, one that little passes by chance goes first.
        cues if cues.meets(general) => 80 + base / 10,
        cues if cues.meets(AGAINST) => base.saturating_sub(30),
        _ => base,
    }
}
