//! Feed-forward of a block: one network for all tokens, or those that a router chooses for each.

use crate::error::ModelError;
use crate::kernel::{self, Input, multiply};

use super::forward::{Stream, project};
use super::{Dense, Experts, FeedForward};

impl FeedForward {
    pub(super) fn forward(&self, stream: &mut Stream) -> Result<(), ModelError> {
        let Stream { normed, made, gates, ups, .. } = stream;
        match self {
            Self::Dense(dense) => dense.forward(normed, gates, ups, made),
            Self::Experts(experts) => experts.forward(normed, gates, ups, made),
        }
    }
}

impl Dense {
    fn forward(
        &self,
        values: &[f32],
        gates: &mut Vec<f32>,
        ups: &mut Vec<f32>,
        made: &mut Vec<f32>,
    ) -> Result<(), ModelError> {
        let input = Input::new(values, self.up.matrix.width());
        match &self.gate {
            Some(gate) => {
                project([gate, &self.up], &input, [gates, ups])?;
                kernel::gate(self.activation, gates, ups);
            }
            None => {
                project([&self.up], &input, [gates])?;
                kernel::activate(self.activation, gates);
            }
        }
        project([&self.down], &Input::new(gates, self.down.matrix.width()), [made])
    }
}

impl Experts {
    fn forward(
        &self,
        values: &[f32],
        gates: &mut Vec<f32>,
        ups: &mut Vec<f32>,
        made: &mut Vec<f32>,
    ) -> Result<(), ModelError> {
        let width = self.router.width();
        let chosen = self.choose(values)?;
        made.clear();
        made.resize(values.len(), 0.0);
        let (mut rows, mut of_expert) = (Vec::new(), Vec::new());
        for (expert, network) in self.experts.iter().enumerate() {
            let users: Vec<_> = chosen.iter().filter(|choice| choice.expert == expert).collect();
            if users.is_empty() {
                continue;
            }
            rows.clear();
            for choice in &users {
                rows.extend_from_slice(&values[choice.token * width..(choice.token + 1) * width]);
            }
            network.forward(&rows, gates, ups, &mut of_expert)?;
            for (choice, row) in users.iter().zip(of_expert.chunks_exact(width)) {
                let sums = &mut made[choice.token * width..(choice.token + 1) * width];
                kernel::add_share(sums, row, choice.weight);
            }
        }
        let Some(shared) = &self.shared else { return Ok(()) };
        shared.network.forward(values, gates, ups, &mut of_expert)?;
        let mut shares = vec![1.0; values.len() / width];
        if let Some(share) = &shared.share {
            multiply(&[share.weights()], &Input::new(values, width), &mut [&mut shares])?;
            shares.iter_mut().for_each(|share| *share = 1.0 / (1.0 + (-*share).exp()));
        }
        let rows = made.chunks_exact_mut(width).zip(of_expert.chunks_exact(width));
        for ((sums, row), share) in rows.zip(shares) {
            kernel::add_share(sums, row, share);
        }
        Ok(())
    }

    /// The experts of every token, and how much of each it takes: the most probable ones.
    fn choose(&self, values: &[f32]) -> Result<Vec<Choice>, ModelError> {
        let count = self.experts.len();
        let input = Input::new(values, self.router.width());
        let mut scores = vec![0.0; input.rows() * count];
        multiply(&[self.router.weights()], &input, &mut [&mut scores])?;
        let mut choices = Vec::with_capacity(input.rows() * self.active);
        for (token, scores) in scores.chunks_exact(count).enumerate() {
            let largest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let weights: Vec<f32> = scores.iter().map(|score| (score - largest).exp()).collect();
            let mut order: Vec<usize> = (0..count).collect();
            order.sort_by(|left, right| weights[*right].total_cmp(&weights[*left]));
            order.truncate(self.active);
            let all: f32 = match self.renormalised {
                true => order.iter().map(|expert| weights[*expert]).sum(),
                false => weights.iter().sum(),
            };
            choices.extend(order.into_iter().map(|expert| Choice {
                token,
                expert,
                weight: weights[expert] / all,
            }));
        }
        Ok(choices)
    }
}

/// An expert of a token.
struct Choice {
    token: usize,
    expert: usize,
    weight: f32,
}
