//! What llama.cpp knows of a model before it reserves memory: its family, its sizes, and a table of
//! tensors with their types.
//!
//! From the header of a GGUF file, which states every tensor; or from an architecture alone, with
//! the types that llama.cpp's quantizer would choose (see [`Mix`]).

use std::collections::BTreeMap;

use nearside_architecture::header::gguf::{GgufHeader, Value};
use nearside_architecture::{
    Architecture, Decoder, Dtype, FeedForward, Mixer, NormPlacement, QueryKeyNorm,
};

use super::graph::Four;
use super::mix::Mix;
use super::{NotReserved, table};

/// A family whose graph is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// Llama, Mistral, Mixtral.
    Llama,
    /// Qwen 2 and 2.5.
    Qwen2,
    /// Qwen 3, dense.
    Qwen3,
    /// Qwen 3, mixture of experts.
    Qwen3Moe,
    /// Gemma 2.
    Gemma2,
    /// Gemma 3, text.
    Gemma3,
    /// Phi 3.
    Phi3,
    /// DeepSeek V2 and V3.
    Deepseek2,
}

impl Family {
    /// Families by their name in GGUF, `general.architecture`.
    const NAMES: [(&'static str, Self); 8] = [
        ("llama", Self::Llama),
        ("qwen2", Self::Qwen2),
        ("qwen3", Self::Qwen3),
        ("qwen3moe", Self::Qwen3Moe),
        ("gemma2", Self::Gemma2),
        ("gemma3", Self::Gemma3),
        ("phi3", Self::Phi3),
        ("deepseek2", Self::Deepseek2),
    ];

    /// The family with that name in GGUF.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, family)| *family)
    }

    /// Its name in GGUF.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, family)| *family == self).map_or("", |(name, _)| name)
    }

    /// The family that an architecture has the parts of. Phi 3 has those of Llama; only its files join
    /// some of them.
    #[must_use]
    pub fn of(decoder: &Decoder) -> Self {
        let Some(layer) = decoder.layers.last() else { return Self::Llama };
        let Mixer::Grouped(attention) = &layer.mixer else { return Self::Deepseek2 };
        match (layer.norms, attention.query_key_norm, &layer.feed_forward) {
            (NormPlacement::Sandwich, None, _) => Self::Gemma2,
            (NormPlacement::Sandwich, Some(_), _) => Self::Gemma3,
            (_, Some(QueryKeyNorm::Head), FeedForward::Experts(_)) => Self::Qwen3Moe,
            (_, Some(QueryKeyNorm::Head), FeedForward::Dense(_)) => Self::Qwen3,
            _ if attention.input_bias => Self::Qwen2,
            _ => Self::Llama,
        }
    }

    /// Whether embeddings are scaled before the first layer.
    pub(super) const fn scales_embeddings(self) -> bool {
        matches!(self, Self::Gemma2 | Self::Gemma3)
    }

    /// Whether queries are scaled after they were rotated, rather than scores later.
    pub(super) const fn scales_queries(self) -> bool {
        matches!(self, Self::Gemma2 | Self::Gemma3 | Self::Phi3)
    }

    /// Whether its windows have a cache of their own; elsewhere llama.cpp lets all layers see all.
    pub(super) const fn has_windows(self) -> bool {
        matches!(self, Self::Gemma2 | Self::Gemma3)
    }
}

/// How the weights of chosen experts are computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Routing {
    /// Whether the weights of the chosen are divided by their sum.
    pub(super) normalised: Normalised,
    /// Whether they are multiplied by a constant.
    pub(super) scaled: Scaled,
    /// How experts are chosen by groups first, if they are.
    pub(super) groups: Option<Groups>,
}

/// Experts in groups, of which only the best are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Groups {
    /// How many there are.
    pub(super) count: u64,
    /// How many are looked at.
    pub(super) used: u64,
}

/// Whether weights are divided by their sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Normalised {
    Yes,
    No,
}

/// Whether weights are multiplied by a constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scaled {
    Yes,
    No,
}

/// A tensor of the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) dtype: Dtype,
    pub(super) extents: Four,
    /// Where it begins in the file, if there is one.
    pub(super) offset: Option<u64>,
}

/// A model as llama.cpp loads it.
#[derive(Clone, Debug)]
pub struct Model {
    pub(super) family: Family,
    pub(super) decoder: Decoder,
    pub(super) tensors: BTreeMap<String, Stored>,
    pub(super) routing: Routing,
}

