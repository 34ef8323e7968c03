//! `nearside model train`: a small model of one's own from texts, and what it learned.

mod answer;
mod texts;
mod told;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use nearside_models::train::{
    AdamW, Corpus, FILES, Memory, Network, Progress, Recipe, Run, Shape, Tokens, TrainError,
    Trainer, Vocabulary, write,
};
use nearside_probe::this_machine;
use nearside_units::{Bytes, significant};
use rayon::ThreadPool;

use super::pace::{Pace, left};
use crate::cli::ModelTrain;
use crate::environment;
use crate::error::{CommandError, Fault};
use crate::output::{Answer, Form, Outcome, Output};
use crate::wire::local_model;
pub(crate) use answer::TrainAnswer;
use texts::Texts;
use told::told;

/// A number, its gradient, and the two means that AdamW has of it, in 32 bits each.
const BYTES_OF_PARAMETER: u64 = 16;

pub(super) fn run(arguments: &ModelTrain, output: &Output) -> Result<Outcome, CommandError> {
    writable(arguments)?;
    has_room(arguments)?;
    let texts = Texts::read(&arguments.texts)?;
    let interrupted = environment::interrupted_once();
    let pool = local_model::threads(arguments.threads)?;
    let made = Job { arguments, output, interrupted, pool }.run(&texts);
    output.erase();
    let answer = match made {
        Ok(Some(answer)) => answer,
        Ok(None) => {
            let hint = "the same command begins anew";
            output.none("interrupted; nothing was written", hint, environment::today());
            return Ok(Outcome::Partly);
        }
        Err(error) => return Err(told(&error)),
    };
    print(arguments, &answer, output);
    Ok(if answer.interrupted { Outcome::Partly } else { Outcome::Done })
}

struct Job<'a> {
    arguments: &'a ModelTrain,
    output: &'a Output,
    interrupted: Arc<AtomicBool>,
    pool: ThreadPool,
}

impl Job<'_> {
    /// Makes the model and writes it; nothing when it is interrupted before it has begun to learn.
    fn run(&self, texts: &Texts) -> Result<Option<TrainAnswer>, TrainError> {
        let ModelTrain { vocabulary, hidden, layers, context, .. } = *self.arguments;
        self.output.watched("learning a tokenizer");
        let corpus = Corpus::of(&texts.texts);
        let (vocabulary, tokens) = self.pool.install(|| {
            let vocabulary = Vocabulary::learn(&corpus.learned, vocabulary, context)?;
            let tokens = corpus.tokens(&vocabulary)?;
            Ok::<_, TrainError>((vocabulary, tokens))
        })?;
        if self.interrupted.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let size = usize::try_from(vocabulary.tokenizer.size()).unwrap_or(usize::MAX);
        let shape = Shape::new(size, hidden, layers, context)?;
        let (decoder, numerics) = shape.decoder()?;
        let mut network = Network::fresh(&decoder, &numerics, context, self.arguments.seed)?;
        let begun = Instant::now();
        let run = self.steps(&mut network, &tokens, &vocabulary.bytes()?)?;
        let seconds = begun.elapsed().as_secs_f64();
        if run.steps.is_empty() {
            return Ok(None);
        }
        let written = write(&self.arguments.output, &shape, &vocabulary, network.parameters())?;
        let mut answer = TrainAnswer::of(self.arguments, texts, &shape, &tokens);
        answer.learned(&run, self.arguments.steps, seconds, written);
        answer.warn(&run, tokens.learned.len());
        Ok(Some(answer))
    }

    /// Takes all steps, or those until it is interrupted.
    fn steps(
        &self,
        network: &mut Network,
        tokens: &Tokens,
        bytes: &[usize],
    ) -> Result<Run, TrainError> {
        let recipe = self.recipe();
        let mut meter = Meter::new(self.output, &recipe);
        let parts = [tokens.learned.as_slice(), &tokens.held_out];
        let mut trainer = self.pool.install(|| Trainer::new(network, parts, bytes, &recipe))?;
        while !self.interrupted.load(Ordering::Relaxed)
            && let Some(progress) = self.pool.install(|| trainer.step())?
        {
            meter.tell(&progress);
        }
        self.pool.install(|| trainer.finish())
    }

    const fn recipe(&self) -> Recipe {
        let ModelTrain { batch, context, steps, learning_rate, seed, .. } = *self.arguments;
        let memory = match self.arguments.checkpointing {
            true => Memory::Recomputed,
            false => Memory::Kept,
        };
        let optimizer = AdamW::USUAL;
        Recipe { batch, context, steps, rate: learning_rate, seed, optimizer, memory }
    }
}

