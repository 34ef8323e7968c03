//! Damaged headers: whatever strangers write, the readers answer with a value or an error.

use std::path::Path;

use proptest::prelude::*;

use super::{config, gguf, safetensors};
use crate::{Architecture, HeaderError, Shape};

const CONFIG: &str = r#"{ "model_type": "deepseek_v3", "hidden_size": 64, "num_hidden_layers": 4,
 "num_attention_heads": 4, "intermediate_size": 128, "moe_intermediate_size": 32,
 "n_routed_experts": 8, "n_shared_experts": 1, "num_experts_per_tok": 2, "q_lora_rank": 16,
 "kv_lora_rank": 16, "qk_rope_head_dim": 8, "qk_nope_head_dim": 8, "v_head_dim": 16,
 "first_k_dense_replace": 1, "vocab_size": 1000, "layer_types": null, "torch_dtype": "bfloat16" }"#;

const CLASSIFIER: &str = r#"{ "library": "torchvision", "model_type": "mobilenet_v3",
 "embedding_size": 16, "blocks": [{"kernel": 3, "stride": 1, "expanded": 16, "output": 16},
 {"kernel": 5, "stride": 2, "expanded": 64, "output": 24, "squeeze": true, "hardswish": true}],
 "classifier_width": 128, "image_size": 224, "num_labels": 1000, "hidden_sizes": [8, 16] }"#;
const PIPELINE: &str = r#"{ "_class_name": "StableDiffusionXLPipeline", "scheduler": ["a", "b"],
 "unet": { "_class_name": "UNet2DConditionModel", "sample_size": 32, "block_out_channels": [32, 64],
  "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D"], "layers_per_block": 1,
  "up_block_types": ["CrossAttnUpBlock2D", "UpBlock2D"], "attention_head_dim": [2, 4],
  "cross_attention_dim": 64, "transformer_layers_per_block": [1, 2], "norm_num_groups": 8,
  "addition_embed_type": "text_time", "addition_time_embed_dim": 8,
  "projection_class_embeddings_input_dim": 96, "class_embed_type": null },
 "vae": { "_class_name": "AutoencoderKL", "block_out_channels": [32, 32], "sample_size": 64,
  "down_block_types": ["DownEncoderBlock2D", "DownEncoderBlock2D"],
  "up_block_types": ["UpDecoderBlock2D", "UpDecoderBlock2D"], "norm_num_groups": 8 },
 "transformer": { "_class_name": "FluxTransformer2DModel", "num_layers": 1,
  "num_single_layers": 1, "num_attention_heads": 2, "attention_head_dim": 8 } }"#;

const SAFETENSORS: &str = r#"{"__metadata__":{"format":"pt"},
 "a":{"dtype":"BF16","shape":[4,8],"data_offsets":[0,64]},
 "b":{"dtype":"F32","shape":[2],"data_offsets":[64,72]}}"#;

/// The rule for every reader, given what it was fed: an answer, no panic, and what an input is said
/// to lack is more than nothing.
fn answers<T>(result: Result<T, HeaderError>) {
    if let Err(error) = result {
        assert_ne!(error.missing(), Some(0), "{error}");
        assert!(error.to_string().len() < 1000, "{error}");
    }
}

fn feed_config(bytes: &[u8]) {
    let result = config::parse(bytes);
    if let Ok(Architecture::Decoder(decoder)) = &result {
        assert!(decoder.layers.len() as u64 <= super::MAX_LAYERS);
    }
    if let Ok(pipeline @ Architecture::Pipeline(_)) = &result {
        let passes = pipeline.picture_passes(Shape::images(1, None));
        assert!(passes.is_none_or(|passes| passes.len() <= super::pipeline::MAX_COMPONENTS));
    }
    answers(result);
}

