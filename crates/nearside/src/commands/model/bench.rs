//! `nearside model bench`: how fast a model reads and writes here, how much of what the machine can do that is, and
//! whether it is what was expected.

mod elsewhere;
mod text;

use std::time::{Duration, Instant};

use nearside_models::evaluate::speed;
use nearside_models::kernel::Instructions;
use nearside_models::{DecoderModel, Generator, ModelError};
use nearside_units::{Bytes, BytesPerSecond, Span};
use rayon::ThreadPool;
use schemars::JsonSchema;
use serde::Serialize;

pub(crate) use self::elsewhere::BenchElsewhereAnswer;
use crate::cli::ModelBench;
use crate::environment;
use crate::error::CommandError;
use crate::output::{Answer, Form, Outcome, Output};
use crate::view::Range;
use crate::wire::model_run::{ModelRun, Used, Watch};
use crate::wire::observed::{Compared, Metric};
use crate::wire::{engine, local_model};

/// The answer of `nearside model bench`.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct BenchAnswer {
    /// Where the model lies.
    model: String,
    /// Bytes of its tensors.
    bytes: u64,
    /// Threads that computed.
    threads: usize,
    /// Instructions that the kernels used.
    instructions: String,
    /// How long it took until the first token could be computed, in seconds.
    load_seconds: f64,
    /// Tokens of the prompt.
    prompt_tokens: usize,
    /// How fast they were read.
    prefill: RateView,
    /// Tokens read per second of processor, of all threads; absent where the system does not say.
    prefill_per_processor_second: Option<f64>,
    /// Tokens that were written.
    new_tokens: usize,
    /// How fast they were written.
    decode: RateView,
    /// Tokens written per second of processor, of all threads; absent where the system does not say.
    decode_per_processor_second: Option<f64>,
    /// Bytes of weights that are read for every token that is written.
    bytes_per_token: u64,
    /// How fast this machine's memory is read, in bytes per second: measured after the model.
    memory_read: Option<RateView>,
    /// What share of that the weights came at while tokens were written.
    share_of_memory_read: Option<f64>,
    /// The most memory that the process held, in bytes; pages of the model's file among it.
    resident_bytes: Option<u64>,
    /// Time that threads waited for a processor over the time that they were on one: other work was there.
    queued_share: Option<f64>,
    /// What was measured beside what had been expected, where all processors computed.
    compared: Vec<ComparedView>,
    /// Why it is not compared, where it is not.
    not_compared: Option<String>,
    /// Whether both are kept for the next estimates.
    recorded: bool,
}

/// A figure that was measured, beside what had been expected.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(super) struct ComparedView {
    /// `prompt` and `token`: tokens per second; `memory`: bytes; `energy`: joules.
    what: String,
    /// What had been expected.
    expected: Range,
    /// What was measured.
    measured: f64,
    /// Whether that lies within what had been expected.
    within: bool,
}

impl ComparedView {
    /// Times as rates: so many tokens of a prompt, or one.
    pub(super) fn of(compared: &Compared, prompt: u64) -> Self {
        let Compared { metric, expected, measured, .. } = *compared;
        let rate = |tokens: f64| {
            let [low, likely, high] =
                [expected.high(), expected.likely(), expected.low()].map(|time| tokens / time);
            (Range { low, likely, high }, tokens / measured)
        };
        let (expected, measured) = match metric {
            Metric::Prompt => rate(prompt as f64),
            Metric::Token => rate(1.0),
            Metric::Memory | Metric::Energy => (Range::of(expected, |number| number), measured),
        };
        let what = metric.name().to_owned();
        Self { what, expected, measured, within: compared.is_within() }
    }

    /// Whether it is the rate of tokens that are written.
    pub(super) fn is_of_tokens(&self) -> bool {
        self.what == Metric::Token.name()
    }

    /// Both ends of what had been expected.
    pub(super) fn between(&self) -> String {
        text::between(&self.expected, 1.0)
    }
}

/// A rate over several runs, per second.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
struct RateView {
    /// The slowest run.
    low: f64,
    /// The median.
    likely: f64,
    /// The fastest run.
    high: f64,
}

