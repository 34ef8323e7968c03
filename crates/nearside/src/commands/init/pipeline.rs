//! The pipeline of DVC that a folder holds: `dvc.yaml`, the files that it takes values from, and what
//! `.dvc` files keep track of.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use nearside_units::Bytes;
use nearside_workload::{DataFile, DvcPipeline, ProjectError, tracked_by_dvc};

use crate::error::{CommandError, Fault};
use crate::wire::sites::in_file;
use crate::wire::{read_text, size_on_disk};

/// What a pipeline of DVC is called.
const FILE: &str = "dvc.yaml";
/// Ends of names of files that values can be taken from.
const VALUES: [&str; 4] = [".yaml", ".yml", ".json", ".toml"];
/// Folders that nobody keeps pipelines in.
const PASSED_OVER: [&str; 4] = [".git", ".dvc", ".nearside", "node_modules"];
/// Folders below the project that are looked into for pipelines and `.dvc` files.
const DEPTH: usize = 4;

/// A pipeline and the data that it reads.
pub(super) struct Found {
    pub(super) pipeline: DvcPipeline,
    pub(super) data: Vec<DataFile>,
}

/// The pipeline of a folder, if it has one.
pub(super) fn of(folder: &Path) -> Result<Option<Found>, CommandError> {
    let file = folder.join(FILE);
    if !file.is_file() {
        return Ok(None);
    }
    let text = read_text(&file)?;
    let refused = |errors: Vec<ProjectError>| {
        in_file(file.display().to_string(), &text, errors)
            .hint("mend it, or move it away to begin without its stages")
    };
    let named = DvcPipeline::parameter_files(&text).map_err(|error| refused(vec![error]))?;
    let mut values = BTreeMap::new();
    for name in named {
        let path = folder.join(&name);
        if path.is_file() && VALUES.iter().any(|end| name.ends_with(end)) {
            values.insert(name, read_text(&path)?);
        }
    }
    let mut pipeline = DvcPipeline::parse(&text, &values).map_err(refused)?;
    let mut sizes: BTreeMap<String, Bytes> =
        pipeline.reads.iter().map(|path| (path.clone(), Bytes::ZERO)).collect();
    for path in below(folder, 0) {
        let Ok(relative) = path.strip_prefix(folder) else { continue };
        if relative.file_name().is_some_and(|name| name == FILE) && relative != Path::new(FILE) {
            let other = format!("the stages of {}: run `init` in its folder", relative.display());
            pipeline.lost.push(other);
        }
        if path.extension().is_some_and(|extension| extension == "dvc") {
            sizes.extend(tracked(folder, relative)?);
        }
    }
    sizes.retain(|path, _| !pipeline.is_written(path));
    let data = sizes.into_iter().map(|(path, size)| {
        // What is tracked may not have been fetched.
        let size = size_on_disk(&folder.join(&path)).unwrap_or(size);
        DataFile { path, size }
    });
    Ok(Some(Found { data: data.collect(), pipeline }))
}

/// What a `.dvc` file keeps track of, relative to the project, with the sizes that it tells.
fn tracked(folder: &Path, file: &Path) -> Result<Vec<(String, Bytes)>, CommandError> {
    let path = folder.join(file);
    let text = read_text(&path)?;
    let tracked = tracked_by_dvc(&text)
        .map_err(|error| in_file(path.display().to_string(), &text, vec![error]))?;
    let above = file.parent().unwrap_or(Path::new(""));
    let each = tracked.iter().map(|tracked| {
        let path = above.join(&tracked.path).to_str()?.to_owned();
        Some((path, tracked.size))
    });
    each.collect::<Option<_>>().ok_or_else(|| {
        CommandError::new(Fault::Input, format!("{} is no UTF-8 path", path.display()))
    })
}

/// Pipelines and `.dvc` files of a folder and those in it, in the order of their paths.
fn below(folder: &Path, depth: usize) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<_> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    let mut found = Vec::new();
    for path in paths {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("");
        let is_folder = path.is_dir() && !path.is_symlink();
        if is_folder && depth < DEPTH && !PASSED_OVER.contains(&name) {
            found.extend(below(&path, depth + 1));
        } else if path.is_file() && (name == FILE || name.ends_with(".dvc")) {
            found.push(path);
        }
    }
    found
}
