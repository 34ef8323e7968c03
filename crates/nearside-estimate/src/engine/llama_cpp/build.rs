//! The operator graph that llama.cpp builds for a batch: embedding, blocks, output.
//!
//! One walk for all families, which differ in the tensors they have and in a few scalings. The order
//! in which operands are named and branches are made part of the graph decides what lives at the
//! same time, so it follows llama.cpp line by line.
//!
//! Source: `llama-graph.cpp` and `models/*.cpp` of llama.cpp.

use std::collections::BTreeMap;

use nearside_architecture::{Dtype, FeedForward, Mixer};

use super::graph::{Graph, Id, Operation, Owner, Place, Role};
use super::model::{Family, Model};
use super::plan::Plan;

/// What is computed at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Batch {
    /// Tokens of all sequences together.
    pub(super) tokens: u64,
    /// Tokens whose logits are wanted.
    pub(super) outputs: u64,
}

/// The graph so far and what it is built from.
pub(super) struct Builder<'a> {
    pub(super) graph: Graph,
    pub(super) model: &'a Model,
    pub(super) plan: &'a Plan,
    pub(super) batch: Batch,
    weights: BTreeMap<(String, Place), Id>,
}

/// Builds the graph of a batch.
pub(super) fn graph(model: &Model, plan: &Plan, batch: Batch) -> Graph {
    let graph = Graph::default();
    let mut builder = Builder { graph, model, plan, batch, weights: BTreeMap::new() };
    builder.model();
    builder.graph
}

