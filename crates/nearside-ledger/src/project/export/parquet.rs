//! A table as a Parquet file: numbers as numbers, moments as moments of a millisecond in UTC, decimal
//! amounts as the text that was recorded, because no cent may be lost; what is not known is null.
//!
//! Columns have the names of the table, after `entry`. Pages are not compressed: repeated words are
//! kept once by the format itself, and every reader reads it.
//! Source: Apache Parquet, "File Format" and "Logical Types".

use std::fmt::Write as _;
use std::io::Write;
use std::sync::Arc;

use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::{WriterProperties, WriterPropertiesPtr};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use rusqlite::types::Value;

use super::unwritten;
use crate::column::{Column, Kind};
use crate::error::{At as _, CellError, LedgerError};
use crate::project::query::cells;
use crate::project::{ProjectLedger, Table};
use crate::timestamp::Timestamp;

/// Rows that are held at once, and written as one group.
const GROUP: usize = 20_000;

impl ProjectLedger {
    /// Writes a table as a Parquet file, in the order of recording.
    ///
    /// # Errors
    /// When the file cannot be read, holds what cannot be meant, or `out` cannot be written.
    pub fn write_parquet(&self, table: Table, out: &mut dyn Write) -> Result<(), LedgerError> {
        let mut bytes = Vec::new();
        self.put_parquet(table, &mut bytes)?;
        out.write_all(&bytes).and_then(|()| out.flush()).map_err(unwritten)
    }

    fn put_parquet(&self, table: Table, bytes: &mut Vec<u8>) -> Result<(), LedgerError> {
        let moment = self.file.moment()?;
        let sqlite = |error: rusqlite::Error| error.at(self.file.path());
        let mut file = File::new(table, bytes).map_err(unwritten)?;
        let mut select = moment.prepare(&table.select("ORDER BY entry")).map_err(sqlite)?;
        let mut rows = select.query([]).map_err(sqlite)?;
        while let Some(row) = rows.next().map_err(sqlite)? {
            let (entry, cells) = cells(table, row).map_err(sqlite)?;
            file.add(entry, cells).map_err(|(column, error)| LedgerError::Damaged {
                path: self.file.path().to_path_buf(),
                what: format!("entry {entry}, {}.{column}: {error}", table.name()),
            })?;
            if file.is_full() {
                file.write_group().map_err(unwritten)?;
            }
        }
        file.close().map_err(unwritten)
    }
}

/// A file that is being written.
struct File<'a> {
    writer: SerializedFileWriter<&'a mut Vec<u8>>,
    columns: &'static [Column],
    entries: Vec<i64>,
    held: Vec<Held>,
}

/// What a column holds of the rows that are not written yet: the values that are known, and for every
/// row whether its value is.
struct Held {
    values: Values,
    known: Vec<i16>,
}

enum Values {
    Texts(Vec<ByteArray>),
    Integers(Vec<i64>),
    Reals(Vec<f64>),
}

impl<'a> File<'a> {
    fn new(table: Table, bytes: &'a mut Vec<u8>) -> Result<Self, ParquetError> {
        let schema = Arc::new(parse_message_type(&schema(table))?);
        let writer = SerializedFileWriter::new(bytes, schema, properties())?;
        let columns = table.columns();
        let held = columns.iter().map(|column| Held::new(column.kind)).collect();
        Ok(Self { writer, columns, entries: Vec::new(), held })
    }

    fn is_full(&self) -> bool {
        self.entries.len() >= GROUP
    }

    fn add(&mut self, entry: u64, cells: Vec<Value>) -> Result<(), (&'static str, CellError)> {
        for ((held, column), cell) in self.held.iter_mut().zip(self.columns).zip(cells) {
            held.add(column.kind, cell).map_err(|error| (column.name, error))?;
        }
        self.entries.push(entry.cast_signed());
        Ok(())
    }

    fn write_group(&mut self) -> Result<(), ParquetError> {
        let mut group = self.writer.next_row_group()?;
        put::<Int64Type>(&mut group, &self.entries, None)?;
        for (held, column) in self.held.iter().zip(self.columns) {
            let known = column.nullable.then_some(held.known.as_slice());
            match &held.values {
                Values::Texts(texts) => put::<ByteArrayType>(&mut group, texts, known)?,
                Values::Integers(integers) => put::<Int64Type>(&mut group, integers, known)?,
                Values::Reals(reals) => put::<DoubleType>(&mut group, reals, known)?,
            }
        }
        group.close()?;
        self.entries.clear();
        self.held = self.columns.iter().map(|column| Held::new(column.kind)).collect();
        Ok(())
    }

    fn close(mut self) -> Result<(), ParquetError> {
        if !self.entries.is_empty() {
            self.write_group()?;
        }
        self.writer.close().map(drop)
    }
}

/// The columns of a table in Parquet's own words.
fn schema(table: Table) -> String {
    let mut schema = format!("message {} {{ REQUIRED INT64 entry;", table.name());
    for column in table.columns() {
        let repetition = if column.nullable { "OPTIONAL" } else { "REQUIRED" };
        let (physical, logical) = match column.kind {
            Kind::Text => ("BYTE_ARRAY", " (STRING)"),
            Kind::Moment => ("INT64", " (TIMESTAMP(MILLIS,true))"),
            Kind::Integer => ("INT64", ""),
            Kind::Real => ("DOUBLE", ""),
        };
        // Writing to a string cannot fail.
        let _ = write!(schema, " {repetition} {physical} {}{logical};", column.name);
    }
    schema + " }"
}

