//! `nearside model inspect`: what a model on disk is, whether it computes here, and what it needs.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use nearside_architecture::header::gguf::Value;
use nearside_architecture::{Architecture, Decoder, Dtype, FeedForward, Mixer};
use nearside_estimate::choice::speed;
use nearside_estimate::estimate;
use nearside_models::{Adapter, ChatTemplate, StoredModel, Tokenizer};
use nearside_units::Bytes;
use nearside_workload::{Batch, Recipe, Task, Workload};
use schemars::JsonSchema;
use serde::Serialize;

mod text;

use crate::cli::ModelInspect;
use crate::environment;
use crate::error::CommandError;
use crate::output::{Answer, Form, Outcome, Output};
use crate::view::{Figure, Range};
use crate::wire;
use crate::wire::calibration::Calibrations;
use crate::wire::local_model;
use crate::wire::sites::{Own, Whose};

/// Tokens of a context that is asked about where nobody says.
const USUAL_CONTEXT: u64 = 4096;

/// The answer of `nearside model inspect`.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct InspectAnswer {
    /// Where it lies.
    path: String,
    /// What it is called, where it says.
    name: Option<String>,
    /// `gguf` or `safetensors`.
    format: String,
    /// Its family, where it is one that is known.
    family: Option<String>,
    /// Its licence, where it says.
    licence: Option<String>,
    /// Parameters of all tensors.
    parameters: u64,
    /// Bytes of all tensors.
    bytes: u64,
    /// Bits that a weight takes on average.
    bits_per_weight: Option<f64>,
    /// Bytes by type.
    types: BTreeMap<String, TypeView>,
    /// Its sizes, of a decoder.
    sizes: Option<SizesView>,
    /// Its tokenizer, or why there is none.
    tokenizer: Figure<TokenizerView>,
    /// Its chat template, or why there is none.
    chat_template: Figure<TemplateView>,
    /// Whether it computes here: nothing where it does, else why not.
    not_computed: Option<String>,
    /// What changes it, where that was asked about.
    adapter: Option<AdapterView>,
    /// What it needs on this machine.
    needs: NeedsView,
    /// All tensors, where they were asked for.
    tensors: Option<Vec<TensorView>>,
}

/// Tensors of a type.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
struct TypeView {
    /// How many.
    tensors: usize,
    /// What they take together.
    bytes: u64,
}

/// Sizes of a decoder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
struct SizesView {
    layers: usize,
    hidden: u64,
    heads: Option<u64>,
    key_value_heads: Option<u64>,
    head_dim: Option<u64>,
    feed_forward: Option<u64>,
    experts: Option<u64>,
    active_experts: Option<u64>,
    vocabulary: u64,
    context: Option<u64>,
    sliding_window: Option<u64>,
}

/// A tokenizer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
struct TokenizerView {
    /// Tokens that it knows.
    size: u32,
    /// The token that begins texts.
    begin: Option<String>,
    /// Tokens that end what the model says.
    ends: Vec<String>,
}

/// A chat template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
struct TemplateView {
    /// What it makes of a question.
    sample: String,
}

/// An adapter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
struct AdapterView {
    /// What it says of the model that it was made for.
    base: Option<String>,
    /// How many matrices it changes.
    matrices: usize,
    /// Its ranks, each once, from the smallest.
    ranks: BTreeSet<usize>,
    /// How many numbers it has.
    parameters: usize,
}

/// What a model needs.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
struct NeedsView {
    /// Where: the name of the site.
    site: String,
    /// Tokens of the context that was asked about.
    context: u64,
    /// Whether it fits: `fits`, `uncertain`, `does not fit` or `unknown`.
    verdict: String,
    /// Memory, in bytes.
    memory_bytes: Option<Range>,
    /// Bytes of keys and values for each thousand tokens, in half precision.
    cache_bytes_per_1000_tokens: Option<u64>,
    /// Tokens written per second.
    tokens_per_second: Figure<Range>,
}

/// A tensor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
struct TensorView {
    name: String,
    r#type: String,
    shape: Vec<u64>,
    bytes: u64,
}

pub(super) fn run(arguments: &ModelInspect, output: &Output) -> Result<Outcome, CommandError> {
    let path = local_model::find(&arguments.model)?;
    let stored = local_model::open(&path)?;
    let answer = answer(&path, &stored, arguments, output)?;
    if output.form == Form::Json {
        let answer = Answer {
            schema: "nearside/model-inspect/1",
            data: &answer,
            warnings: &[],
            sources: &[],
        };
        output.json(&answer, environment::today());
        return Ok(Outcome::Done);
    }
    output.text(&text::text(&answer));
    match &answer.not_computed {
        None => output.hint(&format!("nearside model generate {} 'Hello'", arguments.model)),
        Some(_) => output.hint("other engines may compute it: Ollama, llama-server or vLLM"),
    }
    Ok(Outcome::Done)
}

