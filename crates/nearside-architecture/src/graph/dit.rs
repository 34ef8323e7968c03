//! DiT at work (`DiTTransformer2DModel.forward`, `BasicTransformerBlock` with `ada_norm_zero`).

use super::unet::PIXELS_PER_PLACE;
use super::{Builder, Graph, Loss, Shape, ValueId, image, modulated};
use crate::{AttentionShape, ClassTransformer, Operator, Projection};

/// Frequencies of a time step.
const FREQUENCIES: u64 = 256;

pub(super) fn graph(dit: &ClassTransformer, shape: Shape) -> Graph {
    let side = shape.image.map_or(dit.side, |pixels| pixels / PIXELS_PER_PLACE);
    let width = dit.heads * dit.head_dim;
    let (across, made_for) = (side / dit.patch.max(1), dit.side / dit.patch.max(1));
    let mut builder = Builder::new(shape.batch, side * side, dit.input);
    let step = builder.other_input(shape.batch, 1);
    let class = builder.other_input(shape.batch, 1);
    let input = builder.input();
    let patches = super::Value { rows: shape.batch * across * across, width };
    let stream = image::strided(&mut builder, input, patches, dit.patch * dit.patch);
    let rows = made_for * made_for;
    let mut stream = builder.same(Operator::FixedPositions { rows }, &[stream]);
    let mut building = Building { dit, builder, width, step, class, first: None };
    for index in 0..dit.layers {
        let before = stream;
        building.builder.enter_block(Some(usize::try_from(index).unwrap_or(usize::MAX)));
        stream = building.block(stream);
        building.builder.enter_block(None);
        building.builder.hold(&[before]);
    }
    building.output(stream);
    building.builder.finish(Loss::MeanSquare)
}

struct Building<'a> {
    dit: &'a ClassTransformer,
    builder: Builder,
    width: u64,
    step: ValueId,
    class: ValueId,
    /// Where the first block's embedding of time and class begins.
    first: Option<usize>,
}

impl Building<'_> {
    /// Time and class; every block embeds them by itself.
    fn condition(&mut self) -> ValueId {
        let builder = &mut self.builder;
        let batch = builder.batch();
        let waves = builder.push(Operator::Waves, &[self.step], batch, FREQUENCIES);
        let time = image::two_layers(builder, waves, self.width);
        // One row more for no class at all.
        let table = Operator::Embedding { rows: self.dit.classes + 1, width: self.width };
        let class = builder.push(table, &[self.class], batch, self.width);
        let sum = builder.same(Operator::Add, &[time, class]);
        builder.hold(&[class, time]);
        sum
    }

    fn block(&mut self, stream: ValueId) -> ValueId {
        let place = self.builder.place();
        self.first.get_or_insert(place);
        let condition = self.condition();
        let builder = &mut self.builder;
        let parts = modulated::modulation(builder, condition, self.width, 6);
        builder.hold(&[condition]);
        let normed = modulated::layer_norm(builder, stream);
        let input = modulated::modulated(builder, normed, parts[0], parts[1]);
        let seen = self.attention(input);
        let builder = &mut self.builder;
        let seen = modulated::gated(builder, parts[2], seen);
        let stream = builder.same(Operator::Add, &[seen, stream]);
        let steering = [parts[3], parts[4], parts[5]];
        let (thought, held) = modulated::thought(builder, stream, steering, input);
        let output = builder.same(Operator::Add, &[thought, stream]);
        builder.hold(&[stream]);
        builder.hold(&held);
        builder.hold(&[seen]);
        builder.hold(&parts);
        output
    }

    fn attention(&mut self, input: ValueId) -> ValueId {
        let builder = &mut self.builder;
        let projections = modulated::projections(builder, input);
        let (batch, rows) = (builder.batch(), builder.of(input).rows);
        let heads = [self.dit.heads, self.dit.head_dim];
        let shape = AttentionShape::among(batch, rows / batch.max(1), heads);
        let mixed = builder.push(Operator::Attention(shape), &projections, rows, self.width);
        let output = builder.linear(mixed, self.width, true, Projection::AttentionOutput);
        let output = builder.same(Operator::Scale, &[output]);
        builder.hold(&projections);
        output
    }

    /// The condition is embedded once more, with the first block's weights.
    fn output(&mut self, stream: ValueId) {
        self.builder.repeat_from(self.first);
        let condition = self.condition();
        let builder = &mut self.builder;
        builder.repeat_from(None);
        let parts = modulated::modulation(builder, condition, self.width, 2);
        let normed = modulated::layer_norm(builder, stream);
        let output = modulated::modulated(builder, normed, parts[0], parts[1]);
        builder.hold(&[stream]);
        let patch = self.dit.patch * self.dit.patch * self.dit.output;
        let output = builder.linear(output, patch, true, Projection::Down);
        modulated::places(builder, output);
        builder.hold(&parts);
        builder.hold(&[condition]);
    }
}
