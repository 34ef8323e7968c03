//! The answer of `nearside carbon` as data: what text and JSON both show.

use std::collections::BTreeMap;

use nearside_economics::carbon::{Interval, Tally};
use nearside_units::{AtLeast, GramsCo2e, Joules, Known};
use schemars::JsonSchema;
use serde::Serialize;

use super::planned::PlannedStage;
use crate::view::{Figure, InputView, sources};

/// The answer of `nearside carbon`. Emissions are in kilograms of CO2 equivalent, by location average.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct CarbonAnswer {
    /// The project.
    pub(super) project: String,
    /// As planned, or why there is no plan.
    pub(super) planned: Figure<PlannedView>,
    /// As recorded; null where nothing was.
    pub(super) recorded: Option<RecordedView>,
    /// How the share of its life that this machine is in use is known.
    pub(super) in_use: InUseView,
    /// Other accounts of each site, never part of a total.
    pub(super) accounts: Vec<AccountView>,
    /// What belongs to the software that is scored.
    pub(super) boundary: String,
    /// Emissions per unit of work.
    pub(super) scores: Vec<ScoreView>,
    /// The same work on each site in use, least first; null unless asked for.
    pub(super) sites: Option<Vec<SiteView>>,
    /// When to start; null unless asked for.
    pub(super) hours: Option<HoursView>,
    /// What was offset; null unless asked for. No other figure depends on it.
    pub(super) offsets: Option<OffsetsView>,
    /// Where every figure is from, site by site.
    pub(super) basis: Vec<BasisView>,
}

/// An amount that may have unknown parts.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct PartView {
    /// The sum of what is known; null where nothing is.
    pub(super) value: Option<f64>,
    /// Why parts of it are missing; where there are any the sum is "at least".
    pub(super) lacks: Vec<String>,
}

/// Energy and emissions.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct EmissionsView {
    /// Energy at the wall of the building, its overhead (PUE) in it once.
    pub(super) energy_kwh: PartView,
    /// Of electricity, by location average.
    pub(super) operational_kg: PartView,
    /// Shares of making the machines.
    pub(super) embodied_kg: PartView,
    /// Both, of what is known.
    pub(super) total_kg: PartView,
    /// One of twenty values is lower.
    pub(super) p5_kg: f64,
    /// One of twenty values is higher.
    pub(super) p95_kg: f64,
    /// Standard deviation of the logarithm of the total.
    pub(super) sigma: f64,
    /// The term that makes it most unsure.
    pub(super) widest: Option<WidestView>,
}

/// A term that dominates.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct WidestView {
    pub(super) term: String,
    /// Its share of the variance, 0 to 1.
    pub(super) share: f64,
}

/// The plan.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct PlannedView {
    pub(super) stages: Vec<PlannedStageView>,
    /// All stages, a month.
    pub(super) per_month: EmissionsView,
}

/// A stage where the plan places it.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct PlannedStageView {
    pub(super) stage: String,
    pub(super) site: String,
    /// Runs per month; 1 for a service, whose figures are monthly.
    pub(super) runs_per_month: f64,
    /// `run` or `service`.
    pub(super) kind: String,
    pub(super) per_run: EmissionsView,
    pub(super) per_month: EmissionsView,
    /// What its time and energy were computed from.
    pub(super) inputs: Vec<InputView>,
}

/// What the ledger has.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct RecordedView {
    /// Where it ran.
    pub(super) site: String,
    /// When the first execution began.
    pub(super) since: String,
    pub(super) stages: Vec<RecordedStageView>,
    pub(super) total: EmissionsView,
}

/// Executions of a stage.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct RecordedStageView {
    pub(super) stage: String,
    pub(super) executions: usize,
    /// How long they took, of those of which that is recorded.
    pub(super) hours: f64,
    /// How energy is known, and of how many executions.
    pub(super) energy_methods: BTreeMap<String, usize>,
    pub(super) emissions: EmissionsView,
}

/// The share of its life that this machine is in use.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct InUseView {
    /// 0 to 1.
    pub(super) share: f64,
    /// Whether the ledger tells it; else it is assumed.
    pub(super) measured: bool,
    /// How it is known.
    pub(super) how: String,
}

/// Other accounts of a site, which are no part of any total.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct AccountView {
    pub(super) site: String,
    /// What one more kilowatt-hour emits.
    pub(super) marginal: Figure<OtherView>,
    /// What a kilowatt-hour emits by contracts.
    pub(super) market: Figure<OtherView>,
    /// Share of carbon-free energy hour by hour, 0 to 1, with what its provider bought; shown, never
    /// multiplied with anything.
    pub(super) carbon_free: Figure<f64>,
}

/// A figure by another account.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct OtherView {
    pub(super) g_per_kwh: f64,
    /// Of the planned energy of a month; null where there is none.
    pub(super) kg_per_month: Option<f64>,
    pub(super) source: String,
}

/// Emissions per unit of work.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct ScoreView {
    pub(super) stage: String,
    /// `planned` or `recorded`.
    pub(super) of: String,
    /// `run`, `million tokens` or `image`.
    pub(super) per: String,
    /// What it may be called, with its grams per unit; or why there is none.
    pub(super) score: Figure<ScoredView>,
}

/// A score.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct ScoredView {
    /// `SCI`, or `SCI-style` where something is lacking.
    pub(super) label: String,
    /// Grams of CO2 equivalent per unit.
    pub(super) grams: f64,
    /// Units in a run.
    pub(super) units: f64,
    /// What is lacking.
    pub(super) lacks: Vec<String>,
}

