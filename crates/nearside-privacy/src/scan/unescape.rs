//! What strings of JSON say, as it would stand without escapes, and where each byte of it stands in the file.
//!
//! `\u00e9` becomes `é`, a pair of surrogates one sign, `\/` a slash, `\n` and `\t` a form feed: a blank that ends no line, so
//! that the text is laid out as before. What would end a string stays escaped. Source: RFC 8259, section 7.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, Read};
use std::rc::Rc;

/// Bytes that are read at once.
const PIECE: usize = 64 << 10;
/// The longest escape: two times `\uXXXX`.
const LONGEST: usize = 12;

/// Where what was unescaped stands in the file.
#[derive(Clone, Debug, Default)]
pub(super) struct Places(Rc<RefCell<Shifts>>);

/// Places after which there are more bytes in the file, each as small as can be: a text may be all escapes.
#[derive(Debug, Default)]
struct Shifts {
    /// How far the next place is from the one before, and how many bytes more there are from it on.
    later: VecDeque<(u16, u8)>,
    /// The place that was passed last, and how many bytes more there are from it on.
    passed: u64,
    now: u64,
    /// The last place, and how many bytes more there are in all.
    last: u64,
    total: u64,
}

impl Shifts {
    /// From a place on there are so many bytes more.
    fn push(&mut self, place: u64, more: u8) {
        let mut gap = place.saturating_sub(self.last);
        while gap > u64::from(u16::MAX) {
            self.later.push_back((u16::MAX, 0));
            gap -= u64::from(u16::MAX);
        }
        // Not more than that is left.
        self.later.push_back((gap as u16, more));
        self.last = place;
        self.total += u64::from(more);
    }

    fn pass(&mut self, place: u64) {
        while let Some((gap, more)) = self.later.front().copied() {
            let next = self.passed + u64::from(gap);
            if next > place {
                break;
            }
            self.later.pop_front();
            self.passed = next;
            self.now += u64::from(more);
        }
    }

    /// How many bytes more there are before a place that is not passed.
    fn before(&self, place: u64) -> u64 {
        let (mut at, mut shift) = (self.passed, self.now);
        for (gap, more) in &self.later {
            at += u64::from(*gap);
            if at > place {
                break;
            }
            shift += u64::from(*more);
        }
        shift
    }
}

impl Places {
    /// The place in the file of something that begins and ends in the text. Beginnings are asked for in order.
    pub(super) fn in_file(&self, start: u64, end: u64) -> (u64, u64) {
        let mut shifts = self.0.borrow_mut();
        shifts.pass(start);
        let shift = shifts.before(end);
        (start + shifts.now, end + shift)
    }

    /// Forgets what is before a place: nothing that begins there is asked for any more.
    pub(super) fn forget(&self, before: u64) {
        self.0.borrow_mut().pass(before);
    }

    /// How many bytes the file has more.
    pub(super) fn total(&self) -> u64 {
        self.0.borrow().total
    }
}

/// Reads JSON without escapes.
pub(super) struct Unescaped<R> {
    from: R,
    places: Places,
    raw: Vec<u8>,
    text: Vec<u8>,
    /// How much of the text was handed out.
    given: usize,
    /// How long the text is that was handed out before this one.
    before: u64,
    complete: bool,
}

impl<R: Read> Unescaped<R> {
    pub(super) fn new(from: R) -> (Self, Places) {
        let places = Places::default();
        let (raw, text) = (Vec::new(), Vec::new());
        let own = places.clone();
        (Self { from, places: own, raw, text, given: 0, before: 0, complete: false }, places)
    }

    /// Reads and unescapes the next piece.
    fn next(&mut self) -> io::Result<()> {
        self.before += self.text.len() as u64;
        self.text.clear();
        self.given = 0;
        let read = (&mut self.from).take(PIECE as u64).read_to_end(&mut self.raw)?;
        self.complete = read < PIECE;
        // An escape that goes on is read with what follows.
        let end = match self.complete {
            true => self.raw.len(),
            false => self.raw.len().saturating_sub(LONGEST),
        };
        let mut at = 0;
        while at < end {
            let rest = self.raw.get(at..).unwrap_or(&[]);
            let plain = memchr::memchr(b'\\', rest).unwrap_or(rest.len()).min(end - at);
            self.text.extend_from_slice(rest.get(..plain).unwrap_or(&[]));
            at += plain;
            if at < end {
                at += self.escape(at);
            }
        }
        self.raw.drain(..at.min(self.raw.len()));
        Ok(())
    }

    /// Writes what an escape stands for, or the escape; says how long it is.
    fn escape(&mut self, at: usize) -> usize {
        let escape = self.raw.get(at..).unwrap_or(&[]);
        let Some((sign, length)) = meant(escape) else {
            // Whatever follows the backslash belongs to it.
            let length = escape.len().min(2);
            self.text.extend_from_slice(escape.get(..length).unwrap_or(&[]));
            return length;
        };
        let mut bytes = [0; 4];
        let written = sign.encode_utf8(&mut bytes).as_bytes();
        self.text.extend_from_slice(written);
        let place = self.before + self.text.len() as u64;
        // Escapes have twelve bytes at most.
        let more = (length - written.len()) as u8;
        self.places.0.borrow_mut().push(place, more);
        length
    }
}

