//! A model in a folder of Hugging Face: `config.json`, and safetensors in one file or several with an index.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use nearside_architecture::header::{config, safetensors};
use nearside_architecture::{Architecture, HeaderError};

use crate::error::ModelError;
use crate::hub::is_pickle;
use crate::numerics::Numerics;

use super::{Naming, StoredModel, StoredTensor, map};

const CONFIG: &str = "config.json";
const WEIGHTS: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";

pub(super) fn open(folder: &Path) -> Result<StoredModel, ModelError> {
    let read = |name: &str| {
        let path = folder.join(name);
        fs::read(&path).map_err(|error| ModelError::Read { path, error })
    };
    if !folder.join(CONFIG).is_file() {
        return Err(no_model(folder, format!("there is no {CONFIG} in it")));
    }
    let configuration = read(CONFIG)?;
    let in_header = |name: &str, error| ModelError::Header { path: folder.join(name), error };
    let architecture = config::parse(&configuration).map_err(|error| in_header(CONFIG, error))?;
    let files = if folder.join(WEIGHTS).is_file() {
        BTreeSet::from([WEIGHTS.to_owned()])
    } else if folder.join(INDEX).is_file() {
        let index = safetensors::parse_index(&read(INDEX)?);
        index.map_err(|error| in_header(INDEX, error))?.files.into_values().collect()
    } else {
        return Err(no_model(folder, missing_weights(folder)));
    };
    let mut tensors = BTreeMap::new();
    for file in files {
        tensors.extend(placed(&folder.join(file))?);
    }
    let numerics = match &architecture {
        Architecture::Decoder(decoder) => {
            Some(Numerics::of_configuration(&configuration, decoder)?)
        }
        _ => None,
    };
    let naming = Naming::HuggingFace { prefix: prefix(&tensors) };
    Ok(StoredModel { path: folder.to_owned(), architecture, numerics, naming, tensors, gguf: None })
}

fn no_model(folder: &Path, reason: String) -> ModelError {
    ModelError::NoModel { path: folder.to_owned(), reason }
}

/// Why there are no weights that are opened.
fn missing_weights(folder: &Path) -> String {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let pickled = |path: &Path| is_pickle(&path.file_name().unwrap_or_default().to_string_lossy());
    match entries.map(|entry| entry.path()).find(|path| pickled(path)) {
        Some(path) => format!(
            "its weights are a pickle ({}), which can run any program and is never opened; convert them to safetensors",
            path.file_name().unwrap_or_default().to_string_lossy()
        ),
        None => format!("there is no {WEIGHTS} in it, and no {INDEX}"),
    }
}

pub(super) fn placed(path: &Path) -> Result<BTreeMap<String, StoredTensor>, ModelError> {
    let file = map(path)?;
    let in_header = |error: HeaderError| ModelError::Header { path: path.to_owned(), error };
    let header = safetensors::parse(&file, Some(file.len() as u64)).map_err(in_header)?;
    let place = |(name, tensor): (String, safetensors::Tensor)| {
        let from = usize::try_from(header.header_length + tensor.begin).ok()?;
        let to = usize::try_from(header.header_length + tensor.end).ok()?;
        let bytes = file.part(from..to)?;
        Some((name, StoredTensor { dtype: tensor.dtype, shape: tensor.shape, bytes }))
    };
    let tensors: Option<_> = header.tensors.into_iter().map(place).collect();
    tensors.ok_or_else(|| no_model(path, "a tensor does not lie in the file".to_owned()))
}

/// What names of layers begin with: `model.` for most, more of it where the text part stands beside others.
fn prefix(tensors: &BTreeMap<String, StoredTensor>) -> String {
    let prefixes = ["model.", "language_model.model.", "model.language_model.", ""];
    let embedding = |prefix: &&str| tensors.contains_key(&format!("{prefix}embed_tokens.weight"));
    prefixes.into_iter().find(embedding).unwrap_or("model.").to_owned()
}
