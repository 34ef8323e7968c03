//! What was made, and what it learned.

use nearside_models::train::{Loss, Run, Shape, Tokens};
use nearside_units::{Bytes, Duration, significant};
use schemars::JsonSchema;
use serde::Serialize;

use super::texts::Texts;
use crate::cli::ModelTrain;
use crate::output::{Align, table};

/// Points of the curve of losses that are told at most.
const POINTS: usize = 100;
/// How much more is lost by what is held out than at best, before it is worth a word.
const FORGOTTEN: f64 = 1.02;

/// The answer of `nearside model train`.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct TrainAnswer {
    /// The folder that was written.
    output: String,
    /// Bytes of its weights.
    weights_bytes: u64,
    /// Texts that were read.
    texts: usize,
    /// Their bytes.
    text_bytes: u64,
    /// Tokens of them that are learned from.
    learned_tokens: usize,
    /// Tokens of them that are held out.
    held_out_tokens: usize,
    /// Numbers of the model.
    parameters: usize,
    /// Its sizes.
    sizes: SizesView,
    /// Where chance began.
    seed: u64,
    /// Steps that were done.
    steps: usize,
    /// Tokens that were read in them.
    tokens: usize,
    /// How long they took, with what was held out.
    seconds: f64,
    /// Tokens per second.
    tokens_per_second: f64,
    /// What was lost by what is held out before the first step.
    before: LossView,
    /// What is lost by what is held out after the last step.
    after: LossView,
    /// The mean loss of steps, in stretches of equal length.
    curve: Vec<PointView>,
    /// What was lost by what is held out on the way.
    held_out_curve: Vec<PointView>,
    /// Whether it was ended before the last step.
    pub(super) interrupted: bool,
    #[serde(skip)]
    pub(super) warnings: Vec<String>,
}

/// The sizes of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
struct SizesView {
    /// Tokens that it knows.
    vocabulary: usize,
    /// Width.
    hidden: usize,
    /// Width of feed-forward.
    intermediate: usize,
    /// Layers.
    layers: usize,
    /// Heads of queries.
    heads: usize,
    /// Heads of keys and values.
    key_value_heads: usize,
    /// The longest text that it reads, in tokens.
    context: usize,
}

/// What is lost by predictions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, JsonSchema)]
struct LossView {
    /// The mean of `-ln p` of tokens, in nats.
    loss: f64,
    /// The sum of `-log2 p`, for each byte of the text: it does not depend on the tokenizer.
    bits_per_byte: f64,
}

/// A point of a curve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
struct PointView {
    /// The last step of it.
    step: usize,
    /// The mean loss of a token, in nats.
    loss: f64,
}

impl TrainAnswer {
    pub(super) fn of(
        arguments: &ModelTrain,
        texts: &Texts,
        shape: &Shape,
        tokens: &Tokens,
    ) -> Self {
        let Shape { vocabulary, hidden, inner, layers, heads, key_heads, context } = *shape;
        Self {
            output: arguments.output.display().to_string(),
            weights_bytes: 0,
            texts: texts.texts.len(),
            text_bytes: texts.bytes,
            learned_tokens: tokens.learned.len(),
            held_out_tokens: tokens.held_out.len(),
            parameters: shape.parameters(),
            sizes: SizesView {
                vocabulary,
                hidden,
                intermediate: inner,
                layers,
                heads,
                key_value_heads: key_heads,
                context,
            },
            seed: arguments.seed,
            steps: 0,
            tokens: 0,
            seconds: 0.0,
            tokens_per_second: 0.0,
            before: LossView::default(),
            after: LossView::default(),
            curve: Vec::new(),
            held_out_curve: Vec::new(),
            interrupted: false,
            warnings: texts.warnings.clone(),
        }
    }

    pub(super) fn learned(&mut self, run: &Run, wanted: usize, seconds: f64, weights_bytes: u64) {
        let view =
            |loss: Loss| LossView { loss: loss.mean(), bits_per_byte: run.bits_per_byte(loss) };
        self.weights_bytes = weights_bytes;
        self.steps = run.steps.len();
        self.interrupted = self.steps < wanted;
        self.tokens = run.tokens;
        self.seconds = seconds;
        self.tokens_per_second = run.tokens as f64 / seconds.max(1e-9);
        (self.before, self.after) = (view(run.before), view(run.after));
        let stretch = run.steps.len().div_ceil(POINTS).max(1);
        self.curve = run
            .steps
            .chunks(stretch)
            .filter_map(|steps| {
                let sum: f64 = steps.iter().map(|progress| progress.loss).sum();
                let step = steps.last()?.step;
                Some(PointView { step, loss: sum / steps.len() as f64 })
            })
            .collect();
        let held_out = run.steps.iter().filter_map(|progress| {
            Some(PointView { step: progress.step, loss: progress.held_out?.mean() })
        });
        self.held_out_curve = held_out.collect();
    }

    /// Says what is not as it could be.
    pub(super) fn warn(&mut self, run: &Run, learned: usize) {
        let best = run.steps.iter().filter_map(|progress| Some(progress.held_out?.mean()));
        let best = best.fold(f64::INFINITY, f64::min);
        if run.after.mean() > best * FORGOTTEN {
            let times = significant(run.tokens as f64 / learned.max(1) as f64);
            self.warnings.push(format!(
                "what is held out was lost less on the way ({best:.3}): every token was read {times} times, and the \
                 model knows the texts by heart; more text or fewer --steps"
            ));
        }
        if self.interrupted {
            self.warnings.push(format!("interrupted after {} steps", run.steps.len()));
        }
    }

    pub(super) fn text(&self) -> String {
        let SizesView { vocabulary, hidden, layers, context, .. } = self.sizes;
        let seconds = Duration::from_seconds(self.seconds);
        let seconds = seconds.map_or_else(|_out| String::new(), |time| format!(" in {time}"));
        let speed = significant(self.tokens_per_second);
        let loss = |name: &str, view: &LossView| {
            let LossView { loss, bits_per_byte } = view;
            let perplexity = significant(loss.exp());
            vec![name.to_owned(), format!("{loss:.3}"), perplexity, format!("{bits_per_byte:.3}")]
        };
        let heads = [
            ("held out", Align::Left),
            ("nats/token", Align::Right),
            ("perplexity", Align::Right),
            ("bits/byte", Align::Right),
        ];
        let rows = vec![loss("before", &self.before), loss("after", &self.after)];
        format!(
            "{}: {} parameters ({vocabulary} tokens, width {hidden}, {layers} layers, context {context}), {}\n\
             read {} tokens in {} steps{seconds}, {speed} tokens/s; {} texts of {} have {} tokens, {} of them held out\n\n{}",
            self.output,
            significant(self.parameters as f64),
            Bytes::new(self.weights_bytes).si(),
            significant(self.tokens as f64),
            self.steps,
            self.texts,
            Bytes::new(self.text_bytes).si(),
            significant((self.learned_tokens + self.held_out_tokens) as f64),
            significant(self.held_out_tokens as f64),
            table(&heads, rows)
        )
    }
}
