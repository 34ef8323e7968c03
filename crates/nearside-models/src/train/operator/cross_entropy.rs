//! Scores of all words and what is lost by them, in one: `loss = ln(sum of e^c) - c[target]`, `c = cap tanh(z / cap)`,
//! `z = x W^T`.
//!
//! ```text
//! dz = share (softmax(c) - [is target]) (1 - (c / cap)^2),  dx = dz W,  dW += dz^T x
//! ```
//!
//! Scores are made of some tokens at a time, and of none that has no target: all of them, tokens times words, are never
//! in memory.

use rayon::prelude::*;

use super::sums::largest;
use crate::error::ModelError;
use crate::kernel::lanes::{self, Kernel, Lanes};
use crate::kernel::{capped, exponential};
use crate::train::TrainError;
use crate::train::parameter::{ParameterId, Parameters};
use crate::train::product::{Factor, Onto, product};

/// Scores that are in memory at once: 16 MiB of them.
const AT_ONCE: usize = 4 << 20;

/// The output layer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scores {
    /// A row for every word.
    pub(crate) weight: ParameterId,
    /// How wide what goes in is.
    pub(crate) width: usize,
    /// The cap of scores.
    pub(crate) cap: Option<f32>,
}

/// What is lost by predictions.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Loss {
    /// The sum of `-ln p` of all tokens that were predicted.
    pub sum: f64,
    /// How many these are.
    pub tokens: usize,
}

impl Loss {
    /// The mean, in nats; zero of nothing.
    #[must_use]
    pub fn mean(self) -> f64 {
        self.sum / self.tokens.max(1) as f64
    }

    /// That of both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self { sum: self.sum + other.sum, tokens: self.tokens + other.tokens }
    }
}

/// Memory that is used again.
#[derive(Debug, Default)]
pub(crate) struct ScoresMemory {
    chosen: Vec<(usize, usize)>,
    rows: Vec<f32>,
    scores: Vec<f32>,
    gradients: Vec<f32>,
    losses: Vec<f32>,
}

impl ScoresMemory {
    pub(crate) fn bytes(&self) -> usize {
        let Self { rows, scores, gradients, losses, .. } = self;
        [rows, scores, gradients, losses].map(Vec::capacity).iter().sum::<usize>() * 4
    }
}

impl Scores {
    /// The scores of every word, token by token.
    pub(crate) fn forward(
        &self,
        parameters: &Parameters,
        input: &[f32],
        scores: &mut Vec<f32>,
    ) -> Result<(), TrainError> {
        let weight = Factor::rows(parameters.values(self.weight), self.width).transposed();
        let words = parameters.values(self.weight).len() / self.width;
        scores.resize(input.len() / self.width * words, 0.0);
        product(Factor::rows(input, self.width), weight, 1.0, scores, Onto::Replace)?;
        if let Some(cap) = self.cap {
            crate::kernel::cap(cap, scores);
        }
        Ok(())
    }

    /// What is lost.
    pub(crate) fn loss(
        &self,
        parameters: &Parameters,
        input: &[f32],
        targets: &[Option<u32>],
        memory: &mut ScoresMemory,
    ) -> Result<Loss, TrainError> {
        self.choose(parameters, targets, memory)?;
        let mut loss = Loss::default();
        for chunk in self.chunks(parameters, memory) {
            loss = loss.and(self.part(parameters, input, chunk, None, memory)?);
        }
        Ok(loss)
    }

