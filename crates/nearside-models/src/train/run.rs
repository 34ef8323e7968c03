//! Training from the first step to the last.

use std::ops::ControlFlow;

use super::TrainError;
use super::batch::Batch;
use super::data::{Windows, spread};
use super::network::{Memory, Network};
use super::operator::cross_entropy::Loss;
use super::optimizer::{AdamW, Optimizer};
use super::schedule::Schedule;

/// How often a model is validated besides the beginning.
const VALIDATIONS: usize = 10;
/// The most windows that it is validated on.
const MAX_HELD_OUT: usize = 64;
/// What order follows from, apart from what weights do.
const ORDER: u64 = 0x006f_7264_6572;

/// How a model is trained.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Recipe {
    /// Sequences of a step.
    pub batch: usize,
    /// Tokens of a sequence.
    pub context: usize,
    /// Steps.
    pub steps: usize,
    /// The largest rate.
    pub rate: f64,
    /// Where chance begins.
    pub seed: u64,
    /// The optimizer's numbers.
    pub optimizer: AdamW,
    /// How memory is spent.
    pub memory: Memory,
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// Steps that are done.
    pub step: usize,
    /// The mean loss of the last one.
    pub loss: f64,
    /// The length of its gradient.
    pub gradient: f64,
    /// What is lost by what is held out, where that was found after this step.
    pub held_out: Option<Loss>,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// What was lost by what is held out before the first step.
    pub before: Loss,
    /// Every step, in order.
    pub steps: Vec<Progress>,
    /// What is lost by what is held out after the last step.
    pub after: Loss,
    /// Tokens that were read to learn.
    pub tokens: usize,
    /// Bytes of text that stand behind the predictions of what is held out.
    pub held_out_bytes: usize,
}

impl Run {
    /// Bits per byte of text of a loss of what is held out: `sum of -log2 p / bytes`.
    #[must_use]
    pub fn bits_per_byte(&self, loss: Loss) -> f64 {
        loss.sum / std::f64::consts::LN_2 / self.held_out_bytes.max(1) as f64
    }
}

/// Trains a network on tokens; `bytes` says how many bytes of text a token is. `tell` is told of every step and may end
/// it: then the network is as it was after that step.
///
/// # Errors
/// When a text is shorter than a sequence, or the loss is no finite number any more.
pub fn train(
    network: &mut Network,
    [learned, held_out]: [&[u32]; 2],
    bytes: &[usize],
    recipe: &Recipe,
    tell: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
) -> Result<Run, TrainError> {
    let held_out = spread(held_out, recipe.context, MAX_HELD_OUT, recipe.batch)?;
    let mut windows = Windows::new(learned, recipe.context, recipe.seed ^ ORDER)?;
    let schedule = Schedule::new(recipe.rate, recipe.steps);
    let mut optimizer = Optimizer::new(recipe.optimizer);
    let before = validate(network, &held_out)?;
    let (steps, held_out_bytes) = (Vec::new(), text_bytes(&held_out, bytes));
    let mut run = Run { before, steps, after: before, tokens: 0, held_out_bytes };
    network.parameters_mut().clear_gradients();
    for step in 1..=recipe.steps {
        let batch = windows.batch(recipe.batch)?;
        let loss = network.learn(&batch, recipe.memory)?.mean();
        if step == 1 {
            network.parameters().check_gradients()?;
        }
        let gradient = optimizer.step(network.parameters_mut(), schedule.rate(step - 1) as f32);
        if !loss.is_finite() || !gradient.is_finite() {
            return Err(TrainError::NotFinite { step, loss, gradient });
        }
        run.tokens += batch.tokens().len();
        let is_due =
            step == recipe.steps || step.is_multiple_of(recipe.steps.div_ceil(VALIDATIONS));
        let found = is_due.then(|| validate(network, &held_out)).transpose()?;
        let progress = Progress { step, loss, gradient, held_out: found };
        run.steps.push(progress);
        run.after = found.unwrap_or(run.after);
        if tell(&progress).is_break() {
            if found.is_none() {
                run.after = validate(network, &held_out)?;
            }
            break;
        }
    }
    Ok(run)
}

fn validate(network: &mut Network, held_out: &[Batch]) -> Result<Loss, TrainError> {
    let mut all = Loss::default();
    for batch in held_out {
        all = all.and(network.loss(batch)?);
    }
    Ok(all)
}

/// Bytes of the tokens that are predicted.
fn text_bytes(batches: &[Batch], bytes: &[usize]) -> usize {
    let targets = batches.iter().flat_map(|batch| batch.targets().iter().flatten());
    targets.filter_map(|token| bytes.get(*token as usize)).sum()
}
