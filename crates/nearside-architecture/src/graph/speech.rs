//! Whisper at work (`models/whisper/modeling_whisper.py` in transformers).

use super::{Builder, Graph, Loss, Shape, Value, ValueId};
use crate::{
    Activation, AttentionShape, ClassicAttention, Convolution, Norm, Operator, Projection, Sight,
    Softmax, Speech,
};

/// Moments that each convolution of the front end sees at once.
const WINDOW: u64 = 3;

impl Graph {
    /// Whisper at work: it reads half a minute of sound whatever is asked, and writes tokens. With
    /// tokens in the cache only the decoder runs: what it heard is remembered.
    #[must_use]
    pub fn of_speech(model: &Speech, shape: Shape) -> Self {
        let builder = Builder::new(shape.batch, 2 * model.places, model.bands);
        let mut building = Building { builder, shape, model, block: 0 };
        let heard = (shape.past == 0).then(|| building.encoder());
        building.decoder(heard);
        building.builder.finish(Loss::Label)
    }
}

/// What keys and values are made of.
#[derive(Clone, Copy)]
enum Memory {
    /// The tokens or places that ask; they see all of each other, or what came before.
    Own(Sight),
    /// What the encoder made.
    Heard(ValueId),
    /// The cache.
    Cached,
}

struct Building<'a> {
    builder: Builder,
    shape: Shape,
    model: &'a Speech,
    block: usize,
}

