//! The tokenizer of a model on disk: in the metadata of its GGUF file, or in the files beside its weights.

use std::fs;

use crate::stored::StoredModel;

use super::{JsonFiles, Tokenizer, TokenizerError};

const TOKENIZER: &str = "tokenizer.json";

impl Tokenizer {
    /// Reads the tokenizer that a model brings.
    ///
    /// # Errors
    /// When it brings none, or one that is not read.
    pub fn of_stored(stored: &StoredModel) -> Result<Self, TokenizerError> {
        if let Some((header, bytes)) = &stored.gguf {
            return Self::from_gguf(header, bytes);
        }
        let read = |name: &str| fs::read(stored.path.join(name));
        let tokenizer = read(TOKENIZER)
            .map_err(|error| TokenizerError::File { file: TOKENIZER, reason: error.to_string() })?;
        let [config, map, generation, template] = [
            "tokenizer_config.json",
            "special_tokens_map.json",
            "generation_config.json",
            "chat_template.jinja",
        ]
        .map(|name| read(name).ok());
        Self::from_json(&JsonFiles {
            tokenizer: &tokenizer,
            config: config.as_deref(),
            special_tokens_map: map.as_deref(),
            generation_config: generation.as_deref(),
            chat_template: template.as_deref(),
        })
    }
}
