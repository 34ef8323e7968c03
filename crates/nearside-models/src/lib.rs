//! Open models: their files, and what they compute.

pub mod tokenizer;

pub use tokenizer::{AddSpecial, ControlText, SkipSpecial, Tokenizer, TokenizerError};
