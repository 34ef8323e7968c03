//! Image classifiers made of attention inside windows at work (`SwinTransformer` of torchvision).

use super::{Builder, Graph, Loss, Shape, ValueId};
use crate::{
    AttentionShape, Convolution, Likeness, Neighbours, Norm, NormOrder, Operator, Projection,
    WindowAttention, WindowBias, WindowBiasForm, WindowTransformer,
};

/// Channels inside the network that reads distances.
const DISTANCE_CHANNELS: u64 = 512;

impl WindowTransformer {
    /// The model at work on a batch of images.
    #[must_use]
    pub fn graph(&self, shape: Shape) -> Graph {
        let side = shape.image.unwrap_or(self.image);
        let builder = Builder::new(shape.batch, side * side, self.channels);
        let places = side / self.patch.max(1);
        let mut building =
            Building { builder, model: self, batch: shape.batch, side: places, index: 0, heads: 1 };
        let mut stream = building.stem();
        let stages = self.stages.len();
        for (number, [depth, heads]) in self.stages.iter().enumerate() {
            let entered = stream;
            building.heads = *heads;
            for layer in 0..*depth {
                building.builder.enter_block(usize::try_from(building.index).ok());
                let input = stream;
                stream = building.block(stream, layer);
                building.builder.hold(&[input]);
                building.index += 1;
            }
            building.builder.enter_block(None);
            building.builder.hold(&[entered]);
            if number + 1 < stages {
                let input = stream;
                stream = building.merged(stream);
                building.builder.hold(&[input]);
            }
        }
        building.head(stream);
        building.builder.finish(Loss::Class)
    }
}

struct Building<'a> {
    builder: Builder,
    model: &'a WindowTransformer,
    batch: u64,
    /// Places along the side of an image as it is now.
    side: u64,
    /// Blocks so far.
    index: u64,
    /// Heads of this stage.
    heads: u64,
}

impl Building<'_> {
    /// Patches, normalised.
    fn stem(&mut self) -> ValueId {
        let WindowTransformer { hidden, patch, channels, .. } = *self.model;
        let convolution = Operator::Convolution(Convolution {
            input: channels,
            output: hidden,
            window: patch * patch,
            groups: 1,
            bias: true,
        });
        let input = self.builder.input();
        let rows = self.batch * self.side * self.side;
        let patches = self.builder.push(convolution, &[input], rows, hidden);
        self.norm(patches)
    }

    fn norm(&mut self, input: ValueId) -> ValueId {
        let width = self.builder.of(input).width;
        self.builder.same(Operator::Norm { kind: Norm::Layer, width }, &[input])
    }

    /// Every other block of a stage moves the windows.
    fn block(&mut self, stream: ValueId, layer: u64) -> ValueId {
        let moved = layer % 2 == 1;
        let seen = self.branch(stream, |building, input| building.attention(input, moved));
        let stream = self.builder.same(Operator::Add, &[stream, seen]);
        let thought = self.branch(stream, Self::feed_forward);
        self.builder.same(Operator::Add, &[stream, thought])
    }

    /// A branch with its norm, perhaps dropped for some images.
    fn branch(
        &mut self,
        stream: ValueId,
        inside: impl FnOnce(&mut Self, ValueId) -> ValueId,
    ) -> ValueId {
        let before = self.model.order == NormOrder::Before;
        let blocks: u64 = self.model.stages.iter().map(|[depth, _]| depth).sum();
        let last = self.index + 1 == blocks;
        let input = if before { self.norm(stream) } else { stream };
        let mut output = inside(self, input);
        self.builder.hold(&[input]);
        // The gradient of the mean has all places of a channel side by side until it is reordered.
        if last && before {
            output = self.builder.same(Operator::Transpose, &[output]);
        }
        if !before {
            output = self.norm(output);
        }
        match self.model.dropped && self.index > 0 {
            true => self.builder.same(Operator::StochasticDepth(self.model.library), &[output]),
            false => output,
        }
    }

    fn attention(&mut self, input: ValueId, moved: bool) -> ValueId {
        let WindowTransformer { window, order, input_bias, .. } = *self.model;
        let width = self.builder.of(input).width;
        let (side, batch, heads) = (self.side, self.batch, self.heads);
        let padded = side.next_multiple_of(window.max(1));
        let across = padded / window.max(1);
        let moved = moved && across > 1;
        let (form, likeness) = match order {
            NormOrder::Before => (WindowBiasForm::Table, Likeness::Product),
            NormOrder::After => (WindowBiasForm::Network(DISTANCE_CHANNELS), Likeness::Angle),
        };
        let bias = WindowBias { side: window, heads, form };
        let builder = &mut self.builder;
        let rows = batch * padded * padded;
        let bias = builder.push(Operator::WindowBias(bias), &[], bias.pairs(), heads);
        let mut places = builder.push(Operator::Pad, &[input], rows, width);
        if moved {
            places = builder.same(Operator::Roll, &[places]);
        }
        if across > 1 {
            places = builder.same(Operator::Windows, &[places]);
        }
        let packed = builder.linear(places, 3 * width, input_bias, Projection::Packed);
        let attention = WindowAttention {
            shape: AttentionShape::among(
                batch * across * across,
                window * window,
                [heads, width / heads.max(1)],
            ),
            windows: across * across,
            neighbours: if moved { Neighbours::Some } else { Neighbours::All },
            likeness,
        };
        let attention = Operator::WindowAttention(attention);
        let mixed = builder.push(attention, &[packed, bias], rows, width);
        builder.hold(&[places]);
        let mut output = builder.linear(mixed, width, true, Projection::AttentionOutput);
        if across > 1 {
            output = builder.same(Operator::Windows, &[output]);
        }
        if moved {
            output = builder.same(Operator::Roll, &[output]);
        }
        if padded > side {
            output = builder.push(Operator::Slice, &[output], batch * side * side, width);
            output = builder.same(Operator::Copy, &[output]);
        }
        builder.hold(&[packed, bias]);
        builder.push_all(Operator::Return, &[], &[]);
        output
    }

    fn feed_forward(&mut self, input: ValueId) -> ValueId {
        let width = self.builder.of(input).width;
        let inner = self.model.ratio * width;
        let up = self.builder.linear(input, inner, true, Projection::Up);
        let activation = Operator::Activation(self.model.activation);
        let inside = self.builder.same(activation, &[up]);
        self.builder.linear(inside, width, true, Projection::Down)
    }

    /// Four neighbouring places become one of twice the width.
    fn merged(&mut self, stream: ValueId) -> ValueId {
        let width = self.builder.of(stream).width;
        let even = self.side.next_multiple_of(2);
        self.side = even / 2;
        let rows = self.batch * even * even;
        let padded = self.builder.push(Operator::Pad, &[stream], rows, width);
        let merged = self.builder.push(Operator::MergePlaces, &[padded], rows / 4, 4 * width);
        match self.model.order {
            NormOrder::Before => {
                let normed = self.norm(merged);
                self.builder.linear(normed, 2 * width, false, Projection::Down)
            }
            NormOrder::After => {
                let narrowed = self.builder.linear(merged, 2 * width, false, Projection::Down);
                self.norm(narrowed)
            }
        }
    }

    fn head(&mut self, stream: ValueId) {
        let normed = self.norm(stream);
        let width = self.builder.of(normed).width;
        let pooled = self.builder.push(Operator::Mean, &[normed], self.batch, width);
        let pooled = self.builder.same(Operator::Transpose, &[pooled]);
        self.builder.linear(pooled, self.model.classes, true, Projection::Output);
    }
}
