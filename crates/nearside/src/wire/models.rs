//! From a model's name or file to what it is made of.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use nearside_architecture::{Architecture, Dtype, Graph, HeaderError, Position, Shape, header};
use nearside_catalog::Catalog;
use nearside_models::StoredModel;
use nearside_units::Bytes;
use nearside_workload::{ModelRef, Stored, Task, Workload};

use super::read_text;
use crate::error::{CommandError, Fault, Problem};

/// First bytes of a file that are read for its header, growing as the reader asks for more.
const FIRST_READ: u64 = 1 << 20;
/// The file of a diffusers folder that names its models.
const PIPELINE: &str = "model_index.json";
/// What files call the table of words, at the end of its name.
const WORDS: [&str; 4] =
    ["token_embd.weight", "embed_tokens.weight", "wte.weight", "word_embeddings.weight"];
/// Longest header that is read.
const LONGEST_HEADER: u64 = 256 << 20;

/// A model by a path relative to `folder`, or by its name in the catalog.
pub(crate) fn resolve(
    source: &str,
    folder: &Path,
    catalog: &Catalog,
) -> Result<ModelRef, CommandError> {
    let here = folder == Path::new(".");
    let path = if here { Path::new(source).to_path_buf() } else { folder.join(source) };
    let (architecture, stored) = if path.is_dir() {
        of_folder(&path)?
    } else if path.is_file() {
        of_file(&path)?
    } else if looks_like_a_path(source) {
        let message = format!("no model at {}", path.display());
        return Err(CommandError::new(Fault::Input, message).hint(
            "name a folder, or a config.json, model_index.json, .gguf or .safetensors file",
        ));
    } else {
        let model = catalog.model(source)?;
        let architecture = model.architecture().map_err(|error| {
            CommandError::new(Fault::Bug, format!("catalog model {}: {error}", model.name))
        })?;
        (architecture, None)
    };
    Ok(ModelRef { name: source.to_owned(), architecture: Arc::new(architecture), stored })
}

/// A model whose files are open.
pub(crate) fn of_stored(name: &str, model: &StoredModel) -> ModelRef {
    let tensors = model
        .tensors
        .iter()
        .map(|(name, tensor)| (name.as_str(), tensor.dtype, Bytes::new(tensor.bytes.len() as u64)));
    let stored = stored(tensors, &model.architecture);
    let architecture = Arc::new(model.architecture.clone());
    ModelRef { name: name.to_owned(), architecture, stored }
}

/// How many parameters a model has, where that is known.
pub(crate) fn parameters(architecture: &Architecture) -> Option<u64> {
    match architecture {
        Architecture::Decoder(decoder) => {
            let attached: u64 = decoder.attached.iter().map(|part| part.parameters).sum();
            Some(Graph::of(decoder, Shape::prompt(1, 1)).parameter_count() + attached)
        }
        Architecture::Other { parameters, .. } => *parameters,
        known => known.graph(Shape::prompt(1, 1)).map(|graph| graph.parameter_count()),
    }
}

/// What its weights take on a disk: as its file has them, else in 16 bits.
pub(crate) fn weights(model: &ModelRef) -> Option<Bytes> {
    let in_16_bits = || parameters(&model.architecture).map(|count| Bytes::new(count * 2));
    model.stored.map(|stored| stored.bytes).or_else(in_16_bits)
}

/// What a reader should know about a workload besides its figures.
pub(crate) fn cautions(workload: &Workload) -> impl Iterator<Item = String> {
    beyond_context(workload).into_iter().chain(without_kernels(workload))
}

/// States are computed as PyTorch alone does it, which takes more memory than kernels made for it.
fn without_kernels(workload: &Workload) -> Option<String> {
    let model = workload.model.as_ref()?;
    let trains = matches!(
        workload.task,
        Task::Pretrain(_) | Task::FineTune(_) | Task::Lora(..) | Task::Qlora(..)
    );
    let scans = match model.architecture.as_ref() {
        Architecture::Decoder(decoder) => trains && decoder.scans_states(),
        _ => false,
    };
    scans.then(|| {
        let name = &model.name;
        format!(
            "training {name} is counted with PyTorch alone: with mamba-ssm or flash-linear-attention \
             installed, its layers with a state take less memory and time"
        )
    })
}

