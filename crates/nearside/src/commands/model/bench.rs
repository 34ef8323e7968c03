//! `nearside model bench`: how fast a model reads and writes here, and how much of what the machine can do that is.

use std::fs;
use std::time::{Duration, Instant};

use nearside_models::kernel::Instructions;
use nearside_models::{DecoderModel, Generator, ModelError, best};
use nearside_units::{Bytes, BytesPerSecond, Span, significant};
use rayon::ThreadPool;
use schemars::JsonSchema;
use serde::Serialize;

use crate::cli::ModelBench;
use crate::environment;
use crate::error::CommandError;
use crate::output::{Align, Answer, Form, Outcome, Output, table};
use crate::wire::local_model;

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
    /// Memory that the process had at the end, in bytes; pages of the model's file among it.
    resident_bytes: Option<u64>,
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
    let path = local_model::find(&arguments.model)?;
    let start = Instant::now();
    let stored = local_model::open(&path)?;
    let context = arguments.prompt + arguments.new;
    let adapter = local_model::adapter(arguments.adapter.as_deref(), &stored)?;
    let model = local_model::load(&stored, adapter.as_ref(), context)?;
    let load_seconds = start.elapsed().as_secs_f64();
    let pool = local_model::threads(arguments.threads)?;
    let told = |error: ModelError| local_model::told(&error);
    let runs = Runs::measure(&model, &pool, arguments, output).map_err(told)?;
    let resident_bytes = resident();
    output.watched("how fast memory is read");
    let memory_read = match nearside_probe::ceiling::memory_read() {
        Ok(rates) => Some(RateView::of_span(rates)),
        Err(why) => {
            output.warning(&format!("memory was not measured: {why}"));
            None
        }
    };
    let bytes_per_token = model.bytes_per_token();
    let decode = RateView::of(&runs.decode);
    let answer = BenchAnswer {
        model: path.display().to_string(),
        bytes: stored.bytes(),
        threads: pool.current_num_threads(),
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
        resident_bytes,
    };
    if output.form == Form::Json {
        let answer =
            Answer { schema: "nearside/model-bench/1", data: &answer, warnings: &[], sources: &[] };
        output.json(&answer, environment::today());
        return Ok(Outcome::Done);
    }
    output.text(&text(&answer));
    Ok(Outcome::Done)
}

/// Tokens per second of every run.
#[derive(Default)]
struct Runs {
    prefill: Vec<f64>,
    decode: Vec<f64>,
    /// Seconds of processor that all of them took.
    prefill_processor: Option<f64>,
    decode_processor: Option<f64>,
}

impl Runs {
    fn measure(
        model: &DecoderModel,
        pool: &ThreadPool,
        arguments: &ModelBench,
        output: &Output,
    ) -> Result<Self, ModelError> {
        let mut runs = Self::default();
        let vocabulary = u32::try_from(model.vocabulary()).unwrap_or(u32::MAX).max(1);
        let prompt = u32::try_from(arguments.prompt).unwrap_or(u32::MAX);
        // Any tokens will do, if they are not all the same.
        let tokens: Vec<u32> =
            (0..prompt).map(|at| at.wrapping_mul(7919).wrapping_add(13) % vocabulary).collect();
        // The first run brings the file into memory, and does not count.
        for run in 0..=arguments.runs {
            output.watched(&format!("run {run} of {}", arguments.runs));
            let mut generator = Generator::new(model, arguments.prompt + arguments.new);
            let mut read = |tokens: &[u32]| {
                pool.install(|| generator.read(tokens))?;
                Ok::<_, ModelError>(best(generator.scores()))
            };
            let (start, begun, mut token) = (Instant::now(), processor_seconds(), 0);
            for tokens in tokens.chunks(Generator::AT_ONCE) {
                token = read(tokens)?;
            }
            let prefill = per_second(arguments.prompt, start.elapsed());
            let (start, between) = (Instant::now(), processor_seconds());
            for _ in 0..arguments.new {
                token = read(&[token])?;
            }
            if run > 0 {
                runs.prefill.push(prefill);
                runs.decode.push(per_second(arguments.new, start.elapsed()));
                let since = |sum: Option<f64>, begun: Option<f64>, ended: Option<f64>| {
                    Some(sum.unwrap_or(0.0) + ended? - begun?)
                };
                runs.prefill_processor = since(runs.prefill_processor, begun, between);
                runs.decode_processor = since(runs.decode_processor, between, processor_seconds());
            }
        }
        Ok(runs)
    }
}

impl Runs {
    /// Tokens of all runs per second of processor.
    fn per_processor_second(&self, tokens: usize, seconds: Option<f64>) -> Option<f64> {
        let tokens = (tokens * self.prefill.len()) as f64;
        seconds.filter(|seconds| *seconds > 0.0).map(|seconds| tokens / seconds)
    }
}

/// Time of all threads of this process on processors, where the system says.
fn processor_seconds() -> Option<f64> {
    /// Ticks of a second in `/proc`: that of every Linux.
    const TICKS: f64 = 100.0;
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // What stands before the last bracket is a name, with blanks perhaps.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<f64>().ok();
    Some((ticks()? + ticks()?) / TICKS)
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

/// Memory of this process, where the system says.
fn resident() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes << 10)
}

fn text(answer: &BenchAnswer) -> String {
    let rate = |rate: &RateView, unit: f64| {
        let [low, likely, high] =
            [rate.low, rate.likely, rate.high].map(|rate| significant(rate / unit));
        vec![likely, format!("{low}-{high}")]
    };
    let row = |what: String, values: Vec<String>, unit: &str| {
        [vec![what], values, vec![unit.to_owned()]].concat()
    };
    let single = |value: String| vec![value, String::new()];
    let mut rows = vec![
        row(
            format!("read a prompt of {}", answer.prompt_tokens),
            rate(&answer.prefill, 1.0),
            "tokens/s",
        ),
        row(format!("write {} tokens", answer.new_tokens), rate(&answer.decode, 1.0), "tokens/s"),
        row(
            "weights for each token".to_owned(),
            single(significant(answer.bytes_per_token as f64 / 1e9)),
            "GB",
        ),
    ];
    if let (Some(memory), Some(share)) = (&answer.memory_read, answer.share_of_memory_read) {
        rows.push(row("memory is read at".to_owned(), rate(memory, 1e9), "GB/s"));
        rows.push(row(
            "writing reaches of that".to_owned(),
            single(significant(100.0 * share)),
            "%",
        ));
    }
    if let Some(resident) = answer.resident_bytes {
        let [resident, file] = [resident, answer.bytes].map(|bytes| bytes as f64 / 1e9);
        rows.push(row(
            format!("memory of the process (tensors {} GB)", significant(file)),
            single(significant(resident)),
            "GB",
        ));
    }
    rows.push(row("ready after".to_owned(), single(significant(answer.load_seconds)), "s"));
    let heads =
        [("", Align::Left), ("median", Align::Right), ("range", Align::Right), ("", Align::Left)];
    let threads = answer.threads;
    format!(
        "{} ({}), {threads} {}, {}\n\n{}",
        answer.model,
        Bytes::new(answer.bytes).si(),
        if threads == 1 { "thread" } else { "threads" },
        answer.instructions,
        table(&heads, rows)
    )
}
