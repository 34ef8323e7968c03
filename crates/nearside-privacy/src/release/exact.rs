//! What a table holds of what is asked, exactly: counts and sums, of one pass over its rows.
//!
//! A person has at most so many rows: as the caller promises, or because rows beyond the first so many of each
//! person are left out, where a column says whose a row is. Which rows are left out then depends on that person's
//! rows alone, so one person more or fewer changes at most so many of the rows that count. A row that says nobody's
//! name, or not in UTF-8, is left out as well.

use std::io::Read;
use std::num::{NonZero, NonZeroU32};

use crate::tabular::blocks::{self, Block, Blocks};
use crate::tabular::dictionary::MOST;
use crate::tabular::{Dialect, Dictionary, TabularError};

use super::{Categorical, Query, ReleaseError};

/// How a table is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// How it is written.
    pub dialect: Dialect,
    /// The most rows that one person has in it.
    pub contributions: NonZeroU32,
    /// The column that says whose a row is, by which the bound is kept; without it the caller promises that it is.
    pub person: Option<String>,
}

/// What a table holds of what is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Exact {
    /// How many rows there are, and the sum of a column in steps; 0 where none is asked for.
    Sum { rows: u64, steps: i128 },
    /// The values of a column in steps, from the least on.
    Values(Vec<i64>),
    /// How many rows are in each cell of a table, the last column's labels next to each other.
    Cells(Vec<u64>),
    /// Tables of single columns, and of pairs of them.
    Marginals { ones: Vec<Vec<u64>>, twos: Vec<Vec<u64>> },
}

impl Exact {
    /// What a table without rows holds.
    pub(super) fn empty(query: &Query) -> Self {
        let sizes = |columns: &[Categorical]| -> Vec<usize> {
            columns.iter().map(Categorical::size).collect()
        };
        match query {
            Query::Count | Query::Sum(_) | Query::Mean(_) => Self::Sum { rows: 0, steps: 0 },
            Query::Quantiles(..) => Self::Values(Vec::new()),
            Query::Histogram(column) => Self::Cells(vec![0; column.size()]),
            Query::Contingency(columns) => Self::Cells(vec![0; sizes(columns).iter().product()]),
            Query::Synthetic { columns, pairs, .. } => {
                let sizes = sizes(columns);
                let ones = sizes.iter().map(|size| vec![0; *size]).collect();
                let size = |at: usize| sizes.get(at).copied().unwrap_or(0);
                let twos = pairs.counted(columns.len()).into_iter();
                let twos = twos.map(|(one, other)| vec![0; size(one) * size(other)]).collect();
                Self::Marginals { ones, twos }
            }
        }
    }

    /// Reads a table with a row of heads.
    pub(super) fn read(
        query: &Query,
        table: impl Read + Send,
        reading: &Reading,
    ) -> Result<Self, ReleaseError> {
        let (blocks, heads) = Blocks::open(table, reading.dialect)?;
        let places = heads.places(query.columns())?;
        let person = heads.places(&reading.person)?.first().copied();
        let begin = || Tally {
            query,
            exact: Self::empty(query),
            people: person.map(|place| People::new(place, reading.contributions)),
            pairs: match query {
                Query::Synthetic { columns, pairs, .. } => pairs.counted(columns.len()),
                _ => Vec::new(),
            },
            codes: Vec::new(),
        };
        let tallies = blocks::work(blocks, NonZero::<usize>::MIN, begin, |tally, block| {
            tally.block(&block, &places)
        })?;
        // One thread works, so there is one.
        let mut exact = tallies.into_iter().next().map_or(Self::empty(query), |tally| tally.exact);
        if let Self::Values(values) = &mut exact {
            values.sort_unstable();
        }
        Ok(exact)
    }
}

/// What was counted so far.
struct Tally<'q> {
    query: &'q Query,
    exact: Exact,
    people: Option<People>,
    pairs: Vec<(usize, usize)>,
    /// The labels of a row.
    codes: Vec<u32>,
}

impl Tally<'_> {
    fn block(&mut self, block: &Block, places: &[usize]) -> Result<(), TabularError> {
        block.rows(|row| {
            let counts = match &mut self.people {
                Some(people) => people.may_count(row)?,
                None => true,
            };
            if counts {
                self.row(row, places);
            }
            Ok(())
        })
    }

    fn row(&mut self, row: &csv::ByteRecord, places: &[usize]) {
        let mut cells = places.iter().map(|place| cell(row, *place));
        match (self.query, &mut self.exact) {
            (Query::Sum(column) | Query::Mean(column), Exact::Sum { rows, steps }) => {
                *rows += 1;
                *steps += i128::from(column.steps(cells.next().flatten()));
            }
            (_, Exact::Sum { rows, .. }) => *rows += 1,
            (Query::Quantiles(column, _), Exact::Values(values)) => {
                values.push(column.steps(cells.next().flatten()));
            }
            (Query::Histogram(column), Exact::Cells(counts)) => {
                count(counts, column.code(cells.next().flatten()) as usize);
            }
            (Query::Contingency(columns), Exact::Cells(counts)) => {
                let place = columns.iter().zip(cells).fold(0, |place, (column, cell)| {
                    place * column.size() + column.code(cell) as usize
                });
                count(counts, place);
            }
            (Query::Synthetic { columns, .. }, Exact::Marginals { ones, twos }) => {
                self.codes.clear();
                self.codes
                    .extend(columns.iter().zip(cells).map(|(column, cell)| column.code(cell)));
                for (counts, code) in ones.iter_mut().zip(&self.codes) {
                    count(counts, *code as usize);
                }
                let code = |at: usize| self.codes.get(at).map_or(0, |code| *code as usize);
                for (counts, (one, other)) in twos.iter_mut().zip(&self.pairs) {
                    let width = columns.get(*other).map_or(0, Categorical::size);
                    count(counts, code(*one) * width + code(*other));
                }
            }
            // What is counted was made for what is asked.
            _ => {}
        }
    }
}

fn count(counts: &mut [u64], place: usize) {
    if let Some(count) = counts.get_mut(place) {
        *count += 1;
    }
}

/// A cell without spaces around it, where it is UTF-8.
fn cell(row: &csv::ByteRecord, place: usize) -> Option<&str> {
    row.get(place).and_then(|cell| std::str::from_utf8(cell).ok()).map(str::trim)
}

/// How many rows of each person were counted.
struct People {
    place: usize,
    most: NonZeroU32,
    names: Dictionary,
    rows: Vec<u32>,
}

impl People {
    fn new(place: usize, most: NonZeroU32) -> Self {
        Self { place, most, names: Dictionary::default(), rows: Vec::new() }
    }

    /// Whether a row is one of the first so many of its person.
    fn may_count(&mut self, row: &csv::ByteRecord) -> Result<bool, TabularError> {
        let Some(name) = cell(row, self.place).filter(|name| !name.is_empty()) else {
            return Ok(false);
        };
        let code = self.names.add(name) as usize;
        if code >= self.rows.len() {
            self.rows.push(0);
        }
        if self.rows.len() > MOST {
            return Err(TabularError::TooMany { most: MOST });
        }
        let Some(rows) = self.rows.get_mut(code).filter(|rows| **rows < self.most.get()) else {
            return Ok(false);
        };
        *rows += 1;
        Ok(true)
    }
}
