//! The ledger for other programs: CSV, JSON Lines, CodeCarbon's `emissions.csv`, FOCUS.
//!
//! Text is UTF-8. A number is written with as many digits as make it the same number again; a
//! decimal amount as it was recorded. What is not known is an empty field in CSV and `null` in JSON.

mod codecarbon;
mod focus;

use std::io::{self, Write};

use csv::{Terminator, WriterBuilder};
use rusqlite::Connection;
use rusqlite::types::Value;

use crate::error::{At as _, LedgerError};
use crate::project::query::cells;
use crate::project::{ProjectLedger, Recorded, Row, Table};

/// A column of a foreign format: its name, and what a row has for it.
type Field<R> = (&'static str, fn(&Recorded<R>) -> Option<String>);

/// A column that we know nothing for.
const fn unknown<R>(_row: &Recorded<R>) -> Option<String> {
    None
}

impl ProjectLedger {
    /// Writes a table as CSV (RFC 4180): a header, then a record per row in the order of recording.
    ///
    /// # Errors
    /// When the file cannot be read or `out` not be written.
    pub fn write_csv(&self, table: Table, out: &mut dyn Write) -> Result<(), LedgerError> {
        let moment = self.file.moment()?;
        let mut csv = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(out);
        let names = table.columns().iter().map(|column| column.name);
        csv.write_record(std::iter::once("entry").chain(names)).map_err(unwritten)?;
        let sqlite = |error: rusqlite::Error| error.at(self.file.path());
        let mut select = moment.prepare(&table.select("ORDER BY entry")).map_err(sqlite)?;
        let mut rows = select.query([]).map_err(sqlite)?;
        while let Some(row) = rows.next().map_err(sqlite)? {
            let (entry, cells) = cells(table, row).map_err(sqlite)?;
            let cells = cells.iter().map(plain);
            csv.write_record(std::iter::once(entry.to_string()).chain(cells)).map_err(unwritten)?;
        }
        csv.flush().map_err(unwritten)
    }

    /// Writes every entry of every table as a JSON object on a line of its own, in the order of
    /// recording: `entry`, `table`, `hash` (the link of the chain), then the columns of its row.
    ///
    /// # Errors
    /// When the file cannot be read or `out` not be written.
    pub fn write_json_lines(&self, out: &mut dyn Write) -> Result<(), LedgerError> {
        const ALL: &str = "SELECT number, held_in, lower(hex(link)) FROM entries ORDER BY number";
        let moment = self.file.moment()?;
        let sqlite = |error: rusqlite::Error| error.at(self.file.path());
        let mut select = moment.prepare(ALL).map_err(sqlite)?;
        let mut rows = select.query([]).map_err(sqlite)?;
        while let Some(row) = rows.next().map_err(sqlite)? {
            let (held_in, hash): (String, String) =
                row.get(1).and_then(|held_in| Ok((held_in, row.get(2)?))).map_err(sqlite)?;
            let entry = super::number(row, 0).map_err(sqlite)?;
            let (table, cells) = self.row_of(&moment, entry, &held_in)?;
            let line = json(entry, table, &hash, &cells);
            out.write_all(line.as_bytes()).map_err(unwritten)?;
        }
        out.flush().map_err(unwritten)
    }

    /// Writes the runs that used energy as CodeCarbon's `emissions.csv`.
    ///
    /// One record per execution of a stage or trial: `project_name` is the project, `experiment_id`
    /// the stage (and trial), `run_id` the execution and the entry. Fields that only CodeCarbon
    /// knows are empty.
    ///
    /// # Errors
    /// When the file cannot be read or `out` not be written.
    pub fn write_code_carbon(&self, out: &mut dyn Write) -> Result<(), LedgerError> {
        // The line ends of CodeCarbon itself, so that records can be added to its files.
        let terminator = Terminator::Any(b'\n');
        self.write_fields(codecarbon::FIELDS, codecarbon::WANTED, terminator, out)
    }

    /// Writes the charges as rows of FOCUS 1.2, with two columns of our own (`x_...`): how the
    /// amounts are known, and the execution that they paid for.
    ///
    /// FOCUS wants some columns filled that only a provider's invoice can fill; they are empty
    /// where it was not recorded what is in them.
    ///
    /// # Errors
    /// When the file cannot be read or `out` not be written.
    pub fn write_focus(&self, out: &mut dyn Write) -> Result<(), LedgerError> {
        self.write_fields(focus::FIELDS, "ORDER BY entry", Terminator::CRLF, out)
    }

    fn write_fields<R: Row>(
        &self,
        fields: &[Field<R>],
        wanted: &str,
        terminator: Terminator,
        out: &mut dyn Write,
    ) -> Result<(), LedgerError> {
        let moment = self.file.moment()?;
        let mut csv = WriterBuilder::new().terminator(terminator).from_writer(out);
        csv.write_record(fields.iter().map(|(name, _)| name)).map_err(unwritten)?;
        self.each(&moment, wanted, [], |row: Recorded<R>| {
            let values = fields.iter().map(|(_, value)| value(&row).unwrap_or_default());
            csv.write_record(values).map_err(unwritten)
        })?;
        csv.flush().map_err(unwritten)
    }

    /// The row of an entry.
    fn row_of(
        &self,
        moment: &Connection,
        entry: u64,
        held_in: &str,
    ) -> Result<(Table, Vec<Value>), LedgerError> {
        let missing = || LedgerError::Damaged {
            path: self.file.path().to_path_buf(),
            what: format!("entry {entry}: its row in {held_in} is missing"),
        };
        let table = Table::named(held_in).ok_or_else(missing)?;
        let found = || {
            let mut select = moment.prepare_cached(&table.select("WHERE entry = ?1"))?;
            let mut rows = select.query([entry as i64])?;
            rows.next()?.map(|row| cells(table, row)).transpose()
        };
        let found = found().map_err(|error: rusqlite::Error| error.at(self.file.path()))?;
        found.map(|(_, cells)| (table, cells)).ok_or_else(missing)
    }
}

fn unwritten(error: impl Into<io::Error>) -> LedgerError {
    LedgerError::Output { source: error.into() }
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null | Value::Blob(_) => String::new(),
        Value::Integer(number) => number.to_string(),
        Value::Real(number) => number.to_string(),
        Value::Text(text) => text.clone(),
    }
}

fn json(entry: u64, table: Table, hash: &str, cells: &[Value]) -> String {
    let mut line =
        format!("{{\"entry\":{entry},\"table\":\"{}\",\"hash\":\"{hash}\"", table.name());
    for (column, cell) in table.columns().iter().zip(cells) {
        let value = match cell {
            Value::Null | Value::Blob(_) => serde_json::Value::Null,
            Value::Integer(number) => (*number).into(),
            Value::Real(number) => (*number).into(),
            Value::Text(text) => text.as_str().into(),
        };
        line.push_str(&format!(",\"{}\":{value}", column.name));
    }
    line.push_str("}\n");
    line
}
