//! Flux at work (`FluxTransformer2DModel.forward` and `FluxAttnProcessor` of diffusers).
//!
//! A row is a patch of two by two places of the latent image.

use super::unet::PIXELS_PER_PLACE;
use super::{Builder, Graph, Loss, Shape, Value, ValueId, image, modulated};
use crate::{Activation, AttentionShape, FluxTransformer, Norm, Operator, Projection};

/// Frequencies of a time step.
const FREQUENCIES: u64 = 256;
/// Tokens that the T5 encoder reads.
const TEXT_TOKENS: u64 = 512;
/// Places along the side of a patch.
const PATCH: u64 = 2;
/// Side of the pictures it was made for, in pixels.
const SIDE: u64 = 1024;

pub(super) fn graph(model: &FluxTransformer, shape: Shape) -> Graph {
    let across = shape.image.unwrap_or(SIDE) / (PIXELS_PER_PLACE * PATCH);
    let width = model.heads * model.head_dim;
    let batch = shape.batch;
    let mut builder = Builder::new(batch, across * across, model.input);
    let input = builder.input();
    let image = builder.linear(input, width, true, Projection::Up);
    let mut condition = image::time(&mut builder, FREQUENCIES, width);
    if model.guidance {
        let guidance = image::time(&mut builder, FREQUENCIES, width);
        condition = builder.same(Operator::Add, &[condition, guidance]);
    }
    let pooled = builder.other_input(batch, model.pooled);
    let pooled = image::two_layers(&mut builder, pooled, width);
    let condition = builder.same(Operator::Add, &[condition, pooled]);
    let text = builder.other_input(batch * TEXT_TOKENS, model.text);
    let text = builder.linear(text, width, true, Projection::Up);
    let table = Value { rows: TEXT_TOKENS + across * across, width: model.head_dim };
    let tables = builder.push_all(Operator::AxisTable, &[], &[table, table]);
    let tables = [tables[0], tables[1]];
    let mut building = Building { model, builder, width, condition, tables };
    let mut streams = [image, text];
    for index in 0..model.double + model.single {
        building.builder.enter_block(Some(usize::try_from(index).unwrap_or(usize::MAX)));
        let before = streams;
        streams = match index < model.double {
            true => building.double(before),
            false => building.single(before),
        };
        building.builder.enter_block(None);
        building.builder.hold(&before);
    }
    let builder = &mut building.builder;
    let normed = modulated::last_norm(builder, streams[0], condition);
    builder.hold(&streams);
    builder.linear(normed, model.output, true, Projection::Down);
    builder.hold(&[condition]);
    builder.hold(&tables);
    building.builder.finish(Loss::MeanSquare)
}

/// One stream on its way through a block.
struct Lane {
    stream: ValueId,
    /// What goes into attention.
    input: ValueId,
    /// Shift, scale and gate of its branches.
    parts: Vec<ValueId>,
}

struct Building<'a> {
    model: &'a FluxTransformer,
    builder: Builder,
    width: u64,
    condition: ValueId,
    /// Cosines and sines of positions.
    tables: [ValueId; 2],
}

