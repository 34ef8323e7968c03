//! `nearside model generate`: a model answers, or writes a text on.

mod elsewhere;

use std::io::Read as _;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use nearside_models::{
    AddSpecial, ControlText, DecoderModel, Generator, ModelError, Sampler, SkipSpecial, StopText,
    StoredModel, Tokenizer,
};
use rayon::ThreadPool;
use schemars::JsonSchema;
use serde::Serialize;

use super::bench::ComparedView;
use super::pace::rate;
use crate::cli::ModelGenerate;
use crate::environment;
use crate::error::{CommandError, Fault};
use crate::output::{Answer, Form, Outcome, Output};
use crate::wire::engine::{self, EngineView};
use crate::wire::local_model;
use crate::wire::model_run::{ModelRun, Used, Watch};

/// Bytes of a prompt that is read from a pipe.
const MOST_PROMPT: u64 = 64 << 20;

/// The answer of `nearside model generate`.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct GenerateAnswer {
    /// Where the model lies, or what the other program calls it.
    model: String,
    /// The other program that computed, if one did.
    engine: Option<EngineView>,
    /// What was written.
    text: String,
    /// Why it ended.
    finish: Finish,
    /// Tokens that were read; absent where another program does not say.
    prompt_tokens: Option<usize>,
    /// Tokens that were written; absent where another program does not say.
    new_tokens: Option<usize>,
    /// How long reading took, in seconds; with another program until the first text came.
    prefill_seconds: f64,
    /// How long writing took, in seconds.
    decode_seconds: f64,
    /// Where chance began.
    seed: u64,
    /// What was measured beside what had been expected, where all processors computed for long enough.
    compared: Vec<ComparedView>,
    /// Whether both are kept for the next estimates.
    recorded: bool,
}

/// What takes less time says little of how fast tokens are written.
const LONG_ENOUGH: Duration = Duration::from_millis(500);

/// Why a text ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Finish {
    /// The model had nothing more to say, or a text came after which it was to end.
    Stop,
    /// As many tokens were written as were asked for.
    Length,
    /// Somebody ended it.
    Interrupted,
}

pub(super) fn run(arguments: &ModelGenerate, output: &Output) -> Result<Outcome, CommandError> {
    if let Some(engine) = engine::instead(&arguments.elsewhere)? {
        return elsewhere::run(arguments, &engine, output);
    }
    let path = local_model::find(&arguments.model)?;
    let stored = local_model::open(&path)?;
    let tokenizer = local_model::tokenizer(&stored)?;
    let prompt = tokens(&tokenizer, &prompt(arguments)?, arguments)?;
    let context = prompt.len() + arguments.tokens;
    let adapter = local_model::adapter(arguments.adapter.as_deref(), &stored)?;
    let model = local_model::load(&stored, adapter.as_ref(), context)?;
    if let Some(made_for) = model.context().filter(|made_for| *made_for < prompt.len()) {
        let tokens = prompt.len();
        return Err(local_model::told(&ModelError::Context { tokens, context: made_for })
            .hint("nothing is cut from a prompt unasked: make it shorter"));
    }
    if let Some(made_for) = model.context().filter(|made_for| *made_for < context) {
        output.warning(&format!(
            "the model was made for {made_for} tokens; this may be up to {context}"
        ));
    }
    let pool = local_model::threads(arguments.threads)?;
    let writing = Writing { model: &model, tokenizer: &tokenizer, pool: &pool, arguments, output };
    let watch = Watch::of_all();
    let written = writing.write(&prompt)?;
    let written = judged(written, watch.stop(), &path, &stored, (arguments, output));
    let answer = GenerateAnswer { model: path.display().to_string(), ..written };
    Ok(tell(&answer, output))
}

