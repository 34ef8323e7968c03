//! What inference engines reserve and how fast they are, each by its own rules.

pub mod llama_cpp;
pub mod nearside;
pub mod vllm;
