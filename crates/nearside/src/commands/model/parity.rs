//! `nearside model parity`: whether other programs compute what is computed here.

use std::sync::atomic::{AtomicBool, Ordering};

use nearside_models::engine::{Engine, NoParity, PROMPTS, Parity, parity};
use nearside_models::{DecoderModel, Tokenizer};
use nearside_units::significant;
use schemars::JsonSchema;
use serde::Serialize;

use crate::cli::ModelParity;
use crate::environment;
use crate::error::{CommandError, Fault};
use crate::output::{Align, Answer, Form, Outcome, Output, table};
use crate::wire::engine::{self, EngineView};
use crate::wire::{self, local_model};

/// The answer of `nearside model parity`.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct ParityAnswer {
    /// Where the model lies that is computed here.
    model: String,
    /// Tokens that were wanted for each text.
    tokens_per_text: usize,
    /// The others.
    engines: Vec<ParityView>,
    /// The largest mean difference that is well, where it was said.
    within: Option<f64>,
    /// Whether all are within it, where it was said.
    well: Option<bool>,
}

/// How far what another program computes is from what is computed here.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
struct ParityView {
    /// The program.
    #[serde(flatten)]
    engine: EngineView,
    /// What it calls the model.
    name: String,
    /// Texts that were written on.
    texts: u64,
    /// Of those for which it told how many tokens they have.
    texts_counted: u64,
    /// Of those that have as many tokens here.
    texts_alike: u64,
    /// Tokens that were compared.
    tokens: u64,
    /// Tokens of which it told no probability, or that no token here is.
    unknown: u64,
    /// The share of compared tokens that are the best ones here too.
    best_alike: Option<f64>,
    /// The mean size of the differences of logarithms of probabilities.
    mean_difference: Option<f64>,
    /// The largest one.
    largest_difference: Option<f64>,
    /// The mean logarithm of the probability of a token as it told it.
    theirs: Option<f64>,
    /// The same as it is computed here.
    ours: Option<f64>,
    /// Whether it was interrupted before all texts were written on.
    interrupted: bool,
}

impl ParityView {
    fn of(engine: &Engine, name: &str, parity: &Parity, interrupted: bool) -> Self {
        let each = |sum: f64| (parity.tokens > 0).then(|| sum / parity.tokens as f64);
        Self {
            engine: EngineView::of(engine),
            name: name.to_owned(),
            texts: parity.prompts,
            texts_counted: parity.prompts_counted,
            texts_alike: parity.prompts_alike,
            tokens: parity.tokens,
            unknown: parity.unknown,
            best_alike: each(parity.best_alike as f64),
            mean_difference: parity.mean_difference(),
            largest_difference: (parity.tokens > 0).then_some(parity.largest),
            theirs: each(parity.theirs),
            ours: each(parity.ours),
            interrupted,
        }
    }
}

pub(super) fn run(arguments: &ModelParity, output: &Output) -> Result<Outcome, CommandError> {
    let others = arguments.with.iter().map(|with| other(with, arguments));
    let others = others.collect::<Result<Vec<_>, _>>()?;
    let texts = arguments.text.iter().map(|path| wire::read_text(path));
    let texts = texts.collect::<Result<Vec<_>, _>>()?;
    let is_empty = |text: &String| text.trim_end().is_empty();
    if let Some((path, _)) = arguments.text.iter().zip(&texts).find(|(_, text)| is_empty(text)) {
        let message = format!("{} is empty: there is nothing to write on", path.display());
        return Err(CommandError::new(Fault::Input, message));
    }
    let texts = match texts.as_slice() {
        [] => PROMPTS.to_vec(),
        texts => texts.iter().map(|text| text.trim_end()).collect(),
    };
    let path = local_model::find(&arguments.model)?;
    let stored = local_model::open(&path)?;
    let tokenizer = local_model::tokenizer(&stored)?;
    let longest = texts.iter().map(|text| text.len()).max().unwrap_or(0);
    let model = local_model::load(&stored, None, longest + arguments.tokens + 2)?;
    let held = Held { model: &model, tokenizer: &tokenizer, texts, tokens: arguments.tokens };
    let (mut engines, interrupted) = (Vec::new(), environment::interrupted_once());
    for (engine, name) in &others {
        engines.push(held.against(engine, name, &interrupted, output)?);
        if interrupted.load(Ordering::Relaxed) {
            break;
        }
    }
    let within = arguments.within;
    // Little that agrees says nothing of much that was not compared.
    let is_well = |view: &ParityView, most| {
        view.tokens >= view.unknown && view.mean_difference.is_some_and(|mean| mean <= most)
    };
    let whole = engines.len() == others.len() && !engines.iter().any(|view| view.interrupted);
    let answer = ParityAnswer {
        model: path.display().to_string(),
        tokens_per_text: arguments.tokens,
        well: within.filter(|_| whole).map(|most| engines.iter().all(|view| is_well(view, most))),
        engines,
        within,
    };
    if output.form == Form::Json {
        let answer = Answer {
            schema: "nearside/model-parity/1",
            data: &answer,
            warnings: &[],
            sources: &[],
        };
        output.json(&answer, environment::today());
    } else {
        output.text(&text(&answer));
    }
    explain(&answer, output);
    Ok(match (whole, answer.well) {
        (false, _) => Outcome::Partly,
        (true, Some(false)) => Outcome::Negative,
        (true, _) => Outcome::Done,
    })
}

