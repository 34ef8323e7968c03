//! What stages print: a file for each, sealed once it has ended where it may be about people.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read;
use std::path::PathBuf;

use nearside_store::sealed::{Identity, Recipient, rewrap_file};
use nearside_store::{AtRest, StoreError, atomic};

use crate::lock::Lock;
use crate::record::Output;
use crate::{Job, RunError, Runner};

impl Runner {
    /// The file of what a stage printed last, if there is one.
    #[must_use]
    pub fn log_file(&self, job: &Job) -> Option<PathBuf> {
        let files = [self.record.log_file(&job.name), self.record.sealed_log_file(&job.name)];
        files.into_iter().find(|file| file.is_file())
    }

    /// What a stage printed last, opened where it is sealed; nothing where nothing is kept.
    ///
    /// # Errors
    /// When it cannot be read or opened.
    pub fn log(&self, job: &Job) -> Result<Option<Box<dyn Read + Send>>, RunError> {
        let (open, sealed) =
            (self.record.log_file(&job.name), self.record.sealed_log_file(&job.name));
        match (open.is_file(), sealed.is_file()) {
            (true, _) => {
                Ok(Some(Box::new(File::open(&open).map_err(RunError::io("read", &open))?)))
            }
            (false, true) => Ok(Some(self.store.unseal(&sealed)?)),
            (false, false) => Ok(None),
        }
    }

    /// An empty file that only its owner reads, in the place of what the stage printed before.
    pub(crate) fn begin_log(&self, job: &Job) -> Result<(), RunError> {
        let open = self.record.log_file(&job.name);
        atomic::remove(&self.record.sealed_log_file(&job.name))?;
        atomic::remove(&open)?;
        let mut options = File::options();
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let made = options.write(true).create_new(true).open(&open);
        made.map(drop).map_err(RunError::io("write", &open))
    }

    /// Seals what a stage printed, where that is to be; without a key it is removed, and it is
    /// said why.
    pub(crate) fn seal_log(&self, job: &Job) -> Option<String> {
        let open = self.record.log_file(&job.name);
        if job.at_rest == AtRest::Plain || !open.is_file() {
            return None;
        }
        let sealed = self.store.seal(&open, &self.record.sealed_log_file(&job.name));
        let removed = atomic::remove(&open);
        match sealed.and(removed) {
            Ok(()) => None,
            Err(StoreError::Key(why)) => {
                Some(format!("what it printed may be about people and is not kept: {why}"))
            }
            Err(error) => Some(format!("what it printed is not kept: {error}")),
        }
    }

    /// Seals what lies open though it is about people: logs that a killed run left, and results that were
    /// kept before anybody said so. Without a key they stay as they are.
    pub(crate) fn seal_what_is_open(&self) -> Result<(), RunError> {
        let sealed = self.jobs.jobs.iter().filter(|job| job.at_rest == AtRest::Sealed);
        let stages: BTreeSet<&str> = sealed.clone().map(|job| job.name.as_str()).collect();
        if stages.is_empty() || self.store.key().is_err() {
            return Ok(());
        }
        sealed.for_each(|job| drop(self.seal_log(job)));
        for (_, outcome) in self.record.keyed_results() {
            if stages.contains(outcome.stage.as_str()) {
                for content in outcome.outputs.iter().filter_map(Output::content) {
                    self.store.seal_kept(&content)?;
                }
            }
        }
        Ok(())
    }

    /// Hands everything that is sealed to other recipients, and says how many files it was and how many are
    /// sealed for others.
    ///
    /// # Errors
    /// When somebody runs the project, or a file cannot be read or written.
    pub fn rewrap(
        &self,
        identity: &Identity,
        recipients: &[Recipient],
    ) -> Result<(u64, u64), RunError> {
        if !self.record.folder.is_dir() {
            return Ok((0, 0));
        }
        let _lock = Lock::take(&self.record.folder)?;
        let (mut handed, mut left) = self.store.rewrap(identity, recipients)?;
        for file in fs::read_dir(self.record.folder.join("logs")).into_iter().flatten().flatten() {
            let path = file.path();
            if path.extension().is_some_and(|end| end == "age") {
                match rewrap_file(&path, identity, recipients)? {
                    true => handed += 1,
                    false => left += 1,
                }
            }
        }
        Ok((handed, left))
    }
}
