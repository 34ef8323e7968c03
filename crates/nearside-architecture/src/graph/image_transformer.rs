//! Image classifiers made of attention at work.

use super::{Builder, Graph, Loss, Shape, ValueId};
use crate::{
    AttentionShape, Convolution, ImageHead, ImagePositions, ImageTransformer, Library, Norm,
    Operator, Projection,
};

impl ImageTransformer {
    /// The model at work on a batch of images.
    #[must_use]
    pub fn graph(&self, shape: Shape) -> Graph {
        let side = shape.image.unwrap_or(self.image);
        let patches = (side / self.patch.max(1)) * (side / self.patch.max(1));
        let builder = Builder::new(shape.batch, side * side, self.channels);
        let tokens = patches + self.tokens;
        let mut building = Building { builder, model: self, batch: shape.batch, patches, tokens };
        let (joined, embedded) = building.embedded();
        let mut stream = embedded;
        for index in 0..self.layers {
            building.builder.enter_block(usize::try_from(index).ok());
            let input = stream;
            stream = building.block(stream);
            building.builder.hold(&[input]);
        }
        building.builder.enter_block(None);
        match self.head {
            ImageHead::Classes(classes) => {
                building.head([joined, embedded, stream], classes);
                building.builder.finish(Loss::Class)
            }
            ImageHead::First | ImageHead::FirstOfAll => {
                building.first([embedded, stream]);
                building.builder.finish(Loss::MeanSquare)
            }
        }
    }
}

struct Building<'a> {
    builder: Builder,
    model: &'a ImageTransformer,
    batch: u64,
    /// Patches of one image.
    patches: u64,
    /// Tokens of one image.
    tokens: u64,
}

