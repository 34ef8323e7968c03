//! Emissions per unit of work: `SCI = (E x I + M) / R` (Software Carbon Intensity, ISO/IEC 21031:2024).
//!
//! It is a rate, not a total, and offsets, certificates and market-based figures have no place in it. It
//! is called SCI only where the boundary, R, I and M are all known; else it is "SCI-style".

use std::sync::Arc;

use nearside_catalog::Site;
use nearside_estimate::Calibration;
use nearside_estimate::carbon::service;
use nearside_units::{GramsCo2e, GramsPerKwh, Joules, Kind, Known, Span};

use super::footprint::{Footprint, Tally};

/// The unit of work, R.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Per {
    /// One run of a stage, or one month of a service.
    Run,
    /// A million tokens that a model reads and writes.
    MillionTokens,
    /// An image that a model draws or sees.
    Image,
}

/// The score itself: `(E x I + M) / R`; nothing per nothing.
///
/// ```
/// use nearside_economics::carbon::software_carbon_intensity;
/// use nearside_units::{GramsCo2e, GramsPerKwh, Joules};
/// let energy: Joules = "2 kWh".parse().unwrap();
/// let per_million = software_carbon_intensity(
///     energy, GramsPerKwh::constant(300.0), GramsCo2e::constant(200.0), 4.0);
/// assert_eq!(per_million, Some(GramsCo2e::constant(200.0)));
/// ```
#[must_use]
pub fn software_carbon_intensity(
    energy: Joules,
    intensity: GramsPerKwh,
    embodied: GramsCo2e,
    units: f64,
) -> Option<GramsCo2e> {
    let total = nearside_estimate::carbon::operational_emissions(energy, intensity) + embodied;
    (units > 0.0).then(|| total * (1.0 / units))
}

/// Emissions per unit of work.
#[derive(Clone, Debug, PartialEq)]
pub struct Score {
    /// The unit.
    pub per: Per,
    /// How many of it, R.
    pub units: f64,
    /// Emissions of one: of the parts that are known.
    pub value: GramsCo2e,
    /// What is not known of it; where nothing is lacking it may be called SCI.
    pub lacks: Vec<Arc<str>>,
}

impl Score {
    /// What it may be called.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        if self.lacks.is_empty() { "SCI" } else { "SCI-style" }
    }
}

/// What the boundary of a score is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Boundary<'a> {
    /// Machines and their buildings alone; whether more belongs to the software nobody said.
    Machines,
    /// Somebody stated what belongs to it, in these words.
    Stated(&'a str),
}

/// What a score is of.
#[derive(Clone, Copy, Debug)]
pub struct Scored<'a> {
    /// Where.
    pub site: &'a Site,
    /// How much its machine is in use.
    pub calibration: &'a Calibration,
    /// What belongs to the software.
    pub boundary: Boundary<'a>,
}

/// The score of a stage on a site, by what one run of it emits; unknown without energy or intensity.
#[must_use]
pub fn score(of: &Footprint, scored: &Scored<'_>, per: Per, units: Known<f64>) -> Known<Score> {
    let (energy, grid) =
        (of.energy.clone().map(Span::likely), scored.site.place.intensity.as_ref());
    energy.zip(grid).zip(units).and_then(|((energy, grid), units)| {
        let embodied = of.embodied.clone().map(Span::likely).value().unwrap_or(GramsCo2e::ZERO);
        let value = software_carbon_intensity(energy, grid.value, embodied, units);
        let score = value.map(|value| Score { per, units, value, lacks: lacks(of, scored) });
        Known::from_option(score, "there is none of it in a run")
    })
}

/// What is not known well enough to call it SCI.
fn lacks(of: &Footprint, scored: &Scored<'_>) -> Vec<Arc<str>> {
    let Scored { site, calibration, boundary } = *scored;
    let mut lacks = Tally::of([of]).missing();
    let assumed = |kind: Kind| kind == Kind::Assumed;
    if let Known::Value(intensity) = &site.place.intensity
        && assumed(intensity.basis.kind)
    {
        lacks.push("I: the grid is not known, the world's average stands in for it".into());
    }
    if let Known::Value(made) = &site.machine.embodied
        && assumed(made.basis.kind)
    {
        lacks.push("M: what making the machine emitted is assumed".into());
    }
    let (life, share) = service(site, calibration);
    if assumed(life.basis.kind) || assumed(share.basis.kind) {
        lacks.push(
            "M: how long the machine serves, or how much of that it is in use, is assumed".into(),
        );
    }
    if boundary == Boundary::Machines {
        lacks.push("boundary: whether networks, storage and the machines of users belong to it is not stated".into());
    }
    lacks
}
