//! The answer of `nearside doctor --emit` as data: what text and JSON both show.

use std::path::Path;

use schemars::JsonSchema;
use serde::Serialize;

use super::folder::{File, State};
use super::{Emission, torch};
use crate::wire::environment_lock::digest;

/// The answer of `nearside doctor --emit`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct EmitAnswer {
    /// The project's folder.
    pub(super) folder: String,
    /// Of what can change a result, and of nothing else.
    pub(super) digest: String,
    /// The version of Python, if one was found.
    pub(super) python: Option<String>,
    /// How many packages were found for it; none where no Python is known.
    pub(super) packages: Option<usize>,
    /// What its PyTorch was built for.
    pub(super) torch: Option<String>,
    /// The image that the Dockerfile builds on.
    pub(super) base_image: String,
    /// The text of nearside.lock: `--compare` reads it from here as well.
    pub(super) lock: String,
    /// The files, in the order in which they are written.
    pub(super) files: Vec<FileView>,
}

/// A file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(super) struct FileView {
    /// Its path in the folder.
    pub(super) path: String,
    /// What became of it.
    pub(super) result: FileResult,
    /// What is to be said of it.
    pub(super) remarks: Vec<String>,
    /// What it would hold.
    pub(super) text: String,
}

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum FileResult {
    /// It was written, or written over.
    Written,
    /// It is new, and was not written.
    New,
    /// It was there already.
    Same,
    /// Settings were added at its end.
    Added,
    /// Settings are missing at its end, and were not written.
    Lacks,
    /// It is a person's, and stays as it is.
    Kept,
    /// Another one is there, and was not written over.
    Differs,
    /// It says something else, which only a person can change.
    Contradicts,
}

/// Whether files were written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// They were.
    All,
    /// None was.
    None,
}

impl Written {
    /// By whether they were.
    pub(super) fn of(written: bool) -> Self {
        if written { Self::All } else { Self::None }
    }
}

impl FileResult {
    fn of(state: State, written: Written) -> Self {
        match (state, written) {
            (State::New | State::Differs, Written::All) => Self::Written,
            (State::New, Written::None) => Self::New,
            (State::Differs, Written::None) => Self::Differs,
            (State::Added, Written::All) => Self::Added,
            (State::Added, Written::None) => Self::Lacks,
            (State::Same, _) => Self::Same,
            (State::Kept, _) => Self::Kept,
            (State::Contradicts, _) => Self::Contradicts,
        }
    }
}

impl EmitAnswer {
    pub(super) fn of(folder: &Path, emission: &Emission, files: &[File], written: Written) -> Self {
        let python = emission.lock.python.as_ref().value();
        let view = |file: &File| FileView {
            path: file.path.to_owned(),
            result: FileResult::of(file.state, written),
            remarks: file.remarks.clone(),
            text: file.text.clone(),
        };
        Self {
            folder: folder.display().to_string(),
            digest: digest(&emission.lock).to_string(),
            python: python.and_then(|python| python.version.clone().value()),
            packages: python.map(|python| python.packages.len()),
            torch: torch(&emission.lock).map(ToString::to_string),
            base_image: emission.base.image.clone(),
            lock: emission.lock.to_string(),
            files: files.iter().map(view).collect(),
        }
    }
}
