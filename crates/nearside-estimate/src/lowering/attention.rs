//! Attention as frameworks compute it: one fused kernel, one with a mask, or step by step with the
//! scores in memory.

use nearside_architecture::{AttentionShape, Dtype, Node, Operator, Sight, Value};
use nearside_units::Flops;
use nearside_workload::AttentionKernel;

use super::{Lowering, Op};
use crate::tape::{Category, Flow, Kernel, TensorId};

/// What tells masks apart: queries, keys and how many of them are seen.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct MaskKey(u64, u64, u64);

impl MaskKey {
    fn of(attention: &AttentionShape) -> Self {
        let seen = match attention.sight {
            Sight::Window(window) => window.min(attention.keys),
            Sight::All | Sight::Past => attention.keys,
        };
        Self(attention.queries, attention.keys, seen)
    }
}

/// Whether the memory-efficient kernel runs, since the flash kernel has only 16-bit numbers and
/// heads of up to 256.
fn is_memory_efficient(attention: &AttentionShape, dtype: Dtype) -> bool {
    let repeats = attention.heads != attention.key_value_heads;
    attention.key_dim > 256 || (dtype == Dtype::F32 && !repeats)
}

impl Lowering<'_> {
    pub(super) fn attention(
        &mut self,
        node: &Node,
        attention: &AttentionShape,
        inputs: &[TensorId],
        value: Value,
    ) -> TensorId {
        let [query, mut key, mut values] = [inputs[0], inputs[1], inputs[2]];
        if !self.training() && attention.cached > 0 {
            let rows = attention.sequences * attention.queries * attention.key_value_heads;
            key = self.cached(rows * attention.key_dim, key);
            values = self.cached(rows * attention.value_dim, values);
        }
        let kernel = self.attention_kernel(attention);
        let repeated =
            kernel != AttentionKernel::Fused && attention.heads != attention.key_value_heads;
        if repeated {
            let rows = attention.sequences * attention.keys * attention.heads;
            key = self.repeated(rows * attention.key_dim, key);
            values = self.repeated(rows * attention.value_dim, values);
        }
        match kernel {
            AttentionKernel::Eager => self.eager(attention, [query, key, values], value),
            kernel => self.fused(kernel, node, attention, [query, key, values]),
        }
    }

    /// Heads before tokens: a view. Its gradient is copied back into tokens before heads, unless it
    /// comes from a kernel that keeps the order of what it was given.
    pub(super) fn heads(&mut self, index: usize, node: &Node) -> TensorId {
        let input = self.value(node.inputs[0]);
        let tensor = self.tape.of(input);
        let reads = |later: &&Node| later.inputs.contains(&node.outputs[0]);
        let consumer = self.graph.nodes[index..].iter().find(reads);
        let kept = match consumer.map(|consumer| &consumer.operator) {
            Some(Operator::Attention(attention)) => {
                self.attention_kernel(attention) == AttentionKernel::Fused
            }
            _ => false,
        };
        let op = Op::new("heads").read(input, if kept { Flow::Pass } else { Flow::Fresh });
        self.run_op(op.make_in(tensor.storage, tensor.elements, tensor.dtype))
    }

    /// Capped scores have no fused kernel, and a window shorter than the sequence needs a mask.
    fn attention_kernel(&self, attention: &AttentionShape) -> AttentionKernel {
        match self.recipe.attention {
            _ if attention.soft_cap => AttentionKernel::Eager,
            AttentionKernel::Fused if attention.is_limited() && self.training() => {
                AttentionKernel::Masked
            }
            kernel => kernel,
        }
    }

    /// The cache's own copy of new keys or values.
    fn cached(&mut self, elements: u64, input: TensorId) -> TensorId {
        let op = Op::new("cache").read(input, Flow::Stop).category(Category::Cache).kept();
        self.run_op(op.make(elements, self.recipe.cache))
    }

    fn repeated(&mut self, elements: u64, input: TensorId) -> TensorId {
        let dtype = self.tape.of(input).dtype;
        self.run_op(Op::new("repeat heads").read(input, Flow::Sum).make(elements, dtype))
    }

    /// Makes every mask that the pass needs, before its first block: flags, and numbers to add
    /// where the scores are in memory (`create_causal_mask` in transformers).
    pub(super) fn make_masks(&mut self) {
        let graph = self.graph;
        for node in &graph.nodes {
            let Operator::Attention(attention) = &node.operator else { continue };
            let kernel = self.attention_kernel(attention);
            let key = MaskKey::of(attention);
            let seen = self.masks.iter().any(|(found, _)| *found == key);
            if kernel == AttentionKernel::Fused || attention.sight == Sight::All || seen {
                continue;
            }
            let elements = attention.queries * attention.keys;
            let within = self.run_op(Op::new("mask").make(elements, Dtype::Bool));
            let op = Op::new("mask").read(within, Flow::Stop).make(elements, Dtype::Bool);
            let mut mask = self.run_op(op);
            if kernel == AttentionKernel::Eager {
                mask = self.mask_numbers(mask, self.numbers.stream);
            }
            self.masks.push((key, mask));
        }
    }

    fn mask_numbers(&mut self, flags: TensorId, dtype: Dtype) -> TensorId {
        let elements = self.tape.of(flags).elements;
        self.run_op(Op::new("mask").read(flags, Flow::Stop).make(elements, dtype))
    }

    fn mask(&self, attention: &AttentionShape) -> Option<TensorId> {
        let key = MaskKey::of(attention);
        self.masks.iter().find(|(found, _)| *found == key).map(|(_, mask)| *mask)
    }

    /// One kernel that keeps queries, keys, values, its output and a statistic per row. With a mask
    /// it is the memory-efficient one, which wants numbers and keeps them.
    fn fused(
        &mut self,
        kernel: AttentionKernel,
        node: &Node,
        attention: &AttentionShape,
        inputs: [TensorId; 3],
    ) -> TensorId {
        let inputs = match self.numbers.autocast {
            true => inputs.map(|input| self.cast(input, self.numbers.products)),
            false => inputs,
        };
        let dtype = self.tape.of(inputs[0]).dtype;
        let mut rows = attention.rows() * attention.heads;
        let op = inputs
            .iter()
            .fold(Op::new("attention"), |op, input| op.read(*input, Flow::Fresh).save(*input));
        let op = match (kernel, self.mask(attention)) {
            (AttentionKernel::Masked, Some(flags)) => {
                let numbers = self.mask_numbers(flags, dtype);
                op.read(numbers, Flow::Stop).save(numbers)
            }
            _ if is_memory_efficient(attention, dtype) => {
                rows =
                    attention.queries.next_multiple_of(32) * attention.sequences * attention.heads;
                op
            }
            _ => op.backward_temporary(Dtype::F32.bytes(rows * attention.key_dim)),
        };
        let op = op
            .save_output(0)
            .save_output(1)
            .kernel(Kernel::Attention, self.graph.flops(node))
            .make(attention.rows() * attention.heads * attention.value_dim, dtype)
            .make(rows, Dtype::F32);
        self.run_op(op)
    }

    /// Scores in memory: product, scale, mask, softmax in 32 bits, product
    /// (`eager_attention_forward` in transformers).
    fn eager(
        &mut self,
        attention: &AttentionShape,
        inputs: [TensorId; 3],
        value: Value,
    ) -> TensorId {
        let scores = attention.scores();
        let [query, key, values] = match self.numbers.autocast {
            true => inputs.map(|input| self.cast(input, self.numbers.products)),
            false => inputs,
        };
        let dtype = self.tape.of(query).dtype;
        let product = |width: u64| {
            Flops::from_flops(2.0 * scores as f64 * width as f64).unwrap_or(Flops::ZERO)
        };
        let raw = Op::new("scores").read(key, Flow::Fresh).read(query, Flow::Fresh);
        let raw = raw.save(key).save(query).kernel(Kernel::Matrix, product(attention.key_dim));
        let raw = self.run_op(raw.make(scores, dtype));
        let scaled = Op::new("scale scores").read(raw, Flow::Fresh).make(scores, dtype);
        let mut masked = self.run_op(scaled);
        if let Some(mask) = self.mask(attention) {
            let op = Op::new("mask").read(masked, Flow::Pass).read(mask, Flow::Stop);
            masked = self.run_op(op.make(scores, dtype));
        }
        // Only 16-bit IEEE floats have a softmax kernel that widens on the way.
        let wide = if dtype == Dtype::F16 { masked } else { self.cast(masked, Dtype::F32) };
        let softmax = Op::new("softmax").read(wide, Flow::Fresh).save_output(0);
        let softmax = softmax.backward_temporary(Dtype::F32.bytes(scores));
        let softmax = self.run_op(softmax.make(scores, Dtype::F32));
        let weights = self.cast(softmax, dtype);
        self.tape.hold(&[masked]);
        let mixed = Op::new("mix values").read(values, Flow::Fresh).read(weights, Flow::Fresh);
        let mixed = mixed.save(values).save(weights);
        let mixed = mixed.kernel(Kernel::Matrix, product(attention.value_dim));
        let mixed = self.run_op(mixed.make(value.elements(), dtype));
        let copy = self.copy(mixed);
        self.tape.hold(&[key, values]);
        self.returned_late.push(weights);
        copy
    }
}
