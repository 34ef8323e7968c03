//! Training on one of several devices: its peak, its kernels, what it exchanges and what it leaves in
//! the machine's memory.

use nearside_architecture::Dtype;
use nearside_units::Bytes;
use nearside_workload::{Offload, Optimizer, Sharding};

use super::{Groups, NotShared, of_data, pipeline, tensor::Share};
use crate::communication::{Collective, Exchange, Overlap};
use crate::demand::{Memory, Pass, held};
use crate::optimizer;
use crate::tape::{Category, Tape};
use crate::timeline::{Program, TrainingStep, training_shared};

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
}

/// What one device has to do.
pub(crate) struct DeviceTraining {
    /// Its steps, with whole weights.
    pub(crate) tape: Tape,
    /// The tape whose weights its optimizer updates.
    pub(crate) optimized: Tape,
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
    tape: Tape,
    share: &Share,
    groups: &Groups,
    (program, run): (&Program, &Run),
) -> Result<DeviceTraining, NotShared> {
    let (tape, memory) = match groups.pipeline {
        0 | 1 => {
            let memory = held(&tape, training_shared(&tape, program, &run.step, groups.data));
            (tape, memory)
        }
        _ => fullest_stage(&tape, groups, program, run)?,
    };
    let passes = run.passes * pipeline::turns(groups.pipeline, run.micro_batches);
    let optimized = groups.data.optimized(&tape);
    let mut exchanges = of_data(&tape, &groups.data, run.passes, run.steps);
    exchanges.extend(of_tensor(share, groups, run));
    exchanges.extend(of_pipeline(&tape, groups, run));
    let host = host(&tape, &optimized, groups, run);
    exchanges.extend(to_host(&optimized, groups, run));
    Ok(DeviceTraining { tape, optimized, memory, passes, exchanges, host })
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
        let replayed = training_shared(&tape, program, &run.step, groups.data);
        let kept = pipeline::in_flight(stage as u64, groups.pipeline, run.micro_batches);
        let waiting = replayed.saved * (kept - 1);
        let mut memory = held(&tape, replayed);
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
