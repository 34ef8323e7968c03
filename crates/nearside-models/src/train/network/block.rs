//! A block: attention and feed-forward, each between its norms, added to the stream.
//!
//! ```text
//! y = x + n2(attention(n1(x))),  z = y + n4(feed_forward(n3(y)))
//! ```
//!
//! where each norm may be absent. What norms and nonlinearities make is made again backward: it costs less than to keep it.

use super::attention::SelfAttention;
use super::feed_forward::FeedForward;
use crate::kernel::add;
use crate::train::TrainError;
use crate::train::batch::Batch;
use crate::train::operator::attention::AttentionMemory;
use crate::train::operator::rms_norm::RmsNorm;
use crate::train::parameter::Parameters;
use crate::train::product::Onto;

/// A block.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) attention_norm: Option<RmsNorm>,
    pub(super) attention: SelfAttention,
    pub(super) after_attention_norm: Option<RmsNorm>,
    pub(super) feed_forward_norm: Option<RmsNorm>,
    pub(super) feed_forward: FeedForward,
    pub(super) after_feed_forward_norm: Option<RmsNorm>,
}

/// What a block keeps for its way backward.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// Before their norm, where they have one.
    pub(super) plain_queries: Vec<f32>,
    pub(super) plain_keys: Vec<f32>,
    /// Turned.
    pub(super) queries: Vec<f32>,
    pub(super) keys: Vec<f32>,
    pub(super) values: Vec<f32>,
    pub(super) log_sums: Vec<f32>,
    pub(super) attended: Vec<f32>,
    /// What attention made, where a norm follows.
    attention_made: Vec<f32>,
    /// The stream between attention and feed-forward.
    middle: Vec<f32>,
    pub(super) gates: Vec<f32>,
    pub(super) ups: Vec<f32>,
    /// What feed-forward made, where a norm follows.
    feed_forward_made: Vec<f32>,
}

/// Memory of one block at a time.
#[derive(Debug, Default)]
pub(super) struct Work {
    /// What goes into a part of a block.
    pub(super) normed: Vec<f32>,
    /// What comes out of it.
    pub(super) made: Vec<f32>,
    pub(super) activated: Vec<f32>,
    /// Gradients of what goes into a part, and of what comes out where a norm follows.
    pub(super) normed_gradient: Vec<f32>,
    pub(super) made_gradient: Vec<f32>,
    pub(super) attended_gradient: Vec<f32>,
    pub(super) queries_gradient: Vec<f32>,
    pub(super) keys_gradient: Vec<f32>,
    pub(super) values_gradient: Vec<f32>,
    /// Of queries or keys before their norm.
    pub(super) plain_gradient: Vec<f32>,
    pub(super) gates_gradient: Vec<f32>,
    pub(super) ups_gradient: Vec<f32>,
    pub(super) inverses: Vec<f32>,
    pub(super) attention: AttentionMemory,
}

/// How far a block is run forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Until {
    /// Until all is there that it keeps.
    Kept,
    /// Until the stream that comes out.
    End,
}

impl Kept {
    /// Numbers that there is room for.
    pub(super) fn numbers(&self) -> usize {
        let Self { plain_queries, plain_keys, queries, keys, values, log_sums, .. } = self;
        let Self { attended, attention_made, middle, gates, ups, feed_forward_made, .. } = self;
        let first = [plain_queries, plain_keys, queries, keys, values, log_sums];
        let second = [attended, attention_made, middle, gates, ups, feed_forward_made];
        first.iter().chain(&second).map(|numbers| numbers.capacity()).sum()
    }
}

impl Work {
    pub(super) fn bytes(&self) -> usize {
        let Self { normed, made, activated, normed_gradient, made_gradient, .. } = self;
        let Self { attended_gradient, queries_gradient, keys_gradient, values_gradient, .. } = self;
        let Self { plain_gradient, gates_gradient, ups_gradient, inverses, attention, .. } = self;
        let first = [normed, made, activated, normed_gradient, made_gradient, attended_gradient];
        let second = [queries_gradient, keys_gradient, values_gradient, plain_gradient];
        let third = [gates_gradient, ups_gradient, inverses];
        let all = first.iter().chain(&second).chain(&third);
        all.map(|numbers| numbers.capacity() * 4).sum::<usize>() + attention.bytes()
    }
}

