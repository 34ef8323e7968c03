//! Cases as GGUF files, in the form that llama.cpp's converter gives them: other names, keys for the configuration, the
//! rows of Llama's queries and keys in another order, experts in one tensor, ones added to Gemma's norms.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::Path;

use nearside_architecture::Dtype;
use nearside_models::block::{dequantize, quantize};
use nearside_models::file::{
    MetadataArray, MetadataValue, TensorInfo, WriteError, write_gguf_file,
};
use nearside_models::{DecoderModel, StoredModel};

use crate::case::{Case, Folder, cases, error};
use crate::{forward, room};

/// A tensor: its shape and its numbers.
type Tensors = BTreeMap<String, (Vec<u64>, Vec<f32>)>;

const WHOLE: [(&str, &str); 3] = [
    ("model.embed_tokens.weight", "token_embd.weight"),
    ("model.norm.weight", "output_norm.weight"),
    ("lm_head.weight", "output.weight"),
];
/// Of a block; what is not listed there has an expert's number.
const OF_BLOCK: [(&str, &str); 22] = [
    ("input_layernorm.weight", "attn_norm.weight"),
    ("self_attn.q_proj.weight", "attn_q.weight"),
    ("self_attn.q_proj.bias", "attn_q.bias"),
    ("self_attn.k_proj.weight", "attn_k.weight"),
    ("self_attn.k_proj.bias", "attn_k.bias"),
    ("self_attn.v_proj.weight", "attn_v.weight"),
    ("self_attn.v_proj.bias", "attn_v.bias"),
    ("self_attn.qkv_proj.weight", "attn_qkv.weight"),
    ("self_attn.q_norm.weight", "attn_q_norm.weight"),
    ("self_attn.k_norm.weight", "attn_k_norm.weight"),
    ("self_attn.o_proj.weight", "attn_output.weight"),
    ("self_attn.o_proj.bias", "attn_output.bias"),
    ("pre_feedforward_layernorm.weight", "ffn_norm.weight"),
    ("post_feedforward_layernorm.weight", "post_ffw_norm.weight"),
    ("mlp.gate_proj.weight", "ffn_gate.weight"),
    ("mlp.up_proj.weight", "ffn_up.weight"),
    ("mlp.gate_up_proj.weight", "ffn_up.weight"),
    ("mlp.down_proj.weight", "ffn_down.weight"),
    ("mlp.gate.weight", "ffn_gate_inp.weight"),
    ("block_sparse_moe.gate.weight", "ffn_gate_inp.weight"),
    ("mlp.shared_expert_gate.weight", "ffn_gate_inp_shexp.weight"),
    ("post_attention_layernorm.weight", ""),
];
const OF_EXPERT: [(&str, &str); 6] = [
    ("gate_proj.weight", "ffn_gate"),
    ("w1.weight", "ffn_gate"),
    ("up_proj.weight", "ffn_up"),
    ("w3.weight", "ffn_up"),
    ("down_proj.weight", "ffn_down"),
    ("w2.weight", "ffn_down"),
];

impl Case {
    fn text_of(&self, field: &str) -> &str {
        self.config[field].as_str().unwrap_or_default()
    }

    fn number(&self, field: &str) -> Option<f64> {
        self.config[field].as_f64()
    }

    fn count(&self, field: &str) -> usize {
        self.number(field).unwrap() as usize
    }

    fn head(&self) -> usize {
        let usual = self.count("hidden_size") / self.count("num_attention_heads");
        self.number("head_dim").map_or(usual, |width| width as usize)
    }

