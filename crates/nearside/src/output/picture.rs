//! A picture of a few lines on a terminal that is drawn again and again in the same place: what has to
//! be written to change it. The cursor stays below it and stays to be seen, so that a program that is
//! killed leaves nothing behind but the picture.

use std::fmt::Write as _;

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// How large a terminal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    /// Signs in a line.
    pub(crate) columns: usize,
    /// Lines.
    pub(crate) lines: usize,
}

/// What is on the terminal: how wide each of its lines is.
#[derive(Clone, Debug, Default)]
pub(super) struct Picture {
    widths: Vec<usize>,
}

impl Picture {
    pub(super) const fn is_drawn(&self) -> bool {
        !self.widths.is_empty()
    }

    /// What draws these lines over those that are there.
    pub(super) fn drawn(&mut self, lines: &[String], size: Size) -> String {
        let mut text = self.to_its_begin(size);
        for line in lines {
            // What is left of the line that was there goes after the new one is: nothing flickers.
            let _ = writeln!(text, "{line}\x1b[K");
        }
        text.push_str("\x1b[J");
        self.widths = lines.iter().map(|line| line.width()).collect();
        text
    }

    /// What removes it.
    pub(super) fn erased(&mut self, size: Size) -> String {
        let text = self.to_its_begin(size) + "\x1b[J";
        self.widths.clear();
        text
    }

    /// What is there stays there.
    pub(super) fn leave(&mut self) {
        self.widths.clear();
    }

    /// Lines that were drawn on a wider terminal take several now.
    fn to_its_begin(&self, size: Size) -> String {
        let taken = |width: &usize| width.div_ceil(size.columns.max(1)).max(1);
        match self.widths.iter().map(taken).sum::<usize>() {
            0 => "\r".to_owned(),
            up => format!("\r\x1b[{up}A"),
        }
    }
}

/// A text in one line that is no wider than this; where it is cut, three dots say so. Signs that would
/// move the cursor are left out.
pub(crate) fn cut(text: &str, columns: usize) -> String {
    let plain: String = text.chars().filter(|sign| sign.width().is_some()).collect();
    if plain.width() <= columns {
        return plain;
    }
    let dots = ".".repeat(columns.min(3));
    let mut room = columns - dots.len();
    let fits = |sign: &char| {
        let left = room.checked_sub(sign.width().unwrap_or(0));
        room = left.unwrap_or(0);
        left.is_some()
    };
    plain.chars().take_while(fits).collect::<String>() + &dots
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size { columns: 10, lines: 5 };

    #[test]
    fn a_picture_is_drawn_over_the_last_one() {
        let mut picture = Picture::default();
        let lines =
            |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
        assert_eq!(picture.drawn(&lines(&["a", "b"]), SIZE), "\ra\x1b[K\nb\x1b[K\n\x1b[J");
        assert_eq!(picture.drawn(&lines(&["12345678"]), SIZE), "\r\x1b[2A12345678\x1b[K\n\x1b[J");
        // The terminal has become narrower, and has broken the line.
        assert_eq!(picture.erased(Size { columns: 4, ..SIZE }), "\r\x1b[2A\x1b[J");
        assert!(!picture.is_drawn());
        assert_eq!(picture.erased(SIZE), "\r\x1b[J");
    }

    #[test]
    fn texts_are_cut_to_their_place() {
        assert_eq!(cut("abcdef", 6), "abcdef");
        assert_eq!(cut("abcdef", 5), "ab...");
        assert_eq!(cut("abcdef", 2), "..");
        assert_eq!(cut("a\x1b[2Jb\n", 9), "a[2Jb");
        // Each of these takes two columns.
        assert_eq!(cut("数据数据", 8), "数据数据");
        assert_eq!(cut("数据数据", 6), "数...");
    }
}
