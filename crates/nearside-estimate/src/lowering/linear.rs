//! Matrix products with weights.

use nearside_architecture::{Dtype, Linear, Node, Projection, Value};
use nearside_units::Bytes;

use super::adapter::adapts;
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
        let output = self.projection(node, linear, input, value);
        match self.trained {
            Trained::Adapters(adapter) if adapts(adapter.targets, linear.role) => {
                self.adapter(adapter, linear, [input, output], value.rows)
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
    ) -> TensorId {
        let vocabulary = linear.role.is_vocabulary();
        let weight = match (linear.role, self.table) {
            (Projection::TiedOutput, Some(table)) => table,
            _ => self.weight(linear.input * linear.output, self.stored_in(linear.role)),
        };
        let bias = linear.bias.then(|| self.weight(linear.output, self.numbers.parameters));
        let category = if vocabulary { Category::Logits } else { Category::Activations };
        let stream = self.tape.of(input).dtype;
        let unpacked = self.unpacked(weight);
        let quantized = unpacked > Bytes::ZERO;
        // Autocast casts its arguments from the last to the first.
        let bias = bias.map(|bias| self.in_product(bias));
        let weight = self.in_product(weight);
        let input = match quantized || self.numbers.autocast {
            true => self.cast(input, self.numbers.products),
            false => input,
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
        match (quantized, bias) {
            (true, Some(bias)) => self.quantized_output(output, Some(bias), stream),
            (true, None) => self.quantized_output(output, None, stream),
            (false, _) => output,
        }
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
        let kept = matches!(role, Projection::Output | Projection::Router);
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
