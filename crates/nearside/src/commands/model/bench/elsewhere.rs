//! How fast another program reads and writes, from the outside: as its clients see it.

use std::sync::atomic::{AtomicBool, Ordering};

use nearside_models::Sampling;
use nearside_models::engine::{Asked, Ended, Engine, Question, Written};
use nearside_units::significant;
use schemars::JsonSchema;
use serde::Serialize;

use super::{RateView, text};
use crate::cli::ModelBench;
use crate::environment;
use crate::error::{CommandError, Fault};
use crate::output::{Align, Answer, Form, Outcome, Output, table};
use crate::wire::engine::{EngineView, told};

/// Words of the first prompt, at most, from which it is learnt how many tokens a word has.
const FIRST_WORDS: usize = 64;
/// Tokens of a word at most: three letters and a space.
const WORD_TOKENS: usize = 4;
/// Tokens of the first answer.
const FIRST_NEW: usize = 2;

/// The answer of `nearside model bench --engine`.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct BenchElsewhereAnswer {
    /// The program.
    engine: EngineView,
    /// What it calls the model.
    model: String,
    /// Tokens of the prompts, as the program counts them: the median.
    prompt_tokens: u64,
    /// Tokens of prompts per second, until the first text came: the first token is written in that time too.
    prefill: RateView,
    /// Seconds until the first text came.
    first_seconds: RateView,
    /// Tokens that were written, as the program counts them: the median.
    new_tokens: u64,
    /// Tokens written per second, after the first one.
    decode: RateView,
}

/// Measures, and tells.
pub(super) fn run(
    arguments: &ModelBench,
    engine: &Engine,
    output: &Output,
) -> Result<Outcome, CommandError> {
    let model = engine.model(&arguments.model).map_err(|error| told(&error))?;
    let wanted = (arguments.prompt + arguments.new) as u64;
    if let Some(context) = model.context.filter(|context| *context < wanted) {
        let message =
            format!("{} has a context of {context} tokens, {wanted} are asked for", model.name);
        return Err(CommandError::new(Fault::Input, message)
            .hint("say less with --prompt and --new, or start it with a larger context"));
    }
    let interrupted = environment::interrupted_once();
    let measured = Runs {
        engine,
        model: &model.name,
        arguments,
        seed: environment::random(),
        interrupted: &interrupted,
    };
    // The first run loads the model, and does not count.
    output.watched(&format!("run 0 of {}", arguments.runs));
    let first_words = (arguments.prompt / WORD_TOKENS).clamp(1, FIRST_WORDS);
    let Some(first) = measured.run(0, first_words, FIRST_NEW)? else { return Ok(Outcome::Partly) };
    let tokens = measured.counted(first.prompt_tokens, "read")?;
    let words = arguments.prompt * first_words / tokens.max(1) as usize;
    let mut answers = Vec::new();
    for run in 1..=arguments.runs {
        output.watched(&format!("run {run} of {}", arguments.runs));
        match measured.run(run, words.max(1), arguments.new)? {
            Some(written) => answers.push(written),
            None => break,
        }
    }
    if answers.is_empty() {
        return Ok(Outcome::Partly);
    }
    let whole = answers.len() == arguments.runs;
    let answer = measured.answer(&answers)?;
    if output.form == Form::Json {
        let schema = "nearside/model-bench-elsewhere/1";
        let answer = Answer { schema, data: &answer, warnings: &[], sources: &[] };
        output.json(&answer, environment::today());
    } else {
        output.text(&shown(&answer));
    }
    Ok(if whole { Outcome::Done } else { Outcome::Partly })
}

/// A model of another program, measured.
struct Runs<'a> {
    engine: &'a Engine,
    model: &'a str,
    arguments: &'a ModelBench,
    /// Where chance begins: no earlier bench read the same, which a program may remember.
    seed: u64,
    interrupted: &'a AtomicBool,
}

