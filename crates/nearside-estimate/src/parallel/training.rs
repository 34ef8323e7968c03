//! Training on one of several devices: its peak, its kernels, what it exchanges and what it leaves in
//! the machine's memory.

use std::borrow::Cow;
use std::collections::BTreeMap;

use nearside_architecture::Dtype;
use nearside_units::Bytes;
use nearside_workload::{Offload, Optimizer, Sharding};

use super::{Groups, NotShared, of_data, pipeline, sharding::DataGroup, tensor::Share};
use crate::communication::{Collective, Exchange, Overlap};
use crate::demand::{Asked, Memory, Pass, counted, held, live, reserving, training_kernels};
use crate::live::Peak;
use crate::lowered::Lowered;
use crate::optimizer;
use crate::tape::{Category, Tape, Work};
use crate::timeline::{Program, TrainingStep, first_step, training_shared};

/// How often a training run repeats itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Run {
    /// The optimizer step.
    pub(crate) step: TrainingStep,
    /// Passes per optimizer step.
    pub(crate) micro_batches: u64,
    /// Forward and backward passes.
    pub(crate) passes: f64,
    /// Optimizer steps.
    pub(crate) steps: f64,
    /// The type of activations that are exchanged.
    pub(crate) stream: Dtype,
    /// What is asked of memory.
    pub(crate) asked: Asked,
}

/// What one device has to do.
pub(crate) struct DeviceTraining {
    /// Its kernels, equal ones counted together.
    pub(crate) kernels: Vec<(Work, u32)>,
    /// Its weights, whole.
    pub(crate) load: Bytes,
    /// What its optimizer computes.
    pub(crate) update: Work,
    /// Its memory.
    pub(crate) memory: Memory,
    /// How often it works through its tape, waiting included.
    pub(crate) passes: f64,
    /// What it exchanges.
    pub(crate) exchanges: Vec<Exchange>,
    /// What waits in the machine's memory.
    pub(crate) host: HostShare,
}

/// What waits in the machine's memory and is worked on there.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HostShare {
    /// How much memory that takes, for all devices together.
    pub memory: Bytes,
    /// What processors read and write of it in one run.
    pub traffic: Bytes,
    /// Passes over processors, each so many times in one run.
    pub passes: Vec<Pass>,
}

/// Training on the device that needs most.
pub(crate) fn on_one_device(
    lowered: &Lowered,
    groups: &Groups,
    (program, run): (&Program, &Run),
) -> Result<DeviceTraining, NotShared> {
    let Lowered { tape, share, .. } = lowered;
    let (tape, memory) = match groups.pipeline {
        0 | 1 => (Cow::Borrowed(tape), memory(tape, groups, program, run).0),
        _ => {
            let (stage, memory) = fullest_stage(tape, groups, program, run)?;
            (Cow::Owned(stage), memory)
        }
    };
    let passes = run.passes * pipeline::turns(groups.pipeline, run.micro_batches);
    let optimized = groups.data.optimized(&tape);
    let mut exchanges = of_data(&tape, &groups.data, run.passes, run.steps);
    exchanges.extend(of_tensor(share, groups, run));
    exchanges.extend(of_pipeline(&tape, groups, run));
    let host = host(&tape, &optimized, groups, run);
    exchanges.extend(to_host(&optimized, groups, run));
    let update = optimizer::work(&optimized, run.step.optimizer);
    let kernels = match &tape {
        Cow::Borrowed(_) => lowered.kernels.clone(),
        Cow::Owned(stage) => counted(training_kernels(stage)),
    };
    let load = tape.weight_bytes();
    Ok(DeviceTraining { kernels, load, memory, passes, exchanges, host, update })
}

/// Memory of a device, and what a forward pass leaves behind in it.
fn memory(tape: &Tape, groups: &Groups, program: &Program, run: &Run) -> (Memory, Bytes) {
    let room = match run.asked {
        Asked::Need => None,
        Asked::Within(room) | Asked::AtLeast(room) => Some(room),
    };
    let stays = room.map(|room| (room, stays(tape, groups.data, run.step.optimizer)));
    if let Some((_, stays)) = stays.filter(|(room, stays)| stays.total() > *room) {
        return (live(tape, stays), Bytes::ZERO);
    }
    if let Asked::AtLeast(room) = run.asked {
        let peak = first_step(tape, program, &run.step, groups.data, Some(room));
        return (live(tape, peak), Bytes::ZERO);
    }
    let heard = (reserving(), room);
    let replayed = training_shared(tape, program, &run.step, groups.data, heard);
    let saved = replayed.saved;
    (held(tape, replayed), saved)
}

/// What is there when an optimizer's step is over, on a device that shares nothing; part of it on
/// one that does.
pub(crate) fn stays(tape: &Tape, group: DataGroup, optimizer: Optimizer) -> Peak {
    let mut by_category = BTreeMap::new();
    if group == DataGroup::ALONE {
        let gradients = tape.trained().map(|weight| tape.gradient_bytes(weight)).sum();
        let states = optimizer::states(tape, optimizer).into_iter().sum();
        by_category.extend([
            (Category::Weights, tape.loaded_bytes()),
            (Category::Gradients, gradients),
            (Category::Optimizer, states),
        ]);
    }
    Peak { by_category, pass: "optimizer", step: "optimizer step" }
}

