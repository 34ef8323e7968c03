//! Rows of CSV (RFC 4180), as it is or compressed with gzip, also of several parts.
//!
//! A byte order mark, either sort of line end and line ends within quotes are read. A record that has
//! another number of cells than there are columns is damage: so a file that was cut off is seen, unless
//! it was cut in its very last cell.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;
use std::rc::Rc;

use csv::{ByteRecord, ErrorKind, ReaderBuilder};
use flate2::read::MultiGzDecoder;

use super::digest::Digester;
use super::error::{At as _, ImportError};
use super::{Form, TableFile, TableRow};

/// Bytes that are read at once.
const BUFFER: usize = 1 << 20;

/// The longest record that is read: longer ones are quotes that nobody closed.
const LONGEST_RECORD: u64 = 64 << 20;

/// What stands for a text that is no UTF-8.
const NO_TEXT: &str = "\u{fffd}";

/// A source that gives no more than a record may have between two calls of [`Limited::renew`].
struct Limited<R> {
    source: R,
    left: Rc<Cell<u64>>,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        match self.left.get().checked_sub(count as u64) {
            Some(left) => self.left.set(left),
            None => {
                let what = "a record is longer than 64 MiB: quotes are not closed";
                return Err(io::Error::new(io::ErrorKind::InvalidData, what));
            }
        }
        Ok(count)
    }
}

type Source = csv::Reader<Limited<Box<dyn Read>>>;

fn open(path: &Path, form: Form) -> Result<(Source, Rc<Cell<u64>>), ImportError> {
    let file = File::open(path).map_err(|error| error.at(path))?;
    let source: Box<dyn Read> = match form {
        Form::GzippedCsv => Box::new(MultiGzDecoder::new(BufReader::with_capacity(BUFFER, file))),
        Form::Csv | Form::Parquet => Box::new(file),
    };
    let left = Rc::new(Cell::new(LONGEST_RECORD));
    let limited = Limited { source, left: Rc::clone(&left) };
    Ok((ReaderBuilder::new().buffer_capacity(BUFFER).from_reader(limited), left))
}

/// The names of the columns.
pub(super) fn columns(path: &Path, form: Form) -> Result<Vec<String>, ImportError> {
    let (mut source, _) = open(path, form)?;
    let head = source.byte_headers().map_err(|error| damage(error, path))?;
    if head.is_empty() {
        return Err(ImportError::Empty { path: path.to_path_buf() });
    }
    if head.get(0).is_some_and(|first| first.starts_with(b"PAR1")) {
        let path = path.to_path_buf();
        let (what, hint) = ("Parquet compressed with gzip", "unpack it with `gzip -d` first");
        return Err(ImportError::Foreign { path, what, hint });
    }
    let name = |name: &[u8]| String::from_utf8_lossy(name).trim().to_owned();
    Ok(head.iter().map(name).collect())
}

pub(super) fn each_row(
    file: &TableFile,
    wanted: &[Option<usize>],
    row: &mut dyn FnMut(TableRow<'_>),
) -> Result<u64, ImportError> {
    let path = &file.path;
    let (mut source, left) = open(path, file.form)?;
    let digester = Digester::new(&file.columns);
    let mut record = ByteRecord::new();
    let mut number = 0;
    while source.read_byte_record(&mut record).map_err(|error| damage(error, path))? {
        number += 1;
        left.set(LONGEST_RECORD);
        let cell = |at: usize| record.get(at).filter(|cell| !cell.is_empty());
        let cells: Vec<Option<&str>> =
            wanted.iter().map(|at| at.and_then(cell).map(text)).collect();
        row(TableRow { number, cells: &cells, digest: digester.digest(cell) });
    }
    Ok(number)
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or(NO_TEXT)
}

fn damage(error: csv::Error, path: &Path) -> ImportError {
    let what = match error.kind() {
        ErrorKind::UnequalLengths { pos, expected_len, len } => {
            let line = pos.as_ref().map_or(0, csv::Position::line);
            format!("the record at line {line} has {len} cells, there are {expected_len} columns")
        }
        _ => match error.into_kind() {
            ErrorKind::Io(error) => return error.at(path),
            other => format!("{other:?}"),
        },
    };
    ImportError::Damaged { path: path.to_path_buf(), what }
}
