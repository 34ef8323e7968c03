//! Rows that SQL states: `INSERT INTO people (name, ssn) VALUES ...`, `COPY people (name, ssn) FROM
//! stdin`, both also without columns where the table was created before.

use std::collections::BTreeMap;

use super::super::table::TableCell;
use super::words::Words;
use super::{Heads, cell};

/// What begins a definition of a table that defines no column.
const CONSTRAINTS: [&[u8]; 12] = [
    b"primary",
    b"key",
    b"unique",
    b"constraint",
    b"foreign",
    b"check",
    b"index",
    b"fulltext",
    b"spatial",
    b"exclude",
    b"like",
    b"period",
];

/// The heads of the rows after `INSERT` at a place, and where they begin.
pub(super) fn insert(
    text: &[u8],
    place: usize,
    created: &BTreeMap<Vec<u8>, Heads>,
) -> Option<(Values, usize)> {
    let mut words = Words { text, at: place };
    words.word();
    // `INSERT OR IGNORE INTO`, `INSERT LOW_PRIORITY IGNORE INTO`.
    let into = (0..4).any(|_| words.word().eq_ignore_ascii_case(b"into"));
    if !into {
        return None;
    }
    let heads = columns(&mut words, created)?;
    words.blanks();
    if words.keyword(b"overriding") {
        words.word();
        words.word();
    }
    if !words.keyword(b"values") && !words.keyword(b"value") {
        return None;
    }
    Some((Values { heads, depth: 0, column: 0, quote: None, cut: false }, words.at))
}

/// The heads of the lines after `COPY` at a place, and where they begin.
pub(super) fn copy(
    text: &[u8],
    place: usize,
    created: &BTreeMap<Vec<u8>, Heads>,
) -> Option<(Copied, usize)> {
    let mut words = Words { text, at: place };
    words.word();
    let heads = columns(&mut words, created)?;
    if !words.keyword(b"from") || !words.keyword(b"stdin") {
        return None;
    }
    let rest = text.get(words.at..)?;
    let length = memchr::memchr(b'\n', rest)?;
    let options = rest.get(..length)?.to_ascii_lowercase();
    let comma = options.windows(3).any(|three| three == b"csv");
    let separator = if comma { b',' } else { b'\t' };
    Some((Copied { heads, separator, column: 0, cut: false }, words.at + length + 1))
}

/// What the columns announce that are named after a table, or that the table was created with.
fn columns(words: &mut Words<'_>, created: &BTreeMap<Vec<u8>, Heads>) -> Option<Heads> {
    let table = words.table()?;
    words.blanks();
    match words.peek() {
        Some(b'(') => super::heads(words.names()?.into_iter()),
        _ => created.get(&table.to_ascii_lowercase()).cloned(),
    }
}

/// The name of the table that `CREATE` at a place makes, what its columns announce, and where its
/// definition ends.
pub(super) fn create(text: &[u8], place: usize) -> Option<(Vec<u8>, Heads, usize)> {
    let mut words = Words { text, at: place };
    words.word();
    let table = (0..3).any(|_| words.word().eq_ignore_ascii_case(b"table"));
    if !table {
        return None;
    }
    if words.keyword(b"if") {
        words.word();
        words.word();
    }
    let name = words.table()?.to_ascii_lowercase();
    if !words.sign(b'(') {
        return None;
    }
    let mut columns = Vec::new();
    loop {
        let column = words.name()?;
        if !CONSTRAINTS.iter().any(|known| known.eq_ignore_ascii_case(column)) {
            columns.push(column);
        }
        let (end, more) = end_of_definition(text, words.at)?;
        words.at = end;
        if !more {
            break;
        }
    }
    super::heads(columns.into_iter()).map(|heads| (name, heads, words.at))
}

/// Where a definition ends, after the sign that ends it, and whether another one follows.
fn end_of_definition(text: &[u8], start: usize) -> Option<(usize, bool)> {
    let (mut depth, mut quote) = (0_usize, None);
    for (index, byte) in text.get(start..)?.iter().enumerate() {
        match (quote, byte) {
            (Some(open), byte) if *byte == open => quote = None,
            (Some(_), _) => {}
            (None, b'\'' | b'"' | b'`') => quote = Some(*byte),
            (None, b'(') => depth += 1,
            (None, b')') if depth == 0 => return Some((start + index + 1, false)),
            (None, b')') => depth -= 1,
            (None, b',') if depth == 0 => return Some((start + index + 1, true)),
            (None, b';') => return None,
            _ => {}
        }
    }
    None
}

