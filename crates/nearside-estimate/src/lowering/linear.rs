//! Matrix products with weights.

use super::adapter::{Beside, adapts};
use super::{Lowering, Op, Trained};
use crate::tape::{Category, Flow, Kernel, TensorId};
use nearside_architecture::{Dtype, Linear, Node, Operator, Projection, Value};

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
                // peft copies what a 4-bit layer returns (`Linear4bit.forward`, `result.clone()`).
                let output = match self.recipe.weights.is_normal_float() {
                    true => self.copy(output),
                    false => output,
                };
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
        if self.trained != Trained::Nothing && self.tape.of(weight).dtype.is_normal_float() {
            return (self.packed_product(node, weight, bias, input, value), stored);
        }
        // Autocast casts a call's arguments from the last to the first.
        let bias = bias.map(|bias| self.in_product(bias));
        let weight = self.in_product(weight);
        let input = match self.numbers.autocast {
            true => self.cast(input, self.numbers.products),
            false => input,
        };
        let [input, weight] = match linear.role == Projection::WideRouter && !self.numbers.autocast
        {
            true => [self.cast(input, Dtype::F32), self.cast(weight, Dtype::F32)],
            false => [input, weight],
        };
        let dtype = self.tape.of(input).dtype;
        let op = Op::new("linear").category(category);
        // Arguments of `addmm` and `mm` in the order of their names.
        let op = match bias {
            Some(bias) => {
                let op =
                    op.read(input, Flow::Fresh).read(weight, Flow::Fresh).read(bias, Flow::Sum);
                self.saved_for(self.saved_for(op, input, weight), weight, input)
            }
            None => {
                let op = op.read(weight, Flow::Fresh).read(input, Flow::Fresh);
                self.saved_for(self.saved_for(op, weight, input), input, weight)
            }
        };
        let op = op.kernel(Kernel::Matrix, self.graph.flops(node));
        (self.run_op(op.make(value.elements(), dtype)), stored)
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

    /// A product with a weight stored in 4 bits: the input is narrowed, the weight unpacked for the
    /// call and again for its backward, the output returned in the type of the input
    /// (`Linear4bit.forward`, `MatMul4Bit` in bitsandbytes).
    fn packed_product(
        &mut self,
        node: &Node,
        weight: TensorId,
        bias: Option<TensorId>,
        input: TensorId,
        value: Value,
    ) -> TensorId {
        let products = self.numbers.products;
        let stream = self.tape.of(input).dtype;
        let elements = self.tape.of(weight).elements;
        let narrow = self.cast(input, products);
        let bias = bias.map(|bias| self.cast(bias, products));
        let unpack = Op::new("unpack").read(weight, Flow::Stop).make(elements, products);
        let unpacked = self.run_op(unpack);
        let op = Op::new("linear").read(narrow, Flow::Fresh).read(unpacked, Flow::Stop);
        let op = bias.into_iter().fold(op, |op, bias| op.read(bias, Flow::Sum));
        let packed = self.tape.storage_of(weight).bytes;
        let op = op.backward_temporary(products.bytes(elements));
        let op = op.backward_traffic(packed + products.bytes(elements));
        let op = op.kernel(Kernel::Matrix, self.graph.flops(node));
        let output = self.run_op(op.make(value.elements(), products));
        let returned = self.cast(output, stream);
        self.tape.hold(&[narrow]);
        returned
    }

    /// The type that a projection's weights are stored in.
    fn stored_in(&self, role: Projection) -> Dtype {
        let kept = matches!(role, Projection::Output | Projection::Router | Projection::WideRouter);
        match (self.trained, self.recipe.weights) {
            (Trained::Nothing, packed) if packed.is_normal_float() && kept => {
                self.numbers.parameters
            }
            (Trained::Nothing, weights) => weights,
            (Trained::Adapters(_), packed) if packed.is_normal_float() && !kept => packed,
            _ => self.numbers.parameters,
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
