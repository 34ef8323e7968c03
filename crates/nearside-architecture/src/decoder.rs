//! Decoder-only transformers: what a `config.json`, a GGUF or a safetensors header says about one.
//!
//! Dense and mixture-of-experts, grouped-query and latent attention, sliding windows on all or some
//! layers, tied embeddings, sandwich norms. A family that does not fit these words is not forced
//! into them: see [`crate::Architecture::Other`].

use crate::{Activation, Dtype};

/// A decoder-only transformer. Sizes are in elements.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoder {
    /// Width of the residual stream.
    pub hidden: u64,
    /// Rows of the embedding table.
    pub vocabulary: u64,
    /// The longest sequence it was made for, in tokens.
    pub context: Option<u64>,
    /// How positions enter.
    pub positions: Positions,
    /// Whether the output layer shares the embedding table.
    pub tied_embeddings: bool,
    /// Whether the output layer has a bias.
    pub output_bias: bool,
    /// Whether logits pass through `cap * tanh(logits / cap)`.
    pub logit_soft_cap: bool,
    /// The norm before the output layer; layers use the same kind.
    pub norm: Norm,
    /// The nonlinearity of feed-forward networks.
    pub activation: Activation,
    /// Whether embeddings are multiplied by the root of their width.
    pub scaled_embeddings: bool,
    /// What else is multiplied by a number.
    pub scales: Scales,
    /// Where elements are dropped in training.
    pub dropout: Dropout,
    /// The layers, first to last.
    pub layers: Vec<Layer>,
    /// The type its weights are published in.
    pub dtype: Option<Dtype>,
    /// Parameters of parts that are not in the graph yet, such as a vision tower.
    pub attached: Vec<Attached>,
}

impl Decoder {
    /// Whether some of its layers keep a state that every token updates, which libraries compute with
    /// kernels of their own where those are installed.
    #[must_use]
    pub fn scans_states(&self) -> bool {
        let scans =
            |layer: &Layer| matches!(layer.mixer, Mixer::StateSpace(_) | Mixer::DeltaRule(_));
        self.layers.iter().any(scans)
    }
}

/// A part of a model that is counted but not estimated yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attached {
    /// What it is, as in `vision tower`.
    pub name: String,
    /// How many parameters it has.
    pub parameters: u64,
}

/// What a decoder multiplies by a number of its configuration, even if that is one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Scales {
    /// What is added to the residual stream (Granite).
    pub branches: bool,
    /// The scores of words (Granite, Cohere).
    pub logits: bool,
    /// Queries, before they are cut into heads (OPT).
    pub queries: bool,
}

/// How positions enter the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Positions {
    /// Rotary embedding of queries and keys; no parameters.
    Rotary,
    /// The same, with tables for each sequence (Qwen 3.5).
    RotaryBySequence,
    /// The same, with a table of its own for layers that see only a window (Gemma 3).
    RotaryBySight,
    /// The same, with one table that stays in 32 bits (OLMo 2).
    RotaryWide,
    /// The same, with a table of half the width that each half of a head is rotated by (gpt-oss).
    RotaryHalves,
    /// Rotary embedding of layers that see only a window; the others know no positions (Cohere 2).
    RotaryNear,
    /// A learned table with that many rows.
    Learned(u64),
    /// The same, looked up for every token of every sequence (OPT).
    LearnedByToken(u64),
    /// None: order enters through states alone (Granite 4).
    Absent,
}

/// How a part of every head is rotated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Turning {
    /// Queries, then keys, each in one expression; all of a head, or its first part (Phi 3).
    Each,
    /// Parts of queries and keys are cut first, by a function (GPT-NeoX).
    Parts,
    /// The same by the attention itself, whose variables keep the parts (Phi, StableLM).
    KeptParts,
    /// By turns instead of by halves, with tables of each layer (GLM).
    Turns,
    /// In 32 bits (Cohere).
    Wide,
}

/// The kind of a normalisation layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Norm {
    /// Root mean square, a scale per channel.
    Rms,
    /// The same, scaled in 32 bits before it is narrowed again (`torch.nn.RMSNorm`).
    MixedRms,
    /// Layer norm, a scale and a bias per channel.
    Layer,
    /// Layer norm in 32 bits, step by step, with a scale per channel and no bias (Cohere).
    WideLayer,
    /// Layer norm with a scale per channel and no bias.
    LayerScale,
    /// Layer norm without parameters.
    Plain,
    /// The same in 32 bits (OLMo).
    PlainWide,
    /// So many groups of channels of one image, a scale and a bias per channel.
    Group(u64),
    /// Each channel over the batch, a scale and a bias per channel.
    Batch,
    /// Root mean square whose product does not widen its input, a scale per channel (T5).
    NarrowRms,
    /// Root mean square, scaled in 32 bits by one plus a number per channel (Gemma).
    RmsOffset,
    /// Root mean square, scaled in 32 bits (OLMo 2, gpt-oss).
    RmsWide,
}

