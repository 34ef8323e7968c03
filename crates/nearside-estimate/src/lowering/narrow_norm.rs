//! Root mean square as T5 writes it (`T5LayerNorm.forward` in transformers):
//! `scale * narrow(x / sqrt(mean(wide(x)^2) + eps))`, each step by itself.
//!
//! The input is widened for its square only, and what is scaled is narrowed only where the scale is
//! stored in 16 bits.

use nearside_architecture::{Dtype, Value};

use super::{Lowering, Op};
use crate::tape::{Flow, TensorId};

impl Lowering<'_> {
    pub(super) fn narrow_root_mean_square(
        &mut self,
        scale: TensorId,
        input: TensorId,
        value: Value,
    ) -> TensorId {
        let elements = value.elements();
        let wide = self.cast(input, Dtype::F32);
        let [mean, root] = self.inverse_root(wide, value);
        let normed = Op::new("norm").read(root, Flow::SumOfProduct).read(input, Flow::Fresh);
        let normed = match wide == input {
            true => normed,
            false => normed.backward_temporary(Dtype::F32.bytes(elements)),
        };
        let normed = self.run_op(normed.save(root).save(input).make(elements, Dtype::F32));
        let stored = self.tape.of(scale).dtype;
        let narrowed = if stored == Dtype::F32 { normed } else { self.cast(normed, stored) };
        let scaled = Op::new("norm scale").read(narrowed, Flow::Fresh);
        let scaled = self.saved_for(scaled, narrowed, scale).read(scale, Flow::SumOfProduct);
        let scaled = self.run_op(scaled.make(elements, stored));
        self.tape.hold(&[mean]);
        scaled
    }

    /// The mean of squares, and one over its root.
    fn inverse_root(&mut self, wide: TensorId, value: Value) -> [TensorId; 2] {
        let (elements, rows) = (value.elements(), value.rows);
        let full = Dtype::F32.bytes(elements);
        let square = Op::new("norm square").read(wide, Flow::Fresh).save(wide);
        let square = square.backward_temporary(full).backward_temporary(full);
        let square = self.run_op(square.make(elements, Dtype::F32));
        let mean = Op::new("norm mean").read(square, Flow::Fresh).make(rows, Dtype::F32);
        let mean = self.run_op(mean);
        let shifted = Op::new("norm mean").read(mean, Flow::Pass).make(rows, Dtype::F32);
        let shifted = self.run_op(shifted);
        let root = Op::new("norm root").read(shifted, Flow::Fresh).save_output(0);
        let small = Dtype::F32.bytes(rows);
        let root = root.backward_temporary(small).backward_temporary(small);
        [mean, self.run_op(root.make(rows, Dtype::F32))]
    }
}
