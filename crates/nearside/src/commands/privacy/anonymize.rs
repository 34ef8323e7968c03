//! `nearside privacy anonymize`: personal data and secrets taken out of files.

mod answer;
mod k_anonymity;
mod report;

use std::cell::RefCell;

use nearside_privacy::anonymize::{
    AnonymizeError, Anonymized, Job, Operator, Pseudonyms, Rules, SecretKey, Unread,
};
use nearside_privacy::scan;
use nearside_privacy::source::Limits;
use nearside_privacy::vault::Deposit;

pub(crate) use answer::AnonymizeAnswer;
pub(crate) use k_anonymity::KAnonymityAnswer;

use super::around::Around;
use super::output_path::Ends;
use crate::cli::Anonymize;
use crate::environment;
use crate::error::{CommandError, Fault};
use crate::output::{Outcome, Output};

/// Files that are named in an error.
const MOST_NAMED: usize = 10;

pub(super) fn run(arguments: &Anonymize, output: &Output) -> Result<Outcome, CommandError> {
    let ends = Ends {
        input: &arguments.input,
        output: arguments.output.as_deref(),
        dry_run: arguments.dry_run,
    };
    ends.check(output)?;
    if let Some(requirement) = arguments.hiding.required.requirement() {
        return k_anonymity::run(arguments, requirement, ends, output);
    }
    let rules = rules(arguments);
    let around = match rules.is_keyed() {
        true => Some(Around::find(arguments.project.as_deref())?),
        false => None,
    };
    let key = around.map(|around| Key::of(around, arguments.dry_run)).transpose()?;
    let deposit = match &key {
        Some(key) if rules.needs_vault() && !arguments.dry_run => Some(deposit(key, arguments)?),
        _ => None,
    };
    // Nothing is computed from the key of nobody.
    let nobody = SecretKey::of([0; 32]);
    let secret = key.as_ref().map_or(&nobody, |key| &key.secret);
    let limits =
        Limits { spool_folder: Some(environment::temporary_folder()), ..Limits::default() };
    let scratch = ends.scratch();
    let job = Job {
        input: &arguments.input,
        rules: &rules,
        pseudonyms: &Pseudonyms::of(secret),
        limits: &limits,
        scan: scan::Options::default(),
        scratch: &scratch,
        unreadable: if arguments.skip_unreadable { Unread::LeaveOut } else { Unread::Fail },
        vault: deposit.as_ref(),
    };
    let mut done = job.run().map_err(failed)?;
    let kept = deposit.as_ref().map(|deposit| deposit.borrow().count());
    let answer = AnonymizeAnswer::of(arguments, key.as_ref(), kept, &done);
    // Before the labels are anywhere: whoever sees one can have its value.
    if let Some(deposit) = deposit {
        deposit.into_inner().store().map_err(|error| failed(error.into()))?;
    }
    write(ends, &mut done, output)?;
    report::tell(ends, &answer, output);
    match done.left_of(arguments.class) {
        0 => Ok(Outcome::Done),
        _ => Ok(Outcome::Negative),
    }
}

/// A project, and the key of its pseudonyms.
pub(super) struct Key {
    pub(super) around: Around,
    pub(super) secret: SecretKey,
}

impl Key {
    fn of(around: Around, dry_run: bool) -> Result<Self, CommandError> {
        let secret = around.secret(dry_run)?;
        Ok(Self { around, secret })
    }
}

/// The vault, open to take values.
fn deposit(key: &Key, arguments: &Anonymize) -> Result<RefCell<Deposit>, CommandError> {
    let vault = key.around.vault(arguments.vault.as_deref())?;
    let deposit = vault.deposit(&key.around.identity()?.recipient());
    deposit.map(RefCell::new).map_err(|error| failed(error.into()))
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

fn write(ends: Ends<'_>, done: &mut Anonymized, output: &Output) -> Result<(), CommandError> {
    match (ends.target(), done.only()) {
        _ if ends.dry_run => Ok(()),
        (None, Some(text)) => output.copy(text),
        (None, None) => Ok(()),
        (Some(target), _) => done.store(target).map_err(failed),
    }
}

pub(super) fn failed(error: AnonymizeError) -> CommandError {
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
