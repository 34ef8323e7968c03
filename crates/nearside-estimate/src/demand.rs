//! What a workload asks of a machine, whatever machine it is: memory by category, kernels to run,
//! bytes to load, core-seconds. [`crate::roofline`] turns it into time on a site.

use std::collections::BTreeMap;

use nearside_architecture::{Architecture, Dtype, Graph, Operator, Shape};
use nearside_units::{Bytes, Flops};
use nearside_workload::{
    AttentionKernel, Batch, Custom, Preparation, Recipe, Serving, Task, Training, Workload,
};
use thiserror::Error;

use crate::communication::{Collective, Exchange, Overlap};
use crate::live::Peak;
use crate::lowering::{Trained, lower};
use crate::optimizer;
use crate::parallel::{Groups, NotShared, tensor, training, used_devices};
use crate::tape::{Category, Flow, Input, Kernel, Step, Tape, Work};
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
    /// What devices exchange when there are several.
    pub exchanges: Vec<Exchange>,
    /// What waits in the machine's memory.
    pub host: training::HostShare,
    /// How devices share the work, in words; `None` where each works as if alone.
    pub sharing: Option<String>,
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
    /// Devices cannot share the work as stated.
    #[error(transparent)]
    Sharing(#[from] NotShared),
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
        Task::Custom(custom) => Ok(of_custom(custom, workload.recipe.compute)),
        Task::Pretrain(training) | Task::FineTune(training) => {
            of_training(workload, training, Trained::Everything, devices)
        }
        Task::Lora(training, adapter) | Task::Qlora(training, adapter) => {
            of_training(workload, training, Trained::Adapters(*adapter), devices)
        }
        Task::Inference(serving) => of_serving(workload, serving, devices),
        Task::Evaluation(batch) => of_evaluation(workload, batch, devices),
    }
}

/// How many devices a workload can use at once.
#[must_use]
pub fn usable_devices(workload: &Workload, devices: u64) -> u64 {
    match &workload.task {
        Task::Pretrain(training)
        | Task::FineTune(training)
        | Task::Lora(training, _)
        | Task::Qlora(training, _) => {
            used_devices(&workload.recipe.parallelism, devices, training.batch)
        }
        Task::Inference(_) | Task::Evaluation(_) => {
            used_devices(&workload.recipe.parallelism, devices, 1)
        }
        Task::Preparation(_) | Task::Custom(_) => 1,
    }
}

fn of_preparation(preparation: &Preparation) -> Demand {
    let by_category = BTreeMap::from([(Category::Workspace, preparation.memory)]);
    Demand {
        memory: Memory { by_category, place: "stated".to_owned(), parameters: 0, trained: 0 },
        passes: Vec::new(),
        load: Bytes::ZERO,
        exchanges: Vec::new(),
        host: training::HostShare::default(),
        sharing: None,
        core_seconds: preparation.bytes.as_gb() * preparation.core_seconds_per_gb,
    }
}

