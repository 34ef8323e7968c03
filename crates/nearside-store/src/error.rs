//! What can go wrong with a file.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Why a file could not be read, written, kept or put back.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The system refused; its words follow.
    #[error("cannot {what} {}: {error}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On which path.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// A path is neither a file, a folder nor a link.
    #[error("{} is neither a file nor a folder nor a link", path.display())]
    Special {
        /// The path.
        path: PathBuf,
    },
    /// A name is no UTF-8.
    #[error("the name of {} is not UTF-8", path.display())]
    Name {
        /// The path.
        path: PathBuf,
    },
    /// What is sealed cannot be opened or made without a key.
    #[error("there is no key for what is sealed: {0}")]
    Key(String),
    /// What is sealed is so for another key.
    #[error("{} is sealed for another key", path.display())]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// What was kept is not what it was.
    #[error("what was kept of {} is damaged: it is no longer {expected}", path.display())]
    Damaged {
        /// What was to be put back.
        path: PathBuf,
        /// The digest that it should have.
        expected: String,
    },
}

impl StoreError {
    /// The system's refusal of something done to a path.
    pub(crate) fn io(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |error| Self::Io { what, path, error }
    }

    /// Whether what is kept cannot be had any more, so that it has to be made anew.
    #[must_use]
    pub const fn is_of_no_use(&self) -> bool {
        matches!(self, Self::Damaged { .. } | Self::Locked { .. } | Self::Key(_))
    }

    /// Whether the path is not there at all.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Io { error, .. } if error.kind() == io::ErrorKind::NotFound)
    }
}
