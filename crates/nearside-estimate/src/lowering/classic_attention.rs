//! Attention as encoders and encoder-decoders compute it
//! (`eager_attention_forward` of `models/bert/modeling_bert.py` and `integrations/sdpa_attention.py`
//! in transformers; kernels of `scaled_dot_product_attention` in torch).
//!
//! - 16-bit numbers without mask or bias run in the flash kernel, all others in the
//!   memory-efficient one, which wants a mask as numbers, and keeps them.
//! - Batched matrix products want each operand in one piece: with several sequences, heads are
//!   copied together first.
//! - Weights that are dropped are kept twice, before and after; fused kernels keep none.

use nearside_architecture::{AttentionShape, ClassicAttention, Dtype, Node, Sight, Softmax, Value};
use nearside_units::Flops;
use nearside_workload::AttentionKernel;

use super::{Lowering, Op};
use crate::tape::{Category, Flow, Kernel, TensorId};

/// Widest head that the flash kernel has.
const FLASH_WIDTH: u64 = 256;
/// The memory-efficient kernel keeps its statistic for multiples of so many queries.
const EFFICIENT_ROWS: u64 = 32;

impl Lowering<'_> {
    /// Which keys are not padding, for every sequence and query: flags.
    pub(super) fn padding_mask(&mut self, node: &Node, value: Value) {
        if self.recipe.attention != AttentionKernel::Masked {
            return;
        }
        let mask = self.run_op(Op::new("mask").make(value.elements(), Dtype::Bool));
        if let Some(id) = node.outputs.first() {
            self.tensors[id.0] = Some(mask);
        }
    }

    pub(super) fn classic_attention(
        &mut self,
        node: &Node,
        attention: &ClassicAttention,
        value: Value,
    ) -> TensorId {
        let [query, key, values] = [0, 1, 2].map(|index| self.value(node.inputs[index]));
        let extras: Vec<_> =
            node.inputs.iter().skip(3).filter_map(|id| self.tensors[id.0]).collect();
        let [key, values] = self.remembered(&attention.shape, [key, values]);
        match self.recipe.attention {
            AttentionKernel::Eager => {
                self.classic_eager(attention, [query, key, values], &extras, value)
            }
            _ => self.classic_fused(node, &attention.shape, [query, key, values], &extras),
        }
    }

    /// Keys and values as the cache keeps them, when answering.
    fn remembered(&mut self, shape: &AttentionShape, inputs: [TensorId; 2]) -> [TensorId; 2] {
        if self.training() || shape.cached == 0 {
            return inputs;
        }
        inputs.map(|input| {
            let elements = self.tape.of(input).elements;
            let op = Op::new("cache").read(input, Flow::Stop).category(Category::Cache).kept();
            self.run_op(op.make(elements, self.recipe.cache))
        })
    }

    fn classic_fused(
        &mut self,
        node: &Node,
        shape: &AttentionShape,
        inputs: [TensorId; 3],
        extras: &[TensorId],
    ) -> TensorId {
        let inputs = match self.numbers.autocast {
            true => inputs.map(|input| self.cast(input, self.numbers.products)),
            false => inputs,
        };
        let dtype = self.tape.of(inputs[0]).dtype;
        let flash = extras.is_empty() && dtype != Dtype::F32 && shape.key_dim <= FLASH_WIDTH;
        let numbers: Vec<_> = extras.iter().map(|extra| self.as_numbers(*extra, dtype)).collect();
        let heads = shape.sequences * shape.heads;
        let statistics = match flash {
            true => heads * shape.queries,
            false => heads * shape.queries.next_multiple_of(EFFICIENT_ROWS),
        };
        let op = inputs
            .iter()
            .chain(&numbers)
            .fold(Op::new("attention"), |op, input| op.read(*input, Flow::Fresh).save(*input));
        let op = match flash {
            true => {
                op.backward_temporary(Dtype::F32.bytes(shape.rows() * shape.heads * shape.key_dim))
            }
            false => op,
        };
        let op = op.save_output(0).save_output(1).kernel(Kernel::Attention, self.graph.flops(node));
        let op = op.make(shape.rows() * shape.heads * shape.value_dim, dtype);
        self.run_op(op.make(statistics, Dtype::F32))
    }

    /// A mask as numbers to add.
    fn as_numbers(&mut self, mask: TensorId, dtype: Dtype) -> TensorId {
        let tensor = self.tape.of(mask);
        match tensor.dtype {
            Dtype::Bool => {
                let op = Op::new("mask").read(mask, Flow::Stop);
                self.run_op(op.make(tensor.elements, dtype))
            }
            _ => self.cast(mask, dtype),
        }
    }

    fn classic_eager(
        &mut self,
        attention: &ClassicAttention,
        inputs: [TensorId; 3],
        extras: &[TensorId],
        value: Value,
    ) -> TensorId {
        let shape = &attention.shape;
        let scores = shape.scores();
        let [query, key, values] = match self.numbers.autocast {
            true => inputs.map(|input| self.cast(input, self.numbers.products)),
            false => inputs,
        };
        let dtype = self.tape.of(query).dtype;
        let [left, right] = [query, key].map(|input| self.together(shape, input));
        let raw = Op::new("scores").read(right, Flow::Fresh).read(left, Flow::Fresh);
        let raw = raw.save(left).save(right);
        let raw = raw.kernel(Kernel::Matrix, products(scores, shape.key_dim));
        let raw = self.run_op(raw.make(scores, dtype));
        let scaled = Op::new("scale scores").read(raw, Flow::Fresh).make(scores, dtype);
        let mut biased = self.run_op(scaled);
        if shape.sight != Sight::All {
            biased = self.causal(shape, biased);
        }
        for extra in extras {
            biased = self.sum(&[biased, *extra], Value { rows: 1, width: scores });
        }
        let softmax = self.classic_softmax(attention.softmax, biased, dtype);
        self.tape.hold(&[biased]);
        let weights = if attention.dropout { self.dropout(softmax) } else { softmax };
        let narrow = self.cast(weights, dtype);
        let right = self.together(shape, values);
        let mixed = Op::new("mix values").read(right, Flow::Fresh).read(narrow, Flow::Fresh);
        let mixed = mixed.save(narrow).save(right);
        let mixed = mixed.kernel(Kernel::Matrix, products(scores, shape.value_dim));
        let mixed = self.run_op(mixed.make(value.elements(), dtype));
        let flow = if shape.sequences > 1 { Flow::Fresh } else { Flow::Pass };
        let copy = Op::new("copy").read(mixed, flow).make(value.elements(), dtype);
        let copy = self.run_op(copy);
        self.returned_late.push(weights);
        copy
    }

    /// Scores that a token may not see, by a mask that is made for this call.
    fn causal(&mut self, shape: &AttentionShape, scores: TensorId) -> TensorId {
        let tensor = self.tape.of(scores);
        let elements = shape.queries * shape.keys;
        let mask = self.run_op(Op::new("mask").make(elements, tensor.dtype));
        let op = Op::new("mask").read(scores, Flow::Pass).read(mask, Flow::Stop);
        self.run_op(op.make(tensor.elements, tensor.dtype))
    }

    /// Heads in one piece, as a batched product wants them.
    fn together(&mut self, shape: &AttentionShape, input: TensorId) -> TensorId {
        match shape.sequences {
            1 => input,
            _ => self.copy(input),
        }
    }

    /// Autocast and modules that ask for it have 32-bit weights; only 16-bit IEEE floats have a
    /// kernel that widens on the way.
    fn classic_softmax(&mut self, softmax: Softmax, scores: TensorId, dtype: Dtype) -> TensorId {
        let wide = self.numbers.autocast || softmax == Softmax::Wide;
        let input = match wide && dtype == Dtype::Bf16 {
            true => self.cast(scores, Dtype::F32),
            false => scores,
        };
        let elements = self.tape.of(scores).elements;
        let made = if wide { Dtype::F32 } else { dtype };
        let op = Op::new("softmax").read(input, Flow::Fresh).save_output(0);
        let op = op.backward_temporary(made.bytes(elements));
        let weights = self.run_op(op.make(elements, made));
        match softmax {
            Softmax::Wide => self.cast(weights, dtype),
            Softmax::Own => weights,
        }
    }
}

/// Arithmetic of a product between scores and vectors of that width.
fn products(scores: u64, width: u64) -> Flops {
    Flops::from_flops(2.0 * scores as f64 * width as f64).unwrap_or(Flops::ZERO)
}
