//! Where every figure is from, what makes it unsure, and what is too old.

use std::collections::BTreeSet;

use nearside_catalog::Site;
use nearside_economics::carbon::{Footprint, Term, grid_is_old};
use nearside_estimate::carbon::service;
use nearside_units::{Basis, Date, Duration, Known, Sourced, Span, significant};

use super::World;
use super::planned::PlannedStage;
use super::recorded::Recorded;
use super::view::{BasisView, TermView};
use crate::view::InputView;

/// Site by site.
pub(super) fn of(
    sites: &[&Site],
    stages: &[PlannedStage<'_>],
    recorded: Option<&Recorded>,
    world: &World<'_>,
) -> Vec<BasisView> {
    let basis = |site: &&Site| {
        let planned = stages.iter().filter(|stage| stage.site.name == site.name);
        let mut footprints: Vec<&Footprint> = planned.map(|stage| &stage.once).collect();
        let here = recorded.filter(|recorded| recorded.site.name == site.name);
        footprints.extend(here.into_iter().flat_map(Recorded::footprints));
        BasisView {
            site: site.name.to_string(),
            inputs: inputs(site, world),
            steps: site.place.intensity_steps.iter().map(ToString::to_string).collect(),
            terms: terms(&footprints),
        }
    };
    sites.iter().map(basis).collect()
}

fn inputs(site: &Site, world: &World<'_>) -> Vec<InputView> {
    let place = &site.place;
    let (life, share) = service(site, world.uses.calibration(site));
    let percent = |share: f64| significant(share * 100.0);
    let range = |span: Span<f64>, show: &dyn Fn(f64) -> String| {
        let (low, high) = (show(span.low()), show(span.high()));
        if low == high { low } else { format!("{low}-{high}") }
    };
    let mut inputs = vec![input("PUE", range(place.pue.value, &significant), &place.pue.basis)];
    match &place.intensity {
        Known::Value(grid) => {
            inputs.push(input("grid intensity", grid.value.to_string(), &grid.basis));
        }
        Known::Unknown(why) => inputs.push(unknown("grid intensity", why)),
    }
    match &site.machine.embodied {
        Known::Value(made) => {
            inputs.push(input("making the machine", made.value.to_string(), &made.basis));
        }
        Known::Unknown(why) => inputs.push(unknown("making the machine", why)),
    }
    let Sourced { value: life, basis } = life;
    inputs.push(input("life", years(life), &basis));
    let shown = format!("{} %", range(share.value, &percent));
    inputs.push(input("share of its life in use", shown, &share.basis));
    inputs
}

fn years(life: Duration) -> String {
    format!("{} years", significant(life.as_hours() / nearside_units::HOURS_PER_YEAR))
}

fn input(what: &str, value: String, basis: &Basis) -> InputView {
    InputView {
        what: what.to_owned(),
        value,
        kind: basis.kind.to_string(),
        source: basis.source.to_string(),
        as_of: basis.as_of.map(|date| date.to_string()),
    }
}

fn unknown(what: &str, why: &str) -> InputView {
    InputView {
        what: what.to_owned(),
        value: "not known".to_owned(),
        kind: "-".to_owned(),
        source: why.to_owned(),
        as_of: None,
    }
}

/// What footprints depend on, each term once with its widest uncertainty, the widest first.
fn terms(footprints: &[&Footprint]) -> Vec<TermView> {
    let mut found: Vec<&Term> = Vec::new();
    for term in footprints.iter().flat_map(|one| one.of_operational.iter().chain(&one.of_embodied))
    {
        match found.iter_mut().find(|known| known.what == term.what) {
            Some(known) if known.sigma >= term.sigma => {}
            Some(known) => *known = term,
            None => found.push(term),
        }
    }
    found.sort_by(|one, other| other.sigma.total_cmp(&one.sigma));
    let view = |term: &&Term| TermView {
        term: term.what.to_string(),
        sigma: term.sigma,
        why: term.why.to_string(),
    };
    found.iter().map(view).collect()
}

/// What to beware of: grid figures that are old, and places that nobody stated.
pub(super) fn warnings(
    planned: &Known<Vec<PlannedStage<'_>>>,
    recorded: Option<&Recorded>,
    today: Date,
) -> Vec<String> {
    let stages = planned.as_ref().value().into_iter().flatten();
    let sites = stages.map(|stage| stage.site).chain(recorded.map(|recorded| &recorded.site));
    let old = |site: &Site| {
        let grid = site.place.intensity.as_ref().value()?;
        let as_of = grid.basis.as_of.filter(|as_of| grid_is_old(*as_of, today))?;
        Some(format!(
            "the grid's figure of {} ({}) is of {as_of}, older than 24 months; a newer one in \
             grids.csv of the catalog folder of your configuration takes its place",
            site.place.location, grid.value
        ))
    };
    sites.filter_map(old).collect::<BTreeSet<_>>().into_iter().collect()
}
