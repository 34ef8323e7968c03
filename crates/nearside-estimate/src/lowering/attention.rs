//! Attention as frameworks compute it: one fused kernel, one with a mask, or step by step with the
//! scores in memory.

use nearside_architecture::{AttentionShape, Dtype, Node, Operator, Sight, Value, ValueId};
use nearside_units::{Bytes, Flops};
use nearside_workload::AttentionKernel;

use super::{Lowering, Op};
use crate::tape::{Category, Flow, Kernel, Tensor, TensorId};

/// What tells masks apart: queries, keys and how many of them are seen.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct MaskKey(u64, u64, u64);

impl MaskKey {
    pub(super) fn of(attention: &AttentionShape) -> Self {
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
        if !self.training() && self.caches(attention) {
            let rows = attention.sequences * attention.queries * attention.key_value_heads;
            key = self.cached(rows * attention.key_dim, key);
            values = self.cached(rows * attention.value_dim, values);
            // The caller's variables now name what the cache returned.
            for (id, tensor) in node.inputs[1..3].iter().zip([key, values]) {
                self.tensors[id.0] = Some(tensor);
            }
        }
        let kernel = self.attention_kernel(attention);
        let repeated =
            kernel != AttentionKernel::Fused && attention.heads != attention.key_value_heads;
        if repeated {
            let rows = attention.sequences * attention.keys * attention.heads;
            key = self.repeated(attention, rows * attention.key_dim, key);
            values = self.repeated(attention, rows * attention.value_dim, values);
        }
        match kernel {
            AttentionKernel::Eager => {
                let sinks = inputs.get(3).copied();
                self.eager(attention, [query, key, values], sinks, value)
            }
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
        let kept = consumer.is_some_and(|consumer| match &consumer.operator {
            Operator::Attention(attention) => {
                self.keeps_order(attention, consumer, node.outputs[0])
            }
            Operator::ClassicAttention(_) => self.recipe.attention != AttentionKernel::Eager,
            // The memory-efficient kernel's gradients have tokens before heads, whatever it was given.
            Operator::Copy => {
                self.recipe.attention != AttentionKernel::Eager
                    && self.numbers.products == Dtype::F32
            }
            _ => false,
        });
        let op = Op::new("heads").read(input, if kept { Flow::Pass } else { Flow::Fresh });
        self.run_op(op.make_in(tensor.storage, tensor.elements, tensor.dtype))
    }

    /// Whether an attention returns the gradient of an input in the order in which a projection made
    /// it: fused kernels do, and a product that transposes keys.
    fn keeps_order(&self, attention: &AttentionShape, node: &Node, input: ValueId) -> bool {
        let repeated = attention.heads != attention.key_value_heads;
        match self.attention_kernel(attention) {
            AttentionKernel::Fused => true,
            AttentionKernel::Efficient | AttentionKernel::Masked => !repeated,
            AttentionKernel::Eager => !repeated && node.inputs.get(1) == Some(&input),
        }
    }

    /// Capped scores have no fused kernel, and a window shorter than the sequence needs a mask.
    fn attention_kernel(&self, attention: &AttentionShape) -> AttentionKernel {
        match self.recipe.attention {
            _ if attention.soft_cap => AttentionKernel::Eager,
            AttentionKernel::Fused if attention.is_limited() => AttentionKernel::Masked,
            kernel => kernel,
        }
    }

    /// Whether a cache keeps the very keys and values that attention reads; others keep what these
    /// are rebuilt from.
    fn caches(&self, attention: &AttentionShape) -> bool {
        let read = attention.key_value_heads * (attention.key_dim + attention.value_dim);
        attention.cached == read
    }

    /// The cache's own copy of new keys or values.
    pub(super) fn cached(&mut self, elements: u64, input: TensorId) -> TensorId {
        let op = Op::new("cache").read(input, Flow::Stop).category(Category::Cache).kept();
        let cached = self.run_op(op.make(elements, self.recipe.cache));
        self.heads_first.push(cached);
        cached
    }

    /// Key-value heads once for every query head: a copy, or a view of a single head.
    fn repeated(&mut self, attention: &AttentionShape, elements: u64, input: TensorId) -> TensorId {
        let Tensor { dtype, storage, .. } = self.tape.of(input);
        let op = Op::new("repeat heads").read(input, Flow::Sum);
        let op = match attention.key_value_heads {
            1 => op.make_in(storage, elements, dtype),
            _ => op.make(elements, dtype),
        };
        let repeated = self.run_op(op);
        if attention.key_value_heads > 1 {
            self.heads_first.push(repeated);
        }
        repeated
    }

    /// Whether a fused kernel without a mask is the flash one: it takes 16 bits, heads of up to 256
    /// elements, and fewer key heads than query heads.
    fn is_flash(&self, attention: &AttentionShape, dtype: Dtype) -> bool {
        let same = attention.key_dim == attention.value_dim;
        let small = attention.key_dim <= 256;
        let grouped = attention.heads != attention.key_value_heads;
        grouped || (dtype != Dtype::F32 && same && small)
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
            let masked = matches!(kernel, AttentionKernel::Masked | AttentionKernel::Eager);
            if !masked || attention.sight == Sight::All || seen {
                continue;
            }
            self.count_positions();
            let elements = attention.queries * attention.keys;
            // Every sequence is padded in its own way.
            let padded = match self.recipe.attention {
                AttentionKernel::Masked => elements * attention.sequences,
                _ => elements,
            };
            let flags = |read: &[TensorId]| {
                let op = Op::new("mask").make(padded, Dtype::Bool);
                read.iter().fold(op, |op, flags| op.read(*flags, Flow::Stop))
            };
            // What lies in the past; with a window or padding besides, both conditions one by one.
            let mut mask = self.run_op(flags(&[]));
            if kernel == AttentionKernel::Masked || attention.is_limited() {
                let condition = self.run_op(flags(&[mask]));
                let past = self.run_op(flags(&[]));
                mask = self.run_op(flags(&[condition, past]));
            }
            if kernel == AttentionKernel::Eager {
                let elements = elements * attention.sequences;
                mask = self.mask_numbers(mask, elements, self.numbers.stream);
            }
            self.masks.push((key, mask));
        }
    }

