//! Where the crates meet: files become values, catalog rows and machines become sites, estimates
//! become a planning problem.

pub(crate) mod audit;
pub(crate) mod bill;
pub(crate) mod billed;
pub(crate) mod busy;
pub(crate) mod calibration;
pub(crate) mod ceilings;
pub(crate) mod certificates;
mod emissions;
pub(crate) mod energy_so_far;
pub(crate) mod engine;
pub(crate) mod environment_lock;
pub(crate) mod erasure;
pub(crate) mod events;
pub(crate) mod expected;
pub(crate) mod far;
pub(crate) mod hourly;
pub(crate) mod hub;
pub(crate) mod hub_fault;
pub(crate) mod jobs;
pub(crate) mod journal;
pub(crate) mod keys;
pub(crate) mod local_model;
pub(crate) mod machine;
pub(crate) mod measured;
pub(crate) mod meters;
pub(crate) mod model_run;
pub(crate) mod models;
pub(crate) mod observed;
pub(crate) mod offsets;
pub(crate) mod placement;
pub(crate) mod project;
mod promises;
pub(crate) mod rehearsal;
pub(crate) mod requirements;
pub(crate) mod roi;
mod routes;
pub(crate) mod shared_work;
pub(crate) mod sites;
mod spend;
pub(crate) mod stages;
pub(crate) mod upgrades;
pub(crate) mod wall_power;

use std::path::{Path, PathBuf};

use nearside_catalog::{Catalog, Overlay, SkyPilotFile};

use crate::environment;
use crate::error::{CommandError, Fault};
use crate::output::Output;

/// Largest text file that is read whole: project files, overlays, configurations.
const MAX_TEXT_BYTES: u64 = 64 << 20;

/// Reads a text file.
pub(crate) fn read_text(path: &Path) -> Result<String, CommandError> {
    let failed = |error: &std::io::Error| {
        let fault = match error.kind() {
            std::io::ErrorKind::NotFound | std::io::ErrorKind::InvalidData => Fault::Input,
            _ => Fault::World,
        };
        CommandError::new(fault, format!("cannot read {}: {error}", path.display()))
    };
    let length = std::fs::metadata(path).map_err(|error| failed(&error))?.len();
    if length > MAX_TEXT_BYTES {
        let message = format!("{} is {length} bytes long: no text file is", path.display());
        return Err(CommandError::new(Fault::Input, message));
    }
    std::fs::read_to_string(path).map_err(|error| failed(&error))
}

/// Entries of a folder that are counted, at most.
const MOST_ENTRIES: usize = 1_000_000;

/// The bytes of a file, or of all files of a folder; `None` when there is nothing, or too much to
/// count.
pub(crate) fn size_on_disk(path: &Path) -> Option<nearside_units::Bytes> {
    let mut bytes = 0u64;
    let mut waiting = vec![path.to_path_buf()];
    let mut entries = 0;
    while let Some(path) = waiting.pop() {
        let metadata = std::fs::symlink_metadata(&path).ok()?;
        entries += 1;
        if entries > MOST_ENTRIES {
            return None;
        }
        match metadata.is_dir() {
            true => {
                let inside = std::fs::read_dir(&path).ok()?;
                waiting.extend(inside.flatten().map(|entry| entry.path()));
            }
            false => bytes = bytes.checked_add(metadata.len())?,
        }
    }
    Some(nearside_units::Bytes::new(bytes))
}

/// The built-in catalog under the person's overlays; rows that had to be left out are told.
pub(crate) fn catalog(output: &Output) -> Result<Catalog, CommandError> {
    let mut catalog =
        Catalog::builtin().map_err(|error| CommandError::new(Fault::Bug, error.to_string()))?;
    let Some(folder) = environment::config_folder().map(|folder| folder.join("catalog")) else {
        return Ok(catalog);
    };
    for path in files_in(&folder)? {
        let text = read_text(&path)?;
        let name = path.display().to_string();
        catalog = match skypilot_provider(&folder, &path) {
            Some(provider) => {
                let as_of = modified(&path);
                let file = SkyPilotFile { provider: &provider, file: &name, text: &text, as_of };
                let import = catalog.read_skypilot(&file)?;
                if let Some(first) = import.skipped.first() {
                    let count = import.skipped.len();
                    output.warning(&format!("{count} rows of {name} are left out: {first}"));
                }
                catalog.with_offers(import.offers)
            }
            None => catalog.with_overlay(&Overlay::new(&name, &text, modified(&path)))?,
        };
    }
    Ok(catalog)
}

/// SkyPilot's own layout below the overlay folder: `skypilot/<provider>/vms.csv`.
fn skypilot_provider(folder: &Path, path: &Path) -> Option<String> {
    let inner = path.strip_prefix(folder.join("skypilot")).ok()?;
    inner.parent()?.to_str().map(str::to_owned)
}

/// The day a file was last changed, which dates rows that state no date.
pub(crate) fn modified(path: &Path) -> nearside_units::Date {
    let changed = std::fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    let since = changed.and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    let days = since.and_then(|since| u32::try_from(since.as_secs() / 86_400).ok());
    days.map_or_else(environment::today, nearside_units::Date::from_unix_days)
}

/// CSV files of a folder and of the folders in it (at most three deep), by name.
fn files_in(folder: &Path) -> Result<Vec<PathBuf>, CommandError> {
    let mut found = Vec::new();
    let mut folders = vec![(folder.to_path_buf(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => {
                let message = format!("cannot read {}: {error}", folder.display());
                return Err(CommandError::new(Fault::World, message));
            }
        };
        for path in entries.flatten().map(|entry| entry.path()) {
            if path.is_dir() && depth < 2 {
                folders.push((path, depth + 1));
            } else if path.extension().is_some_and(|extension| extension == "csv") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}
