//! What image models do besides: sums and nonlinearities written over their input, channels with
//! learned scales, whole images dropped, places in another order.

use nearside_architecture::{Dtype, Library, Operator, Value};

use super::{Lowering, Op};
use crate::tape::{Flow, TensorId};

impl Lowering<'_> {
    /// Operators that only models of images have.
    pub(super) fn of_images(
        &mut self,
        operator: &Operator,
        inputs: &[TensorId],
        value: Value,
    ) -> TensorId {
        match operator {
            Operator::WindowAttention(attention) => {
                self.window_attention(attention, inputs[0], inputs[1])
            }
            Operator::Response { width } => self.response(*width, inputs[0], value),
            Operator::MergePlaces => self.merged_places(inputs[0], value),
            Operator::StochasticDepth(library) => self.stochastic_depth(*library, inputs[0], value),
            Operator::AveragePool => self.average(inputs[0], value),
            Operator::LearnedTokens { count, width } => {
                self.learned_tokens(*count, *width, inputs[0], value)
            }
            Operator::LearnedPositions { rows, width } => {
                self.learned_positions([*rows, *width], inputs[0], value)
            }
            // Places or channels in another order: a copy whose gradient is copied back.
            _ => self.resampled(inputs[0], value),
        }
    }

    /// A sum written over its first operand, whose type it keeps.
    pub(super) fn sum_in_place(&mut self, inputs: &[TensorId]) -> TensorId {
        let [one, other] = [inputs[0], inputs[1]];
        let tensor = self.tape.of(one);
        let op = Op::new("add").read(other, Flow::Pass).read(one, Flow::Pass);
        self.run_op(op.make_in(tensor.storage, tensor.elements, tensor.dtype))
    }

    /// A nonlinearity written over its input although its gradient needs what was there: autograd
    /// copies that first.
    pub(super) fn in_place(&mut self, input: TensorId, value: Value) -> TensorId {
        let tensor = self.tape.of(input);
        let op = Op::new("activation").read(input, Flow::Fresh);
        let op = op.make_in(tensor.storage, value.elements(), tensor.dtype);
        let op = match tensor.differentiable {
            true => op.make(value.elements(), tensor.dtype).save_output(1),
            false => op,
        };
        self.run_op(op)
    }

    /// A product with a learned number per channel. Where autocast made the value narrow, its
    /// gradient is made wide first.
    pub(super) fn learned_scale(&mut self, width: u64, input: TensorId, value: Value) -> TensorId {
        let scale = self.weight(width, self.numbers.parameters);
        let tensor = self.tape.of(input);
        let dtype = self.wider(scale, input);
        let read = match dtype == tensor.dtype {
            true => input,
            false => {
                let op = Op::new("multiply").read(input, Flow::Fresh);
                self.run_op(op.make_in(tensor.storage, tensor.elements, dtype))
            }
        };
        self.product(&[scale, read], value)
    }

    /// Keeps or drops whole images: a random number for each, and a product with it.
    pub(super) fn stochastic_depth(
        &mut self,
        library: Library,
        input: TensorId,
        value: Value,
    ) -> TensorId {
        if !self.training() {
            return input;
        }
        let (batch, dtype) = (self.graph.batch, self.tape.of(input).dtype);
        let kept = match library {
            // Divides the small tensor.
            Library::Torchvision => input,
            // Divides the large one (`DropPath.forward`).
            Library::Transformers => self.scaled(input, value),
        };
        let noise = self.run_op(Op::new("stochastic depth").make(batch, dtype));
        let op = Op::new("stochastic depth").read(kept, Flow::Fresh).read(noise, Flow::Stop);
        self.run_op(op.save(noise).make(value.elements(), dtype))
    }

    /// The mean of all places, by a kernel that keeps what it read.
    pub(super) fn average(&mut self, input: TensorId, value: Value) -> TensorId {
        let dtype = self.tape.of(input).dtype;
        let op = Op::new("mean").read(input, Flow::Fresh).save(input);
        self.run_op(op.make(value.elements(), dtype))
    }

    /// Learned rows, seen once per image, before the others.
    pub(super) fn learned_tokens(
        &mut self,
        count: u64,
        width: u64,
        input: TensorId,
        value: Value,
    ) -> TensorId {
        let batch = self.graph.batch;
        let mut parts = Vec::new();
        for _ in 0..count {
            let learned = self.weight(width, self.numbers.parameters);
            let tensor = self.tape.of(learned);
            let op = Op::new("expand").read(learned, Flow::Sum);
            parts.push(self.run_op(op.make_in(tensor.storage, batch * width, tensor.dtype)));
        }
        parts.push(input);
        self.concatenated(&parts, value)
    }

    /// The roots of sums of squares of so many groups of elements (`linalg.vector_norm`), which
    /// autocast has in 32 bits.
    pub(super) fn length(&mut self, input: TensorId, [groups, elements]: [u64; 2]) -> TensorId {
        let dtype = if self.numbers.autocast { Dtype::F32 } else { self.tape.of(input).dtype };
        let op = Op::new("length").read(input, Flow::Fresh).save(input).save_output(0);
        let op = op.backward_temporary(dtype.bytes(elements));
        let op = op.backward_temporary(Dtype::Bool.bytes(groups));
        self.run_op(op.make(groups, dtype))
    }

    /// `scale (x n) + offset + x`, where `n` is the length of a channel over the image by the mean
    /// of all channels' lengths (`ConvNextV2GRN.forward` in transformers).
    pub(super) fn response(&mut self, width: u64, input: TensorId, value: Value) -> TensorId {
        let parameters = self.numbers.parameters;
        let [scale, offset] = [(); 2].map(|()| self.weight(width, parameters));
        let batch = self.graph.batch;
        let lengths = Value { rows: batch, width };
        let length = self.length(input, [lengths.elements(), value.elements()]);
        let dtype = self.tape.of(length).dtype;
        let mean = Op::new("mean").read(length, Flow::Fresh).make(batch, dtype);
        let mean = self.run_op(mean);
        let shifted = self.run_op(Op::new("add").read(mean, Flow::Pass).make(batch, dtype));
        let op = Op::new("divide").read(shifted, Flow::SumOfProduct).read(length, Flow::Fresh);
        let op = op.save(length).save(shifted);
        let shares = self.run_op(op.make(lengths.elements(), dtype));
        let weighed = self.product(&[input, shares], value);
        let scaled = self.product(&[scale, weighed], value);
        let moved = self.sum(&[scaled, offset], value);
        let output = self.sum(&[moved, input], value);
        self.tape.hold(&[length, shares]);
        output
    }

    /// Adds learned rows. For images of another size all but the first are interpolated in 32 bits,
    /// as an image (`interpolate_pos_encoding` in transformers).
    pub(super) fn learned_positions(
        &mut self,
        [rows, width]: [u64; 2],
        input: TensorId,
        value: Value,
    ) -> TensorId {
        let learned = self.weight(rows * width, self.numbers.parameters);
        let tokens = value.rows / self.graph.batch.max(1);
        if tokens == rows {
            return self.sum(&[input, learned], value);
        }
        let tensor = self.tape.of(learned);
        let cut = |elements| {
            let op = Op::new("slice").read(learned, Flow::Fresh);
            op.make_in(tensor.storage, elements, tensor.dtype)
        };
        let first = self.run_op(cut(width));
        let others = self.run_op(cut(rows.saturating_sub(1) * width));
        let wide = self.cast(others, Dtype::F32);
        let places = Value { rows: tokens.saturating_sub(1), width };
        let resized = self.resampled(wide, places);
        let resized = self.cast(resized, tensor.dtype);
        let positions = self.concatenated(&[first, resized], Value { rows: tokens, width });
        self.sum(&[input, positions], value)
    }
}