/// Tells what was not told while it was written.
fn tell(answer: &GenerateAnswer, output: &Output) -> Outcome {
    if output.form == Form::Json {
        let answer = Answer {
            schema: "nearside/model-generate/1",
            data: answer,
            warnings: &[],
            sources: &[],
        };
        output.json(&answer, environment::today());
    } else {
        output.piece("\n");
        output.progress(&speed(answer));
    }
    match answer.finish {
        Finish::Interrupted => Outcome::Partly,
        _ => Outcome::Done,
    }
}

/// The answer with what had been expected of it. Reading the prompt also brings the file into memory, which is no
/// measure of reading prompts.
fn judged(
    answer: GenerateAnswer,
    used: Used,
    path: &Path,
    stored: &StoredModel,
    (arguments, output): (&ModelGenerate, &Output),
) -> GenerateAnswer {
    // The first of the tokens that were written came with the prompt.
    let (read, new) = (answer.prompt_tokens.unwrap_or(0), answer.new_tokens.unwrap_or(0));
    let written = new.saturating_sub(1);
    let enough = answer.decode_seconds >= LONG_ENOUGH.as_secs_f64() && written > 0;
    // Estimates are for all processors, and for models without an adapter.
    if arguments.threads.is_some() || arguments.adapter.is_some() || !enough {
        return answer;
    }
    let tokens = [read, new].map(|tokens| tokens as u64);
    let Ok(expected) = ModelRun::new(path, stored, tokens, output) else { return answer };
    let token = nearside_units::Duration::from_seconds(answer.decode_seconds / written as f64).ok();
    // An interrupted one has not held all that it was to hold.
    let memory = used.memory.filter(|_| answer.finish != Finish::Interrupted);
    let used = Used { token, memory, energy: None, ..used };
    let compared = expected.compared(&used);
    let recorded = !arguments.no_record && expected.record(&compared, &used, output);
    let compared = compared.iter().map(|one| ComparedView::of(one, tokens[0])).collect();
    GenerateAnswer { compared, recorded, ..answer }
}

/// The prompt of the command line, or that of a pipe.
fn prompt(arguments: &ModelGenerate) -> Result<String, CommandError> {
    match arguments.prompt.as_deref() {
        Some(prompt) if prompt != "-" => Ok(prompt.to_owned()),
        _ => {
            let mut prompt = String::new();
            let read = std::io::stdin().lock().take(MOST_PROMPT + 1).read_to_string(&mut prompt);
            read.map_err(|error| CommandError::new(Fault::Input, format!("no prompt: {error}")))?;
            if prompt.len() as u64 > MOST_PROMPT {
                return Err(CommandError::new(Fault::Input, "the prompt is longer than 64 MiB"));
            }
            Ok(prompt)
        }
    }
}

/// What the model reads: the prompt as it is, or as a question in its chat template.
fn tokens(
    tokenizer: &Tokenizer,
    prompt: &str,
    arguments: &ModelGenerate,
) -> Result<Vec<u32>, CommandError> {
    let messages = arguments.system.iter().map(|system| ("system", system.as_str()));
    let messages: Vec<_> = messages.chain([("user", prompt)]).collect();
    let asked = match arguments.raw {
        true => None,
        false => local_model::asked(tokenizer, &messages)
            .map_err(|error| error.hint("--raw writes the prompt on without a template"))?,
    };
    let read = match asked {
        Some(tokens) => tokens,
        None if arguments.system.is_some() => {
            let message = "the model has no chat template, and so no place for --system";
            return Err(CommandError::new(Fault::Input, message)
                .hint("say it at the beginning of the prompt"));
        }
        None => {
            let tokens = tokenizer.encode(prompt, AddSpecial::Add, ControlText::Plain);
            tokens.map_err(|error| local_model::unread(&error))?
        }
    };
    if read.is_empty() {
        return Err(CommandError::new(Fault::Input, "the prompt is empty"));
    }
    Ok(read)
}

/// A model at work.
struct Writing<'a> {
    model: &'a DecoderModel,
    tokenizer: &'a Tokenizer,
    pool: &'a ThreadPool,
    arguments: &'a ModelGenerate,
    output: &'a Output,
}

