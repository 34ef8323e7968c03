//! Attention as frameworks compute it: one fused kernel, one with a mask, or step by step with the
//! scores in memory.

use nearside_architecture::{AttentionShape, Dtype, Node, Value};
use nearside_units::Flops;
use nearside_workload::AttentionKernel;

use super::{Emit, Lowering};
use crate::tape::{Category, Kernel, TensorId};

impl Lowering<'_> {
    pub(super) fn attention(
        &mut self,
        node: &Node,
        attention: &AttentionShape,
        inputs: &[TensorId],
        value: Value,
    ) -> TensorId {
        let [query, mut key, mut values] = [inputs[0], inputs[1], inputs[2]];
        if !self.training() {
            key = self.cached(attention.key_value_heads * attention.key_dim, key);
            values = self.cached(attention.key_value_heads * attention.value_dim, values);
        }
        let repeated = self.recipe.attention != AttentionKernel::Fused
            && attention.heads != attention.key_value_heads;
        if repeated {
            key = self.repeated(attention.heads * attention.key_dim, key);
            values = self.repeated(attention.heads * attention.value_dim, values);
        }
        match self.recipe.attention {
            AttentionKernel::Eager => self.eager(attention, [query, key, values], value),
            kernel => self.fused(kernel, node, attention, [query, key, values]),
        }
    }

    /// The cache's own copy of new keys or values.
    fn cached(&mut self, width: u64, input: TensorId) -> TensorId {
        let emit =
            Emit::pointwise("cache", &[], width * self.graph.shape.rows(), self.recipe.cache);
        self.emit(Emit { inputs: &[input], category: Category::Cache, ..emit })
    }

    fn repeated(&mut self, width: u64, input: TensorId) -> TensorId {
        let elements = width * self.graph.shape.rows();
        self.emit(Emit::pointwise("repeat heads", &[input], elements, self.compute()))
    }

    /// One kernel that keeps queries, keys, values, its output and a statistic per row.
    fn fused(
        &mut self,
        kernel: AttentionKernel,
        node: &Node,
        attention: &AttentionShape,
        inputs: [TensorId; 3],
    ) -> TensorId {
        let shape = self.graph.shape;
        let elements = shape.rows() * attention.heads * attention.value_dim;
        let rows = shape.rows() * attention.heads;
        let statistic = self.emit(Emit::pointwise("attention", &[], rows, Dtype::F32));
        let [query, key, values] = inputs;
        let mut saved = vec![query, key, values, statistic];
        let reads: Vec<_> = saved.iter().copied().chain(self.mask).collect();
        // The output is the next tensor to be made; it is kept as well.
        saved.push(self.tape.next_tensor());
        let output = self.emit(Emit {
            kernel: Kernel::Attention,
            saved: &saved,
            flops: self.graph.flops(node),
            backward_temporary: Dtype::F32.bytes(rows * attention.key_dim),
            ..Emit::pointwise("attention", &reads, elements, self.compute())
        });
        match kernel {
            AttentionKernel::Masked => {
                self.emit(Emit::pointwise("copy", &[output], elements, self.compute()))
            }
            AttentionKernel::Fused | AttentionKernel::Eager => output,
        }
    }

    /// Scores in memory: product, scale, mask, softmax in 32 bits, product.
    fn eager(
        &mut self,
        attention: &AttentionShape,
        [query, key, values]: [TensorId; 3],
        value: Value,
    ) -> TensorId {
        let shape = self.graph.shape;
        let scores = shape.batch * attention.heads * shape.tokens * (shape.tokens + shape.past);
        let dtype = self.compute();
        let product = |width: u64| {
            Flops::from_flops(2.0 * scores as f64 * width as f64).unwrap_or(Flops::ZERO)
        };
        let raw = self.emit(Emit {
            kernel: Kernel::Matrix,
            saved: &[query, key],
            flops: product(attention.key_dim) * 1.0,
            ..Emit::pointwise("scores", &[query, key], scores, dtype)
        });
        let scaled = self.emit(Emit::pointwise("scale scores", &[raw], scores, dtype));
        let masked: Vec<_> = std::iter::once(scaled).chain(self.mask).collect();
        let masked = self.emit(Emit::pointwise("mask", &masked, scores, dtype));
        // Only 16-bit IEEE floats have a softmax kernel that widens on the way.
        let wide = match dtype {
            Dtype::Bf16 => self.cast(masked, scores, Dtype::F32),
            _ => masked,
        };
        let kept = [self.tape.next_tensor()];
        let softmax = self.emit(Emit {
            saved: &kept,
            backward_temporary: Dtype::F32.bytes(scores),
            ..Emit::pointwise("softmax", &[wide], scores, Dtype::F32)
        });
        self.tape.hold(&[masked]);
        let weights = self.narrowed(softmax, scores);
        let mixed = self.emit(Emit {
            kernel: Kernel::Matrix,
            saved: &[weights, values],
            flops: product(attention.value_dim),
            ..Emit::pointwise("mix values", &[weights, values], value.rows * value.width, dtype)
        });
        let copy = self.emit(Emit::pointwise("copy", &[mixed], value.rows * value.width, dtype));
        self.tape.hold(&[query, key, values]);
        copy
    }
}