/// A program, and what it calls the model.
fn other(with: &str, arguments: &ModelParity) -> Result<(Engine, String), CommandError> {
    let (place, name) = match with.split_once('=') {
        Some((place, name)) => (place, Some(name)),
        None => (with, None),
    };
    let engine = engine::open(place, arguments.engine_token.as_deref())?;
    let name = match (name, engine.models.as_slice()) {
        (Some(name), _) => engine.model(name).map_err(|error| engine::told(&error))?.name.clone(),
        (None, [only]) => {
            engine.model(&only.name).map_err(|error| engine::told(&error))?.name.clone()
        }
        (None, []) => {
            return Err(CommandError::new(Fault::World, format!("{place} has no model")));
        }
        (None, models) => {
            let names: Vec<_> = models.iter().map(|model| model.name.as_str()).collect();
            let message = format!("{place} has {} models: {}", models.len(), names.join(", "));
            return Err(CommandError::new(Fault::Input, message)
                .hint(format!("--with {place}={}", names.first().copied().unwrap_or_default())));
        }
    };
    Ok((engine, name))
}

/// What others are held against.
struct Held<'a> {
    model: &'a DecoderModel,
    tokenizer: &'a Tokenizer,
    texts: Vec<&'a str>,
    /// Tokens that are written for each text.
    tokens: usize,
}

impl Held<'_> {
    fn against(
        &self,
        engine: &Engine,
        name: &str,
        interrupted: &AtomicBool,
        output: &Output,
    ) -> Result<ParityView, CommandError> {
        let (shown, texts) = (EngineView::of(engine).text(), self.texts.len());
        let here = (self.model, self.tokenizer);
        let mut told = 0;
        let held = parity((engine, name), here, &self.texts, self.tokens, &mut |parity| {
            if told != parity.prompts + 1 {
                told = parity.prompts + 1;
                output.watched(&format!("{shown}: text {told} of {texts}"));
            }
            !interrupted.load(Ordering::Relaxed)
        });
        let held = held.map_err(|error| match error {
            NoParity::Engine(error) => engine::told(&error),
            NoParity::Model(error) => local_model::told(&error),
            NoParity::Tokenizer(error) => local_model::unread(&error),
        })?;
        let is_whole = held.prompts == texts as u64;
        Ok(ParityView::of(engine, name, &held, !is_whole))
    }
}

fn text(answer: &ParityAnswer) -> String {
    let heads = [
        ("engine", Align::Left),
        ("model", Align::Left),
        ("texts cut alike", Align::Right),
        ("tokens", Align::Right),
        ("best alike", Align::Right),
        ("mean difference", Align::Right),
        ("largest", Align::Right),
        ("theirs", Align::Right),
        ("here", Align::Right),
    ];
    let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), significant);
    let row = |view: &ParityView| {
        let share = view.best_alike.map(|share| format!("{} %", significant(100.0 * share)));
        vec![
            view.engine.text(),
            view.name.clone(),
            match view.texts_counted {
                0 => "-".to_owned(),
                counted => format!("{} of {counted}", view.texts_alike),
            },
            view.tokens.to_string(),
            share.unwrap_or_else(|| "-".to_owned()),
            number(view.mean_difference),
            number(view.largest_difference),
            number(view.theirs),
            number(view.ours),
        ]
    };
    format!(
        "{}: logarithms of probabilities of tokens that others write\n\n{}",
        answer.model,
        table(&heads, answer.engines.iter().map(row).collect())
    )
}

/// Says what figures do not.
fn explain(answer: &ParityAnswer, output: &Output) {
    for view in &answer.engines {
        let engine = &view.engine.program;
        if view.tokens == 0 && view.interrupted {
            output.warning(&format!("{engine}: interrupted before anything was compared"));
        } else if view.tokens == 0 {
            output.warning(&format!("{engine} tells probabilities of no token, or of broken characters only: nothing is compared"));
        } else if view.unknown > 0 {
            output.warning(&format!(
                "{engine}: {} tokens are not compared; they have no probability there, or no token here",
                view.unknown
            ));
        }
        if view.texts_alike < view.texts_counted {
            output.warning(&format!(
                "{engine} cuts {} of {} texts into another number of tokens: it begins otherwise, or is another model",
                view.texts_counted - view.texts_alike,
                view.texts_counted
            ));
        }
    }
}
