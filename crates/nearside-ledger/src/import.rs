//! Tables that others wrote, row by row: CSV (also compressed with gzip) and Parquet, columns by name.
//!
//! What a file is, its first bytes say, not its name. Every cell is text, as CSV writes it: what it means
//! is the caller's business. Memory is bounded: of CSV one record is held, of Parquet a batch of rows.
//!
//! A file that is cut off or damaged is an error that names it; the rows before the damage were handed
//! out by then, so a caller that counts forgets them.

mod columnar;
mod digest;
mod error;
mod guard;
mod separated;

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

pub use error::ImportError;

use error::At as _;

/// A table in a file.
#[derive(Debug)]
pub struct TableFile {
    path: PathBuf,
    form: Form,
    columns: Vec<String>,
}

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// Comma-separated.
    Csv,
    /// The same, compressed.
    GzippedCsv,
    /// Parquet.
    Parquet,
}

/// A row.
#[derive(Clone, Copy, Debug)]
pub struct TableRow<'a> {
    /// Which one of the file, from 1.
    pub number: u64,
    /// The cells of the columns that were asked for, in that order; nothing where a cell is empty, or the
    /// file does not have the column.
    pub cells: &'a [Option<&'a str>],
    /// What tells it from other rows: a digest of all its cells that are not empty, with the names of
    /// their columns, whatever the order of columns.
    pub digest: u64,
}

impl TableFile {
    /// Opens a file and reads the names of its columns.
    ///
    /// # Errors
    /// When it cannot be read, is empty, or is no table.
    pub fn open(path: &Path) -> Result<Self, ImportError> {
        let form = form(path)?;
        let columns = match form {
            Form::Csv | Form::GzippedCsv => separated::columns(path, form)?,
            Form::Parquet => columnar::columns(path)?,
        };
        Ok(Self { path: path.to_path_buf(), form, columns })
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The names of its columns, in its order; of parts of nested ones with dots between.
    #[must_use]
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Hands out every row in the order of the file; `wanted` are places in [`TableFile::columns`].
    /// Gives the number of rows.
    ///
    /// # Errors
    /// When the file cannot be read to its end, or what it says is no table.
    pub fn each_row(
        &self,
        wanted: &[Option<usize>],
        row: &mut dyn FnMut(TableRow<'_>),
    ) -> Result<u64, ImportError> {
        match self.form {
            Form::Csv | Form::GzippedCsv => separated::each_row(self, wanted, row),
            Form::Parquet => columnar::each_row(self, wanted, row),
        }
    }
}

/// What the first bytes of a file say that it is.
fn form(path: &Path) -> Result<Form, ImportError> {
    let mut first = Vec::new();
    let foreign = |what, hint| ImportError::Foreign { path: path.to_path_buf(), what, hint };
    let found = std::fs::metadata(path).map_err(|error| error.at(path))?;
    if !found.is_file() {
        return Err(foreign("no file that can be read more than once", "write it to a file first"));
    }
    let file = File::open(path).map_err(|error| error.at(path))?;
    file.take(4).read_to_end(&mut first).map_err(|error| error.at(path))?;
    match first.as_slice() {
        [] => Err(ImportError::Empty { path: path.to_path_buf() }),
        b"PAR1" => Ok(Form::Parquet),
        [0x1f, 0x8b, ..] => Ok(Form::GzippedCsv),
        b"PK\x03\x04" => Err(foreign("a ZIP archive", "unpack it and name the files in it")),
        [0x28, 0xb5, 0x2f, 0xfd] => {
            Err(foreign("compressed with zstd", "unpack it with `zstd -d` first"))
        }
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => {
            Err(foreign("text in UTF-16", "save it as UTF-8, as FOCUS wants it"))
        }
        [b'{' | b'[', ..] => Err(foreign("JSON", "name the CSV or Parquet files of the export")),
        _ => Ok(Form::Csv),
    }
}

#[cfg(test)]
mod tests;
