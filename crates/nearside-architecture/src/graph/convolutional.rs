//! Image classifiers made of convolutions at work.

use super::{Builder, Graph, Loss, Shape, Value, ValueId};
use crate::convolutional::{
    Block, Calls, ConvolutionalNetwork, Dropped, Mixing, Padding, Pool, Shortcut, Squeeze, Step,
    Sum, Unit,
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
        let mut stream = self.builder.input();
        for unit in &self.network.stem {
            stream = self.unit(unit, stream);
        }
        if !self.network.stem_pool {
            return stream;
        }
        // A window of three, one place beyond the border, every other place.
        self.side = self.side.div_ceil(2);
        let width = self.builder.of(stream).width;
        self.builder.push(Operator::MaxPool, &[stream], self.rows(), width)
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
            groups: if unit.depthwise { width } else { 1 },
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
        let output = self.steps(block, input);
        let mut added = None;
        let output = match &block.shortcut {
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
        let mut output = input;
        for step in &block.steps {
            output = match step {
                Step::Unit(unit) => self.unit(unit, output),
                Step::Squeeze(squeeze) => self.squeeze(squeeze, output),
                Step::Norm(norm) => self.norm(*norm, output),
                Step::Mixing(mixing) => self.mixing(mixing, output),
            };
        }
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
        let inside = self.builder.same(Operator::Activation(mixing.activation), &[up]);
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
        let last = match &self.network.tail {
            Some(unit) => self.unit(unit, stream),
            None => stream,
        };
        let width = self.builder.of(last).width;
        let pool = match self.network.pool {
            Pool::Mean => Operator::Mean,
            Pool::Average => Operator::AveragePool,
        };
        let mut pooled = self.builder.push(pool, &[last], self.batch, width);
        let outputs = self.network.library == Library::Transformers;
        if self.network.stem_held {
            self.builder.hold(&[stem]);
        }
        let classifier = self.network.classifier;
        if let Some(norm) = classifier.norm {
            pooled = self.builder.same(Operator::Transpose, &[pooled]);
            pooled = self.norm(norm, pooled);
        }
        if let Some((hidden, activation)) = classifier.hidden {
            let inside = self.builder.linear(pooled, hidden, true, Projection::Up);
            pooled = self.builder.same(Operator::Activation(activation), &[inside]);
        }
        if classifier.dropout {
            pooled = self.builder.same(Operator::Dropout, &[pooled]);
        }
        self.builder.linear(pooled, classifier.classes, true, Projection::Output);
        // The object that the inner model returned lives until the loss has been computed.
        if outputs {
            self.builder.hold(&[last]);
        }
    }
}