fn print(arguments: &ModelTrain, answer: &TrainAnswer, output: &Output) {
    match output.form {
        Form::Text => {
            output.text(&answer.text());
            answer.warnings.iter().for_each(|warning| output.warning(warning));
            let folder = arguments.output.display();
            output.hint(&format!("nearside model generate {folder} --raw 'The '"));
        }
        Form::Json => {
            let (schema, warnings) = ("nearside/model-train/1", &answer.warnings);
            let answer = Answer { schema, data: answer, warnings, sources: &[] };
            output.json(&answer, environment::today());
        }
    }
}

/// Says how far it is.
struct Meter<'a> {
    pace: Pace<'a>,
    steps: usize,
    /// Tokens of a step.
    tokens: usize,
    begun: Instant,
    held_out: Option<f64>,
}

impl<'a> Meter<'a> {
    fn new(output: &'a Output, recipe: &Recipe) -> Self {
        let tokens = recipe.batch * recipe.context;
        let (pace, begun) = (Pace::new(output), Instant::now());
        Self { pace, steps: recipe.steps, tokens, begun, held_out: None }
    }

    fn tell(&mut self, progress: &Progress) {
        self.held_out = progress.held_out.map(|loss| loss.mean()).or(self.held_out);
        let Self { steps, tokens, held_out, .. } = *self;
        let seconds = self.begun.elapsed().as_secs_f64();
        self.pace.tell(|| line(progress, held_out, [steps, tokens], seconds));
    }
}

fn line(
    progress: &Progress,
    held_out: Option<f64>,
    [steps, tokens]: [usize; 2],
    seconds: f64,
) -> String {
    let Progress { step, loss, .. } = *progress;
    let held_out = held_out.map_or_else(String::new, |loss| format!(", held out {loss:.3}"));
    let rate = step as f64 / seconds.max(1e-9);
    let left = left(step as u64, steps as u64, rate);
    let speed = significant(rate * tokens as f64);
    format!("step {step} of {steps}, loss {loss:.3}{held_out}, {speed} tokens/s{left}")
}

/// Whether a folder has what training writes and nothing else, so that nothing else is lost with it.
fn is_model(folder: &Path) -> bool {
    let Ok(entries) = fs::read_dir(folder) else { return false };
    let is_ours = |entry: std::io::Result<fs::DirEntry>| {
        entry
            .is_ok_and(|entry| entry.file_name().to_str().is_some_and(|name| FILES.contains(&name)))
    };
    folder.join("config.json").is_file() && entries.into_iter().all(is_ours)
}

/// An error where something is that would be lost.
fn writable(arguments: &ModelTrain) -> Result<(), CommandError> {
    let output = &arguments.output;
    let refused = |why: &str, hint: &str| {
        let message = format!("{} {why}", output.display());
        Err(CommandError::new(Fault::Input, message).hint(hint))
    };
    if output.file_name().is_none() {
        return refused("cannot be replaced as a whole", "name a folder with -o");
    }
    let Ok(found) = fs::symlink_metadata(output) else { return Ok(()) };
    if !found.is_dir() {
        return refused("exists already and is no folder", "write another folder with -o");
    }
    if is_empty(output) {
        return Ok(());
    }
    if !is_model(output) {
        let hint = "write another folder with -o: this one has other things in it";
        return refused("exists already and is no model", hint);
    }
    if !arguments.force {
        return refused("exists already", "--force replaces it");
    }
    Ok(())
}

/// An error for sizes that make no model, or one that has no room in this machine.
fn has_room(arguments: &ModelTrain) -> Result<(), CommandError> {
    let ModelTrain { vocabulary, hidden, layers, context, .. } = *arguments;
    let shape = Shape::new(vocabulary, hidden, layers, context).map_err(|error| told(&error))?;
    let memory = this_machine().ok().and_then(|found| found.memory.usable().value());
    let needed = Bytes::new(shape.parameters() as u64 * BYTES_OF_PARAMETER);
    match memory {
        Some(memory) if needed > memory => {
            let message = format!(
                "{} parameters need {needed} with their gradients and means, this machine has {memory}",
                significant(shape.parameters() as f64)
            );
            Err(CommandError::new(Fault::Input, message).hint("a smaller --hidden or --layers"))
        }
        _ => Ok(()),
    }
}

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loss_speed_and_remaining_time_are_told() {
        let progress = Progress { step: 100, loss: 4.1234, gradient: 1.0, held_out: None };
        assert_eq!(
            line(&progress, Some(4.5), [600, 1024], 10.0),
            "step 100 of 600, loss 4.123, held out 4.500, 10200 tokens/s, 50.0 s left"
        );
        assert!(line(&progress, None, [100, 1], 10.0).starts_with("step 100 of 100, loss 4.123, "));
    }
}
