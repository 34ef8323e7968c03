//! Mixtures of experts at work.

use super::decoder::Building;
use super::{Value, ValueId};
use crate::{Dense, Experts, Linear, Operator, Projection};

impl Building<'_> {
    pub(super) fn experts(&mut self, experts: &Experts, input: ValueId) -> ValueId {
        let Experts { count, active, router_bias, .. } = *experts;
        let hidden = self.decoder.hidden;
        let rows = self.shape.rows();
        let scores = self.builder.linear(input, count, false, Projection::Router);
        let route = Operator::Route { count, active, bias: router_bias };
        let chosen = self.builder.push(route, &[scores], rows, active);
        let copies = self.builder.push(Operator::Dispatch, &[input, chosen], rows * active, hidden);
        let Dense { intermediate, gated, bias, .. } = experts.expert;
        let activation = Operator::Activation(self.decoder.activation);
        let inside = match gated {
            true => {
                let gate = self.expert(count, copies, (intermediate, bias, Projection::Gate));
                let gate = self.builder.same(activation, &[gate]);
                let up = self.expert(count, copies, (intermediate, bias, Projection::Up));
                self.builder.same(Operator::Multiply, &[gate, up])
            }
            false => {
                let up = self.expert(count, copies, (intermediate, bias, Projection::Up));
                self.builder.same(activation, &[up])
            }
        };
        let outputs = self.expert(count, inside, (hidden, bias, Projection::Down));
        let combined = self.builder.push(Operator::Combine, &[outputs, chosen], rows, hidden);
        match &experts.shared {
            Some(shared) => {
                let shared = self.dense(shared, input);
                self.builder.same(Operator::Add, &[combined, shared])
            }
            None => combined,
        }
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