/// The rows after `VALUES`: where in them a place is.
#[derive(Clone, Debug)]
pub(super) struct Values {
    heads: Heads,
    /// How many parentheses are open.
    depth: usize,
    column: usize,
    /// The quote that is open.
    quote: Option<u8>,
    /// Whether the value began before the segment.
    cut: bool,
}

impl Values {
    /// Hands out the values from a place on; answers where they end, and whether the statement does.
    pub(super) fn rows(
        &mut self,
        text: &[u8],
        start: usize,
        each: &mut dyn FnMut(TableCell),
    ) -> (usize, bool) {
        let (mut at, mut open) = (start, start);
        while let Some(byte) = text.get(at).copied() {
            match (self.quote, byte) {
                (Some(_), b'\\') if self.escapes(text, at) => at += 1,
                (Some(quote), _) if byte == quote => self.quote = None,
                (Some(_), _) => {}
                (None, b'\'' | b'"') if self.depth > 0 => self.quote = Some(byte),
                (None, b'(') => {
                    self.depth += 1;
                    if self.depth == 1 {
                        (self.column, self.cut, open) = (0, false, at + 1);
                    }
                }
                (None, b')' | b',') if self.depth == 1 => {
                    self.end(text, open, at, each);
                    self.depth -= usize::from(byte == b')');
                    (self.column, open) = (self.column + 1, at + 1);
                }
                (None, b')') => match self.depth.checked_sub(1) {
                    Some(depth) => self.depth = depth,
                    None => return (at, true),
                },
                (None, b';') => return (at, true),
                (None, _) if self.depth == 0 => match between_rows(text, at) {
                    Some(length) => at += length - 1,
                    None => return (at, true),
                },
                _ => {}
            }
            at += 1;
        }
        let cut = self.depth > 0 && open < at;
        // A value that fills a segment is none.
        let endless = cut && self.cut && open == start;
        self.cut = cut;
        (at.max(text.len()), endless)
    }

    /// Whether a backslash keeps what comes after it from ending the value: `'it\'s'`, but not
    /// `'C:\'`.
    fn escapes(&self, text: &[u8], at: usize) -> bool {
        let next = text.get(at + 1).copied();
        let last = matches!(text.get(at + 2), Some(b',' | b')'));
        next == Some(b'\\') || (next.is_some() && next == self.quote && !last)
    }

    fn end(&mut self, text: &[u8], start: usize, end: usize, each: &mut dyn FnMut(TableCell)) {
        if std::mem::take(&mut self.cut) {
            return;
        }
        let mut found = cell(text, start, end, self.column, &self.heads);
        let value = text.get(found.start..found.end).unwrap_or(&[]);
        // `'Ann'`, `N'Ann'`, `_binary 'Ann'`.
        if let Some(quote @ (b'\'' | b'"')) = value.last()
            && let Some(from) = value.iter().position(|byte| byte == quote)
            && from + 1 < value.len()
        {
            found.start += from + 1;
            found.end -= 1;
        }
        each(found);
    }
}

/// How many bytes between two rows end no statement: a comma, a blank, `ROW`.
fn between_rows(text: &[u8], at: usize) -> Option<usize> {
    let rest = text.get(at..)?;
    match rest.first()? {
        b',' | b' ' | b'\n' | b'\r' | b'\t' => Some(1),
        b'R' | b'r' if rest.get(..3)?.eq_ignore_ascii_case(b"row") => Some(3),
        _ => None,
    }
}

/// The lines after `COPY`: where in them a place is.
#[derive(Clone, Debug)]
pub(super) struct Copied {
    heads: Heads,
    separator: u8,
    column: usize,
    /// Whether the cell began before the segment.
    cut: bool,
}

impl Copied {
    /// Hands out the cells from a place on; answers where they end, and whether the lines do.
    pub(super) fn rows(
        &mut self,
        text: &[u8],
        start: usize,
        each: &mut dyn FnMut(TableCell),
    ) -> (usize, bool) {
        let rest = text.get(start..).unwrap_or(&[]);
        let mut open = start;
        for length in memchr::memchr2_iter(self.separator, b'\n', rest) {
            let end = start + length;
            let last = text.get(end) == Some(&b'\n');
            if last && self.column == 0 && text.get(open..end).is_some_and(is_end) {
                return (end, true);
            }
            if !std::mem::take(&mut self.cut) {
                each(cell(text, open, end, self.column, &self.heads));
            }
            self.column = if last { 0 } else { self.column + 1 };
            open = end + 1;
        }
        self.cut |= open < text.len();
        (text.len(), false)
    }
}

/// Whether a line ends the data of `COPY`.
fn is_end(line: &[u8]) -> bool {
    matches!(line.trim_ascii(), b"\\." | b"")
}
