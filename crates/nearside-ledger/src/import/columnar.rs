//! Rows of Parquet: its columns side by side, a batch of rows at a time, each cell as CSV would write it.
//!
//! Numbers are written with as many digits as make them the same again, decimals exactly, moments in UTC.
//! Cells of nested columns (tags) are written one after another: they are there to tell rows apart.
//! Source: Apache Parquet, "Logical Types", "Nested Encoding".

use std::fmt::Write as _;
use std::fs::File;
use std::path::Path;

use parquet::basic::{Compression, ConvertedType, LogicalType, TimeUnit};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::DataType;
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader as _, RowGroupReader, SerializedFileReader};
use parquet::schema::types::ColumnDescriptor;

use super::digest::Digester;
use super::error::{At as _, ImportError};
use super::guard::guarded;
use super::{TableFile, TableRow};
use crate::timestamp::Timestamp;

/// Rows that are held at once.
const BATCH: usize = 4096;

/// Between the values of a nested cell.
const BETWEEN: char = '\u{1f}';

/// The names of the columns.
pub(super) fn columns(path: &Path) -> Result<Vec<String>, ImportError> {
    let reader = open(path)?;
    let schema = reader.metadata().file_metadata().schema_descr();
    Ok(schema.columns().iter().map(|column| column.path().string()).collect())
}

fn open(path: &Path) -> Result<SerializedFileReader<File>, ImportError> {
    let file = File::open(path).map_err(|error| error.at(path))?;
    let length = file.metadata().map_err(|error| error.at(path))?.len();
    let reader = guarded(|| {
        let reader = SerializedFileReader::new(file)?;
        check_places(&reader, length).map(|()| reader)
    });
    let reader = reader.map_err(|error| damage(&error, path))?;
    for group in reader.metadata().row_groups() {
        for column in group.columns() {
            let codec = column.compression();
            if !is_read(codec) {
                return Err(ImportError::Codec {
                    path: path.to_path_buf(),
                    column: column.column_path().string(),
                    codec: format!("{codec:?}").to_lowercase(),
                });
            }
        }
    }
    Ok(reader)
}

/// Whether every column is inside the file: the library would ask for as much memory as a file says.
fn check_places(reader: &SerializedFileReader<File>, length: u64) -> Result<(), ParquetError> {
    let mut columns = reader.metadata().row_groups().iter().flat_map(|group| group.columns());
    let is_inside = columns.all(|column| {
        let (start, size) = column.byte_range();
        start.checked_add(size).is_some_and(|end| end <= length)
    });
    match is_inside {
        true => Ok(()),
        false => Err(ParquetError::EOF("a column is said to be beyond the end".to_owned())),
    }
}

const fn is_read(codec: Compression) -> bool {
    matches!(
        codec,
        Compression::UNCOMPRESSED
            | Compression::SNAPPY
            | Compression::GZIP(_)
            | Compression::ZSTD(_)
    )
}

fn damage(error: &ParquetError, path: &Path) -> ImportError {
    let what = match error {
        ParquetError::EOF(what) | ParquetError::General(what) => what.clone(),
        other => other.to_string(),
    };
    ImportError::Damaged { path: path.to_path_buf(), what }
}

