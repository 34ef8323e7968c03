//! `nearside doctor`: what a machine is, what is wrong with it, and what it reaches.

mod compare;
mod confidence;
mod emit;
mod examined;
mod in_plan;
mod power;
mod text;
mod view;

use std::path::{Path, PathBuf};

use nearside_ledger::{CeilingRow, MachineStore};
use nearside_probe::ceiling::{Ceilings, Measurement, measure};
use nearside_units::Date;

pub(crate) use compare::CompareAnswer;
pub(super) use confidence::{Measured, by_name};
pub(crate) use emit::EmitAnswer;
use examined::{Examined, examine};
pub(crate) use power::PowerAnswer;
pub(crate) use view::DoctorAnswer;
use view::{CeilingView, MachineView, MissingView};

use crate::cli::Doctor;
use crate::environment;
use crate::error::{CommandError, Fault};
use crate::output::{Answer, Form, Outcome, Output};
use crate::view::Figure;
use crate::wire;
use crate::wire::calibration::{history, machine_file};
use crate::wire::ceilings::{fingerprint, rows};

pub(super) fn run(arguments: &Doctor, output: &Output) -> Result<Outcome, CommandError> {
    if let Some(folder) = &arguments.moving.emit {
        return emit::run(folder, &arguments.moving, output);
    }
    if let Some(file) = &arguments.moving.compare {
        return compare::run(file, arguments.project(), output);
    }
    if arguments.power.power {
        return power::run(arguments, output);
    }
    match &arguments.root {
        Some(root) => elsewhere(root, arguments, output),
        None => here(arguments, output),
    }
}

/// Another machine, from its files.
fn elsewhere(root: &Path, arguments: &Doctor, output: &Output) -> Result<Outcome, CommandError> {
    let catalog = wire::catalog(output)?;
    let today = environment::today();
    let examined = examine(arguments, &catalog, today)?;
    let detected = nearside_probe::probe(root)
        .map_err(|error| CommandError::new(Fault::Input, error.to_string()))?;
    let (machine, mut notes) = wire::machine::of_detected(&catalog, &detected);
    notes.extend(examined.notes.iter().cloned());
    let mut machine = MachineView::of(&detected, &fingerprint(&machine), root);
    if root.join("df.txt").is_file() {
        // The copy of a machine lies on another disk than the machine did.
        let unknown = "of a recorded machine: see its disks below".to_owned();
        machine.free_disk_bytes = Figure::Unknown { unknown };
    }
    let answer = DoctorAnswer {
        machine,
        sections: examined.sections.clone(),
        torch: examined.torch.clone(),
        ceilings: Vec::new(),
        in_plan: None,
        not_measured: Vec::new(),
        kept_in: None,
    };
    show(&answer, &examined, &notes, (arguments, today), output);
    Ok(examined.outcome())
}

/// This machine.
fn here(arguments: &Doctor, output: &Output) -> Result<Outcome, CommandError> {
    if !arguments.folder.is_dir() {
        let message = format!("{} is no folder", arguments.folder.display());
        return Err(CommandError::new(Fault::Input, message)
            .hint("name a folder on the disk to measure, as in --folder /data"));
    }
    let catalog = wire::catalog(output)?;
    let today = environment::today();
    let examined = examine(arguments, &catalog, today)?;
    let detected = wire::machine::detected()?;
    let (machine, mut notes) = wire::machine::of_detected(&catalog, &detected);
    let machine = fingerprint(&machine);
    notes.extend(examined.notes.iter().cloned());
    let ceilings = arguments.measure.then(|| measured(arguments, &mut notes, output));
    let measured_in = absolute(&arguments.folder);
    let fresh =
        ceilings.as_ref().map(|found| rows(found, &measured_in, &detected, &machine, today));
    // The answer is shown even when it cannot be kept.
    let kept = fresh.as_deref().map_or(Ok(()), keep);
    let found = match (&kept, &fresh) {
        (Err(_), Some(fresh)) => fresh.clone(),
        _ => history(&machine)?,
    };
    let missing = ceilings.as_ref().map(|ceilings| ceilings.missing.as_slice());
    let answer = DoctorAnswer {
        machine: MachineView::of(&detected, &machine, &arguments.folder),
        sections: examined.sections.clone(),
        torch: examined.torch.clone(),
        ceilings: by_name(&found).iter().map(|found| CeilingView::of(found, today)).collect(),
        in_plan: match arguments.plan && !found.is_empty() {
            true => Some(in_plan::of(arguments.project(), &catalog)?),
            false => None,
        },
        not_measured: missing.unwrap_or_default().iter().map(MissingView::of).collect(),
        kept_in: environment::machine_file().map(|path| path.display().to_string()),
    };
    show(&answer, &examined, &notes, (arguments, today), output);
    kept?;
    let nothing = fresh.is_some_and(|fresh| fresh.is_empty());
    Ok(if nothing { Outcome::Negative } else { examined.outcome() })
}

fn absolute(folder: &Path) -> PathBuf {
    folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf())
}

fn measured(arguments: &Doctor, notes: &mut Vec<String>, output: &Output) -> Ceilings {
    let folder = absolute(&arguments.folder);
    let measurement = Measurement { folder: &folder };
    let ceilings = measure(&measurement, &mut |progress| {
        let nearside_probe::ceiling::Progress { what, step, steps } = progress;
        output.progress(&format!("measuring {what} ({step} of {steps})"));
    });
    if ceilings.conditions.is_busy() {
        let load = ceilings.conditions.load.as_ref().value().copied().unwrap_or_default();
        notes.push(format!(
            "other programs kept the machine busy (load {load:.2} on {} threads): the ceilings may \
             be too low; close them and measure again",
            ceilings.conditions.threads
        ));
    }
    ceilings
}

fn keep(rows: &[CeilingRow]) -> Result<(), CommandError> {
    let path = machine_file()?;
    let world = |error: nearside_ledger::LedgerError| {
        CommandError::new(Fault::World, format!("the ceilings are not kept: {error}"))
            .hint("set NEARSIDE_DATA_DIR to a folder that can be written")
    };
    MachineStore::open(&path).and_then(|mut store| store.add_ceilings(rows)).map_err(world)
}

/// Prints the answer in the form that is asked for.
fn show(
    answer: &DoctorAnswer,
    examined: &Examined,
    notes: &[String],
    (arguments, today): (&Doctor, Date),
    output: &Output,
) {
    match arguments.report {
        true => output.text(&examined::report::of(examined, &answer.machine, today)),
        false => print(answer, notes, today, output),
    }
}

fn print(answer: &DoctorAnswer, notes: &[String], today: Date, output: &Output) {
    if output.form == Form::Json {
        let sources = answer.ceilings.iter().map(CeilingView::source).collect::<Vec<_>>();
        let answer = Answer {
            schema: "nearside/doctor/1",
            data: answer,
            warnings: notes,
            sources: &sources,
        };
        return output.json(&answer, today);
    }
    output.text(&text::of(answer, output.detail));
    for note in notes {
        output.warning(note);
    }
    // Ceilings of another machine are measured there.
    if answer.kept_in.is_some() {
        text::hints(answer).iter().for_each(|hint| output.hint(hint));
    }
}