impl Model {
    /// Its blocks.
    #[must_use]
    pub const fn layers(&self) -> u64 {
        self.decoder.layers.len() as u64
    }

    /// From the header of a GGUF file.
    ///
    /// # Errors
    /// When the header makes no sense, is of one file of several, of a family whose graph is not
    /// known, or lacks a tensor that the graph reads.
    pub fn from_header(header: &GgufHeader) -> Result<Self, NotReserved> {
        if !header.is_complete() {
            return Err(NotReserved::Incomplete);
        }
        let decoder = match header.decoder()? {
            Architecture::Decoder(decoder) => decoder,
            Architecture::Other { family, .. } => return Err(NotReserved::Family(family)),
            _ => return Err(NotReserved::Family("no decoder".to_owned())),
        };
        let name = match header.values.get("general.architecture").map(|entry| &entry.value) {
            Some(Value::Text(name)) => name.as_str(),
            _ => "",
        };
        let family = Family::named(name).ok_or_else(|| NotReserved::Family(name.to_owned()))?;
        let mut tensors = BTreeMap::new();
        for (name, tensor) in &header.tensors {
            let mut extents = [1; 4];
            if tensor.dimensions.len() > extents.len() {
                return Err(NotReserved::Shape(name.clone()));
            }
            for (extent, dimension) in extents.iter_mut().zip(&tensor.dimensions) {
                *extent = *dimension;
            }
            let stored = Stored { dtype: tensor.dtype, extents, offset: Some(tensor.offset) };
            tensors.insert(name.clone(), stored);
        }
        let routing = routing(family, header);
        let model = Self { family, decoder, tensors, routing };
        match model.missing()? {
            Some(name) => Err(NotReserved::Missing(name)),
            None => Ok(model),
        }
    }

    /// A tensor that the family's graph reads and the file lacks: it was written for another graph,
    /// such as that of DeepSeek before its latent vectors were cached.
    fn missing(&self) -> Result<Option<String>, NotReserved> {
        let is_there = |name: &str| self.tensors.contains_key(name);
        let is_fused = |name: &str| {
            let block = name.split_once(".attn_").map_or("", |(block, _)| block);
            let part = ["q.weight", "k.weight", "v.weight"].iter().any(|part| name.ends_with(part));
            part && is_there(&format!("{block}.attn_qkv.weight"))
        };
        let mut names = table::tensors(&self.decoder, self.family)?.into_iter();
        let lacks = |name: &String| name.ends_with(".weight") && !is_there(name) && !is_fused(name);
        Ok(names.find_map(|(name, _)| lacks(&name).then_some(name)))
    }

    /// From an architecture and the types that a quantization mix gives its tensors.
    ///
    /// # Errors
    /// When the architecture has parts that its family has not.
    pub fn from_decoder(decoder: &Decoder, family: Family, mix: Mix) -> Result<Self, NotReserved> {
        let shapes = table::tensors(decoder, family)?;
        let types = mix.types(decoder, family, &shapes);
        let stored = shapes
            .into_iter()
            .zip(types)
            .map(|((name, extents), dtype)| (name, Stored { dtype, extents, offset: None }));
        let normalised = match family {
            Family::Deepseek2 => Normalised::No,
            _ => Normalised::Yes,
        };
        let routing = Routing { normalised, scaled: Scaled::No, groups: None };
        Ok(Self { family, decoder: decoder.clone(), tensors: stored.collect(), routing })
    }
}

/// Only DeepSeek's files say how expert weights are treated; others always normalise.
fn routing(family: Family, header: &GgufHeader) -> Routing {
    let value = |key: &str| {
        let key = format!("{}.{key}", family.name());
        header.values.get(&key).map(|entry| &entry.value)
    };
    let normalised = match (family, value("expert_weights_norm")) {
        (Family::Deepseek2, None | Some(Value::Bool(false))) => Normalised::No,
        _ => Normalised::Yes,
    };
    let scaled = match value("expert_weights_scale") {
        Some(Value::Float(scale)) if (scale - 1.0).abs() > 0.0 && scale.abs() > 0.0 => Scaled::Yes,
        _ => Scaled::No,
    };
    let number = |key: &str| match value(key) {
        Some(Value::Unsigned(number)) => *number,
        _ => 0,
    };
    let (count, used) = (number("expert_group_count"), number("expert_group_used_count"));
    let groups = (count > 1 && used > 0).then_some(Groups { count, used });
    Routing { normalised, scaled, groups }
}
