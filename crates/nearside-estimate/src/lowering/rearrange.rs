//! The same elements elsewhere: parts, pieces side by side, copies, more or fewer places.

use nearside_architecture::{Dtype, Node, Value};

use super::{Lowering, Op};
use crate::tape::{Category, Flow, TensorId};

impl Lowering<'_> {
    /// The last rows of every sequence: a view.
    pub(super) fn last_rows(&mut self, input: TensorId, value: Value) -> TensorId {
        let tensor = self.tape.of(input);
        let op = Op::new("last rows").read(input, Flow::Fresh);
        self.run_op(op.make_in(tensor.storage, value.elements(), tensor.dtype))
    }

    /// A copy in another order or layout.
    pub(super) fn copy(&mut self, input: TensorId) -> TensorId {
        let tensor = self.tape.of(input);
        let category = match self.tape.storage_of(input).category {
            Category::Weights => Category::Activations,
            category => category,
        };
        let op = Op::new("copy").read(input, Flow::Pass).category(category);
        self.run_op(op.make(tensor.elements, tensor.dtype))
    }

    /// Another order of the same memory: a view, whose gradient is copied back into order.
    pub(super) fn transposed(&mut self, input: TensorId) -> TensorId {
        let tensor = self.tape.of(input);
        let op = Op::new("transpose").read(input, Flow::Fresh);
        self.run_op(op.make_in(tensor.storage, tensor.elements, tensor.dtype))
    }

    /// Zeroes some elements and keeps a byte per element that says which.
    pub(super) fn dropout(&mut self, input: TensorId) -> TensorId {
        if !self.training() {
            return input;
        }
        let tensor = self.tape.of(input);
        let op = Op::new("dropout").read(input, Flow::Fresh).make(tensor.elements, tensor.dtype);
        self.run_op(op.make(tensor.elements, Dtype::Bool).save_output(1))
    }

    /// Values side by side; their gradients are views of the whole's.
    pub(super) fn concatenated(&mut self, inputs: &[TensorId], value: Value) -> TensorId {
        let wide = inputs.iter().any(|input| self.tape.of(*input).dtype == Dtype::F32);
        let dtype = if wide { Dtype::F32 } else { self.tape.of(inputs[0]).dtype };
        let op =
            inputs.iter().fold(Op::new("concatenate"), |op, input| op.read(*input, Flow::Pass));
        self.run_op(op.make(value.elements(), dtype))
    }

    /// Parts of a value: views; their gradients are put together into one of the whole.
    pub(super) fn split(&mut self, node: &Node) {
        let input = self.value(node.inputs[0]);
        let tensor = self.tape.of(input);
        let part = |op: Op, output: &nearside_architecture::ValueId| {
            op.make_in(tensor.storage, self.graph.values[output.0].elements(), tensor.dtype)
        };
        let op = node.outputs.iter().fold(Op::new("split").read(input, Flow::Fresh), part);
        for (output, made) in node.outputs.iter().zip(self.run_all(op)) {
            self.tensors[output.0] = Some(made);
        }
    }

    /// Parts of a value, each cut by itself: the gradient of each is as large as the whole, and they
    /// are summed up.
    pub(super) fn slices(&mut self, node: &Node) {
        let input = self.value(node.inputs[0]);
        let tensor = self.tape.of(input);
        for output in &node.outputs {
            let elements = self.graph.values[output.0].elements();
            let op = Op::new("slice").read(input, Flow::Fresh);
            let part = self.run_op(op.make_in(tensor.storage, elements, tensor.dtype));
            self.tensors[output.0] = Some(part);
        }
    }

    /// The largest of neighbouring places, and where it was.
    pub(super) fn largest(&mut self, input: TensorId, value: Value) -> TensorId {
        let dtype = self.tape.of(input).dtype;
        let op = Op::new("max pool").read(input, Flow::Fresh).save(input).save_output(1);
        self.run_op(op.make(value.elements(), dtype).make(value.elements(), Dtype::I64))
    }

    /// The mean of the tokens of each sequence that are not padding: those are multiplied by one and
    /// summed up, and their number divides (`ModernBertForSequenceClassification`).
    pub(super) fn token_mean(&mut self, input: TensorId, value: Value) -> TensorId {
        let tensor = self.tape.of(input);
        let rows = tensor.elements / value.width.max(1);
        let flags = self.run_op(Op::new("mean").make(rows, Dtype::Bool));
        let kept = Op::new("mean").read(input, Flow::Fresh).read(flags, Flow::Stop).save(flags);
        let kept = self.run_op(kept.make(tensor.elements, tensor.dtype));
        let sum = Op::new("mean").read(kept, Flow::Pass).make(value.elements(), tensor.dtype);
        let sum = self.run_op(sum);
        let count = Op::new("mean").read(flags, Flow::Stop).make(value.rows, Dtype::I64);
        let count = self.run_op(count);
        let mean = Op::new("mean").read(sum, Flow::Fresh).read(count, Flow::Stop).save(count);
        let mean = self.run_op(mean.make(value.elements(), tensor.dtype));
        self.tape.hold(&[flags]);
        mean
    }

    /// The mean of all places.
    pub(super) fn mean(&mut self, input: TensorId, value: Value) -> TensorId {
        let dtype = self.tape.of(input).dtype;
        self.run_op(Op::new("mean").read(input, Flow::Fresh).make(value.elements(), dtype))
    }

    /// More or fewer places.
    pub(super) fn resampled(&mut self, input: TensorId, value: Value) -> TensorId {
        let dtype = self.tape.of(input).dtype;
        self.run_op(Op::new("resample").read(input, Flow::Fresh).make(value.elements(), dtype))
    }
}
