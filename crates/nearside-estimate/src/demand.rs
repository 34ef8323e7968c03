//! What a workload asks of a machine, whatever machine it is: memory by category, kernels to run,
//! bytes to load, core-seconds. [`crate::roofline`] turns it into time on a site.

use std::collections::BTreeMap;

use nearside_architecture::{Architecture, Component, Dtype, Graph, Operator, Shape};
use nearside_units::{Bytes, Flops};
use nearside_workload::{
    AttentionKernel, Batch, Custom, Preparation, Recipe, Serving, Task, Training, Workload,
};
use thiserror::Error;

use crate::live::Peak;
use crate::lowering::{Trained, lower};
use crate::optimizer;
use crate::pictures;
use crate::tape::{Category, Kernel, Tape, Work};
use crate::timeline::{self, Outputs, Passes, Program, TrainingStep};

/// Tokens of a prompt that serving engines work on at once (llama.cpp's and vLLM's default chunk).
const PROMPT_CHUNK: u64 = 512;

/// What a workload asks of one device.
#[derive(Clone, Debug, PartialEq)]
pub struct Demand {
    /// Device memory at its peak.
    pub memory: Memory,
    /// Passes over the device, each so many times.
    pub passes: Vec<Pass>,
    /// Weights that must be loaded before work starts.
    pub load: Bytes,
    /// Bytes that devices exchange per optimizer step when there are several.
    pub exchanged: Bytes,
    /// Work for processors alone, in core-seconds.
    pub core_seconds: f64,
}

/// Device memory at its peak.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Live bytes by category.
    pub by_category: BTreeMap<Category, Bytes>,
    /// Where the peak is, as in `backward: log softmax`.
    pub place: String,
    /// Parameters of the model, adapters included.
    pub parameters: u64,
    /// Parameters that are trained.
    pub trained: u64,
}

impl Memory {
    /// All categories together.
    #[must_use]
    pub fn total(&self) -> Bytes {
        self.by_category.values().copied().sum()
    }
}

/// A pass over the device that repeats.
#[derive(Clone, Debug, PartialEq)]
pub struct Pass {
    /// What it is, as in `optimizer step`.
    pub name: &'static str,
    /// How often it runs in one run of the workload.
    pub repeats: f64,
    /// Its kernels, equal ones counted together.
    pub kernels: Vec<(Work, u32)>,
}

/// Why a workload cannot be estimated.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NotEstimated {
    /// The model's family has no graph yet.
    #[error("{family} models are not estimated yet")]
    Family {
        /// The family.
        family: String,
    },
    /// The task works on a model and none was given.
    #[error("a {task} task needs a model")]
    NoModel {
        /// The task.
        task: &'static str,
    },
    /// Sizes that no machine of this world could hold.
    #[error("{tokens} tokens at once are more than can be estimated")]
    TooLarge {
        /// Tokens in one pass.
        tokens: u128,
    },
    /// Weights and arithmetic of different types in training.
    #[error("training with {weights} weights and {compute} arithmetic is not estimated yet")]
    MixedPrecision {
        /// The type of the weights.
        weights: &'static str,
        /// The type of the arithmetic.
        compute: &'static str,
    },
}

/// What a workload asks of each of `devices` devices: training splits its batch among them.
///
/// # Errors
/// When the workload is of a kind that is not estimated yet.
pub fn demand(workload: &Workload, devices: u64) -> Result<Demand, NotEstimated> {
    match &workload.task {
        Task::Preparation(preparation) => Ok(of_preparation(preparation)),
        Task::Custom(custom) => Ok(of_custom(custom)),
        Task::Pretrain(training) | Task::FineTune(training) => {
            of_training(workload, training, Trained::Everything, devices)
        }
        Task::Lora(training, adapter) | Task::Qlora(training, adapter) => {
            of_training(workload, training, Trained::Adapters(*adapter), devices)
        }
        Task::Inference(serving) => of_serving(workload, serving),
        Task::Evaluation(batch) => of_evaluation(workload, batch),
    }
}

