//! The rows: every family by its difference from one before it.
//!
//! Source: the configuration classes and modelling files of Hugging Face transformers (defaults
//! that apply where a `config.json` is silent) and llama.cpp's architecture names.

use super::{Biases, Family, Mixture, Recurrence, WindowRule};
use crate::{
    Activation, Gating, Norm, NormPlacement, Packing, Positions, QueryKeyNorm, Rotation, Scales,
    Scoring, Turning,
};

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
pub(super) const TABLE: &[Family] = &[
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
        model_types: &["nemotron_h"],
        gguf: &[],
        norm: Norm::RmsWide,
        gated: false,
        activation: Activation::ReluSquared,
        activation_field: Some("mlp_hidden_act"),
        rotary: Positions::Absent,
        mixture: Mixture::Named,
        scoring: Scoring::WideSigmoid,
        router_bias: true,
        recurrence: Recurrence::StateSpace,
        heads: (0, 0, 128),
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
