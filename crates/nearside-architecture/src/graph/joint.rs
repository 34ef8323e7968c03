//! Stable Diffusion 3 at work (`SD3Transformer2DModel.forward`, `JointTransformerBlock` and
//! `JointAttnProcessor2_0` of diffusers).

use super::unet::PIXELS_PER_PLACE;
use super::{Builder, Graph, Loss, Shape, Value, ValueId, image, modulated};
use crate::{AttentionShape, JointTransformer, Norm, Operator, Projection};

/// Frequencies of a time step.
const FREQUENCIES: u64 = 256;
/// Tokens of two CLIP encoders side by side, then those of T5.
const TEXT_TOKENS: u64 = 77 + 256;

pub(super) fn graph(model: &JointTransformer, shape: Shape) -> Graph {
    let side = shape.image.map_or(model.side, |pixels| pixels / PIXELS_PER_PLACE);
    let width = model.heads * model.head_dim;
    let across = side / model.patch.max(1);
    let mut builder = Builder::new(shape.batch, side * side, model.input);
    let input = builder.input();
    let patches = Value { rows: shape.batch * across * across, width };
    let seen = image::strided(&mut builder, input, patches, model.patch * model.patch);
    let rows = model.positions * model.positions;
    let placed = builder.same(Operator::FixedPositions { rows }, &[seen]);
    let image = builder.same(Operator::Copy, &[placed]);
    let time = image::time(&mut builder, FREQUENCIES, width);
    let pooled = builder.other_input(shape.batch, model.pooled);
    let pooled = image::two_layers(&mut builder, pooled, width);
    let condition = builder.same(Operator::Add, &[time, pooled]);
    let text = builder.other_input(shape.batch * TEXT_TOKENS, model.text);
    let text = builder.linear(text, width, true, Projection::Up);
    let mut building = Building { model, builder, width, condition };
    let mut streams = Streams { image, text: Some(text) };
    for index in 0..model.layers {
        building.builder.enter_block(Some(usize::try_from(index).unwrap_or(usize::MAX)));
        let before = streams;
        streams = building.block(before, index);
        building.builder.enter_block(None);
        building.builder.hold(&before.values());
    }
    let builder = &mut building.builder;
    let normed = modulated::last_norm(builder, streams.image, condition);
    builder.hold(&[streams.image]);
    let patch = model.patch * model.patch * model.output;
    let output = builder.linear(normed, patch, true, Projection::Down);
    modulated::places(builder, output);
    builder.hold(&[condition]);
    building.builder.finish(Loss::MeanSquare)
}

/// Image and text; the last block leaves no text.
#[derive(Clone, Copy)]
struct Streams {
    image: ValueId,
    text: Option<ValueId>,
}

impl Streams {
    fn values(self) -> Vec<ValueId> {
        self.text.into_iter().chain([self.image]).collect()
    }
}

/// One stream on its way through a block.
struct Lane {
    stream: ValueId,
    /// What goes into attention.
    input: ValueId,
    /// What the image looks at itself with once more.
    again: Option<ValueId>,
    /// Shift, scale and gate of both branches.
    parts: Vec<ValueId>,
}

struct Building<'a> {
    model: &'a JointTransformer,
    builder: Builder,
    width: u64,
    condition: ValueId,
}