pub(super) fn run(arguments: &ModelBench, output: &Output) -> Result<Outcome, CommandError> {
    if let Some(engine) = engine::instead(&arguments.elsewhere)? {
        return elsewhere::run(arguments, &engine, output);
    }
    let path = local_model::find(&arguments.model)?;
    let start = Instant::now();
    let stored = local_model::open(&path)?;
    let context = arguments.prompt + arguments.new;
    let adapter = local_model::adapter(arguments.adapter.as_deref(), &stored)?;
    let model = local_model::load(&stored, adapter.as_ref(), context)?;
    let load_seconds = start.elapsed().as_secs_f64();
    let pool = local_model::threads(arguments.threads)?;
    let told = |error: ModelError| local_model::told(&error);
    let tokens = [arguments.prompt, arguments.new].map(|tokens| tokens as u64);
    let expected = ModelRun::new(&path, &stored, tokens, output)?;
    let watch = Watch::of_all();
    let runs = Runs::measure(&model, &pool, arguments, output).map_err(told)?;
    let used = runs.used(arguments, watch.stop());
    output.watched("how fast memory is read");
    let memory_read = match nearside_probe::ceiling::memory_read() {
        Ok(rates) => Some(RateView::of_span(rates)),
        Err(why) => {
            output.warning(&format!("memory was not measured: {why}"));
            None
        }
    };
    let threads = pool.current_num_threads();
    let not_compared = not_compared(arguments, &expected);
    let is_compared = not_compared.is_none();
    let compared = if is_compared { expected.compared(&used) } else { Vec::new() };
    let recorded = is_compared && !arguments.no_record && expected.record(&compared, &used, output);
    let bytes_per_token = model.bytes_per_token();
    let decode = RateView::of(&runs.decode);
    let answer = BenchAnswer {
        model: path.display().to_string(),
        bytes: stored.bytes(),
        threads,
        instructions: Instructions::detected().to_string(),
        load_seconds,
        prompt_tokens: arguments.prompt,
        prefill: RateView::of(&runs.prefill),
        prefill_per_processor_second: runs
            .per_processor_second(arguments.prompt, runs.prefill_processor),
        new_tokens: arguments.new,
        decode,
        decode_per_processor_second: runs
            .per_processor_second(arguments.new, runs.decode_processor),
        bytes_per_token,
        memory_read,
        share_of_memory_read: memory_read
            .map(|memory| decode.likely * bytes_per_token as f64 / memory.likely),
        resident_bytes: used.memory.map(Bytes::get),
        queued_share: used.queued_share(),
        compared: compared.iter().map(|one| ComparedView::of(one, tokens[0])).collect(),
        not_compared: not_compared.map(str::to_owned),
        recorded,
    };
    if output.form == Form::Json {
        let answer =
            Answer { schema: "nearside/model-bench/1", data: &answer, warnings: &[], sources: &[] };
        output.json(&answer, environment::today());
        return Ok(Outcome::Done);
    }
    output.text(&text::text(&answer));
    if used.is_busy() {
        output.warning(
            "other work kept the processors busy meanwhile: alone it is faster, and this does not count for estimates",
        );
    }
    Ok(Outcome::Done)
}

/// Why what was measured is not held against what was expected, if it is not.
fn not_compared(arguments: &ModelBench, expected: &ModelRun) -> Option<&'static str> {
    match (arguments.threads, &arguments.adapter, expected.phases()) {
        (Some(_), ..) => Some("estimates are for all processors"),
        (_, Some(_), _) => Some("estimates are for models without an adapter"),
        (None, None, None) => Some("nothing is expected of such a model, or of this machine"),
        (None, None, Some(_)) => None,
    }
}

/// Tokens per second of every run.
#[derive(Default)]
struct Runs {
    prefill: Vec<f64>,
    decode: Vec<f64>,
    /// Seconds of processor that all of them took.
    prefill_processor: Option<f64>,
    decode_processor: Option<f64>,
    /// Time that threads waited for a processor in all of them, and that they were on one.
    queued: Option<ProcessorTime>,
    on: Option<ProcessorTime>,
}

/// How long threads were, all together.
type ProcessorTime = nearside_units::Duration;

