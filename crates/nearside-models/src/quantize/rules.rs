//! Which type each tensor of a mix gets.
//!
//! Norms, routers and all that is no matrix stay as they are. Some matrices cost little and matter much: the output, the
//! values of attention, the last product of feed-forward in the first and last layers; mixes give them more bits. Rows
//! that are no whole number of blocks take a type with smaller blocks. The rules are facts of llama.cpp
//! (`llama-quant.cpp`, MIT licence), so that a mix is the same whichever program made it.

use nearside_architecture::Dtype;

use super::Mix;
use super::keep::Keep;

/// What the rules ask of a model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traits {
    /// What GGUF files call its architecture.
    pub architecture: String,
    /// How many layers it has.
    pub layers: usize,
    /// How many queries look at one key of the first layer.
    pub queries_per_key: u64,
    /// How many experts a layer has; 0 or 1 where there are none.
    pub experts: u64,
    /// Whether weights of importance are there.
    pub has_importance: bool,
}

/// What the rules ask of a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked<'a> {
    /// Its name in GGUF files.
    pub name: &'a str,
    /// Its dimensions, outermost first.
    pub shape: &'a [u64],
    /// The type that it has if no rule is for it.
    pub otherwise: Dtype,
}

/// What the rules say of a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// Its type.
    pub dtype: Dtype,
    /// The type that it would have if its rows were whole blocks of it.
    pub instead_of: Option<Dtype>,
}

/// What a matrix is for, as far as mixes care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Category {
    Embedding,
    Output,
    Query,
    Key,
    Value,
    Packed,
    LatentKeyValue,
    AttentionOutput,
    Up,
    Gate,
    Down,
    Other,
}

/// Parts of names of matrices that are small, or that errors harm much.
const KEPT: [&str; 35] = [
    "_norm.weight",
    "ffn_gate_inp.weight",
    "ffn_gate_tid2eid.weight",
    "altup",
    "laurel",
    "per_layer_model_proj",
    "ssm_conv1d",
    "shortconv.conv.weight",
    "indexer.k_proj.weight",
    "indexer.q_proj.weight",
    "time_mix_first.weight",
    "time_mix_w0.weight",
    "time_mix_w1.weight",
    "time_mix_w2.weight",
    "time_mix_v0.weight",
    "time_mix_v1.weight",
    "time_mix_v2.weight",
    "time_mix_a0.weight",
    "time_mix_a1.weight",
    "time_mix_a2.weight",
    "time_mix_g1.weight",
    "time_mix_g2.weight",
    "time_mix_decay_w1.weight",
    "time_mix_decay_w2.weight",
    "time_mix_lerp_fused.weight",
    "attn_rel_b.weight",
    ".position_embd",
    "sam.pos_embd",
    "sam.neck.",
    "sam.net_",
    ".rel_pos",
    ".patch_embd",
    ".patch_merger",
    "a.rvq.codebook",
    "mm.a.code_embd",
];
/// Whole names of such.
const KEPT_NAMES: [&str; 2] = ["position_embd.weight", "token_types.weight"];

/// The types of all tensors, in their order, which is that of layers.
#[must_use]
pub fn types(mix: Mix, of: &Traits, tensors: &[Asked<'_>], keeps: &[Keep]) -> Vec<Chosen> {
    let values = tensors.iter().filter(|tensor| category(tensor.name).is_value_like()).count();
    let tied = tensors.iter().all(|tensor| category(tensor.name) != Category::Output);
    let mut rules = Rules { mix, of, tied, values, seen: Seen::default() };
    tensors.iter().map(|tensor| rules.tensor(tensor, keeps)).collect()
}

/// Whether a tensor is a matrix that mixes are about.
#[must_use]
pub fn is_quantized(name: &str, shape: &[u64]) -> bool {
    let dimensions = shape.iter().skip_while(|size| **size == 1).count();
    dimensions >= 2
        && name.ends_with("weight")
        && !KEPT_NAMES.contains(&name)
        && !KEPT.iter().any(|part| name.contains(part))
}

/// Whether a type of so few bits is good for nothing without weights of importance.
#[must_use]
pub fn needs_importance(mix: Mix, name: &str, dtype: Dtype) -> bool {
    if matches!(category(name), Category::Embedding | Category::Output) {
        return false;
    }
    match dtype {
        Dtype::Iq2Xxs | Dtype::Iq2Xs | Dtype::Iq2S | Dtype::Iq3Xxs | Dtype::Iq1S | Dtype::Iq1M => {
            true
        }
        Dtype::Q2K => mix == Mix::Q2KS,
        _ => false,
    }
}

/// How many matrices of a kind came before.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    values: usize,
    downs: usize,
    gates: usize,
    ups: usize,
}

