//! The tokenizer that a model's files have.

use std::fs;
use std::io::ErrorKind;

use crate::stored::StoredModel;

use super::{JsonFiles, Tokenizer, TokenizerError};

const TOKENIZER: &str = "tokenizer.json";

impl Tokenizer {
    /// That of a model: in the header of its GGUF file, or in the JSON files of its folder.
    ///
    /// # Errors
    /// When there is none, or it is not understood.
    pub fn of(model: &StoredModel) -> Result<Self, TokenizerError> {
        if let Some((header, file)) = &model.gguf {
            return Self::from_gguf(header, file);
        }
        let read = |name: &'static str| read(model, name);
        let tokenizer = fs::read(model.path.join(TOKENIZER))
            .map_err(|error| TokenizerError::File { file: TOKENIZER, reason: error.to_string() })?;
        let config = read("tokenizer_config.json")?;
        let special_tokens_map = read("special_tokens_map.json")?;
        let generation_config = read("generation_config.json")?;
        let chat_template = read("chat_template.jinja")?;
        Self::from_json(&JsonFiles {
            tokenizer: &tokenizer,
            config: config.as_deref(),
            special_tokens_map: special_tokens_map.as_deref(),
            generation_config: generation_config.as_deref(),
            chat_template: chat_template.as_deref(),
        })
    }
}

/// A file of a model's folder, if it is there.
pub(super) fn read(
    model: &StoredModel,
    name: &'static str,
) -> Result<Option<Vec<u8>>, TokenizerError> {
    match fs::read(model.path.join(name)) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(TokenizerError::File { file: name, reason: error.to_string() }),
    }
}
