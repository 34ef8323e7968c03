//! What all mixers with a state share: a convolution along every sequence (`causal_conv1d_fn` in
//! transformers), a norm with a gate, what is kept for later tokens.

use nearside_architecture::{
    Activation, CausalConvolution, Dtype, GateOrder, GatedNorm, Node, Operator, Value,
};

use super::{Lowering, Op};
use crate::tape::{Category, Flow, Kernel, Tensor, TensorId};

impl Lowering<'_> {
    /// What only mixers with a state do.
    pub(super) fn of_states(&mut self, node: &Node, inputs: &[TensorId], value: Value) -> TensorId {
        match &node.operator {
            Operator::CausalConvolution(convolution) => {
                self.causal_convolution(node, *convolution, inputs[0], value)
            }
            Operator::GatedNorm(norm) => self.gated_norm(*norm, inputs, value),
            Operator::StateScan(scan) => self.state_scan(*scan, inputs, value),
            Operator::DeltaScan(scan) => self.delta_scan(*scan, inputs, value),
            _ => inputs[0],
        }
    }

    /// A grouped convolution that pads both ends and drops the later one, then its nonlinearity.
    fn causal_convolution(
        &mut self,
        node: &Node,
        convolution: CausalConvolution,
        input: TensorId,
        value: Value,
    ) -> TensorId {
        let CausalConvolution { sequences, channels, window, bias, activation } = convolution;
        let weight = self.weight(channels * window, self.numbers.parameters);
        let bias = bias.then(|| self.weight(channels, self.numbers.parameters));
        if !self.training() {
            self.kept_state(convolution.kept(), self.tape.of(input).dtype);
        }
        // The function casts its input to the type of its weights, autocast both to its own.
        let cast = self.cast(input, self.numbers.parameters);
        let bias = bias.map(|bias| self.in_product(bias));
        let weight = self.in_product(weight);
        let input = match self.numbers.autocast {
            true => self.cast(cast, self.numbers.products),
            false => cast,
        };
        let dtype = self.tape.of(input).dtype;
        let op = Op::new("convolution").read(input, Flow::Fresh).read(weight, Flow::Fresh);
        let op = bias.into_iter().fold(op, |op, bias| op.read(bias, Flow::Fresh));
        let op = op.save(input).save(weight).kernel(Kernel::Pointwise, self.graph.flops(node));
        let padded = value.elements() + sequences * channels * window.saturating_sub(1);
        let padded = self.run_op(op.make(padded, dtype));
        self.tape.hold(&[cast]);
        let cut = self.viewed(padded, value.elements(), Flow::Fresh);
        match activation {
            Some(activation) => self.activation(activation, cut, value),
            None => cut,
        }
    }

    /// Root mean square and a gate, both in 32 bits.
    fn gated_norm(&mut self, norm: GatedNorm, inputs: &[TensorId], value: Value) -> TensorId {
        let scale = self.weight(norm.width, self.numbers.parameters);
        let narrow = self.tape.of(inputs[0]).dtype;
        match norm.order {
            GateOrder::GateFirst => {
                let wide = self.cast(inputs[0], Dtype::F32);
                let gate = self.cast(inputs[1], Dtype::F32);
                let gate = self.activation(Activation::Silu, gate, value);
                let gated = self.product(&[wide, gate], value);
                let Value { rows, width } = value;
                let groups = Value { rows: rows * norm.groups, width: width / norm.groups };
                let (normed, mean) = self.normed(gated, groups);
                let scaled = self.times_scale(scale, normed, value);
                self.tape.hold(&[gated, normed, mean]);
                scaled
            }
            GateOrder::NormFirst => {
                let (normed, mean) = self.normed(inputs[0], value);
                let narrowed = self.cast(normed, narrow);
                let scaled = self.times_scale(scale, narrowed, value);
                self.tape.hold(&[normed]);
                let gate = self.cast(inputs[1], Dtype::F32);
                let gate = self.activation(Activation::Silu, gate, value);
                let gated = self.product(&[scaled, gate], value);
                let returned = self.cast(gated, narrow);
                self.tape.hold(&[gated, mean]);
                returned
            }
        }
    }

    /// Something that layers with a state keep for later tokens.
    pub(super) fn kept_state(&mut self, elements: u64, dtype: Dtype) {
        let op = Op::new("state").category(Category::Cache).kept();
        self.run_op(op.make(elements, dtype));
    }

    /// So many elements in the memory of another tensor.
    pub(super) fn viewed(&mut self, input: TensorId, elements: u64, flow: Flow) -> TensorId {
        let Tensor { storage, dtype, .. } = self.tape.of(input);
        self.run_op(Op::new("view").read(input, flow).make_in(storage, elements, dtype))
    }
}
