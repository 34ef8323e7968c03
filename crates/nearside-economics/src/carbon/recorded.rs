//! What was recorded, as emissions: energy as it was known then, the machine's share by its time in use.
//!
//! Recorded energy is that of the machine, so PUE is applied here, once. Where stages ran side by side
//! the machine's share is divided among them: `time counted = time x union of times / sum of times`.

use std::collections::BTreeMap;

use nearside_catalog::Site;
use nearside_estimate::Calibration;
use nearside_units::{Date, Duration, GramsCo2e, Joules, Known, Span};

use super::footprint::{EnergyMethod, Footprint, Tally, Used, footprint};
use super::in_use::{Spell, union};

/// One execution of a stage.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordedRun {
    /// The stage.
    pub stage: String,
    /// When it began, since any moment that all have in common.
    pub began: Duration,
    /// How long it took.
    pub took: Known<Duration>,
    /// Energy of the machine meanwhile, and how it is known.
    pub energy: Known<(Joules, EnergyMethod)>,
    /// What its electricity emitted, where it was recorded with the intensity of then.
    pub operational: Option<GramsCo2e>,
}

impl RecordedRun {
    /// When the machine worked on it, if that is known.
    #[must_use]
    pub fn spell(&self) -> Option<Spell> {
        self.took.as_ref().value().map(|took| Spell { began: self.began, took: *took })
    }
}

/// The executions of a stage.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordedStage {
    /// The stage.
    pub stage: String,
    /// How many.
    pub executions: usize,
    /// How long they took, of those of which that is known.
    pub took: Duration,
    /// How their energy is known, and of how many; those of which it is not are in none.
    pub methods: BTreeMap<EnergyMethod, usize>,
    /// What each emitted.
    pub footprints: Vec<Footprint>,
}

impl RecordedStage {
    /// All of them together.
    #[must_use]
    pub fn tally(&self) -> Tally {
        Tally::of(&self.footprints)
    }
}

/// What executions on a site emitted, stage by stage.
#[must_use]
pub fn recorded(
    runs: &[RecordedRun],
    site: &Site,
    calibration: &Calibration,
    today: Date,
) -> Vec<RecordedStage> {
    let spells: Vec<Spell> = runs.iter().filter_map(RecordedRun::spell).collect();
    let sum = spells.iter().fold(Duration::ZERO, |sum, spell| sum + spell.took);
    let alone = if sum > Duration::ZERO { union(&spells) / sum } else { 1.0 };
    let mut stages: BTreeMap<&str, RecordedStage> = BTreeMap::new();
    for run in runs {
        let stage = stages.entry(&run.stage).or_insert_with(|| RecordedStage {
            stage: run.stage.clone(),
            executions: 0,
            took: Duration::ZERO,
            methods: BTreeMap::new(),
            footprints: Vec::new(),
        });
        stage.executions += 1;
        stage.took += run.took.clone().value().unwrap_or(Duration::ZERO);
        let energy = run.energy.clone();
        if let Known::Value((_, method)) = &energy {
            *stage.methods.entry(*method).or_default() += 1;
        }
        let used = Used {
            site,
            method: energy.as_ref().value().map_or(EnergyMethod::Modelled, |(_, method)| *method),
            energy: energy.map(|(energy, _)| Span::exact(energy * site.place.pue.value.likely())),
            time: run.took.clone().map(|took| Span::exact(took * alone)),
        };
        let mut found = footprint(&used, calibration, today);
        if let Some(recorded) = run.operational {
            found.operational = Known::Value(Span::exact(recorded));
        }
        stage.footprints.push(found);
    }
    stages.into_values().collect()
}
