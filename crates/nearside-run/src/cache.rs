//! What is kept for later, what of it is still needed, and removing the rest.
//!
//! A result is removed before the files that only it holds: whatever ends the removal, a result that is
//! listed is whole, and files that belong to none go the next time.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use nearside_store::{Digest, Kind, atomic};
use nearside_units::Bytes;

use crate::lock::Lock;
use crate::record::Output;
use crate::{RunError, Runner};

/// What is to be kept besides what is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// Results, logs and working folders that are younger.
    pub younger: Duration,
    /// The newest results, until all files take so much.
    pub size: Option<Bytes>,
}

/// What is kept for later.
#[derive(Clone, Debug, PartialEq)]
pub struct Cache {
    /// Results: those that are needed first, then the newest first.
    pub results: Vec<KeptResult>,
    /// The size of all files of results.
    pub stored: Bytes,
    /// What of it would be there no more.
    pub freed: Bytes,
    /// What stages printed.
    pub logs: Vec<Leftover>,
    /// Working folders that killed runs and shells left.
    pub work: Vec<Leftover>,
}

/// A result that is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptResult {
    /// Its key.
    pub key: Digest,
    /// The stage that made it.
    pub stage: String,
    /// When it was made.
    pub made: SystemTime,
    /// The size of its files, some of which others may hold as well.
    pub bytes: Bytes,
    /// What is to become of it.
    pub fate: Fate,
    files: BTreeSet<String>,
}

/// What is to become of something that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// A stage needs it as things are.
    Needed,
    /// It is kept.
    Kept,
    /// It is removed.
    Removed,
}

/// A file or folder that nothing depends on.
#[derive(Clone, Debug, PartialEq)]
pub struct Leftover {
    /// Where it is.
    pub path: PathBuf,
    /// Its size.
    pub bytes: Bytes,
    /// What is to become of it.
    pub fate: Fate,
}

impl Runner {
    /// What is kept, and what would become of it.
    ///
    /// # Errors
    /// When the cache cannot be read.
    pub fn cache(&self, keep: &Keep, now: SystemTime) -> Result<Cache, RunError> {
        let sizes: BTreeMap<String, Bytes> =
            self.store.list()?.iter().map(|file| (file.digest.to_string(), file.bytes)).collect();
        let mut results = self.results(&sizes)?;
        let needed = self.needed();
        results.sort_by(|one, other| {
            let rank = |result: &KeptResult| !needed.contains(&result.key.to_string());
            rank(one)
                .cmp(&rank(other))
                .then(other.made.cmp(&one.made))
                .then(one.key.to_string().cmp(&other.key.to_string()))
        });
        let mut held: BTreeSet<String> = BTreeSet::new();
        let mut is_full = false;
        for result in &mut results {
            let with: BTreeSet<String> = held.union(&result.files).cloned().collect();
            is_full |= keep.size.is_some_and(|size| total(&with, &sizes) > size);
            result.fate = match needed.contains(&result.key.to_string()) {
                true => Fate::Needed,
                false if is_full || is_old(result.made, keep, now) => Fate::Removed,
                false => Fate::Kept,
            };
            if result.fate != Fate::Removed {
                held = with;
            }
        }
        let stored: Bytes = sizes.values().copied().sum();
        let freed = Bytes::new(stored.get().saturating_sub(total(&held, &sizes).get()));
        let folder = &self.record.folder;
        let logs = leftovers(&folder.join("logs"), |_| true, keep, now);
        let mut work = leftovers(&folder.join("work"), |_| true, keep, now);
        work.extend(leftovers(folder, |name| name.starts_with("shell-"), keep, now));
        Ok(Cache { results, stored, freed, logs, work })
    }

    /// Removes what is not to be kept, and says what became of everything.
    ///
    /// # Errors
    /// When somebody runs the project, or something cannot be removed.
    pub fn prune(&self, keep: &Keep, now: SystemTime) -> Result<Cache, RunError> {
        let _lock = Lock::take(&self.record.folder)?;
        self.store.tidy()?;
        let cache = self.cache(keep, now)?;
        let (removed, stay): (Vec<_>, Vec<_>) =
            cache.results.iter().partition(|result| result.fate == Fate::Removed);
        for result in removed {
            atomic::remove(&self.record.result_file(&result.key))?;
        }
        self.flush_results();
        let held: BTreeSet<&String> = stay.iter().flat_map(|result| &result.files).collect();
        for object in self.store.list()? {
            if !held.contains(&object.digest.to_string()) {
                self.store.remove(&object.digest)?;
            }
        }
        for leftover in cache.logs.iter().chain(&cache.work) {
            if leftover.fate == Fate::Removed {
                atomic::remove(&leftover.path)?;
            }
        }
        Ok(cache)
    }

