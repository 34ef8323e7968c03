//! Parts that image models of diffusers share: convolutions, residual networks, embeddings of a
//! time step (`resnet.py`, `embeddings.py`, `downsampling.py`, `upsampling.py`).

use super::{Builder, Value, ValueId};
use crate::{Activation, Convolution, Norm, Operator, Projection};

/// Kernel sides of the convolutions of image models.
#[derive(Clone, Copy)]
pub(super) enum Window {
    /// 1 x 1: a place by itself.
    One,
    /// 3 x 3: a place and its neighbours.
    Three,
}

impl Window {
    const fn places(self) -> u64 {
        match self {
            Self::One => 1,
            Self::Three => 9,
        }
    }
}

/// A convolution with a bias that keeps the number of places.
pub(super) fn convolution(
    builder: &mut Builder,
    input: ValueId,
    output: u64,
    window: Window,
) -> ValueId {
    let rows = builder.of(input).rows;
    strided(builder, input, Value { rows, width: output }, window.places())
}

/// A 3 x 3 convolution into an image of another size.
pub(super) fn resizing(builder: &mut Builder, input: ValueId, rows: u64) -> ValueId {
    let width = builder.of(input).width;
    strided(builder, input, Value { rows, width }, Window::Three.places())
}

/// A convolution with a bias whose kernel sees `window` places.
pub(super) fn strided(
    builder: &mut Builder,
    input: ValueId,
    output: Value,
    window: u64,
) -> ValueId {
    let Value { rows, width } = output;
    let input_width = builder.of(input).width;
    let convolution =
        Convolution { input: input_width, output: width, window, groups: 1, bias: true };
    builder.push(Operator::Convolution(convolution), &[input], rows, width)
}

/// Group norm.
pub(super) fn group_norm(builder: &mut Builder, input: ValueId, groups: u64) -> ValueId {
    let width = builder.of(input).width;
    builder.same(Operator::Norm { kind: Norm::Group(groups), width }, &[input])
}

/// Group norm and SiLU.
pub(super) fn normed(builder: &mut Builder, input: ValueId, groups: u64) -> ValueId {
    let normed = group_norm(builder, input, groups);
    builder.same(Operator::Activation(Activation::Silu), &[normed])
}

/// A residual network of two convolutions; `time` is added between them (`ResnetBlock2D.forward`).
pub(super) fn residual(
    builder: &mut Builder,
    input: ValueId,
    [width, groups]: [u64; 2],
    time: Option<ValueId>,
) -> ValueId {
    let inside = normed(builder, input, groups);
    let inside = convolution(builder, inside, width, Window::Three);
    let (inside, time) = match time {
        Some(time) => {
            let time = builder.same(Operator::Activation(Activation::Silu), &[time]);
            let time = builder.linear(time, width, true, Projection::Modulation);
            (builder.same(Operator::Add, &[inside, time]), Some(time))
        }
        None => (inside, None),
    };
    let inside = normed(builder, inside, groups);
    let inside = convolution(builder, inside, width, Window::Three);
    let straight = match builder.of(input).width == width {
        true => input,
        false => convolution(builder, input, width, Window::One),
    };
    let sum = builder.same(Operator::Add, &[straight, inside]);
    let output = builder.same(Operator::Scale, &[sum]);
    if straight != input {
        builder.hold(&[straight]);
    }
    builder.hold(&time.into_iter().chain([inside]).collect::<Vec<_>>());
    output
}

/// Waves of a time step through two layers.
pub(super) fn time(builder: &mut Builder, frequencies: u64, width: u64) -> ValueId {
    let batch = builder.batch();
    let step = builder.other_input(batch, 1);
    let waves = builder.push(Operator::Waves, &[step], batch, frequencies);
    two_layers(builder, waves, width)
}

/// Two matrix products with SiLU between them (`TimestepEmbedding`).
pub(super) fn two_layers(builder: &mut Builder, input: ValueId, width: u64) -> ValueId {
    let inside = builder.linear(input, width, true, Projection::Modulation);
    let inside = builder.same(Operator::Activation(Activation::Silu), &[inside]);
    builder.linear(inside, width, true, Projection::Modulation)
}
