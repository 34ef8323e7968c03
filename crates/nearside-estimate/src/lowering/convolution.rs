//! Convolutions.

use nearside_architecture::{Convolution, Node, Value};

use super::{Lowering, Op};
use crate::tape::{Flow, Kernel, TensorId};

impl Lowering<'_> {
    /// One kernel whose backward makes the gradients of input, weight and bias in one call
    /// (`convolution_backward`) and keeps what they need, whichever are wanted.
    pub(super) fn convolution(
        &mut self,
        node: &Node,
        convolution: &Convolution,
        input: TensorId,
        value: Value,
    ) -> TensorId {
        let elements =
            convolution.input / convolution.groups.max(1) * convolution.output * convolution.window;
        let parameters = self.numbers.parameters;
        let weight = self.weight(elements, parameters);
        let bias = convolution.bias.then(|| self.weight(convolution.output, parameters));
        let bias = bias.map(|bias| self.in_product(bias));
        let weight = self.in_product(weight);
        let input = match self.numbers.autocast {
            true => self.cast(input, self.numbers.products),
            false => input,
        };
        let dtype = self.tape.of(input).dtype;
        let op = Op::new("convolution").read(input, Flow::Fresh).read(weight, Flow::Fresh);
        let op = bias.into_iter().fold(op, |op, bias| op.read(bias, Flow::Fresh));
        let op = op.save(input).save(weight);
        let op = op.kernel(Kernel::Matrix, self.graph.flops(node));
        self.run_op(op.make(value.elements(), dtype))
    }
}
