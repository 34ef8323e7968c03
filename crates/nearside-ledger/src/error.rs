//! Why a ledger file cannot be used.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why a ledger file cannot be used.
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
    /// SQLite refuses.
    #[error("{}: {source}", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
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
}
