//! Databases of SQLite: each table as CSV with a head, and the large values in its cells as contents
//! of their own.
//!
//! A database is never written to: one with a log beside it (`-wal`, `-journal`) is copied together
//! with it, and the copy is read. Views are not read, as they hold nothing; virtual tables neither,
//! as their tables are. Pages that are free may still hold what was deleted, which is told.
//! Source: SQLite, "Database File Format", "Uniform Resource Identifiers", "Defense Against The Dark
//! Arts".

use std::fs;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, Row, Rows};

use super::error::SourceError;
use super::format::{Format, HEAD};
use super::meter::Meter;
use super::opener::{Input, Opener, Place};
use super::table::put_cell;
use super::{Form, Skipped, spool};

/// What SQLite puts beside a database and what belongs to its content.
const LOGS: [&str; 2] = ["-wal", "-journal"];

/// A table and the statement that reads it.
struct Table {
    name: String,
    columns: Vec<String>,
    /// Gives the number of the row first, where it has one.
    query: String,
    has_number: bool,
}

impl Opener<'_> {
    pub(super) fn database_file(&mut self, place: &Place, path: &Path) -> Result<(), SourceError> {
        let logs = LOGS.map(|end| beside(path, end));
        let mut logged = 0;
        for log in &logs {
            logged += length(log)?;
        }
        if logged == 0 {
            return self.database(place, &open_fixed(path)?);
        }
        let folder = tempfile::tempdir_in(spool::folder(self.limits)?)?;
        let copy = folder.path().join("database");
        let mut left = self.limits.spool;
        copy_bounded(path, &copy, &mut left, self.limits.spool)?;
        for (log, end) in logs.iter().zip(LOGS).filter(|(log, _)| log.exists()) {
            copy_bounded(log, &beside(&copy, end), &mut left, self.limits.spool)?;
        }
        self.database(place, &Connection::open(&copy)?)
    }

    pub(super) fn database_stream(
        &mut self,
        place: &Place,
        stream: &mut dyn Read,
    ) -> Result<(), SourceError> {
        let file = spool::named(stream, self.limits)?;
        self.database(place, &open_fixed(file.path())?)
    }

    fn database(&mut self, place: &Place, database: &Connection) -> Result<(), SourceError> {
        // What a stranger wrote into its definitions must not run, and damage is looked for.
        database.execute_batch("PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;")?;
        let free: i64 = database.query_row("PRAGMA freelist_count", [], |row| row.get(0))?;
        if free > 0 {
            self.skipped(place, Skipped::Deleted);
        }
        let mut entries = 0;
        for name in tables(database)? {
            self.count(&mut entries)?;
            let place = place.inside(&name);
            let result = self.table(&place, database, name, &mut entries);
            self.report(&place, result);
        }
        Ok(())
    }

    fn table(
        &mut self,
        place: &Place,
        database: &Connection,
        name: String,
        entries: &mut u64,
    ) -> Result<(), SourceError> {
        let table = Table::of(database, name, self.limits.cell)?;
        let mut statement = database.prepare(&table.query)?;
        let mut text = RowText {
            rows: statement.query([])?,
            table: &table,
            meter: self.meter,
            most: self.limits.cell,
            buffer: table.head(),
            given: 0,
            too_large: 0,
            is_done: false,
            has_blobs: false,
        };
        let result = self.text(place, Some(Form::Delimited), &mut text);
        let (too_large, has_blobs) = (text.too_large, text.has_blobs || !text.is_done);
        drop(text);
        result?;
        if has_blobs {
            self.blobs(place, &table, statement.query([])?, entries)?;
        }
        match too_large {
            0 => Ok(()),
            cells => Err(SourceError::Bound {
                what: "cells that are larger",
                bound: format!("{} bytes, {cells} of them", self.limits.cell),
            }),
        }
    }

    /// The values of a table that are no text, each as a content.
    fn blobs(
        &mut self,
        place: &Place,
        table: &Table,
        mut rows: Rows<'_>,
        entries: &mut u64,
    ) -> Result<(), SourceError> {
        let mut ordinal = 0;
        while let Some(row) = rows.next()? {
            ordinal += 1;
            for (index, column) in table.columns.iter().enumerate() {
                let ValueRef::Blob(bytes) = table.cell(row, index)? else { continue };
                if is_text(bytes) || bytes.len() > self.limits.cell {
                    continue;
                }
                self.count(entries)?;
                let number = table.number(row, ordinal)?;
                let name = format!("{}/{number}/{column}", place.name);
                let place = place.blob(name, column);
                self.open(&place, Input::Stream(&mut &*bytes));
            }
        }
        Ok(())
    }
}

/// A path with an end put to it.
fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}

/// The length of a file, 0 where there is none.
fn length(path: &Path) -> io::Result<u64> {
    match fs::metadata(path) {
        Ok(file) => Ok(file.len()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error),
    }
}

fn copy_bounded(from: &Path, to: &Path, left: &mut u64, bound: u64) -> Result<(), SourceError> {
    let before = super::Stamp::of(&fs::metadata(from)?);
    let mut source = fs::File::open(from)?.take(left.saturating_add(1));
    let copied = io::copy(&mut source, &mut fs::File::create(to)?)?;
    *left = left.checked_sub(copied).ok_or_else(|| {
        SourceError::too_large("it has to be copied with its log and is larger", bound)
    })?;
    match before == super::Stamp::of(&fs::metadata(from)?) {
        true => Ok(()),
        false => Err(SourceError::Changed),
    }
}

