//! Why a text cannot be cut into tokens, or a tokenizer cannot be read.

use nearside_architecture::HeaderError;
use thiserror::Error;

/// Why a text cannot be cut into tokens, or a tokenizer cannot be read.
#[derive(Debug, Error)]
pub enum TokenizerError {
    /// A file of a tokenizer is no such file.
    #[error("{file}: {reason}")]
    File {
        /// The file's name.
        file: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A key of a GGUF file is missing, or is not what it has to be.
    #[error("{key}: {reason}")]
    Key {
        /// The key.
        key: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// An array of a GGUF file cannot be read.
    #[error("{key}: {source}")]
    Array {
        /// The key.
        key: &'static str,
        /// What is wrong with it.
        source: HeaderError,
    },
    /// A kind of tokenizer that is not read.
    #[error("tokenizers of kind \"{0}\" are not read; these are: llama, gpt2, gemma4, bert, t5")]
    Kind(String),
    /// A way of cutting text into words that is not known.
    #[error("the way \"{0}\" of cutting text into words is not known")]
    PreTokenizer(String),
    /// The parts of the tokenizer do not fit together.
    #[error("the tokenizer does not fit together: {0}")]
    Parts(String),
    /// A text cannot be cut into tokens.
    #[error("the text cannot be cut into tokens: {0}")]
    Text(String),
    /// A token that the vocabulary has not.
    #[error("there is no token {id} among {size}")]
    Token {
        /// The token's number.
        id: u32,
        /// How many tokens there are.
        size: u32,
    },
}

impl TokenizerError {
    pub(super) fn key(key: &'static str, reason: impl Into<String>) -> Self {
        Self::Key { key, reason: reason.into() }
    }
}