fn of_custom(custom: &Custom, dtype: Dtype) -> Demand {
    let by_category = BTreeMap::from([(Category::Workspace, custom.memory)]);
    let work =
        Work { kernel: Kernel::Matrix, dtype: dtype, flops: custom.flops, bytes: custom.bytes };
    Demand {
        memory: Memory { by_category, place: "stated".to_owned(), parameters: 0, trained: 0 },
        passes: vec![Pass { name: "run", repeats: 1.0, kernels: vec![(work, 1)] }],
        load: Bytes::ZERO,
        exchanges: Vec::new(),
        host: training::HostShare::default(),
        sharing: None,
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
        packed if packed.is_normal_float() => trained != Trained::Everything,
        weights => weights == recipe.compute,
    };
    if !known {
        let (weights, compute) = (recipe.weights.name(), recipe.compute.name());
        return Err(NotEstimated::MixedPrecision { weights, compute });
    }
    let groups = Groups::of(&recipe.parallelism, devices.max(1))?;
    let batch = training.batch.div_ceil(groups.data.devices);
    let graph = bounded(architecture, Shape::training(batch, training.sequence), recipe)?;
    let share = tensor::share(&graph, groups.tensor, recipe.parallelism.stream)?;
    let tape = lower(&share.graph, recipe, trained);
    let passes = if training.accumulation > 1 { Passes::Accumulated } else { Passes::One };
    let step = TrainingStep { optimizer: recipe.optimizer, passes };
    let tokens_per_pass = (training.batch * training.sequence) as f64;
    let passes = (training.tokens as f64 / tokens_per_pass).ceil();
    let steps = (passes / training.accumulation as f64).ceil();
    let micro_batches = training.accumulation;
    let run = training::Run { step, micro_batches, passes, steps, stream: recipe.compute };
    let whole = memory(&tape, Peak::default());
    let device = training::on_one_device(tape, &share, &groups, (&PROGRAM, &run))?;
    let kernels = training_kernels(&device.tape);
    let on_device = groups.data.optimizer_on_device(recipe.optimizer) == recipe.optimizer;
    let update = optimizer::work(&device.optimized, recipe.optimizer);
    let updates = if on_device { vec![(update, 1)] } else { Vec::new() };
    let ways = groups.tensor;
    let counts =
        Memory { parameters: whole.parameters * ways, trained: whole.trained * ways, ..whole };
    Ok(Demand {
        memory: Memory {
            parameters: counts.parameters,
            trained: counts.trained,
            ..memory(&device.tape, device.peak)
        },
        passes: vec![
            Pass {
                name: "forward and backward",
                repeats: device.passes,
                kernels: counted(kernels),
            },
            Pass { name: "optimizer step", repeats: steps, kernels: updates },
        ],
        load: device.tape.weight_bytes(),
        exchanges: device.exchanges,
        host: device.host,
        sharing: recipe.parallelism.words(),
        core_seconds: 0.0,
    })
}

/// A program that lets go of what it no longer needs.
const PROGRAM: Program = Program { workspace: Bytes::ZERO, outputs: Outputs::Dropped };

/// Largest number of bytes that a pass may come to: sums of them stay within 64 bits.
const MOST_BYTES: u128 = 1 << 62;

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
        AttentionKernel::Masked | AttentionKernel::Efficient | AttentionKernel::Fused => context,
    };
    // A value is kept in at most four copies of at most eight bytes.
    let bytes = tokens.checked_mul(widths + scores).and_then(|elements| elements.checked_mul(64));
    if bytes.is_none_or(|bytes| bytes > MOST_BYTES) {
        return Err(NotEstimated::TooLarge { tokens });
    }
    architecture.graph(shape).ok_or_else(|| not_built(architecture))
}

fn not_built(architecture: &Architecture) -> NotEstimated {
    let family = match architecture {
        Architecture::Other { family, .. } => family.clone(),
        Architecture::Decoder(_) => "decoder".to_owned(),
    };
    NotEstimated::Family { family }
}

