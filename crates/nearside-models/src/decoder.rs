//! A decoder that computes: tokens in, a score for every word of the vocabulary out.
//!
//! One graph for every family that is a sequence of attention and feed-forward: what sets them apart is in the
//! [`Architecture`](nearside_architecture::Architecture) that the estimator reads too, and in [`Numerics`]. Weights
//! are used where the files have them.

mod attention;
mod feed_forward;
mod forward;
mod load;
mod observe;
mod rotation;

use std::sync::Arc;

use nearside_architecture::{Activation, NormPlacement};

use crate::adapter::LowRank;
use crate::kernel::{Heads, Normalise, Precision};
use crate::key_value_cache::KeyValueCache;
use crate::matrix::Matrix;

pub use forward::{Segment, Wanted};
pub(crate) use load::unsupported;
pub use observe::Observation;
use observe::Observed;
use rotation::Rotation;

/// A model that computes.
#[derive(Debug)]
pub struct DecoderModel {
    embedding: Matrix,
    embedding_scale: Option<f32>,
    layers: Vec<Layer>,
    output_norm: Normalise,
    output: Matrix,
    logit_cap: Option<f32>,
    hidden: usize,
    vocabulary: usize,
    /// The longest context that it was made for, where somebody says.
    context: Option<usize>,
}

/// A block.
#[derive(Debug)]
struct Layer {
    attention: Attention,
    feed_forward: FeedForward,
    norms: Norms,
}

/// The norms of a block, by where they stand.
#[derive(Debug)]
struct Norms {
    placement: NormPlacement,
    attention: Option<Normalise>,
    after_attention: Option<Normalise>,
    feed_forward: Option<Normalise>,
    after_feed_forward: Option<Normalise>,
}

/// How tokens of a block look at each other.
#[derive(Debug)]
struct Attention {
    heads: Heads,
    query: Projection,
    key: Projection,
    value: Projection,
    output: Projection,
    query_norm: Option<Normalise>,
    key_norm: Option<Normalise>,
    rotation: Rotation,
}

/// A product with weights, and what is added.
#[derive(Debug)]
struct Projection {
    matrix: Matrix,
    bias: Option<Vec<f32>>,
    /// What an adapter adds.
    change: Option<LowRank>,
    /// Where what goes in is added up, while somebody wants to know.
    observed: Option<Arc<Observed>>,
}

/// What happens to each token of a block.
#[derive(Debug)]
enum FeedForward {
    Dense(Dense),
    Experts(Experts),
}

/// One network.
#[derive(Debug)]
struct Dense {
    activation: Activation,
    gate: Option<Projection>,
    up: Projection,
    down: Projection,
}

/// Networks that a router chooses from.
#[derive(Debug)]
struct Experts {
    router: Matrix,
    active: usize,
    /// Whether weights of the chosen ones are made to add up to one.
    renormalised: bool,
    experts: Vec<Dense>,
    shared: Option<Shared>,
}

/// A network that every token uses besides.
#[derive(Debug)]
struct Shared {
    network: Dense,
    /// How much of it each token takes; all where there is none.
    share: Option<Matrix>,
}

impl DecoderModel {
    /// How many words it knows.
    #[must_use]
    pub const fn vocabulary(&self) -> usize {
        self.vocabulary
    }

    /// How many numbers stand for a token within it.
    #[must_use]
    pub const fn hidden(&self) -> usize {
        self.hidden
    }

    /// The longest context that it was made for, where somebody says.
    #[must_use]
    pub const fn context(&self) -> Option<usize> {
        self.context
    }

    /// Bytes of weights that are read to write one token: all that are in use, and of several experts those of one token.
    #[must_use]
    pub fn bytes_per_token(&self) -> u64 {
        let layers: u64 = self.layers.iter().map(Layer::bytes_per_token).sum();
        layers + self.output.weights().bytes.len() as u64
    }

    /// Room for a sequence of so many tokens, in half precision.
    #[must_use]
    pub fn cache(&self, tokens: usize) -> KeyValueCache {
        self.cache_with(tokens, Precision::Half)
    }

    /// Room for a sequence of so many tokens.
    #[must_use]
    pub fn cache_with(&self, tokens: usize, precision: Precision) -> KeyValueCache {
        let size = |layer: &Layer| (layer.attention.heads.keys, layer.attention.heads.width);
        let sizes: Vec<_> = self.layers.iter().map(size).collect();
        KeyValueCache::new(&sizes, tokens, precision)
    }
}

impl Layer {
    fn bytes_per_token(&self) -> u64 {
        let Attention { query, key, value, output, .. } = &self.attention;
        let attention: u64 = [query, key, value, output].map(Projection::bytes).iter().sum();
        attention
            + match &self.feed_forward {
                FeedForward::Dense(dense) => dense.bytes(),
                FeedForward::Experts(experts) => {
                    let all: u64 = experts.experts.iter().map(Dense::bytes).sum();
                    let shared = experts.shared.as_ref().map_or(0, |shared| shared.network.bytes());
                    all * experts.active as u64 / experts.experts.len().max(1) as u64 + shared
                }
            }
    }
}

impl Dense {
    fn bytes(&self) -> u64 {
        self.gate.as_ref().map_or(0, Projection::bytes) + self.up.bytes() + self.down.bytes()
    }
}

impl Projection {
    fn bytes(&self) -> u64 {
        let change = self.change.as_ref().map_or(0, LowRank::parameters) * size_of::<f32>();
        (self.matrix.weights().bytes.len() + change) as u64
    }
}