impl Block {
    /// Turns the stream that goes in into the one that comes out.
    pub(super) fn forward(
        &self,
        parameters: &Parameters,
        batch: &Batch,
        stream: &mut [f32],
        (kept, work): (&mut Kept, &mut Work),
        until: Until,
    ) -> Result<(), TrainError> {
        enter(self.attention_norm.as_ref(), parameters, stream, &mut work.normed);
        self.attention.forward(parameters, batch, kept, work)?;
        let made = &mut kept.attention_made;
        leave(self.after_attention_norm.as_ref(), parameters, stream, (made, work));
        kept.middle.clear();
        kept.middle.extend_from_slice(stream);
        enter(self.feed_forward_norm.as_ref(), parameters, stream, &mut work.normed);
        self.feed_forward.begin(parameters, kept, work)?;
        if until == Until::Kept && self.after_feed_forward_norm.is_none() {
            return Ok(());
        }
        self.feed_forward.finish(parameters, kept, work)?;
        let made = &mut kept.feed_forward_made;
        leave(self.after_feed_forward_norm.as_ref(), parameters, stream, (made, work));
        Ok(())
    }

    /// Turns the gradient of the stream that came out into that of the one that went in, which was `input`.
    pub(super) fn backward(
        &self,
        parameters: &mut Parameters,
        batch: &Batch,
        input: &[f32],
        (kept, work): (&Kept, &mut Work),
        gradient: &mut [f32],
    ) -> Result<(), TrainError> {
        let after = self.after_feed_forward_norm.as_ref();
        back_out(after, parameters, &kept.feed_forward_made, gradient, work);
        enter(self.feed_forward_norm.as_ref(), parameters, &kept.middle, &mut work.normed);
        self.feed_forward.backward(parameters, kept, work)?;
        back_in(self.feed_forward_norm.as_ref(), parameters, &kept.middle, gradient, work);
        let after = self.after_attention_norm.as_ref();
        back_out(after, parameters, &kept.attention_made, gradient, work);
        enter(self.attention_norm.as_ref(), parameters, input, &mut work.normed);
        self.attention.backward(parameters, batch, kept, work)?;
        back_in(self.attention_norm.as_ref(), parameters, input, gradient, work);
        Ok(())
    }
}

/// What goes into a part: the stream, normed or as it is.
fn enter(norm: Option<&RmsNorm>, parameters: &Parameters, stream: &[f32], normed: &mut Vec<f32>) {
    match norm {
        Some(norm) => norm.forward(parameters, stream, normed),
        None => {
            normed.clear();
            normed.extend_from_slice(stream);
        }
    }
}

/// Adds what came out of a part to the stream, normed or as it is; where it is normed, what it was before is kept.
fn leave(
    norm: Option<&RmsNorm>,
    parameters: &Parameters,
    stream: &mut [f32],
    (kept, work): (&mut Vec<f32>, &mut Work),
) {
    match norm {
        Some(norm) => {
            std::mem::swap(kept, &mut work.made);
            norm.forward(parameters, kept, &mut work.normed);
            add(stream, &work.normed);
        }
        None => add(stream, &work.made),
    }
}

/// Makes the gradient of what came out of a part of that of the stream.
fn back_out(
    norm: Option<&RmsNorm>,
    parameters: &mut Parameters,
    made: &[f32],
    gradient: &[f32],
    work: &mut Work,
) {
    let Work { made_gradient, inverses, .. } = work;
    made_gradient.resize(gradient.len(), 0.0);
    match norm {
        Some(norm) => {
            norm.backward(parameters, made, gradient, (made_gradient, Onto::Replace), inverses);
        }
        None => made_gradient.copy_from_slice(gradient),
    }
}

/// Adds to the gradient of the stream what comes from that of what went into a part.
fn back_in(
    norm: Option<&RmsNorm>,
    parameters: &mut Parameters,
    stream: &[f32],
    gradient: &mut [f32],
    work: &mut Work,
) {
    let Work { normed_gradient, inverses, .. } = work;
    match norm {
        Some(norm) => {
            norm.backward(parameters, stream, normed_gradient, (gradient, Onto::Add), inverses);
        }
        None => add(gradient, normed_gradient),
    }
}
