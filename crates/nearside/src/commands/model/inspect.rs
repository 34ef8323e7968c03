//! `nearside model inspect`: what a model on disk is, whether it computes here, and what it needs.
//!
//! Files are mapped and headers read; no weight is computed with. Needs are those of `nearside fit`, with the bytes that
//! the files really have.

mod adapter;
mod doubts;
mod files;
mod needs;
mod sizes;
mod speech;
mod text;
mod weights;

use std::path::Path;

use nearside_architecture::Architecture;
use nearside_models::{DecoderModel, ModelError, StoredModel, Tokenizer};
use schemars::JsonSchema;
use serde::Serialize;

use crate::cli::ModelInspect;
use crate::commands::fit::Place;
use crate::environment;
use crate::error::CommandError;
use crate::output::{Answer, Form, Outcome, Output};
use crate::view::{Figure, sources};
use crate::wire;
use crate::wire::local_model;
use adapter::AdapterView;
use files::{FileView, Origin};
use needs::NeedsView;
use sizes::SizesView;
use speech::{TemplateView, TokenizerView};
use weights::{TensorView, TypeView, UnusedView};

/// Tokens of a context that is asked about where nobody says.
const USUAL_CONTEXT: u64 = 4096;

/// The answer of `nearside model inspect`.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct InspectAnswer {
    /// Where it lies.
    path: String,
    /// The repository of the hub and the commit that it is from, where it lies in the cache.
    origin: Option<Origin>,
    /// What it is called, where it says.
    name: Option<String>,
    /// Who made it, where it says.
    made_by: Option<String>,
    /// Its licence, where it says.
    licence: Option<String>,
    /// `gguf` or `safetensors`.
    format: String,
    /// Its files by name: all parts of a GGUF, or what lies in the folder.
    files: Vec<FileView>,
    /// Its family, where it is one that is known.
    family: Option<String>,
    /// Parameters of all tensors.
    parameters: u64,
    /// Bytes of all tensors.
    bytes: u64,
    /// Bits that a weight takes on average.
    bits_per_weight: Option<f64>,
    /// What each type of numbers takes, the one with most bytes first.
    types: Vec<TypeView>,
    /// Its sizes, of a decoder.
    sizes: Option<SizesView>,
    /// Its tokenizer, or why there is none.
    tokenizer: Figure<TokenizerView>,
    /// Its chat template, or why there is none.
    chat_template: Figure<TemplateView>,
    /// Whether it computes here: nothing where it does, else why not.
    not_computed: Option<String>,
    /// Whether that is a part of it which is not computed here yet, and no fault of its files.
    #[serde(skip)]
    unsupported: bool,
    /// Tensors that are in the files and not computed with; absent where it does not compute here.
    unused: Option<UnusedView>,
    /// What changes it, where that was asked about.
    adapter: Option<AdapterView>,
    /// What it needs on this machine.
    needs: NeedsView,
    /// All tensors, where they were asked for.
    tensors: Option<Vec<TensorView>>,
}

pub(super) fn run(arguments: &ModelInspect, output: &Output) -> Result<Outcome, CommandError> {
    let path = local_model::find(&arguments.model)?;
    let stored = StoredModel::open(&path).map_err(|error| broken(&error))?;
    let catalog = wire::catalog(output)?;
    let device = arguments.on.as_deref().map(|device| (device, 1));
    let place = Place::of(device, arguments.site.as_deref(), &catalog)?;
    let (answer, doubts) = examined(&path, &stored, arguments, &place)?;
    if output.form == Form::Json {
        let sources = sources(&answer.needs.inputs);
        let schema = "nearside/model-inspect/1";
        let answer = Answer { schema, data: &answer, warnings: &doubts, sources: &sources };
        output.json(&answer, environment::today());
        return Ok(Outcome::Done);
    }
    output.text(&text::text(&answer, output.detail));
    for doubt in &doubts {
        output.warning(&text::plain(doubt));
    }
    hint(&answer, arguments, output);
    place.hint(output);
    Ok(Outcome::Done)
}

/// A model's files that make no sense together.
fn broken(error: &ModelError) -> CommandError {
    let told = local_model::told(error);
    match error {
        ModelError::Header { .. } => told.hint(
            "the file is damaged or not what its name says; fetch it again and compare its hash",
        ),
        ModelError::Read { path, error } if error.kind() == std::io::ErrorKind::NotFound => {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            told.hint(format!("a part of the model is missing: {name} belongs beside the others"))
        }
        _ => told,
    }
}

/// What to do next.
fn hint(answer: &InspectAnswer, arguments: &ModelInspect, output: &Output) {
    let model = &arguments.model;
    match (&answer.not_computed, &answer.tokenizer) {
        (None, Figure::Value(_)) => {
            output.hint(&format!("nearside model generate {model} 'Hello'"));
        }
        (Some(_), _) if answer.unsupported => {
            output.hint("other engines may compute it: Ollama, llama-server or vLLM");
        }
        (Some(_), _) => {
            output.hint(
                "its files do not go with its architecture: fetch them again, and all of them",
            );
        }
        (None, Figure::Unknown { .. }) => {}
    }
}

fn examined(
    path: &Path,
    stored: &StoredModel,
    arguments: &ModelInspect,
    place: &Place,
) -> Result<(InspectAnswer, Vec<String>), CommandError> {
    let made_for = stored.architecture.context();
    let usual = made_for.map_or(USUAL_CONTEXT, |made_for| made_for.min(USUAL_CONTEXT));
    let context = arguments.context.unwrap_or(usual.max(2));
    let tokenizer = Tokenizer::of(stored).map_err(|error| error.to_string());
    let adapter = local_model::adapter(arguments.adapter.as_deref(), stored)?;
    let room = usize::try_from(context).unwrap_or(usize::MAX);
    let loaded = DecoderModel::load_noting(stored, room, &adapter.clone().unwrap_or_default());
    let decoder = match &stored.architecture {
        Architecture::Decoder(decoder) => Some(decoder),
        _ => None,
    };
    let (parameters, bytes) = (stored.parameters(), stored.bytes());
    let (needs, cautions) = NeedsView::of(&arguments.model, stored, context, place);
    let answer = InspectAnswer {
        path: path.display().to_string(),
        origin: Origin::of(path),
        name: files::text_of(stored, "general.name"),
        made_by: files::made_by(stored),
        licence: files::licence(stored, path),
        format: if stored.gguf.is_some() { "gguf" } else { "safetensors" }.to_owned(),
        files: files::of(stored, path),
        family: files::family(stored),
        parameters,
        bytes,
        bits_per_weight: weights::bits(bytes, parameters),
        types: weights::by_type(stored),
        sizes: decoder.map(|decoder| SizesView::of(decoder, stored.numerics.as_ref())),
        chat_template: speech::template(tokenizer.as_ref()),
        tokenizer: speech::tokenizer(tokenizer.as_ref()),
        unused: loaded.as_ref().ok().map(|(_, read)| UnusedView::of(stored, read)),
        unsupported: matches!(&loaded, Err(ModelError::Unsupported { .. })),
        not_computed: match stored.tensors.is_empty() {
            true => Some("there are no weights in it".to_owned()),
            false => loaded.err().map(|error| error.to_string()),
        },
        adapter: adapter.as_ref().map(AdapterView::of),
        needs,
        tensors: arguments.tensors.then(|| weights::all(stored)),
    };
    let doubts = place.notes.iter().cloned().chain(doubts::of(&answer, stored)).chain(cautions);
    let doubts = doubts.collect();
    Ok((answer, doubts))
}
