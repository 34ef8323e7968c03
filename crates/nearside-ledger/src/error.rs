//! Why a ledger file cannot be used, or does not take a row.

use std::io;
use std::path::{Path, PathBuf};

use nearside_units::ParseError;
use rusqlite::ErrorCode;
use thiserror::Error;

/// Why a ledger file cannot be used, or does not take a row.
///
/// Whatever the reason, the file stays as it was: nothing is repaired, truncated or made anew.
#[derive(Debug, Error)]
pub enum LedgerError {
    /// The folder of the file cannot be made.
    #[error("cannot make the folder {}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The file is something else, or its first page is damaged.
    #[error("{} is no file of this kind, or its first page is damaged", path.display())]
    NotALedger {
        /// The file.
        path: PathBuf,
    },
    /// The file has tables of a version that this program does not know.
    #[error(
        "{} was written by a newer version of nearside (tables of version {found}, this one knows \
         up to {known})",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// The version of its tables.
        found: usize,
        /// The newest version that this program knows.
        known: usize,
    },
    /// The file or its folder cannot be opened or written by this user.
    #[error("{} cannot be opened or written", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// No room is left; what was being written is not there, what was written before is.
    #[error("{}: the disk is full, nothing of this was recorded", path.display())]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// Part of the file cannot be read as what was written.
    #[error("{} is damaged: {what}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What cannot be read.
        what: String,
    },
    /// Another program has been writing for longer than this one waits.
    #[error("{}: another program has been writing for more than {waited_seconds} s", path.display())]
    Busy {
        /// The file.
        path: PathBuf,
        /// How long this program waited.
        waited_seconds: u64,
    },
    /// A value of a row cannot be kept.
    #[error("{table}.{column}: {source}")]
    Cell {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// Why.
        source: CellError,
    },
    /// A row breaks a rule of its table.
    #[error("{} takes no such row in {table}: {rule}", path.display())]
    Rule {
        /// The file.
        path: PathBuf,
        /// The table.
        table: &'static str,
        /// The rule, as the table names it.
        rule: String,
    },
    /// A row that belonged to the others was refused, so that none of them was recorded.
    #[error("{}: nothing was recorded, because a row that belongs to the others was refused", path.display())]
    Abandoned {
        /// The file.
        path: PathBuf,
    },
    /// An export cannot be written.
    #[error("cannot write the export")]
    Output {
        /// What the operating system said.
        source: io::Error,
    },
    /// SQLite refuses for another reason.
    #[error("{}: {source}", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
}

impl LedgerError {
    /// What a person can do about it.
    #[must_use]
    pub const fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NotALedger { .. } | Self::Damaged { .. } => Some(
                "nothing was changed: put back a copy of the file, or move it and those named after \
                 it (-wal, -shm) away to begin a new one",
            ),
            Self::Newer { .. } => Some("use the version of nearside that wrote it, or a newer one"),
            Self::Folder { .. } | Self::Unwritable { .. } => {
                Some("look at the owner and the permissions of the file and of its folder")
            }
            Self::Full { .. } => Some("make room on that disk, then do it again"),
            Self::Busy { .. } => Some("wait for the other program to finish, then do it again"),
            _ => None,
        }
    }
}

/// Why a value cannot be kept.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum CellError {
    /// Infinite, or no number.
    #[error("not a finite number")]
    NotFinite,
    /// A count that SQLite's whole numbers do not hold.
    #[error("a whole number outside 0 to 2^63 - 1")]
    OutOfRange,
    /// A value of another type than the column's.
    #[error("not of the type of its column")]
    OtherType,
    /// A text that does not mean what the column holds.
    #[error(transparent)]
    Malformed(#[from] ParseError),
}

/// An error that becomes one of a ledger file once it is known which.
pub(crate) trait At {
    /// The error, of that file.
    fn at(self, path: &Path) -> LedgerError;
}

impl At for rusqlite::Error {
    fn at(self, path: &Path) -> LedgerError {
        let path = path.to_path_buf();
        match self.sqlite_error_code() {
            Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
                LedgerError::Unwritable { path, source: self }
            }
            Some(ErrorCode::NotADatabase) => LedgerError::NotALedger { path },
            Some(ErrorCode::DiskFull) => LedgerError::Full { path },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                LedgerError::Busy { path, waited_seconds: crate::file::PATIENCE.as_secs() }
            }
            Some(ErrorCode::DatabaseCorrupt) => {
                LedgerError::Damaged { path, what: self.to_string() }
            }
            _ if is_of_a_value(&self) => LedgerError::Damaged { path, what: self.to_string() },
            _ => LedgerError::Sqlite { path, source: self },
        }
    }
}

/// Whether a stored value is not what its column holds.
const fn is_of_a_value(error: &rusqlite::Error) -> bool {
    use rusqlite::Error as Sqlite;
    matches!(
        error,
        Sqlite::FromSqlConversionFailure(..)
            | Sqlite::IntegralValueOutOfRange(..)
            | Sqlite::InvalidColumnType(..)
            | Sqlite::Utf8Error(..)
    )
}
