//! What sets decoder families apart, in one table.
//!
//! Source: the configuration classes and modelling files of Hugging Face transformers (defaults
//! that apply where a `config.json` is silent) and llama.cpp's architecture names.

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

const NO_SCALES: Scales = Scales { branches: false, logits: false, queries: false };

const LLAMA: Family = Family {
    model_types: &["llama", "smollm", "tinyllama", "yi", "Yi"],
    gguf: &["llama"],
    tied: false,
    norm: Norm::Rms,
    norms: NormPlacement::Before,
    query_key_norm: None,
    biases: Biases::Configured,
    gated: true,
    activation: Activation::Silu,
    scaled_embeddings: false,
    turning: Turning::Each,
    packed_gate: false,
    scales: NO_SCALES,
    activation_field: None,
    rotary_share: 1.0,
    residual_dropout: None,
    output_bias: false,
    position_offset: 0,
    learned_positions: false,
    rotary: Positions::Rotary,
    rotation: Rotation::Complex,
    packing: Packing::Apart,
    dropout: false,
    wide_softmax: true,
    window: WindowRule::Never,
    mixture: Mixture::Never,
    recurrence: Recurrence::Never,
    soft_caps: false,
    latent: false,
    sinks: false,
    gated_attention: false,
    gating: Gating::Plain,
    shared_gate: false,
    scoring: Scoring::Renormalised,
    router_bias: false,
    heads: (0, 0, 0),
    vocabulary: 0,
};

const NEOX: Family = Family {
    model_types: &["gpt_neox"],
    gguf: &[],
    norm: Norm::Layer,
    norms: NormPlacement::Apart,
    biases: Biases::All,
    gated: false,
    activation: Activation::Gelu,
    activation_field: Some("hidden_act"),
    rotary_share: 0.25,
    turning: Turning::Parts,
    residual_dropout: Some(("hidden_dropout", false)),
    packing: Packing::ByHead,
    ..LLAMA
};

const COHERE: Family = Family {
    model_types: &["cohere"],
    gguf: &[],
    tied: true,
    norm: Norm::WideLayer,
    norms: NormPlacement::Shared,
    turning: Turning::Wide,
    scales: Scales { branches: false, logits: true, queries: false },
    activation_field: Some("hidden_act"),
    ..LLAMA
};

const GLM: Family = Family {
    model_types: &["glm"],
    gguf: &[],
    biases: Biases::Inputs,
    packed_gate: true,
    rotary_share: 0.5,
    turning: Turning::Turns,
    activation_field: Some("hidden_act"),
    heads: (0, 0, 128),
    ..LLAMA
};

const QWEN2: Family = Family {
    model_types: &["qwen2"],
    gguf: &["qwen2"],
    biases: Biases::Inputs,
    window: WindowRule::OptIn { from: Some(28), window: Some(4096) },
    ..LLAMA
};

const QWEN3: Family = Family {
    model_types: &["qwen3"],
    gguf: &["qwen3"],
    query_key_norm: Some(QueryKeyNorm::Head),
    window: WindowRule::OptIn { from: Some(28), window: Some(4096) },
    heads: (0, 0, 128),
    ..LLAMA
};

const QWEN3_NEXT: Family = Family {
    model_types: &["qwen3_next"],
    gguf: &[],
    norm: Norm::RmsOffset,
    rotary_share: 0.25,
    window: WindowRule::Never,
    gated_attention: true,
    scoring: Scoring::NarrowRenormalised,
    mixture: Mixture::Stepped,
    shared_gate: true,
    recurrence: Recurrence::DeltaRule { packed: true },
    heads: (0, 0, 256),
    ..QWEN3
};

const QWEN3_5: Family = Family {
    model_types: &["qwen3_5", "qwen3_5_text"],
    rotary: Positions::RotaryBySequence,
    mixture: Mixture::Never,
    recurrence: Recurrence::DeltaRule { packed: false },
    ..QWEN3_NEXT
};

const GEMMA: Family = Family {
    model_types: &["gemma"],
    gguf: &["gemma"],
    tied: true,
    norm: Norm::RmsOffset,
    activation: Activation::GeluTanh,
    scaled_embeddings: true,
    heads: (0, 0, 256),
    ..LLAMA
};

