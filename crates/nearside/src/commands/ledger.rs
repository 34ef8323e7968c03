//! `nearside ledger list | show | accuracy | export | verify`: what this project ran, when, and what came of it.

mod accuracy;
mod chart;
mod text;
mod view;

use std::io::Write;
use std::path::Path;

use nearside_ledger::{
    ClockStep, Head, LedgerError, Outcome as Ended, ProjectLedger, Recorded, RunFilter, RunRow,
    Table, Timestamp,
};

pub(crate) use accuracy::LedgerAccuracy;
pub(crate) use view::{LedgerList, LedgerRun, LedgerVerification};

use crate::cli::{Ledger, LedgerExport, LedgerForm, LedgerQuery};
use crate::environment;
use crate::error::{CommandError, Fault};
use crate::output::{Answer, Form, Outcome, Output};
use crate::wire;
use crate::wire::journal::failed;

pub(super) fn run(arguments: &Ledger, output: &Output) -> Result<Outcome, CommandError> {
    match arguments {
        Ledger::List(query) => list(query, output),
        Ledger::Show { entry, path, rehearsal } => show(*entry, path, *rehearsal, output),
        Ledger::Accuracy { path } => {
            let models = accuracy::models::here(output)?;
            let runs = match open(path, false) {
                Ok(ledger) => ledger.all::<RunRow>().map_err(|error| failed(&error))?,
                // Models run without a project, too.
                Err(_no_ledger) if !models.is_empty() => Vec::new(),
                Err(error) => return Err(error),
            };
            let answer = accuracy::of(runs.into_iter().map(|recorded| recorded.row), models);
            print("nearside/ledger-accuracy/1", &answer, accuracy::text, output);
            Ok(Outcome::Done)
        }
        Ledger::Export(wanted) => export(wanted, output),
        Ledger::Verify { path, rehearsal, head } => {
            verify(path, *rehearsal, head.as_deref(), output)
        }
    }
}

/// The ledger of a project, which is not made by being read.
pub(super) fn open(path: &Path, rehearsal: bool) -> Result<ProjectLedger, CommandError> {
    let loaded = wire::project::load(path, &[])?;
    let file = wire::journal::file(&wire::jobs::record(&loaded, rehearsal)?);
    let ledger = ProjectLedger::open_to_read(&file).map_err(|error| failed(&error))?;
    ledger.ok_or_else(|| {
        let message = format!("nothing was recorded yet: there is no {}", file.display());
        CommandError::new(Fault::Input, message).hint(match rehearsal {
            true => "nearside run --rehearse",
            false => "nearside run",
        })
    })
}

fn list(query: &LedgerQuery, output: &Output) -> Result<Outcome, CommandError> {
    let ledger = open(&query.path, query.rehearsal)?;
    let filter = RunFilter {
        run: None,
        stage: query.stage.clone(),
        since: query.since.as_deref().map(since).transpose()?,
        outcome: query.outcome.map(Ended::from),
        limit: Some(query.limit),
    };
    let runs = ledger.runs(&filter).map_err(|error| failed(&error))?;
    let steps = ledger.clock_steps().map_err(|error| failed(&error))?;
    let answer = LedgerList {
        clock_steps: among(&steps, &runs).map(ToString::to_string).collect(),
        runs: runs.iter().map(LedgerRun::of).collect(),
    };
    print("nearside/ledger-list/1", &answer, text::list, output);
    Ok(Outcome::Done)
}

/// Steps of the clock that lie between the runs that are listed.
fn among<'a>(
    steps: &'a [ClockStep],
    runs: &[Recorded<RunRow>],
) -> impl Iterator<Item = &'a ClockStep> {
    let entries = || runs.iter().map(|run| run.entry);
    let (oldest, newest) = (entries().min(), entries().max());
    steps.iter().filter(move |step| oldest < Some(step.entry) && Some(step.entry) <= newest)
}

/// A day, or a moment.
fn since(text: &str) -> Result<Timestamp, CommandError> {
    let day = format!("{text}T00:00:00Z");
    text.parse().or_else(|_not_a_moment| day.parse::<Timestamp>()).map_err(|_neither| {
        let message = format!("\"{text}\" is neither a day nor a moment in UTC");
        CommandError::new(Fault::Usage, message)
            .hint("--since 2026-11-23, or --since 2026-11-23T10:00:00Z")
    })
}

