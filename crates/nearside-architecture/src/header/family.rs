//! What sets decoder families apart: the columns of one table, whose rows stand in [`table`].

mod table;

use table::TABLE;

use crate::{
    Activation, Dropout, Gating, Norm, NormPlacement, Packing, Positions, QueryKeyNorm, Rotation,
    Scales, Scoring, Turning,
};

/// The widest residual stream that is read, in elements.
pub const MAX_HIDDEN: u64 = 1 << 20;
/// The most layers that are read.
pub const MAX_LAYERS: u64 = 4096;
/// The most rows of an embedding table that are read.
pub const MAX_VOCABULARY: u64 = 1 << 26;
/// The most attention heads that are read.
pub const MAX_HEADS: u64 = 1 << 14;
/// The widest attention head (and latent vector) that is read, in elements.
pub const MAX_HEAD_DIM: u64 = 1 << 16;
/// The widest feed-forward network that is read, in elements.
pub const MAX_INTERMEDIATE: u64 = 1 << 24;
/// The most experts per layer that are read.
pub const MAX_EXPERTS: u64 = 1 << 14;
/// The longest context that is read, in tokens.
pub const MAX_CONTEXT: u64 = 1 << 40;
/// The most parameters that a model may have: a thousand times the largest published one.
pub const MAX_PARAMETERS: u64 = 1 << 51;

/// Which projections have biases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Biases {
    /// Those that `attention_bias` and `mlp_bias` name; none by default.
    Configured,
    /// Queries, keys and values.
    Inputs,
    /// Queries, keys and values where that field says so.
    Asked(&'static str),
    /// All.
    All,
}

/// Which layers see only a window when there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WindowRule {
    /// None, whatever the file says.
    Never,
    /// All; this window where the file is silent.
    Everywhere(Option<u64>),
    /// Only if `use_sliding_window` says so.
    OptIn {
        /// The first layer with a window where `max_window_layers` is silent; `None` if that field
        /// means nothing and all layers have it.
        from: Option<u64>,
        /// The window where the file is silent, in tokens.
        window: Option<u64>,
    },
    /// All but each last one of a group.
    AllButLast {
        /// Layers in a group.
        group: u64,
        /// The window where the file is silent, in tokens.
        window: u64,
    },
}

/// Which layers have experts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mixture {
    /// None.
    Never,
    /// All.
    Everywhere,
    /// Each `decoder_sparse_step`-th, but those in `mlp_only_layers`.
    Stepped,
    /// All, where the file counts any (Granite 4).
    Counted,
    /// Those blocks that the file names so (Nemotron-H).
    Named,
    /// All after the first `first_k_dense_replace`; so many where the file is silent.
    AfterDense(u64),
}

/// What layers without attention have in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Recurrence {
    /// There are none.
    Never,
    /// A state space with one decay per head (Mamba-2).
    StateSpace,
    /// A gated delta rule, its inputs from two products or from four.
    DeltaRule {
        /// From two.
        packed: bool,
    },
    /// A short convolution between gates.
    ShortConvolution,
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Family {
    /// `model_type` in `config.json`.
    pub(super) model_types: &'static [&'static str],
    /// `general.architecture` in GGUF.
    pub(super) gguf: &'static [&'static str],
    /// Whether the output layer shares the embedding table where the file is silent.
    pub(super) tied: bool,
    /// The kind of norm.
    pub(super) norm: Norm,
    /// Where norms stand.
    pub(super) norms: NormPlacement,
    /// A norm on queries and keys.
    pub(super) query_key_norm: Option<QueryKeyNorm>,
    /// Which projections have biases.
    pub(super) biases: Biases,
    /// Whether feed-forward networks are gated.
    pub(super) gated: bool,
    /// The nonlinearity of feed-forward networks.
    pub(super) activation: Activation,
    /// Whether embeddings are multiplied by the root of their width.
    pub(super) scaled_embeddings: bool,
    /// How heads are rotated.
    pub(super) turning: Turning,
    /// Whether gate and up come out of one product though queries, keys and values do not.
    pub(super) packed_gate: bool,
    /// What is multiplied by a number.
    pub(super) scales: Scales,
    /// The field that names the nonlinearity, where that is read.
    pub(super) activation_field: Option<&'static str>,
    /// The share of a head that is rotated where the file is silent.
    pub(super) rotary_share: f64,
    /// The field of the probability of dropping what is added to the stream, and its habit.
    pub(super) residual_dropout: Option<(&'static str, bool)>,
    /// Whether the output layer has a bias.
    pub(super) output_bias: bool,
    /// Rows of a table of positions before that of the first token.
    pub(super) position_offset: u64,
    /// Whether positions are a learned table.
    pub(super) learned_positions: bool,
    /// How positions enter where they are not a learned table.
    pub(super) rotary: Positions,
    /// How latent attention rotates.
    pub(super) rotation: Rotation,
    /// Whether queries, keys and values come out of one product, and so gate and up.
    pub(super) packing: Packing,
    /// Whether elements are dropped in training where the file is silent.
    pub(super) dropout: bool,
    /// Whether softmax over scores in memory is taken in 32 bits.
    pub(super) wide_softmax: bool,
    /// Which layers see only a window.
    pub(super) window: WindowRule,
    /// Which layers have experts.
    pub(super) mixture: Mixture,
    /// What layers without attention have in its place.
    pub(super) recurrence: Recurrence,
    /// Whether scores and logits are capped where the file is silent.
    pub(super) soft_caps: bool,
    /// Whether attention is latent.
    pub(super) latent: bool,
    /// Whether each head has a learned sink.
    pub(super) sinks: bool,
    /// Whether what heads return is gated by a part of the query projection.
    pub(super) gated_attention: bool,
    /// How experts are gated.
    pub(super) gating: Gating,
    /// Whether the shared expert has a gate.
    pub(super) shared_gate: bool,
    /// How router scores become weights where the file is silent.
    pub(super) scoring: Scoring,
    /// Whether routers have a bias per expert where the file is silent.
    pub(super) router_bias: bool,
    /// Heads, key-value heads and head width where the file is silent; 0 is no default.
    pub(super) heads: (u64, u64, u64),
    /// Rows of the embedding table where the file is silent; 0 is no default.
    pub(super) vocabulary: u64,
}

impl Family {
    /// The family of a `model_type`.
    pub(super) fn of_model_type(name: &str) -> Option<&'static Self> {
        TABLE.iter().find(|family| family.model_types.contains(&name))
    }

    /// The family of a transformers class, as in `LlamaForCausalLM`.
    pub(super) fn of_class(class: &str) -> Option<&'static Self> {
        let stem = class.strip_suffix("ForCausalLM")?.to_ascii_lowercase();
        let same = |name: &&'static str| name.replace('_', "") == stem;
        TABLE.iter().find(|family| family.model_types.iter().any(same))
    }

    /// The family of a GGUF's `general.architecture`.
    pub(super) fn of_gguf(name: &str) -> Option<&'static Self> {
        TABLE.iter().find(|family| family.gguf.contains(&name))
    }

    /// Where elements are dropped if nothing says otherwise.
    pub(super) const fn dropouts(&self) -> Dropout {
        let Self { dropout, .. } = *self;
        Dropout { embeddings: dropout, attention: dropout, residual: dropout }
    }

    /// Whether layer `index` sees only the window, in groups of that many layers.
    pub(super) fn windowed(index: usize, group: u64) -> bool {
        !(index as u64 + 1).is_multiple_of(group.max(1))
    }
}
