//! Making a model be there: what is missing of it is fetched, checked and named.
//!
//! The branch or tag is written down last, when everything is there: who reads the cache by its name never finds half
//! a model.

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::PathBuf;

use nearside_fetch::{Doing, Expected, FileDigest, Source, Target};
use nearside_units::Bytes;

use super::cache::{Cache, Snapshot, SnapshotFile, link};
use super::endpoint::Endpoint;
use super::error::HubError;
use super::listing::{self, RemoteFile};
use super::names::{Commit, RepoPath};
use super::reference::ModelReference;
use super::selection::{Candidate, select};

/// What is to be done for a model to be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pull {
    /// What was asked for.
    pub reference: ModelReference,
    /// The commit that the revision is.
    pub commit: Commit,
    /// The folder where its files are or will be.
    pub folder: PathBuf,
    /// The files that make the model, the smallest first.
    pub files: Vec<PlannedFile>,
}

/// A file of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedFile {
    /// Its path in the repository.
    pub path: RepoPath,
    /// Its size.
    pub bytes: Bytes,
    /// What is here of it.
    pub state: State,
    digest: Option<FileDigest>,
}

/// What is here of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// All of it.
    Present,
    /// So many bytes, from a download that did not end.
    Begun(Bytes),
    /// Nothing.
    Absent,
}

/// How far a pull is.
#[derive(Clone, Copy, Debug)]
pub struct PullProgress<'a> {
    /// The file that is being made.
    pub file: &'a str,
    /// What is done for it.
    pub doing: Doing,
    /// Bytes of all files that are here.
    pub done: Bytes,
    /// Bytes of all files.
    pub total: Bytes,
}

/// A model that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pulled {
    /// What was asked for.
    pub reference: ModelReference,
    /// The commit.
    pub commit: Commit,
    /// The folder with its files.
    pub folder: PathBuf,
    /// Its files.
    pub files: Vec<PulledFile>,
}

/// A file of a model that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PulledFile {
    /// Its path in the repository.
    pub path: RepoPath,
    /// Its size.
    pub bytes: Bytes,
    /// Bytes that came over the network for it.
    pub transferred: Bytes,
}

/// What is told how far a pull is, and says whether to go on.
type Watch<'a> = dyn FnMut(PullProgress<'_>) -> ControlFlow<()> + 'a;

impl Pull {
    /// Bytes of all files.
    #[must_use]
    pub fn bytes(&self) -> Bytes {
        Bytes::new(self.files.iter().map(|file| file.bytes.get()).sum())
    }

    /// Bytes that are still to come.
    #[must_use]
    pub fn to_come(&self) -> Bytes {
        // Two names of one content are fetched once.
        let missing: BTreeMap<_, _> =
            self.files.iter().map(|file| (file.digest, file.to_come())).collect();
        Bytes::new(missing.values().map(|bytes| bytes.get()).sum())
    }
}

impl PlannedFile {
    /// Bytes of it that are still to come.
    #[must_use]
    pub const fn to_come(&self) -> Bytes {
        match self.state {
            State::Present => Bytes::ZERO,
            State::Begun(there) => self.bytes.saturating_sub(there),
            State::Absent => self.bytes,
        }
    }
}

/// What a pull would do. Offline, the cache says it: everything is there, or it is an error.
///
/// # Errors
///
/// When the hub cannot be asked or says no, or the reference names no model of it.
pub fn plan(
    reference: &ModelReference,
    cache: &Cache,
    endpoint: &Endpoint,
) -> Result<Pull, HubError> {
    if endpoint.is_offline() {
        return Ok(of_cache(reference, cache.snapshot(reference)?));
    }
    let listing = listing::fetch(endpoint, &reference.repository, &reference.revision)?;
    let candidates: Vec<Candidate> = listing
        .files
        .iter()
        .map(|file| Candidate { path: file.path.clone(), bytes: file.bytes.unwrap_or(Bytes::ZERO) })
        .collect();
    let chosen = select(&reference.repository, &candidates, &reference.choice)?;
    let folder = cache.snapshot_folder(&reference.repository, &listing.commit);
    let mut pull =
        Pull { reference: reference.clone(), commit: listing.commit, folder, files: Vec::new() };
    for file in listing.files.iter().filter(|file| chosen.contains(&file.path)) {
        let file = planned(&pull, file, cache, endpoint)?;
        pull.files.push(file);
    }
    // What is refused is refused before the large ones come.
    pull.files.sort_by_key(|file| file.bytes);
    Ok(pull)
}

