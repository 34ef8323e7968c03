//! Image classifiers made of convolutions at work.

use super::{Builder, Graph, Loss, Shape, Value, ValueId};
use crate::convolutional::{
    Block, Calls, ClassifierLayer, ConvolutionalNetwork, Dropped, Groups, LastLayer, Mixing,
    Padding, Pool, Pooling, Shortcut, Squeeze, Step, Sum, Unit,
};
use crate::{Convolution, Library, Norm, Operator, Projection};

impl ConvolutionalNetwork {
    /// The network at work on a batch of images.
    #[must_use]
    pub fn graph(&self, shape: Shape) -> Graph {
        let side = shape.image.unwrap_or(self.image);
        let builder = Builder::new(shape.batch, side * side, self.channels);
        let batch = shape.batch;
        let mut building = Building { builder, network: self, batch, side, last_stage: false };
        let stream = building.stem();
        let stem = stream;
        let mut index = 0;
        let mut stream = stream;
        for (number, stage) in self.stages.iter().enumerate() {
            let entered = stream;
            building.last_stage = number + 1 == self.stages.len();
            for block in stage {
                building.builder.enter_block(Some(index));
                let input = stream;
                stream = building.block(block, stream);
                building.builder.hold(&[input]);
                index += 1;
            }
            building.builder.hold(&[entered]);
        }
        building.builder.enter_block(None);
        building.head(stem, stream);
        building.builder.finish(Loss::Class)
    }
}

struct Building<'a> {
    builder: Builder,
    network: &'a ConvolutionalNetwork,
    batch: u64,
    /// Side of the image as it is now.
    side: u64,
    /// Whether no stage follows.
    last_stage: bool,
}

