//! T5 at work (`models/t5/modeling_t5.py` in transformers).

use super::{Builder, Graph, Loss, Shape, Value, ValueId};
use crate::{
    AttentionShape, ClassicAttention, DistanceBias, Norm, Operator, Projection, Sight, Softmax,
    TextToText,
};

impl Graph {
    /// T5 at work. With tokens in the cache only the decoder runs: what it reads is remembered.
    #[must_use]
    pub fn of_text_to_text(model: &TextToText, shape: Shape) -> Self {
        let builder = Builder::new(shape.batch, shape.tokens, 1);
        let mut building = Building { builder, shape, model, block: 0 };
        let read = (shape.past == 0 || model.decoder_layers.is_none()).then(|| building.encoder());
        if let Some(layers) = model.decoder_layers {
            building.decoder(layers, read);
            return building.builder.finish(Loss::Label);
        }
        building.builder.finish(Loss::MeanSquare)
    }
}

/// Biases of scores: that of a stack's own tokens, and that of what was read.
#[derive(Clone, Copy)]
struct Biases {
    own: Option<ValueId>,
    cross: Option<ValueId>,
    masks: [ValueId; 2],
}

/// One attention: how many keys, whose, and whether it sees what comes later.
#[derive(Clone, Copy)]
struct Seen {
    keys: u64,
    sight: Sight,
    memory: Memory,
}

/// What keys and values are made of.
#[derive(Clone, Copy)]
enum Memory {
    /// The tokens that ask.
    Own,
    /// What the encoder made.
    Read(ValueId),
    /// The cache.
    Cached,
}

struct Building<'a> {
    builder: Builder,
    shape: Shape,
    model: &'a TextToText,
    block: usize,
}

