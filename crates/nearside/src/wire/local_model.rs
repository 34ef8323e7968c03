//! A model that is here: a path, or what the hub calls one that was fetched; opened, with its tokenizer.

use std::path::{Path, PathBuf};

use nearside_models::hub::{HubError, ModelReference};
use nearside_models::{Conversation, Data, DecoderModel, ModelError, StoredModel, Tokenizer};
use rayon::ThreadPool;

use crate::environment;
use crate::error::{CommandError, Fault};
use crate::wire;

/// Where a model lies that is named by a path or as on the hub; nothing is fetched.
pub(crate) fn find(name: &str) -> Result<PathBuf, CommandError> {
    let path = Path::new(name);
    if path.exists() {
        return Ok(path.to_owned());
    }
    let reference: ModelReference = name.parse().map_err(|_no_reference| {
        CommandError::new(Fault::Input, format!("there is no {name}"))
            .hint("a .gguf file, a folder with config.json and safetensors, or ORG/NAME of the hub")
    })?;
    let endpoint = wire::hub::endpoint()?;
    let snapshot = wire::hub::cache()?.snapshot(&reference).map_err(|error| match error {
        HubError::NotCached { .. } => {
            CommandError::new(Fault::Input, format!("there is no file {name}, and {error}"))
                .hint(format!("nearside model pull {reference}"))
        }
        _ => wire::hub_fault::told(&error, &endpoint),
    })?;
    let gguf = snapshot.files.iter().find(|file| file.path.to_string().ends_with(".gguf"));
    Ok(match gguf {
        Some(file) => snapshot.folder.join(file.path.to_string()),
        None => snapshot.folder,
    })
}

/// Opens a model's files.
pub(crate) fn open(path: &Path) -> Result<StoredModel, CommandError> {
    StoredModel::open(path).map_err(|error| told(&error))
}

/// Puts a model together, for contexts of up to so many tokens.
pub(crate) fn load(stored: &StoredModel, context: usize) -> Result<DecoderModel, CommandError> {
    DecoderModel::load(stored, context).map_err(|error| told(&error))
}

/// The error as this program tells it.
pub(crate) fn told(error: &ModelError) -> CommandError {
    let told = CommandError::new(Fault::Input, error.to_string());
    match error {
        ModelError::Unsupported { .. } => told.hint(
            "other engines may compute it: Ollama, llama-server or vLLM; `nearside fit` says what it needs",
        ),
        ModelError::Context { .. } => told.hint("a larger --context, or a shorter text"),
        ModelError::NoModel { .. } | ModelError::Read { .. } => {
            told.hint("a .gguf file, or a folder with config.json and safetensors")
        }
        _ => told,
    }
}

/// Messages of roles, as a chat template takes them; the model is to answer. Nothing in them can become a control token.
pub(crate) fn conversation(tokenizer: &Tokenizer, messages: &[(&str, &str)]) -> Conversation {
    let message = |(role, content): &(&str, &str)| {
        let content = tokenizer.guarded(content);
        Data::from(serde_json::json!({ "role": role, "content": content }))
    };
    let text = |id: Option<u32>| {
        let bytes = id.and_then(|id| tokenizer.token(id).ok());
        bytes.and_then(|bytes| String::from_utf8(bytes).ok())
    };
    let special = tokenizer.special();
    Conversation {
        messages: messages.iter().map(message).collect(),
        add_generation_prompt: true,
        begin: text(special.begin),
        end: text(special.end),
        now: Some(environment::now()),
        ..Conversation::default()
    }
}

/// Threads that a model computes on: as many as asked for, or as there are processors.
pub(crate) fn threads(count: Option<usize>) -> Result<ThreadPool, CommandError> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(count.unwrap_or(0)).build();
    pool.map_err(|error| CommandError::new(Fault::World, format!("no threads: {error}")))
}
