//! The sizes of a decoder.

use std::collections::BTreeMap;

use nearside_architecture::{Decoder, FeedForward, Layer, Mixer, Positions};
use nearside_models::{Numerics, Rope, Scaling};
use schemars::JsonSchema;
use serde::Serialize;

/// Sizes of a decoder. Where layers differ, those of the first that has such a part.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(super) struct SizesView {
    /// Blocks.
    pub(super) layers: usize,
    /// How many blocks mix tokens in which way.
    pub(super) mixers: BTreeMap<String, usize>,
    /// Width of what passes from block to block.
    pub(super) hidden: u64,
    /// Heads of queries.
    pub(super) heads: Option<u64>,
    /// Heads of keys and values.
    pub(super) key_value_heads: Option<u64>,
    /// Width of a head.
    pub(super) head_dim: Option<u64>,
    /// Width inside of the feed-forward network, or of one expert.
    pub(super) feed_forward: Option<u64>,
    /// Experts to choose from.
    pub(super) experts: Option<u64>,
    /// Experts that each token uses.
    pub(super) active_experts: Option<u64>,
    /// Rows of the embedding.
    pub(super) vocabulary: u64,
    /// Whether the output is the embedding.
    pub(super) tied_embeddings: bool,
    /// Tokens that it was made for.
    pub(super) context: Option<u64>,
    /// Tokens back that some blocks see.
    pub(super) sliding_window: Option<u64>,
    /// Blocks that see no more than that.
    pub(super) windowed_layers: usize,
    /// How it knows positions.
    pub(super) positions: PositionsView,
}

/// How a model knows positions.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(super) struct PositionsView {
    /// `rotary`, `learned` or `none`.
    pub(super) kind: String,
    /// The base of rotary speeds.
    pub(super) base: Option<f64>,
    /// The same of blocks that see only a window, where it is another one.
    pub(super) window_base: Option<f64>,
    /// Elements of a head that are rotated.
    pub(super) rotated: Option<u64>,
    /// How they are stretched: `linear`, `llama3`, `yarn`, `by pair` or `divided`.
    pub(super) scaling: Option<String>,
    /// By what.
    pub(super) factor: Option<f64>,
    /// The context before that, in tokens.
    pub(super) original_context: Option<f64>,
}

impl SizesView {
    pub(super) fn of(decoder: &Decoder, numerics: Option<&Numerics>) -> Self {
        let layers = || decoder.layers.iter();
        let mut mixers = BTreeMap::new();
        for layer in layers() {
            *mixers.entry(mixer(&layer.mixer).to_owned()).or_default() += 1;
        }
        let experts = layers().find_map(|layer| match &layer.feed_forward {
            FeedForward::Experts(experts) => Some(experts),
            _ => None,
        });
        let dense = layers().find_map(|layer| match &layer.feed_forward {
            FeedForward::Dense(dense) => Some(dense.intermediate),
            _ => None,
        });
        let [heads, key_value_heads, head_dim, rotated] =
            layers().find_map(heads).unwrap_or([None; 4]);
        Self {
            layers: decoder.layers.len(),
            mixers,
            hidden: decoder.hidden,
            heads,
            key_value_heads,
            head_dim,
            feed_forward: experts.map(|experts| experts.expert.intermediate).or(dense),
            experts: experts.map(|experts| experts.count),
            active_experts: experts.map(|experts| experts.active),
            vocabulary: decoder.vocabulary,
            tied_embeddings: decoder.tied_embeddings,
            context: decoder.context,
            sliding_window: layers().find_map(window),
            windowed_layers: layers().filter(|layer| window(layer).is_some()).count(),
            positions: PositionsView::of(decoder.positions, numerics, rotated),
        }
    }
}

/// Heads, heads of keys and values, their width, and what of it is rotated.
fn heads(layer: &Layer) -> Option<[Option<u64>; 4]> {
    match &layer.mixer {
        Mixer::Grouped(attention) => Some([
            Some(attention.heads),
            Some(attention.key_value_heads),
            Some(attention.head_dim),
            Some(attention.rotary_dim),
        ]),
        Mixer::Latent(attention) => Some([
            Some(attention.heads),
            None,
            Some(attention.plain_dim + attention.rotary_dim),
            Some(attention.rotary_dim),
        ]),
        _ => None,
    }
}

const fn window(layer: &Layer) -> Option<u64> {
    match &layer.mixer {
        Mixer::Grouped(attention) => attention.window,
        _ => None,
    }
}

const fn mixer(mixer: &Mixer) -> &'static str {
    match mixer {
        Mixer::Grouped(_) => "attention",
        Mixer::Latent(_) => "latent attention",
        Mixer::StateSpace(_) => "state space",
        Mixer::DeltaRule(_) => "delta rule",
        Mixer::ShortConvolution(_) => "short convolution",
        Mixer::Absent => "none",
    }
}

impl PositionsView {
    fn of(positions: Positions, numerics: Option<&Numerics>, rotated: Option<u64>) -> Self {
        let kind = match positions {
            Positions::Learned(_) | Positions::LearnedByToken(_) => "learned",
            Positions::Absent => "none",
            _ => "rotary",
        };
        let rope = numerics.filter(|_| kind == "rotary").map(|numerics| &numerics.rope);
        let window = numerics.and_then(|numerics| numerics.window_rope.as_ref());
        let (scaling, factor, original_context) =
            rope.map_or((None, None, None), |rope| scaling(&rope.scaling));
        Self {
            kind: kind.to_owned(),
            base: rope.map(|rope| rope.theta),
            window_base: rope.and(window).map(base).filter(|other| rope.map(base) != Some(*other)),
            rotated: rotated.filter(|_| kind == "rotary"),
            scaling: scaling.map(str::to_owned),
            factor,
            original_context,
        }
    }
}

const fn base(rope: &Rope) -> f64 {
    rope.theta
}

/// How positions are stretched, by what, and from which context on.
const fn scaling(scaling: &Scaling) -> (Option<&'static str>, Option<f64>, Option<f64>) {
    match scaling {
        Scaling::None => (None, None, None),
        Scaling::Linear { factor } => (Some("linear"), Some(*factor), None),
        Scaling::Llama3 { factor, original, .. } => {
            (Some("llama3"), Some(*factor), Some(*original))
        }
        Scaling::Yarn { factor, original, .. } => (Some("yarn"), Some(*factor), Some(*original)),
        Scaling::ByPair { original, .. } => (Some("by pair"), None, Some(*original)),
        Scaling::Divided(_) => (Some("divided"), None, None),
    }
}
