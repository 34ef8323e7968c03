//! Why stages cannot be executed at all; a stage that fails is no such reason.

use std::io;
use std::path::PathBuf;

use nearside_store::StoreError;
use thiserror::Error;

/// Why stages cannot be executed.
#[derive(Debug, Error)]
pub enum RunError {
    /// A file cannot be read, kept or put back.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A path that a stage writes lies outside the project.
    #[error("stage \"{stage}\" writes {path}, which is not inside the project's folder")]
    Outside {
        /// The stage.
        stage: String,
        /// The path.
        path: String,
    },
    /// A stage wants a container, and nothing here runs any.
    #[error(
        "stage \"{stage}\" runs in the image {image}, and there is neither podman nor docker here"
    )]
    NoEngine {
        /// The stage.
        stage: String,
        /// The image.
        image: String,
    },
    /// Its image is not on this machine, and is not pulled behind a person's back.
    #[error(
        "stage \"{stage}\" runs in the image {image}, which is not on this machine: \
         get it with {engine} pull {image}"
    )]
    NoImage {
        /// The stage.
        stage: String,
        /// The image.
        image: String,
        /// What runs containers here.
        engine: &'static str,
    },
    /// What runs containers does not work.
    #[error("stage \"{stage}\" runs in a container, and {engine} does not work here: {said}")]
    Engine {
        /// The stage.
        stage: String,
        /// What runs containers here.
        engine: &'static str,
        /// What it said.
        said: String,
    },
    /// A stage must not reach the network, and the system does not let us cut it off.
    #[error("stage \"{stage}\" must run without a network, and cannot: {why}")]
    NoSandbox {
        /// The stage.
        stage: String,
        /// What was refused.
        why: String,
    },
    /// An input is not there.
    #[error("stage \"{stage}\" reads {path}, which is not there")]
    NoInput {
        /// The stage.
        stage: String,
        /// The path.
        path: String,
    },
    /// Somebody else runs the same project.
    #[error("another run of this project is going on (process {process})")]
    Busy {
        /// Its number.
        process: String,
    },
    /// A folder or file of the record cannot be used.
    #[error("cannot {what} {}: {error}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On which path.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

impl RunError {
    /// Whether something is missing here that no other stage and no other input will bring.
    pub(crate) const fn is_of_this_machine(&self) -> bool {
        matches!(
            self,
            Self::NoSandbox { .. }
                | Self::NoEngine { .. }
                | Self::NoImage { .. }
                | Self::Engine { .. }
        )
    }

    /// The system's refusal of something done to a path.
    pub(crate) fn io(what: &'static str, path: &std::path::Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |error| Self::Io { what, path, error }
    }
}
