//! The project around the working folder: the keys and the vault of what is anonymized in it.

use std::path::{Path, PathBuf};

use nearside_privacy::anonymize::SecretKey;
use nearside_privacy::sealing_key::{self, KeyError};
use nearside_privacy::vault::Vault;
use nearside_store::sealed::Identity;

use super::anonymize::failed;
use crate::environment;
use crate::error::{CommandError, Fault};
use crate::wire::certificates::no_key;
use crate::wire::jobs::{self, RECORD};
use crate::wire::keys::{self, Purpose};
use crate::wire::project::{Loaded, PROJECT_FILE};

/// The project of everything that is in no project.
const NO_PROJECT: &str = "default";

/// A project, as far as keys go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Around {
    /// Its name.
    pub(super) project: String,
    /// Its folder and the folder of its record; nothing where only its name was stated, or there is no project.
    place: Option<Place>,
}

/// Where a project is.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    folder: PathBuf,
    /// Within it; that of rehearsals in one.
    record: PathBuf,
}

impl Around {
    /// The project that is stated, or that stands around the working folder.
    pub(super) fn find(stated: Option<&str>) -> Result<Self, CommandError> {
        let around = around();
        let (project, place) = match (stated, around) {
            (None, Some((project, place))) => (project, Some(place)),
            (Some(stated), Some((project, place))) if stated == project => (project, Some(place)),
            (Some(stated), _) => (stated.to_owned(), None),
            (None, None) => (NO_PROJECT.to_owned(), None),
        };
        let sound = |sign: char| sign.is_ascii_alphanumeric() || matches!(sign, '-' | '_' | '.');
        if project.is_empty() || project.starts_with('.') || !project.chars().all(sound) {
            let message = format!("\"{project}\" cannot name a key");
            let hint = "name it with --project: letters, digits, - and _";
            return Err(CommandError::new(Fault::Usage, message).hint(hint));
        }
        Ok(Self { project, place })
    }

    /// A project that was read.
    pub(super) fn of(loaded: &Loaded) -> Result<Self, CommandError> {
        let (folder, record) = (jobs::folder(loaded)?, jobs::record(loaded, false)?);
        Ok(Self { project: loaded.project.name.clone(), place: Some(Place { folder, record }) })
    }

    /// The key of its pseudonyms, if it was ever made.
    pub(super) fn secret_if_there(&self) -> Result<Option<SecretKey>, CommandError> {
        SecretKey::load(&self.file("key")?).map_err(failed)
    }

    /// The key of its pseudonyms, which is made where there is none; a dry run makes none that stays.
    pub(super) fn secret(&self, dry_run: bool) -> Result<SecretKey, CommandError> {
        let path = self.file("key")?;
        let secret = match dry_run {
            true => SecretKey::load(&path).map(|key| key.unwrap_or(SecretKey::of([0; 32]))),
            false => SecretKey::load_or_make(&path),
        };
        secret.map_err(failed)
    }

    /// The key that its vault is sealed with, which is made where there is none.
    pub(super) fn identity(&self) -> Result<Identity, CommandError> {
        sealing_key::open(&self.identity_file()?).map_err(|error: KeyError| no_key(&error))
    }

    /// The same, if it was ever made.
    pub(super) fn identity_if_there(&self) -> Result<Option<Identity>, CommandError> {
        sealing_key::read(&self.identity_file()?).map_err(|error: KeyError| no_key(&error))
    }

    /// Its vault, or another one.
    pub(super) fn vault(&self, stated: Option<&Path>) -> Result<Vault, CommandError> {
        let folder = match (stated, &self.place) {
            (Some(stated), _) => stated.to_path_buf(),
            (None, Some(place)) => place.record.join("vault"),
            (None, None) => self.file("vault")?,
        };
        Ok(Vault::at(folder))
    }

    fn identity_file(&self) -> Result<PathBuf, CommandError> {
        let of_project =
            |place: &Place| keys::of_folder(&place.folder, &self.project, Purpose::Sealing);
        match self.place.as_ref().and_then(of_project) {
            Some(file) => Ok(file),
            None => self.file("age"),
        }
    }

    /// A file of the person's own about it.
    fn file(&self, ending: &str) -> Result<PathBuf, CommandError> {
        let folder = environment::config_folder().ok_or_else(|| {
            CommandError::new(Fault::World, "there is no folder for the key of pseudonyms")
                .hint("set NEARSIDE_CONFIG_DIR or HOME")
        })?;
        Ok(folder.join("pseudonyms").join(format!("{}.{ending}", self.project)))
    }
}

/// The project around the working folder. A stage works in a folder of its own, and is told which project
/// it is of.
fn around() -> Option<(String, Place)> {
    let place = match environment::record().and_then(|record| Some((folder_of(&record)?, record))) {
        Some((folder, record)) => Place { folder, record },
        None => {
            let here = std::path::absolute(".").ok()?;
            let folder = here.ancestors().find(|folder| folder.join(PROJECT_FILE).is_file())?;
            Place { folder: folder.to_path_buf(), record: folder.join(RECORD) }
        }
    };
    let text = std::fs::read_to_string(place.folder.join(PROJECT_FILE)).ok()?;
    let table: toml::Table = text.parse().ok()?;
    Some((table.get("name")?.as_str()?.to_owned(), place))
}

/// The folder of the project whose record, or that of its rehearsals, is in a folder.
fn folder_of(record: &Path) -> Option<PathBuf> {
    let own =
        record.ancestors().find(|folder| folder.file_name().is_some_and(|name| name == RECORD));
    Some(own?.parent()?.to_path_buf())
}