impl<R: Read> Read for Unescaped<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.given == self.text.len() && !self.complete {
            self.next()?;
        }
        let mut left = self.text.get(self.given..).unwrap_or(&[]);
        let count = left.read(buffer)?;
        self.given += count;
        Ok(count)
    }
}

/// The sign that an escape stands for, and how long the escape is; nothing where it has to stay.
fn meant(escape: &[u8]) -> Option<(char, usize)> {
    match escape.get(1)? {
        b'/' => Some(('/', 2)),
        b'n' | b'r' | b't' | b'f' => Some(('\u{c}', 2)),
        b'u' => {
            let first = unit(escape.get(2..6)?)?;
            if let Some(sign) = char::from_u32(first) {
                let stays = sign.is_control() || matches!(sign, '"' | '\\');
                return (!stays).then_some((sign, 6));
            }
            let second = unit(escape.get(6..)?.strip_prefix(b"\\u")?.get(..4)?)?;
            let pair = (0xd800..0xdc00).contains(&first) && (0xdc00..0xe000).contains(&second);
            let code = 0x1_0000 + ((first & 0x3ff) << 10) + (second & 0x3ff);
            pair.then(|| char::from_u32(code)).flatten().map(|sign| (sign, LONGEST))
        }
        _ => None,
    }
}

/// Four hexadecimal digits.
fn unit(digits: &[u8]) -> Option<u32> {
    let digit = |sum: Option<u32>, byte: &u8| Some(sum? * 16 + char::from(*byte).to_digit(16)?);
    (digits.len() == 4).then(|| digits.iter().fold(Some(0), digit)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Reads a few bytes at a time.
    struct Slow<'t>(&'t [u8], usize);

    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = self.1.min(buffer.len()).min(self.0.len());
            let (now, later) = self.0.split_at(count);
            buffer[..count].copy_from_slice(now);
            self.0 = later;
            Ok(count)
        }
    }

    fn unescaped(text: &str, size: usize) -> (String, Places) {
        let (mut reader, places) = Unescaped::new(Slow(text.as_bytes(), size));
        let mut found = String::new();
        reader.read_to_string(&mut found).unwrap();
        (found, places)
    }

    #[test]
    fn places_far_apart_are_kept_as_well() {
        let text = format!(
            r"{}\u00e9{}\n\n{}x",
            "a".repeat(200_000),
            "b".repeat(65_535),
            "c".repeat(70_000)
        );
        let (found, places) = unescaped(&text, 1000);
        let at = found.len() as u64 - 1;
        assert_eq!(places.in_file(0, 200_000), (0, 200_000));
        assert_eq!(places.in_file(200_000, 200_002), (200_000, 200_006));
        assert_eq!(places.in_file(at, at + 1), (text.len() as u64 - 1, text.len() as u64));
    }

    #[test]
    fn signs_stand_for_themselves_and_structure_stays() {
        for (text, expected) in [
            (r#"{"a": "J\u00f6rg"}"#, "{\"a\": \"J\u{f6}rg\"}"),
            (r#""\ud83d\ude00 \u0041""#, "\"\u{1f600} A\""),
            (r#""a\/b\n\" \u0022 \u005c \u000a""#, "\"a/b\u{c}\\\" \\u0022 \\u005c \\u000a\""),
            (r#""\\u00e9 \\\u00e9""#, "\"\\\\u00e9 \\\\\u{e9}\""),
            (r#""\ud83d \ude00 \u12 \uzzzz""#, r#""\ud83d \ude00 \u12 \uzzzz""#),
            ("\\", "\\"),
            ("\\u00e", "\\u00e"),
        ] {
            for size in [1, 3, 100] {
                assert_eq!(unescaped(text, size).0, expected, "{text}");
            }
        }
    }

    proptest! {
        #[test]
        fn every_piece_is_found_where_it_stands(
            pieces in prop::collection::vec("[a-z ]{0,5}|\\\\u00e9|\\\\ud83d\\\\ude00|\\\\/|\\\\n", 0..40),
            size in 1..20_usize,
        ) {
            let text = pieces.concat();
            let (found, places) = unescaped(&text, size);
            prop_assert_eq!(found.len() as u64 + places.total(), text.len() as u64);
            let (mut at, mut raw) = (0, 0);
            for piece in &pieces {
                let length = unescaped(piece, 100).0.len();
                let place = places.in_file(at, at + length as u64);
                prop_assert_eq!(place, (raw, raw + piece.len() as u64));
                at += length as u64;
                raw += piece.len() as u64;
            }
        }
    }
}
