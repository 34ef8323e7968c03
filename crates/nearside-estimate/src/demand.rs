//! What a workload asks of a machine, whatever machine it is: memory by category, kernels to run,
//! bytes to load, core-seconds. [`crate::roofline`] turns it into time on a site.

use std::collections::BTreeMap;

use nearside_architecture::{Architecture, Component, Dtype, Graph, Operator, Shape};
use nearside_units::{Bytes, Flops};
use nearside_workload::{
    AttentionKernel, Custom, Preparation, Recipe, Task, Training, VocabularyLoss, Workload,
};
use thiserror::Error;

use crate::allocator::caching::{Caching, Segments};
use crate::answering;
use crate::communication::Exchange;
use crate::engine::llama_cpp::NotReserved;
use crate::engine::nearside::Sequence;
use crate::estimate::Device;
use crate::live::Peak;
use crate::lowered::Lowerings;
use crate::lowering::Trained;
use crate::parallel::sharding::DataGroup;
use crate::parallel::{Groups, NotShared, training, used_devices};
use crate::shallow;
use crate::tape::{Category, Flow, Input, Kernel, Step, Tape, Work};
use crate::timeline::{Outputs, Passes, Program, Replayed, TrainingStep};

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
    /// Sequences that this program's own engine answers, in place of passes.
    pub own_engine: Option<OwnWork>,
}

/// Work of this program's own engine: sequences one after another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OwnWork {
    /// Each of them.
    pub sequence: Sequence,
    /// How many.
    pub sequences: f64,
}

impl Demand {
    /// Memory and no work.
    fn of_memory(memory: Memory) -> Self {
        Self {
            memory,
            passes: Vec::new(),
            load: Bytes::ZERO,
            exchanges: Vec::new(),
            host: training::HostShare::default(),
            sharing: None,
            core_seconds: 0.0,
            own_engine: None,
        }
    }
}

/// Device memory at its peak.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memory {
    /// What is taken from the driver for it, or from the system.
    pub reserved: Bytes,
    /// Who takes it.
    pub holder: Holder,
    /// Live bytes by category.
    pub by_category: BTreeMap<Category, Bytes>,
    /// Where the peak is, as in `backward: log softmax`.
    pub place: String,
    /// Parameters of the model, adapters included.
    pub parameters: u64,
    /// Parameters that are trained.
    pub trained: u64,
}

/// Who takes memory from the driver, and so how sure it is how much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// PyTorch's caching allocator, replayed.
    Caching,
    /// An inference engine that reserves everything when it loads.
    Engine,
    /// This program's own engine, which maps the file of weights.
    OwnEngine,
    /// The project file, which states it.
    Stated,
}

impl Memory {
    fn stated(bytes: Bytes) -> Self {
        Self {
            reserved: bytes,
            holder: Holder::Stated,
            by_category: BTreeMap::from([(Category::Workspace, bytes)]),
            place: "stated".to_owned(),
            parameters: 0,
            trained: 0,
        }
    }

