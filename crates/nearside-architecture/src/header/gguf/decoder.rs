//! The decoder that a GGUF header describes: keys for the sizes, tensors for everything that they
//! show themselves (vocabulary, ties, biases, types).

use std::ops::RangeInclusive;

use crate::error::Position;
use crate::{
    Architecture, Dense, Dtype, Experts, GroupedAttention, HeaderError, LatentAttention, Mixer,
    Packing, Positions, Scoring,
};

use super::super::family::{
    Biases, Family, MAX_CONTEXT, MAX_EXPERTS, MAX_HEAD_DIM, MAX_HEADS, MAX_HIDDEN,
    MAX_INTERMEDIATE, MAX_LAYERS, MAX_VOCABULARY, Mixture, WindowRule,
};
use super::super::parts::Parts;
use super::{GgufHeader, Value};

const ARCHITECTURE: &str = "general.architecture";
const EMBEDDING: &str = "token_embd.weight";
const OUTPUT: &str = "output.weight";
const POSITIONS: &str = "position_embd.weight";

pub(super) fn read(header: &GgufHeader) -> Result<Architecture, HeaderError> {
    let name = match header.values.get(ARCHITECTURE) {
        Some(entry) => match &entry.value {
            Value::Text(name) => name.clone(),
            _ => return Err(entry.wrong(ARCHITECTURE, "a text")),
        },
        None => return Err(missing(ARCHITECTURE)),
    };
    match Family::of_gguf(&name) {
        Some(family) => Keys { header, family, name }.decoder(),
        None => {
            let parameters = header.is_complete().then(|| header.parameters());
            Ok(Architecture::Other { family: name, parameters })
        }
    }
}

fn missing(key: &str) -> HeaderError {
    HeaderError::Missing { field: format!("\"{key}\""), position: Position::Byte(0) }
}

/// The keys of one architecture.
struct Keys<'a> {
    header: &'a GgufHeader,
    family: &'static Family,
    name: String,
}