/// Makes a model be there.
///
/// # Errors
///
/// When the hub cannot be asked or says no, the reference names no model of it, the disk is too small or says no,
/// what came is not what was expected, or `progress` wants an end.
pub fn pull(
    reference: &ModelReference,
    cache: &Cache,
    endpoint: &Endpoint,
    progress: &mut dyn FnMut(PullProgress<'_>) -> ControlFlow<()>,
) -> Result<Pulled, HubError> {
    let pull = plan(reference, cache, endpoint)?;
    pull.carry_out(cache, endpoint, progress)
}

impl Pull {
    /// Does what is to be done.
    ///
    /// # Errors
    ///
    /// As [`pull`], but for what was found out by planning.
    pub fn carry_out(
        &self,
        cache: &Cache,
        endpoint: &Endpoint,
        progress: &mut dyn FnMut(PullProgress<'_>) -> ControlFlow<()>,
    ) -> Result<Pulled, HubError> {
        self.check_room(cache)?;
        let mut files = Vec::new();
        let mut done = Bytes::ZERO;
        for file in &self.files {
            let transferred = match endpoint.is_offline() {
                true => Bytes::ZERO,
                false => self.make(file, done, (cache, endpoint), progress)?,
            };
            done = done.checked_add(file.bytes).unwrap_or(done);
            files.push(PulledFile { path: file.path.clone(), bytes: file.bytes, transferred });
        }
        let missing = self.snapshot().missing();
        if !missing.is_empty() {
            return Err(HubError::Incomplete {
                repository: self.reference.repository.clone(),
                what: format!("its index names files that it has not: {}", missing.join(", ")),
            });
        }
        cache.remember(&self.reference.repository, &self.reference.revision, &self.commit)?;
        let (reference, commit, folder) =
            (self.reference.clone(), self.commit.clone(), self.folder.clone());
        Ok(Pulled { reference, commit, folder, files })
    }

    /// Makes a file be there; the bytes that came for it.
    fn make(
        &self,
        file: &PlannedFile,
        before: Bytes,
        (cache, endpoint): (&Cache, &Endpoint),
        progress: &mut Watch<'_>,
    ) -> Result<Bytes, HubError> {
        let repository = &self.reference.repository;
        let Some(digest) =
            file.digest.filter(|_| !cache.holds(&file.path.below(&self.folder), file.bytes))
        else {
            return Ok(Bytes::ZERO);
        };
        cache.prepare(repository, &digest)?;
        let (blob, lock) = (cache.blob(repository, &digest), cache.lock(repository, &digest));
        let url = endpoint.file(repository, &self.commit, &file.path);
        let total = self.bytes();
        let downloaded = nearside_fetch::download(
            &Source { url: &url, token: endpoint.token() },
            &Target { file: &blob, lock: &lock },
            &Expected { length: file.bytes.get(), digest },
            &mut |now| {
                let done = Bytes::new(before.get() + now.done);
                progress(PullProgress { file: file.path.as_str(), doing: now.doing, done, total })
            },
        );
        let downloaded = downloaded.map_err(|error| {
            listing::refusal(error, endpoint, repository, &self.reference.revision)
        })?;
        link(&blob, &self.folder, &file.path)?;
        Ok(Bytes::new(downloaded.transferred))
    }

    /// An error where the disk has no room for all that is to come.
    fn check_room(&self, cache: &Cache) -> Result<(), HubError> {
        let needed = self.to_come();
        let there = cache.folder().ancestors().find(|folder| folder.is_dir());
        let left = there.and_then(nearside_fetch::room_left).map(Bytes::new);
        match left {
            Some(left) if left < needed => {
                Err(HubError::Room { folder: cache.folder().to_owned(), needed, left })
            }
            _ => Ok(()),
        }
    }

    fn snapshot(&self) -> Snapshot {
        let file = |file: &PlannedFile| SnapshotFile { path: file.path.clone(), bytes: file.bytes };
        Snapshot {
            repository: self.reference.repository.clone(),
            commit: self.commit.clone(),
            folder: self.folder.clone(),
            files: self.files.iter().map(file).collect(),
        }
    }
}

/// What the cache has, as a pull with nothing left to do.
fn of_cache(reference: &ModelReference, snapshot: Snapshot) -> Pull {
    let file = |file: SnapshotFile| PlannedFile {
        path: file.path,
        bytes: file.bytes,
        state: State::Present,
        digest: None,
    };
    let mut files: Vec<_> = snapshot.files.into_iter().map(file).collect();
    files.sort_by_key(|file| file.bytes);
    let (commit, folder) = (snapshot.commit, snapshot.folder);
    Pull { reference: reference.clone(), commit, folder, files }
}

/// What is here of a file. Where the list does not name its content, the hub is asked for it.
fn planned(
    pull: &Pull,
    file: &RemoteFile,
    cache: &Cache,
    endpoint: &Endpoint,
) -> Result<PlannedFile, HubError> {
    let repository = &pull.reference.repository;
    let (bytes, digest) = match (file.bytes, file.digest) {
        (Some(bytes), Some(digest)) => (bytes, digest),
        _ => asked(pull, file, endpoint)?,
    };
    let blob = cache.blob(repository, &digest);
    let begun = fs::metadata(nearside_fetch::partial(&blob)).map_or(0, |it| it.len());
    let state = if cache.holds(&file.path.below(&pull.folder), bytes) || cache.holds(&blob, bytes) {
        State::Present
    } else if begun > 0 && begun <= bytes.get() {
        State::Begun(Bytes::new(begun))
    } else {
        State::Absent
    };
    Ok(PlannedFile { path: file.path.clone(), bytes, state, digest: Some(digest) })
}

/// Size and name of a file's content, by its headers.
fn asked(
    pull: &Pull,
    file: &RemoteFile,
    endpoint: &Endpoint,
) -> Result<(Bytes, FileDigest), HubError> {
    let repository = &pull.reference.repository;
    let url = endpoint.file(repository, &pull.commit, &file.path);
    let head = nearside_fetch::head(&url, endpoint.token())
        .map_err(|error| listing::refusal(error, endpoint, repository, &pull.reference.revision))?;
    let bytes = file.bytes.or(head.linked_size.or(head.length).map(Bytes::new));
    let etag = head.linked_etag.or(head.etag).and_then(|etag| etag.parse::<FileDigest>().ok());
    match (bytes, file.digest.or(etag)) {
        (Some(bytes), Some(digest)) => Ok((bytes, digest)),
        _ => Err(HubError::Answer {
            url,
            why: "neither its size nor a digest of it, so that it could not be checked".to_owned(),
        }),
    }
}