    /// llama.cpp's name of the family; `None` for what it has no file for.
    fn architecture(&self) -> Option<&'static str> {
        Some(match self.text_of("model_type") {
            "llama" | "mixtral" => "llama",
            "qwen2" if self.config["use_sliding_window"] == false => "qwen2",
            "qwen2_moe" if self.config["mlp_only_layers"].as_array()?.is_empty() => "qwen2moe",
            "qwen3" => "qwen3",
            "qwen3_moe" => "qwen3moe",
            "gemma" => "gemma",
            "gemma2" => "gemma2",
            "gemma3_text" if self.config["rope_parameters"].is_null() => "gemma3",
            "phi3" => "phi3",
            "olmo2" => "olmo2",
            _ => return None,
        })
    }

    /// What the file says of attention scores is their width alone.
    pub(crate) fn scaled_by_width(mut self) -> Self {
        if self.number("query_pre_attn_scalar").is_some() {
            self.config["query_pre_attn_scalar"] = self.head().into();
        }
        self
    }

    fn renamed(&self, name: &str) -> String {
        if let Some((_, to)) = WHOLE.iter().find(|(from, _)| *from == name) {
            return (*to).to_owned();
        }
        let (block, rest) = name.strip_prefix("model.layers.").unwrap().split_once('.').unwrap();
        let sandwich = self.tensors.iter().any(|(name, ..)| name.contains("post_feedforward"));
        if rest == "post_attention_layernorm.weight" {
            let to = if sandwich { "post_attention_norm" } else { "ffn_norm" };
            return format!("blk.{block}.{to}.weight");
        }
        if let Some((_, to)) = OF_BLOCK.iter().find(|(from, _)| *from == rest) {
            return format!("blk.{block}.{to}");
        }
        let (_, to) = OF_EXPERT.iter().find(|(from, _)| rest.ends_with(from)).unwrap();
        let kind = if rest.contains("shared_expert") { "shexp" } else { "exps" };
        format!("blk.{block}.{to}_{kind}.weight")
    }

    /// Its tensors as the file has them.
    fn converted(&self) -> Tensors {
        let architecture = self.architecture().unwrap();
        let mut tensors = Tensors::new();
        for ((name, shape, ..), mut numbers) in self.tensors.iter().zip(self.weights()) {
            let renamed = self.renamed(name);
            let heads = match renamed.rsplit_once('.').unwrap().0.rsplit_once('.') {
                Some((_, "attn_q")) => self.count("num_attention_heads"),
                Some((_, "attn_k")) => self.count("num_key_value_heads"),
                _ => 0,
            };
            if architecture == "llama" && heads > 0 {
                numbers = interleaved(&numbers, heads, numbers.len() / shape[0] as usize);
            }
            if architecture.starts_with("gemma") && renamed.contains("norm") {
                numbers.iter_mut().for_each(|number| *number += 1.0);
            }
            let shape = if renamed.contains("gate_inp_shexp") { &shape[1..] } else { shape };
            if renamed.contains("_exps") {
                // Experts follow each other by number: there are fewer than ten.
                let all =
                    tensors.entry(renamed).or_insert_with(|| ([&[0], shape].concat(), Vec::new()));
                all.0[0] += 1;
                all.1.extend(numbers);
            } else {
                tensors.insert(renamed, (shape.to_vec(), numbers));
            }
        }
        let mut add = |name: &str, numbers: Vec<f32>| {
            tensors.insert(name.to_owned(), (vec![numbers.len() as u64], numbers));
        };
        let scaling = &self.config["rope_scaling"];
        let list = |field: &str| {
            scaling[field]
                .as_array()
                .unwrap()
                .iter()
                .map(|by| by.as_f64().unwrap() as f32)
                .collect()
        };
        if scaling["short_factor"].is_array() {
            add("rope_factors_short.weight", list("short_factor"));
            add("rope_factors_long.weight", list("long_factor"));
        }
        if scaling["rope_type"] == "llama3" {
            add("rope_freqs.weight", self.divisors());
        }
        tensors
    }

    /// What the speeds of Llama 3.1 are divided by.
    fn divisors(&self) -> Vec<f32> {
        let of = |field: &str| self.config["rope_scaling"][field].as_f64().unwrap();
        let (low, high) = (of("low_freq_factor"), of("high_freq_factor"));
        let pairs = self.head() / 2;
        let by = |pair: usize| {
            let speed = self.number("rope_theta").unwrap().powf(-(pair as f64) / pairs as f64);
            let length = 2.0 * std::f64::consts::PI / speed;
            let turns = of("original_max_position_embeddings") / length;
            let smooth = ((turns - low) / (high - low)).clamp(0.0, 1.0);
            (1.0 / ((1.0 - smooth) / of("factor") + smooth)) as f32
        };
        (0..pairs).map(by).collect()
    }

    fn keys(&self) -> Vec<(String, MetadataValue)> {
        use MetadataValue::{Array, F32, Text, U32};
        let architecture = self.architecture().unwrap();
        let mut keys = vec![
            ("general.architecture".to_owned(), Text(architecture.to_owned())),
            ("tokenizer.ggml.model".to_owned(), Text("no_vocab".to_owned())),
        ];
        let mut add = |key: &str, value| keys.push((format!("{architecture}.{key}"), value));
        let whole = [
            ("vocab_size", "vocab_size"),
            ("context_length", "max_position_embeddings"),
            ("embedding_length", "hidden_size"),
            ("block_count", "num_hidden_layers"),
            ("feed_forward_length", "intermediate_size"),
            ("attention.head_count", "num_attention_heads"),
            ("attention.head_count_kv", "num_key_value_heads"),
            ("expert_count", "num_experts"),
            ("expert_count", "num_local_experts"),
            ("expert_used_count", "num_experts_per_tok"),
            ("expert_feed_forward_length", "moe_intermediate_size"),
            ("expert_shared_feed_forward_length", "shared_expert_intermediate_size"),
            ("rope.scaling.original_context_length", "original_max_position_embeddings"),
        ];
        for (key, field) in whole {
            if let Some(number) = self.number(field) {
                add(key, U32(number as u32));
            }
        }
        let real = [
            ("attention.layer_norm_rms_epsilon", "rms_norm_eps"),
            ("rope.freq_base", "rope_theta"),
            ("attn_logit_softcapping", "attn_logit_softcapping"),
            ("final_logit_softcapping", "final_logit_softcapping"),
        ];
        for (key, field) in real {
            if let Some(number) = self.number(field) {
                add(key, F32(number as f32));
            }
        }
        let head = self.head() as u32;
        add("attention.key_length", U32(head));
        add("attention.value_length", U32(head));
        let turned = self.number("partial_rotary_factor").unwrap_or(1.0);
        add("rope.dimension_count", U32((turned * f64::from(head)) as u32));
        if architecture.starts_with("gemma") && self.number("sliding_window").is_some() {
            add("attention.sliding_window", U32(self.count("sliding_window") as u32));
            // Every second block sees all tokens.
            let pattern = (0..self.count("num_hidden_layers")).map(|block| block % 2 == 0);
            add("attention.sliding_window_pattern", Array(MetadataArray::Bool(pattern.collect())));
        }
        self.add_scaling(&mut add);
        keys
    }

    /// Keys of how rotary positions are stretched.
    fn add_scaling(&self, add: &mut impl FnMut(&str, MetadataValue)) {
        use MetadataValue::{F32, Text, U32};
        let (scaling, newer) = (&self.config["rope_scaling"], &self.config["rope_parameters"]);
        let scaling = if newer.is_object() { newer } else { scaling };
        if let Some(theta) = newer["rope_theta"].as_f64() {
            add("rope.freq_base", F32(theta as f32));
        }
        let kind = scaling["type"].as_str().or(scaling["rope_type"].as_str());
        if let Some(kind @ ("linear" | "yarn")) = kind {
            add("rope.scaling.type", Text(kind.to_owned()));
            add("rope.scaling.factor", F32(scaling["factor"].as_f64().unwrap() as f32));
        }
        if kind == Some("yarn") {
            let original = scaling["original_max_position_embeddings"].as_u64().unwrap();
            add("rope.scaling.original_context_length", U32(original as u32));
            for name in ["beta_fast", "beta_slow"] {
                if let Some(turns) = scaling[name].as_f64() {
                    add(&format!("rope.scaling.yarn_{name}"), F32(turns as f32));
                }
            }
        }
        if kind == Some("longrope") {
            let [longest, original] =
                ["max_position_embeddings", "original_max_position_embeddings"]
                    .map(|field| self.number(field).unwrap());
            let factor = (1.0 + (longest / original).ln() / original.ln()).sqrt();
            add("rope.scaling.attn_factor", F32(factor as f32));
        }
    }

    /// Writes the file, matrices in a type; or as 32-bit floats of what they are in that type.
    pub(crate) fn write_gguf(&self, path: &Path, dtype: Dtype, rounded: Rounded) {
        let (mut infos, mut data) = (Vec::new(), Vec::new());
        for (name, (shape, mut numbers)) in self.converted() {
            let row = *shape.last().unwrap() as usize;
            let matrix = shape.len() > 1 && !name.contains("gate_inp");
            let mut stored = if matrix { dtype } else { Dtype::F32 };
            let mut bytes = quantize(stored, &numbers, None, row).unwrap();
            if rounded == Rounded::AndWidened {
                dequantize(stored, &bytes, &mut numbers).unwrap();
                stored = Dtype::F32;
                bytes = quantize(stored, &numbers, None, row).unwrap();
            }
            infos.push(TensorInfo { name, dtype: stored, shape });
            data.push(bytes);
        }
        write_gguf_file(path, &self.keys(), &infos, |index, out| {
            out.write_all(&data[index]).map_err(WriteError::from)
        })
        .unwrap();
    }
}