fn answer(
    path: &Path,
    stored: &StoredModel,
    arguments: &ModelInspect,
    output: &Output,
) -> Result<InspectAnswer, CommandError> {
    let mut types: BTreeMap<String, TypeView> = BTreeMap::new();
    for tensor in stored.tensors.values() {
        let of_type = types.entry(tensor.dtype.to_string()).or_default();
        of_type.tensors += 1;
        of_type.bytes += tensor.bytes.len() as u64;
    }
    let (parameters, bytes) = (stored.parameters(), stored.bytes());
    let decoder = match &stored.architecture {
        Architecture::Decoder(decoder) => Some(decoder),
        _ => None,
    };
    let made_for = stored.architecture.context();
    let usual = made_for.map_or(USUAL_CONTEXT, |made_for| made_for.min(USUAL_CONTEXT));
    let context = arguments.context.unwrap_or(usual);
    let tokenizer = Tokenizer::of(stored).map_err(|error| error.to_string());
    let adapter = local_model::adapter(arguments.adapter.as_deref(), stored)?;
    let room = usize::try_from(context).unwrap_or(usize::MAX);
    let not_computed = local_model::put_together(stored, adapter.as_ref(), room);
    let tensor = |(name, tensor): (&String, &nearside_models::StoredTensor)| TensorView {
        name: name.clone(),
        r#type: tensor.dtype.to_string(),
        shape: tensor.shape.clone(),
        bytes: tensor.bytes.len() as u64,
    };
    Ok(InspectAnswer {
        path: path.display().to_string(),
        name: key(stored, "general.name"),
        format: if stored.gguf.is_some() { "gguf" } else { "safetensors" }.to_owned(),
        family: family(stored),
        licence: key(stored, "general.license").or_else(|| licence(path)),
        parameters,
        bytes,
        bits_per_weight: (parameters > 0).then(|| bytes as f64 * 8.0 / parameters as f64),
        types,
        sizes: decoder.map(SizesView::of),
        chat_template: figure(template(tokenizer.as_ref())),
        tokenizer: figure(tokenizer.map(|tokenizer| TokenizerView::of(&tokenizer))),
        not_computed: match stored.tensors.is_empty() {
            true => Some("there are no weights in it".to_owned()),
            false => not_computed.err().map(|error| error.to_string()),
        },
        adapter: adapter.as_ref().map(AdapterView::of),
        needs: needs(path, decoder, context, arguments, output)?,
        tensors: arguments.tensors.then(|| stored.tensors.iter().map(tensor).collect()),
    })
}

fn figure<T>(found: Result<T, String>) -> Figure<T> {
    match found {
        Ok(value) => Figure::Value(value),
        Err(unknown) => Figure::Unknown { unknown },
    }
}

/// The text of a key of a GGUF header.
fn key(stored: &StoredModel, name: &str) -> Option<String> {
    match &stored.gguf.as_ref()?.0.values.get(name)?.value {
        Value::Text(text) => Some(text.clone()),
        _ => None,
    }
}

fn family(stored: &StoredModel) -> Option<String> {
    if let Some(family) = key(stored, "general.architecture") {
        return Some(family);
    }
    let config = fs::read_to_string(stored.path.join("config.json")).ok()?;
    let config: serde_json::Value = serde_json::from_str(&config).ok()?;
    config.get("model_type")?.as_str().map(str::to_owned)
}

/// The licence that stands in the head of a folder's `README.md`.
fn licence(path: &Path) -> Option<String> {
    let folder = if path.is_dir() { path } else { path.parent()? };
    let readme = fs::read_to_string(folder.join("README.md")).ok()?;
    let head = readme.strip_prefix("---")?.split("\n---").next()?;
    let line = head.lines().find_map(|line| line.strip_prefix("license:"))?;
    Some(line.trim().trim_matches(['"', '\'']).to_owned()).filter(|licence| !licence.is_empty())
}

impl AdapterView {
    fn of(adapter: &Adapter) -> Self {
        Self {
            base: adapter.base.clone(),
            matrices: adapter.iter().count(),
            ranks: adapter.iter().map(|(_, change)| change.rank()).collect(),
            parameters: adapter.parameters(),
        }
    }
}

