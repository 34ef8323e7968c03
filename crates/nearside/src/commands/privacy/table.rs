//! A table that a person names: how it is written, and read from its start as often as needed.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read as _, Seek as _};
use std::num::NonZero;
use std::path::Path;

use nearside_policy::Class;
use nearside_privacy::scan::{self, Column};
use nearside_privacy::source::Form;
use nearside_privacy::tabular::{Dialect, TabularError};

use crate::error::{CommandError, Fault};

/// The bytes at the start of a table that say how it is written.
const HEAD: u64 = 64 << 10;

/// A table that can be read several times.
pub(super) struct Table {
    file: File,
    pub(super) dialect: Dialect,
}

impl Table {
    /// Opens a file with a row of heads, or the standard input, which is copied into a folder.
    pub(super) fn open(path: &Path, folder: &Path) -> Result<Self, CommandError> {
        let unreadable = |error: &io::Error| {
            let message = format!("cannot read {}: {error}", path.display());
            CommandError::new(Fault::Input, message)
        };
        if path.is_dir() {
            let message = format!("{} is a folder: --k is about one table", path.display());
            return Err(CommandError::new(Fault::Input, message));
        }
        let mut file = match path == Path::new("-") {
            false => File::open(path).map_err(|error| unreadable(&error))?,
            true => {
                let mut copy = scratch(folder)?;
                io::copy(&mut io::stdin().lock(), &mut copy).map_err(|error| unreadable(&error))?;
                copy
            }
        };
        file.rewind().map_err(|error| unreadable(&error))?;
        let mut head = Vec::new();
        (&file).take(HEAD).read_to_end(&mut head).map_err(|error| unreadable(&error))?;
        let options = scan::Options::default();
        let mut headed = false;
        let mut heads = |columns: &[Column]| headed = !columns.is_empty();
        let form = Some(Form::Delimited);
        let scanned =
            scan::scan_under_heads(form, &mut head.as_slice(), options, &mut heads, &mut |_| {})
                .map_err(|error| unreadable(&error))?;
        let separator = scanned.separator.filter(|_| headed || head.is_empty());
        let Some(separator) = separator else {
            let message = format!("{} is no table with a row of heads", path.display());
            return Err(CommandError::new(Fault::Input, message));
        };
        Ok(Self { file, dialect: Dialect { separator } })
    }

    /// The table from its start on.
    pub(super) fn reader(&self) -> Result<BufReader<&File>, CommandError> {
        (&self.file).rewind().map_err(|error| failed(error.into()))?;
        Ok(BufReader::with_capacity(1 << 20, &self.file))
    }
}

/// Threads that read and write a table: one for each core.
pub(super) fn threads() -> NonZero<usize> {
    scan::Options::default().threads
}

/// A file without a name.
pub(super) fn scratch(folder: &Path) -> Result<File, CommandError> {
    tempfile::tempfile_in(folder).map_err(|error| {
        let message = format!("cannot make a file in {}: {error}", folder.display());
        CommandError::new(Fault::World, message)
    })
}

/// What went wrong with a table, for who named it.
pub(super) fn failed(error: TabularError) -> CommandError {
    let message = error.to_string();
    match error {
        TabularError::Io(_) => CommandError::new(Fault::World, message),
        TabularError::Impossible { .. } => CommandError::new(Fault::Input, message)
            .hint("--suppress 5% lets rows be left out; nothing was written"),
        TabularError::Unknown { .. } => CommandError::new(Fault::Input, message)
            .hint("add the value to its file of hierarchies; nothing was written"),
        _ => CommandError::new(Fault::Input, message),
    }
}

/// What a search finds in a column of a table.
pub(super) struct Left {
    pub(super) column: String,
    /// How many of each kind.
    pub(super) kinds: BTreeMap<&'static str, u64>,
}

impl Left {
    /// Searches a table for what is of a class or a higher one, beside columns whose values hide among others.
    pub(super) fn beside(
        quasi: &[String],
        text: &mut dyn io::Read,
        class: Class,
    ) -> io::Result<Vec<Self>> {
        let mut names: Vec<String> = Vec::new();
        let mut counts: BTreeMap<u32, BTreeMap<&'static str, u64>> = BTreeMap::new();
        let mut heads = |columns: &[Column]| {
            names = columns.iter().map(|column| column.name.clone()).collect();
        };
        let mut each = |finding: scan::Finding| {
            if finding.entity.class() >= class {
                let kinds = counts.entry(finding.column.unwrap_or(u32::MAX)).or_default();
                *kinds.entry(finding.entity.name()).or_default() += 1;
            }
        };
        let options = scan::Options::default();
        scan::scan_under_heads(Some(Form::Delimited), text, options, &mut heads, &mut each)?;
        let name = |column: u32| names.get(column as usize).cloned().unwrap_or_default();
        let left = counts.into_iter().map(|(column, kinds)| Self { column: name(column), kinds });
        Ok(left.filter(|left| !quasi.contains(&left.column)).collect())
    }
}