impl Building<'_> {
    fn written(&self) -> u64 {
        self.shape.written.unwrap_or(self.shape.tokens)
    }

    fn encoder(&mut self) -> ValueId {
        let TextToText { vocabulary, hidden, encoder_layers, .. } = *self.model;
        let table = Operator::Embedding { rows: vocabulary, width: hidden };
        let input = self.builder.input();
        let embedded = self.builder.push(table, &[input], self.shape.rows(), hidden);
        let tokens = self.shape.tokens;
        let mask = self.builder.push(Operator::PaddingMask, &[], self.shape.rows(), tokens);
        let mut biases = Biases { own: None, cross: None, masks: [mask; 2] };
        let mut stream = self.dropped(embedded);
        let seen = Seen { keys: tokens, sight: Sight::All, memory: Memory::Own };
        for _ in 0..encoder_layers {
            self.enter();
            let before = stream;
            stream = self.attended(stream, seen, &mut biases);
            stream = self.fed_forward(stream);
            self.builder.hold(&[before]);
        }
        self.leave(stream, embedded, biases)
    }

    /// The next block.
    const fn enter(&mut self) {
        self.builder.enter_block(Some(self.block));
        self.block += 1;
    }

    /// A stack returns: its last norm, and its variables are let go.
    fn leave(&mut self, stream: ValueId, embedded: ValueId, biases: Biases) -> ValueId {
        self.builder.enter_block(None);
        let normed = self.norm(stream);
        self.builder.hold(&[stream]);
        let output = self.dropped(normed);
        self.builder.hold(&[normed, embedded]);
        let biases: Vec<_> =
            biases.own.into_iter().chain(biases.cross).chain(biases.masks).collect();
        self.builder.hold(&biases);
        output
    }

    fn decoder(&mut self, layers: u64, read: Option<ValueId>) {
        let TextToText { vocabulary, hidden, scaled_output, .. } = *self.model;
        let (rows, written) = (self.shape.batch * self.written(), self.written());
        let ids = self.builder.push(Operator::Indices, &[], rows, 1);
        let table = match read {
            Some(_) => Operator::SharedEmbedding,
            None => Operator::Embedding { rows: vocabulary, width: hidden },
        };
        let embedded = self.builder.push(table, &[ids], rows, hidden);
        // Only what was read is padded.
        let keys = self.shape.tokens;
        let cross_mask = self.builder.push(Operator::PaddingMask, &[], rows, keys);
        let own_mask = self.builder.other_input(0, 0);
        let mut biases = Biases { own: None, cross: None, masks: [own_mask, cross_mask] };
        let own = Seen { keys: self.shape.past + written, sight: Sight::Past, memory: Memory::Own };
        let memory = read.map_or(Memory::Cached, Memory::Read);
        let cross = Seen { keys, sight: Sight::All, memory };
        let mut stream = self.dropped(embedded);
        for _ in 0..layers {
            self.enter();
            let before = stream;
            stream = self.attended(stream, own, &mut biases);
            stream = self.attended(stream, cross, &mut biases);
            stream = self.fed_forward(stream);
            self.builder.hold(&[before]);
        }
        let output = self.leave(stream, embedded, biases);
        let scored = match scaled_output {
            true => self.builder.same(Operator::Scale, &[output]),
            false => output,
        };
        self.builder.linear(scored, vocabulary, false, Projection::TiedOutput);
        self.builder.hold(&[output]);
        self.builder.hold(&read.into_iter().collect::<Vec<_>>());
    }

    fn norm(&mut self, input: ValueId) -> ValueId {
        let norm = Operator::Norm { kind: Norm::NarrowRms, width: self.model.hidden };
        self.builder.same(norm, &[input])
    }

    fn dropped(&mut self, input: ValueId) -> ValueId {
        match self.model.dropout {
            true => self.builder.same(Operator::Dropout, &[input]),
            false => input,
        }
    }

    /// Attention to the stack's own tokens or to what was read, added to the stream.
    fn attended(&mut self, stream: ValueId, seen: Seen, biases: &mut Biases) -> ValueId {
        let TextToText { hidden, .. } = *self.model;
        let normed = self.norm(stream);
        let heads = self.heads(normed, seen.memory);
        let cross = !matches!(seen.memory, Memory::Own);
        let (slot, mask) = match cross {
            true => (&mut biases.cross, biases.masks[1]),
            false => (&mut biases.own, biases.masks[0]),
        };
        let own = self.model.own_distances;
        let bias = match *slot {
            Some(bias) if !own => bias,
            _ => self.bias(normed, seen, cross),
        };
        *slot = (!own).then_some(bias);
        let mixed = self.mixed(heads, [bias, mask], seen);
        let dense = self.builder.linear(mixed, hidden, false, Projection::AttentionOutput);
        self.builder.hold(&heads);
        if own {
            self.builder.hold(&[bias]);
        }
        let dropped = self.dropped(dense);
        let sum = self.builder.same(Operator::Add, &[stream, dropped]);
        self.builder.hold(&[dense, normed]);
        sum
    }

    fn heads(&mut self, input: ValueId, memory: Memory) -> [ValueId; 3] {
        let TextToText { heads, head_dim, .. } = *self.model;
        let inner = heads * head_dim;
        let rows = self.shape.rows();
        let builder = &mut self.builder;
        let mut project = |input, role| {
            let projected = builder.linear(input, inner, false, role);
            builder.same(Operator::Heads, &[projected])
        };
        let query = project(input, Projection::Query);
        let read = match memory {
            Memory::Own => input,
            Memory::Read(read) => read,
            Memory::Cached => {
                return [
                    query,
                    builder.push(Operator::Recall, &[], rows, inner),
                    builder.push(Operator::Recall, &[], rows, inner),
                ];
            }
        };
        [query, project(read, Projection::Key), project(read, Projection::Value)]
    }

    /// The bias that all layers of a stack share: its first layer makes it.
    fn bias(&mut self, queries: ValueId, seen: Seen, cross: bool) -> ValueId {
        let TextToText { heads, buckets, .. } = *self.model;
        let Value { rows, .. } = self.builder.of(queries);
        let queries = rows / self.shape.batch.max(1);
        let operator = match cross {
            true => Operator::NoBias,
            false => Operator::DistanceBias(DistanceBias { buckets, heads, sight: seen.sight }),
        };
        self.builder.push(operator, &[], queries * seen.keys, heads)
    }

    fn mixed(&mut self, heads: [ValueId; 3], extras: [ValueId; 2], seen: Seen) -> ValueId {
        let TextToText { heads: count, head_dim, dropout, .. } = *self.model;
        let [query, key, value] = heads;
        let Value { rows, .. } = self.builder.of(query);
        let cross = !matches!(seen.memory, Memory::Own);
        let sequences = self.shape.batch;
        let shape = AttentionShape {
            keys: seen.keys,
            sight: seen.sight,
            cached: if cross || seen.sight == Sight::Past { 2 * count * head_dim } else { 0 },
            ..AttentionShape::among(sequences, rows / sequences.max(1), [count, head_dim])
        };
        let attention =
            ClassicAttention { shape, softmax: Softmax::Own, dropout, cross, contiguous: false };
        let [bias, mask] = extras;
        let inputs = [query, key, value, bias, mask];
        self.builder.same(Operator::ClassicAttention(attention), &inputs)
    }

    fn fed_forward(&mut self, stream: ValueId) -> ValueId {
        let TextToText { hidden, intermediate, gated, activation, .. } = *self.model;
        let activation = Operator::Activation(activation);
        let normed = self.norm(stream);
        let builder = &mut self.builder;
        let mut held = Vec::new();
        let inside = match gated {
            true => {
                let gate = builder.linear(normed, intermediate, false, Projection::Gate);
                let gate = builder.same(activation, &[gate]);
                let up = builder.linear(normed, intermediate, false, Projection::Up);
                held.extend([gate, up]);
                builder.same(Operator::Multiply, &[gate, up])
            }
            false => {
                let up = builder.linear(normed, intermediate, false, Projection::Up);
                builder.same(activation, &[up])
            }
        };
        let dropped = self.dropped(inside);
        let wide = self.builder.same(Operator::AsWeights, &[dropped]);
        let down = self.builder.linear(wide, hidden, false, Projection::Down);
        self.builder.hold(&held);
        self.builder.hold(&[wide, normed]);
        let dropped = self.dropped(down);
        let sum = self.builder.same(Operator::Add, &[stream, dropped]);
        self.builder.hold(&[down]);
        sum
    }
}
