//! What is kept, file by file, and taking some of it out for good.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;

use nearside_store::{Digest, Kind, atomic};
use nearside_units::Bytes;

use crate::lock::Lock;
use crate::record::Output;
use crate::{RunError, Runner};

/// A result that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holding {
    /// Its key.
    pub key: Digest,
    /// The stage that made it.
    pub stage: String,
    /// Its files.
    pub files: Vec<HeldFile>,
}

/// A file of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldFile {
    /// Where it belongs in the project.
    pub path: String,
    /// The digest of its content.
    pub digest: Digest,
    /// Its size.
    pub bytes: Bytes,
}

impl Runner {
    /// Every result that is kept, in the order of the keys.
    #[must_use]
    pub fn holdings(&self) -> Vec<Holding> {
        let mut held: Vec<_> = self
            .record
            .keyed_results()
            .into_iter()
            .map(|(key, outcome)| {
                let files = outcome.outputs.iter().flat_map(files).collect();
                Holding { key, stage: outcome.stage, files }
            })
            .collect();
        held.sort_by_key(|holding| holding.key);
        held
    }

    /// What a file of a result holds, opened where it is sealed; nothing where it is not kept.
    ///
    /// # Errors
    /// When it cannot be read or opened.
    pub fn read_held(&self, digest: &Digest) -> Result<Option<Box<dyn Read + Send>>, RunError> {
        match self.store.open(digest) {
            Err(error) if error.is_missing() => Ok(None),
            opened => Ok(Some(opened?)),
        }
    }

    /// Takes out results with the files that only they hold, what stages printed, and what killed runs left.
    ///
    /// # Errors
    /// When somebody runs the project, or something cannot be removed.
    pub fn forget(
        &self,
        results: &BTreeSet<Digest>,
        stages: &BTreeSet<String>,
    ) -> Result<(), RunError> {
        let folder = &self.record.folder;
        let _lock = Lock::take(folder)?;
        for key in results {
            atomic::remove(&self.record.result_file(key))?;
        }
        let synced = fs::File::open(folder.join("cache/results")).and_then(|it| it.sync_all());
        drop(synced);
        let held: BTreeSet<Digest> =
            self.holdings().iter().flat_map(|held| &held.files).map(|file| file.digest).collect();
        for object in self.store.list()? {
            if !held.contains(&object.digest) {
                self.store.remove(&object.digest)?;
            }
        }
        self.store.tidy()?;
        for stage in stages {
            atomic::remove(&self.record.log_file(stage))?;
            atomic::remove(&self.record.sealed_log_file(stage))?;
        }
        Ok(atomic::remove(&folder.join("work"))?)
    }
}

fn files(output: &Output) -> Vec<HeldFile> {
    let entries = output.content().map(|content| content.entries).unwrap_or_default();
    let file = |entry: &nearside_store::Entry| match &entry.kind {
        Kind::File { digest, .. } => {
            let path = match entry.path.as_str() {
                "" => output.path.clone(),
                below => format!("{}/{below}", output.path),
            };
            Some(HeldFile { path, digest: *digest, bytes: entry.bytes })
        }
        Kind::Link(_) | Kind::Folder => None,
    };
    entries.iter().filter_map(file).collect()
}
