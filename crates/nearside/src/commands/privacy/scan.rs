//! `nearside privacy scan`: what is personal or secret below some paths.

mod input;
mod sarif;
mod text;
mod view;

use std::io::{BufWriter, StdoutLock};
use std::path::PathBuf;
use std::sync::Arc;

use nearside_policy::Class;
use nearside_privacy::inspection::{Event, inspect, inspect_stream};
use nearside_privacy::scan::{Entity, Finding, Options};
use nearside_privacy::source::{Limits, SourceError, files};

pub(crate) use view::PrivacyScanAnswer;

use crate::cli::PrivacyScan;
use crate::environment;
use crate::error::{CommandError, Fault};
use crate::output::{Form, Listing, Outcome, Output};
use input::Input;
use sarif::Sarif;
use view::{Counts, FindingView, Tally};

/// Findings that are listed for people, unless stated.
const LISTED: u64 = 20;
/// What stands for the standard input.
const STANDARD_INPUT: &str = "-";

pub(super) fn run(wanted: &PrivacyScan, output: &Output) -> Result<Outcome, CommandError> {
    let question = Question::of(wanted)?;
    let stop = environment::interrupted();
    let mut limits = limits(wanted);
    limits.stop = Some(Arc::clone(&stop));
    let mut options = Options::default();
    options.threads = wanted.threads.unwrap_or(options.threads);
    let (streams, paths): (Vec<_>, Vec<_>) =
        wanted.paths.iter().partition(|path| path.as_os_str() == STANDARD_INPUT);
    // One that is not there stops no other; all that are not there are a mistake.
    let (there, missing): (Vec<&PathBuf>, Vec<&PathBuf>) =
        paths.into_iter().partition(|path| path.symlink_metadata().is_ok());
    if there.is_empty() && streams.is_empty() {
        files(&missing, &limits).map_err(|error| unlisted(&error))?;
    }
    let entries = files(&there, &limits).map_err(|error| unlisted(&error))?;
    let sarif = wanted.sarif.as_deref().map(Sarif::new).transpose()?;
    let mut sink = Sink::new(wanted.limit, sarif, output);
    let mut tally = Tally::default();
    for path in &missing {
        tally.unreadable(&path.to_string_lossy(), "is not there");
    }
    let mut each = |event: Event<'_>| match event {
        Event::Opened(_, columns) => tally.opened(columns),
        Event::Found(name, finding) if question.counts(&finding) => {
            let number = tally.found(&finding);
            sink.add(number, || tally.view(name, &finding));
        }
        Event::Found(..) => {}
        Event::Looked(name, scanned) => tally.looked(name, &scanned),
        Event::Unreadable(name, why) => tally.unreadable(name, why),
        Event::Skipped(name, what) => tally.skipped(name, what),
    };
    let mut looked = 0;
    for batch in entries.chunks(BATCH) {
        if entries.len() > BATCH {
            output.progress(&format!("{looked} of {} files looked through", entries.len()));
        }
        inspect(batch, &limits, options, &mut each);
        looked += batch.len();
    }
    if !streams.is_empty() {
        inspect_stream("<stdin>", &mut Input { stop: &stop }, &limits, options, &mut each);
    }
    let counts = tally.counts(limits.is_stopped());
    let (clean, interrupted) = (counts.is_clean(), counts.interrupted);
    sink.end(counts, &question.only, output)?;
    Ok(match (interrupted, clean) {
        (true, _) => Outcome::Partly,
        (false, true) => Outcome::Done,
        (false, false) => Outcome::Negative,
    })
}

/// Where findings go as they come: never more of them are kept than a person reads.
struct Sink<'o> {
    limit: u64,
    to: To<'o>,
    sarif: Option<Result<Sarif, CommandError>>,
}

enum To<'o> {
    Person(Vec<FindingView>),
    Program(Listing<'o, BufWriter<StdoutLock<'static>>>),
}

impl<'o> Sink<'o> {
    fn new(limit: Option<usize>, sarif: Option<Sarif>, output: &'o Output) -> Self {
        let (usual, to) = match output.form {
            Form::Text => (LISTED, To::Person(Vec::new())),
            Form::Json => {
                let schema = "nearside/privacy-scan/1";
                let listing = output.listing(schema, "findings", environment::today());
                (u64::MAX, To::Program(listing))
            }
        };
        let limit = limit.map_or(usual, |limit| limit as u64);
        Self { limit, to, sarif: sarif.map(Ok) }
    }

    /// Takes a finding, the so-and-so-many-th one from 1.
    fn add(&mut self, number: u64, finding: impl FnOnce() -> FindingView) {
        let listed = number <= self.limit;
        if !listed && self.sarif.is_none() {
            return;
        }
        let finding = finding();
        // A document for other programs holds them all.
        if let Some(Ok(sarif)) = &mut self.sarif
            && let Err(error) = sarif.add(&finding)
        {
            self.sarif = Some(Err(error));
        }
        match &mut self.to {
            _ if !listed => {}
            To::Person(findings) => findings.push(finding),
            To::Program(listing) => listing.item(&finding),
        }
    }

    fn end(self, counts: Counts, only: &[Entity], output: &Output) -> Result<(), CommandError> {
        let written = match self.sarif {
            Some(Ok(sarif)) => sarif.finish(&counts, output),
            Some(Err(error)) => Err(error),
            None => Ok(()),
        };
        match self.to {
            To::Program(listing) => listing.end(&counts),
            To::Person(findings) => {
                output.text(&text::shown(&PrivacyScanAnswer { findings, counts }, only));
            }
        }
        written
    }
}

/// Files after which the progress is told anew.
const BATCH: usize = 512;

fn limits(wanted: &PrivacyScan) -> Limits {
    let mut limits =
        Limits { spool_folder: Some(environment::temporary_folder()), ..Limits::default() };
    limits.skipped_folders.extend(wanted.skip_folder.iter().cloned());
    limits
}

fn unlisted(error: &SourceError) -> CommandError {
    CommandError::new(Fault::Input, error.to_string())
}

/// Which findings count.
struct Question {
    class: Class,
    only: Vec<Entity>,
    without: Vec<Entity>,
    /// In hundredths.
    score: u8,
}

impl Question {
    fn of(wanted: &PrivacyScan) -> Result<Self, CommandError> {
        if !(0.5..=0.99).contains(&wanted.score) {
            let message = format!("--score is from 0.5 to 0.99, not {}", wanted.score);
            return Err(CommandError::new(Fault::Usage, message));
        }
        // From 50 to 99, as was just checked.
        let score = (wanted.score * 100.0).round() as u8;
        let without = wanted.without.clone();
        let left = wanted.only.iter().filter(|kind| !without.contains(kind));
        let only: Vec<Entity> = left.copied().collect();
        if !wanted.only.is_empty() && only.is_empty() {
            let message = "--only and --without name the same kinds: nothing is left to look for";
            return Err(CommandError::new(Fault::Usage, message));
        }
        Ok(Self { class: wanted.class, only, without, score })
    }

    fn counts(&self, finding: &Finding) -> bool {
        let entity = finding.entity;
        entity.class() >= self.class
            && finding.score >= self.score
            && (self.only.is_empty() || self.only.contains(&entity))
            && !self.without.contains(&entity)
    }
}