/// Where a decoder sets some elements to zero in training.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Dropout {
    /// On embeddings.
    pub embeddings: bool,
    /// On attention weights.
    pub attention: bool,
    /// On what is added to the residual stream.
    pub residual: bool,
}

/// One block: a mixer of tokens, then feed-forward, each behind its norm; or one of them alone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Layer {
    /// How tokens look at each other.
    pub mixer: Mixer,
    /// What happens to each token.
    pub feed_forward: FeedForward,
    /// Where the norms stand.
    pub norms: NormPlacement,
}

/// Where the norms of a block stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NormPlacement {
    /// Before attention and before feed-forward (Llama).
    Before,
    /// The same; a block's variables keep the first normed stream and what was added (StableLM).
    BeforeKept,
    /// After attention and after feed-forward (OLMo 2).
    After,
    /// Before and after both (Gemma 2 and 3).
    Sandwich,
    /// One before both, which stand side by side (Phi, Cohere).
    Shared,
    /// One before each of both, which stand side by side (GPT-NeoX).
    Apart,
}

/// How tokens look at each other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mixer {
    /// Multi-head, grouped-query or multi-query attention.
    Grouped(GroupedAttention),
    /// Multi-head latent attention (DeepSeek V2 and V3).
    Latent(LatentAttention),
    /// A state of fixed size that every token updates and reads.
    StateSpace(StateSpace),
    /// The same, where every token corrects what the state already predicts.
    DeltaRule(DeltaRule),
    /// A short convolution between two gates, which keeps a few tokens.
    ShortConvolution(ShortConvolution),
    /// None: the block is a feed-forward network alone (Nemotron-H).
    Absent,
}

/// Multi-head (`key_value_heads == heads`), grouped-query or multi-query (`1`) attention.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GroupedAttention {
    /// Query heads.
    pub heads: u64,
    /// Key and value heads.
    pub key_value_heads: u64,
    /// Width of one head.
    pub head_dim: u64,
    /// Tokens back that a token sees, itself included; `None` sees all.
    pub window: Option<u64>,
    /// Whether the query, key and value projections have biases.
    pub input_bias: bool,
    /// Whether the output projection has a bias.
    pub output_bias: bool,
    /// A norm on queries and keys.
    pub query_key_norm: Option<QueryKeyNorm>,
    /// Whether scores pass through a soft cap, which rules out fused kernels in some engines.
    pub soft_cap: bool,
    /// Whether queries, keys and values come out of one product.
    pub packing: Packing,
    /// Elements of a head that are rotated; the others pass.
    pub rotary_dim: u64,
    /// How heads are rotated.
    pub turning: Turning,
    /// Whether softmax over scores in memory is taken in 32 bits.
    pub wide_softmax: bool,
    /// Whether each head has a learned score that takes part in the softmax and is then left out.
    pub sinks: bool,
    /// Whether what heads return is gated by a second part of the query projection (Qwen3-Next).
    pub gated: bool,
}

/// Whether queries, keys and values come out of one product.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Packing {
    /// Three products.
    Apart,
    /// One product, cut by three slices (Phi 3).
    Sliced,
    /// One product, split into thirds (GPT-2).
    Split,
    /// One product, each head's part of it split into thirds (GPT-NeoX).
    ByHead,
}

/// What a norm on queries and keys spans.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum QueryKeyNorm {
    /// Each head by itself: `head_dim` scales (Qwen 3, Gemma 3).
    Head,
    /// The whole projection: `heads * head_dim` scales (OLMo 2).
    Projection,
}

/// Multi-head latent attention: keys and values are rebuilt from one small vector per token.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LatentAttention {
    /// Heads.
    pub heads: u64,
    /// Rank of the query projection; `None` projects directly.
    pub query_rank: Option<u64>,
    /// Width of the latent vector that is cached.
    pub key_value_rank: u64,
    /// Width of the rotary part of a head, cached once for all heads.
    pub rotary_dim: u64,
    /// Width of the part of a head without positions.
    pub plain_dim: u64,
    /// Width of a value head.
    pub value_dim: u64,
    /// How pairs of elements are rotated.
    pub rotation: Rotation,
}

/// How a framework rotates neighbouring elements by their position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rotation {
    /// As complex numbers of 32-bit parts (DeepSeek V2).
    Complex,
    /// Even and odd elements by themselves (DeepSeek V3).
    Interleaved,
}