    /// Removed results are off the disk before the files that they hold; where the system cannot do
    /// that, a loss of power may leave results that are found to be lost when they are wanted.
    fn flush_results(&self) {
        let folder = fs::File::open(self.record.folder.join("cache/results"));
        let _ = folder.and_then(|folder| folder.sync_all());
    }

    /// The keys of the results that stages have now, and that they last had: of a stage whose input is
    /// not there the present key is not known.
    fn needed(&self) -> BTreeSet<String> {
        let jobs = &self.jobs.jobs;
        let present = jobs.iter().filter_map(|job| Some(self.key(job).ok()?.digest.to_string()));
        let last = jobs.iter().filter_map(|job| Some(self.record.last(&job.name)?.key));
        present.chain(last).collect()
    }

    /// Every result that can be read; one that cannot is as if it were not there.
    fn results(&self, sizes: &BTreeMap<String, Bytes>) -> Result<Vec<KeptResult>, RunError> {
        let folder = self.record.folder.join("cache/results");
        let mut results = Vec::new();
        for (path, made) in entries(&folder) {
            let stem = path.file_stem().and_then(|stem| stem.to_str());
            let key = stem.and_then(|stem| stem.parse::<Digest>().ok());
            let Some((key, outcome)) = key.and_then(|key| Some((key, self.record.result(&key)?)))
            else {
                continue;
            };
            let files: BTreeSet<String> = outcome.outputs.iter().flat_map(files).collect();
            let bytes = total(&files, sizes);
            let (stage, fate) = (outcome.stage, Fate::Kept);
            results.push(KeptResult { key, stage, made, bytes, fate, files });
        }
        Ok(results)
    }
}

/// The digests of the files of an output.
fn files(output: &Output) -> Vec<String> {
    let entries = output.content().map(|content| content.entries).unwrap_or_default();
    let digest = |kind: &Kind| match kind {
        Kind::File { digest, .. } => Some(digest.to_string()),
        Kind::Link(_) | Kind::Folder => None,
    };
    entries.iter().filter_map(|entry| digest(&entry.kind)).collect()
}

fn total(files: &BTreeSet<String>, sizes: &BTreeMap<String, Bytes>) -> Bytes {
    files.iter().filter_map(|file| sizes.get(file)).copied().sum()
}

fn is_old(made: SystemTime, keep: &Keep, now: SystemTime) -> bool {
    now.duration_since(made).is_ok_and(|age| age >= keep.younger)
}

/// What is in a folder, with the time of its last change, by name.
fn entries(folder: &Path) -> Vec<(PathBuf, SystemTime)> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<_> = entries
        .filter_map(|entry| Some((entry.path(), entry.metadata().ok()?.modified().ok()?)))
        .collect();
    found.sort();
    found
}

fn leftovers(
    folder: &Path,
    is_one: impl Fn(&str) -> bool,
    keep: &Keep,
    now: SystemTime,
) -> Vec<Leftover> {
    let named = |path: &Path| path.file_name().and_then(|name| name.to_str()).is_some_and(&is_one);
    let found = entries(folder).into_iter().filter(|(path, _)| named(path));
    let leftover = |(path, changed): (PathBuf, SystemTime)| {
        let fate = if is_old(changed, keep, now) { Fate::Removed } else { Fate::Kept };
        Leftover { bytes: size(&path), path, fate }
    };
    found.map(leftover).collect()
}

/// The size of a file, or of what is in a folder; links count for nothing.
fn size(path: &Path) -> Bytes {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => entries(path).iter().map(|(path, _)| size(path)).sum(),
        Ok(found) if found.is_file() => Bytes::new(found.len()),
        _ => Bytes::ZERO,
    }
}
