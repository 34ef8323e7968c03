//! The cache: where files of models lie, for all programs that keep them there.
//!
//! ```text
//! hub/models--ORG--NAME/blobs/ETAG                    content, by its name
//!                       refs/REVISION                 the commit that a branch or tag was last
//!                       snapshots/COMMIT/FILE         -> ../../blobs/ETAG
//! hub/.locks/models--ORG--NAME/ETAG.lock              held by who writes the content
//! ```
//!
//! A content may itself be a link into a store that several repositories share (`hub/blobs`). What leads out of
//! the cache is not there. Source: `huggingface_hub`, `file_download.py`.

mod link;
mod locations;
mod scan;

use std::fs;
use std::path::{Path, PathBuf};

use nearside_fetch::FileDigest;
use nearside_units::Bytes;

use super::error::HubError;
use super::index;
use super::names::{Commit, RepoPath, Repository, Revision};
use super::reference::ModelReference;
use super::selection::{Candidate, select};
pub(super) use link::link;
pub use locations::Locations;
pub use scan::{CachedModel, CachedRevision, Format};

/// Tells programs that make backups that nothing here is worth one. Source: the Cache Directory Tagging
/// Specification, <https://bford.info/cachedir/>.
const TAG: &str = "Signature: 8a477f597d28d172789f06886806bc55\n\
    # Models that can be fetched again; see https://bford.info/cachedir/\n";
/// Bytes of a file that names a commit.
const MOST_REF: u64 = 256;

/// A folder of models.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cache {
    root: PathBuf,
}

/// Files of a model at a commit, as they are here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The repository.
    pub repository: Repository,
    /// The commit.
    pub commit: Commit,
    /// The folder with the files.
    pub folder: PathBuf,
    /// The files that make the model.
    pub files: Vec<SnapshotFile>,
}

/// A file of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotFile {
    /// Its path in the repository.
    pub path: RepoPath,
    /// Its size.
    pub bytes: Bytes,
}

impl Cache {
    /// The cache in a folder, which need not be there yet.
    #[must_use]
    pub fn at(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.root
    }

    /// Every model that is here, by name.
    ///
    /// # Errors
    ///
    /// When the folder is there and cannot be read.
    pub fn models(&self) -> Result<Vec<CachedModel>, HubError> {
        scan::models(self)
    }

    /// The files that a reference names, if they are all here.
    ///
    /// # Errors
    ///
    /// When they are not, or the reference names none of them.
    pub fn snapshot(&self, reference: &ModelReference) -> Result<Snapshot, HubError> {
        let absent =
            |missing: String| HubError::NotCached { reference: reference.to_string(), missing };
        let repository = &reference.repository;
        let commit = self.commit(repository, &reference.revision);
        let commit = commit.ok_or_else(|| absent(format!("no revision {}", reference.revision)))?;
        let folder = self.snapshot_folder(repository, &commit);
        let there: Vec<Candidate> = scan::files(&self.root, &folder)
            .into_iter()
            .map(|(path, bytes, _)| Candidate { path, bytes })
            .collect();
        if there.is_empty() {
            return Err(absent(format!("no file of {commit}")));
        }
        let chosen = select(repository, &there, &reference.choice)?;
        let files = there.into_iter().filter(|file| chosen.contains(&file.path));
        let files = files.map(|file| SnapshotFile { path: file.path, bytes: file.bytes });
        let snapshot =
            Snapshot { repository: repository.clone(), commit, folder, files: files.collect() };
        match snapshot.missing() {
            missing if missing.is_empty() => Ok(snapshot),
            missing => Err(absent(format!("no {}", missing.join(", ")))),
        }
    }

    /// The commit that a revision was when it was last asked for.
    #[must_use]
    pub fn commit(&self, repository: &Repository, revision: &Revision) -> Option<Commit> {
        if let Some(commit) = revision.commit() {
            return Some(commit);
        }
        let file = self.reference_file(repository, revision);
        read_commit(&file)
    }

    pub(super) fn repository_folder(&self, repository: &Repository) -> PathBuf {
        self.root.join(repository.folder())
    }

    pub(super) fn snapshot_folder(&self, repository: &Repository, commit: &Commit) -> PathBuf {
        self.repository_folder(repository).join("snapshots").join(commit.as_str())
    }

    /// Where content lies.
    pub(super) fn blob(&self, repository: &Repository, digest: &FileDigest) -> PathBuf {
        self.repository_folder(repository).join("blobs").join(digest.to_string())
    }

    /// What is locked by who writes content.
    pub(super) fn lock(&self, repository: &Repository, digest: &FileDigest) -> PathBuf {
        self.root.join(".locks").join(repository.folder()).join(format!("{digest}.lock"))
    }

    /// Makes the folders that a file needs.
    pub(super) fn prepare(
        &self,
        repository: &Repository,
        digest: &FileDigest,
    ) -> Result<(), HubError> {
        let (blob, lock) = (self.blob(repository, digest), self.lock(repository, digest));
        for folder in [blob.parent(), lock.parent()].into_iter().flatten() {
            fs::create_dir_all(folder).map_err(|error| HubError::file(folder, &error))?;
        }
        let tag = self.root.join("CACHEDIR.TAG");
        if !tag.exists() {
            // Models are as good without it.
            let _ = nearside_store::atomic::write(&tag, TAG.as_bytes());
        }
        Ok(())
    }