    /// So much is live, whatever it is.
    fn at_least(live: Bytes) -> Self {
        Self { holder: Holder::Caching, place: "at least".to_owned(), ..Self::stated(live) }
    }

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
    /// What an engine would reserve is not known.
    #[error(transparent)]
    Engine(#[from] NotReserved),
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
pub fn demand(workload: &Workload, devices: u64, place: Device) -> Result<Demand, NotEstimated> {
    demand_as_asked(workload, devices, place, (Asked::Need, &mut Lowerings::default()))
}

/// What is asked of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// All that is needed.
    Need,
    /// The same as long as no more than this is live; else some of what is.
    Within(Bytes),
    /// Part of it, enough to show of most that more than this is live.
    AtLeast(Bytes),
}

/// The same with as much of its memory as is asked, all the faster.
pub(crate) fn demand_as_asked(
    workload: &Workload,
    devices: u64,
    place: Device,
    (asked, lowerings): (Asked, &mut Lowerings),
) -> Result<Demand, NotEstimated> {
    match &workload.task {
        Task::Preparation(preparation) => Ok(of_preparation(preparation)),
        Task::Custom(custom) => Ok(of_custom(custom, workload.recipe.compute)),
        Task::Pretrain(training) | Task::FineTune(training) => {
            of_training(workload, training, Trained::Everything, (devices, asked, lowerings))
        }
        Task::Lora(training, adapter) | Task::Qlora(training, adapter) => {
            let trained = Trained::Adapters(*adapter);
            of_training(workload, training, trained, (devices, asked, lowerings))
        }
        Task::Inference(serving) => answering::of_serving(workload, serving, (place, devices)),
        Task::Evaluation(batch) => answering::of_evaluation(workload, batch, (place, devices)),
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
    let core_seconds = preparation.bytes.as_gb() * preparation.core_seconds_per_gb;
    Demand { core_seconds, ..Demand::of_memory(Memory::stated(preparation.memory)) }
}

fn of_custom(custom: &Custom, dtype: Dtype) -> Demand {
    let work = Work { kernel: Kernel::Matrix, dtype, flops: custom.flops, bytes: custom.bytes };
    let passes = vec![Pass { name: "run", repeats: 1.0, kernels: vec![(work, 1)] }];
    Demand { passes, ..Demand::of_memory(Memory::stated(custom.memory)) }
}

pub(crate) fn architecture(workload: &Workload) -> Result<&Architecture, NotEstimated> {
    let task = workload.task.name();
    let model = workload.model.as_ref().ok_or(NotEstimated::NoModel { task })?;
    Ok(model.architecture.as_ref())
}

fn of_training(
    workload: &Workload,
    training: &Training,
    trained: Trained,
    (devices, asked, lowerings): (u64, Asked, &mut Lowerings),
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
    if recipe.parallelism.host_layers > 0 {
        return Err(NotShared::HostLayers.into());
    }
    let groups = Groups::of(&recipe.parallelism, devices.max(1))?;
    let batch = training.batch.div_ceil(groups.data.devices);
    let shape = Shape { image: workload.image, ..Shape::training(batch, training.sequence) };
    let passes = if training.accumulation > 1 { Passes::Accumulated } else { Passes::One };
    let step = TrainingStep { optimizer: recipe.optimizer, passes };
    let alone = groups.data == DataGroup::ALONE && groups.pipeline < 2;
    let deep = shallow::deep(architecture).filter(|_| alone && matches!(asked, Asked::AtLeast(_)));
    if let Some(decoder) = deep {
        let (asked, trained) = ((shape, recipe), (trained, groups.tensor));
        let live = shallow::live_at_least(decoder, asked, trained, &step, lowerings)?;
        return Ok(Demand::of_memory(Memory::at_least(live)));
    }
    let lowered = lowerings.of(architecture, shape, recipe, (trained, groups.tensor))?;
    let tokens_per_pass = (training.batch * training.sequence) as f64;
    let passes = (training.tokens as f64 / tokens_per_pass).ceil();
    let steps = (passes / training.accumulation as f64).ceil();
    let micro_batches = training.accumulation;
    let stream = recipe.compute;
    let run = training::Run { step, micro_batches, passes, steps, stream, asked };
    let device = training::on_one_device(&lowered, &groups, (&PROGRAM, &run))?;
    let on_device = groups.data.optimizer_on_device(recipe.optimizer) == recipe.optimizer;
    let updates = if on_device { vec![(device.update, 1)] } else { Vec::new() };
    let ways = groups.tensor;
    Ok(Demand {
        memory: Memory {
            parameters: lowered.parameters * ways,
            trained: lowered.trained * ways,
            ..device.memory
        },
        passes: vec![
            Pass { name: "forward and backward", repeats: device.passes, kernels: device.kernels },
            Pass { name: "optimizer step", repeats: steps, kernels: updates },
        ],
        load: device.load,
        exchanges: device.exchanges,
        host: device.host,
        sharing: recipe.parallelism.words(),
        core_seconds: 0.0,
        own_engine: None,
    })
}

/// A loop that keeps the model's outputs in a variable until the step is over: the careful case.
pub(crate) const PROGRAM: Program = Program { workspace: CUBLAS_WORKSPACE, outputs: Outputs::Held };
/// cuBLAS's default workspace before Hopper: two buffers of 4 MiB and eight of 16 KiB
/// (`CUBLAS_WORKSPACE_CONFIG`, ATen/cuda/CUDABlas.cpp).
pub const CUBLAS_WORKSPACE: Bytes = Bytes::new(8_519_680);

/// Largest number of bytes that a pass may come to: sums of them stay within 64 bits.
pub(crate) const MOST_BYTES: u128 = 1 << 62;

/// Most chunks of a loss: each is replayed by itself.
const MOST_CHUNKS: u128 = 2048;

/// The graph of a pass whose sizes can be counted.
pub(crate) fn bounded(
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
        // A bias by distance is as large as the scores, whatever the kernel.
        Operator::ClassicAttention(attention) => u128::from(attention.shape.heads),
        Operator::Attention(attention) if recipe.attention == AttentionKernel::Eager => {
            u128::from(attention.heads)
        }
        _ => 0,
    });
    let scores = (heads.sum::<u128>() + 1) * context;
    let states = one.nodes.iter().map(|node| match &node.operator {
        Operator::StateScan(scan) => {
            let [heads, chunk] = [scan.space.heads, scan.space.chunk].map(u128::from);
            heads * (chunk + 4 * u128::from(scan.space.state) + context / chunk.max(1))
        }
        Operator::DeltaScan(scan) => {
            let rule = scan.rule;
            u128::from(rule.value_heads) * u128::from(rule.key_dim * 8 + rule.value_dim * 4)
        }
        _ => 0,
    });
    let widths = widths + states.sum::<u128>();
    // A value is kept in at most four copies of at most eight bytes.
    let bytes = tokens.checked_mul(widths + scores).and_then(|elements| elements.checked_mul(64));
    let chunks = match recipe.loss {
        VocabularyLoss::Chunked { tokens: chunk } => tokens / u128::from(chunk.max(1)),
        VocabularyLoss::Whole => 1,
    };
    if chunks > MOST_CHUNKS || bytes.is_none_or(|bytes| bytes > MOST_BYTES) {
        return Err(NotEstimated::TooLarge { tokens });
    }
    architecture.graph(shape).ok_or_else(|| not_built(architecture))
}

