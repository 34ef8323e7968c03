//! How text is encoded, and as UTF-8 whatever it was.
//!
//! A mark at the start says it; without one, UTF-16 and UTF-32 of mostly Latin text show by their
//! zero bytes. What is none of these is passed on as it is, be it Latin-1 or no text at all.
//! Source: The Unicode Standard, 2.6 "Encoding Schemes", 23.8 "Byte order mark".

use std::io::{self, Read};

use super::meter::fill;

/// Encodings told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// UTF-8, or bytes as they are.
    Bytes,
    Wide(Wide),
}

/// An encoding in units of several bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wide {
    /// 2 or 4.
    unit: usize,
    order: Order,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Little,
    Big,
}

const LITTLE_16: Wide = Wide { unit: 2, order: Order::Little };
const BIG_16: Wide = Wide { unit: 2, order: Order::Big };
const LITTLE_32: Wide = Wide { unit: 4, order: Order::Little };
const BIG_32: Wide = Wide { unit: 4, order: Order::Big };

/// The longer marks first: that of UTF-32 begins as that of UTF-16 does.
const MARKS: [(&[u8], Encoding); 5] = [
    (&[0xff, 0xfe, 0, 0], Encoding::Wide(LITTLE_32)),
    (&[0, 0, 0xfe, 0xff], Encoding::Wide(BIG_32)),
    (&[0xef, 0xbb, 0xbf], Encoding::Bytes),
    (&[0xff, 0xfe], Encoding::Wide(LITTLE_16)),
    (&[0xfe, 0xff], Encoding::Wide(BIG_16)),
];

impl Encoding {
    /// The encoding of text that starts so, and the length of the mark that says it. That of UTF-8 stays
    /// part of the text, so that places in it are those in the file.
    pub(super) fn of(head: &[u8]) -> (Self, usize) {
        let marked = MARKS.iter().find(|(mark, _)| head.starts_with(mark));
        match marked {
            Some((_, Self::Bytes)) => return (Self::Bytes, 0),
            Some((mark, wide)) => return (*wide, mark.len()),
            None => {}
        }
        let unmarked = [LITTLE_32, BIG_32, LITTLE_16, BIG_16];
        let found = unmarked.into_iter().find(|wide| wide.fits(head));
        (found.map_or(Self::Bytes, Self::Wide), 0)
    }
}

impl Wide {
    /// Whether bytes without a mark are text in this encoding: all of it can be shown, and at least
    /// half of it is Latin, where all bytes of a unit but one are zero.
    fn fits(self, head: &[u8]) -> bool {
        const LEAST_UNITS: usize = 2;
        let units = head.len() / self.unit;
        if units < LEAST_UNITS {
            return false;
        }
        let (mut text, mut narrow, mut decoder) = (true, 0, Decoder::new(io::empty(), self));
        for unit in head.chunks_exact(self.unit) {
            let value = self.value(unit);
            text &= !matches!(value, 0..=8 | 0x0e..=0x1f | 0x7f..=0x9f | 0xfffe..=0xffff);
            narrow += usize::from(value < 0x100);
            decoder.push(value);
        }
        text && narrow * 2 >= units && !decoder.was_wrong
    }

    fn value(self, unit: &[u8]) -> u32 {
        let join = |value: u32, byte: &u8| value << 8 | u32::from(*byte);
        match self.order {
            Order::Big => unit.iter().fold(0, join),
            Order::Little => unit.iter().rev().fold(0, join),
        }
    }
}

/// Text in a wide encoding, read as UTF-8; what is wrong in it becomes U+FFFD.
pub(super) struct Decoder<R> {
    inner: R,
    wide: Wide,
    /// The first half of a pair.
    high: Option<u32>,
    decoded: String,
    given: usize,
    was_wrong: bool,
}

impl<R: Read> Decoder<R> {
    pub(super) const fn new(inner: R, wide: Wide) -> Self {
        Self { inner, wide, high: None, decoded: String::new(), given: 0, was_wrong: false }
    }