/// Forward and backward kernels; checkpointed stretches run forward twice, and every further
/// gradient of a tensor is added to the first.
#[must_use]
pub fn training_kernels(tape: &Tape) -> Vec<Work> {
    let mut kernels = sums_of_gradients(tape);
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

fn sums_of_gradients(tape: &Tape) -> Vec<Work> {
    let mut uses = vec![0u32; tape.tensors.len()];
    let flowing = |input: &&Input| input.flow != Flow::Stop;
    let made = |step: &&Step| step.outputs.iter().any(|output| tape.of(*output).differentiable);
    for input in tape.steps.iter().filter(made).flat_map(|step| &step.inputs).filter(flowing) {
        uses[input.tensor.index()] += u32::from(tape.of(input.tensor).differentiable);
    }
    let sum = |tensor| Work { bytes: tape.gradient_bytes(tensor) * 3, ..Work::NONE };
    let several = tape.ids().filter(|tensor| uses[tensor.index()] > 1);
    several
        .flat_map(|tensor| std::iter::repeat_n(sum(tensor), uses[tensor.index()] as usize - 1))
        .collect()
}

/// Equal kernels counted together, those that do nothing left out.
fn counted(kernels: impl IntoIterator<Item = Work>) -> Vec<(Work, u32)> {
    let mut counts: BTreeMap<(Kernel, Dtype, Bytes, u64), (Work, u32)> = BTreeMap::new();
    let busy = |work: &Work| work.bytes > Bytes::ZERO || work.flops > Flops::ZERO;
    for work in kernels.into_iter().filter(busy) {
        let key = (work.kernel, work.dtype, work.bytes, work.flops.as_flops().to_bits());
        counts.entry(key).or_insert((work, 0)).1 += 1;
    }
    counts.into_values().collect()
}

fn memory(tape: &Tape, peak: Peak) -> Memory {
    let elements = |weight| tape.of(weight).elements;
    Memory {
        place: format!("{}: {}", peak.pass, peak.step),
        by_category: peak.by_category,
        parameters: tape.weights().map(elements).sum(),
        trained: tape.trained().map(elements).sum(),
    }
}

fn of_evaluation(workload: &Workload, batch: &Batch, devices: u64) -> Result<Demand, NotEstimated> {
    let rounds = batch.requests.div_ceil(batch.batch) as f64;
    let request = Request { prompt: batch.prompt, output: batch.output };
    let shape = Shape::prompt(batch.batch, batch.prompt);
    let answering =
        Answering { prompts: shape, rounds, together: batch.batch, decoded: rounds, devices };
    answer(workload, request, &answering)
}

fn of_serving(
    workload: &Workload,
    serving: &Serving,
    devices: u64,
) -> Result<Demand, NotEstimated> {
    let request = Request { prompt: serving.prompt, output: serving.output };
    let chunk = serving.prompt.clamp(1, PROMPT_CHUNK);
    let chunks = serving.prompt.div_ceil(chunk) as f64 * serving.requests as f64;
    let answering = Answering {
        // A chunk sees on average half of the prompt before it.
        prompts: Shape { past: (serving.prompt - chunk) / 2, ..Shape::prompt(1, chunk) },
        rounds: chunks,
        together: serving.concurrency,
        decoded: serving.requests as f64 / serving.concurrency as f64,
        devices,
    };
    answer(workload, request, &answering)
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
    /// Devices that share the model.
    devices: u64,
}

fn answer(
    workload: &Workload,
    request: Request,
    answering: &Answering,
) -> Result<Demand, NotEstimated> {
    let architecture = architecture(workload)?;
    let recipe = &workload.recipe;
    let Groups { tensor: ways, .. } = Groups::of(&recipe.parallelism, answering.devices.max(1))?;
    let share = |shape| -> Result<tensor::Share, NotEstimated> {
        let graph = bounded(architecture, shape, recipe)?;
        Ok(tensor::share(&graph, ways, recipe.parallelism.stream)?)
    };
    let prompts = share(answering.prompts)?;
    let graph = &prompts.graph;
    let tape = lower(graph, recipe, Trained::Nothing);
    let next = Shape::next_token(answering.together, request.prompt + request.output / 2);
    let writes = share(next)?;
    let next_graph = &writes.graph;
    // One new token is read by every engine with a fused kernel.
    let next_recipe = Recipe { attention: AttentionKernel::Fused, ..*recipe };
    let next_tape = lower(next_graph, &next_recipe, Trained::Nothing);
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
            let part = stored.bytes.scaled(1.0 / ways as f64);
            peak.by_category.insert(Category::Weights, part);
        }
        peak
    };
    let (reading, writing) = (peak(&tape), peak(&next_tape));
    let peak = if writing.total() > reading.total() { writing } else { reading };
    let forward = |tape: &Tape| counted(tape.steps.iter().map(|step| step.forward));
    let mut writing = forward(&next_tape);
    let read = recipe.cache.bytes(next_graph.cached_elements(next.past));
    writing.push((Work { bytes: read, ..Work::NONE }, 1));
    let written = answering.decoded * request.output as f64;
    let exchanges = |share: &tensor::Share, repeats: f64| {
        let one = move |(collective, elements): &(Collective, u64)| Exchange {
            collective: *collective,
            bytes: recipe.compute.bytes(*elements),
            members: ways,
            repeats,
            overlap: Overlap::Exposed,
        };
        share.forward.iter().map(one).collect::<Vec<_>>().into_iter()
    };
    Ok(Demand {
        load: peak.by_category.get(&Category::Weights).copied().unwrap_or(Bytes::ZERO),
        memory: memory(&tape, peak),
        passes: vec![
            Pass { name: "read prompts", repeats: answering.rounds, kernels: forward(&tape) },
            Pass { name: "write tokens", repeats: written, kernels: writing },
        ],
        exchanges: exchanges(&prompts, answering.rounds)
            .chain(exchanges(&writes, written))
            .collect(),
        host: training::HostShare::default(),
        sharing: recipe.parallelism.words(),
        core_seconds: 0.0,
    })
}
