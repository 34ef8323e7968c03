//! What this program's own engine reaches on a processor: start values, and what runs that were measured made of them.

use std::collections::BTreeMap;

use nearside_architecture::Dtype;
use nearside_units::{Bytes, Duration, Sourced, Span};

use super::{assumed, microseconds};
use crate::engine::nearside::Format;
use crate::observation::decode::DecodeModel;

/// Shares, rates and sizes of this program's own engine, with their bases.
#[derive(Clone, Debug, PartialEq)]
pub struct OwnEngine {
    /// Share of the measured read bandwidth at which weights in blocks of four to six bits come while a token is
    /// written.
    pub blocks_share: Sourced<Span<f64>>,
    /// The same of weights in blocks of eight bits.
    pub bytes_share: Sourced<Span<f64>>,
    /// The same of weights that are floating-point numbers.
    pub floats_share: Sourced<Span<f64>>,
    /// The same of keys and values.
    pub cache_share: Sourced<Span<f64>>,
    /// Weights of formats without a kernel that a hardware thread unpacks and multiplies per second.
    pub unpacking: Sourced<Span<f64>>,
    /// Time of a layer besides its traffic.
    pub layer_gap: Sourced<Span<Duration>>,
    /// Share of measured 8-bit products that products of prompts with weights in blocks reach.
    pub integer_share: Sourced<Span<f64>>,
    /// Share of measured 32-bit products that products of prompts with floating-point numbers reach.
    pub float_share: Sourced<Span<f64>>,
    /// Share of measured 32-bit products that the attention of prompts reaches.
    pub attention_share: Sourced<Span<f64>>,
    /// What the process holds of what is counted: pages that nobody read are not there.
    pub resident: Sourced<Span<f64>>,
    /// Program, tokenizer and stacks.
    pub program: Sourced<Span<Bytes>>,
    /// What was measured here, by the type of most weights.
    pub observed: BTreeMap<Dtype, ObservedEngine>,
}

/// What runs on a site say of one type of weights.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ObservedEngine {
    /// How tokens read.
    pub decode: Option<Sourced<DecodeModel>>,
    /// Prompts over their estimates.
    pub prompt: Option<Sourced<Span<f64>>>,
}

impl Default for OwnEngine {
    /// Start values, before anything was measured.
    fn default() -> Self {
        Self {
            blocks_share: assumed(0.45, 0.8, 1.0, PRODUCTS),
            bytes_share: assumed(0.55, 0.9, 1.05, PRODUCTS),
            floats_share: assumed(0.5, 0.85, 1.05, PRODUCTS),
            cache_share: assumed(0.1, 0.3, 0.9, LONG_PROMPTS),
            unpacking: assumed(0.15e9, 0.5e9, 1.5e9, PRODUCTS),
            layer_gap: assumed(
                10.0,
                40.0,
                200.0,
                "microseconds: threads are woken some seven times a layer",
            )
            .map(microseconds),
            integer_share: assumed(0.4, 0.85, 1.3, PRODUCTS),
            float_share: assumed(0.4, 0.8, 1.2, PRODUCTS),
            attention_share: assumed(0.2, 0.55, 1.0, LONG_PROMPTS),
            resident: assumed(
                0.85,
                1.0,
                1.06,
                "rows of the embedding that no token has are not read",
            ),
            program: assumed(
                6.0,
                25.0,
                120.0,
                "MiB: the program, and a tokenizer of up to 256,000 words",
            )
            .map(|span| span.map(|mebibytes| Bytes::mib(mebibytes as u64))),
            observed: BTreeMap::new(),
        }
    }
}

/// What shares of formats are judged by.
const PRODUCTS: &str = "judged by cargo run --release -p nearside-models --example products, on a Xeon with AVX-512 VNNI; \
    wider for AVX2";

/// What shares of keys and values are judged by.
const LONG_PROMPTS: &str = "judged by nearside model bench --prompt 3072 against --prompt 512, per second of processor, on \
    a busy Xeon with AVX-512 VNNI";

impl OwnEngine {
    /// The share of the read bandwidth that weights of a format reach, where it is bandwidth that limits them.
    #[must_use]
    pub const fn share(&self, format: Format) -> &Sourced<Span<f64>> {
        match format {
            Format::Blocks => &self.blocks_share,
            Format::Bytes => &self.bytes_share,
            // What is unpacked is not faster than what is read as it is.
            Format::Floats | Format::Unpacked => &self.floats_share,
        }
    }
}
