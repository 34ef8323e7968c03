//! The sizes and numbers of a model as the keys of its architecture.

use nearside_architecture::{Experts, FeedForward, GroupedAttention, Mixer};
use serde_json::Value;

use crate::file::{MetadataArray, MetadataValue};
use crate::numerics::{Numerics, Scaling};

use super::super::error::QuantizeError;
use super::family::{Sizes, Windows};
use super::{Folder, unconvertible};

/// The keys of the architecture.
pub(super) fn of(folder: &Folder<'_>) -> Result<Vec<(String, MetadataValue)>, QuantizeError> {
    let mut keys = Keys { architecture: folder.family.gguf, pairs: Vec::new() };
    let attention = attention(folder)?;
    keys.sizes(folder, attention);
    keys.experts(folder)?;
    keys.windows(folder);
    keys.numbers(folder.numerics);
    keys.scaling(folder)?;
    Ok(keys.pairs)
}

/// Attention of the first layer, which is that of all but for windows.
fn attention<'a>(folder: &Folder<'a>) -> Result<&'a GroupedAttention, QuantizeError> {
    match folder.decoder.layers.first().map(|layer| &layer.mixer) {
        Some(Mixer::Grouped(attention)) => Ok(attention),
        _ => Err(unconvertible("its first layer has no attention of the usual kind")),
    }
}

struct Keys {
    architecture: &'static str,
    pairs: Vec<(String, MetadataValue)>,
}

impl Keys {
    fn add(&mut self, key: &str, value: MetadataValue) {
        self.pairs.push((format!("{}.{key}", self.architecture), value));
    }

    fn count(&mut self, key: &str, number: u64) {
        self.add(key, MetadataValue::U32(u32::try_from(number).unwrap_or(u32::MAX)));
    }

    fn real(&mut self, key: &str, number: f64) {
        self.add(key, MetadataValue::F32(number as f32));
    }

    fn sizes(&mut self, folder: &Folder<'_>, attention: &GroupedAttention) {
        let decoder = folder.decoder;
        self.count("block_count", decoder.layers.len() as u64);
        if let Some(context) = decoder.context {
            self.count("context_length", context);
        }
        self.count("embedding_length", decoder.hidden);
        if let Some(inner) = folder.count("intermediate_size") {
            self.count("feed_forward_length", inner.into());
        }
        self.count("attention.head_count", attention.heads);
        self.count("attention.head_count_kv", attention.key_value_heads);
        let usual = decoder.hidden.checked_div(attention.heads);
        let stated = folder.configuration.get("head_dim").is_some_and(Value::is_u64);
        let sizes = folder.family.sizes;
        let stated = stated || sizes == Sizes::RotaryAndVocabulary;
        if stated || usual != Some(attention.head_dim) {
            self.count("attention.key_length", attention.head_dim);
            self.count("attention.value_length", attention.head_dim);
        }
        if sizes != Sizes::Fewest || attention.rotary_dim != attention.head_dim {
            self.count("rope.dimension_count", attention.rotary_dim);
        }
        if sizes == Sizes::RotaryAndVocabulary {
            self.count("vocab_size", decoder.vocabulary);
        }
    }

    /// What is said of experts: of the first layer, which has to be that of all.
    fn experts(&mut self, folder: &Folder<'_>) -> Result<(), QuantizeError> {
        let of_layer = |feed_forward: &FeedForward| match feed_forward {
            FeedForward::Experts(experts) => Some(experts.clone()),
            _ => None,
        };
        let mut layers = folder.decoder.layers.iter().map(|layer| of_layer(&layer.feed_forward));
        let Some(first) = layers.next() else { return Ok(()) };
        if let Some(other) = layers.position(|layer| layer.is_some() != first.is_some()) {
            let what = if first.is_some() { "has no experts" } else { "has experts" };
            return Err(unconvertible(format!("layer {} {what}, unlike the first", other + 1)));
        }
        let Some(Experts { count, active, expert, shared, .. }) = first else { return Ok(()) };
        self.count("expert_count", count);
        self.count("expert_used_count", active);
        if folder.configuration.get("moe_intermediate_size").is_some() {
            self.count("expert_feed_forward_length", expert.intermediate);
        }
        if let Some(shared) = shared {
            self.count("expert_shared_feed_forward_length", shared.intermediate);
        }
        Ok(())
    }

