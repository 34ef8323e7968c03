//! Where a stream is cut: after lines, after records of tables, and within very long lines. A cut
//! depends on the text alone, never on how much of it is in memory.

use crate::source::Form;

/// The most bytes of a segment.
pub(super) const MAX: usize = 32 * 1024;
/// The bytes after a segment that may belong to what begins in it: a key in armour, what goes over
/// the cut of a long line.
pub(super) const RIGHT: usize = 16 * 1024;

/// One piece of a stream, in a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) start: usize,
    pub(super) end: usize,
}

/// The segment that begins at a place of a buffer: lines, or one record of a table. `None` where
/// more of the stream is needed to tell.
pub(super) fn next(buffer: &[u8], start: usize, form: Form, complete: bool) -> Option<Segment> {
    let rest = buffer.get(start..).filter(|rest| !rest.is_empty())?;
    if !complete && rest.len() < MAX + RIGHT {
        return None;
    }
    let window = rest.get(..MAX).unwrap_or(rest);
    let whole = match form {
        Form::Delimited => record(window),
        Form::Text | Form::Json if rest.len() <= MAX => Some(rest.len()),
        Form::Text | Form::Json => memchr::memrchr(b'\n', window).map(|at| at + 1),
    };
    let length = match whole {
        Some(length) => length,
        None if rest.len() <= MAX => rest.len(),
        // A record whose quotes never close ends with its line.
        None => memchr::memchr(b'\n', window).map_or_else(|| cut(window), |at| at + 1),
    };
    Some(Segment { start, end: start + length })
}

/// The end of a record: of a line, or of more of them while a quote is open.
fn record(window: &[u8]) -> Option<usize> {
    let mut quoted = false;
    for at in memchr::memchr2_iter(b'\n', b'"', window) {
        match window.get(at) {
            Some(b'"') => quoted = !quoted,
            _ if !quoted => return Some(at + 1),
            _ => {}
        }
    }
    None
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
        while let Some(segment) = next(text, start, form, true) {
            start = segment.end;
            ends.push(start);
        }
        ends
    }

    #[test]
    fn records_are_kept_together() {
        assert_eq!(all(b"a\nbc\nd", Form::Text), [6]);
        assert_eq!(all(b"a,\"b\nc\"\nd\n", Form::Delimited), [8, 10]);
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
            assert_eq!(next(there, start, Form::Text, false).unwrap().end, *end);
            assert_eq!(next(there.get(..start + MAX).unwrap(), start, Form::Text, false), None);
            start = *end;
        }
    }
}
