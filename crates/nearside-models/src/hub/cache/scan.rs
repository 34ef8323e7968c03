//! What a cache holds.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use nearside_units::Bytes;

use super::{Cache, read_commit};
use crate::hub::error::HubError;
use crate::hub::names::{Commit, RepoPath, Repository};
use crate::hub::selection::is_pickle;

/// Folders within folders that are looked into.
const DEEPEST: usize = 8;
/// Files of a snapshot that are looked at.
const MOST_FILES: usize = 100_000;

/// A model in a cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CachedModel {
    /// The repository.
    pub repository: Repository,
    /// What is here of it, the newest first.
    pub revisions: Vec<CachedRevision>,
    /// Bytes of downloads that did not end; the next pull goes on with them.
    pub unfinished: Bytes,
}

/// A commit of a model in a cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CachedRevision {
    /// The commit.
    pub commit: Commit,
    /// Branches and tags that were this commit when they were last asked for.
    pub names: Vec<String>,
    /// The folder with its files.
    pub folder: PathBuf,
    /// How many files it has.
    pub files: usize,
    /// Their size; another revision may share some of them.
    pub bytes: Bytes,
    /// What its weights are.
    pub formats: Vec<Format>,
    /// When the newest of its files was made.
    pub modified: Option<SystemTime>,
}

/// What weights are written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// Tensors and nothing else.
    Safetensors,
    /// Tensors, often in few bits, with all that belongs to the model.
    Gguf,
    /// Programs that make tensors.
    Pickle,
}

impl Format {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Safetensors => "safetensors",
            Self::Gguf => "gguf",
            Self::Pickle => "pickle",
        }
    }

    fn of(path: &RepoPath) -> Option<Self> {
        let name = path.as_str().to_ascii_lowercase();
        match name {
            name if name.ends_with(".safetensors") => Some(Self::Safetensors),
            name if name.ends_with(".gguf") => Some(Self::Gguf),
            name if is_pickle(&name) => Some(Self::Pickle),
            _ => None,
        }
    }
}

/// Every model of a cache, by name.
pub(super) fn models(cache: &Cache) -> Result<Vec<CachedModel>, HubError> {
    let entries = match fs::read_dir(&cache.root) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(HubError::file(&cache.root, &error)),
    };
    let mut models = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| HubError::file(&cache.root, &error))?;
        let repository = entry.file_name().to_str().and_then(Repository::of_folder);
        models.extend(repository.map(|repository| model(cache, repository)));
    }
    models.retain(|model| !model.revisions.is_empty() || model.unfinished > Bytes::ZERO);
    models.sort_by(|one, other| one.repository.cmp(&other.repository));
    Ok(models)
}

/// The files of a snapshot that are within the cache, by path: size and time.
pub(super) fn files(root: &Path, snapshot: &Path) -> Vec<(RepoPath, Bytes, Option<SystemTime>)> {
    let mut found = Vec::new();
    let mut folders = vec![(snapshot.to_owned(), String::new(), 0)];
    while let Some((folder, prefix, depth)) = folders.pop() {
        for name in names(&folder) {
            let (path, relative) = (folder.join(&name), format!("{prefix}{name}"));
            let is_folder = fs::symlink_metadata(&path).is_ok_and(|it| it.is_dir());
            if is_folder && depth < DEEPEST {
                folders.push((path, format!("{relative}/"), depth + 1));
            } else if let (Some((bytes, modified)), Ok(relative)) =
                (size_within(root, &path), relative.parse())
            {
                found.push((relative, bytes, modified));
            }
            if found.len() >= MOST_FILES {
                break;
            }
        }
    }
    found.sort();
    found
}

/// The size of a file and when it was made, if it is one and what it leads to is within the cache.
pub(super) fn size_within(root: &Path, file: &Path) -> Option<(Bytes, Option<SystemTime>)> {
    let real = fs::canonicalize(file).ok()?;
    let within = real.starts_with(fs::canonicalize(root).ok()?);
    let found = fs::metadata(&real).ok().filter(|it| within && it.is_file())?;
    Some((Bytes::new(found.len()), found.modified().ok()))
}