impl Building<'_> {
    /// Patches behind the learned tokens, without and with their positions.
    fn embedded(&mut self) -> (ValueId, ValueId) {
        let ImageTransformer { hidden, patch, channels, tokens, patch_bias, .. } = *self.model;
        let convolution = Operator::Convolution(Convolution {
            input: channels,
            output: hidden,
            window: patch * patch,
            groups: 1,
            bias: patch_bias,
        });
        let input = self.builder.input();
        let rows = self.batch * self.patches;
        let patches = self.builder.push(convolution, &[input], rows, hidden);
        let learned = Operator::LearnedTokens { count: tokens, width: hidden };
        let rows = self.batch * self.tokens;
        let joined = self.builder.push(learned, &[patches], rows, hidden);
        self.builder.hold(&[patches]);
        let embedded = self.positioned(joined);
        let embedded = self.dropout(embedded);
        match self.model.first_norm {
            true => (joined, self.norm(embedded)),
            false => (joined, embedded),
        }
    }

    fn positioned(&mut self, joined: ValueId) -> ValueId {
        let (tokens, width) = (self.tokens, self.model.hidden);
        let builder = &mut self.builder;
        let rows = match self.model.positions {
            ImagePositions::Learned => tokens,
            ImagePositions::Interpolated(rows) => rows,
            ImagePositions::Table => {
                let numbers = builder.push(Operator::Counting { rows: tokens }, &[], tokens, 1);
                let table = Operator::Lookup { rows: tokens, width };
                let found = builder.push(table, &[numbers], tokens, width);
                return builder.same(Operator::Add, &[joined, found]);
            }
        };
        if !self.model.idle.is_empty() {
            builder.push_all(Operator::Idle(self.model.idle.clone()), &[], &[]);
        }
        builder.same(Operator::LearnedPositions { rows, width }, &[joined])
    }

    /// A learned scale per channel of a branch, where there is one.
    fn scaled(&mut self, branch: ValueId) -> ValueId {
        let width = self.model.hidden;
        match self.model.scaled {
            true => self.builder.same(Operator::LearnedScale { width }, &[branch]),
            false => branch,
        }
    }

    fn dropout(&mut self, input: ValueId) -> ValueId {
        match self.model.dropout {
            true => self.builder.same(Operator::Dropout, &[input]),
            false => input,
        }
    }

    fn norm(&mut self, input: ValueId) -> ValueId {
        let (kind, width) = (Norm::Layer, self.model.hidden);
        self.builder.same(Operator::Norm { kind, width }, &[input])
    }

    fn block(&mut self, stream: ValueId) -> ValueId {
        let normed = self.norm(stream);
        let mixed = match self.model.library {
            Library::Torchvision => {
                self.builder.same(Operator::MultiheadAttention(self.attention()), &[normed])
            }
            Library::Transformers => self.separate(normed),
        };
        self.builder.hold(&[normed]);
        let mixed = self.dropout(mixed);
        let mixed = self.scaled(mixed);
        let stream = self.builder.same(Operator::Add, &[mixed, stream]);
        let normed = self.norm(stream);
        let forward = self.feed_forward(normed);
        self.builder.hold(&[normed]);
        let forward = self.dropout(forward);
        let forward = self.scaled(forward);
        let operands = match self.model.library {
            Library::Torchvision => [stream, forward],
            Library::Transformers => [forward, stream],
        };
        let output = self.builder.same(Operator::Add, &operands);
        self.builder.hold(&[stream]);
        output
    }

    const fn attention(&self) -> AttentionShape {
        let ImageTransformer { hidden, heads, .. } = *self.model;
        let head = hidden / if heads == 0 { 1 } else { heads };
        AttentionShape::among(self.batch, self.tokens, [heads, head])
    }

    /// Queries, keys and values by themselves.
    fn separate(&mut self, input: ValueId) -> ValueId {
        let ImageTransformer { hidden, input_bias, .. } = *self.model;
        let builder = &mut self.builder;
        let mut project = |role| {
            let projected = builder.linear(input, hidden, input_bias, role);
            builder.same(Operator::Heads, &[projected])
        };
        let query = project(Projection::Query);
        let key = project(Projection::Key);
        let value = project(Projection::Value);
        let attention = Operator::Attention(self.attention());
        let mixed = self.builder.same(attention, &[query, key, value]);
        let output = self.builder.linear(mixed, hidden, true, Projection::AttentionOutput);
        self.builder.hold(&[query, key, value, mixed]);
        output
    }

    fn feed_forward(&mut self, input: ValueId) -> ValueId {
        let ImageTransformer { hidden, intermediate, activation, .. } = *self.model;
        let inside = match self.model.gated {
            true => {
                let gate = self.builder.linear(input, intermediate, true, Projection::Gate);
                let gate = self.builder.same(Operator::Activation(activation), &[gate]);
                let up = self.builder.linear(input, intermediate, true, Projection::Up);
                self.builder.same(Operator::Multiply, &[gate, up])
            }
            false => {
                let up = self.builder.linear(input, intermediate, true, Projection::Up);
                self.builder.same(Operator::Activation(activation), &[up])
            }
        };
        let down = self.builder.linear(inside, hidden, true, Projection::Down);
        self.builder.hold(&[inside]);
        down
    }

    /// The first token, and what the model's variables hold meanwhile.
    fn first(&mut self, [embedded, stream]: [ValueId; 2]) {
        let width = self.model.hidden;
        let first = |building: &mut Self, input| {
            building.builder.push(Operator::Last, &[input], building.batch, width)
        };
        if self.model.head == ImageHead::First {
            let first = first(self, stream);
            self.norm(first);
        } else {
            let normed = self.norm(stream);
            first(self, normed);
        }
        self.builder.hold(&[embedded, stream]);
    }

    fn head(&mut self, [joined, embedded, stream]: [ValueId; 3], classes: u64) {
        let normed = self.norm(stream);
        match self.model.library {
            Library::Torchvision => self.builder.hold(&[joined, embedded, stream]),
            Library::Transformers => self.builder.hold(&[embedded, stream]),
        }
        let hidden = self.model.hidden;
        let first = self.builder.push(Operator::Last, &[normed], self.batch, hidden);
        self.builder.linear(first, classes, true, Projection::Output);
        // The object that the inner model returned lives until the loss has been computed.
        if self.model.library == Library::Transformers {
            self.builder.hold(&[normed]);
        }
    }
}