    fn mask_numbers(&mut self, flags: TensorId, elements: u64, dtype: Dtype) -> TensorId {
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
        let rows = attention.rows() * attention.heads;
        let op = inputs
            .iter()
            .fold(Op::new("attention"), |op, input| op.read(*input, Flow::Fresh).save(*input));
        let op = match (kernel, self.mask(attention)) {
            (AttentionKernel::Masked, Some(flags)) => {
                let elements = attention.sequences * attention.queries * attention.keys;
                let numbers = self.mask_numbers(flags, elements, dtype);
                op.read(numbers, Flow::Stop).save(numbers)
            }
            // The flash kernel sums up the gradient of queries in 32 bits.
            (AttentionKernel::Fused, _) if self.is_flash(attention, dtype) => {
                op.backward_temporary(Dtype::F32.bytes(rows * attention.key_dim))
            }
            _ => op,
        };
        let statistics = row_statistics(attention, dtype);
        let op = op
            .save_output(0)
            .save_output(1)
            .kernel(Kernel::Attention, self.graph.flops(node))
            .make(rows * attention.value_dim, dtype)
            .make(statistics, Dtype::F32);
        let output = self.run_op(op);
        // A flash kernel writes in the order of the queries; what follows wants tokens first.
        let flash = kernel == AttentionKernel::Fused && self.is_flash(attention, dtype);
        match flash && self.heads_first.contains(&inputs[0]) {
            true => self.copy(output),
            false => output,
        }
    }

    /// A batched product wants one matrix after the other: of several sequences, heads that lie
    /// between tokens are copied together (`at::matmul`).
    fn for_batched_product(&mut self, attention: &AttentionShape, input: TensorId) -> TensorId {
        match attention.sequences > 1 && !self.heads_first.contains(&input) {
            true => self.copy(input),
            false => input,
        }
    }

    /// Softmax over scores in memory. Only 16-bit IEEE floats have a kernel that widens on the way.
    pub(super) fn softmax(&mut self, attention: &AttentionShape, scores: TensorId) -> TensorId {
        let Tensor { elements, dtype, .. } = self.tape.of(scores);
        let result = match attention.wide_softmax || self.numbers.autocast {
            true => Dtype::F32,
            false => dtype,
        };
        let wide = match dtype {
            Dtype::F16 => scores,
            _ => self.cast(scores, result),
        };
        let op = Op::new("softmax").read(wide, Flow::Fresh).save_output(0);
        let op = op.backward_spike(result.bytes(elements));
        self.run_op(op.make(elements, result))
    }

