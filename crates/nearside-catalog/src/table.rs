//! How every table is read: one header row, cells found by column name, unknown columns refused.
//!
//! An empty cell is unknown, never zero. The later of two rows with one key wins, and the fact that
//! there were two is kept for [`crate::Finding`].

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;

use csv::{ReaderBuilder, StringRecord};
use nearside_units::{Date, Kind};

use crate::lookup::nearest;
use crate::{CatalogError, Origin, RowPlace};

/// Columns that every table may have.
const ORIGIN_COLUMNS: [&str; 5] = ["source", "second_source", "as_of", "evidence", "note"];

/// One kind of row.
pub(crate) trait Row: Sized {
    /// What tells two rows apart.
    type Key: Ord;
    /// Its own columns, without those of the origin.
    const COLUMNS: &'static [&'static str];
    /// Reads a row.
    fn read(cells: &Cells<'_>) -> Result<Self, CatalogError>;
    /// Its key.
    fn key(&self) -> Self::Key;
    /// Its key for people.
    fn label(&self) -> String;
    /// Where it came from.
    fn origin(&self) -> &Origin;
}

/// What is read: the text, what to call it, and what an overlay may leave out.
#[derive(Clone, Debug)]
pub(crate) struct Source<'a> {
    /// The file's name in messages.
    pub(crate) file: Arc<str>,
    /// The CSV text.
    pub(crate) text: &'a str,
    /// The date of rows that state none; `None` makes a date obligatory.
    pub(crate) as_of: Option<Date>,
}

/// A row's key written twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Duplicate {
    /// The key for people.
    pub(crate) label: String,
    /// Where the row that won is written.
    pub(crate) place: RowPlace,
}

/// Rows by key.
#[derive(Clone, Debug)]
pub(crate) struct Table<R: Row> {
    /// The rows, in the order of their keys.
    pub(crate) rows: BTreeMap<R::Key, R>,
    /// Keys that one file wrote twice.
    pub(crate) duplicates: Vec<Duplicate>,
}

impl<R: Row> Table<R> {
    /// Reads a whole table.
    pub(crate) fn read(source: &Source<'_>) -> Result<Self, CatalogError> {
        let mut reader = ReaderBuilder::new().from_reader(source.text.as_bytes());
        let not_csv = |error: csv::Error| CatalogError::NotCsv {
            file: source.file.to_string(),
            line: error.position().map_or(1, csv::Position::line),
            reason: error.to_string(),
        };
        let columns = columns::<R>(&source.file, reader.headers().map_err(not_csv)?)?;
        let mut table = Self { rows: BTreeMap::new(), duplicates: Vec::new() };
        let mut record = StringRecord::new();
        while reader.read_record(&mut record).map_err(not_csv)? {
            let line = record.position().map_or(0, csv::Position::line);
            table.insert(R::read(&Cells { source, line, columns: &columns, record: &record })?);
        }
        Ok(table)
    }

    fn insert(&mut self, row: R) {
        let place = row.origin().place.clone();
        if let Some(first) = self.rows.insert(row.key(), row) {
            self.duplicates.push(Duplicate { label: first.label(), place });
        }
    }

    /// Puts another table over this one: its rows win.
    pub(crate) fn overlay(&mut self, other: Self) {
        self.rows.extend(other.rows);
        self.duplicates.extend(other.duplicates);
    }
}

/// Where each column stands; refuses a column that the table does not have.
fn columns<R: Row>(
    file: &str,
    headers: &StringRecord,
) -> Result<BTreeMap<String, usize>, CatalogError> {
    let known = || R::COLUMNS.iter().chain(&ORIGIN_COLUMNS).copied();
    headers
        .iter()
        .enumerate()
        .map(|(position, name)| match known().any(|column| column == name) {
            true => Ok((name.to_owned(), position)),
            false => Err(CatalogError::UnknownColumn {
                file: file.to_owned(),
                column: name.to_owned(),
                near: nearest(name, known()),
            }),
        })
        .collect()
}

/// The cells of one row.
#[derive(Debug)]
pub(crate) struct Cells<'a> {
    source: &'a Source<'a>,
    line: u64,
    columns: &'a BTreeMap<String, usize>,
    record: &'a StringRecord,
}

