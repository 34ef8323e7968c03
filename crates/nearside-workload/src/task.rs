//! What has to be computed: the tasks of a machine-learning project, with their shape and volume.

use std::sync::Arc;

use nearside_architecture::{Architecture, Dtype};
use nearside_units::{Bytes, Flops};

use crate::Recipe;
use crate::named::named;

/// Something to compute: a task on a model with a recipe.
#[derive(Clone, Debug, PartialEq)]
pub struct Workload {
    /// What to do.
    pub task: Task,
    /// The model it works on; data preparation and custom work have none.
    pub model: Option<ModelRef>,
    /// With which precision, optimizer, kernels and engine.
    pub recipe: Recipe,
    /// The side of its images in pixels, where not the one that the model was made for.
    pub image: Option<u64>,
}

/// A model by name, with what it is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelRef {
    /// How the project or the catalog calls it.
    pub name: String,
    /// What it is made of.
    pub architecture: Arc<Architecture>,
    /// How its file stores it, where there is a file: it beats any type stated for its weights.
    pub stored: Option<Stored>,
}

/// How a file stores a model's weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The type of most of its bytes.
    pub dtype: Dtype,
    /// All of its tensors.
    pub bytes: Bytes,
    /// Of that the table of words where it is looked up alone, and no product: where the output has another one.
    pub looked_up: Bytes,
}

/// What to do with a model, or without one.
#[derive(Clone, Debug, PartialEq)]
pub enum Task {
    /// Train every weight from scratch.
    Pretrain(Training),
    /// Train every weight from published ones.
    FineTune(Training),
    /// Train low-rank adapters beside frozen weights.
    Lora(Training, Adapter),
    /// Train low-rank adapters beside frozen weights stored in 4 bits.
    Qlora(Training, Adapter),
    /// Answer requests for as long as the stage is deployed.
    Inference(Serving),
    /// Answer a fixed set of requests and score the answers.
    Evaluation(Batch),
    /// Read, clean or transform data.
    Preparation(Preparation),
    /// Anything else, stated by its needs.
    Custom(Custom),
}

impl Task {
    /// What is trained on, of tasks that train.
    #[must_use]
    pub const fn training(&self) -> Option<Training> {
        match self {
            Self::Pretrain(training)
            | Self::FineTune(training)
            | Self::Lora(training, _)
            | Self::Qlora(training, _) => Some(*training),
            Self::Inference(_) | Self::Evaluation(_) | Self::Preparation(_) | Self::Custom(_) => {
                None
            }
        }
    }

    /// Its name in project files.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Pretrain(_) => "pretrain",
            Self::FineTune(_) => "fine-tune",
            Self::Lora(..) => "lora",
            Self::Qlora(..) => "qlora",
            Self::Inference(_) => "inference",
            Self::Evaluation(_) => "evaluation",
            Self::Preparation(_) => "preparation",
            Self::Custom(_) => "custom",
        }
    }
}

/// How much to train on, and in which portions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Training {
    /// Tokens seen in one run, epochs included.
    pub tokens: u64,
    /// Tokens per sequence.
    pub sequence: u64,
    /// Sequences per forward pass.
    pub batch: u64,
    /// Forward passes per optimizer step.
    pub accumulation: u64,
}

/// Low-rank adapters (LoRA, arXiv 2106.09685).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Adapter {
    /// Rank of the update.
    pub rank: u64,
    /// Which projections get one.
    pub targets: AdapterTargets,
    /// How the update acts on a projection.
    pub method: AdapterMethod,
}

/// How an update acts on a projection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdapterMethod {
    /// It is added (LoRA).
    Lora,
    /// It is added, and every output is scaled to a learned length (DoRA, arXiv 2402.09353).
    Dora,
}

/// Which projections get an adapter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdapterTargets {
    /// Every linear layer of every block, not the output layer (QLoRA's choice).
    Linear,
    /// Query, key, value and output projections.
    Attention,
    /// Query and value projections only (the LoRA paper's choice).
    QueryValue,
}

impl AdapterTargets {
    const NAMES: [(Self, &'static str); 3] = [
        (Self::Linear, "linear"),
        (Self::Attention, "attention"),
        (Self::QueryValue, "query-value"),
    ];
}
named!(AdapterTargets, "adapter targets");

impl AdapterMethod {
    const NAMES: [(Self, &'static str); 2] = [(Self::Lora, "lora"), (Self::Dora, "dora")];
}
named!(AdapterMethod, "adapter");

/// Requests answered as they come, by a service that is up for so many hours a month.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Serving {
    /// Requests per month.
    pub requests: u64,
    /// Tokens read per request.
    pub prompt: u64,
    /// Tokens written per request.
    pub output: u64,
    /// Requests in flight at once that memory must hold.
    pub concurrency: u64,
    /// Hours per month that the service is up; at most 730.
    pub hours: f64,
}

/// A fixed set of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Requests in one run.
    pub requests: u64,
    /// Tokens read per request.
    pub prompt: u64,
    /// Tokens written per request.
    pub output: u64,
    /// Requests worked on at once.
    pub batch: u64,
}

/// Data work on processors.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Preparation {
    /// Data read in one run.
    pub bytes: Bytes,
    /// Seconds that one core needs per gigabyte.
    pub core_seconds_per_gb: f64,
    /// Memory needed.
    pub memory: Bytes,
}

/// Work stated by its needs alone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Custom {
    /// Arithmetic in one run.
    pub flops: Flops,
    /// Bytes moved to and from memory in one run.
    pub bytes: Bytes,
    /// Memory needed.
    pub memory: Bytes,
    /// Whether it runs on an accelerator or on processors.
    pub device: CustomDevice,
}

/// Where custom work runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CustomDevice {
    /// On an accelerator; sites without one cannot run it.
    Accelerator,
    /// On processors.
    Processor,
}

impl CustomDevice {
    const NAMES: [(Self, &'static str); 2] =
        [(Self::Accelerator, "accelerator"), (Self::Processor, "processor")];
}
named!(CustomDevice, "device");
