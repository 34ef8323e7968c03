//! The numbers that a model computes with besides its weights: what its configuration says and its architecture, which
//! knows sizes alone, does not.
//!
//! Sources: the configuration and modelling files of Hugging Face transformers; the keys of GGUF files
//! (<https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>) and what llama.cpp takes where they are silent.

mod configuration;
mod gguf;
mod rope;

use crate::error::ModelError;

use nearside_architecture::{Decoder, Layer, Mixer};

pub use rope::{Pairs, Rope, Scaling};

/// The numbers of a decoder.
#[derive(Clone, Debug, PartialEq)]
pub struct Numerics {
    /// What is added to a mean square before its root is taken.
    pub norm_epsilon: f32,
    /// How layers that see all tokens rotate queries and keys.
    pub rope: Rope,
    /// The same of layers that see only a window, where that is another way (Gemma 3).
    pub window_rope: Option<Rope>,
    /// What scores are multiplied with; `None` for one over the root of a head's width.
    pub attention_scale: Option<f32>,
    /// The cap of scores, where they have one.
    pub attention_cap: Option<f32>,
    /// The cap of logits, where they have one.
    pub logit_cap: Option<f32>,
}

/// An error for a family of which some layers know no positions, which nothing else tells.
fn everywhere(family: Option<&str>) -> Result<(), ModelError> {
    match family {
        Some("smollm3") => {
            Err(ModelError::Unsupported { what: "layers without rotary positions".to_owned() })
        }
        _ => Ok(()),
    }
}

/// Whether scores of a layer have a cap.
fn caps_scores(decoder: &Decoder) -> bool {
    let capped =
        |layer: &Layer| matches!(&layer.mixer, Mixer::Grouped(attention) if attention.soft_cap);
    decoder.layers.iter().any(capped)
}
