//! `nearside run --watch`: waits until something that the last run looked at is not as it was.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nearside_run::{Attempt, Ran, Runner, Standing, Summary};
use nearside_store::Digest;

use crate::wire::project::Loaded;

/// How long nobody looks, at least. Looking takes a tenth of the time, at most.
const PAUSE: Duration = Duration::from_millis(200);
/// An editor that writes several files may take so long.
const SETTLES: Duration = Duration::from_millis(100);

/// What a run looked at, as it was then.
pub(super) struct Watched {
    pub(super) file: PathBuf,
    text: Option<String>,
    runner: Option<Runner>,
    stages: Vec<(usize, Seen)>,
}

/// How a run found a stage.
enum Seen {
    /// It ended well, made from this.
    Good(Digest),
    /// It failed, made from this.
    Bad(Digest),
    /// Something that it reads was not there.
    Nothing,
}

impl Watched {
    /// The file of a project that could not be run.
    pub(super) fn file(file: PathBuf) -> Self {
        let text = std::fs::read_to_string(&file).ok();
        Self { file, text, runner: None, stages: Vec::new() }
    }

    /// A project that was run.
    pub(super) fn project(
        loaded: &Loaded,
        runner: Runner,
        summary: &Summary,
        attempts: &BTreeMap<String, Attempt>,
    ) -> Self {
        let seen = |(place, ran): (&usize, &Ran)| {
            let attempt = attempts.get(&runner.jobs.jobs[*place].name);
            let seen = match (ran, attempt) {
                (Ran::Skipped(_) | Ran::Interrupted, _) => return None,
                (ran, Some(attempt)) if ran.is_good() => Seen::Good(attempt.key),
                (_, Some(attempt)) => Seen::Bad(attempt.key),
                (_, None) => Seen::Nothing,
            };
            Some((*place, seen))
        };
        let stages = summary.iter().filter_map(seen).collect();
        let (file, text) = (loaded.file.clone(), Some(loaded.text.clone()));
        Self { file, text, runner: Some(runner), stages }
    }

    /// Waits until something changes; false when the wait is interrupted.
    pub(super) fn changes(&self, interrupted: &AtomicBool) -> bool {
        let mut pause = Duration::ZERO;
        loop {
            let until = Instant::now() + pause;
            while Instant::now() < until {
                if interrupted.load(Ordering::Relaxed) {
                    return false;
                }
                std::thread::sleep(PAUSE.min(until.saturating_duration_since(Instant::now())));
            }
            let began = Instant::now();
            if self.has_changed() {
                std::thread::sleep(SETTLES);
                return true;
            }
            pause = PAUSE.max(began.elapsed() * 9);
        }
    }

    fn has_changed(&self) -> bool {
        if std::fs::read_to_string(&self.file).ok() != self.text {
            return true;
        }
        let Some(runner) = &self.runner else { return false };
        let changed = |(place, seen): &(usize, Seen)| {
            let now = runner.standing(&runner.jobs.jobs[*place]).ok();
            match (seen, now) {
                (Seen::Good(key), Some((now, standing))) => {
                    now.digest != *key || standing != Standing::Current
                }
                (Seen::Bad(key), Some((now, _))) => now.digest != *key,
                (Seen::Nothing, now) => now.is_some(),
                (_, None) => true,
            }
        };
        self.stages.iter().any(changed)
    }
}