impl Keys<'_> {
    fn decoder(&self) -> Result<Architecture, HeaderError> {
        let hidden = self.required("embedding_length", 1..=MAX_HIDDEN)?;
        let layers = self.required("block_count", 1..=MAX_LAYERS)?;
        let context = self.number("context_length", 1..=MAX_CONTEXT)?;
        let positions = match self.family.learned_positions {
            true => Positions::Learned(self.positions(context)?),
            false => self.family.rotary,
        };
        let latent = self.family.latent;
        let attention = match latent {
            true => Mixer::Latent(self.latent()?),
            false => Mixer::Grouped(self.grouped(hidden)?),
        };
        let experts = self.experts()?;
        let first_sparse = self.number("leading_dense_block_count", 0..=MAX_LAYERS)?.unwrap_or(0);
        let sparse = |layer: u64| experts.is_some() && layer >= first_sparse;
        let parts = Parts {
            family: self.family,
            hidden,
            vocabulary: self.vocabulary()?,
            context,
            positions,
            attention,
            recurrent: None,
            blocks: Vec::new(),
            windows: if latent { vec![None; self.index(layers)] } else { self.windows(layers)? },
            dense: self.dense(experts.as_ref())?,
            sparse: (0..layers).map(sparse).collect(),
            experts,
            tied: self.tied(),
            logit_soft_cap: self.capped("final_logit_softcapping"),
            activation: self.family.activation,
            dropout: self.family.dropouts(),
            dtype: self.dtype(),
            attached: Vec::new(),
        };
        parts.assemble(Position::Byte(0))
    }

    fn grouped(&self, hidden: u64) -> Result<GroupedAttention, HeaderError> {
        let heads = self.required("attention.head_count", 1..=MAX_HEADS)?;
        let key_value_heads =
            self.number("attention.head_count_kv", 1..=MAX_HEADS)?.unwrap_or(heads);
        if !heads.is_multiple_of(key_value_heads) {
            let expected = format!("a divisor of {heads} attention heads");
            return Err(self.wrong("attention.head_count_kv", &expected));
        }
        let head_dim = match self.number("attention.key_length", 1..=MAX_HEAD_DIM)? {
            Some(head_dim) => head_dim,
            None if hidden.is_multiple_of(heads) && hidden / heads <= MAX_HEAD_DIM => {
                hidden / heads
            }
            None => {
                let expected = format!("a divisor of the embedding length {hidden}");
                return Err(self.wrong("attention.head_count", &expected));
            }
        };
        let value_dim = self.number("attention.value_length", 1..=MAX_HEAD_DIM)?;
        if value_dim.is_some_and(|value_dim| value_dim != head_dim) {
            let expected = format!("{head_dim}, the length of a key");
            return Err(self.wrong("attention.value_length", &expected));
        }
        let biases = self.family.biases;
        let input_bias = ["attn_q.bias", "attn_qkv.bias"].map(|name| self.in_first_layer(name));
        Ok(GroupedAttention {
            heads,
            key_value_heads,
            head_dim,
            window: None,
            input_bias: input_bias.contains(&true)
                || (!self.header.is_complete() && biases != Biases::Configured),
            output_bias: self.in_first_layer("attn_output.bias")
                || (!self.header.is_complete() && biases == Biases::All),
            query_key_norm: self.family.query_key_norm,
            soft_cap: self.capped("attn_logit_softcapping"),
            packing: self.family.packing,
            rotary_dim: self.rotary_dim(head_dim)?,
            turning: self.family.turning,
            wide_softmax: self.family.wide_softmax,
            sinks: self.family.sinks,
            gated: self.family.gated_attention,
        })
    }

    /// Elements of a head that are rotated: all where the file is silent.
    fn rotary_dim(&self, head_dim: u64) -> Result<u64, HeaderError> {
        let stated = self.number("rope.dimension_count", 1..=MAX_HEAD_DIM)?;
        match stated {
            Some(rotated) if rotated > head_dim => {
                let expected = format!("at most {head_dim}, the length of a key");
                Err(self.wrong("rope.dimension_count", &expected))
            }
            Some(rotated) => Ok(rotated),
            None => Ok(head_dim),
        }
    }

    /// Newer files store the sizes of the compressed form as `key_length`, and the real ones with
    /// the suffix `_mla`.
    fn latent(&self) -> Result<LatentAttention, HeaderError> {
        let width = 1..=MAX_HEAD_DIM;
        let key_dim = match self.number("attention.key_length_mla", width.clone())? {
            Some(key_dim) => key_dim,
            None => self.required("attention.key_length", width.clone())?,
        };
        let value_dim = match self.number("attention.value_length_mla", width.clone())? {
            Some(value_dim) => value_dim,
            None => self.required("attention.value_length", width.clone())?,
        };
        let rotary_dim = self.required("rope.dimension_count", width.clone())?;
        let plain_dim = key_dim.checked_sub(rotary_dim).filter(|plain_dim| *plain_dim > 0);
        let plain_dim = plain_dim.ok_or_else(|| {
            let expected = format!("less than {key_dim}, the length of a key");
            self.wrong("rope.dimension_count", &expected)
        })?;
        Ok(LatentAttention {
            heads: self.required("attention.head_count", 1..=MAX_HEADS)?,
            query_rank: self.number("attention.q_lora_rank", width.clone())?,
            key_value_rank: self.required("attention.kv_lora_rank", width)?,
            rotary_dim,
            plain_dim,
            value_dim,
            rotation: self.family.rotation,
        })
    }

    fn feed_forward_bias(&self) -> bool {
        let shown = ["ffn_up.bias", "ffn_up_exps.bias"].map(|name| self.in_first_layer(name));
        shown.contains(&true) || (!self.header.is_complete() && self.family.biases == Biases::All)
    }

    fn dense(&self, experts: Option<&Experts>) -> Result<Dense, HeaderError> {
        let width = self.number("feed_forward_length", 1..=MAX_INTERMEDIATE)?;
        // Some mixtures state only the width of an expert.
        let width = width.or(experts.map(|experts| experts.expert.intermediate));
        let intermediate = width.ok_or_else(|| missing(&self.key("feed_forward_length")))?;
        Ok(Dense {
            intermediate,
            gated: self.family.gated,
            packed: self.family.packing == Packing::Sliced,
            bias: self.feed_forward_bias(),
        })
    }

    fn experts(&self) -> Result<Option<Experts>, HeaderError> {
        let count = self.number("expert_count", 0..=MAX_EXPERTS)?.filter(|count| *count > 0);
        let Some(count) = count else {
            return match self.family.mixture {
                Mixture::Never => Ok(None),
                _ => Err(missing(&self.key("expert_count"))),
            };
        };
        let active = self.required("expert_used_count", 1..=count)?;
        let width = match self.number("expert_feed_forward_length", 1..=MAX_INTERMEDIATE)? {
            Some(width) => width,
            None => self.required("feed_forward_length", 1..=MAX_INTERMEDIATE)?,
        };
        let shared = self.number("expert_shared_count", 0..=MAX_EXPERTS)?.unwrap_or(0);
        let stated = self.number("expert_shared_feed_forward_length", 0..=MAX_INTERMEDIATE)?;
        let shared = match stated.unwrap_or(shared * width) {
            0 => None,
            shared if shared <= MAX_INTERMEDIATE => Some(shared),
            _ => return Err(self.wrong("expert_shared_count", "fewer shared experts")),
        };
        let expert = Dense {
            intermediate: width,
            gated: self.family.gated,
            packed: self.family.packing == Packing::Sliced,
            bias: self.feed_forward_bias(),
        };
        let shown = ["exp_probs_b.bias", "exp_probs_b", "ffn_gate_inp.bias"];
        let router_bias = match self.header.is_complete() {
            true => self.header.tensors.keys().any(|name| {
                name.starts_with("blk.") && shown.iter().any(|shown| name.ends_with(shown))
            }),
            false => self.family.router_bias,
        };
        let shared = shared.map(|intermediate| Dense { intermediate, ..expert.clone() });
        Ok(Some(Experts {
            count,
            active,
            expert,
            shared_gate: self.family.shared_gate && shared.is_some(),
            shared,
            router_bias,
            gating: self.family.gating,
            scoring: self.scoring(),
        }))
    }

    /// Files do not say whether the weights of the best experts are renormalised. Those of every published Qwen 3 are,
    /// though not where a `config.json` is silent.
    fn scoring(&self) -> Scoring {
        match self.family.scoring {
            Scoring::Narrow if self.name == "qwen3moe" => Scoring::NarrowRenormalised,
            scoring => scoring,
        }
    }

    fn windows(&self, layers: u64) -> Result<Vec<Option<u64>>, HeaderError> {
        let window = self.number("attention.sliding_window", 0..=MAX_CONTEXT)?;
        let pattern = self.key("attention.sliding_window_pattern");
        let pattern = self.header.values.get(&pattern).map(|entry| &entry.value);
        let layers = 0..self.index(layers);
        let (window, group) = match (self.family.window, window, pattern) {
            (_, Some(0), _) => (None, None),
            (_, Some(window), Some(Value::Numbers(list))) if list.len() >= layers.len() => {
                let windowed = |layer: usize| (list[layer] != 0).then_some(window);
                return Ok(layers.map(windowed).collect());
            }
            (_, window, Some(Value::Unsigned(group))) if *group > 0 => (window, Some(*group)),
            (WindowRule::AllButLast { group, window: default }, window, _) => {
                (window.or(Some(default)), Some(group))
            }
            (_, window, _) => (window, None),
        };
        let windowed = |layer| group.is_none_or(|group| Family::windowed(layer, group));
        Ok(layers.map(|layer| window.filter(|_| windowed(layer))).collect())
    }

    /// Rows of the embedding table: the table itself, the key, or the list of tokens.
    fn vocabulary(&self) -> Result<u64, HeaderError> {
        let rows = self.header.tensors.get(EMBEDDING).and_then(|tensor| tensor.dimensions.get(1));
        let tokens = self.header.values.get("tokenizer.ggml.tokens");
        let tokens = tokens.and_then(|entry| match entry.value {
            Value::Array { length } => Some(length),
            _ => None,
        });
        let stated = self.number("vocab_size", 1..=MAX_VOCABULARY)?;
        match rows.copied().or(stated).or(tokens) {
            Some(rows @ 1..=MAX_VOCABULARY) => Ok(rows),
            Some(rows) => Err(HeaderError::Tensor {
                tensor: EMBEDDING.to_owned(),
                reason: format!("{rows} rows, at most {MAX_VOCABULARY} are read"),
                position: Position::Byte(0),
            }),
            None => Err(missing(&self.key("vocab_size"))),
        }
    }

    /// Rows of the position table.
    fn positions(&self, context: Option<u64>) -> Result<u64, HeaderError> {
        let rows = self.header.tensors.get(POSITIONS).and_then(|tensor| tensor.dimensions.get(1));
        let rows = rows.copied().or(context).filter(|rows| (1..=MAX_VOCABULARY).contains(rows));
        rows.ok_or_else(|| missing(&self.key("context_length")))
    }

    fn tied(&self) -> bool {
        if self.header.is_complete() {
            !self.header.tensors.contains_key(OUTPUT)
        } else {
            self.family.tied
        }
    }

    fn capped(&self, key: &str) -> bool {
        self.family.soft_caps || self.header.values.contains_key(&self.key(key))
    }

    /// The type that takes most of the elements.
    fn dtype(&self) -> Option<Dtype> {
        let mut elements = std::collections::BTreeMap::<Dtype, u64>::new();
        for tensor in self.header.tensors.values() {
            let sum = elements.entry(tensor.dtype).or_default();
            *sum = sum.saturating_add(tensor.elements());
        }
        elements.into_iter().max_by_key(|(_, sum)| *sum).map(|(dtype, _)| dtype)
    }

    fn in_first_layer(&self, name: &str) -> bool {
        self.header.tensors.contains_key(&format!("blk.0.{name}"))
    }

    fn index(&self, layers: u64) -> usize {
        usize::try_from(layers).unwrap_or(0)
    }

    fn key(&self, key: &str) -> String {
        format!("{}.{key}", self.name)
    }

    /// A whole number within bounds; an array stands for one if all its elements are equal.
    fn number(&self, key: &str, bounds: RangeInclusive<u64>) -> Result<Option<u64>, HeaderError> {
        let Some(entry) = self.header.values.get(&self.key(key)) else { return Ok(None) };
        let number = match &entry.value {
            Value::Unsigned(number) => Some(*number),
            Value::Signed(number) => u64::try_from(*number).ok(),
            Value::Numbers(list) if list.windows(2).all(|pair| pair[0] == pair[1]) => {
                list.first().copied()
            }
            _ => None,
        };
        match number.filter(|number| bounds.contains(number)) {
            Some(number) => Ok(Some(number)),
            None => {
                let (low, high) = (bounds.start(), bounds.end());
                Err(self.wrong(key, &format!("a whole number from {low} to {high}")))
            }
        }
    }

    fn required(&self, key: &str, bounds: RangeInclusive<u64>) -> Result<u64, HeaderError> {
        self.number(key, bounds)?.ok_or_else(|| missing(&self.key(key)))
    }

    fn wrong(&self, key: &str, expected: &str) -> HeaderError {
        let key = self.key(key);
        self.header
            .values
            .get(&key)
            .map_or_else(|| missing(&key), |entry| entry.wrong(&key, expected))
    }
}