/// How many devices a workload can use at once.
#[must_use]
pub fn usable_devices(workload: &Workload, devices: u64) -> u64 {
    match &workload.task {
        Task::Pretrain(training)
        | Task::FineTune(training)
        | Task::Lora(training, _)
        | Task::Qlora(training, _) => devices.min(training.batch).max(1),
        Task::Inference(_) | Task::Evaluation(_) | Task::Preparation(_) | Task::Custom(_) => 1,
    }
}

fn of_preparation(preparation: &Preparation) -> Demand {
    let by_category = BTreeMap::from([(Category::Workspace, preparation.memory)]);
    Demand {
        memory: Memory { by_category, place: "stated".to_owned(), parameters: 0, trained: 0 },
        passes: Vec::new(),
        load: Bytes::ZERO,
        exchanged: Bytes::ZERO,
        core_seconds: preparation.bytes.as_gb() * preparation.core_seconds_per_gb,
    }
}

fn of_custom(custom: &Custom) -> Demand {
    let by_category = BTreeMap::from([(Category::Workspace, custom.memory)]);
    let work = Work { kernel: Kernel::Matrix, flops: custom.flops, bytes: custom.bytes };
    Demand {
        memory: Memory { by_category, place: "stated".to_owned(), parameters: 0, trained: 0 },
        passes: vec![Pass { name: "run", repeats: 1.0, kernels: vec![(work, 1)] }],
        load: Bytes::ZERO,
        exchanged: Bytes::ZERO,
        core_seconds: 0.0,
    }
}

fn architecture(workload: &Workload) -> Result<&Architecture, NotEstimated> {
    let task = workload.task.name();
    let model = workload.model.as_ref().ok_or(NotEstimated::NoModel { task })?;
    Ok(model.architecture.as_ref())
}

fn of_training(
    workload: &Workload,
    training: &Training,
    trained: Trained,
    devices: u64,
) -> Result<Demand, NotEstimated> {
    let architecture = architecture(workload)?;
    let recipe = &workload.recipe;
    let known = match recipe.weights {
        Dtype::F32 => true,
        Dtype::Nf4 => trained != Trained::Everything,
        weights => weights == recipe.compute,
    };
    if !known {
        let (weights, compute) = (recipe.weights.name(), recipe.compute.name());
        return Err(NotEstimated::MixedPrecision { weights, compute });
    }
    let batch = training.batch.div_ceil(devices.max(1));
    let graph = bounded(architecture, Shape::training(batch, training.sequence), recipe)?;
    let tape = lower(&graph, recipe, trained);
    let passes = if training.accumulation > 1 { Passes::Accumulated } else { Passes::One };
    let step = TrainingStep { optimizer: recipe.optimizer, passes };
    let replayed = timeline::training(&tape, &PROGRAM, &step);
    let tokens_per_pass = (training.batch * training.sequence) as f64;
    let passes = (training.tokens as f64 / tokens_per_pass).ceil();
    let steps = (passes / training.accumulation as f64).ceil();
    let gradients: Bytes = tape.trained().map(|weight| tape.gradient_bytes(weight)).sum();
    let kernels = training_kernels(&tape);
    Ok(Demand {
        memory: memory(&tape, replayed.peak),
        passes: vec![
            Pass { name: "forward and backward", repeats: passes, kernels: counted(kernels) },
            Pass {
                name: "optimizer step",
                repeats: steps,
                kernels: vec![(optimizer::work(&tape, recipe.optimizer), 1)],
            },
        ],
        load: tape.weight_bytes(),
        exchanged: gradients,
        core_seconds: 0.0,
    })
}

/// A program that lets go of what it no longer needs.
pub(crate) const PROGRAM: Program = Program { workspace: Bytes::ZERO, outputs: Outputs::Dropped };

/// Largest number of bytes that a pass may come to: sums of them stay within 64 bits.
pub(crate) const MOST_BYTES: u128 = 1 << 62;

