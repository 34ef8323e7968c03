//! Rows that several devices share: gathered before a product that needs all of them, summed up and
//! scattered after one that made all of them.
//!
//! Sequence parallelism of Megatron-LM (arXiv 2205.05198, section 4.2.2): a device keeps its rows for
//! the backward pass and gathers the others again there.

use nearside_architecture::{Linear, Node, Value};

use super::{Lowering, Op};
use crate::tape::{Flow, TensorId};

impl Lowering<'_> {
    /// What a product makes, which is more than its value has where rows are scattered after it.
    pub(super) fn product_elements(&self, linear: &Linear, node: &Node, value: Value) -> u64 {
        let Some(input) = node.inputs.first().map(|id| self.graph.values[id.0]) else {
            return value.elements();
        };
        match input.elements() > value.rows * linear.input {
            true => input.elements() / linear.input.max(1) * value.width,
            false => value.elements(),
        }
    }

    /// All rows that a product reads, where a device has only some of them.
    pub(super) fn gathered_rows(
        &mut self,
        linear: &Linear,
        input: TensorId,
        value: Value,
    ) -> TensorId {
        let (tensor, all) = (self.tape.of(input), value.rows * linear.input);
        if tensor.elements >= all {
            return input;
        }
        self.run_op(Op::new("gather rows").read(input, Flow::Fresh).make(all, tensor.dtype))
    }

    /// The backward pass gathers the rows anew.
    pub(super) fn gathered_again(&self, op: Op, gathered: TensorId) -> Op {
        let tensor = self.tape.of(gathered);
        op.backward_temporary(tensor.dtype.bytes(tensor.elements))
    }

    /// A device's own rows of a sum.
    pub(super) fn scattered_rows(&mut self, output: TensorId, value: Value) -> TensorId {
        let tensor = self.tape.of(output);
        if tensor.elements <= value.elements() {
            return output;
        }
        let op = Op::new("scatter rows").read(output, Flow::Fresh);
        self.run_op(op.make(value.elements(), tensor.dtype))
    }
}