/// A selective state space with one decay per head and token (Mamba-2, arXiv 2405.21060, section 6),
/// behind a short convolution along the sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StateSpace {
    /// Heads.
    pub heads: u64,
    /// Channels of one head.
    pub head_dim: u64,
    /// Groups of heads that share what writes and reads their states.
    pub groups: u64,
    /// Numbers of state that each channel keeps.
    pub state: u64,
    /// Tokens that the convolution sees, its own included.
    pub window: u64,
    /// Tokens whose states are computed together.
    pub chunk: u64,
    /// Whether the convolution has biases.
    pub convolution_bias: bool,
    /// Whether the projections in and out have biases.
    pub projection_bias: bool,
}

impl StateSpace {
    /// Channels of all heads.
    #[must_use]
    pub const fn inner(&self) -> u64 {
        self.heads * self.head_dim
    }

    /// Channels that pass the convolution: those of the heads, and what writes and reads states.
    #[must_use]
    pub const fn convolved(&self) -> u64 {
        self.inner() + 2 * self.groups * self.state
    }
}

/// A gated delta rule (arXiv 2412.06464) behind a short convolution along the sequence: a matrix of
/// state per head, which every token fades and corrects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DeltaRule {
    /// Heads of queries and keys.
    pub key_heads: u64,
    /// Heads of values, each with a state; a multiple of the others.
    pub value_heads: u64,
    /// Width of a query or key.
    pub key_dim: u64,
    /// Width of a value.
    pub value_dim: u64,
    /// Tokens that the convolution sees, its own included.
    pub window: u64,
    /// Whether queries, keys, values and gates come out of one product, head by head (Qwen3-Next).
    pub packed: bool,
}

impl DeltaRule {
    /// Tokens whose corrections are computed together.
    pub const CHUNK: u64 = 64;

    /// Elements of all queries, or all keys.
    #[must_use]
    pub const fn keys(&self) -> u64 {
        self.key_heads * self.key_dim
    }

    /// Elements of all values.
    #[must_use]
    pub const fn values(&self) -> u64 {
        self.value_heads * self.value_dim
    }
}

/// A short convolution along the sequence between two gates (LFM2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ShortConvolution {
    /// Tokens that it sees, its own included.
    pub window: u64,
    /// Whether convolution and projections have biases.
    pub bias: bool,
}

/// What happens to each token.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FeedForward {
    /// The same network for every token.
    Dense(Dense),
    /// A router chooses a few of many networks.
    Experts(Experts),
    /// Nothing: the block is a mixer alone (Nemotron-H).
    Absent,
}

/// A feed-forward network: up, activation (gated or not), down.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Dense {
    /// Width inside.
    pub intermediate: u64,
    /// Whether a second projection gates the activation (SwiGLU, GeGLU).
    pub gated: bool,
    /// Whether gate and up come out of one product.
    pub packed: bool,
    /// Whether the projections have biases.
    pub bias: bool,
}

/// A mixture of experts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Experts {
    /// Experts to choose from.
    pub count: u64,
    /// Experts that each token uses.
    pub active: u64,
    /// One expert.
    pub expert: Dense,
    /// A network that every token uses besides (shared experts as one).
    pub shared: Option<Dense>,
    /// Whether the router has a bias per expert.
    pub router_bias: bool,
    /// How the gate and what it gates become one.
    pub gating: Gating,
    /// How the router's scores become weights.
    pub scoring: Scoring,
    /// Whether what every token uses besides is gated by a number per token.
    pub shared_gate: bool,
}

/// How the gate of an expert and what it gates become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gating {
    /// `activation(gate) up`.
    Plain,
    /// `gate sigmoid(1.702 gate) (up + 1)`, both clamped first, from columns by turns (gpt-oss).
    Clamped,
}

/// How a router's scores become the weights of the experts it chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scoring {
    /// Softmax in 32 bits; the best are renormalised and stay in 32 bits (Mixtral).
    Renormalised,
    /// Softmax in 32 bits; the best, renormalised, in the type of the scores (Qwen 3).
    NarrowRenormalised,
    /// Softmax in 32 bits; the best in the type of the scores (OLMoE).
    Narrow,
    /// Scores from a product in 32 bits; softmax (DeepSeek V2).
    WideSoftmax,
    /// Scores from a product in 32 bits; sigmoid, the best of the best groups (DeepSeek V3).
    WideSigmoid,
    /// The best scores; softmax over those alone (gpt-oss).
    Best,
    /// The same in 32 bits, narrowed again (Granite).
    WideBest,
}
