//! A model of a few thousand numbers at random as a Hugging Face folder, and an adapter of it as a PEFT folder.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use nearside_architecture::Dtype;
use nearside_models::file::{TensorInfo, WriteError, write_safetensors_file};
use serde_json::{Value, json};

const HIDDEN: u64 = 64;
const INNER: u64 = 96;
const LAYERS: usize = 2;
const WORDS: u64 = 101;

/// Writes the model.
pub(crate) fn write(folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    let configuration = json!({
        "model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_act": "silu",
        "hidden_size": HIDDEN, "intermediate_size": INNER, "num_hidden_layers": LAYERS,
        "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": WORDS,
        "max_position_embeddings": 256, "rms_norm_eps": 1e-5, "tie_word_embeddings": false,
    });
    fs::write(folder.join("config.json"), configuration.to_string()).unwrap();
    fs::write(folder.join("tokenizer.json"), tokenizer().to_string()).unwrap();
    let mut tensors = vec![
        ("model.embed_tokens.weight".to_owned(), vec![WORDS, HIDDEN]),
        ("model.norm.weight".to_owned(), vec![HIDDEN]),
        ("lm_head.weight".to_owned(), vec![WORDS, HIDDEN]),
    ];
    for layer in 0..LAYERS {
        let matrices = [
            ("self_attn.q_proj", vec![HIDDEN, HIDDEN]),
            ("self_attn.k_proj", vec![HIDDEN / 2, HIDDEN]),
            ("self_attn.v_proj", vec![HIDDEN / 2, HIDDEN]),
            ("self_attn.o_proj", vec![HIDDEN, HIDDEN]),
            ("mlp.gate_proj", vec![INNER, HIDDEN]),
            ("mlp.up_proj", vec![INNER, HIDDEN]),
            ("mlp.down_proj", vec![HIDDEN, INNER]),
            ("input_layernorm", vec![HIDDEN]),
            ("post_attention_layernorm", vec![HIDDEN]),
        ];
        tensors.extend(
            matrices.map(|(name, shape)| (format!("model.layers.{layer}.{name}.weight"), shape)),
        );
    }
    write_tensors(&folder.join("model.safetensors"), tensors, 0.3);
}

/// Writes an adapter of rank 4 of all queries and all that is gated.
pub(crate) fn write_adapter(folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    let configuration = json!({
        "peft_type": "LORA", "r": 4, "lora_alpha": 8, "bias": "none",
        "target_modules": ["q_proj", "up_proj"], "base_model_name_or_path": "org/tiny",
    });
    fs::write(folder.join("adapter_config.json"), configuration.to_string()).unwrap();
    let mut tensors = Vec::new();
    for layer in 0..LAYERS {
        for (module, rows) in [("self_attn.q_proj", HIDDEN), ("mlp.up_proj", INNER)] {
            let name = format!("base_model.model.model.layers.{layer}.{module}.lora_");
            tensors.push((format!("{name}A.weight"), vec![4, HIDDEN]));
            tensors.push((format!("{name}B.weight"), vec![rows, 4]));
        }
    }
    write_tensors(&folder.join("adapter_model.safetensors"), tensors, 0.3);
}

fn write_tensors(path: &Path, tensors: Vec<(String, Vec<u64>)>, spread: f32) {
    let info = |(name, shape)| TensorInfo { name, dtype: Dtype::F32, shape };
    let tensors: Vec<_> = tensors.into_iter().map(info).collect();
    write_safetensors_file(path, &BTreeMap::new(), &tensors, |index, out| {
        let shape = &tensors[index].shape;
        let middle = if shape.len() == 1 { 1.0 } else { 0.0 };
        let mut random = index as u32 + 1;
        let bytes: Vec<u8> = (0..shape.iter().product())
            .flat_map(|_| {
                random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let number = (random >> 8) as f32 / (1 << 23) as f32 - 1.0;
                (middle + spread * number).to_le_bytes()
            })
            .collect();
        out.write_all(&bytes).map_err(WriteError::from)
    })
    .unwrap();
}

/// All signs of ASCII that can be seen, and a few merges.
fn tokenizer() -> Value {
    let merges = [["t", "h"], ["th", "e"], ["Ġ", "the"], ["i", "n"]];
    let signs = (0x21u8..0x7f).map(|byte| char::from(byte).to_string());
    let made = merges.iter().map(|[left, right]| format!("{left}{right}"));
    let words = ["<s>", "</s>", "Ġ"].map(str::to_owned).into_iter().chain(signs).chain(made);
    let vocabulary: BTreeMap<String, usize> =
        words.enumerate().map(|(id, word)| (word, id)).collect();
    let added = |id: usize, content: &str| {
        json!({ "id": id, "content": content, "single_word": false, "lstrip": false,
            "rstrip": false, "normalized": false, "special": true })
    };
    let bytes = json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true,
        "use_regex": true });
    json!({
        "version": "1.0", "added_tokens": [added(0, "<s>"), added(1, "</s>")],
        "normalizer": null, "pre_tokenizer": bytes, "post_processor": null, "decoder": bytes,
        "model": { "type": "BPE", "vocab": vocabulary, "merges": merges },
    })
}