fn model(cache: &Cache, repository: Repository) -> CachedModel {
    let folder = cache.repository_folder(&repository);
    let snapshots = folder.join("snapshots");
    let named = references(&folder.join("refs"));
    let commits = names(&snapshots).into_iter().filter_map(|name| name.parse::<Commit>().ok());
    let mut revisions: Vec<_> =
        commits.map(|commit| revision(cache, &snapshots, commit, &named)).collect();
    revisions.retain(|revision| revision.files > 0);
    revisions.sort_by(|one, other| {
        other.modified.cmp(&one.modified).then_with(|| one.commit.cmp(&other.commit))
    });
    let blobs = folder.join("blobs");
    let unfinished = names(&blobs).into_iter().filter(|name| name.ends_with(".incomplete"));
    let unfinished = unfinished.filter_map(|name| fs::metadata(blobs.join(name)).ok());
    CachedModel {
        repository,
        revisions,
        unfinished: Bytes::new(unfinished.map(|it| it.len()).sum()),
    }
}

fn revision(
    cache: &Cache,
    snapshots: &Path,
    commit: Commit,
    named: &BTreeMap<String, Commit>,
) -> CachedRevision {
    let folder = snapshots.join(commit.as_str());
    let files = files(&cache.root, &folder);
    let mut formats: Vec<_> = files.iter().filter_map(|(path, _, _)| Format::of(path)).collect();
    formats.sort_unstable();
    formats.dedup();
    let names = named.iter().filter(|(_, own)| **own == commit).map(|(name, _)| name.clone());
    CachedRevision {
        names: names.collect(),
        commit,
        folder,
        files: files.len(),
        bytes: Bytes::new(files.iter().map(|(_, bytes, _)| bytes.get()).sum()),
        formats,
        modified: files.iter().filter_map(|(_, _, modified)| *modified).max(),
    }
}

/// Branches and tags, and the commits that they were.
fn references(refs: &Path) -> BTreeMap<String, Commit> {
    let mut found = BTreeMap::new();
    let mut folders = vec![(refs.to_owned(), String::new(), 0)];
    while let Some((folder, prefix, depth)) = folders.pop() {
        for name in names(&folder) {
            let (path, name) = (folder.join(&name), format!("{prefix}{name}"));
            match path.is_dir() && depth < DEEPEST {
                true => folders.push((path, format!("{name}/"), depth + 1)),
                false => found.extend(read_commit(&path).map(|commit| (name, commit))),
            }
        }
    }
    found
}

/// Names in a folder, sorted; none where it cannot be read.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut names: Vec<String> =
        entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMIT: &str = "0123456789012345678901234567890123456789";

    #[test]
    fn every_model_is_listed_with_what_it_takes() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, content: &str| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        };
        write(&format!("models--org--one/snapshots/{COMMIT}/model.safetensors"), "12345");
        write(&format!("models--org--one/snapshots/{COMMIT}/a/b.json"), "{}");
        write("models--org--one/refs/main", COMMIT);
        write("models--org--one/refs/refs/pr/1", COMMIT);
        write("models--org--one/blobs/x.incomplete", "123");
        write(&format!("models--gpt2/snapshots/{COMMIT}/pytorch_model.bin"), "1");
        write("models--org--none/snapshots/main/x.gguf", "1");
        write("datasets--org--data/snapshots/x", "1");
        write("version.txt", "1");
        let models = Cache::at(folder.path()).models().unwrap();
        let told: Vec<_> = models.iter().map(|it| it.repository.to_string()).collect();
        assert_eq!(told, ["gpt2", "org/one"]);
        assert_eq!(models[0].revisions[0].formats, [Format::Pickle]);
        let one = &models[1];
        assert_eq!(one.unfinished, Bytes::new(3));
        let revision = &one.revisions[0];
        assert_eq!((revision.files, revision.bytes), (2, Bytes::new(7)));
        assert_eq!(revision.names, ["main", "refs/pr/1"]);
        assert_eq!(revision.formats, [Format::Safetensors]);
        assert!(Cache::at(&folder.path().join("none")).models().unwrap().is_empty());
    }
}