/// Whether numbers that were rounded to a type are stored in it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Rounded {
    AsThey,
    AndWidened,
}

/// Rows of each head in the order that pairs neighbours: the first of the first half, the first of the second one.
fn interleaved(numbers: &[f32], heads: usize, columns: usize) -> Vec<f32> {
    let head = numbers.len() / heads;
    let mut ordered = Vec::with_capacity(numbers.len());
    for rows in numbers.chunks_exact(head) {
        let (first, second) = rows.split_at(head / 2);
        for (left, right) in first.chunks_exact(columns).zip(second.chunks_exact(columns)) {
            ordered.extend_from_slice(left);
            ordered.extend_from_slice(right);
        }
    }
    ordered
}

pub(crate) fn convertible() -> impl Iterator<Item = Case> {
    cases().into_iter().filter(|case| case.architecture().is_some()).map(Case::scaled_by_width)
}

pub(crate) fn scores(case: &Case, stored: &StoredModel) -> Vec<f32> {
    let model = DecoderModel::load(stored, case.text().len()).unwrap();
    forward(&model, &mut room(&model, case.text().len()), &case.text())
}

fn scores_of_gguf(case: &Case, dtype: Dtype, rounded: Rounded) -> Vec<f32> {
    let folder = Folder::new();
    let path = folder.0.join("model.gguf");
    case.write_gguf(&path, dtype, rounded);
    scores(case, &StoredModel::open(&path).unwrap())
}

