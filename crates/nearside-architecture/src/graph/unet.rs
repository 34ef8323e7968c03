//! U-Nets of latent diffusion at work on one step (`UNet2DConditionModel.forward` and
//! `unet_2d_blocks.py` in diffusers 0.42).
//!
//! A row is a place of the latent image. The side of that image is an eighth of the picture's, as
//! in every pipeline around such a model; prompts are padded to the length that the text encoder
//! reads.

use super::image::{self, Window};
use super::{Builder, Graph, Loss, Shape, Value, ValueId};
use crate::unet::SIZES;
use crate::{
    Activation, AttentionShape, Norm, Operator, Projection, SpatialTransformer, Unet, UnetBlock,
};

/// Pixels of a picture per place of its latent image, along a side.
pub(super) const PIXELS_PER_PLACE: u64 = 8;
/// Tokens that CLIP's text encoder reads.
const TEXT_TOKENS: u64 = 77;

impl Graph {
    /// A U-Net at work on one denoising step of a picture of [`Shape::image`] pixels; the number of
    /// tokens of the shape means nothing to it.
    #[must_use]
    pub fn of_unet(unet: &Unet, shape: Shape) -> Self {
        let side = shape.image.map_or(unet.side, |pixels| pixels / PIXELS_PER_PLACE);
        let mut builder = Builder::new(shape.batch, side * side, unet.input);
        let first = unet.down.first().map_or(unet.input, |block| block.width);
        let time = image::time(&mut builder, first, 4 * first);
        let time = match unet.added {
            Some(added) => {
                let widths = [added.frequencies, added.width, 4 * first];
                let added = added_condition(&mut builder, widths);
                builder.same(Operator::Add, &[time, added])
            }
            None => time,
        };
        let text = builder.other_input(shape.batch * TEXT_TOKENS, unet.text);
        let mut building = Building { builder, unet, time, text, stretches: 0, skips: Vec::new() };
        building.run(side, first);
        building.builder.finish(Loss::MeanSquare)
    }
}

/// Pooled text beside the frequencies of the picture's sizes, through two layers.
fn added_condition(builder: &mut Builder, [frequencies, width, time]: [u64; 3]) -> ValueId {
    let batch = builder.batch();
    let sizes = builder.other_input(batch * SIZES, 1);
    let waves = builder.push(Operator::Waves, &[sizes], batch * SIZES, frequencies);
    let pooled = builder.other_input(batch, width.saturating_sub(SIZES * frequencies));
    let both = builder.push(Operator::Concatenate, &[pooled, waves], batch, width);
    image::two_layers(builder, both, time)
}

struct Building<'a> {
    builder: Builder,
    unet: &'a Unet,
    time: ValueId,
    text: ValueId,
    /// Stretches so far that can be recomputed.
    stretches: usize,
    /// What the way down leaves for the way up.
    skips: Vec<Skip>,
}

/// A value that the way down leaves for the way up, and the side of its image.
#[derive(Clone, Copy)]
struct Skip {
    value: ValueId,
    side: u64,
}

