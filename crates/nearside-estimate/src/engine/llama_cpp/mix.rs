//! The types that llama.cpp's quantizer gives a model's tensors: a mix such as `Q4_K_M` stores most
//! matrices in one type and those that suffer most in a better one.
//!
//! Vectors, norms and routers stay 32-bit floats. Rows that are no whole number of blocks fall back to
//! a type with smaller blocks.
//!
//! Source: `llama_tensor_get_type_impl` and `tensor_type_fallback` in `llama-quant.cpp` of llama.cpp.

use std::fmt;
use std::str::FromStr;

use nearside_architecture::{Decoder, Dtype, FeedForward};

use super::cache;
use super::graph::Four;
use super::model::Family;

/// A mix of types, named as in `llama-quantize`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mix {
    /// 32-bit floats.
    F32,
    /// 16-bit floats.
    F16,
    /// bfloat16.
    Bf16,
    /// 8-bit blocks.
    Q8_0,
    /// 4-bit blocks of 32.
    Q4_0,
    /// 3-bit blocks, medium.
    Q3KM,
    /// 4-bit blocks, small.
    Q4KS,
    /// 4-bit blocks, medium.
    Q4KM,
    /// 5-bit blocks, small.
    Q5KS,
    /// 5-bit blocks, medium.
    Q5KM,
    /// 6-bit blocks.
    Q6K,
}

impl Mix {
    /// Every mix: its name and the type of most of its matrices.
    const TABLE: [(Self, &'static str, Dtype); 11] = [
        (Self::F32, "f32", Dtype::F32),
        (Self::F16, "f16", Dtype::F16),
        (Self::Bf16, "bf16", Dtype::Bf16),
        (Self::Q8_0, "q8_0", Dtype::Q8_0),
        (Self::Q4_0, "q4_0", Dtype::Q4_0),
        (Self::Q3KM, "q3_k_m", Dtype::Q3K),
        (Self::Q4KS, "q4_k_s", Dtype::Q4K),
        (Self::Q4KM, "q4_k_m", Dtype::Q4K),
        (Self::Q5KS, "q5_k_s", Dtype::Q5K),
        (Self::Q5KM, "q5_k_m", Dtype::Q5K),
        (Self::Q6K, "q6_k", Dtype::Q6K),
    ];

    /// Its name, as in `q4_k_m`.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::TABLE.iter().find(|(mix, ..)| *mix == self).map_or("", |(_, name, _)| name)
    }

    /// The type of most of its matrices.
    #[must_use]
    pub fn dtype(self) -> Dtype {
        let row = Self::TABLE.iter().find(|(mix, ..)| *mix == self);
        row.map_or(Dtype::F32, |(_, _, dtype)| *dtype)
    }

    /// The mix whose matrices are mostly of that type; the medium one where there are two.
    #[must_use]
    pub fn of(dtype: Dtype) -> Option<Self> {
        let medium = [Self::Q4KM, Self::Q5KM].into_iter().find(|mix| mix.dtype() == dtype);
        let row = Self::TABLE.iter().find(|(_, _, known)| *known == dtype);
        medium.or(row.map(|(mix, ..)| *mix))
    }

    /// The types of tensors, in their order.
    pub(super) fn types(
        self,
        decoder: &Decoder,
        family: Family,
        tensors: &[(String, Four)],
    ) -> Vec<Dtype> {
        let model = Quantized::new(self, decoder, family);
        tensors.iter().map(|(name, extents)| model.dtype(name, *extents)).collect()
    }
}

impl FromStr for Mix {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let name = text.trim().to_ascii_lowercase();
        let found = Self::TABLE.iter().find(|(_, known, _)| *known == name);
        found.map(|(mix, ..)| *mix).ok_or_else(|| format!("unknown quantization mix \"{text}\""))
    }
}

