//! A model at work on a batch of tokens: operators in execution order, joined by values.
//!
//! Parameters, arithmetic, cache and memory all follow from this graph; there is no closed formula
//! per family. [`Graph::of`] builds it from a [`Decoder`] for one [`Shape`].

use nearside_units::Flops;

use crate::{
    Attention, AttentionShape, Decoder, Dense, Experts, FeedForward, GroupedAttention,
    LatentAttention, Layer, Linear, NormPlacement, Operator, Parameter, Positions, Projection,
    QueryKeyNorm,
};

/// How much a forward pass works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Sequences side by side.
    pub batch: u64,
    /// New tokens per sequence.
    pub tokens: u64,
    /// Tokens per sequence that are in the cache already.
    pub past: u64,
    /// New tokens per sequence that get logits: all in training, the last one when generating.
    pub scored: u64,
}

impl Shape {
    /// A training pass: every token is new and scored.
    #[must_use]
    pub const fn training(batch: u64, sequence: u64) -> Self {
        Self { batch, tokens: sequence, past: 0, scored: sequence }
    }

    /// Reading a prompt: the last token is scored.
    #[must_use]
    pub const fn prompt(batch: u64, tokens: u64) -> Self {
        Self { batch, tokens, past: 0, scored: 1 }
    }

    /// Writing one token after `past` others.
    #[must_use]
    pub const fn next_token(batch: u64, past: u64) -> Self {
        Self { batch, tokens: 1, past, scored: 1 }
    }

    /// New tokens of the whole batch.
    #[must_use]
    pub const fn rows(&self) -> u64 {
        self.batch * self.tokens
    }
}

/// A value that flows between operators: so many rows of so many elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value {
    /// Rows: tokens, times experts per token inside a mixture.
    pub rows: u64,
    /// Elements per row.
    pub width: u64,
}

/// Names a value of a graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ValueId(pub usize);

/// An operator in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// What it computes.
    pub operator: Operator,
    /// From which values.
    pub inputs: Vec<ValueId>,
    /// Into which value.
    pub output: ValueId,
    /// In which block; the embedding, the last norm and the output layer are in none.
    pub layer: Option<usize>,
}

/// A model at work on a batch of tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Graph {
    /// What it works on.
    pub shape: Shape,
    /// The values, in the order they come to be; the first stands for the token numbers.
    pub values: Vec<Value>,
    /// The operators, in execution order.
    pub nodes: Vec<Node>,
}

impl Graph {
    /// A decoder at work.
    #[must_use]
    pub fn of(decoder: &Decoder, shape: Shape) -> Self {
        let mut builder = Builder::new(shape);
        let table = Operator::Embedding { rows: decoder.vocabulary, width: decoder.hidden };
        let mut stream = builder.push(table, &[ValueId(0)], shape.rows(), decoder.hidden);
        if let Positions::Learned(rows) = decoder.positions {
            let table = Operator::PositionTable { rows, width: decoder.hidden };
            stream = builder.push(table, &[stream], shape.rows(), decoder.hidden);
        }
        for (index, layer) in decoder.layers.iter().enumerate() {
            builder.layer = Some(index);
            stream = builder.block(decoder, layer, stream);
        }
        builder.layer = None;
        builder.output(decoder, stream);
        Self { shape, values: builder.values, nodes: builder.nodes }
    }

    /// Every parameter with the node that owns it.
    pub fn parameters(&self) -> impl Iterator<Item = (&Node, Parameter)> {
        let of = |node| Node::parameters(node).into_iter().map(move |parameter| (node, parameter));
        self.nodes.iter().flat_map(of)
    }

    /// How many parameters there are.
    #[must_use]
    pub fn parameter_count(&self) -> u64 {
        self.parameters().map(|(_, parameter)| parameter.elements).sum()
    }

    /// How many parameters one token uses.
    #[must_use]
    pub fn active_parameter_count(&self) -> u64 {
        let all = self.nodes.iter().map(|node| match &node.operator {
            Operator::ExpertLinear { count, .. } => {
                let copies = self.values[node.output.0].rows / self.shape.rows().max(1);
                node.elements() / count * copies
            }
            Operator::Embedding { width, .. } | Operator::PositionTable { width, .. } => *width,
            _ => node.elements(),
        });
        all.sum()
    }

    /// Arithmetic of one node's forward pass.
    #[must_use]
    pub fn flops(&self, node: &Node) -> Flops {
        match &node.operator {
            Operator::Attention(attention) => {
                let pairs = attention.pairs(self.shape.tokens, self.shape.past) as f64
                    * (self.shape.batch * attention.heads) as f64;
                let widths = (attention.key_dim + attention.value_dim) as f64;
                Flops::from_flops(2.0 * pairs * widths).unwrap_or(Flops::ZERO)
            }
            operator => {
                let Value { rows, width } = self.values[node.output.0];
                operator.flops(rows, width)
            }
        }
    }

