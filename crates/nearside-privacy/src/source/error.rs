//! Why something below a path was not read.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// What can go wrong. Only [`Self::Absent`] reaches a caller; all else is told to the visitor.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SourceError {
    /// A path that was asked for is not there, or may not be looked at.
    #[error("{}: {source}", path.display())]
    Absent {
        /// The path as it was given.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// Reading failed.
    #[error("{0}")]
    Read(#[from] io::Error),
    /// A format that holds its content compressed, encoded or encrypted, and is not understood.
    #[error("{0}")]
    Sealed(&'static str),
    /// What it says about itself does not hold.
    #[error("damaged: {0}")]
    Damaged(String),
    /// Somebody wrote to it meanwhile.
    #[error("changed while it was read")]
    Changed,
    /// A bound of [`Limits`](super::Limits) was reached.
    #[error("{what} than {bound}")]
    Bound {
        /// What there is more of, as far as the word "more".
        what: &'static str,
        /// The bound with its unit.
        bound: String,
    },
    /// It has to be unpacked to a file first, and no folder was given for it.
    #[error("larger than fits into memory, and there is no folder to unpack it to")]
    NoFolder,
}

impl SourceError {
    /// A part that ends before its end.
    pub(super) fn cut(what: &str) -> Self {
        Self::Damaged(format!("it ends inside {what}"))
    }

    /// A bound in bytes.
    pub(super) fn too_large(what: &'static str, bytes: u64) -> Self {
        Self::Bound { what, bound: format!("{bytes} bytes") }
    }
}

impl From<::zip::result::ZipError> for SourceError {
    fn from(error: ::zip::result::ZipError) -> Self {
        match error {
            ::zip::result::ZipError::Io(error) => Self::Read(error),
            other => Self::Damaged(other.to_string()),
        }
    }
}

impl From<rusqlite::Error> for SourceError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Damaged(error.to_string())
    }
}

impl From<SourceError> for io::Error {
    fn from(error: SourceError) -> Self {
        match error {
            SourceError::Read(error) => error,
            other => Self::other(other),
        }
    }
}