impl fmt::Display for Mix {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

/// What the quantizer looks at.
struct Quantized {
    mix: Mix,
    layers: u64,
    experts: u64,
    tied: bool,
    /// Llama with 80 layers and shared key-value heads.
    is_70b: bool,
}

impl Quantized {
    fn new(mix: Mix, decoder: &Decoder, family: Family) -> Self {
        let experts = decoder.layers.iter().map(|layer| match &layer.feed_forward {
            FeedForward::Experts(experts) => experts.count,
            FeedForward::Dense(_) | FeedForward::Absent => 0,
        });
        let grouped = decoder.layers.first().is_some_and(|layer| {
            use nearside_architecture::Mixer;
            matches!(&layer.mixer, Mixer::Grouped(it) if it.heads != it.key_value_heads)
        });
        let layers = decoder.layers.len() as u64;
        Self {
            mix,
            layers,
            experts: experts.max().unwrap_or(0),
            tied: decoder.tied_embeddings,
            is_70b: family == Family::Llama && layers == 80 && grouped,
        }
    }

    fn dtype(&self, name: &str, extents: Four) -> Dtype {
        let is_matrix = extents[1] > 1 && name.ends_with("weight");
        if !is_matrix || name.contains("_norm.") || name.contains("ffn_gate_inp.") {
            return Dtype::F32;
        }
        let dtype = self.mix.dtype();
        match cache::is_quantized(dtype) {
            true => fitting(self.chosen(name, dtype), extents[0]),
            false => dtype,
        }
    }

    /// The type by what a tensor does.
    fn chosen(&self, name: &str, dtype: Dtype) -> Dtype {
        let part = name.strip_prefix("blk.").and_then(|rest| rest.split_once('.'));
        let Some((layer, part)) = part else { return self.outside(name, dtype) };
        let layer = layer.parse().unwrap_or(0);
        if part.starts_with("attn_v.") || part.starts_with("attn_qkv.") {
            return self.values(layer, dtype);
        }
        match part {
            "attn_k.weight" if self.experts == 8 => Dtype::Q8_0,
            "attn_output.weight" => match self.mix {
                Mix::Q3KM | Mix::Q4KS | Mix::Q4KM if self.experts == 8 => Dtype::Q5K,
                Mix::Q3KM => Dtype::Q4K,
                _ => dtype,
            },
            _ if part.starts_with("ffn_down") => self.down(layer, dtype),
            _ => dtype,
        }
    }

    /// Embedding and output layer.
    fn outside(&self, name: &str, dtype: Dtype) -> Dtype {
        let is_output = name == "output.weight" || (self.tied && name == "token_embd.weight");
        if is_output && dtype != Dtype::Q8_0 { Dtype::Q6K } else { dtype }
    }

    fn values(&self, layer: u64, dtype: Dtype) -> Dtype {
        if self.experts == 8 {
            return Dtype::Q8_0;
        }
        let better = match self.mix {
            Mix::Q3KM if layer < 2 => Dtype::Q5K,
            Mix::Q3KM => Dtype::Q4K,
            Mix::Q4KM | Mix::Q5KM if self.needs_more(layer) => Dtype::Q6K,
            Mix::Q4KS if layer < 4 => Dtype::Q5K,
            _ => dtype,
        };
        if self.is_70b && matches!(better, Dtype::Q3K | Dtype::Q4K) { Dtype::Q5K } else { better }
    }

    fn down(&self, layer: u64, dtype: Dtype) -> Dtype {
        match self.mix {
            Mix::Q3KM if layer < self.layers / 16 => Dtype::Q5K,
            Mix::Q3KM => Dtype::Q4K,
            Mix::Q4KM | Mix::Q5KM if self.needs_more(layer) => Dtype::Q6K,
            Mix::Q4KS if layer < self.layers / 8 => Dtype::Q5K,
            _ => dtype,
        }
    }

    /// The first and last eighth of layers, and every third between.
    fn needs_more(&self, layer: u64) -> bool {
        let eighth = self.layers / 8;
        layer < eighth || layer >= 7 * self.layers / 8 || (layer - eighth) % 3 == 2
    }
}

/// A type whose blocks fit a row.
fn fitting(dtype: Dtype, row: u64) -> Dtype {
    let fits = |dtype: Dtype| row.is_multiple_of(dtype.block().0);
    if fits(dtype) {
        return dtype;
    }
    let smaller = match dtype {
        Dtype::Q3K => Dtype::Q4_0,
        Dtype::Q4K => Dtype::Q5_0,
        Dtype::Q5K => Dtype::Q5_1,
        Dtype::Q6K => Dtype::Q8_0,
        other => other,
    };
    if fits(smaller) { smaller } else { Dtype::F16 }
}