const OLMO2: Family = Family {
    model_types: &["olmo2"],
    gguf: &["olmo2"],
    rotary: Positions::RotaryWide,
    norm: Norm::RmsWide,
    norms: NormPlacement::After,
    query_key_norm: Some(QueryKeyNorm::Projection),
    ..LLAMA
};

const DEEPSEEK_V2: Family = Family {
    model_types: &["deepseek_v2"],
    gguf: &["deepseek2"],
    scoring: Scoring::WideSoftmax,
    latent: true,
    mixture: Mixture::AfterDense(0),
    ..LLAMA
};

/// Every family, by difference from one before it.
const TABLE: &[Family] = &[
    LLAMA,
    Family {
        model_types: &["granite"],
        gguf: &["granite"],
        scaled_embeddings: true,
        scales: Scales { branches: true, logits: true, queries: false },
        ..LLAMA
    },
    Family {
        model_types: &["granitemoehybrid"],
        gguf: &[],
        scaled_embeddings: true,
        scales: Scales { branches: true, logits: true, queries: false },
        packed_gate: true,
        rotary: Positions::Absent,
        mixture: Mixture::Counted,
        scoring: Scoring::WideBest,
        recurrence: Recurrence::StateSpace,
        ..LLAMA
    },
    Family {
        model_types: &["bamba"],
        gguf: &[],
        rotary_share: 0.5,
        recurrence: Recurrence::StateSpace,
        ..LLAMA
    },
    NEOX,
    Family {
        model_types: &["phi"],
        norms: NormPlacement::Shared,
        activation: Activation::GeluWritten,
        rotary_share: 0.5,
        turning: Turning::KeptParts,
        residual_dropout: Some(("resid_pdrop", false)),
        packing: Packing::Apart,
        output_bias: true,
        ..NEOX
    },
    Family {
        model_types: &["stablelm"],
        gguf: &[],
        norm: Norm::Layer,
        norms: NormPlacement::BeforeKept,
        biases: Biases::Asked("use_qkv_bias"),
        activation_field: Some("hidden_act"),
        rotary_share: 0.25,
        turning: Turning::KeptParts,
        residual_dropout: Some(("hidden_dropout", false)),
        ..LLAMA
    },
    Family {
        model_types: &["opt"],
        gguf: &[],
        tied: true,
        norm: Norm::Layer,
        biases: Biases::All,
        gated: false,
        activation: Activation::Relu,
        activation_field: Some("activation_function"),
        residual_dropout: Some(("dropout", true)),
        scales: Scales { branches: false, logits: false, queries: true },
        learned_positions: true,
        position_offset: 2,
        wide_softmax: true,
        ..LLAMA
    },
    Family {
        model_types: &["olmo"],
        gguf: &[],
        norm: Norm::PlainWide,
        rotary: Positions::RotaryWide,
        activation_field: Some("hidden_act"),
        ..LLAMA
    },
    Family {
        model_types: &["arcee"],
        gguf: &[],
        gated: false,
        activation: Activation::ReluSquared,
        activation_field: Some("hidden_act"),
        ..LLAMA
    },
    Family {
        model_types: &["seed_oss"],
        gguf: &[],
        biases: Biases::Inputs,
        residual_dropout: Some(("residual_dropout", true)),
        activation_field: Some("hidden_act"),
        heads: (0, 0, 128),
        ..LLAMA
    },
    Family {
        model_types: &["exaone4"],
        gguf: &[],
        norms: NormPlacement::After,
        query_key_norm: Some(QueryKeyNorm::Head),
        rotary: Positions::RotaryNear,
        window: WindowRule::AllButLast { group: 4, window: 4096 },
        activation_field: Some("hidden_act"),
        ..LLAMA
    },
    Family {
        model_types: &["ministral"],
        gguf: &[],
        window: WindowRule::Everywhere(Some(4096)),
        activation_field: Some("hidden_act"),
        ..LLAMA
    },
    COHERE,
    Family {
        model_types: &["cohere2"],
        rotary: Positions::RotaryNear,
        window: WindowRule::AllButLast { group: 4, window: 4096 },
        ..COHERE
    },
    GLM,
    Family { model_types: &["glm4"], norms: NormPlacement::Sandwich, ..GLM },
    Family {
        model_types: &["mistral"],
        gguf: &[],
        window: WindowRule::Everywhere(Some(4096)),
        ..LLAMA
    },
    Family {
        model_types: &["mixtral"],
        gguf: &[],
        window: WindowRule::Everywhere(None),
        mixture: Mixture::Everywhere,
        ..LLAMA
    },
    Family {
        model_types: &["phi3"],
        gguf: &["phi3"],
        packing: Packing::Sliced,
        window: WindowRule::Everywhere(None),
        ..LLAMA
    },
    Family {
        model_types: &["smollm3"],
        gguf: &["smollm3"],
        tied: true,
        window: WindowRule::OptIn { from: None, window: None },
        ..LLAMA
    },
    Family {
        model_types: &["starcoder2"],
        gguf: &["starcoder2"],
        tied: true,
        norm: Norm::Layer,
        biases: Biases::All,
        gated: false,
        activation: Activation::GeluTanh,
        window: WindowRule::Everywhere(None),
        ..LLAMA
    },
    Family {
        model_types: &["olmoe"],
        scoring: Scoring::Narrow,
        gguf: &["olmoe"],
        query_key_norm: Some(QueryKeyNorm::Projection),
        mixture: Mixture::Everywhere,
        ..LLAMA
    },
    Family {
        model_types: &["gpt_oss"],
        gguf: &["gpt-oss"],
        scoring: Scoring::Best,
        norm: Norm::RmsWide,
        biases: Biases::All,
        window: WindowRule::AllButLast { group: 2, window: 128 },
        mixture: Mixture::Everywhere,
        sinks: true,
        gating: Gating::Clamped,
        rotary: Positions::RotaryHalves,
        wide_softmax: false,
        router_bias: true,
        heads: (0, 0, 64),
        ..LLAMA
    },
    Family {
        model_types: &["gpt2"],
        gguf: &["gpt2"],
        tied: true,
        norm: Norm::Layer,
        biases: Biases::All,
        gated: false,
        activation: Activation::GeluWritten,
        learned_positions: true,
        packing: Packing::Split,
        dropout: true,
        wide_softmax: false,
        ..LLAMA
    },
    QWEN2,
    Family {
        model_types: &["qwen2_moe"],
        gguf: &["qwen2moe"],
        scoring: Scoring::Narrow,
        mixture: Mixture::Stepped,
        shared_gate: true,
        ..QWEN2
    },
    QWEN3,
    Family {
        model_types: &["qwen3_moe"],
        gguf: &["qwen3moe"],
        scoring: Scoring::Narrow,
        mixture: Mixture::Stepped,
        window: WindowRule::OptIn { from: None, window: Some(4096) },
        // Unlike Qwen 3, a silent config falls back to hidden / heads.
        heads: (0, 0, 0),
        ..QWEN3
    },
    QWEN3_NEXT,
    QWEN3_5,
    Family {
        model_types: &["qwen3_5_moe", "qwen3_5_moe_text"],
        mixture: Mixture::Everywhere,
        ..QWEN3_5
    },
    Family {
        model_types: &["lfm2"],
        gguf: &[],
        tied: true,
        query_key_norm: Some(QueryKeyNorm::Head),
        recurrence: Recurrence::ShortConvolution,
        ..LLAMA
    },
    GEMMA,
    Family {
        model_types: &["gemma2"],
        gguf: &["gemma2"],
        norms: NormPlacement::Sandwich,
        window: WindowRule::AllButLast { group: 2, window: 4096 },
        soft_caps: true,
        ..GEMMA
    },
    Family {
        model_types: &["gemma3", "gemma3_text"],
        gguf: &["gemma3"],
        norms: NormPlacement::Sandwich,
        query_key_norm: Some(QueryKeyNorm::Head),
        rotary: Positions::RotaryBySight,
        window: WindowRule::AllButLast { group: 6, window: 4096 },
        heads: (8, 4, 256),
        vocabulary: 262_208,
        ..GEMMA
    },
    OLMO2,
    Family {
        model_types: &["olmo3"],
        gguf: &["olmo3"],
        window: WindowRule::AllButLast { group: 4, window: 4096 },
        ..OLMO2
    },
    DEEPSEEK_V2,
    Family {
        model_types: &["deepseek_v3", "kimi_k2"],
        gguf: &[],
        mixture: Mixture::AfterDense(3),
        scoring: Scoring::WideSigmoid,
        rotation: Rotation::Interleaved,
        router_bias: true,
        ..DEEPSEEK_V2
    },
];

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
