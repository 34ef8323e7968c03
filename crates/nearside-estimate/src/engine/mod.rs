//! What inference engines reserve, each by its own rules.

pub mod llama_cpp;
pub mod vllm;