fn feed_safetensors(bytes: &[u8]) {
    for length in [None, Some(bytes.len() as u64), Some(bytes.len() as u64 + 72)] {
        let result = safetensors::parse(bytes, length);
        if let Ok(header) = &result {
            let by_dtype: u64 = header.weights_by_dtype().values().map(|bytes| bytes.get()).sum();
            assert_eq!(by_dtype, header.bytes().get());
            assert!(header.parameters() <= header.bytes().get().saturating_mul(2));
        }
        answers(result);
    }
    answers(safetensors::parse_index(bytes));
}

fn feed_gguf(bytes: &[u8]) {
    for length in [None, Some(bytes.len() as u64), Some(bytes.len() as u64 + (1 << 20))] {
        let result = gguf::parse(bytes, length);
        if let Ok(header) = &result {
            assert!(header.bits_per_weight().is_none_or(|bits| bits > 0.0 && bits <= 64.0));
            answers(header.decoder());
        }
        answers(result);
    }
}

fn valid_safetensors() -> Vec<u8> {
    [&(SAFETENSORS.len() as u64).to_le_bytes(), SAFETENSORS.as_bytes()].concat()
}

/// Bytes with some of them overwritten, and the end cut off.
fn damaged(bytes: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    let length = bytes.len();
    let change = (0..length, prop_oneof![any::<u8>(), Just(0), Just(0xff), Just(b'9'), Just(b'"')]);
    (prop::collection::vec(change, 0..6), prop_oneof![Just(length), 0..=length]).prop_map(
        move |(changes, end)| {
            let mut bytes = bytes.clone();
            for (place, byte) in changes {
                bytes[place] = byte;
            }
            bytes.truncate(end);
            bytes
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_damaged_config_gets_an_answer(bytes in damaged(CONFIG.as_bytes().to_vec())) {
        feed_config(&bytes);
    }

    #[test]
    fn a_damaged_classifier_gets_an_answer(bytes in damaged(CLASSIFIER.as_bytes().to_vec())) {
        feed_config(&bytes);
    }

    #[test]
    fn a_damaged_pipeline_gets_an_answer(bytes in damaged(PIPELINE.as_bytes().to_vec())) {
        feed_config(&bytes);
    }

    #[test]
    fn a_damaged_safetensors_header_gets_an_answer(bytes in damaged(valid_safetensors())) {
        feed_safetensors(&bytes);
    }

    #[test]
    fn a_damaged_gguf_header_gets_an_answer(bytes in damaged(gguf::tests::llama().finish().0)) {
        feed_gguf(&bytes);
    }

    #[test]
    fn noise_gets_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        feed_config(&bytes);
        feed_safetensors(&bytes);
        feed_gguf(&bytes);
        feed_gguf(&[b"GGUF\x03\0\0\0", &bytes[..]].concat());
    }
}

#[test]
fn what_is_damaged_here_is_valid() {
    assert!(matches!(config::parse(CONFIG.as_bytes()), Ok(Architecture::Decoder(_))));
    assert!(matches!(config::parse(CLASSIFIER.as_bytes()), Ok(Architecture::Convolutional(_))));
    let pipeline = config::parse(PIPELINE.as_bytes()).unwrap();
    let passes = pipeline.picture_passes(Shape::images(1, None)).unwrap();
    assert_eq!(passes.len(), 3);
    let counts = passes.iter().map(|pass| pass.graph.parameter_count());
    assert!(counts.clone().all(|count| Some(count) == counts.clone().next()), "all are loaded");
    assert!(safetensors::parse(&valid_safetensors(), None).is_ok());
    let (bytes, length) = gguf::tests::llama().finish();
    assert!(gguf::parse(&bytes, Some(length)).is_ok());
}

/// The fuzzers' seeds, those that once crashed a reader among them.
#[test]
fn every_fuzz_seed_gets_an_answer() {
    replay("config", feed_config);
    replay("safetensors", feed_safetensors);
    replay("gguf", feed_gguf);
}

fn replay(target: &str, feed: fn(&[u8])) {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds").join(target);
    let files: Vec<_> = std::fs::read_dir(&seeds).unwrap().collect();
    assert!(!files.is_empty(), "no seeds for {target}");
    for file in files {
        feed(&std::fs::read(file.unwrap().path()).unwrap());
    }
}