    /// Elements that the key-value cache keeps for the whole batch when each sequence has `context`
    /// tokens.
    #[must_use]
    pub fn cached_elements(&self, context: u64) -> u64 {
        let per_layer = self.nodes.iter().map(|node| match &node.operator {
            Operator::Attention(shape) => shape.cached_tokens(context) * shape.cached,
            _ => 0,
        });
        per_layer.sum::<u64>() * self.shape.batch
    }
}

impl Node {
    /// The parameters it owns.
    #[must_use]
    pub fn parameters(&self) -> Vec<Parameter> {
        self.operator.parameters()
    }

    fn elements(&self) -> u64 {
        self.parameters().iter().map(|parameter| parameter.elements).sum()
    }
}

/// Puts a graph together in execution order.
struct Builder {
    shape: Shape,
    values: Vec<Value>,
    nodes: Vec<Node>,
    layer: Option<usize>,
}

impl Builder {
    fn new(shape: Shape) -> Self {
        let tokens = Value { rows: shape.rows(), width: 1 };
        Self { shape, values: vec![tokens], nodes: Vec::new(), layer: None }
    }

    fn push(&mut self, operator: Operator, inputs: &[ValueId], rows: u64, width: u64) -> ValueId {
        let output = ValueId(self.values.len());
        self.values.push(Value { rows, width });
        self.nodes.push(Node { operator, inputs: inputs.to_vec(), output, layer: self.layer });
        output
    }

    /// An operator that keeps the shape of its first input.
    fn same(&mut self, operator: Operator, inputs: &[ValueId]) -> ValueId {
        let Value { rows, width } = self.values[inputs[0].0];
        self.push(operator, inputs, rows, width)
    }

    fn linear(&mut self, input: ValueId, output: u64, bias: bool, role: Projection) -> ValueId {
        let Value { rows, width } = self.values[input.0];
        let linear = Linear { input: width, output, bias, role };
        self.push(Operator::Linear(linear), &[input], rows, output)
    }

    fn norm(&mut self, decoder: &Decoder, input: ValueId) -> ValueId {
        self.same(Operator::Norm { kind: decoder.norm, width: decoder.hidden }, &[input])
    }

    fn block(&mut self, decoder: &Decoder, layer: &Layer, stream: ValueId) -> ValueId {
        let stream = self.branch(decoder, layer, stream, |builder, input| match &layer.attention {
            Attention::Grouped(attention) => builder.grouped(decoder, attention, input),
            Attention::Latent(attention) => builder.latent(decoder, attention, input),
        });
        self.branch(decoder, layer, stream, |builder, input| match &layer.feed_forward {
            FeedForward::Dense(dense) => builder.dense(decoder, dense, input),
            FeedForward::Experts(experts) => builder.experts(decoder, experts, input),
        })
    }

    /// A residual branch with its norms around `inside`.
    fn branch(
        &mut self,
        decoder: &Decoder,
        layer: &Layer,
        stream: ValueId,
        inside: impl FnOnce(&mut Self, ValueId) -> ValueId,
    ) -> ValueId {
        let before = layer.norms != NormPlacement::After;
        let after = layer.norms != NormPlacement::Before;
        let input = if before { self.norm(decoder, stream) } else { stream };
        let mut output = inside(self, input);
        if after {
            output = self.norm(decoder, output);
        }
        self.same(Operator::Add, &[stream, output])
    }

    fn grouped(
        &mut self,
        decoder: &Decoder,
        attention: &GroupedAttention,
        input: ValueId,
    ) -> ValueId {
        let GroupedAttention { heads, key_value_heads, head_dim, input_bias, .. } = *attention;
        let mut query = self.linear(input, heads * head_dim, input_bias, Projection::Query);
        let mut key = self.linear(input, key_value_heads * head_dim, input_bias, Projection::Key);
        let value = self.linear(input, key_value_heads * head_dim, input_bias, Projection::Value);
        if let Some(norm) = attention.query_key_norm {
            query = self.query_key_norm(decoder, norm, head_dim, query);
            key = self.query_key_norm(decoder, norm, head_dim, key);
        }
        if decoder.positions == Positions::Rotary {
            query = self.same(Operator::Rotary, &[query]);
            key = self.same(Operator::Rotary, &[key]);
        }
        let shape = AttentionShape {
            heads,
            key_value_heads,
            key_dim: head_dim,
            value_dim: head_dim,
            window: attention.window,
            soft_cap: attention.soft_cap,
            cached: 2 * key_value_heads * head_dim,
        };
        let mixed = self.attend(shape, [query, key, value]);
        self.linear(mixed, decoder.hidden, attention.output_bias, Projection::AttentionOutput)
    }

