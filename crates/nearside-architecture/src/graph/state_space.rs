//! A selective state space at work (Mamba-2, arXiv 2405.21060): one projection in, a short
//! convolution, the states of all tokens, a gated norm, one projection out.

use super::decoder::Building;
use super::{Value, ValueId};
use crate::{
    Activation, CausalConvolution, GateOrder, GatedNorm, Mixer, Operator, Projection, StateScan,
    StateSpace,
};

impl Building<'_> {
    pub(super) fn state_space(&mut self, space: StateSpace, input: ValueId) -> ValueId {
        let rows = self.shape.rows();
        let (inner, convolved, shared) =
            (space.inner(), space.convolved(), space.groups * space.state);
        let width = inner + convolved + space.heads;
        let bias = space.projection_bias;
        let projected = self.builder.linear(input, width, bias, Projection::State);
        let [gate, mixed, steps] = self.cut(projected, [inner, convolved, space.heads]);
        let convolution = CausalConvolution {
            sequences: self.shape.batch,
            channels: convolved,
            window: space.window,
            bias: space.convolution_bias,
            activation: Some(Activation::Silu),
        };
        let mixed = self.builder.same(Operator::CausalConvolution(convolution), &[mixed]);
        let [values, writing, reading] = self.cut(mixed, [inner, shared, shared]);
        let scan = StateScan {
            sequences: self.shape.batch,
            tokens: self.shape.tokens,
            resumed: self.shape.past > 0,
            space,
        };
        let inputs = [values, steps, writing, reading];
        let scanned = self.builder.push(Operator::StateScan(scan), &inputs, rows, inner);
        let norm = GatedNorm { width: inner, groups: space.groups, order: GateOrder::GateFirst };
        let normed = self.builder.same(Operator::GatedNorm(norm), &[scanned, gate]);
        let narrowed = self.builder.same(Operator::Alike, &[normed, gate]);
        let hidden = self.decoder.hidden;
        let alone = self.decoder.layers.iter().any(|layer| layer.mixer == Mixer::Absent);
        let role = if alone { Projection::StateOutput } else { Projection::State };
        let output = self.builder.linear(narrowed, hidden, bias, role);
        self.builder.hold(&[projected, mixed, normed]);
        output
    }

    /// Parts of a value, side by side.
    pub(super) fn cut<const N: usize>(&mut self, value: ValueId, widths: [u64; N]) -> [ValueId; N] {
        let rows = self.shape.rows();
        let parts = widths.map(|width| Value { rows, width });
        let parts = self.builder.push_all(Operator::Split, &[value], &parts);
        std::array::from_fn(|index| parts[index])
    }
}