/// A warning when a workload's sequences are longer than its model was made for.
fn beyond_context(workload: &Workload) -> Option<String> {
    let model = workload.model.as_ref()?;
    let longest = match &workload.task {
        Task::Pretrain(training)
        | Task::FineTune(training)
        | Task::Lora(training, _)
        | Task::Qlora(training, _) => training.sequence,
        Task::Inference(serving) => serving.prompt + serving.output,
        Task::Evaluation(batch) => batch.prompt + batch.output,
        Task::Preparation(_) | Task::Custom(_) => return None,
    };
    let context = model.architecture.context().filter(|context| longest > *context)?;
    let name = &model.name;
    Some(format!("sequences of {longest} tokens are longer than {name} was made for ({context})"))
}

fn looks_like_a_path(source: &str) -> bool {
    let path = Path::new(source);
    let known = ["gguf", "safetensors", "json"];
    let extension = path.extension().and_then(|extension| extension.to_str());
    source.starts_with(['.', '/', '~']) || extension.is_some_and(|end| known.contains(&end))
}

/// What a model is made of, and how its file stores it.
type Found = (Architecture, Option<Stored>);

/// The type of most bytes, all bytes, and those of the table of words where no product reads it.
fn stored<'a>(
    tensors: impl Iterator<Item = (&'a str, Dtype, Bytes)>,
    architecture: &Architecture,
) -> Option<Stored> {
    let shared = match architecture {
        Architecture::Decoder(decoder) => decoder.tied_embeddings,
        _ => true,
    };
    let mut by_type: BTreeMap<Dtype, Bytes> = BTreeMap::new();
    let [mut all, mut looked_up] = [Bytes::ZERO; 2];
    let more = |sum: Bytes, bytes: Bytes| Bytes::new(sum.get().saturating_add(bytes.get()));
    for (name, dtype, bytes) in tensors {
        let sum = by_type.entry(dtype).or_default();
        (*sum, all) = (more(*sum, bytes), more(all, bytes));
        if !shared && WORDS.iter().any(|words| name.ends_with(words)) {
            looked_up = more(looked_up, bytes);
        }
    }
    let (dtype, _) = by_type.into_iter().max_by_key(|(_, bytes)| *bytes)?;
    Some(Stored { dtype, bytes: all, looked_up })
}

/// A Hugging Face folder by its `config.json`, a diffusers folder by its `model_index.json`, or the
/// first GGUF file in it.
fn of_folder(folder: &Path) -> Result<Found, CommandError> {
    let index = folder.join(PIPELINE);
    if index.is_file() {
        return of_file(&index);
    }
    let config = folder.join("config.json");
    if config.is_file() {
        return of_file(&config);
    }
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<_> = entries
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "gguf"))
        .collect();
    files.sort();
    match files.first() {
        Some(file) => of_file(file),
        None => {
            let message =
                format!("no config.json, {PIPELINE} or .gguf file in {}", folder.display());
            Err(CommandError::new(Fault::Input, message))
        }
    }
}