impl Building<'_> {
    fn run(&mut self, side: u64, first: u64) {
        let unet = self.unet;
        let input = self.builder.input();
        let value = image::convolution(&mut self.builder, input, first, Window::Three);
        self.skips.push(Skip { value, side });
        let mut stream = Skip { value, side };
        for (index, block) in unet.down.iter().enumerate() {
            stream = self.down(block, stream, index + 1 == unet.down.len());
        }
        stream.value = self.middle(stream.value);
        let mut brought = Vec::new();
        for (index, block) in unet.up.iter().enumerate() {
            self.builder.hold(&brought);
            (stream, brought) = self.up(block, stream, index + 1 == unet.up.len());
        }
        let builder = &mut self.builder;
        let normed = image::normed(builder, stream.value, unet.groups);
        image::convolution(builder, normed, unet.output, Window::Three);
        builder.hold(&brought);
        builder.hold(&[self.time]);
    }

    /// Every network's output is kept for the way up, and so is the smaller image.
    fn down(&mut self, block: &UnetBlock, mut stream: Skip, last: bool) -> Skip {
        for _ in 0..block.networks {
            stream.value = self.network(block, stream.value);
            self.skips.push(stream);
        }
        if !last {
            let side = stream.side.div_ceil(2);
            let rows = self.builder.batch() * side * side;
            let value = image::resizing(&mut self.builder, stream.value, rows);
            stream = Skip { value, side };
            self.skips.push(stream);
        }
        stream
    }

    fn middle(&mut self, input: ValueId) -> ValueId {
        let width = self.builder.of(input).width;
        // The first network at the bottom is never run again.
        let widths = [width, self.unet.groups];
        let first = image::residual(&mut self.builder, input, widths, Some(self.time));
        let seen = self.transformer(self.unet.middle, first);
        self.builder.hold(&[first]);
        let second = self.residual(seen, width);
        self.builder.hold(&[seen]);
        second
    }

    /// Answers also what the caller took from the way down for this block.
    fn up(&mut self, block: &UnetBlock, input: Skip, last: bool) -> (Skip, Vec<ValueId>) {
        let mut stream = input;
        let mut brought = Vec::new();
        for _ in 0..block.networks {
            let Some(skip) = self.skips.pop() else { break };
            brought.push(skip.value);
            let inputs = [stream.value, skip.value];
            let width = inputs.map(|value| self.builder.of(value).width).iter().sum();
            let rows = self.builder.of(skip.value).rows;
            let both = self.builder.push(Operator::Concatenate, &inputs, rows, width);
            stream.value = self.network(block, both);
        }
        if let (false, Some(next)) = (last, self.skips.last()) {
            let (side, width) = (next.side, self.builder.of(stream.value).width);
            let rows = self.builder.batch() * side * side;
            let larger = self.builder.push(Operator::Resample, &[stream.value], rows, width);
            let value = image::resizing(&mut self.builder, larger, rows);
            self.builder.hold(&[stream.value]);
            stream = Skip { value, side };
        }
        self.builder.hold(&[input.value]);
        (stream, brought)
    }

    /// A residual network and perhaps a transformer.
    fn network(&mut self, block: &UnetBlock, input: ValueId) -> ValueId {
        let output = self.residual(input, block.width);
        self.builder.hold(&[input]);
        match block.transformer {
            Some(transformer) => {
                let seen = self.transformer(transformer, output);
                self.builder.hold(&[output]);
                seen
            }
            None => output,
        }
    }

    fn residual(&mut self, input: ValueId, width: u64) -> ValueId {
        self.enter_stretch();
        let widths = [width, self.unet.groups];
        let output = image::residual(&mut self.builder, input, widths, Some(self.time));
        self.builder.enter_block(None);
        output
    }

    fn enter_stretch(&mut self) {
        self.builder.enter_block(Some(self.stretches));
        self.stretches += 1;
    }

    /// Places as tokens through the layers, and back (`Transformer2DModel.forward`).
    fn transformer(&mut self, transformer: SpatialTransformer, input: ValueId) -> ValueId {
        let unet = self.unet;
        let builder = &mut self.builder;
        let width = builder.of(input).width;
        let normed = image::group_norm(builder, input, unet.groups);
        let mut stream = match unet.linear_projection {
            true => {
                let tokens = builder.same(Operator::Copy, &[normed]);
                builder.linear(tokens, width, true, Projection::Up)
            }
            false => image::convolution(builder, normed, width, Window::One),
        };
        for _ in 0..transformer.layers {
            let before = stream;
            stream = self.layer(transformer.heads, stream);
            self.builder.hold(&[before]);
        }
        let builder = &mut self.builder;
        let output = match unet.linear_projection {
            true => {
                let tokens = builder.linear(stream, width, true, Projection::Down);
                let places = builder.same(Operator::Transpose, &[tokens]);
                builder.same(Operator::Copy, &[places])
            }
            false => {
                let places = builder.same(Operator::Copy, &[stream]);
                image::convolution(builder, places, width, Window::One)
            }
        };
        let output = builder.same(Operator::Add, &[output, input]);
        builder.hold(&[stream]);
        output
    }

    /// Attention to the image, attention to the text, feed-forward network
    /// (`BasicTransformerBlock.forward`).
    fn layer(&mut self, heads: u64, input: ValueId) -> ValueId {
        self.enter_stretch();
        let normed = self.layer_norm(input);
        let seen = self.attention(heads, normed, normed);
        let stream = self.builder.same(Operator::Add, &[seen, input]);
        let again = self.layer_norm(stream);
        self.builder.hold(&[normed]);
        let read = self.attention(heads, again, self.text);
        self.builder.hold(&[seen]);
        let sum = self.builder.same(Operator::Add, &[read, stream]);
        let last = self.layer_norm(sum);
        self.builder.hold(&[again]);
        let thought = self.feed_forward(last);
        let output = self.builder.same(Operator::Add, &[thought, sum]);
        self.builder.hold(&[sum, last, read, thought]);
        self.builder.enter_block(None);
        output
    }

    fn layer_norm(&mut self, input: ValueId) -> ValueId {
        let width = self.builder.of(input).width;
        self.builder.same(Operator::Norm { kind: Norm::Layer, width }, &[input])
    }

    /// `AttnProcessor2_0.__call__`.
    fn attention(&mut self, heads: u64, input: ValueId, seen: ValueId) -> ValueId {
        let builder = &mut self.builder;
        let Value { rows, width } = builder.of(input);
        let query = builder.linear(input, width, false, Projection::Query);
        let key = builder.linear(seen, width, false, Projection::Key);
        let value = builder.linear(seen, width, false, Projection::Value);
        let sequences = builder.batch();
        let shape = AttentionShape {
            keys: builder.of(seen).rows / sequences.max(1),
            ..AttentionShape::among(
                sequences,
                rows / sequences.max(1),
                [heads, width / heads.max(1)],
            )
        };
        let mixed = builder.push(Operator::Attention(shape), &[query, key, value], rows, width);
        let output = builder.linear(mixed, width, true, Projection::AttentionOutput);
        let output = self.in_places(output);
        let output = self.builder.same(Operator::Scale, &[output]);
        self.builder.hold(&[query, key, value]);
        output
    }

    /// GEGLU: one product makes both the values and their gates.
    fn feed_forward(&mut self, input: ValueId) -> ValueId {
        let builder = &mut self.builder;
        let Value { rows, width } = builder.of(input);
        let inside = 4 * width;
        let both = builder.linear(input, 2 * inside, true, Projection::Up);
        let half = Value { rows, width: inside };
        let parts = builder.push_all(Operator::Split, &[both], &[half, half]);
        let gate = builder.same(Operator::Activation(Activation::Gelu), &[parts[1]]);
        let gated = builder.same(Operator::Multiply, &[parts[0], gate]);
        builder.hold(&parts);
        let output = builder.linear(gated, width, true, Projection::Down);
        self.in_places(output)
    }

    /// Where a convolution follows the layers, gradients come back in the order of an image and are
    /// put in the order of tokens before every product.
    fn in_places(&mut self, tokens: ValueId) -> ValueId {
        match self.unet.linear_projection {
            true => tokens,
            false => self.builder.same(Operator::Transpose, &[tokens]),
        }
    }
}
