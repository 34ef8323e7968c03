//! `nearside privacy scan`: what is personal or secret below some paths.

mod sarif;
mod text;
mod view;

use std::io;
use std::path::PathBuf;

use nearside_policy::Class;
use nearside_privacy::inspection::{Event, inspect, inspect_stream};
use nearside_privacy::scan::{Entity, Finding, Options};
use nearside_privacy::source::{Limits, SourceError, files};

pub(crate) use view::PrivacyScanAnswer;

use crate::cli::PrivacyScan;
use crate::environment;
use crate::error::{CommandError, Fault};
use crate::output::{Answer, Form, Outcome, Output, document};
use view::Tally;

/// Findings that are listed for people, unless stated.
const LISTED: usize = 20;
/// What stands for the standard input.
const STANDARD_INPUT: &str = "-";

pub(super) fn run(wanted: &PrivacyScan, output: &Output) -> Result<Outcome, CommandError> {
    let question = Question::of(wanted)?;
    let limits = limits(wanted);
    let mut options = Options::default();
    options.threads = wanted.threads.unwrap_or(options.threads);
    let listed = match (wanted.limit, output.form) {
        (Some(limit), _) => limit,
        (None, Form::Json) => usize::MAX,
        (None, Form::Text) => LISTED,
    };
    // A document for other programs holds them all.
    let mut tally = Tally::new(if wanted.sarif.is_some() { usize::MAX } else { listed });
    let (streams, paths): (Vec<_>, Vec<_>) =
        wanted.paths.iter().partition(|path| path.as_os_str() == STANDARD_INPUT);
    // One that is not there stops no other; all that are not there are a mistake.
    let (there, missing): (Vec<&PathBuf>, Vec<&PathBuf>) =
        paths.into_iter().partition(|path| path.symlink_metadata().is_ok());
    if there.is_empty() && streams.is_empty() {
        files(&missing, &limits).map_err(|error| unlisted(&error))?;
    }
    for path in &missing {
        tally.unreadable(&path.to_string_lossy(), "is not there");
    }
    let mut each = |event: Event<'_>| match event {
        Event::Found(name, finding) if question.counts(&finding) => tally.found(name, &finding),
        Event::Found(..) => {}
        Event::Looked(name, scanned) => tally.looked(name, &scanned),
        Event::Unreadable(name, why) => tally.unreadable(name, why),
        Event::Skipped(name, what) => tally.skipped(name, what),
    };
    let entries = files(&there, &limits).map_err(|error| unlisted(&error))?;
    let mut looked = 0;
    for batch in entries.chunks(BATCH) {
        if entries.len() > BATCH {
            output.progress(&format!("{looked} of {} files looked through", entries.len()));
        }
        inspect(batch, &limits, options, &mut each);
        looked += batch.len();
    }
    if !streams.is_empty() {
        inspect_stream("<stdin>", &mut io::stdin().lock(), &limits, options, &mut each);
    }
    let mut answer = tally.answer();
    if let Some(file) = &wanted.sarif {
        document::put(file, sarif::of(&answer).as_bytes(), output)?;
    }
    answer.findings.truncate(listed);
    match output.form {
        Form::Text => output.text(&text::shown(&answer, &question.only)),
        Form::Json => {
            let schema = "nearside/privacy-scan/1";
            let answer = Answer { schema, data: &answer, warnings: &[], sources: &[] };
            output.json(&answer, environment::today());
        }
    }
    Ok(if answer.is_clean() { Outcome::Done } else { Outcome::Negative })
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