    fn query_key_norm(
        &mut self,
        decoder: &Decoder,
        norm: QueryKeyNorm,
        head_dim: u64,
        input: ValueId,
    ) -> ValueId {
        let width = match norm {
            QueryKeyNorm::Head => head_dim,
            QueryKeyNorm::Projection => self.values[input.0].width,
        };
        self.same(Operator::Norm { kind: decoder.norm, width }, &[input])
    }

    fn attend(&mut self, shape: AttentionShape, inputs: [ValueId; 3]) -> ValueId {
        let width = shape.heads * shape.value_dim;
        self.push(Operator::Attention(shape), &inputs, self.shape.rows(), width)
    }

    /// Multi-head latent attention (DeepSeek-V2, arXiv 2405.04434, section 2.1): the cache holds the
    /// latent vector and the shared rotary key.
    fn latent(
        &mut self,
        decoder: &Decoder,
        attention: &LatentAttention,
        input: ValueId,
    ) -> ValueId {
        let LatentAttention { heads, key_value_rank, rotary_dim, plain_dim, value_dim, .. } =
            *attention;
        let key_dim = plain_dim + rotary_dim;
        let query_input = match attention.query_rank {
            Some(rank) => {
                let down = self.linear(input, rank, false, Projection::Latent);
                self.same(Operator::Norm { kind: decoder.norm, width: rank }, &[down])
            }
            None => input,
        };
        let query = self.linear(query_input, heads * key_dim, false, Projection::Query);
        let query = self.same(Operator::Rotary, &[query]);
        let down = self.linear(input, key_value_rank + rotary_dim, false, Projection::Latent);
        let rows = self.shape.rows();
        let norm = Operator::Norm { kind: decoder.norm, width: key_value_rank };
        let latent = self.push(norm, &[down], rows, key_value_rank);
        let rotary = self.push(Operator::Rotary, &[down], rows, rotary_dim);
        let rebuilt = heads * (plain_dim + value_dim);
        let key_value = self.linear(latent, rebuilt, false, Projection::Key);
        let shape = AttentionShape {
            heads,
            key_value_heads: heads,
            key_dim,
            value_dim,
            window: None,
            soft_cap: false,
            cached: key_value_rank + rotary_dim,
        };
        let mixed = self.attend(shape, [query, key_value, rotary]);
        self.linear(mixed, decoder.hidden, false, Projection::AttentionOutput)
    }

    fn dense(&mut self, decoder: &Decoder, dense: &Dense, input: ValueId) -> ValueId {
        let Dense { intermediate, gated, bias } = *dense;
        let gate = gated.then(|| self.linear(input, intermediate, bias, Projection::Gate));
        let inside = match gate {
            Some(gate) => {
                let gate = self.same(Operator::Activation, &[gate]);
                let up = self.linear(input, intermediate, bias, Projection::Up);
                self.same(Operator::Multiply, &[gate, up])
            }
            None => {
                let up = self.linear(input, intermediate, bias, Projection::Up);
                self.same(Operator::Activation, &[up])
            }
        };
        self.linear(inside, decoder.hidden, bias, Projection::Down)
    }

