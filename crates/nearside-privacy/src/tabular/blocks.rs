//! The rows of a table of any size, in blocks that several threads work on at once.
//!
//! A block ends where a row does; a line break within quotes ends none. Quotes open only where a cell begins
//! (RFC 4180; as the `csv` library reads them), so that a stray one within a cell spoils nothing.

use std::io::Read;
use std::num::NonZero;
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::TabularError;

/// Bytes that one thread works on at a time.
const BLOCK: usize = 1 << 20;
/// The longest row, in bytes.
const LONGEST_ROW: usize = 1 << 28;
/// What UTF-8 may begin with; it is no part of the text.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// How a table is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialect {
    /// What separates cells.
    pub separator: u8,
}

/// The heads of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heads(Vec<String>);

impl Heads {
    /// The names, as they stand in the table but without spaces around them.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.0
    }

    /// Where the named columns stand.
    ///
    /// # Errors
    /// When one is not there, or is named twice.
    pub fn places<'n>(
        &self,
        names: impl IntoIterator<Item = &'n String>,
    ) -> Result<Vec<usize>, TabularError> {
        let mut places = Vec::new();
        for name in names {
            let place = self.0.iter().position(|head| head == name).ok_or_else(|| {
                TabularError::NoColumn { name: name.clone(), there: self.0.join(", ") }
            })?;
            if places.contains(&place) {
                return Err(TabularError::Twice(name.clone()));
            }
            places.push(place);
        }
        Ok(places)
    }
}

/// Whole rows, one behind another.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    /// Its number, from 0.
    pub(crate) number: u64,
    /// The line of the text that it begins in, from 1.
    line: u64,
    text: Vec<u8>,
    separator: u8,
    cells: usize,
}

impl Block {
    /// Hands every row on.
    ///
    /// # Errors
    /// When a row has more or fewer cells than the heads, and what was made of a row.
    pub(crate) fn rows(
        &self,
        mut each: impl FnMut(&csv::ByteRecord) -> Result<(), TabularError>,
    ) -> Result<(), TabularError> {
        let mut reader = csv::ReaderBuilder::new();
        reader.delimiter(self.separator).has_headers(false).flexible(true);
        let mut reader = reader.from_reader(self.text.as_slice());
        let mut record = csv::ByteRecord::new();
        while reader.read_byte_record(&mut record)? {
            if record.len() != self.cells {
                let (line, found) = (self.line_of(&record), record.len());
                return Err(TabularError::Ragged { line, found, heads: self.cells });
            }
            each(&record)?;
        }
        Ok(())
    }

    /// The line of the text that a row begins in.
    fn line_of(&self, record: &csv::ByteRecord) -> u64 {
        self.line + record.position().map_or(1, csv::Position::line) - 1
    }

    /// A cell as text, without spaces around it.
    ///
    /// # Errors
    /// When it is no UTF-8.
    pub(crate) fn cell<'r>(
        &self,
        record: &'r csv::ByteRecord,
        at: usize,
    ) -> Result<&'r str, TabularError> {
        let cell = record.get(at).unwrap_or(&[]);
        let cell = std::str::from_utf8(cell)
            .map_err(|why| TabularError::NotUtf8 { line: self.line_of(record), why })?;
        Ok(cell.trim())
    }
}

/// A table, read block by block.
pub(crate) struct Blocks<R> {
    reader: R,
    dialect: Dialect,
    /// What was read and not given out.
    rest: Vec<u8>,
    number: u64,
    line: u64,
    cells: usize,
}

impl<R: Read> Blocks<R> {
    /// Begins to read a table with a row of heads.
    pub(crate) fn open(mut reader: R, dialect: Dialect) -> Result<(Self, Heads), TabularError> {
        let mut rest = Vec::new();
        let mut whole = fill(&mut reader, &mut rest, BLOCK)?;
        if rest.starts_with(MARK) {
            rest.drain(..MARK.len());
        }
        let end = loop {
            let ends = row_ends(&rest, dialect.separator);
            match ends.first {
                Some(end) => break end,
                None if whole => break rest.len(),
                None => whole = fill(&mut reader, &mut rest, BLOCK)?,
            }
        };
        let first: Vec<u8> = rest.drain(..end).collect();
        let line = 1 + lines(&first);
        let heads =
            Block { number: 0, line: 1, text: first, separator: dialect.separator, cells: 0 };
        let mut names = Vec::new();
        let mut parser = csv::ReaderBuilder::new();
        parser.delimiter(dialect.separator).has_headers(false);
        let mut record = csv::ByteRecord::new();
        if parser.from_reader(heads.text.as_slice()).read_byte_record(&mut record)? {
            for at in 0..record.len() {
                names.push(heads.cell(&record, at)?.to_owned());
            }
        }
        let cells = names.len();
        Ok((Self { reader, dialect, rest, number: 0, line, cells }, Heads(names)))
    }

    /// The next block; nothing at the end.
    fn next(&mut self) -> Result<Option<Block>, TabularError> {
        let separator = self.dialect.separator;
        let end = loop {
            let whole = fill(&mut self.reader, &mut self.rest, BLOCK)?;
            match row_ends(&self.rest, separator).last {
                _ if whole => break self.rest.len(),
                Some(end) => break end,
                None if self.rest.len() > LONGEST_ROW => {
                    return Err(TabularError::LongRow { line: self.line, most: LONGEST_ROW });
                }
                None => {}
            }
        };
        if end == 0 {
            return Ok(None);
        }
        let rest = self.rest.split_off(end);
        let text = std::mem::replace(&mut self.rest, rest);
        let (number, line) = (self.number, self.line);
        self.number += 1;
        self.line += lines(&text);
        Ok(Some(Block { number, line, text, separator, cells: self.cells }))
    }
}

