//! Attention as encoders and encoder-decoders compute it
//! (`eager_attention_forward` of `models/bert/modeling_bert.py` and `integrations/sdpa_attention.py`
//! in transformers; kernels of `scaled_dot_product_attention` in torch).
//!
//! - 16-bit numbers without mask or bias run in the flash kernel, all others in the
//!   memory-efficient one, which wants a mask as numbers, and keeps them.
//! - Batched matrix products want each operand in one piece: with several sequences, heads are
//!   copied together first.
//! - Weights that are dropped are kept twice, before and after; fused kernels keep none.

use nearside_architecture::{
    AttentionShape, ClassicAttention, Dtype, Node, Operator, Sight, Softmax, Value,
};
use nearside_units::Flops;
use nearside_workload::AttentionKernel;

use super::attention::MaskKey;
use super::{Lowering, Op};
use crate::tape::{Category, Flow, Kernel, Origin, Tensor, TensorId};

/// Widest head that the flash kernel has.
const FLASH_WIDTH: u64 = 256;
/// The memory-efficient kernel keeps its statistic for multiples of so many queries.
const EFFICIENT_ROWS: u64 = 32;

/// What is added to scores.
#[derive(Clone, Copy)]
struct Extras {
    /// A bias for every head and pair of a query and a key.
    bias: Option<(TensorId, Order)>,
    /// Flags: which keys are not padding.
    mask: Option<TensorId>,
}

