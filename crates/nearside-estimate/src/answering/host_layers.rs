//! Layers that stay in main memory while the others are on the accelerator: llama.cpp's partial
//! offload (`--n-gpu-layers`).
//!
//! Their weights and their cache lie in main memory. Tokens are written layer after layer, so that the
//! processor reads its layers' share of the weights at the speed of main memory. A prompt of 32 tokens
//! or more is computed on the accelerator all the same (`GGML_OP_OFFLOAD_MIN_BATCH`), to which the
//! weights are copied once for every 512 tokens (the default micro-batch).

use crate::communication::{Collective, Exchange, Overlap};
use crate::demand::{Demand, Pass};
use crate::engine::llama_cpp::{Buffers, Model};

/// From so many tokens on the accelerator computes for the processor.
const TAKEN_OVER_FROM: u64 = 32;
/// Tokens for which weights are copied once.
const MICRO_BATCH: u64 = 512;

/// Prompts as they are read.
#[derive(Clone, Copy)]
pub(super) struct Reading {
    /// Tokens of one pass, over all sequences.
    pub(super) tokens: u64,
    /// Passes.
    pub(super) rounds: f64,
}

/// Leaves the first `layers` of a model to the processor. `demand` reads prompts and writes tokens
/// with all of them.
pub(super) fn leave(
    demand: &mut Demand,
    model: &Model,
    layers: u64,
    host: Buffers,
    reading: Reading,
) {
    let all = model.traffic().bytes.get().max(1) as f64;
    let share = model.traffic_of_first(layers).bytes.get() as f64 / all;
    let [read, write] = &mut demand.passes[..] else { return };
    let computed = |pass: &mut Pass| {
        let left = Pass { repeats: pass.repeats * share, ..pass.clone() };
        pass.repeats *= 1.0 - share;
        left
    };
    demand.host.passes.push(computed(write));
    match reading.tokens >= TAKEN_OVER_FROM {
        true => demand.exchanges.push(Exchange {
            collective: Collective::Send,
            bytes: host.weights,
            members: 2,
            repeats: reading.rounds * reading.tokens.div_ceil(MICRO_BATCH) as f64,
            overlap: Overlap::Exposed,
        }),
        false => demand.host.passes.push(computed(read)),
    }
    demand.host.memory = host.total();
    demand.load += host.weights;
}
