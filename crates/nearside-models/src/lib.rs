//! Open models: their files, and what they compute.

pub mod chat_template;
pub mod tokenizer;

pub use chat_template::{ChatTemplate, ChatTemplateError, Conversation, Data};
pub use tokenizer::{AddSpecial, ControlText, SkipSpecial, Tokenizer, TokenizerError};
