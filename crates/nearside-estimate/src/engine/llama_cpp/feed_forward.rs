//! Feed-forward networks in llama.cpp's graph: gated networks and mixtures of experts.
//!
//! Source: `llm_graph_context::build_ffn` and `build_moe_ffn` in `llama-graph.cpp` of llama.cpp.

use nearside_architecture::{Dtype, Experts};

use super::build::Builder;
use super::graph::{Id, Operation};
use super::model::{Groups, Normalised, Scaled};

impl Builder<'_> {
    /// A network that every token passes. `suffix` tells shared experts (`_shexp`) from it.
    pub(super) fn dense(&mut self, of: Id, suffix: &str, layer: usize) -> Id {
        let up = self.projected(of, &format!("ffn_up{suffix}"), layer);
        let activated = if self.has(&format!("ffn_gate{suffix}.weight"), layer) {
            let gate = self.projected(of, &format!("ffn_gate{suffix}"), layer);
            self.graph.alike(Operation::Fresh, &[gate, up])
        } else {
            // Gate and up lie in one tensor, one after the other.
            let mut extents = self.graph.extents(up);
            extents[0] /= 2;
            self.graph.fresh(Operation::Fresh, Dtype::F32, extents, &[up])
        };
        self.projected(activated, &format!("ffn_down{suffix}"), layer)
    }

    /// A mixture: scores, the best of them, their weights, three products, a weighted sum.
    pub(super) fn experts(&mut self, experts: &Experts, of: Id, layer: usize) -> Id {
        let (chosen, weights) = self.routed(experts, of, layer);
        self.graph.expand(weights);
        let [width, tokens, ..] = self.graph.extents(of);
        let values = self.graph.reshaped(of, [width, 1, tokens, 1]);
        let up = self.chosen(values, "ffn_up_exps", chosen, layer);
        let gate = self.chosen(values, "ffn_gate_exps", chosen, layer);
        let activated = self.graph.alike(Operation::Fresh, &[gate, up]);
        let down = self.chosen(activated, "ffn_down_exps", chosen, layer);
        let weighted = self.graph.in_place(&[down, weights]);
        self.graph.expand(weighted);
        let summed = self.summed(weighted, experts.active);
        if self.has("ffn_up_shexp.weight", layer) {
            let shared = self.dense(of, "_shexp", layer);
            return self.graph.in_place(&[summed, shared]);
        }
        summed
    }

    /// The numbers of the chosen experts and their weights.
    fn routed(&mut self, experts: &Experts, of: Id, layer: usize) -> (Id, Id) {
        let logits = self.projected(of, "ffn_gate_inp", layer);
        let scores = self.graph.in_place(&[logits]);
        let biased = match self.layer_weight("exp_probs_b.bias", layer) {
            Some(bias) => self.graph.in_place(&[scores, bias]),
            None => scores,
        };
        let biased = match self.model.routing.groups {
            Some(groups) => self.grouped(groups, biased, experts.count),
            None => biased,
        };
        let extents = self.graph.extents(biased);
        let sorted = self.graph.fresh(Operation::Fresh, Dtype::I32, extents, &[biased]);
        let strides = self.graph.tensor(sorted).strides;
        let tokens = extents[1];
        let chosen = self.graph.view(sorted, [experts.active, tokens, 1, 1], strides);
        let column = self.graph.reshaped(scores, [1, experts.count, tokens, 1]);
        let mut weights = self.graph.rows(column, chosen);
        if self.model.routing.normalised == Normalised::Yes {
            weights = self.graph.reshaped(weights, [experts.active, tokens, 1, 1]);
            let one = [1, tokens, 1, 1];
            let sum = self.graph.fresh(Operation::Fresh, Dtype::F32, one, &[weights]);
            let sum = self.graph.in_place(&[sum]);
            weights = self.graph.in_place(&[weights, sum]);
            weights = self.graph.reshaped(weights, [1, experts.active, tokens, 1]);
        }
        if self.model.routing.scaled == Scaled::Yes {
            weights = self.graph.in_place(&[weights]);
        }
        (chosen, weights)
    }

    /// Scores with those of all but the best groups masked out. A group is as good as its two best.
    fn grouped(&mut self, groups: Groups, scores: Id, experts: u64) -> Id {
        let tokens = self.graph.extents(scores)[1];
        let members = experts / groups.count;
        let graph = &mut self.graph;
        let split = graph.reshaped(scores, [members, groups.count, tokens, 1]);
        let sorted =
            graph.fresh(Operation::Fresh, Dtype::I32, [members, groups.count, tokens, 1], &[split]);
        let strides = graph.tensor(sorted).strides;
        let best = graph.view(sorted, [2, groups.count, tokens, 1], strides);
        let column = graph.reshaped(split, [1, members, groups.count, tokens]);
        let best = graph.rows(column, best);
        let best = graph.reshaped(best, [2, groups.count, tokens, 1]);
        let summed =
            graph.fresh(Operation::Fresh, Dtype::F32, [1, groups.count, tokens, 1], &[best]);
        let summed = graph.reshaped(summed, [groups.count, tokens, 1, 1]);
        let sorted =
            graph.fresh(Operation::Fresh, Dtype::I32, [groups.count, tokens, 1, 1], &[summed]);
        let strides = graph.tensor(sorted).strides;
        let chosen = graph.view(sorted, [groups.used, tokens, 1, 1], strides);
        let kept = graph.rows(split, chosen);
        let masked = graph.in_place(&[split]);
        let masked = graph.written(masked, kept, chosen);
        graph.reshaped(masked, [experts, tokens, 1, 1])
    }

    fn chosen(&mut self, of: Id, name: &str, chosen: Id, layer: usize) -> Id {
        match self.layer_weight(&format!("{name}.weight"), layer) {
            Some(weight) => self.graph.chosen_product(weight, of, chosen),
            None => of,
        }
    }

    /// The sum over a token's experts, one at a time.
    fn summed(&mut self, weighted: Id, active: u64) -> Id {
        let [width, _, tokens, _] = self.graph.extents(weighted);
        let [element, _, token, _] = self.graph.tensor(weighted).strides;
        let strides = [element, token, token.saturating_mul(tokens), token.saturating_mul(tokens)];
        let views: Vec<Id> = (0..active)
            .map(|_| {
                let view = self.graph.view(weighted, [width, tokens, 1, 1], strides);
                self.graph.expand(view);
                view
            })
            .collect();
        let Some((first, rest)) = views.split_first() else { return weighted };
        if rest.is_empty() {
            return self.graph.alike(Operation::Fresh, &[*first]);
        }
        rest.iter().fold(*first, |sum, next| {
            let sum = self.graph.in_place(&[sum, *next]);
            self.graph.expand(sum);
            sum
        })
    }
}
