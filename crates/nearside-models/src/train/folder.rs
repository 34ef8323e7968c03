//! A trained model's folder, as Hugging Face has them: what this program reads, and transformers, and converters to GGUF.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use nearside_architecture::Dtype;
use nearside_store::atomic;
use serde_json::{Value, json};

use super::TrainError;
use super::parameter::Parameters;
use super::shape::Shape;
use super::vocabulary::Vocabulary;
use crate::file::{TensorInfo, WriteError, write_safetensors_file};

/// The files of a trained model.
pub const FILES: [&str; 5] = [
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
];

/// Writes [`FILES`] into a folder that appears whole or not at all, in the place of what is there. Gives the bytes of the weights' file.
///
/// # Errors
/// When a file cannot be written, or the folder cannot take its place; what was there is then still there.
pub fn write(
    folder: &Path,
    shape: &Shape,
    vocabulary: &Vocabulary,
    parameters: &Parameters,
) -> Result<u64, TrainError> {
    let made = Made(atomic::beside(folder));
    fs::create_dir_all(&made.0)
        .map_err(|error| TrainError::File { name: made.0.display().to_string(), error })?;
    let Vocabulary { end, end_message, file, configuration, .. } = vocabulary;
    let texts = [
        ("config.json", pretty(&shape.configuration(*end, *end))),
        ("generation_config.json", pretty(&generation(*end, *end_message))),
        ("tokenizer.json", file.clone()),
        ("tokenizer_config.json", configuration.clone()),
    ];
    for (name, text) in texts {
        fs::write(made.0.join(name), text + "\n")
            .map_err(|error| TrainError::File { name: name.to_owned(), error })?;
    }
    let bytes = weights(&made.0.join("model.safetensors"), parameters)?;
    atomic::replace(&made.0, folder).map_err(WriteError::from)?;
    Ok(bytes)
}

fn weights(path: &Path, parameters: &Parameters) -> Result<u64, TrainError> {
    let all = parameters.all();
    let info = |tensor: &super::Parameter| TensorInfo {
        name: tensor.name.clone(),
        dtype: Dtype::F32,
        shape: tensor.shape.clone(),
    };
    let tensors: Vec<_> = all.iter().map(info).collect();
    let metadata = BTreeMap::from([("format".to_owned(), "pt".to_owned())]);
    let written = write_safetensors_file(path, &metadata, &tensors, |index, out| {
        let values = all.get(index).map(|tensor| tensor.values.as_slice()).unwrap_or_default();
        let mut bytes = Vec::with_capacity(4 << 12);
        for part in values.chunks(1 << 12) {
            bytes.clear();
            bytes.extend(part.iter().flat_map(|value| value.to_le_bytes()));
            out.write_all(&bytes).map_err(WriteError::from)?;
        }
        Ok::<_, WriteError>(())
    });
    Ok(written?)
}

fn generation(end: u32, end_message: u32) -> Value {
    json!({ "bos_token_id": end, "eos_token_id": [end, end_message], "pad_token_id": end })
}

fn pretty(value: &Value) -> String {
    format!("{value:#}")
}

/// A folder that goes unless it has been moved to its place.
struct Made(PathBuf);

impl Drop for Made {
    fn drop(&mut self) {
        // Once it is moved, nothing has this name.
        let _gone = atomic::remove(&self.0);
    }
}