struct Rules<'a> {
    mix: Mix,
    of: &'a Traits,
    /// Whether the embedding is the output too.
    tied: bool,
    /// How many matrices of values there are.
    values: usize,
    seen: Seen,
}

impl Rules<'_> {
    fn tensor(&mut self, tensor: &Asked<'_>, keeps: &[Keep]) -> Chosen {
        if !is_quantized(tensor.name, tensor.shape) {
            return Chosen { dtype: tensor.otherwise, instead_of: None };
        }
        let plain = self.mix.dtype();
        let stated = keeps.iter().find(|keep| keep.is_for(tensor.name));
        let dtype = match stated {
            Some(keep) => keep.dtype,
            None if plain.is_float() => plain,
            None => self.choose(tensor),
        };
        let width = tensor.shape.last().copied().unwrap_or(1);
        let fitting = fitting(dtype, width);
        Chosen { dtype: fitting, instead_of: (fitting != dtype).then_some(dtype) }
    }

    fn choose(&mut self, tensor: &Asked<'_>) -> Dtype {
        let category = category(tensor.name);
        let plain = self.mix.dtype();
        if category == Category::Output || (self.tied && category == Category::Embedding) {
            return self.output(tensor);
        }
        if self.mix == Mix::Mxfp4Experts {
            let experts = tensor.shape.len() > 2 && tensor.shape[..tensor.shape.len() - 2] != [1];
            return if experts { Dtype::Mxfp4 } else { Dtype::Q8_0 };
        }
        if category == Category::Embedding {
            return self.embedding();
        }
        if self.is_tiny() {
            return self.tiny(category);
        }
        match category {
            Category::Value | Category::Packed | Category::LatentKeyValue => self.value(),
            Category::Key if self.of.experts == 8 => Dtype::Q8_0,
            Category::Key | Category::Query => match self.mix {
                Mix::Iq3Xs => Dtype::Iq3Xxs,
                Mix::Iq3Xxs => Dtype::Iq2S,
                _ => plain,
            },
            Category::Down => self.down(tensor.name),
            Category::AttentionOutput => self.attention_output(),
            Category::Gate => {
                let layer = layer_of(self.of, tensor.name, self.seen.gates);
                self.seen.gates += 1;
                self.gate_or_up(layer)
            }
            Category::Up => {
                let layer = layer_of(self.of, tensor.name, self.seen.ups);
                self.seen.ups += 1;
                self.gate_or_up(layer)
            }
            Category::Embedding | Category::Output | Category::Other => plain,
        }
    }

    fn output(&self, tensor: &Asked<'_>) -> Dtype {
        let plain = self.mix.dtype();
        let width = tensor.shape.last().copied().unwrap_or(1);
        let whole = width.is_multiple_of(plain.block().0);
        match self.mix {
            Mix::Mxfp4Experts => Dtype::Q8_0,
            _ if self.is_falcon() || !whole => Dtype::Q8_0,
            Mix::Iq2Xxs | Mix::Iq2Xs | Mix::Iq3Xxs | Mix::Iq2S | Mix::Iq2M => Dtype::Q5K,
            Mix::Q8_0 => Dtype::Q8_0,
            _ => Dtype::Q6K,
        }
    }

    fn embedding(&self) -> Dtype {
        match self.mix {
            Mix::Iq2Xxs | Mix::Iq2Xs => Dtype::Q2K,
            Mix::Iq2S | Mix::Iq2M | Mix::Iq3Xxs => Dtype::Iq3S,
            Mix::Tq1_0 | Mix::Tq2_0 => Dtype::Q4K,
            _ => self.mix.dtype(),
        }
    }

    /// Mixes of about two bits.
    const fn is_tiny(&self) -> bool {
        matches!(self.mix, Mix::Iq2Xxs | Mix::Iq2Xs | Mix::Iq2S | Mix::Iq2M)
    }

    fn tiny(&mut self, category: Category) -> Dtype {
        let larger = matches!(self.mix, Mix::Iq2S | Mix::Iq2M);
        let more = if larger { Dtype::Iq3S } else { Dtype::Q2K };
        match category {
            category if category.is_value_like() => {
                self.seen.values += 1;
                match self.of.queries_per_key >= 4 || self.of.experts >= 4 {
                    true => Dtype::Q4K,
                    false => more,
                }
            }
            Category::Key if self.of.experts == 8 => Dtype::Q4K,
            Category::Down => {
                self.seen.downs += 1;
                match self.seen.downs - 1 < self.of.layers / 8 {
                    true => more,
                    false => self.mix.dtype(),
                }
            }
            Category::AttentionOutput if self.of.experts == 8 => Dtype::Q5K,
            Category::AttentionOutput if larger => Dtype::Iq3S,
            _ => self.mix.dtype(),
        }
    }

    fn value(&mut self) -> Dtype {
        let (index, all) = (self.seen.values, self.values);
        self.seen.values += 1;
        let shared = self.of.queries_per_key >= 4;
        let chosen = match self.mix {
            Mix::Q2K if shared => Dtype::Q4K,
            Mix::Q2K => Dtype::Q3K,
            Mix::Q2KS | Mix::Iq3Xxs | Mix::Iq3Xs | Mix::Iq3S if shared => Dtype::Q4K,
            Mix::Iq3Xxs if !self.of.has_importance => Dtype::Iq3S,
            Mix::Iq3M => Dtype::Q4K,
            Mix::Q3KM if index < 2 => Dtype::Q5K,
            Mix::Q3KM => Dtype::Q4K,
            Mix::Q3KL => Dtype::Q5K,
            Mix::Iq4Nl | Mix::Iq4Xs if shared => Dtype::Q5K,
            Mix::Q4KM | Mix::Q5KM if takes_more_bits(index, all) => Dtype::Q6K,
            Mix::Q4KS if index < 4 => Dtype::Q5K,
            _ => self.mix.dtype(),
        };
        match chosen {
            // Next to nothing of so large a file.
            _ if self.of.experts == 8 => Dtype::Q8_0,
            Dtype::Q3K | Dtype::Q4K if self.is_70b() => Dtype::Q5K,
            chosen => chosen,
        }
    }

    fn down(&mut self, name: &str) -> Dtype {
        let layers = self.of.layers;
        let layer = layer_of(self.of, name, self.seen.downs);
        self.seen.downs += 1;
        let (falcon, plain) = (self.is_falcon(), self.mix.dtype());
        let (early, more_bits) = (layer < layers / 8, takes_more_bits(layer, layers));
        match self.mix {
            Mix::Q2K => Dtype::Q3K,
            Mix::Q2KS if early => Dtype::Q4K,
            Mix::Iq3Xxs if !self.of.has_importance && early => Dtype::Q4K,
            Mix::Iq3Xxs if !self.of.has_importance => Dtype::Q3K,
            Mix::Q3KM if layer < layers / 16 => Dtype::Q5K,
            Mix::Q3KM if !falcon || more_bits => Dtype::Q4K,
            Mix::Iq3M if early || (self.of.experts == 8 && more_bits) => Dtype::Q4K,
            Mix::Q3KL if falcon => Dtype::Q4K,
            Mix::Q3KL => Dtype::Q5K,
            Mix::Q4KM if falcon && layer >= layers / 16 => match more_bits {
                true => Dtype::Q5K,
                false => Dtype::Q4K,
            },
            Mix::Q4KM if falcon || more_bits => Dtype::Q6K,
            Mix::Iq4Nl | Mix::Iq4Xs if early && !self.of.has_importance => Dtype::Q5K,
            Mix::Q5KM if more_bits => Dtype::Q6K,
            Mix::Q4KS if early && !falcon => Dtype::Q5K,
            Mix::Q4_0 if early && self.of.has_importance => Dtype::Q4_1,
            Mix::Q5_0 if early && self.of.has_importance => Dtype::Q5_1,
            _ => plain,
        }
    }

    fn attention_output(&self) -> Dtype {
        let plain = self.mix.dtype();
        if self.is_falcon() {
            return if self.mix == Mix::Q3KL { Dtype::Q4K } else { plain };
        }
        match (self.of.experts == 8, self.mix) {
            (
                true,
                Mix::Q2K
                | Mix::Iq3Xs
                | Mix::Iq3Xxs
                | Mix::Q3KS
                | Mix::Q3KM
                | Mix::Iq4Nl
                | Mix::Q4KS
                | Mix::Q4KM
                | Mix::Iq3S
                | Mix::Iq3M
                | Mix::Iq4Xs,
            ) => Dtype::Q5K,
            (true, _) => plain,
            (false, Mix::Q2K) => Dtype::Q3K,
            (false, Mix::Iq3Xxs) => Dtype::Iq3S,
            (false, Mix::Q3KM | Mix::Iq3M) => Dtype::Q4K,
            (false, Mix::Q3KL) => Dtype::Q5K,
            (false, _) => plain,
        }
    }

    fn gate_or_up(&self, layer: usize) -> Dtype {
        let layers = self.of.layers;
        match self.mix {
            Mix::Iq3Xs if layer >= layers / 8 && layer < 7 * layers / 8 => Dtype::Iq3Xxs,
            _ => self.mix.dtype(),
        }
    }

    fn is_falcon(&self) -> bool {
        self.of.architecture == "falcon"
    }

    /// The models of 70 billion parameters, whose values are an eighth of the queries.
    fn is_70b(&self) -> bool {
        match (self.of.architecture.as_str(), self.of.layers) {
            ("llama", 80) => self.of.queries_per_key != 1,
            ("qwen2" | "olmo" | "deci", 80) | ("jais2", 68) => true,
            _ => false,
        }
    }
}

