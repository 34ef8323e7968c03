//! Matrix products with weights.

use nearside_architecture::{Dtype, Linear, Node, Operator, Projection, Value};
use nearside_units::Bytes;

use super::adapter::{Beside, adapts};
use super::{Lowering, Op, Trained};
use crate::tape::{Category, Flow, Kernel, TensorId};

impl Lowering<'_> {
    pub(super) fn linear(
        &mut self,
        node: &Node,
        linear: &Linear,
        input: TensorId,
        value: Value,
    ) -> TensorId {
        let (output, weight) = self.projection(node, linear, input, value);
        match self.trained {
            Trained::Adapters(adapter) if adapts(adapter.targets, linear.role) => {
                let beside = Beside { linear, weight, input, output, rows: value.rows };
                self.adapter(adapter, &beside)
            }
            _ => output,
        }
    }

    fn projection(
        &mut self,
        node: &Node,
        linear: &Linear,
        input: TensorId,
        value: Value,
    ) -> (TensorId, TensorId) {
        let vocabulary = linear.role.is_vocabulary();
        let weight = self.projection_weight(linear);
        let bias = linear.bias.then(|| self.weight(linear.output, self.numbers.parameters));
        let category = if vocabulary { Category::Logits } else { Category::Activations };
        let stored = weight;
        let stream = self.tape.of(input).dtype;
        let unpacked = self.unpacked(weight);
        let quantized = unpacked > Bytes::ZERO;
        let input = match quantized || self.numbers.autocast {
            true => self.cast(input, self.numbers.products),
            false => input,
        };
        let [weight, bias] =
            [Some(weight), bias].map(|leaf| leaf.map(|leaf| self.in_product(leaf)));
        let Some(weight) = weight else { return (input, stored) };
        let [input, weight] = match linear.role == Projection::WideRouter && !self.numbers.autocast
        {
            true => [self.cast(input, Dtype::F32), self.cast(weight, Dtype::F32)],
            false => [input, weight],
        };
        let dtype = self.tape.of(input).dtype;
        let op = Op::new("linear").category(category);
        let op = match bias {
            Some(bias) if !quantized => {
                op.read(input, Flow::Fresh).read(weight, Flow::Fresh).read(bias, Flow::Sum)
            }
            _ => op.read(weight, Flow::Fresh).read(input, Flow::Fresh),
        };
        let op = match bias {
            Some(_) => self.saved_for(self.saved_for(op, input, weight), weight, input),
            None => self.saved_for(self.saved_for(op, weight, input), input, weight),
        };
        let op = op.forward_temporary(unpacked).backward_temporary(unpacked);
        let op = op.kernel(Kernel::Matrix, self.graph.flops(node));
        let output = self.run_op(op.make(value.elements(), dtype));
        let output = match quantized {
            true => self.quantized_output(output, bias, stream),
            false => output,
        };
        (output, stored)
    }

    /// The weights of a projection: its own, or the embedding table once more.
    fn projection_weight(&mut self, linear: &Linear) -> TensorId {
        match (linear.role, self.table) {
            (Projection::TiedOutput, Some(table)) => table,
            _ => self.weight(linear.input * linear.output, self.stored_in(linear.role)),
        }
    }

    /// The weights of the output layer as its product reads them.
    pub(super) fn vocabulary_weight(&mut self, node: &Node) -> TensorId {
        let Operator::Linear(linear) = &node.operator else { return self.value(node.inputs[0]) };
        let weight = self.projection_weight(linear);
        self.in_product(weight)
    }

    /// A 4-bit layer adds its bias apart and returns what it was given.
    fn quantized_output(
        &mut self,
        output: TensorId,
        bias: Option<TensorId>,
        stream: Dtype,
    ) -> TensorId {
        let tensor = self.tape.of(output);
        let output = match bias {
            Some(bias) => {
                let bias = self.cast(bias, tensor.dtype);
                let op = Op::new("bias").read(output, Flow::Pass).read(bias, Flow::Sum);
                self.run_op(op.make(tensor.elements, tensor.dtype))
            }
            None => output,
        };
        self.cast(output, stream)
    }

    /// The type that a projection's weights are stored in.
    fn stored_in(&self, role: Projection) -> Dtype {
        let kept = matches!(role, Projection::Output | Projection::Router | Projection::WideRouter);
        match (self.trained, self.recipe.weights) {
            (Trained::Nothing, Dtype::Nf4) if role != Projection::Output => Dtype::Nf4,
            (Trained::Nothing, weights) => weights,
            (Trained::Adapters(_), Dtype::Nf4) if !kept => Dtype::Nf4,
            _ => self.numbers.parameters,
        }
    }

    /// A weight stored in 4 bits for training is unpacked for every product.
    fn unpacked(&self, weight: TensorId) -> Bytes {
        let tensor = self.tape.of(weight);
        match (self.trained, tensor.dtype) {
            (Trained::Adapters(_), Dtype::Nf4) => self.numbers.products.bytes(tensor.elements),
            _ => Bytes::ZERO,
        }
    }

    /// A weight as a product reads it. Autocast narrows it, once per pass where it is trained.
    pub(super) fn in_product(&mut self, weight: TensorId) -> TensorId {
        if !self.numbers.autocast {
            return weight;
        }
        if let Some((_, cast)) = self.casts.iter().find(|(of, _)| *of == weight) {
            return *cast;
        }
        let cast = self.cast(weight, self.numbers.products);
        if self.trained != Trained::Nothing && self.tape.of(weight).differentiable {
            self.casts.push((weight, cast));
        }
        cast
    }
}
