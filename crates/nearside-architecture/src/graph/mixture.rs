//! Mixtures of experts at work: tokens are copied to their experts in the order of the experts, and
//! each projection of all experts is one grouped product (`grouped_mm_experts_forward` in
//! transformers, its default on cards that have such a product).

use super::decoder::Building;
use super::{Value, ValueId};
use crate::{Dense, Experts, Gating, Linear, Operator, Projection, Scoring};

impl Building<'_> {
    pub(super) fn experts(&mut self, experts: &Experts, input: ValueId) -> ValueId {
        let early = match &experts.shared {
            Some(shared) if experts.shared_gate => Some(self.dense(shared, input)),
            _ => None,
        };
        let role = match experts.scoring {
            Scoring::WideSoftmax | Scoring::WideSigmoid => Projection::WideRouter,
            _ => Projection::Router,
        };
        // gpt-oss adds the bias to the scores; DeepSeek V3 only to what it chooses by.
        let biased = experts.router_bias && experts.scoring == Scoring::Best;
        let scores = self.builder.linear(input, experts.count, biased, role);
        let combined = self.routed(experts, input, scores);
        let output = match (&experts.shared, early) {
            (_, Some(shared)) => {
                let gate = self.builder.linear(input, 1, false, Projection::Router);
                let gate = self.builder.same(Operator::Gate, &[gate]);
                let gated = self.builder.same(Operator::Multiply, &[shared, gate]);
                self.builder.hold(&[shared]);
                self.builder.same(Operator::Add, &[combined, gated])
            }
            (Some(shared), None) => {
                let shared = self.dense(shared, input);
                self.builder.same(Operator::Add, &[combined, shared])
            }
            (None, None) => combined,
        };
        self.builder.hold(&[scores]);
        output
    }

    /// What the chosen experts make of each token, weighed and summed.
    fn routed(&mut self, experts: &Experts, input: ValueId, scores: ValueId) -> ValueId {
        let Experts { count, active, router_bias, scoring, .. } = *experts;
        let hidden = self.decoder.hidden;
        let rows = self.shape.rows();
        let bias = router_bias && scoring != Scoring::Best;
        let route = Operator::Route { count, active, bias, scoring };
        let choice = Value { rows, width: active };
        let chosen = self.builder.push_all(route, &[scores], &[choice, choice]);
        let [weights, chosen] = [chosen[0], chosen[1]];
        let copies = Value { rows: rows * active, width: hidden };
        let single = Value { rows: rows * active, width: 1 };
        let dispatched =
            self.builder.push_all(Operator::Dispatch, &[input, weights, chosen], &[copies, single]);
        let [copies, weighing] = [dispatched[0], dispatched[1]];
        let inside = self.inside(experts, copies);
        let bias = experts.expert.bias;
        let outputs = self.expert(count, inside, (hidden, bias, Projection::Down));
        let combined = self.builder.push(Operator::Combine, &[outputs, weighing], rows, hidden);
        self.builder.hold(&[weights, chosen]);
        combined
    }

    fn inside(&mut self, experts: &Experts, copies: ValueId) -> ValueId {
        let Dense { intermediate, gated, bias, .. } = experts.expert;
        let activation = Operator::Activation(self.decoder.activation);
        let count = experts.count;
        if !gated {
            let up = self.expert(count, copies, (intermediate, bias, Projection::Up));
            return self.builder.same(activation, &[up]);
        }
        let both = self.expert(count, copies, (2 * intermediate, bias, Projection::Up));
        let half = Value { rows: self.builder.of(both).rows, width: intermediate };
        if experts.gating == Gating::Clamped {
            return self.builder.push(Operator::ClampedGate, &[both], half.rows, half.width);
        }
        let parts = self.builder.push_all(Operator::Split, &[both], &[half, half]);
        let gate = self.builder.same(activation, &[parts[0]]);
        self.builder.same(Operator::Multiply, &[gate, parts[1]])
    }

    fn expert(
        &mut self,
        count: u64,
        input: ValueId,
        (output, bias, role): (u64, bool, Projection),
    ) -> ValueId {
        let Value { rows, width } = self.builder.of(input);
        let linear = Linear { input: width, output, bias, role };
        self.builder.push(Operator::ExpertLinear { count, linear }, &[input], rows, output)
    }
}
