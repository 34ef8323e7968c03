//! The answer of `nearside fit` without a model, as data.

use schemars::JsonSchema;
use serde::Serialize;

use super::super::view::FreeView;
use crate::view::{Figure, InputView, Range};

/// The answer of `nearside fit` without a model.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct FitList {
    /// Where models were tried.
    pub(super) site: String,
    /// What is free there, when that is this machine.
    pub(super) free: Option<FreeView>,
    /// The task.
    pub(super) task: String,
    /// Sequences per pass, or requests at once.
    pub(super) batch: u64,
    /// Tokens per sequence.
    pub(super) sequence: u64,
    /// The order of the models, in words.
    pub(super) ranking: String,
    /// The speed that counts as fast enough.
    pub(super) fast_tokens_per_second: f64,
    /// Models that surely fit, the best first.
    pub(super) models: Vec<Runs>,
    /// How many more surely fit.
    pub(super) more_models: u64,
    /// Models that do not surely fit, those that lack least first.
    pub(super) out_of_reach: Vec<OutOfReach>,
    /// How many more do not.
    pub(super) more_out_of_reach: u64,
    /// Models of which it cannot be told.
    pub(super) not_known: Vec<Untold>,
}

/// A model that surely fits.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Runs {
    /// Its name in the catalog.
    pub(super) model: String,
    /// Its parameters.
    pub(super) parameters: Option<u64>,
    /// Parameters that one token uses, where fewer.
    pub(super) active_parameters: Option<u64>,
    /// The best way to do it: in answering the best quality that surely fits and is fast enough.
    pub(super) recipe: String,
    /// What tells that way from the others.
    pub(super) with: String,
    /// All the memory it needs.
    pub(super) needed_bytes: Option<Range>,
    /// The memory that programs can have.
    pub(super) available_bytes: Figure<Range>,
    /// Tokens per second: written in answering, read in training.
    pub(super) tokens_per_second: Figure<Range>,
    /// The longest sequence that surely fits, no longer than the model was made for.
    pub(super) context_tokens: Option<u64>,
    /// The longest sequence that the model was made for.
    pub(super) made_for_tokens: Option<u64>,
    /// The licence of its weights.
    pub(super) licence: String,
    /// Whether that is an open-source licence.
    pub(super) open_licence: bool,
    /// What the figures were computed from.
    pub(super) inputs: Vec<InputView>,
}

/// A model that does not surely fit.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct OutOfReach {
    /// Its name in the catalog.
    pub(super) model: String,
    /// Its parameters.
    pub(super) parameters: Option<u64>,
    /// The way to do it that needs least without a loss that shows.
    pub(super) with: String,
    /// All the memory it needs that way.
    pub(super) needed_bytes: Option<Range>,
    /// How much more memory would surely be enough.
    pub(super) short_bytes: Option<u64>,
    /// Why, in words.
    pub(super) why: String,
    /// The cheapest change with which it surely fits.
    pub(super) fits_with: Option<String>,
    /// The licence of its weights.
    pub(super) licence: String,
    /// Whether that is an open-source licence.
    pub(super) open_licence: bool,
}

/// A model of which it cannot be told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Untold {
    /// Its name in the catalog.
    pub(super) model: String,
    /// Why.
    pub(super) why: String,
}