impl Writing<'_> {
    fn write(&self, prompt: &[u32]) -> Result<GenerateAnswer, CommandError> {
        let Self { model, tokenizer, pool, arguments, output } = self;
        let interrupted = environment::interrupted_once();
        let mut generator = Generator::new(model, prompt.len() + arguments.tokens);
        let mut read = |tokens: &[u32]| {
            pool.install(|| generator.read(tokens)).map_err(|error| local_model::told(&error))?;
            Ok::<_, CommandError>(generator.scores().to_vec())
        };
        let (start, mut finish, mut scores) = (Instant::now(), Finish::Length, Vec::new());
        for (index, part) in prompt.chunks(Generator::AT_ONCE).enumerate() {
            if interrupted.load(Ordering::Relaxed) {
                finish = Finish::Interrupted;
                break;
            }
            if index > 0 {
                let done = index * Generator::AT_ONCE;
                output.watched(&format!("read {done} of {} tokens", prompt.len()));
            }
            scores = read(part)?;
        }
        let prefill = start.elapsed();
        let (start, mut sampler) = (Instant::now(), Sampler::new(arguments.choosing.sampling()));
        let mut stream = tokenizer.stream(SkipSpecial::Skip);
        let mut text = StopText::new(arguments.choosing.stop.iter().cloned());
        let mut tokens = prompt.to_vec();
        while finish == Finish::Length && tokens.len() < prompt.len() + arguments.tokens {
            let token = sampler.choose(&scores, prompt, &tokens[prompt.len()..]);
            if tokenizer.special().ends.contains(&token) {
                finish = Finish::Stop;
                break;
            }
            tokens.push(token);
            let piece = stream.push(token).map_err(|error| local_model::unread(&error))?;
            self.show(&text.add(&piece));
            if text.is_ended() {
                finish = Finish::Stop;
            } else if interrupted.load(Ordering::Relaxed) {
                finish = Finish::Interrupted;
            } else if tokens.len() < prompt.len() + arguments.tokens {
                scores = read(&[token])?;
            }
        }
        if !text.is_ended() {
            let last = text.add(&stream.finish());
            self.show(&last);
            self.show(&text.finish());
        }
        Ok(self.answer(
            text.into_written(),
            finish,
            [prompt.len(), tokens.len() - prompt.len()],
            [prefill, start.elapsed()],
        ))
    }

    fn show(&self, piece: &str) {
        if self.output.form == Form::Text {
            self.output.piece(piece);
        }
    }

    fn answer(
        &self,
        text: String,
        finish: Finish,
        [prompt_tokens, new_tokens]: [usize; 2],
        [prefill, decode]: [Duration; 2],
    ) -> GenerateAnswer {
        GenerateAnswer {
            model: String::new(),
            engine: None,
            text,
            finish,
            prompt_tokens: Some(prompt_tokens),
            new_tokens: Some(new_tokens),
            prefill_seconds: prefill.as_secs_f64(),
            decode_seconds: decode.as_secs_f64(),
            seed: self.arguments.choosing.seed,
            compared: Vec::new(),
            recorded: false,
        }
    }
}

fn speed(answer: &GenerateAnswer) -> String {
    let why = match answer.finish {
        Finish::Stop => "",
        Finish::Length => "; as many as were asked for (--tokens)",
        Finish::Interrupted => "; interrupted",
    };
    let expected = answer.compared.iter().find(|one| one.is_of_tokens());
    let expected =
        expected.map_or_else(String::new, |one| format!(" (expected {})", one.between()));
    let engine =
        answer.engine.as_ref().map_or_else(String::new, |engine| format!("; by {}", engine.text()));
    format!(
        "read {}, wrote {}{expected}{why}{engine}",
        rate(answer.prompt_tokens, 0, Duration::from_secs_f64(answer.prefill_seconds), 0),
        rate(answer.new_tokens, 0, Duration::from_secs_f64(answer.decode_seconds), 1)
    )
}
