//! What is known of the quasi-identifiers of a table beside their values: hierarchies and weights.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use nearside_privacy::tabular::derive::derived;
use nearside_privacy::tabular::{Hierarchy, Tuples};

use super::super::super::table::failed;
use crate::cli::Hiding;
use crate::error::{CommandError, Fault};

/// The hierarchies of the quasi-identifiers: of files where there are some, else of the values.
pub(super) fn hierarchies(
    hiding: &Hiding,
    tuples: &Tuples,
) -> Result<Vec<Hierarchy>, CommandError> {
    let files = hiding.hierarchies.as_deref().map(listed).transpose()?.unwrap_or_default();
    let columns = tuples.names.iter().zip(&tuples.dictionaries);
    columns
        .map(|(name, values)| match files.iter().find(|file| is_of(file, name)) {
            None => derived(name, values).map_err(failed),
            Some(file) => {
                let text = fs::read(file).map_err(|error| {
                    let message = format!("cannot read {}: {error}", file.display());
                    CommandError::new(Fault::Input, message)
                })?;
                let separator = if text.contains(&b';') { b';' } else { b',' };
                Hierarchy::read(&text, separator, name, values).map_err(failed)
            }
        })
        .collect()
}

fn listed(folder: &Path) -> Result<Vec<PathBuf>, CommandError> {
    let unreadable = |error: io::Error| {
        let message = format!("cannot read {}: {error}", folder.display());
        CommandError::new(Fault::Input, message)
    };
    let entries = fs::read_dir(folder).and_then(|entries| {
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>()
    });
    let mut files = entries.map_err(unreadable)?;
    files.sort();
    Ok(files)
}

/// Whether a file is named after a column: `age.csv`, `adult_hierarchy_age.csv`.
fn is_of(file: &Path, column: &str) -> bool {
    let extension = file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv"));
    let stem = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let before = stem.strip_suffix(column);
    extension && before.is_some_and(|before| before.is_empty() || before.ends_with(['_', '-']))
}

pub(super) fn weights(hiding: &Hiding) -> Result<Vec<f64>, CommandError> {
    let stray = hiding.weight.iter().find(|(column, _)| !hiding.required.quasi.contains(column));
    if let Some((column, _)) = stray {
        let message = format!("--weight names {column:?}, which --quasi does not");
        return Err(CommandError::new(Fault::Usage, message));
    }
    let of = |name: &String| hiding.weight.iter().rev().find(|(column, _)| column == name);
    Ok(hiding
        .required
        .quasi
        .iter()
        .map(|name| of(name).map_or(1.0, |(_, weight)| *weight))
        .collect())
}
