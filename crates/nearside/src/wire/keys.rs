//! Where the keys of a project are: in the person's own folder, a file for each purpose.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use nearside_privacy::sealing_key;
use nearside_store::Keys;

use super::jobs::folder;
use super::project::Loaded;
use crate::environment;
use crate::error::CommandError;

/// What a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Signing certificates.
    Signing,
    /// Sealing what is kept of people's data.
    Sealing,
}

/// The key of a project for a purpose; nothing where there is no folder of the person's.
pub(crate) fn file(loaded: &Loaded, purpose: Purpose) -> Result<Option<PathBuf>, CommandError> {
    let folder = folder(loaded)?;
    Ok(of_folder(&folder, &loaded.project.name, purpose))
}

/// The key of the project in a folder.
pub(crate) fn of_folder(folder: &Path, project: &str, purpose: Purpose) -> Option<PathBuf> {
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf());
    // Projects of the same name are told apart by where they are.
    let place = nearside_store::Digest::of(folder.as_os_str().as_encoded_bytes()).short();
    let letter = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '-' };
    let name: String = project.chars().take(40).map(letter).collect();
    let ending = match purpose {
        Purpose::Signing => "key",
        Purpose::Sealing => "age",
    };
    let file = |folder: PathBuf| folder.join("keys").join(format!("{name}-{place}.{ending}"));
    environment::config_folder().map(file)
}

/// The key that what is kept of people's data is sealed with; it is made when it is first needed.
pub(crate) fn sealing(file: Option<PathBuf>) -> Keys {
    Arc::new(move || match &file {
        None => Err("there is no folder of yours to keep a key in (HOME)".to_owned()),
        Some(file) => sealing_key::open(file).map_err(|error| error.to_string()),
    })
}