impl Building<'_> {
    fn encoder(&mut self) -> ValueId {
        let Speech { hidden, bands, places, encoder: [layers, heads, inner], .. } = *self.model;
        let batch = self.shape.batch;
        let input = self.builder.input();
        let wave = self.convolved(input, bands, 2 * places);
        let wave = self.convolved(wave, hidden, places);
        let index = self.builder.push(Operator::Indices, &[], places, 1);
        let table = Operator::FixedTable { rows: places, width: hidden };
        let table = self.builder.push(table, &[index], places, hidden);
        let mut stream = self.builder.push(Operator::Add, &[wave, table], batch * places, hidden);
        self.builder.hold(&[table]);
        for _ in 0..layers {
            self.enter();
            let before = stream;
            stream = self.attended(stream, heads, Memory::Own(Sight::All));
            stream = self.fed_forward(stream, inner);
            self.builder.hold(&[before]);
        }
        self.builder.enter_block(None);
        let output = self.norm(stream);
        self.builder.hold(&[stream, wave, index]);
        output
    }

    fn enter(&mut self) {
        self.builder.enter_block(Some(self.block));
        self.block += 1;
    }

    fn convolved(&mut self, input: ValueId, channels: u64, places: u64) -> ValueId {
        let Speech { hidden, .. } = *self.model;
        let convolution =
            Convolution { input: channels, output: hidden, window: WINDOW, groups: 1, bias: true };
        let rows = self.shape.batch * places;
        let operator = Operator::Convolution(convolution);
        let convolved = self.builder.push(operator, &[input], rows, hidden);
        self.builder.same(Operator::Activation(Activation::Gelu), &[convolved])
    }

    fn decoder(&mut self, heard: Option<ValueId>) {
        let Speech { hidden, vocabulary, positions, decoder: [layers, heads, inner], .. } =
            *self.model;
        let rows = self.shape.batch * self.shape.written.unwrap_or(self.shape.tokens);
        let ids = self.builder.push(Operator::Indices, &[], rows, 1);
        let words = Operator::Embedding { rows: vocabulary, width: hidden };
        let words = self.builder.push(words, &[ids], rows, hidden);
        let index = self.builder.push(Operator::Indices, &[], rows, 1);
        let places = Operator::Lookup { rows: positions, width: hidden };
        let places = self.builder.push(places, &[index], rows, hidden);
        let mut stream = self.builder.same(Operator::Add, &[words, places]);
        let memory = heard.map_or(Memory::Cached, Memory::Heard);
        for _ in 0..layers {
            self.enter();
            let before = stream;
            stream = self.attended(stream, heads, Memory::Own(Sight::Past));
            stream = self.attended(stream, heads, memory);
            stream = self.fed_forward(stream, inner);
            self.builder.hold(&[before]);
        }
        self.builder.enter_block(None);
        let normed = self.norm(stream);
        self.builder.hold(&[stream, words, places, index]);
        self.builder.linear(normed, vocabulary, false, Projection::TiedOutput);
        self.builder.hold(&[normed]);
        self.builder.hold(&heard.into_iter().collect::<Vec<_>>());
    }

    fn norm(&mut self, input: ValueId) -> ValueId {
        let norm = Operator::Norm { kind: Norm::Layer, width: self.model.hidden };
        self.builder.same(norm, &[input])
    }

    /// Attention, added to the stream.
    fn attended(&mut self, stream: ValueId, heads: u64, memory: Memory) -> ValueId {
        let Speech { hidden, .. } = *self.model;
        let normed = self.norm(stream);
        let projected = self.projected(normed, memory);
        let mixed = self.mixed(projected, heads, memory);
        let dense = self.builder.linear(mixed, hidden, true, Projection::AttentionOutput);
        self.builder.hold(&projected);
        self.builder.hold(&[normed]);
        let sum = self.builder.same(Operator::Add, &[stream, dense]);
        self.builder.hold(&[dense]);
        sum
    }

    /// Queries, scaled, keys and values, each head in one piece.
    fn projected(&mut self, input: ValueId, memory: Memory) -> [ValueId; 3] {
        let Speech { hidden, places, .. } = *self.model;
        let rows = self.shape.batch * places;
        let builder = &mut self.builder;
        let query = builder.linear(input, hidden, true, Projection::Query);
        let query = builder.same(Operator::Scale, &[query]);
        let query = in_one_piece(builder, query);
        let read = match memory {
            Memory::Own(_) => input,
            Memory::Heard(heard) => heard,
            Memory::Cached => {
                return [
                    query,
                    builder.push(Operator::Recall, &[], rows, hidden),
                    builder.push(Operator::Recall, &[], rows, hidden),
                ];
            }
        };
        let key = builder.linear(read, hidden, false, Projection::Key);
        let key = in_one_piece(builder, key);
        let value = builder.linear(read, hidden, true, Projection::Value);
        [query, key, in_one_piece(builder, value)]
    }

    fn mixed(&mut self, inputs: [ValueId; 3], heads: u64, memory: Memory) -> ValueId {
        let Speech { hidden, places, .. } = *self.model;
        let Value { rows, .. } = self.builder.of(inputs[0]);
        let queries = rows / self.shape.batch.max(1);
        let (keys, sight) = match memory {
            Memory::Own(Sight::Past) => (self.shape.past + queries, Sight::Past),
            Memory::Own(sight) => (queries, sight),
            Memory::Heard(_) | Memory::Cached => (places, Sight::All),
        };
        let cross = !matches!(memory, Memory::Own(_));
        let shape = AttentionShape {
            keys,
            sight,
            cached: if cross || sight == Sight::Past { 2 * hidden } else { 0 },
            ..AttentionShape::among(self.shape.batch, queries, [heads, hidden / heads])
        };
        let attention = ClassicAttention {
            shape,
            softmax: Softmax::Own,
            dropout: false,
            cross,
            contiguous: true,
        };
        self.builder.same(Operator::ClassicAttention(attention), &inputs)
    }

    fn fed_forward(&mut self, stream: ValueId, inner: u64) -> ValueId {
        let Speech { hidden, activation, .. } = *self.model;
        let normed = self.norm(stream);
        let up = self.builder.linear(normed, inner, true, Projection::Up);
        let inside = self.builder.same(Operator::Activation(activation), &[up]);
        self.builder.hold(&[normed]);
        let down = self.builder.linear(inside, hidden, true, Projection::Down);
        let sum = self.builder.same(Operator::Add, &[stream, down]);
        self.builder.hold(&[down]);
        sum
    }
}

/// Each head's elements side by side in memory.
fn in_one_piece(builder: &mut Builder, input: ValueId) -> ValueId {
    let heads = builder.same(Operator::Heads, &[input]);
    builder.same(Operator::Copy, &[heads])
}
