//! The tensors that a GGUF file of a family has, by name and shape, from its architecture alone.
//!
//! Source: `load_arch_tensors` in `models/*.cpp` and the names in `llama-arch.cpp` of llama.cpp.

use nearside_architecture::{
    Decoder, Dense, Experts, FeedForward, GroupedAttention, LatentAttention, Mixer, NormPlacement,
    QueryKeyNorm,
};

use super::NotReserved;
use super::graph::Four;
use super::model::Family;

/// Names and extents, innermost first.
type Tensors = Vec<(String, Four)>;

/// Every tensor of a model.
pub(super) fn tensors(decoder: &Decoder, family: Family) -> Result<Tensors, NotReserved> {
    let mut tensors = Tensors::new();
    let (hidden, vocabulary) = (decoder.hidden, decoder.vocabulary);
    tensors.push(("token_embd.weight".to_owned(), [hidden, vocabulary, 1, 1]));
    tensors.push(("output_norm.weight".to_owned(), [hidden, 1, 1, 1]));
    if !decoder.tied_embeddings {
        tensors.push(("output.weight".to_owned(), [hidden, vocabulary, 1, 1]));
    }
    for (number, layer) in decoder.layers.iter().enumerate() {
        let mut block = Block { tensors: &mut tensors, prefix: format!("blk.{number}"), hidden };
        match (layer.norms, family) {
            (NormPlacement::Before, _)
            | (NormPlacement::Sandwich, Family::Gemma2 | Family::Gemma3) => {}
            _ => return Err(NotReserved::Family(format!("{}, norms elsewhere", family.name()))),
        }
        block.vector("attn_norm", hidden);
        block.vector("ffn_norm", hidden);
        if layer.norms == NormPlacement::Sandwich {
            block.vector("post_attention_norm", hidden);
            block.vector("post_ffw_norm", hidden);
        }
        match &layer.mixer {
            Mixer::Grouped(attention) => block.grouped(attention, family),
            Mixer::Latent(attention) => block.latent(attention),
            _ => {
                return Err(NotReserved::Family(format!("{}, layers with a state", family.name())));
            }
        }
        match &layer.feed_forward {
            FeedForward::Dense(dense) => block.dense(dense, family, ""),
            FeedForward::Experts(experts) => block.experts(experts, family),
            FeedForward::Absent => {}
        }
    }
    Ok(tensors)
}

struct Block<'a> {
    tensors: &'a mut Tensors,
    prefix: String,
    hidden: u64,
}

impl Block<'_> {
    fn add(&mut self, name: &str, extents: Four) {
        self.tensors.push((format!("{}.{name}", self.prefix), extents));
    }

    fn vector(&mut self, name: &str, width: u64) {
        self.add(&format!("{name}.weight"), [width, 1, 1, 1]);
    }

    fn matrix(&mut self, name: &str, from: u64, to: u64) {
        self.add(&format!("{name}.weight"), [from, to, 1, 1]);
    }

    fn bias(&mut self, name: &str, width: u64) {
        self.add(&format!("{name}.bias"), [width, 1, 1, 1]);
    }

    fn grouped(&mut self, attention: &GroupedAttention, family: Family) {
        let query = attention.heads * attention.head_dim;
        let other = attention.key_value_heads * attention.head_dim;
        if family == Family::Phi3 {
            self.matrix("attn_qkv", self.hidden, query + 2 * other);
        } else {
            for (name, width) in [("attn_q", query), ("attn_k", other), ("attn_v", other)] {
                self.matrix(name, self.hidden, width);
                if attention.input_bias {
                    self.bias(name, width);
                }
            }
        }
        if attention.query_key_norm == Some(QueryKeyNorm::Head) {
            self.vector("attn_q_norm", attention.head_dim);
            self.vector("attn_k_norm", attention.head_dim);
        }
        self.matrix("attn_output", query, self.hidden);
        if attention.output_bias {
            self.bias("attn_output", self.hidden);
        }
    }

    fn latent(&mut self, attention: &LatentAttention) {
        let LatentAttention { heads, key_value_rank, rotary_dim, plain_dim, value_dim, .. } =
            *attention;
        let query = heads * (plain_dim + rotary_dim);
        match attention.query_rank {
            Some(rank) => {
                self.matrix("attn_q_a", self.hidden, rank);
                self.vector("attn_q_a_norm", rank);
                self.matrix("attn_q_b", rank, query);
            }
            None => self.matrix("attn_q", self.hidden, query),
        }
        self.matrix("attn_kv_a_mqa", self.hidden, key_value_rank + rotary_dim);
        self.vector("attn_kv_a_norm", key_value_rank);
        self.add("attn_k_b.weight", [plain_dim, key_value_rank, heads, 1]);
        self.add("attn_v_b.weight", [key_value_rank, value_dim, heads, 1]);
        self.matrix("attn_output", heads * value_dim, self.hidden);
    }

    fn dense(&mut self, dense: &Dense, family: Family, suffix: &str) {
        let (hidden, width) = (self.hidden, dense.intermediate);
        if family == Family::Phi3 {
            self.matrix("ffn_up", hidden, 2 * width);
        } else {
            self.matrix(&format!("ffn_up{suffix}"), hidden, width);
            self.matrix(&format!("ffn_gate{suffix}"), hidden, width);
        }
        self.matrix(&format!("ffn_down{suffix}"), width, hidden);
    }

    fn experts(&mut self, experts: &Experts, family: Family) {
        let (hidden, width, count) = (self.hidden, experts.expert.intermediate, experts.count);
        self.matrix("ffn_gate_inp", hidden, count);
        self.add("ffn_gate_exps.weight", [hidden, width, count, 1]);
        self.add("ffn_up_exps.weight", [hidden, width, count, 1]);
        self.add("ffn_down_exps.weight", [width, hidden, count, 1]);
        if experts.router_bias {
            self.bias("exp_probs_b", count);
        }
        if let Some(shared) = &experts.shared {
            self.dense(shared, family, "_shexp");
        }
    }
}
