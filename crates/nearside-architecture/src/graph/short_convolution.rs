//! A short convolution between two gates at work (`Lfm2ShortConv` in transformers).

use super::ValueId;
use super::decoder::Building;
use crate::{CausalConvolution, Operator, Projection, ShortConvolution};

impl Building<'_> {
    pub(super) fn short_convolution(&mut self, short: ShortConvolution, input: ValueId) -> ValueId {
        let ShortConvolution { window, bias } = short;
        let hidden = self.decoder.hidden;
        let all = self.builder.linear(input, 3 * hidden, bias, Projection::State);
        let [before, after, value] = self.cut(all, [hidden; 3]);
        let gated = self.builder.same(Operator::Multiply, &[before, value]);
        let convolution = CausalConvolution {
            sequences: self.shape.batch,
            channels: hidden,
            window,
            bias,
            activation: None,
        };
        let convolved = self.builder.same(Operator::CausalConvolution(convolution), &[gated]);
        let gated = self.builder.same(Operator::Multiply, &[after, convolved]);
        let ordered = self.builder.same(Operator::Copy, &[gated]);
        let output = self.builder.linear(ordered, hidden, bias, Projection::State);
        self.builder.hold(&[all, convolved, ordered]);
        output
    }
}
