//! Why a table was not made fit to travel.

use std::io;

use thiserror::Error;

/// Why a table was not made fit to travel.
#[derive(Debug, Error)]
pub enum TabularError {
    /// The table cannot be read or written.
    #[error("cannot read or write the table: {0}")]
    Io(#[from] io::Error),
    /// A row is not as the others are; the message of the library names its line.
    #[error("the table is not well formed: {0}")]
    Form(#[from] csv::Error),
    /// A row has more or fewer cells than the heads.
    #[error("line {line} has {found} cells where the heads are {heads}")]
    Ragged {
        /// The line that the row begins in.
        line: u64,
        /// Its cells.
        found: usize,
        /// Cells of the heads.
        heads: usize,
    },
    /// A cell that has to be read is no UTF-8.
    #[error("line {line} has a cell that is not UTF-8: {why}")]
    NotUtf8 {
        /// The line that its row begins in.
        line: u64,
        /// Where it is not.
        why: std::str::Utf8Error,
    },
    /// A row does not end.
    #[error(
        "the row that begins in line {line} is longer than {most} bytes: is a quote left open?"
    )]
    LongRow {
        /// The line.
        line: u64,
        /// The most bytes of a row.
        most: usize,
    },
    /// More different combinations of values than can be held.
    #[error(
        "the columns have more than {most} different combinations: name fewer, or round their values"
    )]
    TooMany {
        /// The most.
        most: usize,
    },
    /// It has no rows below its heads.
    #[error("the table has no rows")]
    Empty,
    /// A column that is named is not there.
    #[error("there is no column {name:?}: the table has {there}")]
    NoColumn {
        /// The name.
        name: String,
        /// Those that are there.
        there: String,
    },
    /// Several columns have a name that is named.
    #[error("the table has several columns {0:?}: which is meant cannot be told")]
    Several(String),
    /// A column is named twice, or is quasi-identifier and sensitive.
    #[error("column {0:?} is named more than once")]
    Twice(String),
    /// Fewer rows than a class needs.
    #[error("a class of {k} rows cannot be made of {rows}")]
    TooFew {
        /// Rows that a class needs.
        k: u64,
        /// Rows there are.
        rows: u64,
    },
    /// A value that the hierarchy of its column does not name.
    #[error("the hierarchy of {column:?} does not name the value {value:?}")]
    Unknown {
        /// The column.
        column: String,
        /// The value.
        value: String,
    },
    /// A hierarchy is not one.
    #[error("the hierarchy of {column:?} is none: {why}")]
    Hierarchy {
        /// The column.
        column: String,
        /// Why.
        why: String,
    },
    /// A column has numbers and what is none.
    #[error(
        "column {column:?} has numbers and also {value:?}: give it a hierarchy, or leave that out"
    )]
    Mixed {
        /// The column.
        column: String,
        /// What is no number.
        value: String,
    },
    /// What cannot be foretold.
    #[error("{column:?} has {values} different values: a model foretells one of 2 to {most}")]
    Target {
        /// The column.
        column: String,
        /// Its different values.
        values: usize,
        /// The most that are foretold.
        most: usize,
    },
    /// Nothing keeps the requirement.
    #[error("nothing keeps {wanted}, not even with every quasi-identifier told as *")]
    Impossible {
        /// The requirement, in words.
        wanted: String,
    },
    /// More combinations of levels than can be looked through.
    #[error(
        "{nodes} combinations of levels are more than can be looked through ({most}): name fewer columns or levels"
    )]
    TooLarge {
        /// How many there are.
        nodes: u128,
        /// How many are looked through at most.
        most: u128,
    },
}
