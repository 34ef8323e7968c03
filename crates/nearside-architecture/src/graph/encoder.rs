//! Encoders of text at work.
//!
//! What is held where follows the variables of the modules in transformers
//! (`models/bert/modeling_bert.py`, `models/distilbert/modeling_distilbert.py`,
//! `models/clip/modeling_clip.py`).

use super::{Builder, Graph, Loss, Shape, ValueId};
use crate::{
    Activation, AttentionShape, ClassicAttention, Encoder, EncoderHead, EncoderStyle, Norm,
    Operator, Projection, Sight, Softmax,
};

impl Graph {
    /// An encoder at work.
    #[must_use]
    pub fn of_encoder(encoder: &Encoder, shape: Shape) -> Self {
        let builder = Builder::new(shape.batch, shape.tokens, 1);
        let mut building = Building { builder, shape, encoder };
        if let EncoderStyle::Modern(local) = encoder.style {
            return building.modern(local);
        }
        let embedded = building.embedded();
        let mask = building.mask();
        let mut stream = embedded;
        if encoder.embedding != encoder.hidden || encoder.style == EncoderStyle::Albert {
            stream = building.builder.linear(stream, encoder.hidden, true, Projection::Pooler);
        }
        // ALBERT's model keeps what it embedded besides.
        let variable = if encoder.style == EncoderStyle::Albert { embedded } else { stream };
        let place = building.builder.place();
        for index in 0..usize::try_from(encoder.layers).unwrap_or(0) {
            building.builder.enter_block(Some(index));
            let shared = encoder.style == EncoderStyle::Albert && index > 0;
            building.builder.repeat_from(shared.then_some(place));
            let input = stream;
            stream = match encoder.style {
                EncoderStyle::Clip => building.normed_before(stream, mask),
                _ => building.normed_after(stream, mask),
            };
            building.builder.hold(&[input]);
        }
        building.builder.enter_block(None);
        building.builder.repeat_from(None);
        let loss = building.head(stream, [variable, mask]);
        building.builder.finish(loss)
    }
}

pub(super) struct Building<'a> {
    pub(super) builder: Builder,
    pub(super) shape: Shape,
    pub(super) encoder: &'a Encoder,
}

