//! The far sites of a project as the loop of development sees them: how long until a machine is there,
//! how long each stage takes, what moving its data takes.

use std::collections::BTreeMap;
use std::sync::Arc;

use nearside_catalog::{Economics, Site};
use nearside_economics::{FarSite, FarStage, FarWork};
use nearside_estimate::{Period, Verdict};
use nearside_plan::{Choice, Obstacle, Route};
use nearside_units::{Duration, ExchangeRates, Known, Money};
use nearside_workload::HERE;

use super::placement::{Posed, PosedStage};
use super::project::Loaded;
use super::stages::StageEstimate;

/// Every far site of a posed problem.
pub(crate) fn sites(loaded: &Loaded, posed: &Posed) -> Vec<FarSite> {
    let far = posed.sites.iter().enumerate().filter(|(_, site)| !site.is_near());
    far.map(|(at, site)| FarSite {
        name: site.name.to_string(),
        per_hour: per_hour(site, &loaded.project.money.exchange),
        stages: stages(loaded, posed, at, site),
    })
    .collect()
}

fn per_hour(site: &Site, exchange: &ExchangeRates) -> Known<Money> {
    let Economics::Rented { price, .. } = &site.economics else {
        return Known::unknown("it is not rented");
    };
    price.clone().and_then(|price| {
        exchange
            .convert(price.value.money())
            .map_or_else(|error| Known::unknown(error.to_string()), Known::Value)
    })
}

fn stages(
    loaded: &Loaded,
    posed: &Posed,
    at: usize,
    site: &Site,
) -> BTreeMap<String, Known<FarStage>> {
    let near = posed.sites.iter().position(|site| *site.name == *HERE);
    let stage = |(place, stage): (usize, &PosedStage)| {
        let name = loaded.project.stages[stage.index].name.value.clone();
        let place = place + posed.datasets;
        let choice = &posed.problem.stages[place].choices[at];
        let found = match refusal(choice, stage) {
            Some(why) => Known::unknown(why),
            None => upload(posed, place, choice).map(|upload| FarStage {
                upload,
                startup: stage.estimates.get(at).map_or_else(
                    || site.startup.value.likely(),
                    |estimate| estimate.largest.startup.likely(),
                ),
                work: stage.estimates.get(at).and_then(|there| {
                    Some(FarWork { there: work(there)?, here: work(stage.estimates.get(near?)?)? })
                }),
            }),
        };
        (name, found)
    };
    posed.stages.iter().enumerate().map(stage).collect()
}

/// The time of the work itself; nothing where it is not known or does not fit, and of a service, which
/// works until somebody ends it.
fn work(estimate: &StageEstimate) -> Option<Duration> {
    let pass = estimate.pass.as_ref().value()?.likely();
    let fits = matches!(estimate.verdict, Verdict::Fits | Verdict::Uncertain)
        && matches!(estimate.period, Period::Run);
    let startup = estimate.largest.startup.likely();
    fits.then(|| pass.checked_sub(startup).unwrap_or(Duration::ZERO))
}

/// Why a stage cannot be there. That it has no estimate is no reason.
pub(super) fn refusal(choice: &Choice, stage: &PosedStage) -> Option<String> {
    let mut obstacles = choice.obstacles.iter();
    obstacles.find_map(|obstacle| match obstacle {
        Obstacle::Hard(_) if stage.estimates.is_empty() => None,
        Obstacle::Hard(why) | Obstacle::Limit { why, .. } => Some(why.clone()),
    })
}

/// Moving the datasets that a stage reads to the place of a choice.
fn upload(posed: &Posed, place: usize, choice: &Choice) -> Known<Duration> {
    let edges = posed.problem.edges.iter();
    let datasets = edges.filter(|edge| edge.to == place && edge.from < posed.datasets);
    let mut milliseconds = 0.0;
    for edge in datasets {
        let Some(from) = posed.problem.stages[edge.from].choices.first() else { continue };
        let rates = match posed.problem.routes.between(from.location, choice.location) {
            None => continue,
            Some(Route::Blocked(why)) => return Known::Unknown(Arc::clone(why)),
            Some(Route::Open(rates)) => rates,
        };
        match &rates.time_per_gb {
            Known::Value(per_gb) => {
                milliseconds +=
                    rates.latency.get() as f64 + per_gb.get() as f64 * edge.pass.as_gb();
            }
            Known::Unknown(why) => return Known::Unknown(Arc::clone(why)),
        }
    }
    Duration::from_seconds(milliseconds / 1e3)
        .map_or_else(|error| Known::unknown(error.to_string()), Known::Value)
}
