//! Files that are not what they should be: what is wrong is named, and nothing stops the program.

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use nearside_architecture::Dtype;
use nearside_models::{DecoderModel, ModelError, Segment, StoredModel, Wanted};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::case::{Case, Folder, cases};
use crate::converted::Rounded;

fn case(name: &str) -> Case {
    cases().into_iter().find(|case| case.name == name).unwrap()
}

/// Opens, loads and computes.
fn used(path: &Path) -> Result<Vec<f32>, ModelError> {
    let stored = StoredModel::open(path)?;
    let model = DecoderModel::load(&stored, 16)?;
    let mut cache = model.cache(16);
    let tokens = &[1, 2, 3];
    model.forward(&mut [Segment { cache: &mut cache, tokens, wanted: Wanted::Last }])
}

fn refused(case: &Case) -> String {
    let folder = Folder::new();
    case.write(&folder.0);
    used(&folder.0).unwrap_err().to_string()
}

/// The same with other fields in its configuration.
fn refused_with(name: &str, fields: &Value) -> String {
    let mut case = case(name);
    for (field, value) in fields.as_object().unwrap() {
        case.config[field.as_str()] = value.clone();
    }
    refused(&case)
}

#[test]
fn a_tensor_that_is_missing_is_named() {
    let whole = case("qwen2, yarn");
    for index in 0..whole.tensors.len() {
        let mut case = whole.clone();
        let (name, ..) = case.tensors.remove(index);
        assert_eq!(refused(&case), format!("there is no tensor {name}"));
    }
}

#[test]
fn a_tensor_of_another_shape_is_named() {
    let whole = case("qwen3_moe");
    for index in 0..whole.tensors.len() {
        let mut case = whole.clone();
        let (name, shape, ..) = &mut case.tensors[index];
        shape[0] += 32;
        let found = format!("tensor {name} is {shape:?}, the architecture has [");
        let refused = refused(&case);
        assert!(refused.starts_with(&found), "{refused}");
    }
}

#[test]
fn a_tensor_whose_dimensions_have_changed_places_is_not_taken() {
    let mut case = case("llama");
    let up = case.tensors.iter_mut().find(|(name, ..)| name.contains("0.mlp.up_proj")).unwrap();
    up.1.reverse();
    assert!(
        refused(&case).contains("mlp.up_proj.weight is [64, 96], the architecture has [96, 64]")
    );
}

#[test]
fn a_configuration_that_lies_about_sizes_is_found_out() {
    let lies = [
        (json!({ "hidden_size": 1 << 16, "head_dim": 16 }), "embed_tokens.weight is [128, 64]"),
        (json!({ "vocab_size": 1 << 24 }), "embed_tokens.weight is [128, 64]"),
        (json!({ "intermediate_size": 1 << 22 }), "mlp.gate_proj.weight"),
        (json!({ "num_hidden_layers": 500 }), "there is no tensor model.layers.3."),
        (json!({ "head_dim": 256 }), "self_attn.q_proj.weight"),
        (json!({ "head_dim": 24 }), "heads that are no multiple of 16"),
        (json!({ "head_dim": 512 }), "heads of more than 256"),
        (json!({ "num_key_value_heads": 3 }), "num_key_value_heads"),
        (json!({ "rms_norm_eps": -1.0 }), "rms_norm_eps: -1"),
        (json!({ "rms_norm_eps": "small" }), "config.json"),
        (json!({ "rope_theta": 0 }), "rope_theta: 0"),
        (json!({ "rope_scaling": { "type": "linear", "factor": 0 } }), "rope_scaling.factor: 0"),
        (json!({ "rope_scaling": { "type": "spiral" } }), "scaled by spiral"),
        (json!({ "rope_scaling": 3 }), "rope_scaling"),
    ];
    for (lie, expected) in lies {
        let refused = refused_with("llama", &lie);
        assert!(refused.contains(expected), "{lie}: {refused}");
    }
}

#[test]
fn heads_of_which_nothing_turns_are_no_error() {
    let mut case = case("llama");
    case.config["partial_rotary_factor"] = json!(0.07);
    let folder = Folder::new();
    case.write(&folder.0);
    assert!(used(&folder.0).is_ok());
}

#[test]
fn parts_that_are_not_computed_are_named() {
    let gpt2 = json!({ "model_type": "gpt2", "n_positions": 64 });
    let latent = json!({
        "model_type": "deepseek_v3", "kv_lora_rank": 32, "q_lora_rank": 32, "v_head_dim": 16,
        "qk_rope_head_dim": 16, "qk_nope_head_dim": 16, "n_routed_experts": 4,
        "num_experts_per_tok": 2, "moe_intermediate_size": 32, "first_k_dense_replace": 1,
        "n_shared_experts": 1, "n_group": 1, "topk_group": 1,
    });
    let parts = [
        (gpt2, "positions that are not rotary"),
        (latent, "latent attention"),
        (json!({ "model_type": "mamba" }), "the architecture \"mamba\""),
        (json!({ "model_type": "bert", "type_vocab_size": 2 }), "no decoder"),
        (json!({ "mlp_bias": true }), "biases of feed-forward"),
        (json!({ "model_type": "smollm3" }), "layers without rotary positions"),
        (json!({ "model_type": "granite" }), "numbers that branches or scores are multiplied with"),
    ];
    for (fields, expected) in parts {
        let refused = refused_with("llama", &fields);
        assert!(refused.contains(expected), "{fields}: {refused}");
    }
}

/// A file of two blocks, and a folder's weights.
static GGUF: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let folder = Folder::new();
    let path = folder.0.join("model.gguf");
    case("mixtral").write_gguf(&path, Dtype::Q8_0, Rounded::AsThey);
    fs::read(&path).unwrap()
});

fn used_gguf(bytes: &[u8]) -> Result<Vec<f32>, ModelError> {
    let folder = Folder::new();
    let path = folder.0.join("model.gguf");
    fs::write(&path, bytes).unwrap();
    used(&path)
}

#[test]
fn files_that_were_cut_are_refused() {
    assert!(used_gguf(&GGUF).is_ok());
    for length in (0..GGUF.len()).step_by(GGUF.len() / 97).chain([GGUF.len() - 1]) {
        assert!(used_gguf(&GGUF[..length]).is_err(), "{length} bytes");
    }
    let folder = Folder::new();
    case("qwen2").write(&folder.0);
    let path = folder.0.join("model.safetensors");
    let whole = fs::read(&path).unwrap();
    assert!(used(&folder.0).is_ok());
    for length in (0..whole.len()).step_by(whole.len() / 97).chain([whole.len() - 1]) {
        fs::write(&path, &whole[..length]).unwrap();
        assert!(used(&folder.0).is_err(), "{length} bytes");
    }
}

/// Where bytes are changed: mostly in the header, which is the first part of the file.
fn places() -> impl Strategy<Value = Vec<(usize, u8)>> {
    let place = prop_oneof![4 => 0..6000usize, 1 => 0..GGUF.len()];
    prop::collection::vec((place, any::<u8>()), 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn bytes_that_were_changed_stop_nothing(changes in places(), end in 0..8usize) {
        let mut bytes = GGUF.clone();
        for (place, byte) in changes {
            bytes[place] = byte;
        }
        bytes.truncate(GGUF.len() - if end < 7 { 0 } else { 1000 });
        // An error or scores; both are fine.
        let _used = used_gguf(&bytes);
    }
}
