//! Attention with its projections as `torch.nn.MultiheadAttention` computes it
//! (`multi_head_attention_forward` in torch/nn/functional.py): tokens before images, queries, keys
//! and values in one product, which is then put in another order.

use nearside_architecture::{AttentionShape, Dtype};
use nearside_units::Flops;
use nearside_workload::AttentionKernel;

use super::attention::{flash_temporary, row_statistics};
use super::{Lowering, Op};
use crate::tape::{Flow, Kernel, TensorId};

impl Lowering<'_> {
    pub(super) fn multihead(&mut self, attention: &AttentionShape, input: TensorId) -> TensorId {
        let width = attention.heads * attention.key_dim;
        let parameters = self.numbers.parameters;
        let [inward, inward_bias, outward, outward_bias] =
            [3 * width * width, 3 * width, width * width, width]
                .map(|elements| self.weight(elements, parameters));
        let packed = self.packed(attention, input, [inward, inward_bias]);
        let parts = self.parts(attention, packed);
        let mixed = self.mixed(attention, parts);
        let [bias, weight] = [outward_bias, outward].map(|leaf| self.in_product(leaf));
        let elements = attention.rows() * width;
        let op = Op::new("linear").read(mixed, Flow::Fresh).read(weight, Flow::Fresh);
        let op = op.read(bias, Flow::Sum);
        let op = self.saved_for(self.saved_for(op, mixed, weight), weight, mixed);
        let op = op.kernel(Kernel::Matrix, product(attention, width));
        let dtype = self.tape.of(mixed).dtype;
        let output = self.run_op(op.make(elements, dtype));
        // The module's variables: queries, keys and values until it returns.
        self.tape.hold(&[packed]);
        self.transposed(output)
    }

    /// Queries, keys and values side by side, then one after the other.
    fn packed(
        &mut self,
        attention: &AttentionShape,
        input: TensorId,
        [weight, bias]: [TensorId; 2],
    ) -> TensorId {
        let [bias, weight] = [bias, weight].map(|leaf| self.in_product(leaf));
        let read = match self.numbers.autocast {
            true => self.cast(input, self.numbers.products),
            false => input,
        };
        let dtype = self.tape.of(read).dtype;
        let width = attention.heads * attention.key_dim;
        let elements = 3 * attention.rows() * width;
        let turned = self.copy(read);
        let op = Op::new("linear").read(weight, Flow::Fresh).read(turned, Flow::Fresh);
        let op = self.saved_for(self.saved_for(op, weight, turned), turned, weight);
        let op = op.kernel(Kernel::Matrix, product(attention, 3 * width));
        let product = self.run_op(op.make(elements, dtype));
        let op = Op::new("bias").read(bias, Flow::Sum).read(product, Flow::Pass);
        let biased = self.run_op(op.make(elements, dtype));
        self.tape.hold(&[read]);
        let op = Op::new("copy").read(biased, Flow::Fresh);
        self.run_op(op.make(elements, dtype))
    }

    /// Views of queries, keys and values; each has a gradient of the whole. Views by heads come
    /// after those, twice: where a kernel's gradients are in another order, each copies them back.
    fn parts(&mut self, attention: &AttentionShape, packed: TensorId) -> [TensorId; 3] {
        let tensor = self.tape.of(packed);
        let elements = attention.rows() * attention.heads * attention.key_dim;
        let part = |_| {
            let op = Op::new("part").read(packed, Flow::Fresh);
            self.run_op(op.make_in(tensor.storage, elements, tensor.dtype))
        };
        let parts = [0, 1, 2].map(part);
        if !self.reorders(tensor.dtype) {
            return parts;
        }
        let once = parts.map(|part| self.transposed(part));
        once.map(|part| self.transposed(part))
    }

    fn mixed(&mut self, attention: &AttentionShape, inputs: [TensorId; 3]) -> TensorId {
        let dtype = self.tape.of(inputs[0]).dtype;
        let elements = attention.rows() * attention.heads * attention.value_dim;
        let pairs = attention.pairs() as f64 * (attention.sequences * attention.heads) as f64;
        let operations = 4.0 * pairs * attention.key_dim as f64;
        let flops = Flops::from_flops(operations).unwrap_or(Flops::ZERO);
        let op = inputs
            .iter()
            .fold(Op::new("attention"), |op, input| op.read(*input, Flow::Fresh).save(*input));
        let op = op
            .backward_temporary(flash_temporary(attention, dtype))
            .save_output(0)
            .save_output(1)
            .kernel(Kernel::Attention, flops)
            .make(elements, dtype)
            .make(row_statistics(attention, dtype), Dtype::F32);
        let mixed = self.run_op(op);
        if self.reorders(dtype) { self.copy(mixed) } else { mixed }
    }

    /// Whether the kernel answers with images before tokens: the memory-efficient one does, the
    /// flash one and that of processors, which `Masked` stands for where there is no mask, do not.
    fn reorders(&self, dtype: Dtype) -> bool {
        dtype == Dtype::F32 && self.recipe.attention != AttentionKernel::Masked
    }
}

/// Arithmetic of a product of all tokens with a matrix of so many columns.
fn product(attention: &AttentionShape, columns: u64) -> Flops {
    let width = attention.heads * attention.key_dim;
    let operations = 2.0 * attention.rows() as f64 * width as f64 * columns as f64;
    Flops::from_flops(operations).unwrap_or(Flops::ZERO)
}
