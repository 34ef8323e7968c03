//! A model at work on a batch: operators in execution order, joined by values.
//!
//! Parameters, arithmetic, cache and memory all follow from this graph; there is no closed formula
//! per family. Each family has a file under `graph/` that puts its graph together.

mod builder;
mod convolutional;
mod decoder;
mod delta_rule;
mod dit;
mod encoder;
mod flux;
mod image;
mod image_transformer;
mod joint;
mod latent;
mod mixture;
mod modern_encoder;
mod modulated;
mod short_convolution;
mod speech;
mod state_space;
mod text_to_text;
mod turning;
mod unet;
mod vae;
mod window_transformer;

use nearside_units::{Bytes, Flops};

use crate::{ClassicAttention, Dtype, Operator, Parameter};

pub use builder::Builder;

/// How much a forward pass works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Sequences or images side by side.
    pub batch: u64,
    /// New tokens per sequence.
    pub tokens: u64,
    /// Tokens per sequence that are in the cache already.
    pub past: u64,
    /// New tokens per sequence that get logits: all in training, the last one when generating.
    pub scored: u64,
    /// Side of an image in pixels; `None` is what the model was made for.
    pub image: Option<u64>,
    /// New tokens per sequence that an encoder-decoder writes; `None` is as many as it reads.
    pub written: Option<u64>,
}

impl Shape {
    /// A training pass: every token is new and scored.
    #[must_use]
    pub const fn training(batch: u64, sequence: u64) -> Self {
        Self { batch, tokens: sequence, past: 0, scored: sequence, image: None, written: None }
    }

    /// Reading a prompt: the last token is scored.
    #[must_use]
    pub const fn prompt(batch: u64, tokens: u64) -> Self {
        Self { batch, tokens, past: 0, scored: 1, image: None, written: None }
    }

    /// Writing one token after `past` others.
    #[must_use]
    pub const fn next_token(batch: u64, past: u64) -> Self {
        Self { batch, tokens: 1, past, scored: 1, image: None, written: None }
    }

    /// A batch of images.
    #[must_use]
    pub const fn images(batch: u64, image: Option<u64>) -> Self {
        Self { batch, tokens: 1, past: 0, scored: 1, image, written: None }
    }

    /// Reading so many tokens and writing so many others.
    #[must_use]
    pub const fn reading(batch: u64, tokens: u64, written: u64) -> Self {
        Self { written: Some(written), ..Self::prompt(batch, tokens) }
    }

    /// New tokens of the whole batch.
    #[must_use]
    pub const fn rows(&self) -> u64 {
        self.batch * self.tokens
    }
}

/// A value that flows between operators: so many rows of so many elements. Rows are tokens (times
/// experts per token inside a mixture) or places of an image, of the whole batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value {
    /// Rows.
    pub rows: u64,
    /// Elements per row.
    pub width: u64,
}

impl Value {
    /// All its elements.
    #[must_use]
    pub const fn elements(&self) -> u64 {
        self.rows * self.width
    }
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
    /// Into which values.
    pub outputs: Vec<ValueId>,
    /// In which block; the embedding, the last norm and the output layer are in none.
    pub layer: Option<usize>,
    /// The node whose parameters it uses once more, if it has none of its own.
    pub shared: Option<usize>,
}

/// A value that a caller's variable keeps until that node is about to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// The value.
    pub value: ValueId,
    /// Index of the node before which it is let go.
    pub until: usize,
    /// The block that lets it go.
    pub layer: Option<usize>,
}

/// What a model is trained to lessen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Cross entropy of the next token, at every scored token.
    NextToken,
    /// Cross entropy of a class, per row of the output.
    Class,
    /// Mean of squares.
    MeanSquare,
    /// Cross entropy of a label per row of the output, in the type of the scores.
    Label,
}

/// A model at work on a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Graph {
    /// The values, in the order they come to be; the first stands for the input.
    pub values: Vec<Value>,
    /// The operators, in execution order.
    pub nodes: Vec<Node>,
    /// What callers hold, in the order in which it is let go.
    pub held: Vec<Held>,
    /// What it is trained for; the last value is what the loss looks at.
    pub loss: Loss,
    /// Sequences or images side by side.
    pub batch: u64,
}

