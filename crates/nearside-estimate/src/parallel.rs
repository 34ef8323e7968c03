//! How several devices of one machine share a workload, as changes of the operator graph and of the
//! tape before they are replayed.
//!
//! - `tensor`: the graph of one tensor-parallel device (widths divided, vocabulary divided);
//! - `pipeline`: the tape of one stage;
//! - `sharding`: what happens around every block when data-parallel devices share weights, gradients
//!   and optimizer states;
//! - `choice`: the mildest way that may fit.
//!
//! What is modelled is one machine: links between machines, hybrid sharding, context and expert
//! parallelism are not. Stragglers and the pipeline's uneven stages are not either.

pub(crate) mod choice;
pub mod pipeline;
pub mod sharding;
pub mod tensor;
pub mod training;

use nearside_workload::{Offload, Parallelism, Sharding};
use thiserror::Error;

use crate::communication::{Collective, Exchange, Overlap};
use crate::tape::Tape;
use nearside_units::Bytes;
use sharding::DataGroup;

/// Why a workload cannot be shared as stated.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NotShared {
    /// A number that the devices would have to divide.
    #[error("{what} ({count}) cannot be divided among {ways} devices")]
    Indivisible {
        /// Of what.
        what: &'static str,
        /// How many.
        count: u64,
        /// Among how many.
        ways: u64,
    },
    /// A part of the model that has no shared form here.
    #[error("sharing {what} is not estimated yet")]
    Operator {
        /// Which part.
        what: &'static str,
    },
    /// Fewer devices than the plan names.
    #[error("the stated parallelism needs {needed} devices, there are {given}")]
    Devices {
        /// That it needs.
        needed: u64,
        /// That are there.
        given: u64,
    },
    /// What can only wait in main memory where it is gathered when needed.
    #[error("parameters in main memory need sharding = \"fsdp\" or \"zero3\"")]
    Offload,
    /// Layers that no engine leaves to the processor here.
    #[error("layers in main memory are estimated for llama.cpp's answers on one device only")]
    HostLayers,
}

/// What each device does in a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Groups {
    /// Devices that hold the same part of the model.
    pub data: DataGroup,
    /// Devices that share every product.
    pub tensor: u64,
    /// Stages of blocks.
    pub pipeline: u64,
}

impl Groups {
    /// Devices in their roles: what tensor and pipeline leave is data parallel.
    ///
    /// # Errors
    /// When there are too few devices, or parameters should wait that nobody gathers.
    pub fn of(parallelism: &Parallelism, devices: u64) -> Result<Self, NotShared> {
        let needed = parallelism.model_devices();
        if devices < needed {
            return Err(NotShared::Devices { needed, given: devices });
        }
        let gathers = matches!(parallelism.sharding, Sharding::Zero3 | Sharding::Fsdp);
        if parallelism.offload == Offload::Parameters && !gathers {
            return Err(NotShared::Offload);
        }
        let data = DataGroup {
            sharding: parallelism.sharding,
            offload: parallelism.offload,
            devices: devices / needed.max(1),
        };
        Ok(Self { data, tensor: parallelism.tensor, pipeline: parallelism.pipeline })
    }
}

/// How many of `devices` a plan uses when there are so many sequences to share.
#[must_use]
pub fn used_devices(parallelism: &Parallelism, devices: u64, sequences: u64) -> u64 {
    let each = parallelism.model_devices().max(1);
    ((devices / each).min(sequences).max(1) * each).min(devices)
}

/// What data-parallel devices exchange: gradients once per optimizer step, gathered weights once per
/// forward and once per backward pass.
pub(crate) fn of_data(tape: &Tape, group: &DataGroup, passes: f64, steps: f64) -> Vec<Exchange> {
    let weights: Bytes = tape.weight_bytes();
    let gradients: Bytes = tape.trained().map(|weight| tape.gradient_bytes(weight)).sum();
    let exchange = |collective, bytes, repeats| Exchange {
        collective,
        bytes,
        members: group.devices,
        repeats,
        overlap: Overlap::Beside,
    };
    if group.devices < 2 {
        return Vec::new();
    }
    match group.sharding {
        Sharding::None => vec![exchange(Collective::AllReduce, gradients, steps)],
        // Every device updates its part of the weights, then tells the others.
        Sharding::Zero1 => vec![
            exchange(Collective::AllReduce, gradients, steps),
            Exchange {
                overlap: Overlap::Exposed,
                ..exchange(Collective::AllGather, gradients, steps)
            },
        ],
        Sharding::Zero2 => vec![
            exchange(Collective::ReduceScatter, gradients, passes),
            Exchange {
                overlap: Overlap::Exposed,
                ..exchange(Collective::AllGather, gradients, steps)
            },
        ],
        Sharding::Zero3 | Sharding::Fsdp => vec![
            exchange(Collective::AllGather, weights, 2.0 * passes),
            exchange(Collective::ReduceScatter, gradients, passes),
        ],
    }
}
