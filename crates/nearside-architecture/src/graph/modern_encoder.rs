//! ModernBERT at work (`models/modernbert/modeling_modernbert.py` in transformers): rotated heads,
//! gated feed-forward networks, and most layers see only what is near.

use super::encoder::Building;
use super::{Graph, Loss, Value, ValueId};
use crate::{
    AttentionShape, ClassicAttention, Encoder, EncoderHead, Local, Norm, Operator, Projection,
    Softmax,
};

/// What all layers share: masks and tables of cosines and sines, for layers that see everything and
/// for those that see what is near.
struct Surroundings {
    masks: [ValueId; 2],
    tables: [[ValueId; 2]; 2],
}

impl Surroundings {
    /// What the model's variables hold until it returns.
    fn held(&self) -> Vec<ValueId> {
        self.masks.iter().chain(self.tables.iter().flatten()).copied().collect()
    }
}

impl Building<'_> {
    /// ModernBERT.
    pub(super) fn modern(mut self, local: Local) -> Graph {
        let mut stream = self.modern_embedded();
        let embedded = stream;
        let around = self.surroundings(local);
        for index in 0..self.encoder.layers {
            self.builder.enter_block(usize::try_from(index).ok());
            let input = stream;
            stream = self.modern_layer(index, local, stream, &around);
            self.builder.hold(&[input]);
        }
        self.builder.enter_block(None);
        let normed = self.scaled_norm(stream);
        self.builder.hold(&[stream]);
        // The arguments of its masks keep what was embedded.
        self.builder.hold(&[embedded]);
        self.builder.hold(&around.held());
        let loss = self.modern_head(normed, local);
        self.builder.finish(loss)
    }

    fn modern_head(&mut self, stream: ValueId, local: Local) -> Loss {
        match self.encoder.head {
            EncoderHead::Classes(labels) => {
                self.modern_classes(stream, labels, local);
                Loss::Label
            }
            EncoderHead::Words => {
                let predicted = self.modern_prediction(stream);
                let vocabulary = self.encoder.vocabulary;
                self.builder.linear(predicted, vocabulary, true, Projection::TiedOutput);
                self.builder.hold(&[stream]);
                Loss::Class
            }
            EncoderHead::Tokens(labels) => {
                let predicted = self.modern_prediction(stream);
                self.builder.linear(predicted, labels, true, Projection::Pooler);
                self.builder.hold(&[stream]);
                Loss::Label
            }
            EncoderHead::Vectors | EncoderHead::Projection(_) => Loss::MeanSquare,
        }
    }

    fn modern_embedded(&mut self) -> ValueId {
        let Encoder { vocabulary, hidden, .. } = *self.encoder;
        let words = Operator::Embedding { rows: vocabulary, width: hidden };
        let input = self.builder.input();
        let words = self.builder.push(words, &[input], self.shape.rows(), hidden);
        self.scaled_norm(words)
    }

    fn surroundings(&mut self, local: Local) -> Surroundings {
        let Encoder { hidden, heads, .. } = *self.encoder;
        let (rows, tokens) = (self.shape.rows(), self.shape.tokens);
        let all = self.builder.push(Operator::PaddingMask, &[], rows, tokens);
        let near = match tokens >= local.reach {
            true => self.builder.push(Operator::NearMask, &[], rows, tokens),
            false => all,
        };
        let table = Value { rows: tokens, width: hidden / heads };
        let tables = [(); 2].map(|()| {
            let made = self.builder.push_all(Operator::RotaryTable, &[], &[table, table]);
            [made[0], made[1]]
        });
        Surroundings { masks: [all, near], tables }
    }

    fn scaled_norm(&mut self, input: ValueId) -> ValueId {
        let norm = Operator::Norm { kind: Norm::LayerScale, width: self.encoder.hidden };
        self.builder.same(norm, &[input])
    }

    fn modern_layer(
        &mut self,
        index: u64,
        local: Local,
        input: ValueId,
        around: &Surroundings,
    ) -> ValueId {
        let near = usize::from(!index.is_multiple_of(local.every));
        // The embeddings are normed already.
        let normed = if index == 0 { input } else { self.scaled_norm(input) };
        let attended = self.turned_attention(normed, around.masks[near], around.tables[near]);
        if index > 0 {
            self.builder.hold(&[normed]);
        }
        let middle = self.builder.same(Operator::Add, &[input, attended]);
        let normed = self.scaled_norm(middle);
        let fed = self.gated(normed);
        self.builder.hold(&[normed]);
        let output = self.builder.same(Operator::Add, &[middle, fed]);
        self.builder.hold(&[attended]);
        output
    }

    fn turned_attention(
        &mut self,
        input: ValueId,
        mask: ValueId,
        [cosines, sines]: [ValueId; 2],
    ) -> ValueId {
        let Encoder { hidden, heads, .. } = *self.encoder;
        let head_dim = hidden / heads;
        let builder = &mut self.builder;
        let packed = builder.linear(input, 3 * hidden, false, Projection::Packed);
        let part = Value { rows: builder.of(packed).rows, width: hidden };
        let parts = builder.push_all(Operator::Split, &[packed], &[part; 3]);
        let wide = [parts[0], parts[1]]
            .map(|part| builder.same(Operator::WideningRotary, &[part, cosines, sines]));
        let [query, key] = wide.map(|wide| builder.same(Operator::Alike, &[wide, packed]));
        builder.hold(&wide);
        let shape = AttentionShape {
            wide_softmax: true,
            ..AttentionShape::among(self.shape.batch, self.shape.tokens, [heads, head_dim])
        };
        let attention = Operator::ClassicAttention(ClassicAttention {
            shape,
            softmax: Softmax::Wide,
            dropout: false,
            cross: false,
            contiguous: false,
        });
        let mixed = builder.same(attention, &[query, key, parts[2], mask]);
        let output = builder.linear(mixed, hidden, false, Projection::AttentionOutput);
        builder.hold(&[query, key, packed]);
        output
    }

    fn gated(&mut self, input: ValueId) -> ValueId {
        let Encoder { hidden, intermediate, activation, .. } = *self.encoder;
        let builder = &mut self.builder;
        let both = builder.linear(input, 2 * intermediate, false, Projection::Up);
        let half = Value { rows: builder.of(both).rows, width: intermediate };
        let parts = builder.push_all(Operator::Split, &[both], &[half, half]);
        let active = builder.same(Operator::Activation(activation), &[parts[0]]);
        let inside = builder.same(Operator::Multiply, &[active, parts[1]]);
        let output = builder.linear(inside, hidden, false, Projection::Down);
        builder.hold(&[both]);
        output
    }

    /// A layer and its norm, before words or classes are scored.
    fn modern_prediction(&mut self, input: ValueId) -> ValueId {
        let Encoder { hidden, activation, .. } = *self.encoder;
        let dense = self.builder.linear(input, hidden, false, Projection::Pooler);
        let active = self.builder.same(Operator::Activation(activation), &[dense]);
        self.scaled_norm(active)
    }

    fn modern_classes(&mut self, stream: ValueId, labels: u64, local: Local) {
        let pooled = match local.mean {
            true => {
                let (batch, hidden) = (self.shape.batch, self.encoder.hidden);
                self.builder.push(Operator::TokenMean, &[stream], batch, hidden)
            }
            false => self.first(stream),
        };
        let predicted = self.modern_prediction(pooled);
        self.builder.linear(predicted, labels, true, Projection::Pooler);
        self.builder.hold(&[stream]);
    }
}