impl Graph {
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
        let mut copies = 1;
        let mut used = |node: &Node| match &node.operator {
            Operator::Route { active, .. } => {
                copies = *active;
                node.elements()
            }
            Operator::ExpertLinear { count, .. } => node.elements() / count * copies,
            Operator::Embedding { width, .. }
            | Operator::PositionTable { width, .. }
            | Operator::Lookup { width, .. } => *width,
            _ => node.elements(),
        };
        self.nodes.iter().map(&mut used).sum()
    }

    /// The first value that a node makes.
    #[must_use]
    pub fn output(&self, node: &Node) -> Value {
        node.outputs.first().map_or(Value { rows: 0, width: 0 }, |output| self.values[output.0])
    }

    /// Arithmetic of one node's forward pass.
    #[must_use]
    pub fn flops(&self, node: &Node) -> Flops {
        let Value { rows, width } = self.output(node);
        node.operator.flops(rows, width)
    }

    /// The same beside parameters that are loaded and idle, each of so many elements.
    #[must_use]
    pub fn beside(mut self, idle: Vec<u64>) -> Self {
        let operator = Operator::Idle(idle);
        let (inputs, outputs) = (Vec::new(), Vec::new());
        self.nodes.push(Node { operator, inputs, outputs, layer: None, shared: None });
        self
    }

    /// Elements that the key-value cache keeps for the whole batch when each sequence has `context`
    /// tokens.
    #[must_use]
    pub fn cached_elements(&self, context: u64) -> u64 {
        let per_layer = self.nodes.iter().map(|node| match &node.operator {
            Operator::Attention(shape) => {
                shape.cached_tokens(context) * shape.cached * shape.sequences
            }
            Operator::ClassicAttention(ClassicAttention { shape, cross, .. }) => {
                let tokens = if *cross { shape.keys } else { context };
                tokens * shape.cached * shape.sequences
            }
            _ => 0,
        });
        per_layer.sum()
    }

    /// What layers with a state keep of earlier tokens for the whole batch, however many there were,
    /// in a model whose activations have that type.
    #[must_use]
    pub fn state_bytes(&self, dtype: Dtype) -> Bytes {
        let per_layer = self.nodes.iter().map(|node| match &node.operator {
            Operator::CausalConvolution(convolution) => dtype.bytes(convolution.kept()),
            Operator::StateScan(scan) => Dtype::F32.bytes(scan.kept()),
            Operator::DeltaScan(scan) => Dtype::F32.bytes(scan.kept()),
            _ => Bytes::ZERO,
        });
        per_layer.sum()
    }
}

impl Node {
    /// The parameters it owns.
    #[must_use]
    pub fn parameters(&self) -> Vec<Parameter> {
        match self.shared {
            Some(_) => Vec::new(),
            None => self.operator.parameters(),
        }
    }

    fn elements(&self) -> u64 {
        self.parameters().iter().map(|parameter| parameter.elements).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Activation, Decoder, Dense, Dropout, FeedForward, GroupedAttention, LatentAttention, Layer,
        Mixer, Norm, NormPlacement, Packing, Positions, Rotation, Scales, Turning,
    };

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
            activation: Activation::Silu,
            scaled_embeddings: false,
            scales: Scales::default(),
            dropout: Dropout::default(),
            layers,
            dtype: None,
            attached: Vec::new(),
        }
    }

    fn layer(attention: Mixer) -> Layer {
        let dense = Dense { intermediate: 128, gated: true, packed: false, bias: false };
        let feed_forward = FeedForward::Dense(dense);
        Layer { mixer: attention, feed_forward, norms: NormPlacement::Before }
    }

    fn grouped(key_value_heads: u64, window: Option<u64>) -> Mixer {
        Mixer::Grouped(GroupedAttention {
            heads: 8,
            key_value_heads,
            head_dim: 8,
            window,
            input_bias: false,
            output_bias: false,
            query_key_norm: None,
            soft_cap: false,
            packing: Packing::Apart,
            rotary_dim: 8,
            turning: Turning::Each,
            wide_softmax: true,
            sinks: false,
            gated: false,
        })
    }

    fn cached(layers: Vec<Layer>, batch: u64, context: u64) -> u64 {
        Graph::of(&decoder(layers), Shape::prompt(batch, 1)).cached_elements(context)
    }

    #[test]
    fn grouped_attention_caches_keys_and_values_of_its_heads() {
        // Llama-3.1-8B: 32 layers x 2 x 8 heads x 128 = 65,536 per token.
        let attention = Mixer::Grouped(GroupedAttention {
            heads: 32,
            key_value_heads: 8,
            head_dim: 128,
            window: None,
            input_bias: false,
            output_bias: false,
            query_key_norm: None,
            soft_cap: false,
            packing: Packing::Apart,
            rotary_dim: 8,
            turning: Turning::Each,
            wide_softmax: true,
            sinks: false,
            gated: false,
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
        let attention = Mixer::Latent(LatentAttention {
            heads: 128,
            query_rank: Some(1536),
            key_value_rank: 512,
            rotary_dim: 64,
            plain_dim: 128,
            value_dim: 128,
            rotation: Rotation::Interleaved,
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