pub(super) fn each_row(
    file: &TableFile,
    wanted: &[Option<usize>],
    row: &mut dyn FnMut(TableRow<'_>),
) -> Result<u64, ImportError> {
    let path = &file.path;
    let reader = open(path)?;
    let digester = Digester::new(&file.columns);
    let mut number = 0;
    for group in 0..reader.num_row_groups() {
        let rows = reader.metadata().row_group(group).num_rows();
        let columns = guarded(|| Column::all(&*reader.get_row_group(group)?));
        let mut columns = columns.map_err(|error| damage(&error, path))?;
        let mut left = usize::try_from(rows).unwrap_or(0);
        while left > 0 {
            let batch = left.min(BATCH);
            for column in &mut columns {
                guarded(|| column.read(batch)).map_err(|error| damage(&error, path))?;
            }
            for at in 0..batch {
                number += 1;
                hand_out(&columns, at, number, wanted, &digester, row);
            }
            left -= batch;
        }
    }
    Ok(number)
}

fn hand_out(
    columns: &[Column],
    at: usize,
    number: u64,
    wanted: &[Option<usize>],
    digester: &Digester,
    row: &mut dyn FnMut(TableRow<'_>),
) {
    let cell = |column: usize| columns.get(column).and_then(|column| column.cells.get(at));
    let cells: Vec<Option<&str>> =
        wanted.iter().map(|column| column.and_then(cell).filter(|cell| !cell.is_empty())).collect();
    let digest = digester.digest(|column| cell(column).map(str::as_bytes));
    row(TableRow { number, cells: &cells, digest });
}

/// A column of a row group, and its cells of the batch that is held.
struct Column {
    reader: ColumnReader,
    meaning: Meaning,
    /// The level of a value that is there, and whether there may be several in a row.
    levels: Levels,
    cells: Cells,
}

#[derive(Clone, Copy)]
struct Levels {
    defined: i16,
    repeated: i16,
}

/// What a value means beyond its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    Plain,
    Decimal(u32),
    /// So many in a second.
    Moment(i64),
    Date,
}

/// Texts one after another.
#[derive(Default)]
struct Cells {
    text: String,
    /// Where each ends, and whether it is there.
    ends: Vec<(usize, bool)>,
}

impl Cells {
    fn get(&self, at: usize) -> Option<&str> {
        let (end, known) = *self.ends.get(at)?;
        let from =
            at.checked_sub(1).and_then(|before| self.ends.get(before)).map_or(0, |end| end.0);
        known.then(|| self.text.get(from..end)).flatten()
    }

    fn clear(&mut self) {
        self.text.clear();
        self.ends.clear();
    }
}

impl Column {
    fn all(group: &dyn RowGroupReader) -> Result<Vec<Self>, ParquetError> {
        let describe = |at: usize| group.metadata().column(at).column_descr_ptr();
        (0..group.num_columns())
            .map(|at| {
                let described = describe(at);
                Ok(Self {
                    reader: group.get_column_reader(at)?,
                    meaning: Meaning::of(&described),
                    levels: Levels {
                        defined: described.max_def_level(),
                        repeated: described.max_rep_level(),
                    },
                    cells: Cells::default(),
                })
            })
            .collect()
    }

    /// Reads so many rows.
    fn read(&mut self, rows: usize) -> Result<(), ParquetError> {
        let (cells, levels, meaning) = (&mut self.cells, self.levels, self.meaning);
        cells.clear();
        match &mut self.reader {
            ColumnReader::BoolColumnReader(reader) => {
                read(reader, rows, levels, cells, |value, text| put(text, value))
            }
            ColumnReader::Int32ColumnReader(reader) => {
                read(reader, rows, levels, cells, |value, text| {
                    meaning.put(i128::from(*value), text);
                })
            }
            ColumnReader::Int64ColumnReader(reader) => {
                read(reader, rows, levels, cells, |value, text| {
                    meaning.put(i128::from(*value), text);
                })
            }
            ColumnReader::Int96ColumnReader(reader) => {
                read(reader, rows, levels, cells, |value, text| {
                    Meaning::Moment(1000).put(i128::from(value.to_millis()), text);
                })
            }
            ColumnReader::FloatColumnReader(reader) => {
                read(reader, rows, levels, cells, |value, text| put(text, value))
            }
            ColumnReader::DoubleColumnReader(reader) => {
                read(reader, rows, levels, cells, |value, text| put(text, value))
            }
            ColumnReader::ByteArrayColumnReader(reader) => {
                read(reader, rows, levels, cells, |value, text| {
                    meaning.put_bytes(value.data(), text);
                })
            }
            ColumnReader::FixedLenByteArrayColumnReader(reader) => {
                read(reader, rows, levels, cells, |value, text| {
                    meaning.put_bytes(value.data(), text);
                })
            }
        }
    }
}

/// Reads rows of a column as texts.
fn read<T: DataType>(
    reader: &mut ColumnReaderImpl<T>,
    rows: usize,
    levels: Levels,
    cells: &mut Cells,
    put: impl Fn(&T::T, &mut String),
) -> Result<(), ParquetError> {
    let (mut defined, mut repeated, mut values) = (Vec::new(), Vec::new(), Vec::new());
    let (records, _, _) = reader.read_records(
        rows,
        (levels.defined > 0).then_some(&mut defined),
        (levels.repeated > 0).then_some(&mut repeated),
        &mut values,
    )?;
    if records != rows {
        let what = format!("a column has {records} values where {rows} rows are left");
        return Err(ParquetError::EOF(what));
    }
    let mut values = values.iter();
    let count = if levels.defined > 0 { defined.len() } else { rows };
    for at in 0..count {
        let begins_row = repeated.get(at).is_none_or(|level| *level == 0);
        if begins_row {
            cells.ends.push((cells.text.len(), false));
        } else {
            cells.text.push(BETWEEN);
        }
        if defined.get(at).is_none_or(|level| *level == levels.defined) {
            let value =
                values.next().ok_or_else(|| ParquetError::EOF("a value is missing".to_owned()))?;
            put(value, &mut cells.text);
            if let Some(end) = cells.ends.last_mut() {
                end.1 = true;
            }
        }
        if let Some(end) = cells.ends.last_mut() {
            end.0 = cells.text.len();
        }
    }
    match cells.ends.len() == rows {
        true => Ok(()),
        false => Err(ParquetError::EOF("rows of a nested column do not add up".to_owned())),
    }
}

impl Meaning {
    fn of(column: &ColumnDescriptor) -> Self {
        let scale = || Self::Decimal(column.type_scale().max(0).cast_unsigned());
        match column.logical_type_ref() {
            Some(LogicalType::Decimal(_)) => scale(),
            Some(LogicalType::Date) => Self::Date,
            Some(LogicalType::Timestamp(moment)) => Self::Moment(match moment.unit {
                TimeUnit::MILLIS => 1_000,
                TimeUnit::MICROS => 1_000_000,
                TimeUnit::NANOS => 1_000_000_000,
            }),
            _ => match column.converted_type() {
                ConvertedType::DECIMAL => scale(),
                ConvertedType::DATE => Self::Date,
                ConvertedType::TIMESTAMP_MILLIS => Self::Moment(1_000),
                ConvertedType::TIMESTAMP_MICROS => Self::Moment(1_000_000),
                _ => Self::Plain,
            },
        }
    }

    fn put(self, value: i128, text: &mut String) {
        const DAY_MILLIS: i128 = 86_400_000;
        match self {
            Self::Plain => put(text, &value),
            Self::Decimal(scale) => put_decimal(value, scale, text),
            Self::Moment(per_second) => put_moment(value * 1000 / i128::from(per_second), text),
            Self::Date => put_moment(value * DAY_MILLIS, text),
        }
    }

    /// Text, or a decimal whose digits are bytes, the highest first.
    fn put_bytes(self, bytes: &[u8], text: &mut String) {
        match self {
            Self::Decimal(scale) if bytes.len() <= 16 => {
                let negative = bytes.first().is_some_and(|first| first & 0x80 != 0);
                let start: i128 = if negative { -1 } else { 0 };
                let value = bytes.iter().fold(start, |value, byte| value << 8 | i128::from(*byte));
                put_decimal(value, scale, text);
            }
            _ => text.push_str(&String::from_utf8_lossy(bytes)),
        }
    }
}

fn put(text: &mut String, value: &impl std::fmt::Display) {
    // Writing to a string cannot fail.
    let _ = write!(text, "{value}");
}

fn put_decimal(value: i128, scale: u32, text: &mut String) {
    let scale = scale as usize;
    let digits = format!("{:0width$}", value.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    let sign = if value < 0 { "-" } else { "" };
    let point = if fraction.is_empty() { "" } else { "." };
    put(text, &format_args!("{sign}{whole}{point}{fraction}"));
}

/// A moment, or, where there is none with a year of four digits, its number.
fn put_moment(millis: i128, text: &mut String) {
    match u64::try_from(millis).ok().and_then(Timestamp::from_unix_millis) {
        Some(moment) => put(text, &moment),
        None => put(text, &millis),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_exact() {
        let shown = |value, scale| {
            let mut text = String::new();
            put_decimal(value, scale, &mut text);
            text
        };
        assert_eq!(shown(-12_345, 2), "-123.45");
        assert_eq!(shown(7, 9), "0.000000007");
        assert_eq!((shown(0, 0), shown(-3, 0)), ("0".to_owned(), "-3".to_owned()));
        let mut text = String::new();
        Meaning::Decimal(2).put_bytes(&[0xff, 0x38], &mut text);
        assert_eq!(text, "-2.00");
    }

    #[test]
    fn moments_have_any_unit() {
        let shown = |meaning: Meaning, value| {
            let mut text = String::new();
            meaning.put(value, &mut text);
            text
        };
        let moment = "2026-10-01T00:00:00.000Z";
        assert_eq!(shown(Meaning::Moment(1_000), 1_790_812_800_000), moment);
        assert_eq!(shown(Meaning::Moment(1_000_000), 1_790_812_800_000_000), moment);
        assert_eq!(shown(Meaning::Moment(1_000_000_000), 1_790_812_800_000_000_000), moment);
        assert_eq!(shown(Meaning::Date, 20_727), moment);
        assert_eq!(shown(Meaning::Moment(1_000), -5), "-5");
    }
}