pub(crate) fn not_built(architecture: &Architecture) -> NotEstimated {
    let family = match architecture {
        Architecture::Other { family, .. } => family.clone(),
        Architecture::Decoder(_) => "decoder".to_owned(),
        Architecture::Encoder(_) => "encoder".to_owned(),
        Architecture::TextToText(_) => "text to text".to_owned(),
        Architecture::Speech(_) => "speech".to_owned(),
        Architecture::Convolutional(network) => network.family.clone(),
        Architecture::ImageTransformer(model) => model.family.clone(),
        Architecture::WindowTransformer(model) => model.family.clone(),
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
pub(crate) fn counted(kernels: impl IntoIterator<Item = Work>) -> Vec<(Work, u32)> {
    let mut counts: BTreeMap<(Kernel, Dtype, Bytes, u64), (Work, u32)> = BTreeMap::new();
    let busy = |work: &Work| work.bytes > Bytes::ZERO || work.flops > Flops::ZERO;
    for work in kernels.into_iter().filter(busy) {
        let key = (work.kernel, work.dtype, work.bytes, work.flops.as_flops().to_bits());
        counts.entry(key).or_insert((work, 0)).1 += 1;
    }
    counts.into_values().collect()
}

/// The allocator that a pass takes memory from.
pub(crate) const fn reserving() -> Caching {
    Caching::new(Segments::Fixed)
}

/// What the replay of a pass comes to.
pub(crate) fn held(tape: &Tape, replayed: Replayed<Caching>) -> Memory {
    let reserved = replayed.requests.taken().reserved;
    Memory { reserved, ..live(tape, replayed.peak) }
}

/// The same where nothing is held in reserve.
pub(crate) fn live(tape: &Tape, peak: Peak) -> Memory {
    let elements = |weight| tape.of(weight).elements;
    Memory {
        reserved: peak.total(),
        holder: Holder::Caching,
        place: format!("{}: {}", peak.pass, peak.step),
        by_category: peak.by_category,
        parameters: tape.weights().map(elements).sum(),
        trained: tape.trained().map(elements).sum(),
    }
}