fn of_file(path: &Path) -> Result<Found, CommandError> {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("gguf") => {
            let header = of_start(path, header::gguf::parse)?;
            let architecture = header.decoder().map_err(|error| in_header(path, &error))?;
            // One file of several does not tell what all of them hold.
            let tensors = header.tensors.iter();
            let tensors = tensors.map(|(name, tensor)| (name.as_str(), tensor.dtype, tensor.bytes));
            let stored = header.is_complete().then(|| stored(tensors, &architecture)).flatten();
            Ok((architecture, stored))
        }
        Some("safetensors") => {
            // The header knows every size but not the family: the config beside it does.
            let tensors = of_start(path, header::safetensors::parse)?;
            let config = path.with_file_name("config.json");
            match config.is_file() {
                true => {
                    let architecture = of_file(&config)?.0;
                    let tensors = tensors.tensors.iter();
                    let tensors = tensors.map(|(name, tensor)| {
                        (name.as_str(), tensor.dtype, Bytes::new(tensor.end - tensor.begin))
                    });
                    let stored = stored(tensors, &architecture);
                    Ok((architecture, stored))
                }
                false => {
                    let family = "safetensors without a config.json beside it".to_owned();
                    let parameters = Some(tensors.parameters());
                    Ok((Architecture::Other { family, parameters }, None))
                }
            }
        }
        _ => {
            let text = read_text(path)?;
            let is_pipeline = path.file_name().is_some_and(|name| name == PIPELINE);
            let architecture = match is_pipeline {
                true => of_pipeline(path, &text)?,
                false => header::config::parse(text.as_bytes())
                    .map_err(|error| in_text(path, &text, &error))?,
            };
            Ok((architecture, None))
        }
    }
}

/// A pipeline of diffusers with the `config.json` of every model in it.
fn of_pipeline(path: &Path, text: &str) -> Result<Architecture, CommandError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut files = BTreeMap::new();
    for name in header::pipeline::components(text.as_bytes())
        .map_err(|error| in_text(path, text, &error))?
    {
        let file = folder.join(&name).join("config.json");
        if !file.is_file() {
            let message = format!("{} names {name}: no file {}", path.display(), file.display());
            return Err(CommandError::new(Fault::Input, message)
                .hint("fetch the config.json of every component; weights are not needed"));
        }
        files.insert(name, (read_text(&file)?, file));
    }
    let read = |name: &str| files.get(name).map(|(text, _)| text.as_bytes().to_vec());
    for (text, file) in files.values() {
        header::config::parse(text.as_bytes()).map_err(|error| in_text(file, text, &error))?;
    }
    let pipeline = header::pipeline::parse(text.as_bytes(), read)
        .map_err(|error| in_text(path, text, &error))?;
    Ok(Architecture::Pipeline(pipeline))
}

/// An error in a text file, shown where it is.
fn in_text(path: &Path, text: &str, error: &HeaderError) -> CommandError {
    let problem = Problem { message: error.to_string(), span: span(error, text), hint: None };
    CommandError::in_file(path.display().to_string(), text, vec![problem])
}

/// Where in a text file an error is.
fn span(error: &HeaderError, text: &str) -> Option<std::ops::Range<usize>> {
    let Position::Text { line, column } = error.position() else { return None };
    let before = usize::try_from(line.checked_sub(1)?).ok()?;
    let start: usize = text.split_inclusive('\n').take(before).map(str::len).sum();
    let at = start + usize::try_from(column.saturating_sub(1)).ok()?;
    Some(at..at + 1)
}

/// Reads as much of a file's start as its header needs.
fn of_start<T>(
    path: &Path,
    parse: impl Fn(&[u8], Option<u64>) -> Result<T, HeaderError>,
) -> Result<T, CommandError> {
    let unreadable = |error: std::io::Error| {
        CommandError::new(Fault::World, format!("cannot read {}: {error}", path.display()))
    };
    let mut file = File::open(path).map_err(unreadable)?;
    let length = file.metadata().map_err(unreadable)?.len();
    let mut wanted = FIRST_READ.min(length);
    loop {
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(0)).map_err(unreadable)?;
        file.by_ref().take(wanted).read_to_end(&mut bytes).map_err(unreadable)?;
        match parse(&bytes, Some(length)) {
            Err(HeaderError::Truncated { .. }) if wanted < length.min(LONGEST_HEADER) => {
                wanted = (wanted * 4).min(length).min(LONGEST_HEADER);
            }
            parsed => return parsed.map_err(|error| in_header(path, &error)),
        }
    }
}

fn in_header(path: &Path, error: &HeaderError) -> CommandError {
    CommandError::new(Fault::Input, format!("{}: {error}", path.display()))
        .hint("the file is damaged or not what its name says; fetch it again and compare its hash")
}
