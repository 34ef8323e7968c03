//! The answer of `nearside resilience` as data.

use std::collections::BTreeMap;

use nearside_economics::{Drilled, Rate, Sample, Years, score};
use nearside_workload::Project;
use schemars::JsonSchema;
use serde::Serialize;

use super::usual;
use crate::wire::events::KINDS;

/// Data of `resilience --json`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ResilienceAnswer {
    /// ISO 4217 code of all money in this answer.
    pub(crate) currency: String,
    /// The mean over all events of the share of stages that go on, 0 to 1; those that break a limit count half.
    pub(crate) score: f64,
    /// What happens, and what it does.
    pub(crate) events: Vec<EventView>,
    /// What has to be at home before the network is gone.
    pub(crate) at_home: Vec<String>,
    /// Years at random, where they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) years: Option<YearsView>,
}

/// An event.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct EventView {
    /// Its kind: provider, region, network, machine, prices, spot, quota, country.
    pub(crate) kind: String,
    /// What happens.
    pub(crate) event: String,
    /// How long it lasts.
    pub(crate) lasts_seconds: f64,
    /// Stages that can be nowhere meanwhile.
    pub(crate) stops: Vec<StopView>,
    /// Stages that wait for them.
    pub(crate) waits: Vec<String>,
    /// Stages that are done elsewhere.
    pub(crate) moves: Vec<MoveView>,
    /// How much more money a month the stages that go on cost; less than nothing where it is less, and no number
    /// where a part of it is not known.
    pub(crate) extra_cost_per_month: Option<f64>,
    /// How much later a pass is done that begins with the event.
    pub(crate) delay_seconds: f64,
    /// Limits that are broken: deadline, budget, carbon.
    pub(crate) breaks: Vec<String>,
    /// The share of stages that go on, 0 to 1.
    pub(crate) goes_on: f64,
}

/// A stage that stops.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct StopView {
    /// Its name.
    pub(crate) stage: String,
    /// Where it was.
    pub(crate) was: String,
    /// Why it can be nowhere else.
    pub(crate) why: String,
}

/// A stage that moves.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct MoveView {
    /// Its name.
    pub(crate) stage: String,
    /// From here.
    pub(crate) from: String,
    /// To there.
    pub(crate) to: String,
}

/// Years at random.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct YearsView {
    /// How many were drawn.
    pub(crate) years: usize,
    /// Days that stood still: a day in which half of the stages stop counts a half.
    pub(crate) lost_days: SpreadView,
    /// More money than planned in a year; nothing where that of some event is not known.
    pub(crate) extra_cost: Option<SpreadView>,
    /// Share of the years in which nothing stood still, 0 to 1.
    pub(crate) untouched: f64,
    /// How often each kind of event was taken to happen.
    pub(crate) rates: Vec<RateView>,
}

/// A figure of a year.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct SpreadView {
    /// Mean.
    pub(crate) mean: f64,
    /// Half of the years have no more.
    pub(crate) p50: f64,
    /// Nineteen of twenty have no more.
    pub(crate) p95: f64,
}

/// How often a kind of event happens.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct RateView {
    /// The kind.
    pub(crate) kind: String,
    /// Times a year, for each event of the kind.
    pub(crate) per_year: f64,
    /// How long on average.
    pub(crate) mean_seconds: f64,
    /// stated or assumed.
    pub(crate) basis: String,
    /// What the rate is of.
    pub(crate) why: String,
}

impl ResilienceAnswer {
    pub(super) fn of(project: &Project, drilled: &[(&'static str, Drilled)]) -> Self {
        let drills: Vec<Drilled> = drilled.iter().map(|(_, drilled)| drilled.clone()).collect();
        Self {
            currency: project.money.exchange.currency().code().to_owned(),
            score: score(&drills).unwrap_or(1.0),
            events: drilled.iter().map(|(kind, drilled)| EventView::of(kind, drilled)).collect(),
            at_home: at_home(project),
            years: None,
        }
    }

    /// Whether nothing stops but what needs the own machine when that is broken.
    pub(super) fn holds(&self) -> bool {
        self.events
            .iter()
            .filter(|event| event.kind != "machine")
            .all(|event| event.stops.is_empty())
    }
}

impl EventView {
    fn of(kind: &str, drilled: &Drilled) -> Self {
        Self {
            kind: kind.to_owned(),
            event: drilled.event.name.to_string(),
            lasts_seconds: drilled.event.lasts.as_seconds(),
            stops: drilled
                .stopped
                .iter()
                .map(|it| StopView {
                    stage: it.stage.clone(),
                    was: it.was.clone(),
                    why: it.why.clone(),
                })
                .collect(),
            waits: drilled.waiting.clone(),
            moves: drilled
                .moved
                .iter()
                .map(|it| MoveView {
                    stage: it.stage.clone(),
                    from: it.from.clone(),
                    to: it.to.clone(),
                })
                .collect(),
            extra_cost_per_month: drilled
                .extra_cost()
                .map(|micros| (micros as f64 / 1e4).round() / 100.0),
            delay_seconds: drilled.delay().as_seconds(),
            breaks: drilled.breaks.iter().map(|limit| (*limit).to_owned()).collect(),
            goes_on: drilled.goes_on(),
        }
    }
}

/// What is somewhere else now, or fetched when it is needed.
fn at_home(project: &Project) -> Vec<String> {
    let datasets = project.datasets.iter().filter(|dataset| dataset.at != nearside_workload::HERE);
    let datasets =
        datasets.map(|dataset| format!("dataset {}: it is at {}", dataset.name.value, dataset.at));
    // A path has a separator or an ending; a name of the catalog is fetched.
    let fetched = |source: &str| !source.contains(['/', '\\']) && !source.ends_with(".gguf");
    let models = project.models.iter().filter(|model| fetched(&model.source.value));
    let models = models.map(|model| format!("model {}: {}", model.name.value, model.source.value));
    let images = project.stages.iter().filter_map(|stage| {
        Some(format!("image {} of stage {}", stage.image.as_ref()?, stage.name.value))
    });
    datasets.chain(models).chain(images).collect()
}

impl YearsView {
    pub(super) fn of(
        years: &Years,
        drilled: &[(&'static str, Drilled)],
        stated: &BTreeMap<&'static str, Rate>,
    ) -> Self {
        let spread = |sample: &Sample| SpreadView {
            mean: sample.mean().unwrap_or(0.0),
            p50: sample.quantile(0.5).unwrap_or(0.0),
            p95: sample.quantile(0.95).unwrap_or(0.0),
        };
        let happens = KINDS.iter().filter(|kind| drilled.iter().any(|(of, _)| *of == kind.name));
        let rates = happens.map(|kind| {
            let rate = stated.get(kind.name);
            let of = rate.cloned().unwrap_or_else(|| usual(kind.name));
            RateView {
                kind: kind.name.to_owned(),
                per_year: of.per_year,
                mean_seconds: of.mean.as_seconds(),
                basis: if rate.is_some() { "stated" } else { "assumed" }.to_owned(),
                why: if rate.is_some() { "" } else { kind.why }.to_owned(),
            }
        });
        Self {
            years: years.lost_days.numbers().len(),
            lost_days: spread(&years.lost_days),
            extra_cost: drilled
                .iter()
                .all(|(_, drilled)| drilled.extra_cost().is_some())
                .then(|| spread(&years.extra_cost)),
            untouched: years.untouched,
            rates: rates.collect(),
        }
    }
}
