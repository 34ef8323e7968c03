//! The same, computed by another program.

use std::sync::atomic::Ordering;

use nearside_models::engine::{Asked, Ended, Engine, Question};

use super::{Finish, GenerateAnswer, prompt, tell};
use crate::cli::ModelGenerate;
use crate::environment;
use crate::error::{CommandError, Fault};
use crate::output::{Form, Outcome, Output};
use crate::wire::engine::{EngineView, told};

pub(super) fn run(
    arguments: &ModelGenerate,
    engine: &Engine,
    output: &Output,
) -> Result<Outcome, CommandError> {
    let model = engine.model(&arguments.model).map_err(|error| told(&error))?;
    let prompt = prompt(arguments)?;
    if prompt.is_empty() {
        return Err(CommandError::new(Fault::Input, "the prompt is empty"));
    }
    let system = arguments.system.iter().map(|system| ("system", system.as_str()));
    let question = Question {
        model: &model.name,
        asked: match arguments.raw {
            true => Asked::Text(&prompt),
            false => Asked::Chat(system.chain([("user", prompt.as_str())]).collect()),
        },
        tokens: Some(arguments.tokens),
        sampling: arguments.choosing.sampling(),
        stops: &arguments.choosing.stop,
        context: None,
        scores: false,
        ignores_ends: false,
    };
    let interrupted = environment::interrupted_once();
    let written = engine.answer(&question, &mut |piece| {
        if output.form == Form::Text {
            output.piece(piece);
        }
        !interrupted.load(Ordering::Relaxed)
    });
    let written = written.map_err(|error| told(&error))?;
    let count = |tokens: Option<u64>| tokens.and_then(|tokens| usize::try_from(tokens).ok());
    let answer = GenerateAnswer {
        model: model.name.clone(),
        engine: Some(EngineView::of(engine)),
        text: written.text,
        finish: match written.ended {
            Ended::Stop => Finish::Stop,
            Ended::Length => Finish::Length,
            Ended::Interrupted => Finish::Interrupted,
        },
        prompt_tokens: count(written.prompt_tokens),
        new_tokens: count(written.new_tokens),
        prefill_seconds: written.reading.as_secs_f64(),
        decode_seconds: written.writing.as_secs_f64(),
        seed: arguments.choosing.seed,
        compared: Vec::new(),
        recorded: false,
    };
    Ok(tell(&answer, output))
}
