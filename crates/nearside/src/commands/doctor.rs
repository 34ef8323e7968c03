//! `nearside doctor [--measure]`: what this machine is, and what it reaches.

mod confidence;
mod in_plan;
mod power;
mod text;
mod view;

use nearside_ledger::{CeilingRow, MachineStore};
use nearside_probe::Detected;
use nearside_probe::ceiling::{Ceilings, Measurement, measure};
use nearside_units::Date;

pub(super) use confidence::{Measured, by_name};
pub(crate) use power::PowerAnswer;
pub(crate) use view::DoctorAnswer;
use view::{CeilingView, MachineView, MissingView};

use crate::cli::Doctor;
use crate::environment;
use crate::error::{CommandError, Fault};
use crate::output::{Answer, Form, Outcome, Output};
use crate::wire;
use crate::wire::calibration::{history, machine_file};
use crate::wire::ceilings::{fingerprint, rows};

pub(super) fn run(arguments: &Doctor, output: &Output) -> Result<Outcome, CommandError> {
    if arguments.power.power {
        return power::run(arguments, output);
    }
    if !arguments.folder.is_dir() {
        let message = format!("{} is no folder", arguments.folder.display());
        return Err(CommandError::new(Fault::Input, message)
            .hint("name a folder on the disk to measure, as in --folder /data"));
    }
    let catalog = wire::catalog(output)?;
    let detected = nearside_probe::this_machine()
        .map_err(|error| CommandError::new(Fault::World, error.to_string()))?;
    let (machine, mut notes) = wire::machine::of_detected(&catalog, &detected);
    let machine = fingerprint(&machine);
    let today = environment::today();
    let ceilings = arguments.measure.then(|| measured(arguments, &mut notes, output));
    let fresh = ceilings.as_ref().map(|found| rows(found, &detected, &machine, today));
    // The answer is shown even when it cannot be kept.
    let kept = fresh.as_deref().map_or(Ok(()), keep);
    let found = match (&kept, &fresh) {
        (Err(_), Some(fresh)) => fresh.clone(),
        _ => history(&machine)?,
    };
    let mut answer = answer(arguments, &detected, (&machine, today), &found, ceilings.as_ref());
    if arguments.plan && !found.is_empty() {
        answer.in_plan = Some(in_plan::of(&arguments.path, &catalog)?);
    }
    print(&answer, &notes, today, output);
    kept?;
    let nothing = fresh.is_some_and(|fresh| fresh.is_empty());
    Ok(if nothing { Outcome::Negative } else { Outcome::Done })
}

fn measured(arguments: &Doctor, notes: &mut Vec<String>, output: &Output) -> Ceilings {
    let folder = std::path::absolute(&arguments.folder);
    let folder = folder.unwrap_or_else(|_| arguments.folder.clone());
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

fn answer(
    arguments: &Doctor,
    detected: &Detected,
    (machine, today): (&str, Date),
    history: &[CeilingRow],
    ceilings: Option<&Ceilings>,
) -> DoctorAnswer {
    let missing = ceilings.map(|ceilings| ceilings.missing.as_slice()).unwrap_or_default();
    DoctorAnswer {
        machine: MachineView::of(detected, machine, &arguments.folder),
        ceilings: by_name(history).iter().map(|found| CeilingView::of(found, today)).collect(),
        in_plan: None,
        not_measured: missing.iter().map(MissingView::of).collect(),
        kept_in: environment::machine_file().map(|path| path.display().to_string()),
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
    text::hints(answer).iter().for_each(|hint| output.hint(hint));
}