/// The work on one site.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct SiteView {
    pub(super) site: String,
    pub(super) g_per_kwh: Figure<f64>,
    /// Stages that can be estimated and fit there.
    pub(super) stages: usize,
    /// Of them, those that its rules do not let there.
    pub(super) not_allowed: Vec<String>,
    /// Stages that are not in the sum, and why.
    pub(super) left_out: Vec<LeftOut>,
    pub(super) per_month: EmissionsView,
}

/// A stage that cannot be on a site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct LeftOut {
    pub(super) stage: String,
    pub(super) why: String,
}

/// When to start on one site.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct HoursView {
    /// The sites whose grid it is.
    pub(super) sites: String,
    pub(super) file: String,
    /// The columns that were read.
    pub(super) columns: Vec<String>,
    /// The first hour of the file, in UTC.
    pub(super) from: String,
    /// The end of its last hour.
    pub(super) to: String,
    /// Whether all of its hours are over.
    pub(super) is_past: bool,
    pub(super) stages: Vec<StartView>,
    /// Stages that are on other sites.
    pub(super) elsewhere: Vec<String>,
}

/// When a stage had better start.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct StartView {
    pub(super) stage: String,
    pub(super) hours: Figure<f64>,
    pub(super) best: Figure<BestView>,
}

/// The best start.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct BestView {
    /// In UTC.
    pub(super) start: String,
    /// Mean intensity from then on, in g/kWh.
    pub(super) mean: f64,
    /// Mean over all starts.
    pub(super) average: f64,
    /// The worst start, in UTC.
    pub(super) worst_start: String,
    pub(super) worst: f64,
    /// Share saved against the average start, 0 to 1.
    pub(super) saves_of_average: f64,
    /// Share saved against the worst start, 0 to 1.
    pub(super) saves_of_worst: f64,
    /// Grams saved in one run against the average start; null where its energy is not known.
    pub(super) saves_grams: Option<f64>,
    /// How many starts were compared.
    pub(super) starts: usize,
}

/// Offsets beside what was emitted.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct OffsetsView {
    /// What `gross_kg` is of.
    pub(super) of: String,
    /// What was emitted; no offset lowers it.
    pub(super) gross_kg: PartView,
    /// Retired offsets that avoided emissions.
    pub(super) avoided_kg: f64,
    /// Retired offsets that removed and stored.
    pub(super) removed_kg: f64,
    /// Of them, what is stored for a hundred years or more.
    pub(super) removed_for_long_kg: f64,
    /// Offsets that do not count, because they are not retired.
    pub(super) not_retired_kg: f64,
    /// What they cost, one amount per currency.
    pub(super) cost: Vec<String>,
    /// Of how many no price is stated.
    pub(super) unpriced: usize,
    /// What to doubt.
    pub(super) doubts: Vec<String>,
}

/// Where the figures of a site are from.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct BasisView {
    pub(super) site: String,
    pub(super) inputs: Vec<InputView>,
    /// Steps down from the place to its state, its country, the world.
    pub(super) steps: Vec<String>,
    /// What makes its figures unsure.
    pub(super) terms: Vec<TermView>,
}

/// A term with its uncertainty.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct TermView {
    pub(super) term: String,
    /// Standard deviation of its logarithm.
    pub(super) sigma: f64,
    pub(super) why: String,
}

const GRAMS_PER_KG: f64 = 1e3;

pub(super) fn kilograms(grams: GramsCo2e) -> f64 {
    grams.as_grams() / GRAMS_PER_KG
}

impl PartView {
    pub(super) fn of<T: Copy + PartialEq>(sum: &AtLeast<T>, number: impl Fn(T) -> f64) -> Self {
        let value = number(sum.total);
        let known = sum.is_complete() || value > 0.0;
        Self {
            value: known.then_some(value),
            lacks: sum.missing.iter().map(ToString::to_string).collect(),
        }
    }
}

impl EmissionsView {
    pub(super) fn of(tally: &Tally) -> Self {
        let Interval { p5, likely, p95, sigma, widest } = &tally.total;
        let total = AtLeast { total: *likely, missing: tally.missing() };
        Self {
            energy_kwh: PartView::of(&tally.energy, Joules::as_kwh),
            operational_kg: PartView::of(&tally.operational, kilograms),
            embodied_kg: PartView::of(&tally.embodied, kilograms),
            total_kg: PartView::of(&total, kilograms),
            p5_kg: kilograms(*p5),
            p95_kg: kilograms(*p95),
            sigma: *sigma,
            widest: widest.as_ref().map(|widest| WidestView {
                term: widest.term.what.to_string(),
                share: widest.share,
            }),
        }
    }
}

impl PlannedView {
    pub(super) fn of(planned: &Known<Vec<PlannedStage<'_>>>, sum: &Tally) -> Figure<Self> {
        Figure::of(planned, |stages| Self {
            stages: stages.iter().map(PlannedStageView::of).collect(),
            per_month: EmissionsView::of(sum),
        })
    }
}

impl PlannedStageView {
    fn of(stage: &PlannedStage<'_>) -> Self {
        let view = |times: f64| EmissionsView::of(&Tally::of([&stage.once.times(times)]));
        Self {
            stage: stage.name.to_owned(),
            site: stage.site.name.to_string(),
            runs_per_month: stage.monthly,
            kind: if stage.service { "service" } else { "run" }.to_owned(),
            per_run: view(1.0),
            per_month: view(stage.monthly),
            inputs: stage.inputs.iter().map(InputView::of).collect(),
        }
    }
}

impl CarbonAnswer {
    /// The sources of all figures, each once.
    pub(super) fn sources(&self) -> Vec<String> {
        let sites = self.basis.iter().flat_map(|basis| &basis.inputs);
        let stages = match &self.planned {
            Figure::Value(planned) => planned.stages.as_slice(),
            Figure::Unknown { .. } => &[],
        };
        sources(sites.chain(stages.iter().flat_map(|stage| &stage.inputs)))
    }
}