impl Building<'_> {
    /// Words, types and positions, summed in that order.
    fn embedded(&mut self) -> ValueId {
        let Encoder { vocabulary, embedding: hidden, positions, types, style, .. } = *self.encoder;
        let (rows, tokens) = (self.shape.rows(), self.shape.tokens);
        let builder = &mut self.builder;
        let table = |rows| Operator::Lookup { rows, width: hidden };
        let places = match style {
            EncoderStyle::Roberta => builder.push(Operator::Indices, &[], rows, 1),
            _ => builder.push(Operator::Counting { rows: positions }, &[], tokens, 1),
        };
        let place_rows = builder.of(places).rows;
        let kinds = (types > 0).then(|| {
            let loaded = builder.push(Operator::Counting { rows: positions }, &[], positions, 1);
            builder.push(Operator::Indices, &[loaded, places], place_rows, 1)
        });
        let words = Operator::Embedding { rows: vocabulary, width: hidden };
        let input = builder.input();
        let words = builder.push(words, &[input], rows, hidden);
        let mut held = vec![words];
        let mut sum = words;
        if let Some(kinds) = kinds {
            let kinds = builder.push(table(types), &[kinds], rows, hidden);
            sum = builder.same(Operator::Add, &[sum, kinds]);
            held.push(kinds);
        }
        let places = builder.push(table(positions), &[places], place_rows, hidden);
        sum = builder.same(Operator::Add, &[sum, places]);
        held.push(places);
        if style != EncoderStyle::Clip {
            let normed = self.norm(sum);
            sum = self.dropped(normed);
        }
        self.builder.hold(&held);
        sum
    }

    /// Which keys each query may see: those that are not padding, of its own sequence.
    fn mask(&mut self) -> ValueId {
        self.builder.push(Operator::PaddingMask, &[], self.shape.rows(), self.shape.tokens)
    }

    fn norm(&mut self, input: ValueId) -> ValueId {
        let width = self.builder.of(input).width;
        self.builder.same(Operator::Norm { kind: Norm::Layer, width }, &[input])
    }

    fn dropped(&mut self, input: ValueId) -> ValueId {
        match self.encoder.dropouts.hidden {
            true => self.builder.same(Operator::Dropout, &[input]),
            false => input,
        }
    }

    /// BERT's layer: a norm after each residual branch.
    fn normed_after(&mut self, input: ValueId, mask: ValueId) -> ValueId {
        let distilled = self.encoder.style == EncoderStyle::DistilBert;
        let (mixed, heads) = self.attention(input, mask);
        if self.encoder.style == EncoderStyle::Albert {
            return self.albert_layer(input, mixed, &heads);
        }
        if !distilled {
            self.builder.hold(&heads);
        }
        let hidden = self.encoder.hidden;
        let dense = self.builder.linear(mixed, hidden, true, Projection::AttentionOutput);
        if distilled {
            self.builder.hold(&heads);
        }
        let dropped = if distilled { dense } else { self.dropped(dense) };
        let sum = self.builder.same(Operator::Add, &[dropped, input]);
        let normed = self.norm(sum);
        self.builder.hold(&[dropped]);
        if !distilled {
            self.builder.hold(&[mixed]);
        }
        let [inside, down] = self.feed_forward(normed);
        let down = self.dropped(down);
        let sum = self.builder.same(Operator::Add, &[down, normed]);
        let output = self.norm(sum);
        self.builder.hold(&[down]);
        if !distilled {
            self.builder.hold(&[inside]);
        }
        self.builder.hold(&[normed]);
        output
    }

    /// The rest of ALBERT's layer, whose attention keeps its heads in variables until it returns.
    fn albert_layer(&mut self, input: ValueId, mixed: ValueId, heads: &[ValueId]) -> ValueId {
        let hidden = self.encoder.hidden;
        let dense = self.builder.linear(mixed, hidden, true, Projection::AttentionOutput);
        let dropped = self.dropped(dense);
        let sum = self.builder.same(Operator::Add, &[input, dropped]);
        let normed = self.norm(sum);
        self.builder.hold(&[dropped]);
        self.builder.hold(heads);
        let [inside, down] = self.feed_forward(normed);
        self.builder.hold(&[inside]);
        let sum = self.builder.same(Operator::Add, &[down, normed]);
        let output = self.norm(sum);
        self.builder.hold(&[down, normed]);
        output
    }

    /// CLIP's layer: a norm before each residual branch.
    fn normed_before(&mut self, input: ValueId, mask: ValueId) -> ValueId {
        let normed = self.norm(input);
        let (mixed, heads) = self.attention(normed, mask);
        let hidden = self.encoder.hidden;
        let dense = self.builder.linear(mixed, hidden, true, Projection::AttentionOutput);
        self.builder.hold(&heads);
        self.builder.hold(&[normed]);
        let sum = self.builder.same(Operator::Add, &[input, dense]);
        let normed = self.norm(sum);
        let [_, down] = self.feed_forward(normed);
        self.builder.hold(&[normed]);
        self.builder.same(Operator::Add, &[sum, down])
    }

    /// What comes out, and the heads that go in.
    fn attention(&mut self, input: ValueId, mask: ValueId) -> (ValueId, [ValueId; 3]) {
        let Encoder { hidden, heads, style, dropouts, .. } = *self.encoder;
        let builder = &mut self.builder;
        let clip = style == EncoderStyle::Clip;
        let roles = [Projection::Query, Projection::Key, Projection::Value];
        let [query, key, value] = roles.map(|role| {
            let projected = builder.linear(input, hidden, true, role);
            builder.same(Operator::Heads, &[projected])
        });
        let head_dim = hidden / heads;
        let shape = AttentionShape {
            sight: if clip { Sight::Past } else { Sight::All },
            ..AttentionShape::among(self.shape.batch, self.shape.tokens, [heads, head_dim])
        };
        let attention = Operator::ClassicAttention(ClassicAttention {
            shape,
            softmax: if clip { Softmax::Wide } else { Softmax::Own },
            dropout: dropouts.attention,
            cross: false,
            contiguous: false,
        });
        let mixed = builder.same(attention, &[query, key, value, mask]);
        (mixed, [query, key, value])
    }

    /// What is inside and what comes out.
    fn feed_forward(&mut self, input: ValueId) -> [ValueId; 2] {
        let Encoder { hidden, intermediate, activation, .. } = *self.encoder;
        let up = self.builder.linear(input, intermediate, true, Projection::Up);
        let inside = self.builder.same(Operator::Activation(activation), &[up]);
        self.builder.hold(&[up]);
        [inside, self.builder.linear(inside, hidden, true, Projection::Down)]
    }

    /// What follows the layers; the model's variables are let go when it returns.
    fn head(&mut self, stream: ValueId, held: [ValueId; 2]) -> Loss {
        let Encoder { style, head, .. } = *self.encoder;
        match head {
            EncoderHead::Vectors | EncoderHead::Projection(_) => self.vectors(stream, held),
            EncoderHead::Words => {
                self.builder.hold(&held);
                self.words(stream);
                self.builder.hold(&[stream]);
                Loss::Label
            }
            EncoderHead::Tokens(labels) => {
                self.builder.hold(&held);
                self.classified(stream, labels);
                self.builder.hold(&[stream]);
                Loss::Label
            }
            EncoderHead::Classes(labels) => {
                match style {
                    EncoderStyle::Bert | EncoderStyle::Albert => {
                        self.pooled_classes(stream, labels, held);
                    }
                    _ => self.first_classes(stream, labels, held),
                }
                Loss::Label
            }
        }
    }

    fn vectors(&mut self, stream: ValueId, held: [ValueId; 2]) -> Loss {
        match self.encoder.style {
            EncoderStyle::Bert | EncoderStyle::Roberta | EncoderStyle::Albert => {
                self.pooled(stream);
                self.builder.hold(&held);
                self.builder.hold(&[stream]);
            }
            EncoderStyle::DistilBert | EncoderStyle::Electra | EncoderStyle::Modern(_) => {
                self.builder.hold(&held);
            }
            EncoderStyle::Clip => {
                let normed = self.norm(stream);
                self.builder.hold(&[stream]);
                self.builder.hold(&held);
                if let EncoderHead::Projection(width) = self.encoder.head {
                    let last = self.first(normed);
                    self.builder.linear(last, width, false, Projection::AttentionOutput);
                    self.builder.hold(&[normed]);
                }
            }
        }
        Loss::MeanSquare
    }

    /// One token of each sequence.
    pub(super) fn first(&mut self, stream: ValueId) -> ValueId {
        let (batch, hidden) = (self.shape.batch, self.encoder.hidden);
        self.builder.push(Operator::Last, &[stream], batch, hidden)
    }

    /// `tanh(W first + b)`.
    fn pooled(&mut self, stream: ValueId) -> ValueId {
        let first = self.first(stream);
        let dense = self.builder.linear(first, self.encoder.hidden, true, Projection::Pooler);
        self.builder.same(Operator::Activation(Activation::Tanh), &[dense])
    }

    fn classified(&mut self, input: ValueId, labels: u64) {
        let dropped = self.classifier_dropped(input);
        self.builder.linear(dropped, labels, true, Projection::Pooler);
    }

    fn classifier_dropped(&mut self, input: ValueId) -> ValueId {
        match self.encoder.dropouts.classifier {
            true => self.builder.same(Operator::Dropout, &[input]),
            false => input,
        }
    }

    fn pooled_classes(&mut self, stream: ValueId, labels: u64, held: [ValueId; 2]) {
        let pooled = self.pooled(stream);
        self.builder.hold(&held);
        self.classified(pooled, labels);
        self.builder.hold(&[stream, pooled]);
    }

    /// A classifier of two layers over the first token.
    fn first_classes(&mut self, stream: ValueId, labels: u64, held: [ValueId; 2]) {
        self.builder.hold(&held);
        let hidden = self.encoder.hidden;
        let first = self.first(stream);
        let (input, activation) = match self.encoder.style {
            EncoderStyle::Roberta => (self.classifier_dropped(first), Activation::Tanh),
            EncoderStyle::Electra => (self.classifier_dropped(first), Activation::Gelu),
            _ => (first, Activation::Relu),
        };
        let dense = self.builder.linear(input, hidden, true, Projection::Pooler);
        let active = self.builder.same(Operator::Activation(activation), &[dense]);
        self.classified(active, labels);
        self.builder.hold(&[stream]);
    }

    /// A layer, a norm, and the embedding table as output layer.
    fn words(&mut self, stream: ValueId) {
        let Encoder { embedding, vocabulary, style, .. } = *self.encoder;
        let activation = match style {
            EncoderStyle::Electra => Activation::Gelu,
            _ => self.encoder.activation,
        };
        let dense = self.builder.linear(stream, embedding, true, Projection::Pooler);
        let active = self.builder.same(Operator::Activation(activation), &[dense]);
        let normed = self.norm(active);
        self.builder.linear(normed, vocabulary, true, Projection::TiedOutput);
    }
}