/// Works on all blocks, each on one of several threads; every thread has a state of its own, and all of them
/// are given back. Blocks are given out in their order.
///
/// # Errors
/// That of the first block, in their order, that could not be read or worked on.
pub(crate) fn work<R: Read + Send, S: Send>(
    blocks: Blocks<R>,
    threads: NonZero<usize>,
    state: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, Block) -> Result<(), TabularError> + Sync,
) -> Result<Vec<S>, TabularError> {
    let source = Mutex::new((blocks, None::<(u64, TabularError)>));
    let one = || {
        let mut state = state();
        loop {
            let (number, done) = {
                let mut source = source.lock().unwrap_or_else(PoisonError::into_inner);
                if source.1.is_some() {
                    return state;
                }
                match source.0.next() {
                    Ok(None) => return state,
                    Ok(Some(block)) => {
                        drop(source);
                        (block.number, work(&mut state, block))
                    }
                    Err(error) => (source.0.number, Err(error)),
                }
            };
            if let Err(error) = done {
                let mut source = source.lock().unwrap_or_else(PoisonError::into_inner);
                if source.1.as_ref().is_none_or(|(first, _)| number < *first) {
                    source.1 = Some((number, error));
                }
                return state;
            }
        }
    };
    let states = thread::scope(|scope| {
        let others: Vec<_> = (1..threads.get()).map(|_| scope.spawn(one)).collect();
        let mut states = vec![one()];
        for other in others {
            states.push(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        states
    });
    let (_, failed) = source.into_inner().unwrap_or_else(PoisonError::into_inner);
    match failed {
        Some((_, error)) => Err(error),
        None => Ok(states),
    }
}

/// Reads so many more bytes; answers whether there are no more.
fn fill(reader: &mut impl Read, into: &mut Vec<u8>, more: usize) -> Result<bool, TabularError> {
    into.reserve(more);
    Ok(reader.take(more as u64).read_to_end(into)? < more)
}

fn lines(text: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', text).count() as u64
}

/// Where the first row of a text ends, and the last one that ends in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct RowEnds {
    first: Option<usize>,
    last: Option<usize>,
}

/// Finds the ends of rows in a text that begins with a row.
fn row_ends(text: &[u8], separator: u8) -> RowEnds {
    let mut ends = RowEnds::default();
    let mut open_from = None;
    let mut at = 0;
    // What lies between two quotes that open and close is either within quotes or not.
    let mut outside = |from: usize, to: usize| {
        let part = text.get(from..to).unwrap_or(&[]);
        if ends.first.is_none() {
            ends.first = memchr::memchr(b'\n', part).map(|end| from + end + 1);
        }
        if let Some(end) = memchr::memrchr(b'\n', part) {
            ends.last = Some(from + end + 1);
        }
    };
    let mut closed = 0;
    while let Some(quote) = text.get(at..).and_then(|rest| memchr::memchr(b'"', rest)) {
        let quote = at + quote;
        at = quote + 1;
        let before = quote.checked_sub(1).and_then(|before| text.get(before));
        match open_from {
            None => {
                let begins = before
                    .is_none_or(|byte| *byte == separator || *byte == b'\n' || *byte == b'\r');
                if begins {
                    outside(closed, quote);
                    open_from = Some(quote);
                }
            }
            Some(_) if text.get(at) == Some(&b'"') => at += 1,
            Some(_) => (open_from, closed) = (None, at),
        }
    }
    if open_from.is_none() {
        outside(closed, text.len());
    }
    ends
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(text: &str) -> (Option<usize>, Option<usize>) {
        let RowEnds { first, last } = row_ends(text.as_bytes(), b',');
        (first, last)
    }

    #[test]
    fn rows_end_outside_quotes_only() {
        assert_eq!(ends("a,b\nc,d\ne"), (Some(4), Some(8)));
        assert_eq!(ends("a,\"b\nc\",d\ne"), (Some(10), Some(10)));
        assert_eq!(ends("a,\"b\"\"\nc\",d"), (None, None));
        assert_eq!(ends("6\"2,b\nc,\"d\n"), (Some(6), Some(6)));
        assert_eq!(ends("\"\"\n\"x\"\n"), (Some(3), Some(7)));
        assert_eq!(ends(""), (None, None));
    }

    /// What rows a text has, by the library alone and in blocks.
    #[test]
    fn blocks_have_the_rows_of_the_whole() {
        let mut text = "a,b,c\n".to_owned();
        for number in 0..150_000 {
            let cell = ["x", "\"q, \"\"w\"\"\nv\"", "6\"2", "\"\""][number % 4];
            text.push_str(&format!("{number},{cell},{:>1$}\n", "", number % 60));
        }
        let dialect = Dialect { separator: b',' };
        let mut expected = Vec::new();
        let mut reader = csv::ReaderBuilder::new();
        let mut reader = reader.has_headers(true).from_reader(text.as_bytes());
        reader.byte_records().for_each(|record| expected.push(record.unwrap()));
        let (blocks, heads) = Blocks::open(text.as_bytes(), dialect).unwrap();
        assert_eq!(heads.names(), ["a", "b", "c"]);
        let threads = NonZero::new(3).unwrap();
        let states = work(blocks, threads, Vec::new, |state, block| {
            let number = block.number;
            let mut rows = Vec::new();
            block.rows(|record| {
                rows.push(record.clone());
                Ok(())
            })?;
            state.push((number, rows));
            Ok(())
        });
        let mut found: Vec<_> = states.unwrap().into_iter().flatten().collect();
        found.sort_by_key(|(number, _)| *number);
        assert!(found.len() > 2, "{}", found.len());
        let found: Vec<_> = found.into_iter().flat_map(|(_, rows)| rows).collect();
        assert!(found == expected);
    }
}