pub(crate) fn differ(case: &Case, left: &[f32], right: &[f32]) -> f64 {
    let width = case.count("vocab_size");
    let right: Vec<f64> = right.iter().copied().map(f64::from).collect();
    let pairs = left.chunks_exact(width).zip(right.chunks_exact(width));
    pairs.map(|(left, right)| error(left, right)).fold(0.0, f64::max)
}

/// The root of the mean square of differences, as a part of that of the scores.
fn spread(left: &[f32], right: &[f32]) -> f64 {
    let square = |number: f32| f64::from(number) * f64::from(number);
    let differences: f64 = left.iter().zip(right).map(|(left, right)| square(left - right)).sum();
    (differences / right.iter().map(|score| square(*score)).sum::<f64>()).sqrt()
}

#[test]
fn a_gguf_file_computes_what_its_safetensors_do() {
    let mut wrong = Vec::new();
    for case in convertible() {
        let whole = scores(&case, &case.stored());
        let found = differ(&case, &scores_of_gguf(&case, Dtype::F32, Rounded::AsThey), &whole);
        println!("{:30} {found:.1e}", case.name);
        if found > 1e-5 {
            wrong.push(case.name);
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn blocks_of_eight_bits_compute_what_their_numbers_do() {
    let mut wrong = Vec::new();
    for case in convertible() {
        let [blocks, numbers] = [Rounded::AsThey, Rounded::AndWidened]
            .map(|rounded| scores_of_gguf(&case, Dtype::Q8_0, rounded));
        let found = spread(&blocks, &numbers);
        println!("{:30} {found:.1e}", case.name);
        // Activations are rounded to eight bits too, and another expert may be chosen for it.
        let experts = case.converted().keys().any(|name| name.contains("exps"));
        if found > if experts { 0.15 } else { 0.05 } {
            wrong.push(case.name);
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

/// Not a test: files for other programs, with what is computed here, in the folder that `NEARSIDE_GGUF` names.
#[test]
#[ignore = "writes files to be opened by hand in llama.cpp"]
fn files_for_other_programs() {
    let folder = env::var("NEARSIDE_GGUF").unwrap();
    for case in convertible() {
        let name = case.name.replace([',', ' '], "-");
        for dtype in [Dtype::F32, Dtype::Q8_0] {
            let path = Path::new(&folder).join(format!("{name}-{dtype:?}.gguf"));
            case.write_gguf(&path, dtype, Rounded::AsThey);
            let scores = scores(&case, &StoredModel::open(&path).unwrap());
            let text = serde_json::json!({ "text": case.text(), "scores": scores });
            fs::write(path.with_extension("json"), text.to_string()).unwrap();
        }
    }
}
