//! What a machine draws while work goes on, as the ledger measured it.

use nearside_ledger::{Outcome, ProjectLedger, RunRow};
use nearside_units::{Basis, Duration, Joules, Kind, Sourced, Span, Watts, significant};
use nearside_workload::HERE;

use super::journal::{failed, file};
use super::project::Loaded;
use crate::error::CommandError;

/// A run of less time than this says little of power: it is over before anything is warm.
const LEAST: Duration = Duration::constant(10.0);

/// The mean power of the runs of a project on this machine, where sensors saw all of the machine: the
/// least and the most of a run, and the mean over all their time. None where nothing was measured.
pub(crate) fn at_work(loaded: &Loaded) -> Result<Option<Sourced<Span<Watts>>>, CommandError> {
    let file = file(&super::jobs::record(loaded, false)?);
    let ledger = ProjectLedger::open_to_read(&file).map_err(|error| failed(&error))?;
    let Some(ledger) = ledger else { return Ok(None) };
    let rows = ledger.all::<RunRow>().map_err(|error| failed(&error))?;
    Ok(mean(rows.iter().map(|recorded| &recorded.row)))
}

fn mean<'a>(rows: impl Iterator<Item = &'a RunRow>) -> Option<Sourced<Span<Watts>>> {
    let seen: Vec<(Joules, Duration)> = rows.filter_map(measured).collect();
    let powers = seen.iter().filter_map(|(energy, time)| *energy / *time);
    let least = powers.clone().reduce(|one, other| if other < one { other } else { one })?;
    let most = powers.reduce(|one, other| if other > one { other } else { one })?;
    let energy: Joules = seen.iter().map(|(energy, _)| *energy).sum();
    let time: Duration = seen.iter().map(|(_, time)| *time).sum();
    let span = Span::new(least, (energy / time)?, most).ok()?;
    let runs = seen.len();
    let hours = significant(time.as_hours());
    let source = format!("the ledger: sensors of the machine in {runs} runs of {hours} h together");
    Some(Sourced::new(span, Basis { kind: Kind::Measured, source: source.into(), as_of: None }))
}

/// Energy and time of a run whose energy was measured, all of it.
fn measured(row: &RunRow) -> Option<(Joules, Duration)> {
    let sensed = matches!(row.energy_method.as_deref(), Some("measured" | "sampled"));
    let ran = row.outcome == Outcome::Ran && row.site == HERE && sensed;
    let energy = Joules::from_joules(row.energy_joules.filter(|_| ran)?).ok()?;
    let time = Duration::from_seconds(row.run_seconds?).ok()?;
    (time >= LEAST).then_some((energy, time))
}
