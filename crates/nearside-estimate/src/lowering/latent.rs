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
        let input = inputs[0];
        let (half, tensor) = (value.elements() / 2, self.tape.of(input));
        let cut = || {
            Op::new("slice").read(input, Flow::Fresh).make_in(tensor.storage, half, tensor.dtype)
        };
        let parts = [(); 2].map(|()| self.run_op(cut()));
        self.crossed(parts, [inputs[1], inputs[2]], value)
    }

    /// The same of both halves of every head, which are views of one split (`_apply_rotary_emb` of
    /// gpt-oss).
    pub(super) fn halves_rotary(&mut self, inputs: &[TensorId], value: Value) -> TensorId {
        let input = inputs[0];
        let (half, tensor) = (value.elements() / 2, self.tape.of(input));
        let split = Op::new("split").read(input, Flow::Fresh);
        let split = split.make_in(tensor.storage, half, tensor.dtype);
        let halves = self.run_all(split.make_in(tensor.storage, half, tensor.dtype));
        let turned = self.crossed([halves[0], halves[1]], [inputs[1], inputs[2]], value);
        self.heads_first.push(turned);
        turned
    }

    /// `cat(one * cos - other * sin, other * cos + one * sin)`.
    fn crossed(
        &mut self,
        [even, odd]: [TensorId; 2],
        [cosines, sines]: [TensorId; 2],
        value: Value,
    ) -> TensorId {
        let (half, tensor) = (value.elements() / 2, self.tape.of(even));
        let mut turned = [even; 2];
        // A difference's gradient is turned around for what is taken off.
        let flows = [Flow::Fresh, Flow::Pass];
        for ((turned, [one, other]), flow) in
            turned.iter_mut().zip([[even, odd], [odd, even]]).zip(flows)
        {
            let products = [(one, cosines), (other, sines)].map(|(part, table)| {
                let op = Op::new("rotary").read(part, Flow::Fresh).read(table, Flow::Stop);
                self.run_op(op.save(table).make(half, tensor.dtype))
            });
            let op = Op::new("rotary").read(products[0], Flow::Pass).read(products[1], flow);
            *turned = self.run_op(op.make(half, tensor.dtype));
        }
        let op = turned.iter().fold(Op::new("rotary"), |op, part| op.read(*part, Flow::Pass));
        self.run_op(op.make(value.elements(), tensor.dtype))
    }
}
