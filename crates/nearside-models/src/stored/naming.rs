//! What files call the tensors of a decoder.
//!
//! Sources: `gguf.constants` of the `gguf` package, and the modelling files of Hugging Face transformers.

use nearside_architecture::NormPlacement;

/// What a tensor is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The embedding table.
    Embedding,
    /// The norm before the output.
    OutputNorm,
    /// The output.
    Output,
    /// The norm before attention.
    AttentionNorm,
    /// Queries.
    Query,
    /// Their bias.
    QueryBias,
    /// Keys.
    Key,
    /// Their bias.
    KeyBias,
    /// Values.
    Value,
    /// Their bias.
    ValueBias,
    /// Queries, keys and values in one.
    Packed,
    /// The norm on queries.
    QueryNorm,
    /// The norm on keys.
    KeyNorm,
    /// The output of attention.
    AttentionOutput,
    /// Its bias.
    AttentionOutputBias,
    /// The norm after attention, on what it adds.
    AfterAttentionNorm,
    /// The norm before feed-forward.
    FeedForwardNorm,
    /// The norm after feed-forward, on what it adds.
    AfterFeedForwardNorm,
    /// The gate of feed-forward.
    Gate,
    /// What is gated.
    Up,
    /// Gate and what is gated in one.
    PackedUp,
    /// The output of feed-forward.
    Down,
    /// The router of experts.
    Router,
    /// The experts' gates, one below the other.
    ExpertGates,
    /// What the experts' gates gate.
    ExpertUps,
    /// The experts' outputs.
    ExpertDowns,
    /// The gate of what every token uses besides.
    SharedGate,
    /// What that gates.
    SharedUp,
    /// Its output.
    SharedDown,
    /// How much of it each token takes.
    SharedShare,
}

/// Whose names a file has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Naming {
    /// llama.cpp's.
    Gguf,
    /// Those of transformers.
    HuggingFace {
        /// What names of layers begin with.
        prefix: String,
    },
}

impl Naming {
    /// The name of a tensor; of one that layers have, with the number of the layer.
    #[must_use]
    pub fn name(&self, part: Part, layer: Option<usize>) -> String {
        let (gguf, hugging_face) = names(part);
        match (self, layer) {
            (Self::Gguf, Some(layer)) => format!("blk.{layer}.{gguf}"),
            (Self::Gguf, None) => gguf.to_owned(),
            (Self::HuggingFace { prefix }, Some(layer)) => {
                format!("{prefix}layers.{layer}.{hugging_face}")
            }
            (Self::HuggingFace { prefix }, None) if part == Part::Output => {
                format!("{}{hugging_face}", prefix.strip_suffix("model.").unwrap_or_default())
            }
            (Self::HuggingFace { prefix }, None) => format!("{prefix}{hugging_face}"),
        }
    }
}

impl Naming {
    /// The norm before feed-forward: transformers call it by where it stands.
    pub(crate) fn feed_forward_norm(&self, placement: NormPlacement) -> Part {
        match self {
            Self::HuggingFace { .. } if placement != NormPlacement::Sandwich => {
                Part::AfterAttentionNorm
            }
            _ => Part::FeedForwardNorm,
        }
    }

    /// Another name that a tensor has in some families: Mixtral calls its feed-forward otherwise.
    pub(crate) fn other_name(&self, part: Part, layer: Option<usize>) -> Option<String> {
        let (Self::HuggingFace { prefix }, Part::Router, Some(layer)) = (self, part, layer) else {
            return None;
        };
        Some(format!("{prefix}layers.{layer}.block_sparse_moe.gate.weight"))
    }

    /// Names that one expert's matrix may have, where experts have matrices of their own.
    pub(crate) fn expert_names(&self, part: Part, layer: usize, expert: usize) -> Vec<String> {
        let Self::HuggingFace { prefix } = self else { return Vec::new() };
        let (usual, mixtral) = match part {
            Part::ExpertGates => ("gate_proj", "w1"),
            Part::ExpertUps => ("up_proj", "w3"),
            _ => ("down_proj", "w2"),
        };
        let layer = format!("{prefix}layers.{layer}");
        vec![
            format!("{layer}.mlp.experts.{expert}.{usual}.weight"),
            format!("{layer}.block_sparse_moe.experts.{expert}.{mixtral}.weight"),
        ]
    }
}

const fn names(part: Part) -> (&'static str, &'static str) {
    match part {
        Part::Embedding => ("token_embd.weight", "embed_tokens.weight"),
        Part::OutputNorm => ("output_norm.weight", "norm.weight"),
        Part::Output => ("output.weight", "lm_head.weight"),
        Part::AttentionNorm => ("attn_norm.weight", "input_layernorm.weight"),
        Part::Query => ("attn_q.weight", "self_attn.q_proj.weight"),
        Part::QueryBias => ("attn_q.bias", "self_attn.q_proj.bias"),
        Part::Key => ("attn_k.weight", "self_attn.k_proj.weight"),
        Part::KeyBias => ("attn_k.bias", "self_attn.k_proj.bias"),
        Part::Value => ("attn_v.weight", "self_attn.v_proj.weight"),
        Part::ValueBias => ("attn_v.bias", "self_attn.v_proj.bias"),
        Part::Packed => ("attn_qkv.weight", "self_attn.qkv_proj.weight"),
        Part::QueryNorm => ("attn_q_norm.weight", "self_attn.q_norm.weight"),
        Part::KeyNorm => ("attn_k_norm.weight", "self_attn.k_norm.weight"),
        Part::AttentionOutput => ("attn_output.weight", "self_attn.o_proj.weight"),
        Part::AttentionOutputBias => ("attn_output.bias", "self_attn.o_proj.bias"),
        Part::AfterAttentionNorm => {
            ("post_attention_norm.weight", "post_attention_layernorm.weight")
        }
        Part::FeedForwardNorm => ("ffn_norm.weight", "pre_feedforward_layernorm.weight"),
        Part::AfterFeedForwardNorm => ("post_ffw_norm.weight", "post_feedforward_layernorm.weight"),
        Part::Gate => ("ffn_gate.weight", "mlp.gate_proj.weight"),
        Part::Up => ("ffn_up.weight", "mlp.up_proj.weight"),
        Part::PackedUp => ("ffn_up.weight", "mlp.gate_up_proj.weight"),
        Part::Down => ("ffn_down.weight", "mlp.down_proj.weight"),
        Part::Router => ("ffn_gate_inp.weight", "mlp.gate.weight"),
        Part::ExpertGates => ("ffn_gate_exps.weight", "mlp.experts.gate_proj.weight"),
        Part::ExpertUps => ("ffn_up_exps.weight", "mlp.experts.up_proj.weight"),
        Part::ExpertDowns => ("ffn_down_exps.weight", "mlp.experts.down_proj.weight"),
        Part::SharedGate => ("ffn_gate_shexp.weight", "mlp.shared_expert.gate_proj.weight"),
        Part::SharedUp => ("ffn_up_shexp.weight", "mlp.shared_expert.up_proj.weight"),
        Part::SharedDown => ("ffn_down_shexp.weight", "mlp.shared_expert.down_proj.weight"),
        Part::SharedShare => ("ffn_gate_inp_shexp.weight", "mlp.shared_expert_gate.weight"),
    }
}