    fn push(&mut self, unit: u32) {
        let is_low = self.wide.unit == 2 && (0xdc00..0xe000).contains(&unit);
        let value = match (self.high.take(), is_low) {
            (Some(high), true) => 0x1_0000 + ((high - 0xd800) << 10) + (unit - 0xdc00),
            (None, _) => unit,
            (Some(_), false) => {
                self.wrong();
                unit
            }
        };
        if self.wide.unit == 2 && (0xd800..0xdc00).contains(&value) {
            self.high = Some(value);
            return;
        }
        match char::from_u32(value) {
            Some(sign) => self.decoded.push(sign),
            None => self.wrong(),
        }
    }

    fn wrong(&mut self) {
        self.was_wrong = true;
        self.decoded.push(char::REPLACEMENT_CHARACTER);
    }

    fn decode_more(&mut self) -> io::Result<bool> {
        let mut block = [0; 4096];
        let read = fill(&mut self.inner, &mut block)?;
        self.decoded.clear();
        self.given = 0;
        let units = block[..read].chunks_exact(self.wide.unit);
        let cut = !units.remainder().is_empty();
        for unit in units {
            self.push(self.wide.value(unit));
        }
        let is_last = read < block.len();
        if cut || (is_last && self.high.take().is_some()) {
            self.wrong();
        }
        Ok(!self.decoded.is_empty() || !is_last)
    }
}

impl<R: Read> Read for Decoder<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.given == self.decoded.len() {
            if !self.decode_more()? {
                return Ok(0);
            }
        }
        let read = (&self.decoded.as_bytes()[self.given..]).read(buffer)?;
        self.given += read;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(text: &str, wide: Wide) -> Vec<u8> {
        let little = wide.order == Order::Little;
        let units: Vec<u8> = match wide.unit {
            2 => text
                .encode_utf16()
                .flat_map(|unit| if little { unit.to_le_bytes() } else { unit.to_be_bytes() })
                .collect(),
            _ => text
                .chars()
                .map(u32::from)
                .flat_map(|unit| if little { unit.to_le_bytes() } else { unit.to_be_bytes() })
                .collect(),
        };
        units
    }

    fn decoded(bytes: &[u8]) -> String {
        let (encoding, mark) = Encoding::of(&bytes[..bytes.len().min(4096)]);
        let mut text = Vec::new();
        match encoding {
            Encoding::Bytes => text.extend_from_slice(&bytes[mark..]),
            Encoding::Wide(wide) => {
                Decoder::new(&bytes[mark..], wide).read_to_end(&mut text).map(drop).unwrap();
            }
        }
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn every_encoding_comes_out_as_utf8() {
        let text = "Jörg Müller, 😀 jörg@example.org\n".repeat(400);
        for wide in [LITTLE_16, BIG_16, LITTLE_32, BIG_32] {
            assert_eq!(decoded(&encoded(&text, wide)), text, "{wide:?} without a mark");
            assert_eq!(decoded(&encoded(&format!("\u{feff}{text}"), wide)), text, "{wide:?}");
        }
        let marked = format!("\u{feff}{text}");
        assert!(decoded(marked.as_bytes()) == marked, "places stay those in the file");
        assert_eq!(decoded(text.as_bytes()), text);
    }

    #[test]
    fn bytes_are_not_taken_for_wide_text() {
        for bytes in
            [&b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x3e\0"[..], b"", b"a", b"\0\0\0\0"]
        {
            assert_eq!(Encoding::of(bytes), (Encoding::Bytes, 0), "{bytes:?}");
        }
    }

    #[test]
    fn halves_of_pairs_are_marked() {
        assert_eq!(decoded(&[0xff, 0xfe, b'a', 0, 0x3d, 0xd8]), "a\u{fffd}");
        assert_eq!(decoded(&[0xff, 0xfe, 0x3d, 0xd8, b'a', 0, b'b']), "\u{fffd}a\u{fffd}");
    }
}
