//! Whose key makes the pseudonyms, and where it is.

use std::path::{Path, PathBuf};

use nearside_privacy::anonymize::SecretKey;

use super::failed;
use crate::cli::Anonymize;
use crate::environment;
use crate::error::{CommandError, Fault};
use crate::wire::project::PROJECT_FILE;

/// The project of everything that is in no project.
const NO_PROJECT: &str = "default";

/// A key with the name of its project.
pub(super) struct ProjectKey {
    pub(super) project: String,
    pub(super) secret: SecretKey,
}

/// The key of the project that is stated, or that stands around the working folder.
pub(super) fn find(arguments: &Anonymize) -> Result<ProjectKey, CommandError> {
    let project = match &arguments.project {
        Some(project) => project.clone(),
        None => around().unwrap_or_else(|| NO_PROJECT.to_owned()),
    };
    let sound = |sign: char| sign.is_ascii_alphanumeric() || matches!(sign, '-' | '_' | '.');
    if project.is_empty() || project.starts_with('.') || !project.chars().all(sound) {
        let message = format!("\"{project}\" cannot name a key");
        let hint = "name it with --project: letters, digits, - and _";
        return Err(CommandError::new(Fault::Usage, message).hint(hint));
    }
    let folder = environment::config_folder().ok_or_else(|| {
        CommandError::new(Fault::World, "there is no folder for the key of pseudonyms")
            .hint("set NEARSIDE_CONFIG_DIR or HOME")
    })?;
    let path = file(&folder, &project);
    // A dry run makes no key that stays.
    let secret = match arguments.dry_run {
        true => SecretKey::load(&path).map(|key| key.unwrap_or(SecretKey::of([0; 32]))),
        false => SecretKey::load_or_make(&path),
    };
    Ok(ProjectKey { project, secret: secret.map_err(failed)? })
}

fn file(folder: &Path, project: &str) -> PathBuf {
    folder.join("pseudonyms").join(format!("{project}.key"))
}

/// The name of the project around the working folder. A stage works in a folder of its project.
fn around() -> Option<String> {
    let here = std::path::absolute(".").ok()?;
    let file = here.ancestors().map(|folder| folder.join(PROJECT_FILE)).find(|file| file.is_file());
    let text = std::fs::read_to_string(file?).ok()?;
    let table: toml::Table = text.parse().ok()?;
    table.get("name")?.as_str().map(str::to_owned)
}
