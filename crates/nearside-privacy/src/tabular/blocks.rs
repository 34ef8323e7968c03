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
/// The longest row of heads, in bytes.
const LONGEST_HEADS: usize = 1 << 24;
/// The most heads, and the most letters of each, that an error lists.
const MOST_TOLD: (usize, usize) = (50, 40);
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
    /// When one is not there, is named twice, or is the name of several columns: of these only one would be meant.
    pub fn places<'n>(
        &self,
        names: impl IntoIterator<Item = &'n String>,
    ) -> Result<Vec<usize>, TabularError> {
        let mut places = Vec::new();
        for name in names {
            let mut there = self.0.iter().enumerate().filter(|(_, head)| *head == name);
            let Some((place, _)) = there.next() else {
                return Err(TabularError::NoColumn { name: name.clone(), there: self.told() });
            };
            if there.next().is_some() {
                return Err(TabularError::Several(name.clone()));
            }
            if places.contains(&place) {
                return Err(TabularError::Twice(name.clone()));
            }
            places.push(place);
        }
        Ok(places)
    }

    /// The names, for an error: what is taken for heads by mistake may be all of a table.
    fn told(&self) -> String {
        let (names, letters) = MOST_TOLD;
        let shown = self.0.iter().take(names).map(|name| match name.chars().count() > letters {
            true => name.chars().take(letters).chain(['\u{2026}']).collect(),
            false => name.clone(),
        });
        let more = (self.0.len() > names).then(|| "\u{2026}".to_owned());
        shown.chain(more).collect::<Vec<_>>().join(", ")
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

    /// The line of the text that a row begins in. The library counts from before the end of the line before, where
    /// that is of two bytes, and from before empty lines.
    fn line_of(&self, record: &csv::ByteRecord) -> u64 {
        let byte = record.position().map_or(0, csv::Position::byte);
        let byte = usize::try_from(byte).unwrap_or(usize::MAX).min(self.text.len());
        let (before, from) = self.text.split_at(byte);
        let ends = from.iter().take_while(|byte| matches!(**byte, b'\n' | b'\r'));
        self.line + lines(before) + ends.filter(|byte| **byte == b'\n').count() as u64
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
        let (record, end) = loop {
            let mut record = csv::ByteRecord::new();
            let mut parser = csv::ReaderBuilder::new();
            parser.delimiter(dialect.separator).has_headers(false);
            let mut parser = parser.from_reader(rest.as_slice());
            parser.read_byte_record(&mut record)?;
            let end = usize::try_from(parser.position().byte()).unwrap_or(rest.len());
            match end {
                end if end < rest.len() || whole => break (record, end),
                _ if rest.len() > LONGEST_HEADS => {
                    return Err(TabularError::LongRow { line: 1, most: LONGEST_HEADS });
                }
                _ => whole = fill(&mut reader, &mut rest, BLOCK)?,
            }
        };
        // The library leaves the second half of a line's end to the next row.
        let halved = rest.get(..end).is_some_and(|first| first.ends_with(b"\r"));
        let end = end + usize::from(halved && rest.get(end) == Some(&b'\n'));
        let first: Vec<u8> = rest.drain(..end).collect();
        let line = 1 + lines(&first);
        let heads =
            Block { number: 0, line: 1, text: first, separator: dialect.separator, cells: 0 };
        let names = (0..record.len()).map(|at| heads.cell(&record, at).map(str::to_owned));
        let names = names.collect::<Result<Vec<_>, _>>()?;
        let cells = names.len();
        Ok((Self { reader, dialect, rest, number: 0, line, cells }, Heads(names)))
    }

    /// The next block; nothing at the end.
    fn next(&mut self) -> Result<Option<Block>, TabularError> {
        let separator = self.dialect.separator;
        let end = loop {
            let whole = fill(&mut self.reader, &mut self.rest, BLOCK)?;
            match last_row_end(&self.rest, separator) {
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

/// Where the last row ends that ends in a text, which begins with a row.
fn last_row_end(text: &[u8], separator: u8) -> Option<usize> {
    let mut last = None;
    let mut open_from = None;
    let mut at = 0;
    // What lies between two quotes that open and close is either within quotes or not.
    let mut outside = |from: usize, to: usize| {
        let part = text.get(from..to).unwrap_or(&[]);
        if let Some(end) = memchr::memrchr(b'\n', part) {
            last = Some(from + end + 1);
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
    last
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_end_outside_quotes_only() {
        let end = |text: &str| last_row_end(text.as_bytes(), b',');
        assert_eq!(end("a,b\nc,d\ne"), Some(8));
        assert_eq!(end("a,\"b\nc\",d\ne"), Some(10));
        assert_eq!(end("a,\"b\"\"\nc\",d"), None);
        assert_eq!(end("6\"2,b\nc,\"d\n"), Some(6));
        assert_eq!(end("\"\"\n\"x\"\n"), Some(7));
        assert_eq!(end(""), None);
    }

    /// The heads and the rows of a text.
    fn rows(text: &str) -> Result<(Vec<String>, Vec<Vec<String>>), TabularError> {
        let (blocks, heads) = Blocks::open(text.as_bytes(), Dialect { separator: b',' })?;
        let rows = work(blocks, NonZero::<usize>::MIN, Vec::new, |rows, block| {
            block.rows(|record| {
                let cells = (0..record.len()).map(|at| block.cell(record, at).map(str::to_owned));
                rows.push(cells.collect::<Result<_, _>>()?);
                Ok(())
            })
        });
        Ok((heads.names().to_vec(), rows?.into_iter().flatten().collect()))
    }

    #[test]
    fn heads_end_as_rows_do() {
        let expected =
            (vec!["a".to_owned(), "b".to_owned()], vec![vec!["1".to_owned(), "2".to_owned()]]);
        for text in
            ["a,b\n1,2\n", "a,b\r1,2\r", "a,b\r\n1,2", "\n\na,b\n\n1,2\n", "\u{feff}a,b\n1,2"]
        {
            assert_eq!(rows(text).unwrap(), expected, "{text:?}");
        }
        assert_eq!(rows("a,b\r1,2\n3,4\n").unwrap().1.len(), 2);
        assert_eq!(rows("\"a\nx\",b\n1,2\n").unwrap().0, ["a\nx", "b"]);
        let ragged = rows("a,b\r\n1,2\r\n3\r\n").unwrap_err().to_string();
        assert_eq!(ragged, "line 3 has 1 cells where the heads are 2");
        let ragged = rows("a,b\n1,2\n\n\n3\n").unwrap_err().to_string();
        assert_eq!(ragged, "line 5 has 1 cells where the heads are 2");
        assert_eq!(rows("").unwrap(), (vec![], vec![]));
    }

    #[test]
    fn an_error_does_not_tell_the_table() {
        let mut text = "\"id,age\n".to_owned();
        (0..100_000).for_each(|row| text.push_str(&format!("secret{row},{row}\n")));
        let (_, heads) = Blocks::open(text.as_bytes(), Dialect { separator: b',' }).unwrap();
        let told = heads.places([&"age".to_owned()]).unwrap_err().to_string();
        assert!(told.len() < 200, "{}", told.len());
        let several = Heads(vec!["a".to_owned(), "b".to_owned(), "a".to_owned()]);
        let told = several.places([&"a".to_owned()]).unwrap_err().to_string();
        assert_eq!(told, "the table has several columns \"a\": which is meant cannot be told");
        assert_eq!(several.places([&"b".to_owned()]).unwrap(), [1]);
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