impl Builder<'_> {
    fn model(&mut self) {
        let mut stream = self.embedding();
        if self.model.family.scales_embeddings() {
            stream = self.graph.in_place(&[stream]);
        }
        let positions = self.graph.input(Dtype::I32, [self.batch.tokens, 1, 1, 1]);
        let caches = self.cache_inputs();
        let chosen = self.graph.input(Dtype::I32, [self.batch.outputs, 1, 1, 1]);
        let count = self.model.decoder.layers.len();
        for layer in 0..count {
            let normed = self.layer_norm(stream, "attn_norm", layer);
            let mut current = match &self.model.decoder.layers[layer].mixer {
                Mixer::Grouped(attention) => {
                    self.grouped_attention(attention, normed, positions, &caches, layer)
                }
                Mixer::Latent(attention) => {
                    self.latent_attention(attention, normed, positions, &caches, layer)
                }
                // The table of tensors refuses such a model.
                _ => normed,
            };
            if layer + 1 == count {
                current = self.graph.rows(current, chosen);
                stream = self.graph.rows(stream, chosen);
            }
            stream = self.feed_forward_half(current, stream, layer);
        }
        self.output(stream);
    }

    /// Rows of the embedding table, and an input for embeddings from elsewhere that text leaves
    /// unused but allocated.
    fn embedding(&mut self) -> Id {
        let tokens = self.graph.input(Dtype::I32, [self.batch.tokens, 1, 1, 1]);
        let extents = [self.model.decoder.hidden, self.batch.tokens, 1, 1];
        let ready = self.graph.input(Dtype::F32, extents);
        let embedded = match self.weight("token_embd.weight", Place::Host) {
            Some(table) => self.graph.rows(table, tokens),
            None => ready,
        };
        self.graph.expand(embedded);
        self.graph.expand(ready);
        embedded
    }

    /// The second half of a block, with the norms and sums around it.
    fn feed_forward_half(&mut self, attended: Id, stream: Id, layer: usize) -> Id {
        let family = self.model.family;
        let sandwich = matches!(family, Family::Gemma2 | Family::Gemma3);
        let attended = match sandwich {
            true => self.layer_norm(attended, "post_attention_norm", layer),
            false => attended,
        };
        let middle = self.graph.in_place(&[attended, stream]);
        let normed = self.layer_norm(middle, "ffn_norm", layer);
        let mut result = match &self.model.decoder.layers[layer].feed_forward {
            FeedForward::Dense(_) | FeedForward::Absent => self.dense(normed, "", layer),
            FeedForward::Experts(experts) => self.experts(experts, normed, layer),
        };
        if sandwich {
            let weight = self.layer_weight("post_ffw_norm.weight", layer);
            result = self.norm(result, weight, None);
        }
        match family {
            Family::Phi3 => self.graph.in_place(&[middle, result]),
            _ => self.graph.in_place(&[result, middle]),
        }
    }

    fn output(&mut self, stream: Id) {
        let place = self.plan.output_place();
        let weight = self.weight("output_norm.weight", place);
        let normed = self.norm(stream, weight, None);
        self.graph.tensor_mut(normed).role = Role::Output;
        let table = self.weight("output.weight", place);
        let Some(table) = table.or_else(|| self.weight("token_embd.weight", place)) else {
            return self.graph.expand(normed);
        };
        let mut logits = self.graph.product(table, normed);
        if let Some(bias) = self.weight("output.bias", place) {
            logits = self.graph.in_place(&[logits, bias]);
        }
        if self.model.decoder.logit_soft_cap {
            for _ in 0..3 {
                logits = self.graph.in_place(&[logits]);
            }
        }
        self.graph.tensor_mut(logits).role = Role::Output;
        self.graph.expand(logits);
    }

    /// Root mean square and, if there is one, a scale per channel. The first of the two is where
    /// llama.cpp keeps a block's work from slipping to its neighbour's place.
    pub(super) fn norm(&mut self, of: Id, weight: Option<Id>, layer: Option<usize>) -> Id {
        let normed = self.graph.in_place(&[of]);
        let Some(weight) = weight else { return normed };
        if let Some(layer) = layer {
            self.graph.tensor_mut(normed).pinned = self.plan.pin(self.batch.tokens, layer);
        }
        self.graph.in_place(&[normed, weight])
    }

    pub(super) fn layer_norm(&mut self, of: Id, name: &str, layer: usize) -> Id {
        let weight = self.layer_weight(&format!("{name}.weight"), layer);
        self.norm(of, weight, Some(layer))
    }

    /// A product with a block's weight; the operand itself if the file lacks it.
    pub(super) fn projected(&mut self, of: Id, name: &str, layer: usize) -> Id {
        let Some(weight) = self.layer_weight(&format!("{name}.weight"), layer) else { return of };
        let projected = self.graph.product(weight, of);
        match self.layer_weight(&format!("{name}.bias"), layer) {
            Some(bias) => self.graph.in_place(&[projected, bias]),
            None => projected,
        }
    }

    pub(super) fn has(&self, name: &str, layer: usize) -> bool {
        self.model.tensors.contains_key(&format!("blk.{layer}.{name}"))
    }

    pub(super) fn layer_weight(&mut self, name: &str, layer: usize) -> Option<Id> {
        self.weight(&format!("blk.{layer}.{name}"), self.plan.place(layer))
    }

    /// A tensor of the model in that place.
    pub(super) fn weight(&mut self, name: &str, place: Place) -> Option<Id> {
        let stored = self.model.tensors.get(name)?;
        let key = (name.to_owned(), place);
        if let Some(known) = self.weights.get(&key) {
            return Some(*known);
        }
        let id = self.graph.existing(stored.dtype, stored.extents, Owner::Weights(place));
        self.weights.insert(key, id);
        Some(id)
    }

    /// Rotary positions.
    pub(super) fn rotated(&mut self, of: Id, positions: Id, layer: usize) -> Id {
        let factors = match self.model.family {
            Family::Llama => self.weight("rope_freqs.weight", self.plan.place(layer)),
            Family::Phi3 => self.weight(self.plan.phi_factors(self.model), self.plan.place(layer)),
            _ => None,
        };
        let sources = [Some(of), Some(positions), factors];
        let sources: Vec<Id> = sources.into_iter().flatten().collect();
        self.graph.alike(Operation::Rotary, &sources)
    }
}
