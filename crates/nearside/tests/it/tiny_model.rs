//! A model of a few thousand numbers at random, as a GGUF file or a folder: it says nothing sensible, but always the same.

use std::collections::BTreeMap;
use std::path::Path;

use nearside_architecture::Dtype;
use nearside_models::block;
use nearside_models::file::{
    MetadataArray, MetadataValue, TensorInfo, WriteError, write_gguf_file, write_safetensors_file,
};

const HIDDEN: u64 = 64;
const INNER: u64 = 96;
const HEADS: u64 = 4;
const KEY_HEADS: u64 = 2;
const LAYERS: u32 = 2;
const CONTEXT: u32 = 256;
/// A template that marks who speaks, and says how tools are called.
const TEMPLATE: &str = "{{ bos_token }}{% if tools %}{{ tools | tojson }}: \
    <tool_call>{\"name\": .., \"arguments\": ..}</tool_call>\n{% endif %}{% for message in messages %}<{{ message.role }}>\
    {{ message.content }}\n{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}";

/// What is in its file, which a test may change.
pub(crate) struct TinyModel {
    pub(crate) metadata: Vec<(String, MetadataValue)>,
    pub(crate) tensors: Vec<TensorInfo>,
}

/// Writes it, its matrices in that format.
pub(crate) fn write(path: &Path, dtype: Dtype) {
    TinyModel::new(dtype).write(path);
}

impl TinyModel {
    /// With its matrices in that format.
    pub(crate) fn new(dtype: Dtype) -> Self {
        let words = words();
        Self { tensors: tensors(words.len() as u64, dtype), metadata: metadata(words) }
    }

    /// States a key, or another value of it.
    pub(crate) fn set(&mut self, key: &str, value: MetadataValue) -> &mut Self {
        self.metadata.retain(|(other, _)| other != key);
        self.metadata.push((key.to_owned(), value));
        self
    }

    pub(crate) fn set_text(&mut self, key: &str, text: &str) -> &mut Self {
        self.set(key, MetadataValue::Text(text.to_owned()))
    }

    /// As a GGUF file.
    pub(crate) fn write(&self, path: &Path) {
        let written = write_gguf_file(path, &self.metadata, &self.tensors, |index, out| {
            out.write_all(&content(index, &self.tensors[index])).map_err(WriteError::from)
        });
        written.unwrap();
    }

    /// As safetensors, its names those that transformers have.
    pub(crate) fn write_safetensors(&self, path: &Path) {
        let renamed =
            |tensor: &TensorInfo| TensorInfo { name: name(&tensor.name), ..tensor.clone() };
        let tensors: Vec<_> = self.tensors.iter().map(renamed).collect();
        let written = write_safetensors_file(path, &BTreeMap::new(), &tensors, |index, out| {
            out.write_all(&content(index, &tensors[index])).map_err(WriteError::from)
        });
        written.unwrap();
    }
}

/// Its `config.json`.
pub(crate) const CONFIG: &str = r#"{
  "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu",
  "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4,
  "num_key_value_heads": 2, "vocab_size": 270, "max_position_embeddings": 256,
  "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "tie_word_embeddings": false, "torch_dtype": "float32"
}"#;

/// What transformers call a tensor of a GGUF.
fn name(gguf: &str) -> String {
    let whole = [
        ("token_embd.weight", "model.embed_tokens.weight"),
        ("output_norm.weight", "model.norm.weight"),
        ("output.weight", "lm_head.weight"),
    ];
    if let Some((_, name)) = whole.iter().find(|(other, _)| *other == gguf) {
        return (*name).to_owned();
    }
    let parts = [
        ("attn_norm", "input_layernorm"),
        ("ffn_norm", "post_attention_layernorm"),
        ("attn_q", "self_attn.q_proj"),
        ("attn_k", "self_attn.k_proj"),
        ("attn_v", "self_attn.v_proj"),
        ("attn_output", "self_attn.o_proj"),
        ("ffn_gate", "mlp.gate_proj"),
        ("ffn_up", "mlp.up_proj"),
        ("ffn_down", "mlp.down_proj"),
    ];
    let found = parts.iter().find(|(other, _)| gguf.contains(&format!(".{other}.")));
    match found {
        Some((other, part)) => gguf.replace("blk.", "model.layers.").replace(other, part),
        None => gguf.to_owned(),
    }
}

