//! Hours of work as the ledger recorded them on the own machine.

use nearside_economics::Input;
use nearside_ledger::{Outcome as Ended, RunRow};
use nearside_units::{Basis, Kind, Span};

use crate::commands::ledger;
use crate::error::{CommandError, Fault};
use crate::wire::project::Loaded;
use crate::wire::roi::per_month;

/// Machine-hours a month of the projects together, and what a reader should know.
pub(super) fn hours(projects: &[Loaded]) -> Result<(Input, Vec<String>), CommandError> {
    let (mut hours, mut notes, mut runs) = (0.0, Vec::new(), 0);
    for loaded in projects {
        let ledger = ledger::open(&loaded.file, false)?;
        let rows = ledger.all::<RunRow>().map_err(|error| crate::wire::journal::failed(&error))?;
        let worked: Vec<(f64, f64)> = rows.iter().filter_map(|row| worked(&row.row)).collect();
        let seconds: f64 = worked.iter().map(|(_, seconds)| seconds).sum();
        let began = worked.iter().map(|(began, _)| *began).fold(f64::INFINITY, f64::min);
        let ended = worked.iter().map(|(began, seconds)| began + seconds).fold(0.0, f64::max);
        let name = &loaded.project.name;
        if worked.is_empty() {
            return Err(CommandError::new(
                Fault::Input,
                format!("{name}: nothing was executed yet"),
            )
            .hint("nearside run"));
        }
        let timeless = rows.iter().filter(|row| is_timeless(&row.row)).count();
        if timeless > 0 {
            notes.push(format!(
                "{timeless} executions of {name} are left out: how long they took is not recorded"
            ));
        }
        runs += worked.len();
        let (of_project, short) =
            per_month(seconds / 3600.0, (ended - began) / 3600.0, &format!("the ledger of {name}"));
        hours += of_project;
        notes.extend(short);
    }
    let source = format!("{runs} executions in the ledger").into();
    let basis = Basis { kind: Kind::Measured, source, as_of: None };
    Ok((Input { span: Span::exact(hours), basis }, notes))
}

/// Whether something ran and nobody recorded for how long.
const fn is_timeless(row: &RunRow) -> bool {
    let ran = !matches!(row.outcome, Ended::Cached | Ended::Restored);
    ran && row.run_seconds.is_none()
}

/// When an execution began and how many seconds it took; nothing where nothing ran, or its time is not known.
fn worked(row: &RunRow) -> Option<(f64, f64)> {
    match row.outcome {
        Ended::Cached | Ended::Restored => None,
        Ended::Ran | Ended::Failed | Ended::Interrupted => {
            Some((row.began.unix_millis() as f64 / 1e3, row.run_seconds?))
        }
    }
}