/// The same bytes from the same rows: no version and no time in them.
fn properties() -> WriterPropertiesPtr {
    Arc::new(WriterProperties::builder().set_created_by("nearside".to_owned()).build())
}

/// Writes the next column of a group.
fn put<T: DataType>(
    group: &mut parquet::file::writer::SerializedRowGroupWriter<'_, &mut Vec<u8>>,
    values: &[T::T],
    known: Option<&[i16]>,
) -> Result<(), ParquetError> {
    let next = group.next_column()?;
    let mut column = next.ok_or_else(|| ParquetError::EOF("no such column".to_owned()))?;
    column.typed::<T>().write_batch(values, known, None)?;
    column.close()
}

impl Held {
    const fn new(kind: Kind) -> Self {
        let values = match kind {
            Kind::Text => Values::Texts(Vec::new()),
            Kind::Moment | Kind::Integer => Values::Integers(Vec::new()),
            Kind::Real => Values::Reals(Vec::new()),
        };
        Self { values, known: Vec::new() }
    }

    fn add(&mut self, kind: Kind, cell: Value) -> Result<(), CellError> {
        self.known.push(i16::from(cell != Value::Null));
        match (&mut self.values, cell) {
            (_, Value::Null) => {}
            (Values::Texts(texts), Value::Text(text)) => texts.push(text.into_bytes().into()),
            (Values::Integers(integers), Value::Text(text)) if kind == Kind::Moment => {
                integers.push(text.parse::<Timestamp>()?.unix_millis().cast_signed());
            }
            (Values::Integers(integers), Value::Integer(integer)) => integers.push(integer),
            (Values::Reals(reals), Value::Real(real)) => reals.push(real),
            _ => return Err(CellError::OtherType),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::{Place, fill, movement, tamper};
    use parquet::file::reader::{FileReader as _, SerializedFileReader};
    use parquet::record::Field;

    /// What a reader finds: the names of the columns, and every value of every row.
    fn read(place: &Place, table: Table) -> (Vec<String>, Vec<Vec<Field>>) {
        let (ledger, at) = (place.ledger(), place.0.join("table.parquet"));
        let mut out = std::fs::File::create(&at).unwrap();
        ledger.write_parquet(table, &mut out).unwrap();
        let reader = SerializedFileReader::new(std::fs::File::open(&at).unwrap()).unwrap();
        let schema = reader.metadata().file_metadata().schema_descr();
        let names = schema.columns().iter().map(|column| column.name().to_owned()).collect();
        let rows = reader.get_row_iter(None).unwrap().map(Result::unwrap);
        let fields =
            rows.map(|row| row.get_column_iter().map(|(_, field)| field.clone()).collect());
        (names, fields.collect())
    }

    #[test]
    fn every_table_comes_back_as_it_was_recorded() {
        let place = Place::new("parquet-back");
        let mut ledger = place.ledger();
        fill(&mut ledger);
        for table in Table::ALL {
            let (names, rows) = read(&place, table);
            let expected: Vec<_> = table.columns().iter().map(|column| column.name).collect();
            assert_eq!(names[0], "entry");
            assert_eq!(names[1..], expected, "{}", table.name());
            let moment = ledger.file.moment().unwrap();
            let mut select = moment.prepare(&table.select("ORDER BY entry")).unwrap();
            let mut recorded = select.query([]).unwrap();
            for row in rows {
                let (entry, cells) = cells(table, recorded.next().unwrap().unwrap()).unwrap();
                assert_eq!(row[0], Field::Long(entry.cast_signed()));
                for ((field, cell), column) in row[1..].iter().zip(cells).zip(table.columns()) {
                    assert_eq!(*field, meant(column.kind, cell), "{}", column.name);
                }
            }
            assert!(recorded.next().unwrap().is_none(), "{}", table.name());
        }
    }

    /// The field that stands for a cell.
    fn meant(kind: Kind, cell: Value) -> Field {
        match (kind, cell) {
            (_, Value::Null) => Field::Null,
            (Kind::Moment, Value::Text(text)) => {
                let moment: Timestamp = text.parse().unwrap();
                Field::TimestampMillis(moment.unix_millis().cast_signed())
            }
            (_, Value::Text(text)) => Field::Str(text),
            (_, Value::Integer(integer)) => Field::Long(integer),
            (_, Value::Real(real)) => Field::Double(real),
            (_, Value::Blob(_)) => unreachable!("no column holds any"),
        }
    }

    #[test]
    fn rows_beyond_a_group_follow_in_order_and_no_rows_are_a_file_too() {
        let place = Place::new("parquet-groups");
        assert!(read(&place, Table::Movements).1.is_empty());
        let rows = GROUP + 3;
        let mut ledger = place.ledger();
        let added = ledger
            .append(|to| (0..rows).try_for_each(|at| to.add(&movement(&at.to_string())).map(drop)));
        added.unwrap();
        let (names, found) = read(&place, Table::Movements);
        let path = names.iter().position(|name| name == "path").unwrap();
        assert_eq!(found.len(), rows);
        assert!((0..rows).all(|at| found[at][path] == Field::Str(at.to_string())));
    }

    #[test]
    fn a_moment_that_is_none_is_damage_and_says_where() {
        let place = Place::new("parquet-damage");
        fill(&mut place.ledger());
        tamper(&place.file(), |file| {
            file.execute("UPDATE runs SET began = 'tomorrow' WHERE entry = 11", []).unwrap();
        });
        let error = place.ledger().write_parquet(Table::Runs, &mut Vec::new()).unwrap_err();
        assert!(error.to_string().contains("entry 11, runs.began: "), "{error}");
    }
}