    fn experts(&mut self, decoder: &Decoder, experts: &Experts, input: ValueId) -> ValueId {
        let Experts { count, active, router_bias, .. } = *experts;
        let scores = self.linear(input, count, false, Projection::Router);
        let route = Operator::Route { count, active, bias: router_bias };
        let rows = self.shape.rows();
        let chosen = self.push(route, &[scores], rows, active);
        let copies = self.push(Operator::Dispatch, &[input, chosen], rows * active, decoder.hidden);
        let Dense { intermediate, gated, bias } = experts.expert;
        let inside = match gated {
            true => {
                let gate = self.expert(count, copies, (intermediate, bias, Projection::Gate));
                let gate = self.same(Operator::Activation, &[gate]);
                let up = self.expert(count, copies, (intermediate, bias, Projection::Up));
                self.same(Operator::Multiply, &[gate, up])
            }
            false => {
                let up = self.expert(count, copies, (intermediate, bias, Projection::Up));
                self.same(Operator::Activation, &[up])
            }
        };
        let outputs = self.expert(count, inside, (decoder.hidden, bias, Projection::Down));
        let combined = self.push(Operator::Combine, &[outputs, chosen], rows, decoder.hidden);
        match &experts.shared {
            Some(shared) => {
                let shared = self.dense(decoder, shared, input);
                self.same(Operator::Add, &[combined, shared])
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
        let Value { rows, width } = self.values[input.0];
        let linear = Linear { input: width, output, bias, role };
        self.push(Operator::ExpertLinear { count, linear }, &[input], rows, output)
    }

    fn output(&mut self, decoder: &Decoder, stream: ValueId) {
        let normed = self.norm(decoder, stream);
        let role = match decoder.tied_embeddings {
            true => Projection::TiedOutput,
            false => Projection::Output,
        };
        let rows = self.shape.batch * self.shape.scored;
        let linear = Linear {
            input: decoder.hidden,
            output: decoder.vocabulary,
            bias: decoder.output_bias,
            role,
        };
        let logits = self.push(Operator::Linear(linear), &[normed], rows, decoder.vocabulary);
        if decoder.logit_soft_cap {
            self.same(Operator::SoftCap, &[logits]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Norm;

    fn decoder(layers: Vec<Layer>) -> Decoder {
        Decoder {
            hidden: 64,
            vocabulary: 100,
            context: None,
            positions: Positions::Rotary,
            tied_embeddings: true,
            output_bias: false,
            logit_soft_cap: false,
            norm: Norm::Rms,
            layers,
            dtype: None,
            attached: Vec::new(),
        }
    }

    fn layer(attention: Attention) -> Layer {
        let dense = Dense { intermediate: 128, gated: true, bias: false };
        let feed_forward = FeedForward::Dense(dense);
        Layer { attention, feed_forward, norms: NormPlacement::Before }
    }

    fn grouped(key_value_heads: u64, window: Option<u64>) -> Attention {
        Attention::Grouped(GroupedAttention {
            heads: 8,
            key_value_heads,
            head_dim: 8,
            window,
            input_bias: false,
            output_bias: false,
            query_key_norm: None,
            soft_cap: false,
        })
    }

    fn cached(layers: Vec<Layer>, batch: u64, context: u64) -> u64 {
        Graph::of(&decoder(layers), Shape::prompt(batch, 1)).cached_elements(context)
    }

    #[test]
    fn grouped_attention_caches_keys_and_values_of_its_heads() {
        // Llama-3.1-8B: 32 layers x 2 x 8 heads x 128 = 65,536 per token.
        let attention = Attention::Grouped(GroupedAttention {
            heads: 32,
            key_value_heads: 8,
            head_dim: 128,
            window: None,
            input_bias: false,
            output_bias: false,
            query_key_norm: None,
            soft_cap: false,
        });
        assert_eq!(cached(vec![layer(attention); 32], 1, 1000), 65_536_000);
        // Multi-query attention: one head.
        assert_eq!(cached(vec![layer(grouped(1, None))], 3, 10), 3 * 10 * 2 * 8);
    }

    #[test]
    fn a_window_caps_the_cache_of_its_layers_only() {
        let layers = vec![layer(grouped(2, Some(16))), layer(grouped(2, None))];
        let per_token = 2 * 2 * 8;
        assert_eq!(cached(layers.clone(), 1, 10), 2 * 10 * per_token);
        assert_eq!(cached(layers, 1, 100), (16 + 100) * per_token);
    }

    #[test]
    fn latent_attention_caches_one_vector_and_one_rotary_key() {
        // DeepSeek-V3: 61 layers x (512 + 64) = 35,136 per token.
        let attention = Attention::Latent(LatentAttention {
            heads: 128,
            query_rank: Some(1536),
            key_value_rank: 512,
            rotary_dim: 64,
            plain_dim: 128,
            value_dim: 128,
        });
        assert_eq!(cached(vec![layer(attention); 61], 1, 100), 35_136 * 100);
    }

    #[test]
    fn parameters_follow_from_the_operators() {
        let graph = Graph::of(&decoder(vec![layer(grouped(2, None))]), Shape::prompt(1, 1));
        let attention = 64 * 64 + 2 * 64 * 16 + 64 * 64;
        let feed_forward = 3 * 64 * 128;
        let norms = 3 * 64;
        assert_eq!(graph.parameter_count(), 100 * 64 + attention + feed_forward + norms);
    }

    #[test]
    fn arithmetic_of_a_layer_is_two_operations_per_weight_and_token() {
        let decoder = decoder(vec![layer(grouped(2, None))]);
        let graph = Graph::of(&decoder, Shape::training(1, 10));
        let products: f64 = graph
            .nodes
            .iter()
            .filter(|node| matches!(node.operator, Operator::Linear(_)))
            .map(|node| graph.flops(node).as_flops())
            .sum();
        let weights = 64 * 64 * 2 + 2 * 64 * 16 + 3 * 64 * 128 + 64 * 100;
        assert!((products - (2 * 10 * weights) as f64).abs() < 1.0);
    }
}