impl Building<'_> {
    fn lane(&mut self, stream: ValueId, parts: usize) -> Lane {
        let builder = &mut self.builder;
        let parts = modulated::modulation(builder, self.condition, self.width, parts);
        let normed = modulated::layer_norm(builder, stream);
        let input = modulated::modulated(builder, normed, parts[0], parts[1]);
        Lane { stream, input, parts }
    }

    /// A block with weights of their own for image and text (`FluxTransformerBlock.forward`).
    fn double(&mut self, streams: [ValueId; 2]) -> [ValueId; 2] {
        let lanes = streams.map(|stream| self.lane(stream, 6));
        let seen = self.joint([lanes[0].input, lanes[1].input]);
        let mut held = Vec::new();
        let mut outputs = streams;
        for (index, lane) in lanes.iter().enumerate() {
            let builder = &mut self.builder;
            let seen = modulated::gated(builder, lane.parts[2], seen[index]);
            let stream = builder.same(Operator::Add, &[lane.stream, seen]);
            let steering = [lane.parts[3], lane.parts[4], lane.parts[5]];
            let (thought, more) = modulated::thought(builder, stream, steering, lane.input);
            outputs[index] = builder.same(Operator::Add, &[stream, thought]);
            builder.hold(&[stream]);
            held.extend(more);
            held.push(seen);
        }
        self.builder.hold(&held);
        for lane in &lanes {
            self.builder.hold(&lane.parts);
        }
        outputs
    }

    /// Queries, keys and values, the former two normalised head by head.
    fn projected(&mut self, input: ValueId) -> [ValueId; 3] {
        let [query, key, value] = modulated::projections(&mut self.builder, input);
        [query, key, value]
    }

    fn normalised(&mut self, input: ValueId) -> ValueId {
        let Value { rows, width } = self.builder.of(input);
        let head = self.model.head_dim;
        let norm = Operator::Norm { kind: Norm::MixedRms, width: head };
        self.builder.push(norm, &[input], rows * (width / head.max(1)), head)
    }

    /// Rotated queries and keys, then attention; answers also what was rotated.
    fn attend(&mut self, [query, key, value]: [ValueId; 3]) -> (ValueId, [ValueId; 3]) {
        let [cosines, sines] = self.tables;
        let builder = &mut self.builder;
        let [query, key] = [query, key].map(|value| {
            let rotated = builder.same(Operator::PairRotary, &[value, cosines, sines]);
            builder.hold(&[value]);
            rotated
        });
        let (batch, rows) = (builder.batch(), builder.of(value).rows);
        let heads = [self.model.heads, self.model.head_dim];
        let shape = AttentionShape::among(batch, rows / batch.max(1), heads);
        let inputs = [query, key, value];
        let mixed = builder.push(Operator::Attention(shape), &inputs, rows, self.width);
        (mixed, inputs)
    }

    /// Text and image as one sequence.
    fn joint(&mut self, inputs: [ValueId; 2]) -> [ValueId; 2] {
        let rows = inputs.map(|input| self.builder.of(input).rows);
        let [image, text] = inputs.map(|input| self.projected(input));
        let mut normed = [image, text];
        for (lane, plain) in normed.iter_mut().zip([image, text]) {
            for index in 0..2 {
                lane[index] = self.normalised(plain[index]);
                self.builder.hold(&[plain[index]]);
            }
        }
        let [image, text] = normed;
        let (all, width) = (rows[0] + rows[1], self.width);
        let joined = [0, 1, 2].map(|index| {
            let parts = [text[index], image[index]];
            self.builder.push(Operator::Concatenate, &parts, all, width)
        });
        let (mixed, held) = self.attend(joined);
        let builder = &mut self.builder;
        let parts = [rows[1], rows[0]].map(|rows| Value { rows, width });
        let parts = builder.push_all(Operator::Split, &[mixed], &parts);
        let mut output = |part: ValueId| {
            let part = modulated::contiguous(builder, part);
            builder.linear(part, width, true, Projection::AttentionOutput)
        };
        let outputs = [output(parts[1]), output(parts[0])];
        builder.hold(&held);
        builder.hold(&text);
        outputs
    }

    /// A block with the same weights for both (`FluxSingleTransformerBlock.forward`).
    fn single(&mut self, [image, text]: [ValueId; 2]) -> [ValueId; 2] {
        let rows = [image, text].map(|value| self.builder.of(value).rows);
        let (all, width) = (rows[0] + rows[1], self.width);
        let stream = self.builder.push(Operator::Concatenate, &[text, image], all, width);
        let lane = self.lane(stream, 3);
        let builder = &mut self.builder;
        let inside = builder.linear(lane.input, 4 * width, true, Projection::Up);
        let inside = builder.same(Operator::Activation(Activation::GeluTanh), &[inside]);
        let [query, key, value] = self.projected(lane.input);
        let normed = [query, key].map(|plain| {
            let normed = self.normalised(plain);
            self.builder.hold(&[plain]);
            normed
        });
        let (seen, held) = self.attend([normed[0], normed[1], value]);
        let builder = &mut self.builder;
        builder.hold(&held);
        let both = builder.push(Operator::Concatenate, &[seen, inside], all, 5 * width);
        let output = builder.linear(both, width, true, Projection::Down);
        let output = modulated::gated(builder, lane.parts[2], output);
        builder.hold(&[both]);
        let output = builder.same(Operator::Add, &[lane.stream, output]);
        builder.hold(&[stream, lane.input, inside, seen]);
        builder.hold(&lane.parts);
        let text = builder.push(Operator::Slice, &[output], rows[1], width);
        let image = builder.push(Operator::Slice, &[output], rows[0], width);
        [image, text]
    }
}
