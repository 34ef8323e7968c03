//! `nearside privacy reveal`: values put back in the place of their labels, by those who hold the key.

use nearside_privacy::anonymize::{AnonymizeError, Reveal, Revealed, RevealedFile};
use nearside_privacy::scan;
use nearside_privacy::source::Limits;
use nearside_privacy::vault::Values;
use schemars::JsonSchema;
use serde::Serialize;

use super::anonymize::failed;
use super::around::Around;
use super::output_path::{self, Ends};
use crate::cli;
use crate::environment;
use crate::error::{CommandError, Fault};
use crate::output::{Answer, Form, Outcome, Output};

/// The answer of `nearside privacy reveal`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct RevealAnswer {
    /// The project whose vault was opened.
    project: String,
    /// Labels that were turned back into values.
    revealed: u64,
    /// Labels that the vault does not know; they stay.
    unknown: u64,
    /// Every file.
    files: Vec<FileView>,
}

/// A file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
struct FileView {
    /// Its path.
    input: String,
    /// Labels in it that were turned back into values.
    revealed: u64,
    /// Labels in it that stay.
    unknown: u64,
}

/// What stops it.
enum Stop {
    File(AnonymizeError),
    Command(CommandError),
}

impl From<AnonymizeError> for Stop {
    fn from(error: AnonymizeError) -> Self {
        Self::File(error)
    }
}

pub(super) fn run(arguments: &cli::Reveal, output: &Output) -> Result<Outcome, CommandError> {
    let ends =
        Ends { input: &arguments.input, output: arguments.output.as_deref(), dry_run: false };
    ends.check(output)?;
    let around = Around::find(arguments.project.as_deref())?;
    let vault = around.vault(arguments.vault.as_deref())?;
    let Some(identity) = around.identity_if_there()? else {
        let message = format!("there is no key of the project {} here", around.project);
        let hint = "only who put values into a vault, with --with vault, can have them back";
        return Err(CommandError::new(Fault::World, message).hint(hint));
    };
    let limits =
        Limits { spool_folder: Some(environment::temporary_folder()), ..Limits::default() };
    let scratch = ends.scratch();
    let scan = scan::Options::default();
    let reveal = Reveal { input: &arguments.input, limits: &limits, scan, scratch: &scratch };
    let values = |labels: &_| -> Result<Values, Stop> {
        let values = vault.values(&identity, labels);
        values.map_err(|error| Stop::Command(CommandError::new(Fault::World, error.to_string())))
    };
    let mut done = reveal.run(&values).map_err(|stop| match stop {
        Stop::File(error) => failed(error),
        Stop::Command(error) => error,
    })?;
    let answer = RevealAnswer::of(&around.project, &done);
    match (ends.target(), done.only()) {
        (None, Some(text)) => output.copy(text)?,
        (None, None) => {}
        (Some(target), _) => done.store(target).map_err(failed)?,
    }
    report(&answer, ends, output);
    Ok(if answer.unknown == 0 { Outcome::Done } else { Outcome::Negative })
}

fn report(answer: &RevealAnswer, ends: Ends<'_>, output: &Output) {
    if output.form == Form::Json {
        let schema = "nearside/privacy-reveal/1";
        let answer = Answer { schema, data: answer, warnings: &[], sources: &[] };
        return output.json(&answer, environment::today());
    }
    let labels = |count: u64| match count {
        1 => "1 label".to_owned(),
        count => format!("{count} labels"),
    };
    let text = format!("{} turned back into values", labels(answer.revealed));
    match ends.target() {
        Some(_) => output.text(&text),
        None => output.hint(&text),
    }
    if answer.unknown > 0 {
        let are = if answer.unknown == 1 { "is" } else { "are" };
        output.warning(&format!("{} {are} not in the vault: left", labels(answer.unknown)));
    }
    if let Some(target) = ends.target() {
        output_path::written(target, output);
    }
}

impl RevealAnswer {
    fn of(project: &str, done: &Revealed) -> Self {
        let view = |file: &RevealedFile| FileView {
            input: file.input.display().to_string(),
            revealed: file.revealed,
            unknown: file.unknown,
        };
        Self {
            project: project.to_owned(),
            revealed: done.files.iter().map(|file| file.revealed).sum(),
            unknown: done.files.iter().map(|file| file.unknown).sum(),
            files: done.files.iter().map(view).collect(),
        }
    }
}
