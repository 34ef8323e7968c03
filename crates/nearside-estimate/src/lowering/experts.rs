//! Mixtures of experts: a router, copies of tokens, products with the weights of their experts.

use nearside_architecture::{Dtype, Linear, Node, Value};

use super::{Lowering, Op, Trained};
use crate::tape::{Flow, Kernel, TensorId};

impl Lowering<'_> {
    /// Softmax over the experts and the best of them (`MixtralTopKRouter` in transformers).
    pub(super) fn route(&mut self, node: &Node, scores: TensorId, value: Value) -> TensorId {
        for parameter in node.parameters() {
            self.weight(parameter.elements, self.numbers.parameters);
        }
        let elements = self.tape.of(scores).elements;
        let wide = self.cast(scores, Dtype::F32);
        let softmax = Op::new("route").read(wide, Flow::Fresh).save_output(0);
        let softmax = self.run_op(softmax.make(elements, Dtype::F32));
        let chosen = Op::new("route").read(softmax, Flow::Fresh).save_output(1);
        let chosen = chosen.make(value.elements(), Dtype::F32).make(value.elements(), Dtype::I64);
        self.run_op(chosen)
    }

    /// Copies tokens to the experts they were routed to.
    pub(super) fn dispatch(&mut self, inputs: &[TensorId], value: Value) -> TensorId {
        let dtype = self.tape.of(inputs[0]).dtype;
        let op = Op::new("dispatch").read(inputs[0], Flow::Fresh).read(inputs[1], Flow::Stop);
        self.run_op(op.save(inputs[1]).make(value.elements(), dtype))
    }

    /// Weighs and sums what the experts returned.
    pub(super) fn combine(&mut self, inputs: &[TensorId], value: Value) -> TensorId {
        let tensor = self.tape.of(inputs[0]);
        let weighed = Op::new("combine").read(inputs[1], Flow::SumOfProduct);
        let weighed = weighed.read(inputs[0], Flow::Fresh).save(inputs[0]).save(inputs[1]);
        let weighed = self.run_op(weighed.make(tensor.elements, tensor.dtype));
        let sum = Op::new("combine").read(weighed, Flow::Fresh);
        self.run_op(sum.make(value.elements(), tensor.dtype))
    }

    /// A product of each token with the weights of its expert.
    pub(super) fn expert_linear(
        &mut self,
        node: &Node,
        linear: &Linear,
        input: TensorId,
        value: Value,
    ) -> TensorId {
        let stored = match (self.trained, self.recipe.weights) {
            (Trained::Nothing, weights) => weights,
            (Trained::Adapters(_), packed) if packed.is_normal_float() => packed,
            _ => self.numbers.parameters,
        };
        let elements: u64 = node.parameters().iter().map(|parameter| parameter.elements).sum();
        let biases = if linear.bias { elements / (linear.input + 1) } else { 0 };
        let weight = self.weight(elements - biases, stored);
        let input = match self.numbers.autocast {
            true => self.cast(input, self.numbers.products),
            false => input,
        };
        let weight = self.in_product(weight);
        let op = Op::new("experts").read(weight, Flow::Fresh).read(input, Flow::Fresh);
        let op = self.saved_for(op, input, weight);
        let op = op.kernel(Kernel::Matrix, self.graph.flops(node));
        let op = if value.rows < self.experts(node) { op.reads_part() } else { op };
        let op = match linear.bias {
            true => op.read(self.weight(biases, self.numbers.parameters), Flow::Sum),
            false => op,
        };
        let dtype = self.tape.of(input).dtype;
        self.run_op(op.make(value.elements(), dtype))
    }

    fn experts(&self, node: &Node) -> u64 {
        match &node.operator {
            nearside_architecture::Operator::ExpertLinear { count, .. } => *count,
            _ => 1,
        }
    }
}