    fn windows(&mut self, folder: &Folder<'_>) {
        let windows: Vec<Option<u64>> = folder.windows().collect();
        let width = windows.iter().copied().flatten().next();
        match folder.family.windows {
            Windows::Unsaid => {}
            Windows::Width => self.count("attention.sliding_window", width.unwrap_or(0)),
            Windows::AllBut { every } => {
                let Some(width) = width else { return };
                self.count("attention.sliding_window", width);
                let seen: Vec<bool> = windows.iter().map(Option::is_some).collect();
                let usual = (1..=seen.len()).map(|layer| !layer.is_multiple_of(every));
                if !usual.eq(seen.iter().copied()) {
                    let pattern = MetadataValue::Array(MetadataArray::Bool(seen));
                    self.add("attention.sliding_window_pattern", pattern);
                }
            }
        }
    }

    fn numbers(&mut self, numerics: &Numerics) {
        self.add("attention.layer_norm_rms_epsilon", MetadataValue::F32(numerics.norm_epsilon));
        self.real("rope.freq_base", numerics.rope.theta);
        if let Some(rope) = &numerics.window_rope {
            self.real("rope.freq_base_swa", rope.theta);
        }
        if let Some(cap) = numerics.attention_cap {
            self.add("attn_logit_softcapping", MetadataValue::F32(cap));
        }
        if let Some(cap) = numerics.logit_cap {
            self.add("final_logit_softcapping", MetadataValue::F32(cap));
        }
    }

    /// How positions are stretched; some of it is in tensors.
    fn scaling(&mut self, folder: &Folder<'_>) -> Result<(), QuantizeError> {
        let kind = |name: &str| MetadataValue::Text(name.to_owned());
        let only = |gguf: &str, what: &str| match folder.family.gguf == gguf {
            true => Ok(()),
            false => Err(unconvertible(format!(
                "its positions are stretched by {what}, which {} files have no place for",
                folder.family.gguf
            ))),
        };
        match &folder.numerics.rope.scaling {
            Scaling::None => {}
            Scaling::Linear { factor } => {
                self.add("rope.scaling.type", kind("linear"));
                self.real("rope.scaling.factor", *factor);
            }
            Scaling::Yarn { factor, original, fast, slow, attention } => {
                self.add("rope.scaling.type", kind("yarn"));
                self.real("rope.scaling.factor", *factor);
                self.count("rope.scaling.original_context_length", *original as u64);
                for (name, turns, usual) in [("fast", *fast, 32.0), ("slow", *slow, 1.0)] {
                    if turns.total_cmp(&usual).is_ne() {
                        self.real(&format!("rope.scaling.yarn_beta_{name}"), turns);
                    }
                }
                if let Some(attention) = attention {
                    let usual = 1.0 + 0.1 * factor.ln();
                    self.real("rope.scaling.attn_factor", attention / usual);
                }
            }
            Scaling::ByPair { original, attention, .. } => {
                only("phi3", "a number for each pair")?;
                self.add("rope.scaling.type", kind("longrope"));
                self.count("rope.scaling.original_context_length", *original as u64);
                self.real("rope.scaling.attn_factor", *attention);
            }
            // In a tensor.
            Scaling::Llama3 { .. } | Scaling::Divided(_) => only("llama", "Llama 3.1's rule")?,
        }
        Ok(())
    }
}

impl Folder<'_> {
    /// The window of every layer.
    pub(super) fn windows(&self) -> impl Iterator<Item = Option<u64>> {
        self.decoder.layers.iter().map(|layer| match &layer.mixer {
            Mixer::Grouped(attention) => attention.window,
            _ => None,
        })
    }
}
