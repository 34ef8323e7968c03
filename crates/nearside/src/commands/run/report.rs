//! What is told, recorded and remembered while stages run.

use std::collections::BTreeMap;
use std::path::PathBuf;

use nearside_catalog::Catalog;
use nearside_run::{Attempt, Changed, Event, Job, Ran, Reach, Runner, Tried};
use nearside_units::{Bytes, Duration};

use super::follow::Follower;
use super::live::Live;
use super::planned::Planned;
use super::view::{StageRun, TrialRun};
use crate::output::Output;
use crate::view::seconds;
use crate::wire::jobs::shown;
use crate::wire::journal::Journal;

/// Follows a run.
pub(super) struct Report<'a> {
    pub(super) journal: Journal<'a>,
    /// What was attempted of each stage.
    pub(super) attempts: BTreeMap<String, Attempt>,
    /// The picture of the run, where one is drawn.
    pub(super) live: Option<Live>,
    output: &'a Output,
    /// Whether what stages print is shown.
    follow: bool,
    followers: BTreeMap<String, Follower>,
    /// What a plan is made with, until one is.
    catalog: Option<Catalog>,
    planned: Planned,
    began: BTreeMap<String, Beginning>,
    /// What became of trials that a rule decides about.
    tried: BTreeMap<String, Vec<Tried>>,
}

/// How a stage began.
struct Beginning {
    /// What changed since it last ended well.
    changed: Vec<String>,
    log: PathBuf,
    reach: Reach,
}

impl<'a> Report<'a> {
    pub(super) fn new(journal: Journal<'a>, follow: bool, output: &'a Output) -> Self {
        Self {
            journal,
            attempts: BTreeMap::new(),
            live: None,
            output,
            follow,
            followers: BTreeMap::new(),
            catalog: None,
            planned: Planned::default(),
            began: BTreeMap::new(),
            tried: BTreeMap::new(),
        }
    }

    /// Something happened.
    pub(super) fn event(&mut self, runner: &Runner, event: &Event<'_>) {
        match event {
            Event::Began { job, changed, log, reach } => {
                // Only now: a run without anything to run needs no estimates and no plan.
                self.prepare();
                if let Some(catalog) = self.catalog.take() {
                    self.planned = Planned::start(self.journal.loaded, catalog);
                }
                self.journal.predict(&job.name, runner.reads(job).ok());
                let changed = changed.iter().map(ToString::to_string).collect();
                let (log, reach) = (log.to_path_buf(), (*reach).clone());
                self.began.insert(job.name.clone(), Beginning { changed, log, reach });
            }
            Event::Started { job, process, group } => {
                self.journal.meters.started(&job.name, *process, *group);
                self.follow(job);
            }
            Event::Stopped { job } => self.journal.meters.stopped(&job.name),
            Event::Ended { job, ran, attempt: Some(attempt) } => {
                self.followers.remove(&job.name);
                if !matches!(ran, Ran::Current | Ran::Restored) {
                    self.journal.follow(self.planned.take());
                }
                self.journal.ended(runner, job, ran, attempt);
                if ran.is_good() {
                    self.tried.insert(job.name.clone(), runner.tried(&attempt.key));
                }
                self.attempts.insert(job.name.clone(), (*attempt).clone());
            }
            Event::Note { job, text } => self.output.warning(&format!("{}: {text}", job.name)),
            Event::Ended { .. } | Event::Beat => {}
        }
        for note in self.journal.meters.notes() {
            self.output.warning(&note);
        }
        match &mut self.live {
            Some(live) => {
                live.event(event);
                live.draw(&self.journal, self.output);
            }
            None => tell(event, self.output),
        }
    }

    /// Nothing happens any more.
    pub(super) fn end(&mut self) {
        if let Some(live) = self.live.take() {
            live.end(&self.journal, self.output);
        }
    }

    /// Gets ready to estimate, the first time that it is asked.
    pub(super) fn prepare(&mut self) {
        if let Some(catalog) = self.journal.prepare(self.output) {
            self.catalog = Some(catalog);
        }
    }

    /// Shows what a stage prints from now on, once for all its commands.
    fn follow(&mut self, job: &Job) {
        if !self.follow || self.followers.contains_key(&job.name) {
            return;
        }
        let log = self.began.get(&job.name).map(|began| &began.log);
        if let Some(Ok(follower)) = log.map(|log| Follower::of(&job.name, log)) {
            self.followers.insert(job.name.clone(), follower);
        }
    }

    /// How a stage ended, with what is known of it besides.
    pub(super) fn stage(&self, name: &str, ran: &Ran) -> StageRun {
        let mut stage = StageRun::ended(name, ran);
        if let Some(began) = self.began.get(name) {
            let sealed = began.log.with_added_extension("age");
            let log = if began.log.is_file() { &began.log } else { &sealed };
            (stage.changed, stage.log) = (began.changed.clone(), Some(shown(log)));
            stage.network = Some(match began.reach {
                Reach::Open => "open",
                Reach::Cut => "none",
                Reach::NotCut(_) => "not cut",
            });
        }
        let tried = self.tried.get(name).cloned().unwrap_or_default();
        stage.trials = tried.into_iter().map(TrialRun::of).collect();
        if let Some(used) = self.journal.meters.used(name) {
            stage.peak_memory_bytes = used.memory.map(Bytes::get);
            stage.processor_seconds = used.processors.map(Duration::as_seconds);
            stage.energy_joules = used.energy().map(|(energy, _)| energy.as_joules());
            let at_least = used.energy_at_least();
            stage.energy_at_least_joules = at_least.map(|(energy, _)| energy.as_joules());
        }
        stage
    }
}

/// Says what happens while it happens, where there is no picture of it.
fn tell(event: &Event<'_>, output: &Output) {
    match event {
        Event::Began { job, changed, .. } => {
            let why = reason(changed);
            let why = if why.is_empty() { why } else { format!(" ({why})") };
            output.watched(&format!("{} runs{why}", job.name));
        }
        Event::Ended { job, ran, .. } => match ran {
            Ran::Done(took) => {
                let took = seconds(took.as_secs_f64());
                output.watched(&format!("{} done in {took}", job.name));
            }
            Ran::Restored => output.watched(&format!("{} restored from the cache", job.name)),
            Ran::Refused(refused) => {
                output.watched(&format!("{} refused: {}", job.name, refused.why));
            }
            Ran::Failed { why, .. } => output.watched(&format!("{} failed: {why}", job.name)),
            Ran::Current | Ran::Skipped(_) | Ran::Interrupted => {}
        },
        Event::Started { .. } | Event::Stopped { .. } | Event::Note { .. } | Event::Beat => {}
    }
}

/// What changed, in a few words.
pub(super) fn reason(changed: &[Changed]) -> String {
    match changed {
        [] => String::new(),
        [one] => one.to_string(),
        [one, rest @ ..] => format!("{one}, and {} more", rest.len()),
    }
}