    /// Writes down which commit a branch or tag is.
    pub(super) fn remember(
        &self,
        repository: &Repository,
        revision: &Revision,
        commit: &Commit,
    ) -> Result<(), HubError> {
        if revision.as_str() == commit.as_str() {
            return Ok(());
        }
        let file = self.reference_file(repository, revision);
        if read_commit(&file).as_ref() == Some(commit) {
            return Ok(());
        }
        let folder = file.parent().unwrap_or(&self.root);
        fs::create_dir_all(folder).map_err(|error| HubError::file(folder, &error))?;
        nearside_store::atomic::write(&file, commit.as_str().as_bytes())
            .map_err(|error| HubError::File { path: file.clone(), reason: error.to_string() })
    }

    /// Whether a file of a snapshot is here, and is within the cache.
    pub(super) fn holds(&self, file: &Path, bytes: Bytes) -> bool {
        scan::size_within(&self.root, file).is_some_and(|(found, _)| found == bytes)
    }

    fn reference_file(&self, repository: &Repository, revision: &Revision) -> PathBuf {
        let refs = self.repository_folder(repository).join("refs");
        revision.as_str().split('/').fold(refs, |path, part| path.join(part))
    }
}

impl Snapshot {
    /// Where a file of it is.
    #[must_use]
    pub fn file(&self, path: &RepoPath) -> PathBuf {
        path.below(&self.folder)
    }

    /// Files that its indices name and that are not here.
    #[must_use]
    pub fn missing(&self) -> Vec<String> {
        let indices = self.files.iter().filter(|file| file.path.as_str().ends_with(".index.json"));
        let missing = indices.flat_map(|file| {
            let folder = file.path.as_str().rsplit_once('/').map_or("", |(folder, _)| folder);
            let missing = index::missing(&self.file(&file.path));
            let missing = missing.unwrap_or_else(|why| vec![format!("{} ({why})", file.path)]);
            missing.into_iter().map(move |name| match folder {
                "" => name,
                folder => format!("{folder}/{name}"),
            })
        });
        missing.collect()
    }
}

/// The commit that a file names.
fn read_commit(file: &Path) -> Option<Commit> {
    let small = fs::metadata(file).is_ok_and(|it| it.is_file() && it.len() <= MOST_REF);
    small.then(|| fs::read_to_string(file).ok())??.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMIT: &str = "0123456789012345678901234567890123456789";

    fn write(path: PathBuf, content: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// A cache with one model: its index names two parts, of which the first is there.
    fn cache(folder: &Path) -> Cache {
        let model = folder.join("models--org--name");
        let snapshot = model.join("snapshots").join(COMMIT);
        write(model.join("refs/main"), COMMIT);
        write(snapshot.join("config.json"), "{}");
        write(snapshot.join("model-00001-of-00002.safetensors"), "12345");
        let index = r#"{"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}"#;
        write(snapshot.join("model.safetensors.index.json"), index);
        Cache::at(folder)
    }

    #[test]
    fn a_model_is_here_when_all_its_parts_are() {
        let folder = tempfile::tempdir().unwrap();
        let cache = cache(folder.path());
        let reference: ModelReference = "org/name".parse().unwrap();
        let error = cache.snapshot(&reference).unwrap_err().to_string();
        assert!(error.contains("no model-00002-of-00002.safetensors"), "{error}");
        let snapshot = cache.snapshot_folder(&reference.repository, &COMMIT.parse().unwrap());
        write(snapshot.join("model-00002-of-00002.safetensors"), "67");
        let found = cache.snapshot(&reference).unwrap();
        assert_eq!(found.commit.as_str(), COMMIT);
        assert_eq!(found.files.len(), 4);
        let at_commit: ModelReference = format!("org/name@{COMMIT}").parse().unwrap();
        assert_eq!(cache.snapshot(&at_commit).unwrap(), found);
        let other: ModelReference = "org/name@v2".parse().unwrap();
        assert!(cache.snapshot(&other).unwrap_err().to_string().contains("no revision v2"));
    }

    #[cfg(unix)]
    #[test]
    fn what_leads_out_of_the_cache_is_not_here() {
        let (folder, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let cache = cache(folder.path());
        write(outside.path().join("secret"), "67");
        let reference: ModelReference = "org/name".parse().unwrap();
        let snapshot = cache.snapshot_folder(&reference.repository, &COMMIT.parse().unwrap());
        let link = snapshot.join("model-00002-of-00002.safetensors");
        std::os::unix::fs::symlink(outside.path().join("secret"), link).unwrap();
        let listed = cache.models().unwrap();
        assert_eq!(listed[0].revisions[0].files, 3);
        assert!(!cache.holds(&snapshot.join("model-00002-of-00002.safetensors"), Bytes::new(2)));
    }

    #[test]
    fn a_broken_reference_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let cache = cache(folder.path());
        let repository = "org/name".parse().unwrap();
        for content in ["", "../../..", "main", "x\n"] {
            write(folder.path().join("models--org--name/refs/main"), content);
            assert_eq!(cache.commit(&repository, &Revision::main()), None);
        }
        write(folder.path().join("models--org--name/refs/main"), &format!("{COMMIT}\n"));
        assert!(cache.commit(&repository, &Revision::main()).is_some());
    }
}
