//! How a task is shared among the devices of one machine.
//!
//! Three ways multiply: `data` copies of the model each work on their part of the batch, `tensor`
//! devices share every matrix product (Megatron-LM, arXiv 1909.08053), `pipeline` stages hold
//! consecutive blocks (GPipe, arXiv 1811.06965; one forward, one backward: arXiv 2104.04473).
//! Sharding says what the copies do not keep twice (ZeRO, arXiv 1910.02054; FSDP, arXiv 2304.11277).

use crate::named::named;

/// How a task is shared among the devices of one machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Parallelism {
    /// Whether somebody stated it, or what fits may be chosen.
    pub choice: Choice,
    /// What data-parallel devices share instead of keeping it each.
    pub sharding: Sharding,
    /// Devices that share every matrix product.
    pub tensor: u64,
    /// Stages of consecutive blocks.
    pub pipeline: u64,
    /// What tensor-parallel devices do with activations between their products.
    pub stream: Stream,
    /// What waits in the machine's memory instead of the device's.
    pub offload: Offload,
    /// The first layers of a model that answers which stay in the machine's memory, with their cache,
    /// and are computed there (what llama.cpp's `--n-gpu-layers` leaves).
    pub host_layers: u64,
}

impl Default for Parallelism {
    fn default() -> Self {
        Self {
            choice: Choice::Automatic,
            sharding: Sharding::None,
            tensor: 1,
            pipeline: 1,
            stream: Stream::Whole,
            offload: Offload::None,
            host_layers: 0,
        }
    }
}

impl Parallelism {
    /// Devices that hold one copy of the model together.
    ///
    /// ```
    /// # use nearside_workload::Parallelism;
    /// let plan = Parallelism { tensor: 4, pipeline: 2, ..Parallelism::default() };
    /// assert_eq!(plan.model_devices(), 8);
    /// ```
    #[must_use]
    pub const fn model_devices(&self) -> u64 {
        self.tensor.saturating_mul(self.pipeline)
    }

    /// In words, as in `FSDP, tensor parallel over 2`; `None` where every device works as if alone.
    #[must_use]
    pub fn words(&self) -> Option<String> {
        let mut words = Vec::new();
        match self.sharding {
            Sharding::None => {}
            Sharding::Zero1 => words.push("ZeRO-1".to_owned()),
            Sharding::Zero2 => words.push("ZeRO-2".to_owned()),
            Sharding::Zero3 => words.push("ZeRO-3".to_owned()),
            Sharding::Fsdp => words.push("FSDP".to_owned()),
        }
        if self.tensor > 1 {
            let sequence = if self.stream == Stream::Split { " and sequence" } else { "" };
            words.push(format!("tensor{sequence} parallel over {}", self.tensor));
        }
        if self.pipeline > 1 {
            words.push(format!("pipeline of {} stages", self.pipeline));
        }
        match self.offload {
            Offload::None => {}
            Offload::Optimizer => words.push("optimizer states in main memory".to_owned()),
            Offload::Parameters => words.push("parameters in main memory".to_owned()),
        }
        match self.host_layers {
            0 => {}
            1 => words.push("1 layer in main memory".to_owned()),
            layers => words.push(format!("{layers} layers in main memory")),
        }
        (!words.is_empty()).then(|| words.join(", "))
    }
}

/// Who chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Choice {
    /// The mildest way that fits is looked for.
    Automatic,
    /// Taken as stated.
    Stated,
}

/// What data-parallel devices share instead of keeping it each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sharding {
    /// Nothing: every device keeps everything.
    None,
    /// Optimizer states.
    Zero1,
    /// Optimizer states and gradients.
    Zero2,
    /// Optimizer states, gradients and weights, which are gathered block by block.
    Zero3,
    /// The same as `PyTorch` does it (`fully_shard` around every block and the whole model).
    Fsdp,
}

impl Sharding {
    const NAMES: [(Self, &'static str); 5] = [
        (Self::None, "none"),
        (Self::Zero1, "zero1"),
        (Self::Zero2, "zero2"),
        (Self::Zero3, "zero3"),
        (Self::Fsdp, "fsdp"),
    ];
}

/// What tensor-parallel devices do with activations between their products: norms, dropout, the
/// residual stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stream {
    /// Every device keeps all of them.
    Whole,
    /// Each keeps its part of the sequence (sequence parallelism, arXiv 2205.05198).
    Split,
}

impl Stream {
    const NAMES: [(Self, &'static str); 2] = [(Self::Whole, "whole"), (Self::Split, "split")];
}

/// What waits in the machine's memory instead of the device's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Offload {
    /// Nothing.
    None,
    /// Optimizer states; the processor computes the step (ZeRO-Offload, arXiv 2101.06840).
    Optimizer,
    /// Shards of weights, gradients and optimizer states (FSDP's `CPUOffloadPolicy`).
    Parameters,
}

impl Offload {
    const NAMES: [(Self, &'static str); 3] =
        [(Self::None, "none"), (Self::Optimizer, "optimizer"), (Self::Parameters, "parameters")];
}

named!(Sharding, "sharding");
named!(Stream, "stream");
named!(Offload, "offload");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        for name in Sharding::names() {
            assert_eq!(name.parse::<Sharding>().unwrap().name(), name);
        }
        let error = "zero4".parse::<Sharding>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "unknown sharding \"zero4\": use none, zero1, zero2, zero3, fsdp"
        );
    }

    #[test]
    fn a_plain_plan_has_no_words() {
        assert_eq!(Parallelism::default().words(), None);
        let plan = Parallelism {
            sharding: Sharding::Fsdp,
            tensor: 2,
            stream: Stream::Split,
            ..Parallelism::default()
        };
        assert_eq!(plan.words().unwrap(), "FSDP, tensor and sequence parallel over 2");
    }
}
