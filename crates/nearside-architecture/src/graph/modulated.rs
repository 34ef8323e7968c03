//! Parts of image transformers: adaptive layer norms, gated branches, patches (`normalization.py`,
//! `embeddings.py` and `attention.py` of diffusers).

use super::{Builder, Graph, Shape, Value, ValueId};
use crate::{Activation, DenoisingTransformer, Norm, Operator, Projection};

impl Graph {
    /// A transformer at work on one denoising step of a picture of [`Shape::image`] pixels; the
    /// number of tokens of the shape means nothing to it.
    #[must_use]
    pub fn of_denoising_transformer(transformer: &DenoisingTransformer, shape: Shape) -> Self {
        match transformer {
            DenoisingTransformer::Class(transformer) => super::dit::graph(transformer, shape),
            DenoisingTransformer::Joint(transformer) => super::joint::graph(transformer, shape),
            DenoisingTransformer::Flux(transformer) => super::flux::graph(transformer, shape),
        }
    }
}

/// What steers a stream: so many parts of one product with the condition.
pub(super) fn modulation(
    builder: &mut Builder,
    condition: ValueId,
    width: u64,
    parts: usize,
) -> Vec<ValueId> {
    let condition = builder.same(Operator::Activation(Activation::Silu), &[condition]);
    let all = builder.linear(condition, parts as u64 * width, true, Projection::Modulation);
    let part = Value { rows: builder.batch(), width };
    builder.push_all(Operator::Split, &[all], &vec![part; parts])
}

/// Layer norm without parameters.
pub(super) fn layer_norm(builder: &mut Builder, input: ValueId) -> ValueId {
    let width = builder.of(input).width;
    builder.same(Operator::Norm { kind: Norm::Plain, width }, &[input])
}

/// `x (1 + scale) + shift`.
pub(super) fn modulated(
    builder: &mut Builder,
    input: ValueId,
    shift: ValueId,
    scale: ValueId,
) -> ValueId {
    let scale = builder.same(Operator::Shift, &[scale]);
    let product = builder.same(Operator::Multiply, &[input, scale]);
    builder.same(Operator::Add, &[product, shift])
}

/// `gate x`.
pub(super) fn gated(builder: &mut Builder, gate: ValueId, input: ValueId) -> ValueId {
    let Value { rows, width } = builder.of(input);
    builder.push(Operator::Multiply, &[gate, input], rows, width)
}

/// A feed-forward network four times as wide inside.
pub(super) fn feed_forward(builder: &mut Builder, input: ValueId) -> ValueId {
    let width = builder.of(input).width;
    let inside = builder.linear(input, 4 * width, true, Projection::Up);
    let inside = builder.same(Operator::Activation(Activation::GeluTanh), &[inside]);
    builder.linear(inside, width, true, Projection::Down)
}

/// The feed-forward branch of a block: what comes after the stream's second norm. Answers the
/// stream and what the block's variables hold until it returns.
pub(super) fn thought(
    builder: &mut Builder,
    stream: ValueId,
    [shift, scale, gate]: [ValueId; 3],
    earlier: ValueId,
) -> (ValueId, Vec<ValueId>) {
    let normed = layer_norm(builder, stream);
    builder.hold(&[earlier]);
    let input = modulated(builder, normed, shift, scale);
    builder.hold(&[normed]);
    let output = feed_forward(builder, input);
    let output = gated(builder, gate, output);
    (output, vec![input, output])
}

/// The last norm, its scale before its shift (`AdaLayerNormContinuous`).
pub(super) fn last_norm(builder: &mut Builder, stream: ValueId, condition: ValueId) -> ValueId {
    let width = builder.of(stream).width;
    let parts = modulation(builder, condition, width, 2);
    let normed = layer_norm(builder, stream);
    let output = modulated(builder, normed, parts[1], parts[0]);
    builder.hold(&parts);
    output
}

/// From patches back to places.
pub(super) fn places(builder: &mut Builder, patches: ValueId) -> ValueId {
    let seen = builder.same(Operator::Transpose, &[patches]);
    builder.same(Operator::Copy, &[seen])
}

/// Queries, keys and values of a stream.
pub(super) fn projections(builder: &mut Builder, input: ValueId) -> [ValueId; 3] {
    let width = builder.of(input).width;
    [Projection::Query, Projection::Key, Projection::Value]
        .map(|role| builder.linear(input, width, true, role))
}

/// A part of every sequence in memory of its own where there are several sequences.
pub(super) fn contiguous(builder: &mut Builder, part: ValueId) -> ValueId {
    match builder.batch() > 1 {
        true => builder.same(Operator::Copy, &[part]),
        false => part,
    }
}
