//! The answer of `nearside fit` as data: what text and JSON both show.

use schemars::JsonSchema;
use serde::Serialize;

use crate::view::{Figure, InputView, Range};

/// The answer of `nearside fit`.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct FitAnswer {
    /// The model as it was asked for.
    pub(super) model: String,
    /// Its parameters.
    pub(super) parameters: Option<u64>,
    /// Parameters that one token uses, where fewer.
    pub(super) active_parameters: Option<u64>,
    /// The longest sequence it was made for, in tokens.
    pub(super) context_tokens: Option<u64>,
    /// Where it was tried.
    pub(super) site: String,
    /// Sequences per pass, or requests at once.
    pub(super) batch: u64,
    /// Tokens per sequence.
    pub(super) sequence: u64,
    /// Each task that was tried.
    pub(super) tasks: Vec<TaskFit>,
    /// Changes that need less memory, for the task that was asked for.
    pub(super) techniques: Vec<TechniqueFit>,
}

/// One task.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct TaskFit {
    /// The task.
    pub(super) task: String,
    /// How: types, optimizer, kernels.
    pub(super) recipe: String,
    /// fits, uncertain, does not fit or unknown.
    pub(super) verdict: String,
    /// Why.
    pub(super) why: String,
    /// accelerator or processor.
    pub(super) device: String,
    /// All the memory it needs, allocator and driver included.
    pub(super) needed_bytes: Option<Range>,
    /// The memory that programs can have.
    pub(super) available_bytes: Figure<Range>,
    /// Live memory at the peak by category.
    pub(super) memory: Vec<MemoryRow>,
    /// Where the peak is.
    pub(super) peak: Option<String>,
    /// Parameters that are trained.
    pub(super) trained_parameters: Option<u64>,
    /// What limits its speed.
    pub(super) bottleneck: Figure<String>,
    /// Tokens per second.
    pub(super) tokens_per_second: Figure<Range>,
    /// What the figures were computed from.
    pub(super) inputs: Vec<InputView>,
}

/// Live memory of one category.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct MemoryRow {
    /// weights, gradients, optimizer, activations, logits, kv cache or workspace.
    pub(super) category: String,
    /// How much.
    pub(super) bytes: u64,
}

/// A change that needs less memory.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct TechniqueFit {
    /// What to do.
    pub(super) technique: String,
    /// What it costs besides time.
    pub(super) price: String,
    /// fits, uncertain, does not fit or unknown.
    pub(super) verdict: String,
    /// All the memory it needs.
    pub(super) needed_bytes: Option<Range>,
    /// Its time over the time without the change.
    pub(super) time_ratio: Option<f64>,
}