impl Building<'_> {
    fn stem(&mut self) -> ValueId {
        let input = self.builder.input();
        self.row(&self.network.stem, input)
    }

    /// Steps one after the other.
    fn row(&mut self, steps: &[Step], input: ValueId) -> ValueId {
        steps.iter().fold(input, |output, step| self.step(step, output))
    }

    /// Places of all images.
    const fn rows(&self) -> u64 {
        self.batch * self.side * self.side
    }

    fn unit(&mut self, unit: &Unit, input: ValueId) -> ValueId {
        let read = self.padded(unit, input);
        let width = self.builder.of(input).width;
        self.side = unit.side(self.side);
        let convolution = Operator::Convolution(Convolution {
            input: width,
            output: unit.output,
            window: unit.kernel * unit.kernel,
            groups: match unit.groups {
                Groups::One => 1,
                Groups::Many(groups) => groups,
                Groups::Channels => width,
            },
            bias: unit.bias,
        });
        let mut output = self.builder.push(convolution, &[read], self.rows(), unit.output);
        self.builder.hold(&[read]);
        if let Some(norm) = unit.norm {
            output = self.norm(norm, output);
        }
        if let Some(activation) = unit.activation {
            output = self.builder.same(Operator::Activation(activation), &[output]);
        }
        if self.network.calls == Calls::Together {
            self.builder.hold(&[input]);
        }
        output
    }

    fn padded(&mut self, unit: &Unit, input: ValueId) -> ValueId {
        let Padding::Same = unit.padding else { return input };
        let side = self.side + unit.same_padding(self.side);
        let width = self.builder.of(input).width;
        self.builder.push(Operator::Pad, &[input], self.batch * side * side, width)
    }

    fn norm(&mut self, kind: Norm, input: ValueId) -> ValueId {
        let width = self.builder.of(input).width;
        let output = self.builder.same(Operator::Norm { kind, width }, &[input]);
        self.builder.hold(&[input]);
        output
    }

    fn block(&mut self, block: &Block, input: ValueId) -> ValueId {
        let side = self.side;
        let mut added = None;
        if let Shortcut::EarlyProjection(unit) = &block.shortcut {
            added = Some(self.unit(unit, input));
            self.side = side;
        }
        let output = self.steps(block, input);
        let output = match &block.shortcut {
            Shortcut::EarlyProjection(_) => {
                let projected = added.unwrap_or(input);
                self.builder.same(Operator::Add, &[projected, output])
            }
            Shortcut::None => output,
            Shortcut::Identity(Sum::InPlace) => {
                self.builder.same(Operator::AddInPlace, &[output, input])
            }
            Shortcut::Identity(Sum::Fresh) => self.builder.same(Operator::Add, &[input, output]),
            Shortcut::Identity(Sum::FreshSteps) => {
                self.builder.same(Operator::Add, &[output, input])
            }
            Shortcut::Projection(unit) => {
                self.side = side;
                let projected = self.unit(unit, input);
                added = Some(projected);
                self.builder.same(Operator::AddInPlace, &[output, projected])
            }
        };
        let output = match block.activation {
            Some(activation) => self.builder.same(Operator::Activation(activation), &[output]),
            None => output,
        };
        self.builder.hold(added.as_slice());
        output
    }

    /// The steps beside the shortcut, and what is dropped of their result.
    fn steps(&mut self, block: &Block, input: ValueId) -> ValueId {
        let mut output = self.row(&block.steps, input);
        let drop = match block.dropped {
            Dropped::Nothing => None,
            Dropped::Images => Some(Operator::StochasticDepth(self.network.library)),
            Dropped::Elements => Some(Operator::Dropout),
        };
        if let Some(drop) = drop {
            output = self.builder.same(drop, &[output]);
        }
        output
    }

    fn step(&mut self, step: &Step, input: ValueId) -> ValueId {
        match step {
            Step::Unit(unit) => self.unit(unit, input),
            Step::Squeeze(squeeze) => self.squeeze(squeeze, input),
            Step::Norm(norm) => self.norm(*norm, input),
            Step::Mixing(mixing) => self.mixing(mixing, input),
            Step::Activation(kind) => self.builder.same(Operator::Activation(*kind), &[input]),
            Step::MaxPool(pooling) => self.pooled(Operator::MaxPool, *pooling, input),
            Step::AveragePool(pooling) => self.pooled(Operator::AveragePool, *pooling, input),
            Step::Branches(branches) => self.branches(branches, input),
            Step::Halves(steps) => self.halves(steps, input),
            Step::Shuffle => self.builder.same(Operator::Shuffle, &[input]),
            Step::Dense(layers) => self.dense(layers, input),
            Step::Dropout => self.builder.same(Operator::Dropout, &[input]),
        }
    }

    fn pooled(&mut self, operator: Operator, pooling: Pooling, input: ValueId) -> ValueId {
        self.side = pooling.side(self.side);
        let width = self.builder.of(input).width;
        self.builder.push(operator, &[input], self.rows(), width)
    }

    /// Results of several rows of steps side by side.
    fn branches(&mut self, branches: &[Vec<Step>], input: ValueId) -> ValueId {
        let side = self.side;
        let mut results = Vec::new();
        for branch in branches {
            self.side = side;
            results.push(self.row(branch, input));
        }
        self.beside(&results)
    }

    /// Values side by side along their channels.
    fn beside(&mut self, values: &[ValueId]) -> ValueId {
        let width = values.iter().map(|value| self.builder.of(*value).width).sum();
        self.builder.push(Operator::Concatenate, values, self.rows(), width)
    }

    fn halves(&mut self, steps: &[Step], input: ValueId) -> ValueId {
        let Value { rows, width } = self.builder.of(input);
        let half = Value { rows, width: width / 2 };
        let parts = self.builder.push_all(Operator::Split, &[input], &[half, half]);
        let changed = self.row(steps, parts[1]);
        let joined = self.beside(&[parts[0], changed]);
        self.builder.hold(&parts);
        joined
    }

    /// A layer's variables are what it read side by side, and what its first half made.
    fn dense(&mut self, layers: &[Vec<Step>], input: ValueId) -> ValueId {
        let mut values = vec![input];
        for layer in layers {
            let read = self.beside(&values);
            let (first, second) = layer.split_at(layer.len() / 2);
            let narrow = self.row(first, read);
            self.builder.hold(&[read]);
            let made = self.row(second, narrow);
            self.builder.hold(&[narrow]);
            values.push(made);
        }
        let output = self.beside(&values);
        self.builder.hold(&values);
        output
    }

    fn squeeze(&mut self, squeeze: &Squeeze, input: ValueId) -> ValueId {
        let Value { rows, width } = self.builder.of(input);
        let point = |input, output| {
            Operator::Convolution(Convolution { input, output, window: 1, groups: 1, bias: true })
        };
        let (inner, batch) = (squeeze.inner, self.batch);
        let builder = &mut self.builder;
        let means = builder.push(Operator::Mean, &[input], batch, width);
        let low = builder.push(point(width, inner), &[means], batch, inner);
        let low = builder.same(Operator::Activation(squeeze.activation), &[low]);
        let scale = builder.push(point(inner, width), &[low], batch, width);
        let gate = builder.same(Operator::Activation(squeeze.gate), &[scale]);
        let operands = match self.network.library {
            Library::Torchvision => [gate, input],
            Library::Transformers => [input, gate],
        };
        builder.push(Operator::Multiply, &operands, rows, width)
    }

    /// The channels of a place are side by side for its layers, and apart again for what follows.
    fn mixing(&mut self, mixing: &Mixing, input: ValueId) -> ValueId {
        let width = self.builder.of(input).width;
        let normed = self.norm(Norm::Layer, input);
        let up = self.builder.linear(normed, mixing.inner, true, Projection::Up);
        self.builder.hold(&[normed]);
        let mut inside = self.builder.same(Operator::Activation(mixing.activation), &[up]);
        if mixing.responsive {
            inside = self.builder.same(Operator::Response { width: mixing.inner }, &[inside]);
        }
        let mut output = self.builder.linear(inside, width, true, Projection::Down);
        self.builder.hold(&[inside]);
        let first = self.network.library == Library::Transformers;
        if mixing.scaled && first {
            output = self.builder.same(Operator::LearnedScale { width }, &[output]);
        }
        // The gradient of the mean has all places of a channel side by side until it meets a norm.
        if self.last_stage {
            output = self.builder.same(Operator::Transpose, &[output]);
        }
        if mixing.scaled && !first {
            output = self.builder.same(Operator::LearnedScale { width }, &[output]);
        }
        output
    }

    fn head(&mut self, stem: ValueId, stream: ValueId) {
        let network = self.network;
        let last = self.row(&network.tail, stream);
        let width = self.builder.of(last).width;
        let (pool, width) = match network.pool {
            Pool::Mean => (Operator::Mean, width),
            Pool::Average => (Operator::AveragePool, width),
            Pool::Grid(side) => (Operator::AveragePool, side * side * width),
        };
        let mut pooled = self.builder.push(pool, &[last], self.batch, width);
        let outputs = self.network.library == Library::Transformers;
        if self.network.stem_held {
            self.builder.hold(&[stem]);
        }
        let classifier = &network.classifier;
        if let Some(norm) = classifier.norm {
            pooled = self.builder.same(Operator::Transpose, &[pooled]);
            pooled = self.norm(norm, pooled);
        }
        for layer in &classifier.layers {
            pooled = match layer {
                ClassifierLayer::Dropout => self.builder.same(Operator::Dropout, &[pooled]),
                ClassifierLayer::Linear(width, activation) => {
                    let inside = self.builder.linear(pooled, *width, true, Projection::Up);
                    self.builder.same(Operator::Activation(*activation), &[inside])
                }
            };
        }
        if classifier.last == LastLayer::Linear {
            self.builder.linear(pooled, classifier.classes, true, Projection::Output);
        }
        // The object that the inner model returned lives until the loss has been computed.
        if outputs {
            self.builder.hold(&[last]);
        }
    }
}
