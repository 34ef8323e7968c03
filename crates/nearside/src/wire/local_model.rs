//! A model that is here: a path, or what the hub calls one that was fetched; opened, with its tokenizer.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use nearside_models::hub::{HubError, ModelReference};
use nearside_models::{
    Adapter, AdapterError, AddSpecial, ChatTemplate, ChatTemplateError, ControlText, Conversation,
    Data, DecoderModel, ModelError, Precision, StoredModel, Tokenizer, TokenizerError,
};
use nearside_units::Bytes;
use rayon::ThreadPool;

use crate::environment;
use crate::error::{CommandError, Fault};
use crate::output::Output;
use crate::wire;

/// The share of the memory that is free which keys and values may take.
const SHARE_OF_MEMORY: f64 = 0.5;
/// The context where nobody says what the model was made for.
const USUAL_CONTEXT: usize = 4096;

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

/// Opens what changes a model, if anything does.
pub(crate) fn adapter(
    path: Option<&Path>,
    base: &StoredModel,
) -> Result<Option<Adapter>, CommandError> {
    path.map(|path| Adapter::open(path, base)).transpose().map_err(|error| unadapted(&error))
}

/// The error of an adapter as this program tells it.
pub(crate) fn unadapted(error: &AdapterError) -> CommandError {
    let fault = match error {
        AdapterError::File { error, .. } if error.kind() != ErrorKind::NotFound => Fault::World,
        _ => Fault::Input,
    };
    let told = CommandError::new(fault, error.to_string());
    match error {
        AdapterError::NoMatrix { .. } | AdapterError::Shape { .. } => {
            told.hint("an adapter changes the model that it was made for, and no other")
        }
        AdapterError::NoAdapter { .. } | AdapterError::Model(_) => told.hint(
            "a folder with adapter_config.json and adapter_model.safetensors, or a .gguf adapter",
        ),
        _ => told,
    }
}

/// Puts a model together, with what changes it, for contexts of up to so many tokens.
pub(crate) fn load(
    stored: &StoredModel,
    adapter: Option<&Adapter>,
    context: usize,
) -> Result<DecoderModel, CommandError> {
    put_together(stored, adapter, context).map_err(|error| told(&error))
}

/// The same with the error of the library.
pub(crate) fn put_together(
    stored: &StoredModel,
    adapter: Option<&Adapter>,
    context: usize,
) -> Result<DecoderModel, ModelError> {
    match adapter {
        Some(adapter) => DecoderModel::load_adapted(stored, context, adapter),
        None => DecoderModel::load(stored, context),
    }
}

/// The room that sequences are to have.
pub(crate) struct Room {
    /// Tokens of each, where somebody says so.
    pub(crate) asked: Option<usize>,
    /// How many there are.
    pub(crate) sequences: usize,
    /// How their keys and values are kept.
    pub(crate) precision: Precision,
}

/// Puts a model together for several sequences of one length: as long as somebody says, or else as the model was made
/// for, or as there is memory for their keys and values. With how long that is.
pub(crate) fn for_sequences(
    stored: &StoredModel,
    adapter: Option<&Adapter>,
    room: &Room,
    output: &Output,
) -> Result<(DecoderModel, usize), CommandError> {
    let Room { asked, sequences, precision } = *room;
    let made_for = stored.architecture.context().and_then(|most| usize::try_from(most).ok());
    let longest = asked.or(made_for).unwrap_or(USUAL_CONTEXT);
    let model = load(stored, adapter, longest)?;
    let available = nearside_probe::this_machine().ok();
    let available = available.and_then(|machine| machine.memory.available.value());
    let each = cache_bytes(&model, 1, precision) as f64 * sequences as f64;
    let most = available.map_or(usize::MAX, |bytes| {
        (bytes.get() as f64 * SHARE_OF_MEMORY / each.max(1.0)) as usize
    });
    let taken = |context| Bytes::new(cache_bytes(&model, context, precision) * sequences as u64);
    if asked.is_some() {
        if longest > most {
            let taken = taken(longest);
            output.warning(&format!(
                "keys and values may take {taken}, more than half of the memory that is free"
            ));
        }
        if let Some(made_for) = made_for.filter(|made_for| *made_for < longest) {
            output.warning(&format!("the model was made for {made_for} tokens"));
        }
    } else if longest > most {
        let context = most.max(1);
        let taken = taken(context);
        output.warning(&format!(
            "a context of {context} tokens instead of {longest}, for memory is short: keys and values take {taken}"
        ));
        return Ok((model, context));
    }
    Ok((model, longest))
}

/// What keys and values of a sequence take, in bytes.
pub(crate) fn cache_bytes(model: &DecoderModel, context: usize, precision: Precision) -> u64 {
    let few = 16;
    (model.cache_with(few, precision).bytes() as u64).div_ceil(few as u64) * context as u64
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

/// A model's tokenizer.
pub(crate) fn tokenizer(stored: &StoredModel) -> Result<Tokenizer, CommandError> {
    Tokenizer::of(stored).map_err(|error| unread(&error))
}

/// The error of a tokenizer as this program tells it.
pub(crate) fn unread(error: &TokenizerError) -> CommandError {
    CommandError::new(Fault::Input, format!("the model's tokenizer: {error}"))
}

/// The tokens of messages in the model's chat template; `None` where it has none.
pub(crate) fn asked(
    tokenizer: &Tokenizer,
    messages: &[(&str, &str)],
) -> Result<Option<Vec<u32>>, CommandError> {
    let invalid = |error: ChatTemplateError| {
        CommandError::new(Fault::Input, format!("the model's chat template: {error}"))
    };
    let conversation = conversation(tokenizer, messages);
    let template = ChatTemplate::choose(&tokenizer.special().templates, &conversation);
    let Some(template) = template.map_err(invalid)? else { return Ok(None) };
    let text = template.render(&conversation).map_err(invalid)?;
    let tokens = tokenizer.encode(&text, AddSpecial::Omit, ControlText::Parsed);
    tokens.map(Some).map_err(|error| unread(&error))
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