impl Building<'_> {
    fn block(&mut self, streams: Streams, index: u64) -> Streams {
        let Some(text) = streams.text else { return streams };
        let last = index + 1 == self.model.layers;
        let dual = self.model.dual.contains(&index);
        let image = self.lane(streams.image, [0, 1], if dual { 9 } else { 6 });
        let text = match last {
            true => {
                let lane = self.lane(text, [1, 0], 2);
                self.builder.hold(&lane.parts);
                lane
            }
            false => self.lane(text, [0, 1], 6),
        };
        let seen = self.attention([image.input, text.input], last);
        let (image_out, mut held) = self.branches(&image, seen[0]);
        let text_out = (!last).then(|| {
            let (output, more) = self.branches(&text, seen[1]);
            held.extend(more);
            output
        });
        if last {
            held.push(text.input);
        }
        self.builder.hold(&held);
        self.builder.hold(&[seen[1]]);
        self.builder.hold(&image.parts);
        if !last {
            self.builder.hold(&text.parts);
        }
        Streams { image: image_out, text: text_out }
    }

    fn lane(&mut self, stream: ValueId, [shift, scale]: [usize; 2], parts: usize) -> Lane {
        let builder = &mut self.builder;
        let parts = modulated::modulation(builder, self.condition, self.width, parts);
        let normed = modulated::layer_norm(builder, stream);
        let input = modulated::modulated(builder, normed, parts[shift], parts[scale]);
        // Nine parts are shift, scale and gate of a third branch as well.
        let again = match parts.len() > 6 {
            true => {
                builder.hold(&[stream]);
                let again = modulated::modulated(builder, normed, parts[6], parts[7]);
                builder.hold(&[normed]);
                Some(again)
            }
            false => None,
        };
        Lane { stream, input, again, parts }
    }

    /// What comes after attention; answers also what the block's variables hold.
    fn branches(&mut self, lane: &Lane, seen: ValueId) -> (ValueId, Vec<ValueId>) {
        let builder = &mut self.builder;
        let seen = modulated::gated(builder, lane.parts[2], seen);
        let mut stream = builder.same(Operator::Add, &[lane.stream, seen]);
        let mut more = Vec::new();
        if let Some(again) = lane.again {
            let output = self.alone(again);
            let builder = &mut self.builder;
            let output = modulated::gated(builder, lane.parts[8], output);
            stream = builder.same(Operator::Add, &[stream, output]);
            more = vec![again, output];
        }
        let builder = &mut self.builder;
        let steering = [lane.parts[3], lane.parts[4], lane.parts[5]];
        let (thought, mut held) = modulated::thought(builder, stream, steering, lane.input);
        let output = builder.same(Operator::Add, &[stream, thought]);
        builder.hold(&[stream]);
        held.push(seen);
        held.extend(more);
        (output, held)
    }

    /// Queries, keys and values by heads, the former two perhaps normalised.
    fn by_heads(&mut self, input: ValueId) -> [ValueId; 3] {
        let projected = modulated::projections(&mut self.builder, input);
        let [query, key, value] =
            projected.map(|value| self.builder.same(Operator::Heads, &[value]));
        match self.model.head_norms {
            true => [self.normalised(query), self.normalised(key), value],
            false => [query, key, value],
        }
    }

    fn normalised(&mut self, input: ValueId) -> ValueId {
        let Value { rows, width } = self.builder.of(input);
        let head = self.model.head_dim;
        let norm = Operator::Norm { kind: Norm::NarrowRms, width: head };
        let normed = self.builder.push(norm, &[input], rows * (width / head.max(1)), head);
        self.builder.hold(&[input]);
        normed
    }

    /// In the type of the queries, which their norm may have widened.
    fn as_queries(&mut self, mixed: ValueId) -> ValueId {
        match self.model.head_norms {
            true => self.builder.same(Operator::AsWeights, &[mixed]),
            false => mixed,
        }
    }

    /// The image looks at itself.
    fn alone(&mut self, input: ValueId) -> ValueId {
        let inputs = self.by_heads(input);
        let builder = &mut self.builder;
        let (batch, rows) = (builder.batch(), builder.of(input).rows);
        let heads = [self.model.heads, self.model.head_dim];
        let shape = AttentionShape::among(batch, rows / batch.max(1), heads);
        let mixed = builder.push(Operator::Attention(shape), &inputs, rows, self.width);
        let mixed = self.as_queries(mixed);
        let builder = &mut self.builder;
        let output = builder.linear(mixed, self.width, true, Projection::AttentionOutput);
        builder.hold(&inputs);
        output
    }

    /// Image and text as one sequence; the last block has no use for what the text has seen.
    fn attention(&mut self, inputs: [ValueId; 2], last: bool) -> [ValueId; 2] {
        let [image, text] = inputs.map(|input| self.by_heads(input));
        let builder = &mut self.builder;
        let batch = builder.batch();
        let rows = inputs.map(|input| builder.of(input).rows);
        let all = rows[0] + rows[1];
        let mut joined = |index: usize| {
            builder.push(Operator::Concatenate, &[image[index], text[index]], all, self.width)
        };
        let joined = [joined(0), joined(1), joined(2)];
        let heads = [self.model.heads, self.model.head_dim];
        let shape = AttentionShape::among(batch, all / batch.max(1), heads);
        let mixed = builder.push(Operator::Attention(shape), &joined, all, self.width);
        let mixed = builder.same(Operator::Copy, &[mixed]);
        let mixed = self.as_queries(mixed);
        let builder = &mut self.builder;
        let [image_part, text_part] =
            rows.map(|rows| builder.push(Operator::Slice, &[mixed], rows, self.width));
        let role = Projection::AttentionOutput;
        let text_seen = match last {
            true => text_part,
            false => {
                let part = modulated::contiguous(builder, text_part);
                builder.linear(part, self.width, true, role)
            }
        };
        let part = modulated::contiguous(builder, image_part);
        let image_seen = builder.linear(part, self.width, true, role);
        builder.hold(&joined);
        builder.hold(&text);
        [image_seen, text_seen]
    }
}
