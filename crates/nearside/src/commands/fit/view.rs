//! The answer of `nearside fit` as data: what text and JSON both show.

use nearside_estimate::limits::{Limits, MOST, Most};
use schemars::JsonSchema;
use serde::Serialize;

use crate::view::{Figure, InputView, Range};
use crate::wire::machine::Free;

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
    /// The side of its images in pixels, where not the one that it was made for.
    pub(super) image: Option<u64>,
    /// Tokens per sequence; none for images.
    pub(super) sequence: Option<u64>,
    /// Each task that was tried.
    pub(super) tasks: Vec<TaskFit>,
    /// What is free where it was tried, when that is this machine.
    pub(super) free: Option<FreeView>,
    /// The cheapest changes that make the task fit that was asked for, or what comes nearest.
    pub(super) techniques: Vec<TechniqueFit>,
    /// The most that surely fits of the task that was asked for.
    pub(super) limits: Option<LimitsView>,
}

/// Memory that nobody uses now, and all there is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct FreeView {
    /// Free main memory.
    pub(super) memory_free_bytes: Option<u64>,
    /// All main memory that programs may use.
    pub(super) memory_total_bytes: Option<u64>,
    /// Free memory of the accelerator, of the one that has least.
    pub(super) device_free_bytes: Option<u64>,
    /// All memory of that accelerator.
    pub(super) device_total_bytes: Option<u64>,
}

impl FreeView {
    pub(super) fn of(free: &Free) -> Self {
        Self {
            memory_free_bytes: free.memory.map(|part| part.free.get()),
            memory_total_bytes: free.memory.map(|part| part.total.get()),
            device_free_bytes: free.device.map(|part| part.free.get()),
            device_total_bytes: free.device.map(|part| part.total.get()),
        }
    }
}

/// The most that surely fits, each with everything else as asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct LimitsView {
    /// Sequences per pass, or requests read and written together; zero when not even one fits.
    pub(super) batch: Option<u64>,
    /// Tokens per sequence, or prompt and answer together; zero when not even the shortest fits.
    pub(super) sequence: Option<u64>,
    /// Requests in flight in a service; inference only.
    pub(super) concurrency: Option<u64>,
    /// How far was looked: a limit that is as large means so much or more.
    pub(super) looked_up_to: u64,
}

impl LimitsView {
    pub(super) fn of(limits: Limits) -> Self {
        let count = |most: Most| match most {
            Most::Nothing => 0,
            Most::Exactly(most) => most,
            Most::More => MOST,
        };
        Self {
            batch: limits.batch.map(count),
            sequence: limits.sequence.map(count),
            concurrency: limits.concurrency.map(count),
            looked_up_to: MOST,
        }
    }
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
    /// Images per second, of models that make or read those.
    pub(super) images_per_second: Option<Range>,
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

/// A change, or several together, with what comes of it.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct TechniqueFit {
    /// What to do, all steps together.
    pub(super) technique: String,
    /// Each step.
    pub(super) steps: Vec<StepView>,
    /// fits, uncertain, does not fit or unknown.
    pub(super) verdict: String,
    /// All the memory it needs.
    pub(super) needed_bytes: Option<Range>,
    /// Its time over the time without the change.
    pub(super) time_ratio: Option<f64>,
    /// How many devices of the same kind it takes, where there are fewer.
    pub(super) devices: Option<u32>,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct StepView {
    /// What.
    pub(super) name: String,
    /// What it costs besides time.
    pub(super) price: String,
}