/// The first stage keeps most micro-batches, the last one the scores; middle ones need no more than
/// the first.
fn fullest_stage(
    tape: &Tape,
    groups: &Groups,
    program: &Program,
    run: &Run,
) -> Result<(Tape, Memory), NotShared> {
    let stages = pipeline::stages(tape, groups.pipeline)?;
    let last = stages.len().saturating_sub(1);
    let of = |stage: usize| {
        let tape = pipeline::stage(tape, stages[stage].clone());
        let kept = pipeline::in_flight(stage as u64, groups.pipeline, run.micro_batches);
        let (mut memory, saved) = memory(&tape, groups, program, run);
        let waiting = saved * (kept - 1);
        *memory.by_category.entry(Category::Activations).or_insert(Bytes::ZERO) += waiting;
        memory.reserved += waiting;
        (tape, memory)
    };
    let (first, last) = (of(0), of(last));
    Ok(if last.1.reserved > first.1.reserved { last } else { first })
}

fn of_tensor(share: &Share, groups: &Groups, run: &Run) -> Vec<Exchange> {
    let of = |(collective, elements): &(Collective, u64)| Exchange {
        collective: *collective,
        bytes: run.stream.bytes(*elements),
        members: groups.tensor,
        // A stage has its part of the blocks.
        repeats: run.passes / groups.pipeline.max(1) as f64,
        overlap: Overlap::Exposed,
    };
    share.forward.iter().chain(&share.backward).map(of).collect()
}

/// Activations to the next stage and their gradients back.
fn of_pipeline(tape: &Tape, groups: &Groups, run: &Run) -> Vec<Exchange> {
    if groups.pipeline < 2 {
        return Vec::new();
    }
    // The stream has the size of what the first product of the stage's last block reads.
    let streams = tape.steps.iter().filter(|step| step.name == "add");
    let stream = streams.filter_map(|step| step.outputs.first()).next_back();
    let bytes = stream.map_or(Bytes::ZERO, |tensor| tape.gradient_bytes(*tensor));
    let repeats = 2.0 * run.passes;
    let (collective, overlap) = (Collective::Send, Overlap::Exposed);
    vec![Exchange { collective, bytes, members: 2, repeats, overlap }]
}

fn host(tape: &Tape, optimized: &Tape, groups: &Groups, run: &Run) -> HostShare {
    let devices = groups.data.devices * groups.tensor * groups.pipeline;
    let optimizer = run.step.optimizer;
    let states = optimizer::states(optimized, optimizer).into_iter().sum::<Bytes>();
    let paged = match optimizer {
        Optimizer::PagedAdamW8Bit => optimizer::states(optimized, Optimizer::AdamW8Bit),
        _ => Vec::new(),
    };
    let states = states + paged.into_iter().sum::<Bytes>();
    let weights = |tape: &Tape| tape.weight_bytes();
    let gradients: Bytes = optimized.trained().map(|weight| optimized.gradient_bytes(weight)).sum();
    let shard = Bytes::new(groups.data.shard(weights(tape).get()));
    // The processor updates its own copy of the weights and needs their gradients.
    let each = match groups.data.offload {
        Offload::None => return HostShare::default(),
        Offload::Optimizer => states + gradients + gradients,
        Offload::Parameters => states + gradients + shard,
    };
    let traffic = optimizer::work(optimized, optimizer).bytes.scaled(run.steps) * devices;
    HostShare { memory: each * devices, traffic, passes: Vec::new() }
}

/// Gradients to the machine's memory and new weights back.
fn to_host(optimized: &Tape, groups: &Groups, run: &Run) -> Vec<Exchange> {
    let part: Bytes = optimized.trained().map(|weight| optimized.gradient_bytes(weight)).sum();
    let shard = Bytes::new(groups.data.shard(optimized.weight_bytes().get()));
    let send = |bytes, repeats, overlap| Exchange {
        collective: Collective::Send,
        bytes,
        members: 2,
        repeats,
        overlap,
    };
    match groups.data.offload {
        Offload::None => Vec::new(),
        Offload::Optimizer => {
            vec![send(part, run.steps, Overlap::Beside), send(part, run.steps, Overlap::Exposed)]
        }
        Offload::Parameters => vec![
            send(part, run.passes, Overlap::Beside),
            send(shard, 2.0 * run.passes, Overlap::Beside),
        ],
    }
}

/// Bytes per device of weights, gradients and optimizer states (ZeRO, arXiv 1910.02054, section 5).
///
/// ```
/// # use nearside_estimate::parallel::training::states;
/// # use nearside_units::Bytes;
/// # use nearside_workload::Sharding;
/// // The paper's example, figure 1: 7.5 billion parameters, 2 + 2 + 12 bytes each, 64 devices.
/// let parts = [2, 2, 12].map(|each| Bytes::new(each * 7_500_000_000));
/// let of = |sharding| states(parts, sharding, 64).get() as f64 / 1e9;
/// assert!((of(Sharding::None) - 120.0).abs() < 0.05);
/// assert!((of(Sharding::Zero1) - 31.4).abs() < 0.05);
/// assert!((of(Sharding::Zero2) - 16.6).abs() < 0.05);
/// assert!((of(Sharding::Zero3) - 1.9).abs() < 0.05);
/// ```
#[must_use]
pub fn states(parts: [Bytes; 3], sharding: Sharding, devices: u64) -> Bytes {
    let shared = match sharding {
        Sharding::None => 0,
        Sharding::Zero1 => 1,
        Sharding::Zero2 => 2,
        Sharding::Zero3 | Sharding::Fsdp => 3,
    };
    let whole: Bytes = parts[..3 - shared].iter().copied().sum();
    let split: Bytes = parts[3 - shared..].iter().copied().sum();
    whole + Bytes::new(split.get().div_ceil(devices.max(1)))
}