    /// What is lost, and how the mean of it changes with what went in and with the weights.
    pub(crate) fn learn(
        &self,
        parameters: &mut Parameters,
        input: &[f32],
        targets: &[Option<u32>],
        input_gradient: &mut Vec<f32>,
        memory: &mut ScoresMemory,
    ) -> Result<Loss, TrainError> {
        self.choose(parameters, targets, memory)?;
        input_gradient.clear();
        input_gradient.resize(input.len(), 0.0);
        let (width, mut loss) = (self.width, Loss::default());
        let share = 1.0 / memory.chosen.len().max(1) as f32;
        for chunk in self.chunks(parameters, memory) {
            loss = loss.and(self.part(parameters, input, chunk.clone(), Some(share), memory)?);
            let ScoresMemory { chosen, rows, scores, gradients, .. } = memory;
            let words = scores.len() / chunk.len().max(1);
            gradients.resize(rows.len(), 0.0);
            let weight = Factor::rows(parameters.values(self.weight), width);
            product(Factor::rows(scores, words), weight, 1.0, gradients, Onto::Replace)?;
            for ((row, _), gradient) in chosen[chunk].iter().zip(gradients.chunks_exact(width)) {
                input_gradient[row * width..(row + 1) * width].copy_from_slice(gradient);
            }
            if let Some(sums) = parameters.gradient(self.weight) {
                let scores = Factor::rows(scores, words).transposed();
                product(scores, Factor::rows(rows, width), 1.0, sums, Onto::Add)?;
            }
        }
        Ok(loss)
    }

    /// Rows that have a target, and that.
    fn choose(
        &self,
        parameters: &Parameters,
        targets: &[Option<u32>],
        memory: &mut ScoresMemory,
    ) -> Result<(), TrainError> {
        let vocabulary = parameters.values(self.weight).len() / self.width;
        memory.chosen.clear();
        for (row, token) in targets.iter().enumerate() {
            let Some(token) = *token else { continue };
            let word = usize::try_from(token).ok().filter(|word| *word < vocabulary);
            memory.chosen.push((row, word.ok_or(ModelError::Token { token, vocabulary })?));
        }
        Ok(())
    }

    fn chunks(
        &self,
        parameters: &Parameters,
        memory: &ScoresMemory,
    ) -> impl Iterator<Item = std::ops::Range<usize>> + use<> {
        let words = parameters.values(self.weight).len() / self.width;
        let (each, all) = ((AT_ONCE / words.max(1)).max(1), memory.chosen.len());
        (0..all).step_by(each).map(move |first| first..(first + each).min(all))
    }

    /// The loss of some of the chosen rows; their scores become gradients where each has a share in the loss.
    fn part(
        &self,
        parameters: &Parameters,
        input: &[f32],
        chunk: std::ops::Range<usize>,
        share: Option<f32>,
        memory: &mut ScoresMemory,
    ) -> Result<Loss, TrainError> {
        let ScoresMemory { chosen, rows, scores, losses, .. } = memory;
        let (width, chosen) = (self.width, &chosen[chunk]);
        rows.clear();
        for (row, _) in chosen {
            rows.extend_from_slice(&input[row * width..(row + 1) * width]);
        }
        let weights = parameters.values(self.weight);
        let words = weights.len() / width;
        scores.resize(chosen.len() * words, 0.0);
        losses.resize(chosen.len(), 0.0);
        let weights = Factor::rows(weights, width).transposed();
        product(Factor::rows(rows, width), weights, 1.0, scores, Onto::Replace)?;
        let rows = scores.par_chunks_exact_mut(words).zip(losses.par_iter_mut()).zip(chosen);
        rows.for_each(|((scores, loss), (_, target))| {
            *loss = lanes::run(Row { scores, target: *target, cap: self.cap, share });
        });
        let sum = losses.iter().map(|loss| f64::from(*loss)).sum();
        Ok(Loss { sum, tokens: chosen.len() })
    }
}

/// The scores of one token.
struct Row<'a> {
    scores: &'a mut [f32],
    target: usize,
    cap: Option<f32>,
    share: Option<f32>,
}

impl Kernel for Row<'_> {
    type Output = f32;

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) -> f32 {
        let Self { scores, target, cap, share } = self;
        if let Some(cap) = cap {
            for index in 0..scores.len() {
                scores[index] = capped(scores[index], cap);
            }
        }
        let largest = largest(scores);
        let log_sum = largest + exponentials(lanes, scores, largest).ln();
        let of_target = scores[target];
        if let Some(share) = share {
            let inverse = cap.map_or(0.0, |cap| 1.0 / cap);
            for index in 0..scores.len() {
                let part = scores[index] * inverse;
                let slope = (-part).mul_add(part, 1.0);
                scores[index] = share * slope * exponential(scores[index] - log_sum);
            }
            let part = of_target * inverse;
            scores[target] -= share * (-part).mul_add(part, 1.0);
        }
        log_sum - of_target
    }
}

