//! Rows written as they were told to be.

use std::io::{Read, Write};
use std::num::NonZero;
use std::sync::{Condvar, Mutex, PoisonError};

use super::TabularError;
use super::blocks::{self, Block, Blocks, Dialect};
use super::dictionary::Combinations;
use super::told::Told;
use super::tuples::Tuples;

/// What a table is written again as.
#[derive(Clone, Copy, Debug)]
pub struct Recoding<'t> {
    /// How the table is written.
    pub dialect: Dialect,
    /// Combinations of its quasi-identifiers, read from the same text.
    pub tuples: &'t Tuples,
    /// What each is told as.
    pub told: &'t Told,
    /// Threads that write.
    pub threads: NonZero<usize>,
}

/// What is written again.
#[derive(Clone, Copy, Debug)]
pub enum Which<'n> {
    /// The table, without these columns.
    TableWithout(&'n [String]),
    /// Of the population, the quasi-identifiers.
    Population,
}

impl Recoding<'_> {
    /// Writes a table again: quasi-identifiers as they are told, rows that are left out not at all, everything
    /// else as it is, in the same order.
    ///
    /// # Errors
    /// When it cannot be read or written, has changed since it was read, or a column is not there.
    pub fn write(
        &self,
        from: impl Read + Send,
        to: impl Write + Send,
        which: Which<'_>,
    ) -> Result<(), TabularError> {
        let (blocks, heads) = Blocks::open(from, self.dialect)?;
        let quasi = heads.places(&self.tuples.names)?;
        let (dropped, expected) = match which {
            Which::TableWithout(names) => (heads.places(names)?, self.tuples.rows),
            Which::Population => (
                (0..heads.names().len()).filter(|at| !quasi.contains(at)).collect(),
                self.tuples.crowd().iter().sum(),
            ),
        };
        let cells = (0..heads.names().len()).filter(|at| !dropped.contains(at));
        let cells: Vec<_> =
            cells.map(|at| (at, quasi.iter().position(|place| *place == at))).collect();
        let mut writer = self.writer();
        writer.write_record(cells.iter().filter_map(|(at, _)| heads.names().get(*at)))?;
        let mut to = to;
        to.write_all(&finished(writer)?)?;
        let index = Index::of(self.tuples);
        let sink =
            Sink { state: Mutex::new(Turn { next: 0, to, broken: false }), turn: Condvar::new() };
        let rows = blocks::work(
            blocks,
            self.threads,
            || 0,
            |rows, block| {
                let text = self.rows(&block, &index, (&quasi, &cells), rows);
                sink.take(block.number, text)
            },
        )?;
        sink.state.into_inner().unwrap_or_else(PoisonError::into_inner).to.flush()?;
        if rows.iter().sum::<u64>() != expected {
            return Err(changed());
        }
        Ok(())
    }

    /// The rows of a block as they are written.
    fn rows(
        &self,
        block: &Block,
        index: &Index,
        (quasi, cells): (&[usize], &[(usize, Option<usize>)]),
        rows: &mut u64,
    ) -> Result<Vec<u8>, TabularError> {
        let mut writer = self.writer();
        let mut codes = vec![0; quasi.len()];
        block.rows(|record| {
            *rows += 1;
            for ((code, place), values) in
                codes.iter_mut().zip(quasi).zip(&self.tuples.dictionaries)
            {
                *code = values.code(block.cell(record, *place)?).ok_or_else(changed)?;
            }
            let combination = index.find(&codes).ok_or_else(changed)?;
            if !self.told.is_kept(combination) {
                return Ok(());
            }
            for (at, place) in cells {
                match place.and_then(|place| self.told.label(place, combination)) {
                    Some(label) => writer.write_field(&label.text)?,
                    None => writer.write_field(record.get(*at).unwrap_or(&[]))?,
                }
            }
            writer.write_record(None::<&[u8]>)?;
            Ok(())
        })?;
        finished(writer)
    }

    fn writer(&self) -> csv::Writer<Vec<u8>> {
        csv::WriterBuilder::new().delimiter(self.dialect.separator).from_writer(Vec::new())
    }
}

fn finished(writer: csv::Writer<Vec<u8>>) -> Result<Vec<u8>, TabularError> {
    writer.into_inner().map_err(|error| TabularError::Io(error.into_error()))
}

fn changed() -> TabularError {
    std::io::Error::other("the table changed while it was read").into()
}

/// Where combinations of quasi-identifiers stand among tuples; those with other attributes beside them are told
/// as the same.
struct Index {
    combinations: Combinations,
    first: Vec<usize>,
}

impl Index {
    fn of(tuples: &Tuples) -> Self {
        let mut index =
            Self { combinations: Combinations::new(tuples.names.len()), first: Vec::new() };
        let mut codes = vec![0; tuples.names.len()];
        for tuple in 0..tuples.len() {
            for (code, column) in codes.iter_mut().zip(&tuples.columns) {
                *code = column.get(tuple).copied().unwrap_or(0);
            }
            index.combinations.add(&codes);
            if index.combinations.len() > index.first.len() {
                index.first.push(tuple);
            }
        }
        index
    }

    fn find(&self, codes: &[u32]) -> Option<usize> {
        self.first.get(self.combinations.find(codes)? as usize).copied()
    }
}

/// Where blocks go, one after another.
struct Sink<W> {
    state: Mutex<Turn<W>>,
    turn: Condvar,
}

struct Turn<W> {
    next: u64,
    to: W,
    /// Whether a block before could not be made or written.
    broken: bool,
}

impl<W: Write> Sink<W> {
    /// Waits until all blocks before were written, and writes this one.
    fn take(&self, number: u64, text: Result<Vec<u8>, TabularError>) -> Result<(), TabularError> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let early = |turn: &mut Turn<W>| turn.next < number && !turn.broken;
        let waited = self.turn.wait_while(state, early);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        let written = match text {
            // Who broke it says why.
            Ok(_) if state.broken => Ok(()),
            Ok(text) => state.to.write_all(&text).map_err(TabularError::from),
            Err(error) => Err(error),
        };
        state.broken |= written.is_err();
        state.next += 1;
        drop(state);
        self.turn.notify_all();
        written
    }
}
