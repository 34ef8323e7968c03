//! Attention of a block: queries, keys and values of what goes in, turned by their positions, and what comes of it.

use std::mem::swap;
use std::sync::Arc;

use super::block::{Kept, Work};
use crate::kernel::Heads;
use crate::train::TrainError;
use crate::train::batch::Batch;
use crate::train::operator::attention::{Attention, Gradients, Inputs, Outputs};
use crate::train::operator::linear::Linear;
use crate::train::operator::rms_norm::RmsNorm;
use crate::train::operator::rope::{Rotary, Way};
use crate::train::parameter::Parameters;
use crate::train::product::Onto;

/// Attention with its projections.
#[derive(Debug)]
pub(super) struct SelfAttention {
    pub(super) heads: Heads,
    pub(super) query: Linear,
    pub(super) key: Linear,
    pub(super) value: Linear,
    pub(super) output: Linear,
    pub(super) query_norm: Option<RmsNorm>,
    pub(super) key_norm: Option<RmsNorm>,
    pub(super) rotary: Arc<Rotary>,
}

impl SelfAttention {
    /// From `work.normed` to `work.made`.
    pub(super) fn forward(
        &self,
        parameters: &Parameters,
        batch: &Batch,
        kept: &mut Kept,
        work: &mut Work,
    ) -> Result<(), TrainError> {
        let Kept { plain_queries, plain_keys, queries, keys, values, log_sums, attended, .. } =
            kept;
        self.query.forward(parameters, &work.normed, queries)?;
        self.key.forward(parameters, &work.normed, keys)?;
        self.value.forward(parameters, &work.normed, values)?;
        let norms =
            [(&self.query_norm, queries, plain_queries), (&self.key_norm, keys, plain_keys)];
        let [queries, keys] = norms.map(|(norm, turned, plain)| {
            if let Some(norm) = norm {
                swap(turned, plain);
                norm.forward(parameters, plain, turned);
            }
            self.rotary.turn(turned, self.heads.width, batch.positions(), Way::Forward);
            turned
        });
        let attention = Attention { heads: &self.heads, sequences: batch.sequences() };
        let inputs = Inputs { queries, keys, values };
        attention.forward(inputs, attended, log_sums, &mut work.attention)?;
        self.output.forward(parameters, attended, &mut work.made)
    }

    /// From `work.made_gradient` to `work.normed_gradient`, where `work.normed` is what went in.
    pub(super) fn backward(
        &self,
        parameters: &mut Parameters,
        batch: &Batch,
        kept: &Kept,
        work: &mut Work,
    ) -> Result<(), TrainError> {
        let Kept { plain_queries, plain_keys, queries, keys, values, log_sums, attended, .. } =
            kept;
        let Work { normed, normed_gradient, made_gradient, attended_gradient, .. } = work;
        let Work { queries_gradient, keys_gradient, values_gradient, plain_gradient, .. } = work;
        self.output.learn(parameters, attended, made_gradient)?;
        attended_gradient.resize(attended.len(), 0.0);
        self.output.backward(parameters, made_gradient, attended_gradient, Onto::Replace)?;
        let attention = Attention { heads: &self.heads, sequences: batch.sequences() };
        let inputs = Inputs { queries, keys, values };
        let outputs = Outputs { attended, log_sums, attended_gradient };
        let gradients = Gradients {
            queries: &mut *queries_gradient,
            keys: &mut *keys_gradient,
            values: &mut *values_gradient,
        };
        attention.backward(inputs, outputs, gradients, &mut work.attention)?;
        for (norm, plain, gradient) in [
            (&self.query_norm, plain_queries, &mut *queries_gradient),
            (&self.key_norm, plain_keys, &mut *keys_gradient),
        ] {
            self.rotary.turn(gradient, self.heads.width, batch.positions(), Way::Backward);
            if let Some(norm) = norm {
                plain_gradient.resize(gradient.len(), 0.0);
                let into = (plain_gradient.as_mut_slice(), Onto::Replace);
                norm.backward(parameters, plain, gradient, into, &mut work.inverses);
                swap(gradient, plain_gradient);
            }
        }
        normed_gradient.resize(normed.len(), 0.0);
        for (linear, gradient, onto) in [
            (&self.query, &*queries_gradient, Onto::Replace),
            (&self.key, &*keys_gradient, Onto::Add),
            (&self.value, &*values_gradient, Onto::Add),
        ] {
            linear.learn(parameters, normed, gradient)?;
            linear.backward(parameters, gradient, normed_gradient, onto)?;
        }
        Ok(())
    }
}
