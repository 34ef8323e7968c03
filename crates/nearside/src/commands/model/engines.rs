//! `nearside model engines`: other programs on this machine that compute models.

use nearside_models::engine::{Engine, EngineModel};
use nearside_units::Bytes;
use schemars::JsonSchema;
use serde::Serialize;

use crate::cli::ModelEngines;
use crate::environment;
use crate::error::CommandError;
use crate::output::{Align, Answer, Form, Outcome, Output, table};
use crate::wire::engine::{self, EngineView};

/// The answer of `nearside model engines`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct EnginesAnswer {
    /// Those that answer.
    engines: Vec<FoundView>,
}

/// A program that answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
struct FoundView {
    /// Which one.
    #[serde(flatten)]
    engine: EngineView,
    /// The models that it has.
    models: Vec<EngineModelView>,
}

/// A model of another program, as far as it tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
struct EngineModelView {
    /// What it is asked for by.
    name: String,
    /// How its weights are stored.
    stored_as: Option<String>,
    /// Bytes of its weights.
    bytes: Option<u64>,
    /// Tokens of a context that it is served with.
    context: Option<u64>,
    /// Whether it is in memory; the first question waits otherwise.
    loaded: Option<bool>,
    /// Who computes it, where that is not this machine; it is not asked.
    remote: Option<String>,
}

impl FoundView {
    fn of(engine: &Engine) -> Self {
        let model = |model: &EngineModel| EngineModelView {
            name: model.name.clone(),
            stored_as: model.stored_as.clone(),
            bytes: model.bytes,
            context: model.context,
            loaded: model.is_loaded,
            remote: model.remote.clone(),
        };
        let models = engine.models.iter().map(model).collect();
        Self { engine: EngineView::of(engine), models }
    }
}

pub(super) fn run(arguments: &ModelEngines, output: &Output) -> Result<Outcome, CommandError> {
    let engines = match arguments.engines.as_slice() {
        [] => {
            let (engines, errors) = engine::found();
            errors.iter().for_each(|error| output.warning(&error.message()));
            engines
        }
        names => {
            let token = arguments.engine_token.as_deref();
            names.iter().map(|name| engine::open(name, token)).collect::<Result<Vec<_>, _>>()?
        }
    };
    let answer = EnginesAnswer { engines: engines.iter().map(FoundView::of).collect() };
    if output.form == Form::Json {
        let answer = Answer {
            schema: "nearside/model-engines/1",
            data: &answer,
            warnings: &[],
            sources: &[],
        };
        output.json(&answer, environment::today());
        return Ok(Outcome::Done);
    }
    output.text(&text(&answer));
    let first = answer
        .engines
        .iter()
        .find_map(|found| Some((found, found.models.iter().find(|model| model.remote.is_none())?)));
    output.hint(&match first {
        Some((found, model)) => {
            format!("nearside model chat {} --engine {}", model.name, found.engine.address)
        }
        None => "ollama serve, llama-server, vllm serve, lms server start or nearside model serve \
                 start one"
            .to_owned(),
    });
    Ok(Outcome::Done)
}

fn text(answer: &EnginesAnswer) -> String {
    if answer.engines.is_empty() {
        return "no other program answers where they usually do".to_owned();
    }
    let heads = [
        ("engine", Align::Left),
        ("version", Align::Left),
        ("address", Align::Left),
        ("model", Align::Left),
        ("stored as", Align::Left),
        ("size", Align::Right),
        ("context", Align::Right),
        ("loaded", Align::Left),
    ];
    let dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let rows = answer.engines.iter().flat_map(|FoundView { engine, models }| {
        let EngineView { program, address, version } = engine;
        let head = || vec![program.clone(), dash(version.clone()), address.clone()];
        let row = move |model: Option<&EngineModelView>| {
            let mut row = head();
            row.push(dash(model.map(|model| model.name.clone())));
            row.push(dash(model.and_then(|model| model.stored_as.clone())));
            row.push(dash(model.and_then(|model| model.bytes).map(|bytes| Bytes::new(bytes).si())));
            row.push(dash(model.and_then(|model| model.context).map(|tokens| tokens.to_string())));
            let loaded = model.and_then(|model| model.loaded);
            let loaded = loaded.map(|loaded| if loaded { "yes" } else { "no" }.to_owned());
            let remote = model.and_then(|model| model.remote.as_ref());
            row.push(dash(remote.map(|host| format!("at {host}")).or(loaded)));
            row
        };
        match models.as_slice() {
            [] => vec![row(None)],
            models => models.iter().map(|model| row(Some(model))).collect(),
        }
    });
    table(&heads, rows.collect())
}