/// The graph of a pass whose sizes can be counted.
fn bounded(
    architecture: &Architecture,
    shape: Shape,
    recipe: &Recipe,
) -> Result<Graph, NotEstimated> {
    let tokens = u128::from(shape.batch) * u128::from(shape.tokens);
    let context = u128::from(shape.tokens) + u128::from(shape.past);
    let one = Shape { image: shape.image, ..Shape::prompt(1, 1) };
    let one = architecture.graph(one).ok_or_else(|| not_built(architecture))?;
    let widths: u128 = one.values.iter().map(|value| u128::from(value.elements())).sum();
    let heads = one.nodes.iter().map(|node| match &node.operator {
        Operator::Attention(attention) => u128::from(attention.heads),
        _ => 0,
    });
    let scores = match recipe.attention {
        AttentionKernel::Eager => heads.sum::<u128>() * context,
        AttentionKernel::Masked | AttentionKernel::Fused => context,
    };
    // A value is kept in at most four copies of at most eight bytes.
    let bytes = tokens.checked_mul(widths + scores).and_then(|elements| elements.checked_mul(64));
    if bytes.is_none_or(|bytes| bytes > MOST_BYTES) {
        return Err(NotEstimated::TooLarge { tokens });
    }
    architecture.graph(shape).ok_or_else(|| not_built(architecture))
}

pub(crate) fn not_built(architecture: &Architecture) -> NotEstimated {
    let family = match architecture {
        Architecture::Other { family, .. } => family.clone(),
        Architecture::Decoder(_) => "decoder".to_owned(),
        Architecture::Unet(_) => "U-Net".to_owned(),
        Architecture::DenoisingTransformer(_) => "image transformer".to_owned(),
        Architecture::Vae(_) => "autoencoder".to_owned(),
        Architecture::Pipeline(pipeline) => {
            let unknown = |component: &&Component| {
                component.architecture.graph(Shape::images(1, None)).is_none()
            };
            let found = pipeline.components.iter().find(unknown);
            return found.map_or_else(
                || NotEstimated::Family { family: pipeline.class.clone() },
                |component| not_built(&component.architecture),
            );
        }
    };
    NotEstimated::Family { family }
}

/// Forward and backward kernels; checkpointed stretches run forward twice.
fn training_kernels(tape: &Tape) -> Vec<Work> {
    let mut kernels = Vec::with_capacity(tape.steps.len() * 2);
    for segment in &tape.segments {
        let steps = &tape.steps[segment.steps.clone()];
        let forwards = if segment.recomputed { 2 } else { 1 };
        for _ in 0..forwards {
            kernels.extend(steps.iter().map(|step| step.forward));
        }
        kernels.extend(steps.iter().map(|step| step.backward));
    }
    kernels
}

/// Equal kernels counted together, those that do nothing left out.
pub(crate) fn counted(kernels: impl IntoIterator<Item = Work>) -> Vec<(Work, u32)> {
    let mut counts: BTreeMap<(Kernel, Bytes, u64), (Work, u32)> = BTreeMap::new();
    let busy = |work: &Work| work.bytes > Bytes::ZERO || work.flops > Flops::ZERO;
    for work in kernels.into_iter().filter(busy) {
        let key = (work.kernel, work.bytes, work.flops.as_flops().to_bits());
        counts.entry(key).or_insert((work, 0)).1 += 1;
    }
    counts.into_values().collect()
}

pub(crate) fn memory(tape: &Tape, peak: Peak) -> Memory {
    let elements = |weight| tape.of(weight).elements;
    Memory {
        place: format!("{}: {}", peak.pass, peak.step),
        by_category: peak.by_category,
        parameters: tape.weights().map(elements).sum(),
        trained: tape.trained().map(elements).sum(),
    }
}

fn of_evaluation(workload: &Workload, batch: &Batch) -> Result<Demand, NotEstimated> {
    let rounds = batch.requests.div_ceil(batch.batch) as f64;
    if pictures::are_made(architecture(workload)?) {
        return pictures::demand(workload, Shape::images(batch.batch, None), rounds);
    }
    let request = Request { prompt: batch.prompt, output: batch.output };
    let shape = Shape::prompt(batch.batch, batch.prompt);
    let answering = Answering { prompts: shape, rounds, together: batch.batch, decoded: rounds };
    answer(workload, request, answering)
}

