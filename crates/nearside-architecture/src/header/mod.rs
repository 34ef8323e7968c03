//! Reading a model's header: `config.json`, safetensors and GGUF, from bytes that strangers wrote.
//!
//! Callers open files and hand over bytes. Every reader checks before it allocates, has named
//! limits, never panics, and says where in the file something is wrong. Where a `config.json` and
//! a weight file disagree about bytes, the weight file is right.

pub mod config;
mod diffusion;
mod earlier;
mod encoder;
mod encoder_decoder;
mod family;
pub mod gguf;
#[cfg(test)]
mod hostile;
mod hybrid;
mod image_transformer;
mod inverted;
mod json;
mod parts;
pub mod pipeline;
pub mod safetensors;
mod tower;
mod vision;
mod window_transformer;
mod windows;

pub use crate::error::Position;
pub use family::{
    MAX_CONTEXT, MAX_EXPERTS, MAX_HEAD_DIM, MAX_HEADS, MAX_HIDDEN, MAX_INTERMEDIATE, MAX_LAYERS,
    MAX_PARAMETERS, MAX_VOCABULARY,
};