impl Cells<'_> {
    /// The trimmed cell; empty when the column is not there.
    pub(crate) fn cell(&self, column: &str) -> &str {
        self.columns.get(column).and_then(|at| self.record.get(*at)).unwrap_or("").trim()
    }

    /// The text of a cell that may be empty.
    pub(crate) fn text(&self, column: &str) -> Option<Arc<str>> {
        Some(self.cell(column)).filter(|text| !text.is_empty()).map(Arc::from)
    }

    /// The text of a cell that may not be empty.
    pub(crate) fn required_text(&self, column: &str) -> Result<Arc<str>, CatalogError> {
        self.text(column).ok_or_else(|| self.empty(column))
    }

    /// A value that may be unknown.
    pub(crate) fn optional<T>(&self, column: &str) -> Result<Option<T>, CatalogError>
    where
        T: FromStr<Err: Display>,
    {
        match self.cell(column) {
            "" => Ok(None),
            text => text.parse().map(Some).map_err(|reason| self.wrong(column, &reason)),
        }
    }

    /// A value that has to be there.
    pub(crate) fn required<T>(&self, column: &str) -> Result<T, CatalogError>
    where
        T: FromStr<Err: Display>,
    {
        self.optional(column)?.ok_or_else(|| self.empty(column))
    }

    /// The parts of a cell that lists several, separated by `|`.
    pub(crate) fn list(&self, column: &str) -> impl Iterator<Item = &str> {
        self.cell(column).split('|').map(str::trim).filter(|part| !part.is_empty())
    }

    /// Where the row came from.
    pub(crate) fn origin(&self) -> Result<Origin, CatalogError> {
        let own_file = || Arc::from(format!("{}, line {}", self.source.file, self.line));
        let as_of = match self.optional("as_of")?.or(self.source.as_of) {
            Some(date) => date,
            None => self.required("year")?,
        };
        let source = match self.text("source") {
            Some(source) => source,
            None if self.source.as_of.is_some() => own_file(),
            None => return Err(self.empty("source")),
        };
        Ok(Origin {
            source,
            second_source: self.text("second_source"),
            as_of,
            kind: self.optional("evidence")?.unwrap_or(Kind::Published),
            note: self.text("note"),
            place: RowPlace { file: Arc::clone(&self.source.file), line: self.line },
        })
    }

    /// The error of a cell that cannot be read.
    pub(crate) fn wrong(&self, column: &str, reason: &dyn Display) -> CatalogError {
        CatalogError::Cell {
            file: self.source.file.to_string(),
            line: self.line,
            column: column.to_owned(),
            value: self.cell(column).to_owned(),
            reason: reason.to_string(),
        }
    }

    fn empty(&self, column: &str) -> CatalogError {
        if self.columns.contains_key(column) {
            return self.wrong(column, &"must not be empty");
        }
        CatalogError::MissingColumn {
            file: self.source.file.to_string(),
            column: column.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Device;

    fn read(text: &str) -> Result<Table<Device>, CatalogError> {
        Table::read(&Source { file: "devices.csv".into(), text, as_of: None })
    }

    #[test]
    fn a_misspelt_column_is_refused_with_a_suggestion() {
        let error = read("name,titel\n").unwrap_err().to_string();
        assert!(error.contains("unknown column \"titel\": did you mean title"), "{error}");
    }

    #[test]
    fn a_bare_number_names_file_line_and_cell() {
        let text =
            "name,title,kind,memory,source,as_of\na,A,gpu,24 GiB,s,2026\nb,B,gpu,24,s,2026\n";
        let error = read(text).unwrap_err().to_string();
        assert!(error.starts_with("devices.csv:3: column \"memory\""), "{error}");
        assert!(error.contains("needs a unit"), "{error}");
    }

    #[test]
    fn an_empty_date_or_a_missing_column_is_an_error_not_a_default() {
        assert!(read("name,title,kind,source,as_of\na,A,gpu,s,\n").is_err());
        let error = read("name,title,source,as_of\na,A,s,2026\n").unwrap_err().to_string();
        assert_eq!(error, "devices.csv:1: column \"kind\" is missing");
    }

    #[test]
    fn a_second_row_with_the_same_key_is_remembered() {
        let table = read("name,title,kind,source,as_of\na,A,gpu,s,2026\na,B,gpu,s,2026\n").unwrap();
        assert_eq!(table.rows.len(), 1);
        assert_eq!(table.duplicates[0].place.to_string(), "devices.csv:3");
    }
}