fn show(
    entry: u64,
    path: &Path,
    rehearsal: bool,
    output: &Output,
) -> Result<Outcome, CommandError> {
    let ledger = open(path, rehearsal)?;
    let details = ledger.show(entry).map_err(|error| failed(&error))?;
    let details = details.ok_or_else(|| {
        CommandError::new(Fault::Usage, format!("entry {entry} is no run"))
            .hint("nearside ledger list")
    })?;
    let mut answer = LedgerRun::of(&details.run);
    answer.samples = details.samples.iter().map(view::Sample::of).collect();
    answer.artifacts = details.artifacts.iter().map(view::Artifact::of).collect();
    print("nearside/ledger-show/1", &answer, text::show, output);
    Ok(Outcome::Done)
}

fn export(wanted: &LedgerExport, output: &Output) -> Result<Outcome, CommandError> {
    let ledger = open(&wanted.path, wanted.rehearsal)?;
    let table = Table::named(&wanted.table).ok_or_else(|| {
        let names: Vec<_> = Table::ALL.iter().map(|table| table.name()).collect();
        CommandError::new(Fault::Usage, format!("there is no table \"{}\"", wanted.table))
            .hint(format!("the tables are {}", names.join(", ")))
    })?;
    let write = |out: &mut dyn Write| match wanted.form {
        LedgerForm::Csv => ledger.write_csv(table, out),
        LedgerForm::Parquet => ledger.write_parquet(table, out),
        LedgerForm::Json => ledger.write_json_lines(out),
        LedgerForm::Codecarbon => ledger.write_code_carbon(out),
        LedgerForm::Focus => ledger.write_focus(out),
    };
    if wanted.form == LedgerForm::Parquet && wanted.output.is_none() && environment::is_terminal() {
        return Err(CommandError::new(
            Fault::Usage,
            "a Parquet file is nothing to read in a terminal",
        )
        .hint(format!("-o {}.parquet", table.name())));
    }
    match &wanted.output {
        None => match write(&mut std::io::stdout().lock()) {
            Err(LedgerError::Output { source })
                if source.kind() == std::io::ErrorKind::BrokenPipe => {}
            other => other.map_err(|error| failed(&error))?,
        },
        Some(file) => {
            let mut text = Vec::new();
            write(&mut text).map_err(|error| failed(&error))?;
            nearside_store::atomic::write(file, &text)
                .map_err(|error| CommandError::new(Fault::World, error.to_string()))?;
            output.progress(&format!("wrote {}", file.display()));
        }
    }
    Ok(Outcome::Done)
}

fn verify(
    path: &Path,
    rehearsal: bool,
    head: Option<&str>,
    output: &Output,
) -> Result<Outcome, CommandError> {
    let ledger = open(path, rehearsal)?;
    let noted = head.map(str::parse::<Head>).transpose().map_err(|error| {
        CommandError::new(Fault::Usage, error.to_string())
            .hint("--head takes what an earlier verify printed")
    })?;
    let found = ledger.verify(noted.as_ref()).map_err(|error| failed(&error))?;
    let answer = LedgerVerification {
        sound: found.is_sound(),
        entries: found.entries,
        head: found.head.map(|head| head.to_string()),
        faults: found.faults.iter().map(ToString::to_string).collect(),
        more_faults: found.more_faults,
        clock_steps: found.clock_steps.iter().map(ToString::to_string).collect(),
    };
    print("nearside/ledger-verify/1", &answer, text::verified, output);
    Ok(if answer.sound { Outcome::Done } else { Outcome::Negative })
}

fn print<T: serde::Serialize>(
    schema: &str,
    answer: &T,
    text: impl FnOnce(&T) -> String,
    output: &Output,
) {
    if output.form == Form::Json {
        let answer = Answer { schema, data: answer, warnings: &[], sources: &[] };
        return output.json(&answer, environment::today());
    }
    output.text(&text(answer));
}
