//! A gated delta rule at work (arXiv 2412.06464; `Qwen3NextGatedDeltaNet`, `Qwen3_5GatedDeltaNet` in
//! transformers): projections, a short convolution, the corrected states of all tokens, a gated norm,
//! one projection out.

use super::decoder::Building;
use super::{Value, ValueId};
use crate::{
    Activation, CausalConvolution, DeltaRule, DeltaScan, GateOrder, GatedNorm, Operator, Projection,
};

/// What the projections of a layer make.
struct Projected {
    /// Queries, keys and values side by side.
    mixed: ValueId,
    /// Gates of what heads return.
    gate: ValueId,
    /// How much is corrected, and how much fades, per head.
    rates: [ValueId; 2],
    /// Variables that live until queries, keys and values are cut from what was convolved.
    early: Vec<ValueId>,
    /// Variables that live until the layer returns.
    late: Vec<ValueId>,
}

impl Building<'_> {
    pub(super) fn delta_rule(&mut self, rule: DeltaRule, input: ValueId) -> ValueId {
        let (keys, values) = (rule.keys(), rule.values());
        let rows = self.shape.rows();
        let projected = match rule.packed {
            true => self.packed_projections(rule, input),
            false => self.projections(rule, input),
        };
        let convolution = CausalConvolution {
            sequences: self.shape.batch,
            channels: 2 * keys + values,
            window: rule.window,
            bias: false,
            activation: Some(Activation::Silu),
        };
        let convolution = Operator::CausalConvolution(convolution);
        let mixed = self.builder.same(convolution, &[projected.mixed]);
        let [query, key, value] = self.cut(mixed, [keys, keys, values]);
        self.builder.hold(&projected.early);
        let correcting = self.builder.same(Operator::Gate, &[projected.rates[0]]);
        let scan = DeltaScan { sequences: self.shape.batch, tokens: self.shape.tokens, rule };
        let inputs = [query, key, value, correcting, projected.rates[1]];
        let scanned = self.builder.push(Operator::DeltaScan(scan), &inputs, rows, values);
        let width = rule.value_dim;
        let norm = GatedNorm { width, groups: 1, order: GateOrder::NormFirst };
        let heads = Value { rows: rows * rule.value_heads, width };
        let inputs = [scanned, projected.gate];
        let normed = self.builder.push(Operator::GatedNorm(norm), &inputs, heads.rows, width);
        let normed = self.builder.push(Operator::Heads, &[normed], rows, values);
        let output = self.builder.linear(normed, self.decoder.hidden, false, Projection::State);
        self.builder.hold(&projected.late);
        self.builder.hold(&[mixed, correcting]);
        output
    }

    /// A product each.
    fn projections(&mut self, rule: DeltaRule, input: ValueId) -> Projected {
        let (keys, values) = (rule.keys(), rule.values());
        let widths = [2 * keys + values, values, rule.value_heads, rule.value_heads];
        let [mixed, gate, correcting, fading] =
            widths.map(|width| self.builder.linear(input, width, false, Projection::State));
        Projected {
            mixed,
            gate,
            rates: [correcting, fading],
            early: Vec::new(),
            late: vec![gate, correcting, fading],
        }
    }

    /// Two products, whose parts lie head by head: each is copied into a piece of its own.
    fn packed_projections(&mut self, rule: DeltaRule, input: ValueId) -> Projected {
        let (keys, values, heads) = (rule.keys(), rule.values(), rule.value_heads);
        let role = Projection::State;
        let wide = self.builder.linear(input, 2 * (keys + values), false, role);
        let narrow = self.builder.linear(input, 2 * heads, false, role);
        let [query, key, value, gate] = self.cut(wide, [keys, keys, values, values]);
        let [correcting, fading] = self.cut(narrow, [heads, heads]);
        let [value, gate, correcting, fading, query, key] =
            [value, gate, correcting, fading, query, key]
                .map(|part| self.builder.same(Operator::Copy, &[part]));
        let width = 2 * keys + values;
        let parts = [query, key, value];
        let mixed = self.builder.push(Operator::Concatenate, &parts, self.shape.rows(), width);
        Projected {
            mixed,
            gate,
            rates: [correcting, fading],
            early: parts.to_vec(),
            late: vec![wide, narrow, gate, correcting, fading],
        }
    }
}
