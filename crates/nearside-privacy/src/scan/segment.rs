//! Where a stream is cut: at ends of lines, of records and of keys in armour, and within very long
//! lines. A cut depends on the text alone, never on how much of it is in memory.

use std::sync::LazyLock;

use memchr::memmem::Finder;

use crate::source::Form;

/// The most bytes of a segment.
pub(super) const MAX: usize = 32 * 1024;
/// The bytes after a cut within a line that belong to what began before it.
pub(super) const RIGHT: usize = 4 * 1024;

/// One piece of a stream, in a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) start: usize,
    pub(super) end: usize,
    /// Whether it ends within a line.
    pub(super) within: bool,
}

/// Whether a text may hold keys in armour, whose lines belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Armour {
    Some,
    None,
}

/// Whether a text holds the opening line of anything in armour.
pub(super) fn armour(text: &[u8]) -> Armour {
    match OPEN.find(text) {
        Some(_) => Armour::Some,
        None => Armour::None,
    }
}

static OPEN: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"-----BEGIN "));

/// The segment that begins at a place of a buffer; `None` where more of the stream is needed to
/// tell.
pub(super) fn next(
    buffer: &[u8],
    start: usize,
    form: Form,
    armour: Armour,
    complete: bool,
) -> Option<Segment> {
    let rest = buffer.get(start..).filter(|rest| !rest.is_empty())?;
    let window = rest.get(..rest.len().min(MAX)).unwrap_or(rest);
    let whole = |length: usize| Some(Segment { start, end: start + length, within: false });
    let enough = complete || rest.len() >= MAX + RIGHT;
    let end = match form {
        Form::Delimited => record(window),
        Form::Text | Form::Json => line(window, armour, enough),
    };
    match end {
        Line::Ends(length) => whole(length),
        Line::Unknown if !enough => None,
        _ if complete && rest.len() <= MAX => whole(rest.len()),
        _ if !enough => None,
        _ => {
            let length = memchr::memchr(b'\n', window).map_or(MAX, |at| at + 1);
            let within = length == MAX;
            let length = if within { cut(window) } else { length };
            Some(Segment { start, end: start + length, within })
        }
    }
}

enum Line {
    /// It ends after so many bytes.
    Ends(usize),
    /// It does not end in what is there.
    Open,
    /// A key in armour may go on after what is there.
    Unknown,
}

/// A line, or all lines of a private key.
fn line(window: &[u8], armour: Armour, enough: bool) -> Line {
    let Some(length) = memchr::memchr(b'\n', window).map(|at| at + 1) else { return Line::Open };
    let head = window.get(..length).unwrap_or(window);
    if armour == Armour::None {
        return Line::Ends(length);
    }
    let Some(open) = OPEN.find(head) else { return Line::Ends(length) };
    if memchr::memmem::find(head.get(open..).unwrap_or(&[]), b"PRIVATE KEY").is_none() {
        return Line::Ends(length);
    }
    let rest = window.get(open..).unwrap_or(&[]);
    let Some(close) = memchr::memmem::find(rest, b"-----END ").map(|close| open + close) else {
        return if enough { Line::Ends(length) } else { Line::Unknown };
    };
    if close < length {
        return Line::Ends(length);
    }
    match memchr::memchr(b'\n', window.get(close..).unwrap_or(&[])) {
        Some(at) => Line::Ends(close + at + 1),
        None if enough => Line::Ends(length),
        None => Line::Unknown,
    }
}

/// A line, and more of them while a quote is open.
fn record(window: &[u8]) -> Line {
    let mut quoted = false;
    for at in memchr::memchr2_iter(b'\n', b'"', window) {
        match window.get(at) {
            Some(b'"') => quoted = !quoted,
            _ if !quoted => return Line::Ends(at + 1),
            _ => {}
        }
    }
    Line::Open
}

/// Where a line that is too long is cut: after something that separates values, else after a blank.
fn cut(window: &[u8]) -> usize {
    let late = MAX / 2;
    let back = |found: &dyn Fn(u8) -> bool| {
        let tail = window.get(late..).unwrap_or(&[]);
        tail.iter().rposition(|byte| found(*byte)).map(|at| late + at + 1)
    };
    back(&|byte| b",;{}[]<>|\t".contains(&byte))
        .or_else(|| back(&|byte| byte == b' '))
        .unwrap_or(window.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &[u8], form: Form) -> Vec<usize> {
        let (mut ends, mut start) = (Vec::new(), 0);
        while let Some(segment) = next(text, start, form, armour(text), true) {
            start = segment.end;
            ends.push(start);
        }
        ends
    }

    #[test]
    fn lines_records_and_keys_are_kept_together() {
        assert_eq!(all(b"a\nbc\nd", Form::Text), [2, 5, 6]);
        assert_eq!(all(b"a,\"b\nc\"\nd\n", Form::Delimited), [8, 10]);
        let key = b"x\n-----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY-----\ny";
        assert_eq!(all(key, Form::Text).len(), 3);
    }

    #[test]
    fn long_lines_are_cut_alike_however_much_is_there() {
        let mut text = Vec::new();
        for number in 0..40_000 {
            text.extend_from_slice(format!("{number},").as_bytes());
        }
        let ends = all(&text, Form::Text);
        assert!(ends.len() > 5 && ends.last() == Some(&text.len()));
        let mut start = 0;
        for end in ends.iter().take(3) {
            let there = text.get(..start + MAX + RIGHT).unwrap();
            assert_eq!(next(there, start, Form::Text, Armour::None, false).unwrap().end, *end);
            assert_eq!(next(there.get(..start + MAX).unwrap(), start, Form::Text, Armour::None, false), None);
            start = *end;
        }
    }
}
