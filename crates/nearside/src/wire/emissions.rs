//! What an execution here emitted, as the ledger keeps it: electricity by the grid of now, and its share
//! of making the machine, by the share of its life that it is assumed to work.
//!
//! Formulas: `nearside_estimate::carbon`. Energy that was not measured leaves the electricity's part
//! empty; the machine's part needs the time alone.

use nearside_catalog::Site;
use nearside_estimate::Calibration;
use nearside_estimate::carbon::{embodied, operational};
use nearside_ledger::RunRow;
use nearside_units::{GramsCo2e, Span};

use super::spend::Execution;

/// Emissions by part; what is not known is `None`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Emissions {
    operational: Option<GramsCo2e>,
    embodied: Option<GramsCo2e>,
}

impl Emissions {
    /// Of an execution on a site. What was measured is the machine's energy, so that the building's
    /// overhead (PUE) is added here.
    pub(crate) fn of(execution: &Execution<'_>, site: &Site, calibration: &Calibration) -> Self {
        let at_wall = |energy| Span::exact(energy * site.place.pue.value.likely());
        let energy = execution.energy.as_ref().map(|(energy, _)| at_wall(*energy));
        let electricity = energy.and_then(|energy| operational(site, energy).value());
        let machine = embodied(site, Span::exact(execution.took), calibration).value();
        Self { operational: electricity.map(Span::likely), embodied: machine.map(Span::likely) }
    }

    /// Writes them into the row of the execution.
    pub(crate) fn note(self, row: &mut RunRow) {
        row.operational_grams_co2e = self.operational.map(GramsCo2e::as_grams);
        row.embodied_grams_co2e = self.embodied.map(GramsCo2e::as_grams);
    }
}
