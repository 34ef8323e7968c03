//! Why a table in a file cannot be read.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Why a table in a file cannot be read.
#[derive(Debug, Error)]
pub enum ImportError {
    /// There is no such file, or it cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Nothing is in it.
    #[error("{} is empty: not even the names of columns are in it", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// It is something else than a table that we read.
    #[error("{} is {what}", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it is.
        what: &'static str,
        /// What to do about it.
        hint: &'static str,
    },
    /// It is cut off, or part of it is not what it says.
    #[error("{} is damaged or cut off: {what}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What cannot be read.
        what: String,
    },
    /// It is compressed in a way that this program was built without.
    #[error("{}: column {column} is compressed with {codec}, which this program does not read", path.display())]
    Codec {
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
        /// The way.
        codec: String,
    },
}

impl ImportError {
    /// What a person can do about it.
    #[must_use]
    pub const fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Foreign { hint, .. } => Some(hint),
            Self::Damaged { .. } => Some("fetch it again from where it was exported"),
            Self::Codec { .. } => Some(
                "export it with Snappy, gzip, zstd or without compression, or write it anew: \
                 duckdb -c \"COPY 'FILE' TO 'new.parquet' (COMPRESSION zstd)\"",
            ),
            Self::Empty { .. } => Some("name a file that has rows, or leave it out"),
            Self::Unreadable { .. } => None,
        }
    }

    /// Whether it is for the world outside to put right, and not for the file.
    #[must_use]
    pub fn is_of_the_world(&self) -> bool {
        matches!(self, Self::Unreadable { source, .. } if source.kind() != io::ErrorKind::NotFound)
    }
}

/// An error that becomes one of a file once it is known which.
pub(super) trait At {
    /// The error, of that file.
    fn at(self, path: &Path) -> ImportError;
}

impl At for io::Error {
    fn at(self, path: &Path) -> ImportError {
        let path = path.to_path_buf();
        match self.kind() {
            // What a decompressor says of bytes that it cannot read.
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::InvalidData
            | io::ErrorKind::InvalidInput => ImportError::Damaged { path, what: self.to_string() },
            _ => ImportError::Unreadable { path, source: self },
        }
    }
}