impl Runs<'_> {
    /// Lets so many words be read, which no earlier run began with, and so many tokens be written; `None` where somebody
    /// ended it.
    fn run(&self, run: usize, words: usize, new: usize) -> Result<Option<Written>, CommandError> {
        let prompt = words_of(self.seed.wrapping_add(run as u64), words);
        let question = Question {
            model: self.model,
            asked: Asked::Text(&prompt),
            tokens: Some(new),
            sampling: Sampling { temperature: 0.0, seed: run as u64, ..Sampling::default() },
            stops: &[],
            context: Some(self.arguments.prompt + self.arguments.new),
            scores: false,
            ignores_ends: true,
        };
        let mut goes_on = |_: &str| !self.interrupted.load(Ordering::Relaxed);
        let written = self.engine.answer(&question, &mut goes_on).map_err(|error| told(&error))?;
        Ok((written.ended != Ended::Interrupted).then_some(written))
    }

    fn counted(&self, tokens: Option<u64>, what: &str) -> Result<u64, CommandError> {
        tokens.ok_or_else(|| {
            let program = self.engine.program.name();
            let message = format!("{program} does not say how many tokens it {what}");
            CommandError::new(Fault::World, message)
        })
    }

    fn answer(&self, runs: &[Written]) -> Result<BenchElsewhereAnswer, CommandError> {
        let (mut prefill, mut decode, mut first) = (Vec::new(), Vec::new(), Vec::new());
        let (mut read_counts, mut new_counts) = (Vec::new(), Vec::new());
        for run in runs {
            let (reading, writing) = (run.reading.as_secs_f64(), run.writing.as_secs_f64());
            let all = self.counted(run.prompt_tokens, "read")?;
            // What it knew already was not read.
            let read = all - run.cached_tokens.unwrap_or(0).min(all);
            let new = self.counted(run.new_tokens, "wrote")?;
            if new < 2 || writing <= 0.0 {
                let message = format!("the model ends after {new} tokens: nothing is measured");
                return Err(CommandError::new(Fault::World, message));
            }
            prefill.push(read as f64 / reading.max(1e-9));
            decode.push((new - 1) as f64 / writing);
            first.push(reading);
            read_counts.push(all as f64);
            new_counts.push(new as f64);
        }
        Ok(BenchElsewhereAnswer {
            engine: EngineView::of(self.engine),
            model: self.model.to_owned(),
            prompt_tokens: RateView::of(&read_counts).likely as u64,
            prefill: RateView::of(&prefill),
            first_seconds: RateView::of(&first),
            new_tokens: RateView::of(&new_counts).likely as u64,
            decode: RateView::of(&decode),
        })
    }
}

/// Words that make no sense, others for every run.
fn words_of(seed: u64, count: usize) -> String {
    let mut random = (seed ^ seed >> 32) as u32;
    let mut text = String::new();
    for _ in 0..count {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        for sign in 0..3 {
            let letter = (random >> (8 * sign + 7)) % 20;
            text.push(char::from(b'a' + letter as u8));
        }
        text.push(' ');
    }
    text
}

fn shown(answer: &BenchElsewhereAnswer) -> String {
    let heads =
        [("", Align::Left), ("median", Align::Right), ("range", Align::Right), ("", Align::Left)];
    let row = |what: String, rate: &RateView, unit: &str| {
        let (likely, range) = text::rates(rate, 1.0);
        vec![what, likely, range, unit.to_owned()]
    };
    let rows = vec![
        row(format!("read a prompt of {}", answer.prompt_tokens), &answer.prefill, "tokens/s"),
        row("first text after".to_owned(), &answer.first_seconds, "s"),
        row(format!("write {} tokens", answer.new_tokens), &answer.decode, "tokens/s"),
    ];
    let each = significant(1000.0 / answer.decode.likely);
    format!(
        "{} by {}: {each} ms for each token\n\n{}",
        answer.model,
        answer.engine.text(),
        table(&heads, rows)
    )
}