/// The sum of `e^(x - largest)`.
#[inline(always)]
fn exponentials<L: Lanes>(lanes: L, row: &[f32], largest: f32) -> f32 {
    let (chunks, rest) = row.as_chunks::<16>();
    let mut parts = lanes.splat(0.0);
    let mut powers = [0.0; 16];
    for index in 0..chunks.len() {
        for lane in 0..16 {
            powers[lane] = exponential(chunks[index][lane] - largest);
        }
        parts = lanes.add(lanes.floats(&powers), parts);
    }
    let mut sum = lanes.total(parts);
    for index in 0..rest.len() {
        sum += exponential(rest[index] - largest);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::operator::differences::{Check, numbers};
    use crate::train::parameter::Learns;

    const TARGETS: [Option<u32>; 4] = [Some(3), None, Some(36), Some(0)];

    fn scores(cap: Option<f32>) -> (Parameters, Scores) {
        let mut parameters = Parameters::default();
        let weight = numbers(37 * 5, 1).into_iter().map(|weight| 2.0 * weight).collect();
        let weight = parameters.add("w".to_owned(), vec![37, 5], weight, Learns::Trained);
        (parameters, Scores { weight, width: 5, cap })
    }

    #[test]
    fn gradients_are_differences_with_and_without_a_cap_and_only_where_there_are_targets() {
        for cap in [None, Some(1.5)] {
            let (parameters, scores) = scores(cap);
            Check {
                parameters,
                inputs: vec![numbers(20, 2)],
                forward: &|parameters, inputs| {
                    let mut memory = ScoresMemory::default();
                    let loss = scores.loss(parameters, &inputs[0], &TARGETS, &mut memory).unwrap();
                    vec![loss.mean() as f32]
                },
                backward: &|parameters, inputs, above| {
                    let (mut gradient, mut memory) = (Vec::new(), ScoresMemory::default());
                    let input = &inputs[0];
                    scores.learn(parameters, input, &TARGETS, &mut gradient, &mut memory).unwrap();
                    assert!(gradient[5..10].iter().all(|number| number.to_bits() == 0));
                    let sums = parameters.gradient(scores.weight).unwrap();
                    sums.iter_mut().for_each(|sum| *sum *= above[0]);
                    gradient.iter_mut().for_each(|number| *number *= above[0]);
                    vec![gradient]
                },
            }
            .run();
        }
    }

    #[test]
    fn the_loss_is_that_of_the_scores() {
        let (mut parameters, scores) = scores(Some(1.5));
        let (input, mut memory) = (numbers(20, 2), ScoresMemory::default());
        let mut all = Vec::new();
        scores.forward(&parameters, &input, &mut all).unwrap();
        let row = |row: usize, target: usize| {
            let scores: Vec<f64> =
                all[row * 37..(row + 1) * 37].iter().map(|score| f64::from(*score)).collect();
            scores.iter().map(|score| score.exp()).sum::<f64>().ln() - scores[target]
        };
        let expected = row(0, 3) + row(2, 36) + row(3, 0);
        let loss = scores.loss(&parameters, &input, &TARGETS, &mut memory).unwrap();
        assert_eq!(loss.tokens, 3);
        assert!((loss.sum - expected).abs() < 1e-5, "{} {expected}", loss.sum);
        let mut gradient = Vec::new();
        let learned = scores.learn(&mut parameters, &input, &TARGETS, &mut gradient, &mut memory);
        assert_eq!(learned.unwrap(), loss);
    }

    #[test]
    fn a_target_beyond_the_vocabulary_is_an_error() {
        let (parameters, scores) = scores(None);
        let loss = scores.loss(&parameters, &[0.0; 5], &[Some(37)], &mut ScoresMemory::default());
        assert!(matches!(loss, Err(TrainError::Model(ModelError::Token { token: 37, .. }))));
    }
}
