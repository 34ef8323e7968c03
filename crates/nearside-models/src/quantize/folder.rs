//! A model of a Hugging Face folder as a GGUF file has it, in the form that llama.cpp's converter writes.
//!
//! ```text
//! config.json -> keys, tensors under other names and in other orders, tokenizer.json -> tokenizer.ggml.*
//! ```
//!
//! What comes of it is read back before anything is written, and held against what the folder says: a model that GGUF
//! cannot say is refused, and not written as another one. Facts: `convert_hf_to_gguf.py` and `conversion/` of
//! llama.cpp, build 11549 (MIT licence), whose files these are equal to (`bench/parity/folders.py`).

mod family;
mod keys;
mod read_back;
mod tensors;

use std::fs;
use std::path::Path;

use nearside_architecture::{Architecture, Decoder};
use serde_json::Value;

use crate::file::MetadataValue;
use crate::numerics::Numerics;
use crate::stored::StoredModel;
use crate::tokenizer::Tokenizer;

use super::error::QuantizeError;
use super::source::Source;

use family::{Family, Turned, Windows};

const CONFIG: &str = "config.json";

/// What is converted.
struct Folder<'a> {
    stored: &'a StoredModel,
    decoder: &'a Decoder,
    numerics: &'a Numerics,
    family: &'static Family,
    /// Its `config.json`, the fields of the text part among those of the whole.
    configuration: Value,
}

impl Source {
    /// The model of a folder with `config.json`, safetensors and `tokenizer.json`.
    ///
    /// # Errors
    /// When GGUF has no word for the family, or for something that the model does; a tensor is missing, too many, or of
    /// another shape; or the tokenizer cannot be said in a GGUF file.
    pub fn of_folder(stored: &StoredModel) -> Result<Self, QuantizeError> {
        let folder = Folder::new(stored)?;
        let (tensors, mut left_out) = tensors::of(&folder)?;
        let mut metadata = folder.general();
        metadata.extend(keys::of(&folder)?);
        let vocabulary = Tokenizer::gguf_pairs(stored, folder.decoder.vocabulary)?;
        metadata.extend(vocabulary.pairs);
        folder.add_special(&mut metadata);
        left_out.extend(vocabulary.left_out);
        left_out.extend(folder.unsaid_windows());
        let source = Self::new(metadata, tensors, left_out);
        read_back::check(&source, &folder)?;
        Ok(source)
    }
}

impl<'a> Folder<'a> {
    fn new(stored: &'a StoredModel) -> Result<Self, QuantizeError> {
        let (Architecture::Decoder(decoder), Some(numerics)) =
            (&stored.architecture, &stored.numerics)
        else {
            return Err(unconvertible("its architecture is no decoder that is read here"));
        };
        let path = stored.path.join(CONFIG);
        let bytes = fs::read(&path)
            .map_err(|error| QuantizeError::File { name: path.display().to_string(), error })?;
        let mut configuration: Value = serde_json::from_slice(&bytes)
            .map_err(|error| unconvertible(format!("{}: {error}", path.display())))?;
        if let Some(quantized) = configuration.get("quantization_config") {
            let method = quantized.get("quant_method").and_then(Value::as_str);
            let method = method.unwrap_or("a method without a name");
            return Err(unconvertible(format!("its weights are quantized already, by {method}")));
        }
        if let Some(text) = configuration.get_mut("text_config").filter(|text| text.is_object()) {
            configuration = text.take();
        }
        let name = configuration.get("model_type").and_then(Value::as_str).unwrap_or_default();
        let family = Family::of(name)?;
        Ok(Self { stored, decoder, numerics, family, configuration })
    }

    /// What the file is.
    fn general(&self) -> Vec<(String, MetadataValue)> {
        let pairs = [
            ("general.architecture", self.family.gguf.to_owned()),
            ("general.type", "model".to_owned()),
            ("general.name", name(&self.stored.path)),
        ];
        let named = pairs.into_iter().filter(|(_, text)| !text.is_empty());
        named.map(|(key, text)| (key.to_owned(), MetadataValue::Text(text))).collect()
    }

    /// What becomes of windows that files of the family do not speak of.
    fn unsaid_windows(&self) -> Option<String> {
        let gguf = self.family.gguf;
        let window = self.windows().flatten().min()?;
        (self.family.windows == Windows::Unsaid).then(|| {
            format!("{gguf} files have no word for its window of {window} tokens: all layers will see all tokens")
        })
    }

    /// Tokens that the configuration names and the tokenizer does not.
    fn add_special(&self, metadata: &mut Vec<(String, MetadataValue)>) {
        for (field, name) in [("bos", "bos"), ("eos", "eos"), ("pad", "padding")] {
            let key = format!("tokenizer.ggml.{name}_token_id");
            let id = self.count(&format!("{field}_token_id"));
            let id = id.filter(|id| u64::from(*id) < self.decoder.vocabulary);
            if let Some(id) = id.filter(|_id| metadata.iter().all(|(known, _)| *known != key)) {
                metadata.push((key, MetadataValue::U32(id)));
            }
        }
    }

    /// A whole number of the configuration.
    fn count(&self, field: &str) -> Option<u32> {
        u32::try_from(self.configuration.get(field)?.as_u64()?).ok()
    }
}

/// What GGUF files call the family of a folder's model, and whether they have pairs of queries and keys side by side.
///
/// # Errors
/// When they have no word for it.
pub(crate) fn gguf_family(stored: &StoredModel) -> Result<(String, bool), QuantizeError> {
    let family = Folder::new(stored)?.family;
    Ok((family.gguf.to_owned(), family.pairs == Turned::Neighbours))
}

/// What a model is called: its folder's name, or that on the hub where the folder is one of its cache
/// (`models--ORG--NAME/snapshots/COMMIT`).
fn name(folder: &Path) -> String {
    let folder = fs::canonicalize(folder).unwrap_or_else(|_unknown| folder.to_owned());
    let text = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    let cached = || {
        let of_model = folder.parent().filter(|parent| parent.ends_with("snapshots"))?.parent()?;
        let name = text(of_model)?;
        let (_, name) = name.strip_prefix("models--")?.split_once("--")?;
        Some(name.to_owned())
    };
    cached().or_else(|| text(&folder)).unwrap_or_default()
}

fn unconvertible(what: impl Into<String>) -> QuantizeError {
    QuantizeError::Unconvertible { what: what.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_called_as_on_the_hub_where_it_is_in_its_cache() {
        let cached = Path::new("/nowhere/models--org--tiny-1B/snapshots/0123abcd");
        assert_eq!(name(cached), "tiny-1B");
        assert_eq!(name(Path::new("/nowhere/my model")), "my model");
    }
}