/// Numbers at random, always the same for that place among tensors.
fn content(index: usize, TensorInfo { dtype, shape, .. }: &TensorInfo) -> Vec<u8> {
    let row = *shape.last().unwrap_or(&1) as usize;
    let count = shape.iter().product::<u64>() as usize;
    let one_dimension = shape.len() == 1;
    let mut random = index as u32 + 1;
    let values: Vec<f32> = (0..count)
        .map(|_| {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let number = (random >> 8) as f32 / (1 << 23) as f32 - 1.0;
            if one_dimension { 1.0 + 0.1 * number } else { 0.3 * number }
        })
        .collect();
    block::quantize(*dtype, &values, None, row).unwrap()
}

/// Control tokens, all bytes, and some words.
fn words() -> Vec<String> {
    let control = ["<unk>", "<s>", "</s>"].map(str::to_owned);
    let bytes = (0..256).map(|byte| format!("<0x{byte:02X}>"));
    let pieces =
        ["\u{2581}", "\u{2581}a", "\u{2581}the", "e", "t", "s", "<", ">", "ing", "\u{2581}é", "."];
    control.into_iter().chain(bytes).chain(pieces.map(str::to_owned)).collect()
}

fn metadata(words: Vec<String>) -> Vec<(String, MetadataValue)> {
    let kinds = words.iter().enumerate().map(|(index, _)| match index {
        0 => 2,
        1 | 2 => 3,
        3..259 => 6,
        _ => 1,
    });
    let kinds = MetadataArray::I32(kinds.collect());
    let scores = MetadataArray::F32((0..words.len()).map(|index| -(index as f32)).collect());
    let number = MetadataValue::U32;
    let text = |text: &str| MetadataValue::Text(text.to_owned());
    let pairs = [
        ("general.architecture", text("llama")),
        ("general.name", text("Tiny")),
        ("general.license", text("apache-2.0")),
        ("llama.block_count", number(LAYERS)),
        ("llama.context_length", number(CONTEXT)),
        ("llama.embedding_length", number(HIDDEN as u32)),
        ("llama.feed_forward_length", number(INNER as u32)),
        ("llama.attention.head_count", number(HEADS as u32)),
        ("llama.attention.head_count_kv", number(KEY_HEADS as u32)),
        ("llama.attention.layer_norm_rms_epsilon", MetadataValue::F32(1e-5)),
        ("llama.rope.freq_base", MetadataValue::F32(10_000.0)),
        ("tokenizer.ggml.model", text("llama")),
        ("tokenizer.ggml.tokens", MetadataValue::Array(MetadataArray::Text(words))),
        ("tokenizer.ggml.scores", MetadataValue::Array(scores)),
        ("tokenizer.ggml.token_type", MetadataValue::Array(kinds)),
        ("tokenizer.ggml.bos_token_id", number(1)),
        ("tokenizer.ggml.eos_token_id", number(2)),
        ("tokenizer.ggml.unknown_token_id", number(0)),
        ("tokenizer.chat_template", text(TEMPLATE)),
    ];
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

fn tensors(vocabulary: u64, dtype: Dtype) -> Vec<TensorInfo> {
    let tensor =
        |name: String, dtype, shape: &[u64]| TensorInfo { name, dtype, shape: shape.to_vec() };
    let keys = HIDDEN / HEADS * KEY_HEADS;
    let mut tensors = vec![tensor("token_embd.weight".to_owned(), dtype, &[vocabulary, HIDDEN])];
    for layer in 0..LAYERS {
        let name = |part: &str| format!("blk.{layer}.{part}.weight");
        for part in ["attn_norm", "ffn_norm"] {
            tensors.push(tensor(name(part), Dtype::F32, &[HIDDEN]));
        }
        let matrices = [
            ("attn_q", [HIDDEN, HIDDEN]),
            ("attn_k", [keys, HIDDEN]),
            ("attn_v", [keys, HIDDEN]),
            ("attn_output", [HIDDEN, HIDDEN]),
            ("ffn_gate", [INNER, HIDDEN]),
            ("ffn_up", [INNER, HIDDEN]),
            ("ffn_down", [HIDDEN, INNER]),
        ];
        tensors.extend(matrices.map(|(part, shape)| tensor(name(part), dtype, &shape)));
    }
    tensors.push(tensor("output_norm.weight".to_owned(), Dtype::F32, &[HIDDEN]));
    tensors.push(tensor("output.weight".to_owned(), dtype, &[vocabulary, HIDDEN]));
    tensors
}