impl Runs {
    fn measure(
        model: &DecoderModel,
        pool: &ThreadPool,
        arguments: &ModelBench,
        output: &Output,
    ) -> Result<Self, ModelError> {
        let zero = Some(ProcessorTime::ZERO);
        let mut runs = Self { on: zero, queued: zero, ..Self::default() };
        // The first run brings the file into memory, and does not count.
        for run in 0..=arguments.runs {
            output.watched(&format!("run {run} of {}", arguments.runs));
            let timed = pool.install(|| Timed::measure(model, arguments))?;
            if run > 0 {
                runs.add(&timed, arguments);
            }
        }
        Ok(runs)
    }

    fn add(&mut self, timed: &Timed, arguments: &ModelBench) {
        self.prefill.push(per_second(arguments.prompt, timed.prefill));
        self.decode.push(per_second(arguments.new, timed.decode));
        let [prefill, decode] = &timed.used;
        let first = self.prefill.len() == 1;
        let sum = |sum: Option<f64>, more: Option<f64>| match first {
            true => more,
            false => sum.zip(more).map(|(sum, more)| sum + more),
        };
        let seconds = |used: &Used| used.on.map(ProcessorTime::as_seconds);
        self.prefill_processor = sum(self.prefill_processor, seconds(prefill));
        self.decode_processor = sum(self.decode_processor, seconds(decode));
        for used in [prefill, decode] {
            for (sum, more) in [(&mut self.on, used.on), (&mut self.queued, used.queued)] {
                *sum = sum.zip(more).map(|(sum, more)| sum + more);
            }
        }
    }

    /// What a run used: its median times, and the most memory of all of them.
    fn used(&self, arguments: &ModelBench, all: Used) -> Used {
        let time = |tokens: usize, rates: &[f64]| {
            let rate = RateView::of(rates).likely;
            ProcessorTime::from_seconds(tokens as f64 / rate).ok()
        };
        Used {
            prompt: time(arguments.prompt, &self.prefill),
            token: time(1, &self.decode),
            memory: all.memory,
            on: self.on,
            queued: self.queued,
            // That of all runs together is not what one is expected to take.
            energy: None,
        }
    }

    /// Tokens of all runs per second of processor.
    fn per_processor_second(&self, tokens: usize, seconds: Option<f64>) -> Option<f64> {
        let tokens = (tokens * self.prefill.len()) as f64;
        seconds.filter(|seconds| *seconds > 0.0).map(|seconds| tokens / seconds)
    }
}

/// One run.
struct Timed {
    prefill: Duration,
    decode: Duration,
    used: [Used; 2],
}

impl Timed {
    /// Reads a prompt and writes tokens; any will do, if they are not all the same.
    fn measure(model: &DecoderModel, arguments: &ModelBench) -> Result<Self, ModelError> {
        let mut generator = Generator::new(model, arguments.prompt + arguments.new);
        let (watch, start) = (Watch::of_processors(), Instant::now());
        let prompt = speed::prompt(model.vocabulary(), arguments.prompt);
        speed::read(&mut generator, &prompt)?;
        let (prefill, read) = (start.elapsed(), watch.stop());
        let (watch, start) = (Watch::of_processors(), Instant::now());
        for place in 0..arguments.new {
            speed::write(&mut generator, model.vocabulary(), place)?;
        }
        Ok(Self { prefill, decode: start.elapsed(), used: [read, watch.stop()] })
    }
}

fn per_second(count: usize, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64().max(1e-9)
}

impl RateView {
    fn of(rates: &[f64]) -> Self {
        let mut sorted = rates.to_vec();
        sorted.sort_by(f64::total_cmp);
        let at = |place: usize| sorted.get(place).copied().unwrap_or(0.0);
        let last = sorted.len().saturating_sub(1);
        Self { low: at(0), likely: at(last / 2), high: at(last) }
    }

    fn of_span(span: Span<BytesPerSecond>) -> Self {
        let [low, likely, high] =
            [span.low(), span.likely(), span.high()].map(BytesPerSecond::as_bytes_per_second);
        Self { low, likely, high }
    }
}