impl SizesView {
    fn of(decoder: &Decoder) -> Self {
        let grouped = decoder.layers.iter().find_map(|layer| match &layer.mixer {
            Mixer::Grouped(attention) => Some(attention),
            _ => None,
        });
        let window = decoder.layers.iter().find_map(|layer| match &layer.mixer {
            Mixer::Grouped(attention) => attention.window,
            _ => None,
        });
        let experts = decoder.layers.iter().find_map(|layer| match &layer.feed_forward {
            FeedForward::Experts(experts) => Some(experts),
            _ => None,
        });
        let dense = decoder.layers.iter().find_map(|layer| match &layer.feed_forward {
            FeedForward::Dense(dense) => Some(dense.intermediate),
            _ => None,
        });
        Self {
            layers: decoder.layers.len(),
            hidden: decoder.hidden,
            heads: grouped.map(|attention| attention.heads),
            key_value_heads: grouped.map(|attention| attention.key_value_heads),
            head_dim: grouped.map(|attention| attention.head_dim),
            feed_forward: experts.map(|experts| experts.expert.intermediate).or(dense),
            experts: experts.map(|experts| experts.count),
            active_experts: experts.map(|experts| experts.active),
            vocabulary: decoder.vocabulary,
            context: decoder.context,
            sliding_window: window,
        }
    }
}

impl TokenizerView {
    fn of(tokenizer: &Tokenizer) -> Self {
        let special = tokenizer.special();
        let text = |id: u32| {
            let bytes = tokenizer.token(id).unwrap_or_default();
            format!("{} ({id})", String::from_utf8_lossy(&bytes))
        };
        Self {
            size: tokenizer.size(),
            begin: special.begin.map(text),
            ends: special.ends.iter().copied().map(text).collect(),
        }
    }
}

/// What the chat template makes of a short conversation.
fn template(tokenizer: Result<&Tokenizer, &String>) -> Result<TemplateView, String> {
    let tokenizer = tokenizer.map_err(|_told| "there is no tokenizer that has one".to_owned())?;
    let special = tokenizer.special();
    let conversation = local_model::conversation(tokenizer, &[("user", "Hello")]);
    let chosen = ChatTemplate::choose(&special.templates, &conversation);
    let chosen = chosen.map_err(|error| error.to_string())?;
    let chosen = chosen.ok_or_else(|| "it has none: `generate` writes texts on".to_owned())?;
    let sample = chosen.render(&conversation).map_err(|error| error.to_string())?;
    Ok(TemplateView { sample })
}

/// What the estimator says of writing with it here.
fn needs(
    path: &Path,
    decoder: Option<&Decoder>,
    context: u64,
    arguments: &ModelInspect,
    output: &Output,
) -> Result<NeedsView, CommandError> {
    let catalog = wire::catalog(output)?;
    let model = wire::models::resolve(&path.display().to_string(), Path::new("."), &catalog)?;
    let Own { mut site, mut notes, machine, free } = match &arguments.site {
        Some(file) => wire::sites::of_file(file, &catalog)?,
        None => wire::sites::here(&catalog)?,
    };
    let here = (machine == Whose::ThisMachine).then_some(&site);
    let mut calibration = Calibrations::measured_on(here, &mut notes).of(&site).clone();
    if let Some(free) = &free {
        free.limits(&mut site, &mut calibration);
    }
    let weights = model.stored.map_or(Dtype::Bf16, |stored| stored.dtype);
    let (prompt, written) = (context / 2, context - context / 2);
    let workload = Workload {
        task: Task::Evaluation(Batch { requests: 1, prompt, output: written, batch: 1 }),
        model: Some(model),
        recipe: Recipe { weights, ..Recipe::default() },
        image: None,
    };
    let estimated = estimate(&workload, &site, &calibration);
    let needed = estimated.fit.needed;
    Ok(NeedsView {
        site: site.name.to_string(),
        context,
        verdict: crate::commands::fit::name(estimated.fit.verdict).to_owned(),
        memory_bytes: needed.map(|span| Range::of(span, |bytes: Bytes| bytes.get() as f64)),
        cache_bytes_per_1000_tokens: decoder.and_then(cache_bytes).map(|bytes| 1000 * bytes),
        tokens_per_second: Figure::of(&speed(&estimated, &workload), |span| {
            Range::of(*span, |number| number)
        }),
    })
}

/// Bytes of keys and values of one token, in half precision; `None` for attention that keeps something else.
fn cache_bytes(decoder: &Decoder) -> Option<u64> {
    let of_layer = |mixer: &Mixer| match mixer {
        Mixer::Grouped(attention) => Some(4 * attention.key_value_heads * attention.head_dim),
        Mixer::Latent(_) => None,
        // States do not grow with the tokens.
        _ => Some(0),
    };
    decoder.layers.iter().map(|layer| of_layer(&layer.mixer)).sum()
}
