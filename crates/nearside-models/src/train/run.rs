//! Training from the first step to the last.

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

/// A network on its way from the first step to the last.
#[derive(Debug)]
pub struct Trainer<'a> {
    network: &'a mut Network,
    recipe: Recipe,
    windows: Windows<'a>,
    held_out: Vec<Batch>,
    schedule: Schedule,
    optimizer: Optimizer,
    run: Run,
}

impl<'a> Trainer<'a> {
    /// Begins with a network and the tokens that it learns from, and with those that are held out; `bytes` says how many
    /// bytes of text a token is.
    ///
    /// # Errors
    /// When a text is shorter than a sequence.
    pub fn new(
        network: &'a mut Network,
        [learned, held_out]: [&'a [u32]; 2],
        bytes: &[usize],
        recipe: &Recipe,
    ) -> Result<Self, TrainError> {
        let held_out = spread(held_out, recipe.context, MAX_HELD_OUT, recipe.batch)?;
        let windows = Windows::new(learned, recipe.context, recipe.seed ^ ORDER)?;
        let schedule = Schedule::new(recipe.rate, recipe.steps);
        let optimizer = Optimizer::new(recipe.optimizer);
        let before = validate(network, &held_out)?;
        let (steps, held_out_bytes) = (Vec::new(), text_bytes(&held_out, bytes));
        let run = Run { before, steps, after: before, tokens: 0, held_out_bytes };
        network.parameters_mut().clear_gradients();
        Ok(Self { network, recipe: *recipe, windows, held_out, schedule, optimizer, run })
    }

    /// Takes a step; `None` when all are done.
    ///
    /// # Errors
    /// When the loss is no finite number any more, or does not depend on something that is trained.
    pub fn step(&mut self) -> Result<Option<Progress>, TrainError> {
        let Self { network, recipe, windows, schedule, optimizer, run, .. } = self;
        let (step, steps) = (run.steps.len() + 1, recipe.steps);
        if step > steps {
            return Ok(None);
        }
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
        let is_due = step == steps || step.is_multiple_of(steps.div_ceil(VALIDATIONS));
        let held_out = is_due.then(|| validate(network, &self.held_out)).transpose()?;
        let progress = Progress { step, loss, gradient, held_out };
        run.steps.push(progress);
        run.after = held_out.unwrap_or(run.after);
        Ok(Some(progress))
    }

    /// Ends, whether or not all steps are done, and says what came of them.
    ///
    /// # Errors
    /// As [`Network::loss`].
    pub fn finish(mut self) -> Result<Run, TrainError> {
        if self.run.steps.last().is_some_and(|last| last.held_out.is_none()) {
            self.run.after = validate(self.network, &self.held_out)?;
        }
        Ok(self.run)
    }
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