/// Opens a database as a file that does not change: nothing is written beside it.
fn open_fixed(path: &Path) -> Result<Connection, SourceError> {
    let path = std::path::absolute(path)?;
    let mut address = "file:".to_owned();
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => {
                address.push(char::from(*byte));
            }
            other => address.push_str(&format!("%{other:02x}")),
        }
    }
    address.push_str("?immutable=1");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Ok(Connection::open_with_flags(address, flags)?)
}

/// Names of the tables that hold something, the definitions first.
fn tables(database: &Connection) -> Result<Vec<String>, SourceError> {
    let query = "SELECT name FROM sqlite_schema WHERE type = 'table' \
        AND coalesce(sql, '') NOT LIKE 'CREATE VIRTUAL%' ORDER BY name";
    let mut names = vec!["sqlite_schema".to_owned()];
    let mut statement = database.prepare(query)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        names.push(row.get(0)?);
    }
    Ok(names)
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

impl Table {
    fn of(database: &Connection, name: String, most: usize) -> Result<Self, SourceError> {
        let mut statement = database.prepare("SELECT name, hidden FROM pragma_table_xinfo(?1)")?;
        let mut rows = statement.query([&name])?;
        let mut columns = Vec::new();
        while let Some(row) = rows.next()? {
            // 1 is a hidden column of a virtual table; 2 and 3 are generated ones.
            if row.get::<_, i64>(1)? != 1 {
                columns.push(row.get::<_, String>(0)?);
            }
        }
        // A value above the bound is not loaded: one byte more than the bound stands for it.
        let cell = |column: &String| {
            let column = format!("t.{}", quoted(column));
            format!("iif(octet_length({column}) > {most}, zeroblob({}), {column})", most + 1)
        };
        let cells: Vec<String> = columns.iter().map(cell).collect();
        let (cells, from) = (cells.join(", "), quoted(&name));
        let numbered = format!("SELECT t.rowid, {cells} FROM {from} AS t");
        let has_number = database.prepare(&numbered).is_ok();
        let query = match has_number {
            true => numbered,
            false => format!("SELECT {cells} FROM {from} AS t"),
        };
        Ok(Self { name, columns, query, has_number })
    }

    fn head(&self) -> Vec<u8> {
        let mut head = Vec::new();
        for (index, column) in self.columns.iter().enumerate() {
            put_cell(&mut head, index, column.as_bytes());
        }
        head.push(b'\n');
        head
    }

    fn cell<'r>(&self, row: &'r Row<'_>, index: usize) -> Result<ValueRef<'r>, SourceError> {
        Ok(row.get_ref(index + usize::from(self.has_number))?)
    }

    /// The number of a row, or where it comes among the others.
    fn number(&self, row: &Row<'_>, ordinal: u64) -> Result<String, SourceError> {
        let number = if self.has_number { row.get_ref(0)?.as_i64().ok() } else { None };
        Ok(number.map_or_else(|| format!("row {ordinal}"), |number| number.to_string()))
    }
}

/// A value that is written into its cell, for all that it is stored as bytes.
fn is_text(bytes: &[u8]) -> bool {
    let head = &bytes[..bytes.len().min(HEAD)];
    Format::of(head) == Format::Text && !bytes.contains(&0) && std::str::from_utf8(bytes).is_ok()
}

/// Rows of a table as CSV, made as they are read.
struct RowText<'t> {
    rows: Rows<'t>,
    table: &'t Table,
    meter: &'t Meter,
    most: usize,
    buffer: Vec<u8>,
    given: usize,
    too_large: u64,
    is_done: bool,
    has_blobs: bool,
}

impl RowText<'_> {
    fn next_row(&mut self) -> Result<(), SourceError> {
        self.buffer.clear();
        self.given = 0;
        let Some(row) = self.rows.next()? else {
            self.is_done = true;
            return Ok(());
        };
        for index in 0..self.table.columns.len() {
            let value = self.table.cell(row, index)?;
            let (buffer, number) = (&mut self.buffer, |number: String| number.into_bytes());
            match value {
                ValueRef::Null => put_cell(buffer, index, b""),
                ValueRef::Integer(value) => put_cell(buffer, index, &number(value.to_string())),
                ValueRef::Real(value) => put_cell(buffer, index, &number(value.to_string())),
                ValueRef::Text(text) => put_cell(buffer, index, text),
                ValueRef::Blob(bytes) if bytes.len() > self.most => {
                    self.too_large += 1;
                    put_cell(buffer, index, b"");
                }
                ValueRef::Blob(bytes) if is_text(bytes) => put_cell(buffer, index, bytes),
                ValueRef::Blob(_) => {
                    self.has_blobs = true;
                    put_cell(buffer, index, b"");
                }
            }
        }
        self.buffer.push(b'\n');
        // Pages may be used over and over by a table that was made to have no end.
        self.meter.charge(self.buffer.len())
    }
}

impl Read for RowText<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.given == self.buffer.len() && !self.is_done {
            let what = |error| match error {
                SourceError::Damaged(what) => {
                    SourceError::Damaged(format!("{what} (table {})", self.table.name))
                }
                other => other,
            };
            self.next_row().map_err(what)?;
        }
        let read = (&self.buffer[self.given..]).read(buffer)?;
        self.given += read;
        Ok(read)
    }
}