/// How a bias lies in memory.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    /// Heads before pairs.
    Plain,
    /// Pairs before heads.
    Turned,
}

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

    /// Which keys are near each query: flags, or numbers to add for every sequence where the scores
    /// are in memory (`create_bidirectional_sliding_window_mask`).
    pub(super) fn near_mask(&mut self, value: Value) -> TensorId {
        let all = value.elements();
        let pairs = match self.recipe.attention {
            AttentionKernel::Masked => all,
            _ => all / self.graph.batch.max(1),
        };
        let op = |name, elements: u64, dtype| Op::new(name).make(elements, dtype);
        let distance = self.run_op(op("distance", pairs, Dtype::I64));
        let absolute = self.run_op(op("distance", pairs, Dtype::I64).read(distance, Flow::Stop));
        let near = self.run_op(op("mask", pairs, Dtype::Bool).read(absolute, Flow::Stop));
        let both = self.run_op(op("mask", pairs, Dtype::Bool).read(near, Flow::Stop));
        let flags = self.run_op(op("mask", pairs, Dtype::Bool).read(both, Flow::Stop));
        match self.recipe.attention {
            AttentionKernel::Eager => {
                let numbers = op("mask", all, self.numbers.stream).read(flags, Flow::Stop);
                self.run_op(numbers)
            }
            _ => flags,
        }
    }

    pub(super) fn classic_attention(
        &mut self,
        node: &Node,
        attention: &ClassicAttention,
        value: Value,
    ) -> TensorId {
        let [query, key, values] = [0, 1, 2].map(|index| self.value(node.inputs[index]));
        let extras = self.extras(node);
        let [key, values] = self.remembered(&attention.shape, [key, values]);
        match self.recipe.attention {
            AttentionKernel::Eager => {
                self.classic_eager(attention, [query, key, values], extras, value)
            }
            _ => self.classic_fused(node, attention, [query, key, values], extras),
        }
    }

    /// What is added to the scores, where it is in memory.
    fn extras(&self, node: &Node) -> Extras {
        let mut extras = Extras { bias: None, mask: None };
        for id in node.inputs.iter().skip(3) {
            let Some(tensor) = self.tensors[id.0] else { continue };
            let made = |maker: &&Node| maker.outputs.contains(id);
            match self.graph.nodes.iter().find(made).map(|maker| &maker.operator) {
                Some(Operator::DistanceBias(_)) => extras.bias = Some((tensor, Order::Turned)),
                Some(Operator::NoBias) => extras.bias = Some((tensor, Order::Plain)),
                _ => extras.mask = Some(tensor),
            }
        }
        extras
    }

    /// Keys and values as the cache keeps them, when answering.
    fn remembered(&mut self, shape: &AttentionShape, inputs: [TensorId; 2]) -> [TensorId; 2] {
        let recalled = self.tape.of(inputs[0]).origin == Origin::Input;
        if self.training() || shape.cached == 0 || recalled {
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
        attention: &ClassicAttention,
        inputs: [TensorId; 3],
        extras: Extras,
    ) -> TensorId {
        let shape = &attention.shape;
        let inputs = match self.numbers.autocast {
            true => inputs.map(|input| self.cast(input, self.numbers.products)),
            false => inputs,
        };
        let dtype = self.tape.of(inputs[0]).dtype;
        let (numbers, variable) = self.numbers_to_add(shape, extras, dtype);
        let flash = numbers.is_none() && dtype != Dtype::F32 && shape.key_dim <= FLASH_WIDTH;
        let heads = shape.sequences * shape.heads;
        let statistics = match flash {
            true => heads * shape.queries,
            false => heads * shape.queries.next_multiple_of(EFFICIENT_ROWS),
        };
        let op = numbers.iter().fold(Op::new("attention"), |op, bias| op.read(*bias, Flow::Fresh));
        let op = inputs.iter().fold(op, |op, input| op.read(*input, Flow::Fresh).save(*input));
        let op = numbers.into_iter().fold(op, Op::save);
        let rows = shape.rows() * shape.heads;
        let op = match flash {
            true => op.backward_temporary(Dtype::F32.bytes(rows * shape.key_dim)),
            false => op,
        };
        let op = op.save_output(0).save_output(1).kernel(Kernel::Attention, self.graph.flops(node));
        let mixed =
            self.run_op(op.make(rows * shape.value_dim, dtype).make(statistics, Dtype::F32));
        // The flash kernel's output is ordered as its queries are.
        let output = if flash && attention.contiguous { self.copy(mixed) } else { mixed };
        self.tape.hold(&variable.into_iter().collect::<Vec<_>>());
        output
    }

    /// Bias and mask as one tensor of the kernel's type, for every sequence and head; and the
    /// variable that keeps it in another type meanwhile.
    fn numbers_to_add(
        &mut self,
        shape: &AttentionShape,
        extras: Extras,
        dtype: Dtype,
    ) -> (Option<TensorId>, Option<TensorId>) {
        let Extras { bias, mask } = extras;
        let Some((bias, order)) = bias else {
            let all = shape.sequences * shape.queries * shape.keys;
            return (mask.map(|mask| self.as_numbers(mask, dtype, all)), None);
        };
        let all = shape.scores();
        let masked = self.masked_bias(shape, bias, mask);
        let in_order = if order == Order::Turned { self.copy(masked) } else { masked };
        let narrow = self.cast(in_order, dtype);
        let variable = (narrow != in_order).then_some(in_order);
        if self.tape.of(narrow).elements == all {
            return (Some(narrow), variable);
        }
        let storage = self.tape.of(narrow).storage;
        let expanded = Op::new("expand").read(narrow, Flow::Sum).make_in(storage, all, dtype);
        (Some(self.run_op(expanded)), variable)
    }

    /// A bias where a key may be seen, and the least number where not.
    fn masked_bias(
        &mut self,
        shape: &AttentionShape,
        bias: TensorId,
        mask: Option<TensorId>,
    ) -> TensorId {
        let Tensor { elements, dtype, .. } = self.tape.of(bias);
        let flags = match mask {
            Some(mask) => mask,
            None if shape.sight == Sight::All => return bias,
            None => self.run_op(Op::new("mask").make(shape.queries * shape.keys, Dtype::Bool)),
        };
        let all = if mask.is_some() { shape.scores() } else { elements };
        let flow = if all > elements { Flow::SumOfProduct } else { Flow::Fresh };
        let op = Op::new("mask").read(bias, flow).read(flags, Flow::Stop).save(flags);
        self.run_op(op.make(all, dtype))
    }

    /// A mask as numbers to add.
    fn as_numbers(&mut self, mask: TensorId, dtype: Dtype, elements: u64) -> TensorId {
        let tensor = self.tape.of(mask);
        match tensor.dtype {
            Dtype::Bool => {
                let op = Op::new("mask").read(mask, Flow::Stop);
                self.run_op(op.make(elements, dtype))
            }
            _ => self.cast(mask, dtype),
        }
    }

    fn classic_eager(
        &mut self,
        attention: &ClassicAttention,
        inputs: [TensorId; 3],
        extras: Extras,
        value: Value,
    ) -> TensorId {
        let shape = &attention.shape;
        let scores = shape.scores();
        let [query, key, values] = match self.numbers.autocast {
            true => inputs.map(|input| self.cast(input, self.numbers.products)),
            false => inputs,
        };
        let dtype = self.tape.of(query).dtype;
        let [left, right] = [query, key].map(|input| self.together(attention, input));
        let raw = Op::new("scores").read(right, Flow::Fresh).read(left, Flow::Fresh);
        let raw = raw.save(left).save(right);
        let raw = raw.kernel(Kernel::Matrix, products(scores, shape.key_dim));
        let raw = self.run_op(raw.make(scores, dtype));
        let scaled = Op::new("scale scores").read(raw, Flow::Fresh).make(scores, dtype);
        let mut biased = self.run_op(scaled);
        if let Some((bias, _)) = extras.bias {
            biased = self.sum(&[biased, bias], Value { rows: 1, width: scores });
        }
        if let Some(mask) = extras.mask {
            biased = self.sum(&[biased, mask], Value { rows: 1, width: scores });
        }
        if shape.sight != Sight::All {
            biased = self.causal(shape, biased);
        }
        let softmax = self.classic_softmax(attention.softmax, biased, dtype);
        self.tape.hold(&[biased]);
        let weights = if attention.dropout { self.dropout(softmax) } else { softmax };
        let narrow = self.cast(weights, dtype);
        let right = self.together(attention, values);
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

    /// The least number is added to scores that a token may not see, by a mask that all layers
    /// share.
    fn causal(&mut self, shape: &AttentionShape, scores: TensorId) -> TensorId {
        let tensor = self.tape.of(scores);
        let key = MaskKey::of(shape);
        let mask = match self.masks.iter().find(|(found, _)| *found == key) {
            Some((_, mask)) => *mask,
            None => {
                let elements = shape.queries * shape.keys;
                let mask = self.run_op(Op::new("mask").make(elements, self.numbers.stream));
                self.masks.push((key, mask));
                mask
            }
        };
        self.sum(&[scores, mask], Value { rows: 1, width: tensor.elements })
    }

    /// Heads in one piece, as a batched product wants them.
    fn together(&mut self, attention: &ClassicAttention, input: TensorId) -> TensorId {
        match attention.contiguous || attention.shape.sequences == 1 {
            true => input,
            false => self.copy(input),
        }
    }

    /// Autocast and modules that ask for it have 32-bit weights; only 16-bit IEEE floats have a
    /// kernel that widens on the way.
    fn classic_softmax(&mut self, softmax: Softmax, scores: TensorId, dtype: Dtype) -> TensorId {
        let wide = self.numbers.autocast || softmax == Softmax::Wide;
        let dtype_of_scores = self.tape.of(scores).dtype;
        let input = match wide && dtype_of_scores == Dtype::Bf16 {
            true => self.cast(scores, Dtype::F32),
            false => scores,
        };
        let elements = self.tape.of(scores).elements;
        let made = if wide { Dtype::F32 } else { dtype_of_scores };
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
