//! Keeps what a stage wrote, and puts it where it belongs.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nearside_store::{AtRest, Content, Reader, Store, StoreError, atomic};

use super::{Event, Going, Ran, Run};
use crate::record::{Last, Outcome, Output};
use crate::{Job, Key, RunError};

impl Run<'_> {
    /// Keeps what a stage wrote, then puts it where it belongs.
    pub(super) fn keep(&mut self, place: usize, job: &Job, going: Going) -> Result<(), RunError> {
        let took = going.took.unwrap_or_default();
        match self.kept(job, &going, took) {
            Ok(unkept) => {
                if let Some(why) = unkept {
                    let text = format!("what it made is about people and is not kept: {why}");
                    (self.report)(Event::Note { job, text });
                }
                self.hand_over_undeclared(job, &going);
                self.remember(job, &going.key)?;
                let _ = atomic::remove(&going.workspace.folder);
                self.good(place, Ran::Done(took), going.attempt());
            }
            Err(error) => self.fail(place, error, None, Some(going)),
        }
        Ok(())
    }

    /// Keeps it; answers why it is not kept where there is no key to seal it with.
    fn kept(&self, job: &Job, going: &Going, took: Duration) -> Result<Option<String>, String> {
        let runner = self.runner;
        let mut unkept = None;
        let said = |error: StoreError| error.to_string();
        let mut contents: Vec<(&String, PathBuf, Content)> = Vec::new();
        for output in &job.outputs {
            let written = going.workspace.written(output);
            let at = written.ok_or_else(|| format!("it did not write {output}"))?;
            let content = Reader::new(&runner.memo).content(&at).map_err(said)?;
            match runner.store.keep(&at, &content, job.at_rest) {
                Err(StoreError::Key(why)) => unkept = Some(why),
                kept => kept.map_err(said)?,
            }
            contents.push((output, at, content));
        }
        let outputs = contents.iter().map(|(path, _, content)| Output::of(path, content)).collect();
        let stage = job.name.clone();
        let trials = going.trials.tried(job);
        let outcome = Outcome { stage, seconds: took.as_secs_f64(), outputs, trials };
        runner.record.keep_result(&going.key.digest, &outcome).map_err(said)?;
        for (output, at, content) in &contents {
            let place = runner.project.join(output);
            if *at == place {
                continue;
            }
            // Another file system.
            if atomic::replace(at, &place).is_err() {
                self.copied(at, content, &place).map_err(said)?;
            }
        }
        Ok(unkept)
    }

    /// Puts a copy in place, of what is kept or else of what was written.
    fn copied(&self, at: &Path, content: &Content, place: &Path) -> Result<(), StoreError> {
        match self.runner.store.restore(content, place) {
            Ok(()) => Ok(()),
            // Nothing of it is kept: it passes through a store of its own, beside its place.
            Err(_) => {
                let folder = atomic::beside(place);
                let store = Store::at(&folder);
                let copied = store
                    .keep(at, content, AtRest::Plain)
                    .and_then(|()| store.restore(content, place));
                let _ = atomic::remove(&folder);
                copied
            }
        }
    }

    /// What a stage made and did not declare goes where it would have gone, unless that would write
    /// over something.
    fn hand_over_undeclared(&mut self, job: &Job, going: &Going) {
        for path in going.workspace.undeclared() {
            let place = self.runner.project.join(&path);
            let free = fs::symlink_metadata(&place).is_err();
            let moved =
                free && atomic::replace(&going.workspace.folder.join(&path), &place).is_ok();
            let path = path.display();
            let text = match moved {
                true => format!("wrote {path}, which is not among its outputs: it is not kept"),
                false => format!(
                    "wrote {path}, which is not among its outputs and is there already: thrown away"
                ),
            };
            (self.report)(Event::Note { job, text });
        }
    }

    pub(super) fn remember(&self, job: &Job, key: &Key) -> Result<(), RunError> {
        let last = Last { key: key.digest.to_string(), parts: key.parts.clone() };
        if self.runner.record.last(&job.name).as_ref() == Some(&last) {
            return Ok(());
        }
        Ok(self.runner.record.keep_last(&job.name, &last)?)
    }
}
