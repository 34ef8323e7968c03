//! What a rehearsal used and what it tells about the full run, for tables and JSON alike.

use schemars::JsonSchema;
use serde::Serialize;

use crate::commands::plan::TotalsView;
use crate::view::{Figure, MoneyRange, Range};

/// What a rehearsal used, and what it tells about the full run.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct RehearsalView {
    /// What was taken of each dataset.
    pub(super) samples: Vec<SampleView>,
    /// Which model was used for each of the project's.
    pub(super) models: Vec<StandInView>,
    /// What the full run will take; none in a dry run, and when a stage did not end well.
    pub(in crate::commands::run) full_run: Option<FullRunView>,
}

/// What was taken of a dataset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct SampleView {
    /// Its name.
    pub(super) dataset: String,
    /// `records` from its beginning, `files` from all over the folder, `whole`, or `missing`.
    pub(super) taken: &'static str,
    /// How many records or files, where a part was taken.
    pub(super) count: Option<usize>,
    /// How many files there are, where some were taken.
    pub(super) of: Option<usize>,
}

/// A model and what a rehearsal uses instead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct StandInView {
    /// Its name in the project.
    pub(super) model: String,
    /// What the full run uses.
    pub(super) full: String,
    /// What the rehearsal uses.
    pub(super) rehearsal: String,
}

/// The plan of the full run.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct FullRunView {
    /// ISO 4217 code of every amount.
    pub(super) currency: String,
    /// What it comes to; none when no plan keeps to the limits.
    pub(super) totals: Option<TotalsView>,
    /// Where each stage goes, and what it takes there.
    pub(super) stages: Vec<FullStageView>,
}

/// A stage of the full run.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct FullStageView {
    /// Its name.
    pub(super) stage: String,
    /// Where it goes.
    pub(super) site: String,
    /// What a pass waits for it, in hours.
    pub(super) pass_hours: Figure<Range>,
    /// Money per month at marginal cost.
    pub(super) cost_per_month: Figure<MoneyRange>,
    /// How many times as long the rehearsal took as estimated for it; the figures are corrected by it.
    pub(super) corrected_by: Option<f64>,
    /// Why they are not.
    pub(super) not_corrected: Option<String>,
}