impl Category {
    const fn is_value_like(self) -> bool {
        matches!(self, Self::Value | Self::Packed | Self::LatentKeyValue)
    }
}

/// The first and the last eighth of layers, and each third between.
const fn takes_more_bits(layer: usize, layers: usize) -> bool {
    let eighth = layers / 8;
    layer < eighth || layer >= 7 * layers / 8 || (layer - eighth) % 3 == 2
}

/// The layer of a matrix of feed-forward: that of its name where experts have several each, else how many came before.
fn layer_of(of: &Traits, name: &str, before: usize) -> usize {
    let named = || name.strip_prefix("blk.")?.split('.').next()?.parse().ok();
    if of.experts > 1 { named().unwrap_or(before) } else { before }
}

fn category(name: &str) -> Category {
    let parts = [
        ("attn_qkv.weight", Category::Packed),
        ("attn_kv_b.weight", Category::LatentKeyValue),
        ("attn_v.weight", Category::Value),
        ("attn_k.weight", Category::Key),
        ("attn_q.weight", Category::Query),
        ("attn_output.weight", Category::AttentionOutput),
        ("ffn_up", Category::Up),
        ("ffn_gate", Category::Gate),
        ("ffn_down", Category::Down),
    ];
    match name {
        "output.weight" => Category::Output,
        "token_embd.weight" | "per_layer_token_embd.weight" => Category::Embedding,
        _ => {
            let found = parts.into_iter().find(|(part, _)| name.contains(part));
            found.map_or(Category::Other, |(_, category)| category)
        }
    }
}

/// A type that rows of that width are whole blocks of: the wanted one, the nearest of smaller blocks, or half precision.
fn fitting(wanted: Dtype, width: u64) -> Dtype {
    let fits = |dtype: Dtype| width.is_multiple_of(dtype.block().0);
    if fits(wanted) {
        return wanted;
    }
    let smaller = match wanted {
        Dtype::Iq2Xxs
        | Dtype::Iq2Xs
        | Dtype::Iq2S
        | Dtype::Iq3Xxs
        | Dtype::Iq3S
        | Dtype::Iq1S
        | Dtype::Iq1M
        | Dtype::Iq4Xs => Dtype::Iq4Nl,
        Dtype::Q2K | Dtype::Q3K | Dtype::Tq1_0 | Dtype::Tq2_0 => Dtype::Q4_0,
        Dtype::Q4K => Dtype::Q5_0,
        Dtype::Q5K => Dtype::Q5_1,
        Dtype::Q6K => Dtype::Q8_0,
        _ => Dtype::F16,
    };
    if fits(smaller) { smaller } else { Dtype::F16 }
}
