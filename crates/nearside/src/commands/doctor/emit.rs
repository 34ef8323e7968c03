//! `nearside doctor --emit`: what rebuilds the environment of this machine elsewhere.
//!
//! Files are rendered from what was found, compared with those that are there, and written all or not
//! at all: what a person wrote is not lost.

mod choice;
mod constraints;
mod devcontainer;
mod dockerfile;
mod folder;
mod pyproject;
mod text;
mod view;

use std::path::Path;

use nearside_catalog::{Catalog, TorchBuild};
use nearside_workload::EnvironmentLock;
use nearside_workload::environment_lock::LOCK_FILE;

use crate::cli::Moving;
use crate::environment;
use crate::error::{CommandError, Fault};
use crate::output::{Answer, Form, Outcome, Output};
use crate::wire;

use choice::{Base, TorchIndex};
use folder::{File, State};
pub(crate) use view::EmitAnswer;

/// What every file is rendered from.
struct Emission {
    /// The name of the project's folder, as packages may be called.
    name: String,
    /// What was found.
    lock: EnvironmentLock,
    /// What the image is built on.
    base: Base,
    /// Where PyTorch comes from, if it is wanted from an index of its own.
    torch: Option<TorchIndex>,
}

pub(super) fn run(
    folder: &Path,
    arguments: &Moving,
    output: &Output,
) -> Result<Outcome, CommandError> {
    let folder = wire::project::folder(folder);
    if !folder.is_dir() {
        let message = format!("{} is no folder", folder.display());
        return Err(CommandError::new(Fault::Input, message)
            .hint("name the folder of a project, as in --emit ."));
    }
    let catalog = wire::catalog(output)?;
    let (emission, mut notes) = found(folder, arguments, &catalog)?;
    let files = folder::planned(folder, &emission)?;
    notes.extend(emission.notes());
    let stands = |file: &File| matches!(file.state, State::Differs | State::Contradicts);
    let blocked = !arguments.force && files.iter().any(stands);
    let written = !blocked && !arguments.dry_run;
    if written {
        folder::write(folder, &files)?;
    }
    let answer = EmitAnswer::of(folder, &emission, &files, view::Written::of(written));
    print(&answer, &notes, arguments, output);
    Ok(if blocked { Outcome::Negative } else { Outcome::Done })
}

/// What this machine is, and what follows for the files.
fn found(
    folder: &Path,
    arguments: &Moving,
    catalog: &Catalog,
) -> Result<(Emission, Vec<String>), CommandError> {
    let detected = nearside_probe::this_machine()
        .map_err(|error| CommandError::new(Fault::World, error.to_string()))?;
    let absolute = folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf());
    let (lock, mut notes) = wire::environment_lock::found(&detected, &absolute);
    let choice::Choice { base, torch, doubts } =
        choice::choose(catalog, &lock, arguments.driver.as_ref());
    notes.extend(doubts);
    let name = absolute.file_name().unwrap_or_default().to_string_lossy();
    Ok((Emission { name: pyproject::name(&name), lock, base, torch }, notes))
}

/// What the PyTorch that was found was built for.
fn torch(lock: &EnvironmentLock) -> Option<&TorchBuild> {
    lock.python.as_ref().value()?.torch.as_ref()?.as_ref().value()
}

impl Emission {
    /// What the files cannot hold.
    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if let Some(why) = self.lock.python.why() {
            notes.push(format!("{why}: no package is written down"));
        }
        let left_out = pyproject::left_out(self);
        notes.extend(left_out.into_iter().map(|(package, why)| {
            format!("{package} cannot be installed elsewhere by its version: {why}")
        }));
        notes
    }
}

fn print(answer: &EmitAnswer, notes: &[String], arguments: &Moving, output: &Output) {
    if output.form == Form::Json {
        let schema = "nearside/doctor-emit/1";
        let answer = Answer { schema, data: answer, warnings: notes, sources: &[] };
        return output.json(&answer, environment::today());
    }
    output.text(&match arguments.dry_run {
        true => text::in_full(answer),
        false => text::of(answer),
    });
    notes.iter().for_each(|note| output.warning(note));
    if let Some(hint) = text::hint(answer, arguments.dry_run) {
        output.hint(&hint);
    }
}

/// The lock, as the file of its name.
fn lock_text(lock: &EnvironmentLock) -> String {
    format!(
        "# Written by `nearside doctor --emit`: what makes the environment of the stages. Results depend\n\
         # on it; `nearside doctor --compare {LOCK_FILE}` says what is different on another machine.\n{lock}"
    )
}
