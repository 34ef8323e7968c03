//! What image models of diffusers do besides: fixed positions, rotation of pairs, norms of queries
//! and keys.

use nearside_architecture::{Dtype, Node, Value};

use super::{Lowering, Op};
use crate::tape::{Flow, TensorId};

impl Lowering<'_> {
    /// A sum with a number.
    pub(super) fn shifted(&mut self, input: TensorId, value: Value) -> TensorId {
        let dtype = self.tape.of(input).dtype;
        self.run_op(Op::new("add").read(input, Flow::Pass).make(value.elements(), dtype))
    }

    /// Adds rows of a table in 32 bits, cut to the size of the image (`PatchEmbed.forward`).
    pub(super) fn fixed_positions(&mut self, rows: u64, input: TensorId, value: Value) -> TensorId {
        let used = value.elements() / self.graph.batch.max(1);
        let table = self.buffer(rows * value.width, Dtype::F32);
        let cut = match rows * value.width > used {
            true => {
                let op = Op::new("positions").read(table, Flow::Stop).reads_part();
                self.run_op(op.make(used, Dtype::F32))
            }
            false => table,
        };
        let sum = self.sum(&[input, cut], value);
        let narrow = self.cast(sum, self.tape.of(input).dtype);
        self.tape.hold(&[input, cut]);
        narrow
    }

    /// Cosines and sines of positions, in 32 bits.
    pub(super) fn axis_table(&mut self, node: &Node) {
        let elements = self.graph.output(node).elements();
        for output in &node.outputs {
            let table = self.run_op(Op::new("angles").make(elements, Dtype::F32));
            self.tensors[output.0] = Some(table);
        }
    }

    /// `x * cos + stack(-odd, even) * sin` in 32 bits (`apply_rotary_emb` in diffusers).
    pub(super) fn pair_rotary(&mut self, inputs: &[TensorId], value: Value) -> TensorId {
        let [input, cosines, sines] = [inputs[0], inputs[1], inputs[2]];
        let (elements, dtype) = (value.elements(), self.tape.of(input).dtype);
        let storage = self.tape.of(input).storage;
        let parts = Op::new("rotary").read(input, Flow::Fresh);
        let parts = parts.make_in(storage, elements / 2, dtype);
        let parts = self.run_all(parts.make_in(storage, elements / 2, dtype));
        let negative = Op::new("rotary").read(parts[1], Flow::Fresh).make(elements / 2, dtype);
        let negative = self.run_op(negative);
        let turned = Op::new("rotary").read(negative, Flow::Pass).read(parts[0], Flow::Pass);
        let turned = self.run_op(turned.make(elements, dtype));
        let mut product = |value: TensorId, table: TensorId| {
            let wide = self.cast(value, Dtype::F32);
            let op = Op::new("rotary").read(wide, Flow::Fresh).read(table, Flow::Stop);
            self.run_op(op.save(table).make(elements, Dtype::F32))
        };
        let straight = product(input, cosines);
        let crossed = product(turned, sines);
        let sum = Op::new("rotary").read(crossed, Flow::Pass).read(straight, Flow::Pass);
        let sum = self.run_op(sum.make(elements, Dtype::F32));
        let narrow = self.cast(sum, dtype);
        self.tape.hold(&[turned]);
        narrow
    }

    /// `narrow(wide(x) / sqrt(mean(wide(x)^2) + eps) * scale)`, each step by itself
    /// (`rms_norm_composite`, aten/src/ATen/native/layer_norm.cpp).
    pub(super) fn mixed_root_mean_square(
        &mut self,
        scale: TensorId,
        input: TensorId,
        value: Value,
    ) -> TensorId {
        let (elements, rows) = (value.elements(), value.rows);
        let narrow = self.tape.of(input).dtype;
        let full = Dtype::F32.bytes(elements);
        let wide = self.cast(input, Dtype::F32);
        let square = Op::new("norm square").read(wide, Flow::Fresh).save(wide);
        let square = square.backward_temporary(full).backward_temporary(full);
        let square = self.run_op(square.make(elements, Dtype::F32));
        let mean = Op::new("norm mean").read(square, Flow::Fresh).make(rows, Dtype::F32);
        let mean = self.run_op(mean);
        let small = Dtype::F32.bytes(rows);
        let root = Op::new("norm root").read(mean, Flow::Fresh).save_output(0);
        let root = root.backward_temporary(small).backward_temporary(small);
        let root = self.run_op(root.make(rows, Dtype::F32));
        self.tape.hold(&[mean, square]);
        let normed = Op::new("norm").read(root, Flow::SumOfProduct).read(wide, Flow::Fresh);
        let normed = self.run_op(normed.save(root).save(wide).make(elements, Dtype::F32));
        let scaled = Op::new("norm scale").read(normed, Flow::Fresh);
        let scaled = self.saved_for(scaled, normed, scale).read(scale, Flow::SumOfProduct);
        let scaled = self.run_op(scaled.make(elements, Dtype::F32));
        self.tape.hold(&[normed, wide]);
        let narrow = self.cast(scaled, narrow);
        self.tape.hold(&[root]);
        narrow
    }
}
