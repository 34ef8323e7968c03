//! `nearside privacy anonymize`: personal data and secrets taken out of files.

mod answer;
mod project_key;

use std::path::{Path, PathBuf};

use nearside_privacy::anonymize::{
    AnonymizeError, Anonymized, Job, Operator, Pseudonyms, Rules, SecretKey, Unread,
};
use nearside_privacy::scan;
use nearside_privacy::source::Limits;

pub(crate) use answer::AnonymizeAnswer;

use crate::cli::Anonymize;
use crate::environment;
use crate::error::{CommandError, Fault};
use crate::output::{Answer, Form, Outcome, Output};

/// Files that are named in an error.
const MOST_NAMED: usize = 10;

pub(super) fn run(arguments: &Anonymize, output: &Output) -> Result<Outcome, CommandError> {
    check(arguments, output)?;
    let rules = rules(arguments);
    let key = match rules.is_keyed() {
        true => Some(project_key::find(arguments)?),
        false => None,
    };
    // Nothing is computed from the key of nobody.
    let nobody = SecretKey::of([0; 32]);
    let secret = key.as_ref().map_or(&nobody, |key| &key.secret);
    let limits =
        Limits { spool_folder: Some(environment::temporary_folder()), ..Limits::default() };
    let scratch = scratch(arguments);
    let job = Job {
        input: &arguments.input,
        rules: &rules,
        pseudonyms: &Pseudonyms::of(secret),
        limits: &limits,
        scan: scan::Options::default(),
        scratch: &scratch,
        unreadable: if arguments.skip_unreadable { Unread::LeaveOut } else { Unread::Fail },
    };
    let mut done = job.run().map_err(failed)?;
    let answer = AnonymizeAnswer::of(arguments, key.as_ref(), &done);
    write(arguments, &mut done, output)?;
    report(arguments, &answer, output);
    match done.left_of(arguments.class) {
        0 => Ok(Outcome::Done),
        _ => Ok(Outcome::Negative),
    }
}

/// The file or folder that the result goes to; [`None`] is stdout.
fn target(arguments: &Anonymize) -> Option<&Path> {
    arguments.output.as_deref().filter(|output| *output != Path::new("-"))
}

fn check(arguments: &Anonymize, output: &Output) -> Result<(), CommandError> {
    let usage =
        |message: &str, hint: &str| Err(CommandError::new(Fault::Usage, message).hint(hint));
    let Some(target) = target(arguments) else {
        if arguments.dry_run {
            return Ok(());
        }
        if arguments.input.is_dir() {
            return usage("a folder needs a folder for the result", "add -o FOLDER, or --dry-run");
        }
        if output.form == Form::Json {
            return usage(
                "stdout cannot hold the result and the report",
                "add -o FILE, or --dry-run",
            );
        }
        return Ok(());
    };
    let real = |path: &Path| path.canonicalize().ok();
    let input = real(&arguments.input);
    if input.is_some() && input == real(target) {
        return usage("the result would take the place of the input", "name another -o");
    }
    let around =
        target.ancestors().skip(1).find_map(|folder| match folder.as_os_str().is_empty() {
            true => real(Path::new(".")),
            false => real(folder),
        });
    match (input, around) {
        (Some(input), Some(around)) if input.is_dir() && around.starts_with(&input) => {
            usage("the result would be part of the input", "name an -o outside of it")
        }
        _ => Ok(()),
    }
}

fn rules(arguments: &Anonymize) -> Rules {
    let kept = arguments.keep.iter().map(|entity| (*entity, Operator::Keep));
    Rules {
        default: arguments.with,
        of: arguments.choices.iter().copied().chain(kept).collect(),
        only: arguments.only.iter().copied().collect(),
        dropped_columns: arguments.drop_column.iter().cloned().collect(),
        kept_columns: arguments.keep_column.iter().cloned().collect(),
        subject: arguments.subject.clone(),
    }
}

/// Where files without a name are made: on the disk of the result, where there is a result.
fn scratch(arguments: &Anonymize) -> PathBuf {
    let target = target(arguments).filter(|_| !arguments.dry_run);
    let around =
        target.into_iter().flat_map(|target| target.ancestors().skip(1)).find_map(|folder| {
            let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
            folder.is_dir().then(|| folder.to_path_buf())
        });
    around.unwrap_or_else(environment::temporary_folder)
}

fn write(
    arguments: &Anonymize,
    done: &mut Anonymized,
    output: &Output,
) -> Result<(), CommandError> {
    match (target(arguments), done.only()) {
        _ if arguments.dry_run => Ok(()),
        (None, Some(text)) => output.copy(text),
        (None, None) => Ok(()),
        (Some(target), _) => done.store(target).map_err(failed),
    }
}

/// The report is the answer where stdout is free; beside a result it is a hint.
fn report(arguments: &Anonymize, answer: &AnonymizeAnswer, output: &Output) {
    let warnings = answer.warnings();
    if output.form == Form::Json {
        let schema = "nearside/privacy-anonymize/1";
        let answer = Answer { schema, data: answer, warnings: &warnings, sources: &[] };
        return output.json(&answer, environment::today());
    }
    let free = arguments.dry_run || target(arguments).is_some();
    match free {
        true => output.text(&answer.text()),
        false => output.hint(&answer.summary()),
    }
    for warning in &warnings {
        output.warning(warning);
    }
    if let Some(target) = target(arguments).filter(|_| !arguments.dry_run) {
        output.hint(&format!("{} is written", target.display()));
    }
}

fn failed(error: AnonymizeError) -> CommandError {
    let message = error.to_string();
    match error {
        AnonymizeError::Unreadable(files) => {
            let named = files.iter().take(MOST_NAMED);
            let named = named.map(|file| format!("\n  {}: {}", file.name, file.why));
            let more = match files.len().saturating_sub(MOST_NAMED) {
                0 => String::new(),
                more => format!("\n  and {more} more"),
            };
            let message = format!("{message}{}{more}", named.collect::<String>());
            CommandError::new(Fault::Input, message)
                .hint("--skip-unreadable leaves them out; nothing was written")
        }
        AnonymizeError::Source(_) | AnonymizeError::Column(_) | AnonymizeError::Key { .. } => {
            CommandError::new(Fault::Input, message)
        }
        AnonymizeError::Changed(_) => {
            CommandError::new(Fault::World, message).hint("nothing was written: try again")
        }
        _ => CommandError::new(Fault::World, message),
    }
}
