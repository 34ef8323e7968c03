//! What an optimizer keeps per weight and what its step takes besides, tensor by tensor.
//!
//! Sources: torch/optim/adam.py, sgd.py, _adafactor.py (torch 2.9); bitsandbytes
//! optim/optimizer.py (`Optimizer2State.init_state`: 8-bit states in blocks of 256 for tensors of
//! 4,096 elements or more).

use nearside_architecture::Dtype;
use nearside_units::{Bytes, Flops};
use nearside_workload::Optimizer;

use crate::live::{Live, PieceId, Requests};
use crate::tape::{BLOCK, Category, Kernel, Tape, TensorId, Work};

/// Elements that share one scale in an 8-bit state.
const STATE_BLOCK: u64 = 256;
/// Tensors with fewer elements keep 32-bit states.
const SMALLEST_8BIT: u64 = 4_096;
/// Two tables of 256 values that translate 8-bit states.
const STATE_TABLES: u64 = 2 * 256 * 4;

/// An optimizer at work: its states come to be in the first step.
pub(crate) struct Optimizing {
    optimizer: Optimizer,
    started: bool,
}

impl Optimizing {
    pub(crate) const fn new(optimizer: Optimizer) -> Self {
        Self { optimizer, started: false }
    }

    /// One step over all trained weights.
    pub(crate) fn step<R: Requests>(&mut self, live: &mut Live<R>, tape: &Tape) {
        if !self.started {
            self.started = true;
            for bytes in states(tape, self.optimizer) {
                live.take(bytes, Category::Optimizer, "optimizer states");
            }
        }
        match self.optimizer {
            Optimizer::AdamWPlain => one_by_one(live, tape, 2),
            Optimizer::Adafactor => one_by_one(live, tape, 1),
            Optimizer::AdamWForeach => all_at_once(live, tape),
            Optimizer::AdamW
            | Optimizer::AdamW8Bit
            | Optimizer::PagedAdamW8Bit
            | Optimizer::Sgd
            | Optimizer::SgdMomentum => {}
        }
    }
}

/// Sizes of every state on the device, as the allocator counts them. AdamW keeps two states in the
/// weight's type and a 32-bit step number per tensor, which takes a whole block; SGD with momentum
/// one; Adafactor a row and a column of 32-bit numbers per matrix; paged states live elsewhere.
#[must_use]
pub fn states(tape: &Tape, optimizer: Optimizer) -> Vec<Bytes> {
    let mut states = Vec::new();
    let block = |bytes: Bytes| bytes.rounded_up_to(BLOCK);
    for weight in tape.trained() {
        let whole = tape.gradient_bytes(weight);
        let elements = tape.of(weight).elements;
        match optimizer {
            Optimizer::Sgd | Optimizer::PagedAdamW8Bit => {}
            Optimizer::SgdMomentum => states.push(whole),
            Optimizer::AdamW | Optimizer::AdamWPlain | Optimizer::AdamWForeach => {
                states.extend([Bytes::new(BLOCK), whole, whole]);
            }
            Optimizer::AdamW8Bit if elements < SMALLEST_8BIT => {
                let state = block(Dtype::F32.bytes(elements));
                states.extend([state, state]);
            }
            Optimizer::AdamW8Bit => {
                let scales = block(Dtype::F32.bytes(elements.div_ceil(STATE_BLOCK)));
                let state = block(Bytes::new(elements));
                states.extend([state, scales, state, scales]);
            }
            Optimizer::Adafactor => {
                // A matrix of n elements has at most 2 sqrt(n) rows and columns if it is square.
                let factors = 2 * (elements as f64).sqrt().ceil() as u64;
                states.extend([Bytes::new(BLOCK), block(Dtype::F32.bytes(factors))]);
            }
        }
    }
    if optimizer == Optimizer::AdamW8Bit && !states.is_empty() {
        states.push(block(Bytes::new(STATE_TABLES)));
    }
    states
}

/// Tensor by tensor: so many temporaries of its size at once, the last of which lives until the
/// next tensor's has been made.
fn one_by_one<R: Requests>(live: &mut Live<R>, tape: &Tape, temporaries: usize) {
    let mut last: Option<PieceId> = None;
    for weight in tape.trained() {
        let bytes = tape.gradient_bytes(weight);
        let mut made: Vec<_> = (0..temporaries)
            .map(|_| live.take(bytes, Category::Activations, "optimizer step"))
            .collect();
        let kept = made.pop();
        for piece in made.into_iter().chain(std::mem::replace(&mut last, kept)) {
            live.give(piece);
        }
    }
    if let Some(piece) = last {
        live.give(piece);
    }
}

/// All tensors in one call: a temporary of every weight at once.
fn all_at_once<R: Requests>(live: &mut Live<R>, tape: &Tape) {
    let take = |live: &mut Live<R>, weight: TensorId| {
        live.take(tape.gradient_bytes(weight), Category::Activations, "optimizer step")
    };
    let pieces: Vec<_> = tape.trained().map(|weight| take(live, weight)).collect();
    for piece in pieces {
        live.give(piece);
    }
}

/// Reads weight, gradient and states, writes weight and states.
#[must_use]
pub fn work(tape: &Tape, optimizer: Optimizer) -> Work {
    let all: Bytes = tape.trained().map(|weight| tape.gradient_bytes(weight)).sum();
    let elements: u64 = tape.trained().map(|weight| tape.of(weight).elements).sum();
    // Passes over memory of the weights' size, and operations per element.
    let (passes, operations) = match optimizer {
        Optimizer::AdamW => (7.0, 12.0),
        Optimizer::AdamWPlain | Optimizer::AdamWForeach => (16.0, 12.0),
        Optimizer::AdamW8Bit | Optimizer::PagedAdamW8Bit => (5.0, 20.0),
        Optimizer::Adafactor => (9.0, 12.0),
        Optimizer::SgdMomentum => (5.0, 4.0),
        Optimizer::Sgd => (3.0, 2.0),
    };
    let flops = Flops::from_flops(elements as f64 * operations).unwrap_or(Flops::ZERO);
    let dtype = Dtype::F32;
    Work { kernel: Kernel::Pointwise, dtype, flops, bytes: all.scaled(passes) }
}
