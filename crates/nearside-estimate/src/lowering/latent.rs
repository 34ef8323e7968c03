//! What multi-head latent attention does besides: rotation of pairs, heads put together from a part
//! of their own and one that all share (`DeepseekV2Attention`, `DeepseekV3Attention` in
//! transformers).

use nearside_architecture::{Dtype, Value};

use super::{Lowering, Op};
use crate::tape::{Flow, TensorId};

impl Lowering<'_> {
    /// Parts of every head side by side, heads before tokens.
    pub(super) fn joined_heads(&mut self, inputs: &[TensorId], value: Value) -> TensorId {
        let joined = self.concatenated(inputs, value);
        self.heads_first.push(joined);
        joined
    }

    /// Empty keys into which the own part of every head and the shared one are copied. Backward
    /// takes the gradient apart again, a copy at a time.
    pub(super) fn filled_heads(&mut self, inputs: &[TensorId], value: Value) -> TensorId {
        let [own, shared] = [inputs[0], inputs[1]];
        let dtype = self.tape.of(own).dtype;
        let spread = value.elements().saturating_sub(self.tape.of(own).elements);
        let op = Op::new("fill keys").read(own, Flow::Fresh).read(shared, Flow::Sum);
        let op = op.backward_temporary(dtype.bytes(value.elements()));
        let op = op.backward_temporary(dtype.bytes(spread));
        let filled = self.run_op(op.make(value.elements(), dtype));
        self.heads_first.push(filled);
        filled
    }

    /// Widened, multiplied as complex numbers, narrowed (`apply_rotary_emb` of DeepSeek V2).
    pub(super) fn complex_rotary(&mut self, inputs: &[TensorId], value: Value) -> TensorId {
        let narrow = self.tape.of(inputs[0]).dtype;
        let wide = self.cast(inputs[0], Dtype::F32);
        let op = Op::new("rotary").read(wide, Flow::Fresh);
        let op = inputs[1..].iter().fold(op, |op, table| op.read(*table, Flow::Stop).save(*table));
        let product = self.run_op(op.make(value.elements(), Dtype::F32));
        let narrowed = self.cast(product, narrow);
        self.tape.hold(&[wide]);
        narrowed
    }

    /// `cat(even * cos - odd * sin, odd * cos + even * sin)` (`apply_rotary_pos_emb_interleave` of
    /// DeepSeek V3).
    pub(super) fn interleaved_rotary(&mut self, inputs: &[TensorId], value: Value) -> TensorId {
        let [input, cosines, sines] = [inputs[0], inputs[1], inputs[2]];
        let (half, tensor) = (value.elements() / 2, self.tape.of(input));
        let cut = || {
            Op::new("slice").read(input, Flow::Fresh).make_in(tensor.storage, half, tensor.dtype)
        };
        let [even, odd] = [(); 2].map(|()| self.run_op(cut()));
        let mut turned = [even; 2];
        for (turned, [one, other]) in turned.iter_mut().zip([[even, odd], [odd, even]]) {
            let products = [(one, cosines), (other, sines)].map(|(part, table)| {
                let op = Op::new("rotary").read(part, Flow::Fresh).read(table, Flow::Stop);
                self.run_op(op.save(table).make(half, tensor.dtype))
            });
            let op = products.iter().fold(Op::new("rotary"), |op, one| op.read(*one, Flow::Pass));
            *turned = self.run_op(op.make(half, tensor.dtype));
        }
        let op = turned.iter().fold(Op::new("rotary"), |op, part| op.read(*part, Flow::Pass));
        self.run_op(op.make(value.elements(), tensor.dtype))
    }
}
