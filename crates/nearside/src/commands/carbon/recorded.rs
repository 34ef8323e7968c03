//! What the ledger recorded, as emissions.

use nearside_catalog::Site;
use nearside_economics::carbon::{
    EnergyMethod, Footprint, RecordedRun, RecordedStage, Tally, recorded,
};
use nearside_ledger::{Outcome as Ended, ProjectLedger, RunRow, Timestamp};
use nearside_units::{Duration, GramsCo2e, Joules, Known};
use nearside_workload::HERE;

use super::World;
use super::view::{EmissionsView, RecordedStageView, RecordedView};
use crate::error::CommandError;
use crate::wire;
use crate::wire::journal::failed;
use crate::wire::project::Loaded;
use crate::wire::sites::Own;

/// What ran on this machine.
pub(super) struct Recorded {
    pub(super) site: Site,
    pub(super) stages: Vec<RecordedStage>,
    /// What had to be assumed of the site.
    pub(super) notes: Vec<String>,
    since: String,
}

/// Executions of the ledger on this machine; none where nothing was recorded.
pub(super) fn rows(loaded: &Loaded) -> Result<Vec<RecordedRun>, CommandError> {
    let file = wire::journal::file(&wire::jobs::record(loaded, false)?);
    let ledger = ProjectLedger::open_to_read(&file).map_err(|error| failed(&error))?;
    let Some(ledger) = ledger else { return Ok(Vec::new()) };
    let rows = ledger.all::<RunRow>().map_err(|error| failed(&error))?;
    let ran = |row: &RunRow| {
        let worked = matches!(row.outcome, Ended::Ran | Ended::Failed | Ended::Interrupted);
        worked && row.site == HERE
    };
    Ok(rows.into_iter().map(|found| found.row).filter(ran).map(run).collect())
}

fn run(row: RunRow) -> RecordedRun {
    let took = row.run_seconds.and_then(|seconds| Duration::from_seconds(seconds).ok());
    let joules = row.energy_joules.and_then(|joules| Joules::from_joules(joules).ok());
    let method = row.energy_method.as_deref().and_then(EnergyMethod::of);
    RecordedRun {
        began: Duration::from_seconds(row.began.unix_millis() as f64 / 1e3)
            .unwrap_or(Duration::ZERO),
        took: Known::from_option(took, "how long a run took that did not end well is not recorded"),
        energy: Known::from_option(
            joules.map(|joules| (joules, method.unwrap_or(EnergyMethod::Modelled))),
            "the energy of some runs was not measured",
        ),
        operational: row.operational_grams_co2e.and_then(|grams| GramsCo2e::from_grams(grams).ok()),
        stage: row.stage,
    }
}

impl Recorded {
    pub(super) fn of(
        rows: Vec<RecordedRun>,
        world: &World<'_>,
    ) -> Result<Option<Self>, CommandError> {
        let began = rows.iter().map(|row| row.began.as_seconds()).reduce(f64::min);
        let Some(began) = began else { return Ok(None) };
        let own = wire::sites::own_here(world.loaded, world.catalog)?;
        let Own { site, notes, .. } = own.map_or_else(|| wire::sites::here(world.catalog), Ok)?;
        let stages = recorded(&rows, &site, world.uses.calibration(&site), world.today);
        let since = Timestamp::from_unix_millis((began * 1e3) as u64).unwrap_or(Timestamp::EPOCH);
        let since = since.to_string().get(..10).unwrap_or("").to_owned();
        Ok(Some(Self { site, stages, notes, since }))
    }

    /// All of it.
    pub(super) fn tally(&self) -> Tally {
        Tally::of(self.footprints())
    }

    /// Of every execution.
    pub(super) fn footprints(&self) -> impl Iterator<Item = &Footprint> {
        self.stages.iter().flat_map(|stage| &stage.footprints)
    }

    pub(super) fn view(&self) -> RecordedView {
        let stage = |stage: &RecordedStage| RecordedStageView {
            stage: stage.stage.clone(),
            executions: stage.executions,
            hours: stage.took.as_hours(),
            energy_methods: stage
                .methods
                .iter()
                .map(|(method, count)| (method.word().to_owned(), *count))
                .collect(),
            emissions: EmissionsView::of(&stage.tally()),
        };
        RecordedView {
            site: self.site.name.to_string(),
            since: self.since.clone(),
            stages: self.stages.iter().map(stage).collect(),
            total: EmissionsView::of(&self.tally()),
        }
    }
}
