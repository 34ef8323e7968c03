//! Why nothing was anonymized.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::secret_file::KeyError;
use crate::source::SourceError;

/// What can go wrong. Whatever it is, no output is left.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AnonymizeError {
    /// A path that is not there.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// Reading or writing failed.
    #[error("cannot {what} {}: {source}", path.display())]
    File {
        /// What was being done.
        what: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// Writing the output failed.
    #[error(transparent)]
    Store(#[from] nearside_store::StoreError),
    /// Files that cannot be anonymized, and why each.
    #[error("{} of the files cannot be anonymized", .0.len())]
    Unreadable(Vec<Unreadable>),
    /// Somebody wrote to a file between the search and the writing.
    #[error("{} changed while it was read", .0.display())]
    Changed(PathBuf),
    /// A column that no table has.
    #[error("no table has a column \"{0}\"")]
    Column(String),
    /// An output that would destroy something.
    #[error("{} {why}", path.display())]
    Output {
        /// The output.
        path: PathBuf,
        /// What speaks against it.
        why: &'static str,
    },
    /// A vault that cannot be used.
    #[error(transparent)]
    Vault(#[from] crate::vault::VaultError),
    /// A key that cannot be used.
    #[error("the key {} {why}", path.display())]
    Key {
        /// Its file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

/// A file that cannot be anonymized.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Its name.
    pub name: String,
    /// Why.
    pub why: String,
}

impl AnonymizeError {
    /// An error of the operating system, with what was being done.
    pub(super) fn file(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::File { what, path, source }
    }
}

impl From<KeyError> for AnonymizeError {
    fn from(error: KeyError) -> Self {
        let (path, why) = match error {
            KeyError::Io { what, path, source } => return Self::File { what, path, source },
            KeyError::OpenToOthers { path, .. } => {
                (path, "may be read by others: chmod 600".to_owned())
            }
            KeyError::OfAnother { path } => (path, "belongs to another user".to_owned()),
            KeyError::NoKey { path } => (path, "holds no key".to_owned()),
            KeyError::Random { path, source } => (path, format!("cannot be made: {source}")),
        };
        Self::Key { path, why }
    }
}