fn of_serving(workload: &Workload, serving: &Serving) -> Result<Demand, NotEstimated> {
    if pictures::are_made(architecture(workload)?) {
        let rounds = serving.requests as f64 / serving.concurrency.max(1) as f64;
        return pictures::demand(workload, Shape::images(serving.concurrency, None), rounds);
    }
    let request = Request { prompt: serving.prompt, output: serving.output };
    let chunk = serving.prompt.clamp(1, PROMPT_CHUNK);
    let chunks = serving.prompt.div_ceil(chunk) as f64 * serving.requests as f64;
    let answering = Answering {
        // A chunk sees on average half of the prompt before it.
        prompts: Shape { past: (serving.prompt - chunk) / 2, ..Shape::prompt(1, chunk) },
        rounds: chunks,
        together: serving.concurrency,
        decoded: serving.requests as f64 / serving.concurrency as f64,
    };
    answer(workload, request, answering)
}

#[derive(Clone, Copy)]
struct Request {
    prompt: u64,
    output: u64,
}

/// How requests are put through the model.
struct Answering {
    /// One prompt pass.
    prompts: Shape,
    /// How many prompt passes.
    rounds: f64,
    /// Requests whose tokens are written together, and whose cache is held.
    together: u64,
    /// How many groups of requests are written.
    decoded: f64,
}

fn answer(
    workload: &Workload,
    request: Request,
    answering: Answering,
) -> Result<Demand, NotEstimated> {
    let architecture = architecture(workload)?;
    let recipe = &workload.recipe;
    let graph = bounded(architecture, answering.prompts, recipe)?;
    let tape = lower(&graph, recipe, Trained::Nothing);
    let next = Shape::next_token(answering.together, request.prompt + request.output / 2);
    let next_graph = bounded(architecture, next, recipe)?;
    // One new token is read by every engine with a fused kernel.
    let next_recipe = Recipe { attention: AttentionKernel::Fused, ..*recipe };
    let next_tape = lower(&next_graph, &next_recipe, Trained::Nothing);
    let context = request.prompt + request.output;
    let cached = u128::from(graph.cached_elements(context) / answering.prompts.batch)
        * u128::from(answering.together);
    let cached = u64::try_from(cached).ok().filter(|cached| u128::from(*cached) * 8 < MOST_BYTES);
    let too_large =
        || NotEstimated::TooLarge { tokens: u128::from(context) * u128::from(answering.together) };
    let cache = recipe.cache.bytes(cached.ok_or_else(too_large)?);
    let stored = workload.model.as_ref().and_then(|model| model.stored);
    let stored = stored.filter(|stored| stored.dtype == recipe.weights);
    let peak = |tape: &Tape| {
        let mut peak = timeline::inference(tape, &PROGRAM).peak;
        peak.by_category.insert(Category::Cache, cache);
        if let Some(stored) = stored {
            peak.by_category.insert(Category::Weights, stored.bytes);
        }
        peak
    };
    let (reading, writing) = (peak(&tape), peak(&next_tape));
    let peak = if writing.total() > reading.total() { writing } else { reading };
    let forward = |tape: &Tape| counted(tape.steps.iter().map(|step| step.forward));
    let mut writing = forward(&next_tape);
    let read = recipe.cache.bytes(next_graph.cached_elements(next.past));
    writing.push((Work { kernel: Kernel::Pointwise, flops: Flops::ZERO, bytes: read }, 1));
    let written = answering.decoded * request.output as f64;
    Ok(Demand {
        load: peak.by_category.get(&Category::Weights).copied().unwrap_or(Bytes::ZERO),
        memory: memory(&tape, peak),
        passes: vec![
            Pass { name: "read prompts", repeats: answering.rounds, kernels: forward(&tape) },
            Pass { name: "write tokens", repeats: written, kernels: writing },
        ],
        exchanged: Bytes::ZERO,
        core_seconds: 0.0,
    })
}
