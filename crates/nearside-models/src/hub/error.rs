//! What can go wrong between a name and a model that is there.

use std::path::PathBuf;

use nearside_fetch::{FetchError, NoSecret};
use nearside_units::Bytes;
use thiserror::Error;

use super::names::{NameError, Repository, Revision};
use super::reference::ReferenceError;

/// A GGUF that can be chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GgufChoice {
    /// Its file, the first where it has several.
    pub file: String,
    /// What names it in a reference, after the colon; its file's name where nothing shorter does.
    pub quantization: Option<String>,
    /// Bytes of all its parts.
    pub bytes: Bytes,
}

/// Why a model is not there.
#[derive(Debug, Error)]
pub enum HubError {
    /// What was written names none.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// The hub's address is none.
    #[error("{url:?} is not the address of a hub")]
    Endpoint {
        /// The address.
        url: String,
    },
    /// The token is none.
    #[error("{why}")]
    Token {
        /// What is wrong with it.
        why: NoSecret,
    },
    /// There is no such repository, or it is not shown to us.
    #[error("{repository}: there is no such model, or it is private")]
    NoRepository {
        /// The repository.
        repository: Repository,
        /// Whether we came with a token.
        with_token: bool,
    },
    /// It has no such revision.
    #[error("{repository}: there is no revision {revision}")]
    NoRevision {
        /// The repository.
        repository: Repository,
        /// The revision.
        revision: Revision,
    },
    /// Its makers ask for something before they hand it out.
    #[error("{repository}: its makers give it to those who accepted their terms")]
    Gated {
        /// The repository.
        repository: Repository,
        /// The page where that is done.
        page: String,
        /// Whether we came with a token.
        with_token: bool,
    },
    /// The token is not accepted.
    #[error("{repository}: the hub does not accept the token")]
    Denied {
        /// The repository.
        repository: Repository,
    },
    /// Its weights are programs.
    #[error(
        "{repository}: its weights are pickles only ({}), which run whatever their maker put in them: they are not \
         fetched", files.join(", ")
    )]
    PickleOnly {
        /// The repository.
        repository: Repository,
        /// Some of the files.
        files: Vec<String>,
    },
    /// A pickle was asked for by name.
    #[error("{file}: a pickle runs whatever its maker put in it: it is not fetched")]
    Pickle {
        /// The file.
        file: String,
    },
    /// It has no weights.
    #[error("{repository}: has neither safetensors nor GGUF")]
    NoWeights {
        /// The repository.
        repository: Repository,
    },
    /// It has several GGUF files.
    #[error("{repository}: has {} GGUF files, which of them?", choices.len())]
    Several {
        /// The repository.
        repository: Repository,
        /// What can be chosen.
        choices: Vec<GgufChoice>,
    },
    /// It has no such quantization.
    #[error("{repository}: has no GGUF of {wanted}")]
    NoQuantization {
        /// The repository.
        repository: Repository,
        /// What was asked for.
        wanted: String,
        /// What can be chosen.
        choices: Vec<GgufChoice>,
    },
    /// It has no such file.
    #[error("{repository}: has no file {file}")]
    NoFile {
        /// The repository.
        repository: Repository,
        /// What was asked for.
        file: String,
        /// The nearest there is.
        near: Option<String>,
    },
    /// Parts of the weights are not there.
    #[error("{repository}: {what}")]
    Incomplete {
        /// The repository.
        repository: Repository,
        /// What is missing.
        what: String,
    },
    /// It is not in the cache, or not all of it.
    #[error("{reference}: is not whole in the cache: {missing}")]
    NotCached {
        /// What was asked for.
        reference: String,
        /// What is missing there.
        missing: String,
    },
    /// The hub names something that cannot be.
    #[error("{url}: the hub answers what cannot be: {why}")]
    Answer {
        /// Where.
        url: String,
        /// What.
        why: String,
    },
    /// The disk is too small.
    #[error("{}: {needed} more are needed and {left} are free", folder.display(), needed = needed.si(), left = left.si())]
    Room {
        /// The folder on that disk.
        folder: PathBuf,
        /// What is still to come.
        needed: Bytes,
        /// What is free.
        left: Bytes,
    },
    /// The way to the hub.
    #[error(transparent)]
    Fetch(FetchError),
    /// The cache's disk says no.
    #[error("{}: {reason}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The caller wanted an end; what came so far stays.
    #[error("interrupted: what came so far is kept, and the next pull goes on from there")]
    Interrupted,
}

/// A name that a person wrote.
impl From<NameError> for HubError {
    fn from(error: NameError) -> Self {
        let why = error.why.to_owned();
        Self::Reference(ReferenceError { text: error.name, why, instead: None })
    }
}

impl From<FetchError> for HubError {
    fn from(error: FetchError) -> Self {
        match error {
            FetchError::Interrupted { .. } => Self::Interrupted,
            FetchError::Room { folder, needed, left } => {
                Self::Room { folder, needed: Bytes::new(needed), left: Bytes::new(left) }
            }
            other => Self::Fetch(other),
        }
    }
}

impl HubError {
    /// An error of a file.
    pub(super) fn file(path: &std::path::Path, error: &std::io::Error) -> Self {
        Self::File { path: path.to_owned(), reason: error.to_string() }
    }

    /// A name in an answer of the hub that cannot be.
    pub(super) fn name(url: &str, error: &NameError) -> Self {
        Self::Answer { url: url.to_owned(), why: error.to_string() }
    }
}