    /// Weights beside that of a learned score per head, which is left out again; the largest score
    /// is taken off first; and the variable that holds what is left of them
    /// (`eager_attention_forward` of gpt-oss).
    fn sunk_weights(
        &mut self,
        attention: &AttentionShape,
        scores: TensorId,
        sinks: TensorId,
    ) -> (TensorId, Option<TensorId>) {
        let Tensor { elements, dtype, .. } = self.tape.of(scores);
        let rows = attention.rows() * attention.heads;
        let all = elements + rows;
        let sunk = Op::new("sinks").read(scores, Flow::Pass).read(sinks, Flow::Sum);
        let sunk = self.run_op(sunk.make(all, dtype));
        let most = Op::new("sinks").read(sunk, Flow::Fresh).save_output(1);
        let most = most.backward_temporary(dtype.bytes(all));
        let most = self.run_all(most.make(rows, dtype).make(rows, Dtype::I64));
        let less = Op::new("sinks").read(sunk, Flow::Pass).read(most[0], Flow::SumOfProduct);
        let less = self.run_op(less.make(all, dtype));
        let softmax = Op::new("softmax").read(less, Flow::Fresh).save_output(0);
        let softmax = self.run_op(softmax.backward_spike(dtype.bytes(all)).make(all, dtype));
        let storage = self.tape.of(softmax).storage;
        let seen = Op::new("sinks").read(softmax, Flow::Fresh).make_in(storage, elements, dtype);
        (self.run_op(seen), Some(less))
    }

    /// A view whose gradient has to be copied into one stretch of memory.
    fn gathered(&mut self, input: TensorId) -> TensorId {
        let tensor = self.tape.of(input);
        let op = Op::new("heads").read(input, Flow::Fresh);
        self.run_op(op.make_in(tensor.storage, tensor.elements, tensor.dtype))
    }

    /// Scores in memory: product, scale, mask, softmax in 32 bits, product
    /// (`eager_attention_forward` in transformers).
    fn eager(
        &mut self,
        attention: &AttentionShape,
        inputs: [TensorId; 3],
        sinks: Option<TensorId>,
        value: Value,
    ) -> TensorId {
        let scores = attention.scores();
        let [query, key, values] = match self.numbers.autocast {
            true => inputs.map(|input| self.cast(input, self.numbers.products)),
            false => inputs,
        };
        let dtype = self.tape.of(query).dtype;
        let [query, key, values] =
            [query, key, values].map(|input| self.for_batched_product(attention, input));
        let product = |width: u64| {
            Flops::from_flops(2.0 * scores as f64 * width as f64).unwrap_or(Flops::ZERO)
        };
        let raw = Op::new("scores").read(key, Flow::Fresh).read(query, Flow::Fresh);
        let raw = raw.save(key).save(query).kernel(Kernel::Matrix, product(attention.key_dim));
        let raw = self.run_op(raw.make(scores, dtype));
        let scaled = Op::new("scale scores").read(raw, Flow::Fresh).make(scores, dtype);
        let mut masked = self.run_op(scaled);
        if attention.soft_cap {
            masked = self.soft_cap(masked, Value { rows: scores, width: 1 });
        }
        if let Some(mask) = self.mask(attention) {
            let op = Op::new("mask").read(masked, Flow::Pass).read(mask, Flow::Stop);
            masked = self.run_op(op.make(scores, dtype));
        }
        let (mut weights, variable) = match sinks {
            Some(sinks) => self.sunk_weights(attention, masked, sinks),
            None => {
                let softmax = self.softmax(attention, masked);
                (self.cast(softmax, dtype), None)
            }
        };
        self.tape.hold(&[masked]);
        if attention.dropout {
            weights = self.dropout(weights);
        }
        let mixed = Op::new("mix values").read(values, Flow::Fresh).read(weights, Flow::Fresh);
        let mixed = mixed.save(values).save(weights);
        let mixed = mixed.kernel(Kernel::Matrix, product(attention.value_dim));
        let mixed = self.run_op(mixed.make(value.elements(), dtype));
        let mixed = if attention.sequences > 1 { self.gathered(mixed) } else { mixed };
        let copy = self.copy(mixed);
        self.tape.hold(&[key, values]);
        self.tape.hold(&variable.into_iter().collect::<Vec<_>>());
        self.returned_late.push(weights);
        copy
    }
}

/// What the flash kernel sums the gradient of the queries in; the memory-efficient kernel, which
/// alone reads 32-bit numbers, needs nothing like it.
pub(super) fn flash_temporary(attention: &AttentionShape, dtype: Dtype) -> Bytes {
    match is_memory_efficient(attention, dtype) {
        true => Bytes::ZERO,
        false => Dtype::F32.bytes(attention.rows() * attention.heads * attention.key_dim),
    }
}

/// One number per row of scores; the memory-efficient kernel keeps them in lines of 32
/// (`kAlignLSE`, mem_eff_attention/kernel_forward.h).
pub(super) fn row_statistics(attention: &AttentionShape, dtype: Dtype) -> u64 {
    let queries = match is_memory_efficient(attention, dtype) {
        true => attention.queries.div_ceil(32) * 32,
        false => attention.queries,
    };
    attention.sequences * attention.heads * queries
}
