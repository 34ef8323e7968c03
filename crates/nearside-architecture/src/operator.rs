//! The typed operators that models are made of. Nothing here depends on a framework or a machine;
//! what each owns and costs is in `cost`.

mod attention;
mod cost;
mod recurrent;

pub use attention::{AttentionShape, Sight};
pub use recurrent::{CausalConvolution, DeltaScan, GateOrder, GatedNorm, StateScan};

use crate::{Library, Norm, Scoring};

/// One kind of computation. Sizes are in elements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operator {
    /// Looks up one row per token.
    Embedding {
        /// Rows of the table.
        rows: u64,
        /// Width of a row.
        width: u64,
    },
    /// Adds a learned row per position.
    PositionTable {
        /// Rows of the table.
        rows: u64,
        /// Width of a row.
        width: u64,
    },
    /// Sines and cosines of positions: makes two values.
    RotaryTable,
    /// Which keys each query may see.
    Mask,
    /// Which tokens of each sequence are padding.
    PaddingMask,
    /// Normalises channels.
    Norm {
        /// What is normalised together.
        kind: Norm,
        /// Channels, each with its scale.
        width: u64,
    },
    /// A matrix product with weights.
    Linear(Linear),
    /// Matrix products with the weights of the experts that each token was routed to.
    ExpertLinear {
        /// Experts to choose from.
        count: u64,
        /// One expert's projection.
        linear: Linear,
    },
    /// Chooses experts from router scores.
    Route {
        /// Experts to choose from.
        count: u64,
        /// Experts per token.
        active: u64,
        /// Whether each expert has a learned offset for the choice.
        bias: bool,
        /// How scores become weights.
        scoring: Scoring,
    },
    /// Copies each token to the experts it was routed to.
    Dispatch,
    /// Weighs and sums what the experts returned.
    Combine,
    /// A convolution over an image or a signal.
    Convolution(Convolution),
    /// Looks at a projection head by head instead of token by token.
    Heads,
    /// Rotates queries or keys by their position: value, cosines, sines.
    Rotary,
    /// Scores, softmax and weighted sum: queries, keys, values and perhaps a score of each head.
    Attention(AttentionShape),
    /// A pointwise nonlinearity.
    Activation(Activation),
    /// A pointwise product.
    Multiply,
    /// A pointwise sum: the residual stream.
    Add,
    /// `cap * tanh(x / cap)`.
    SoftCap,
    /// A product with a number.
    Scale,
    /// A product with a learned number per channel.
    LearnedScale {
        /// Channels.
        width: u64,
    },
    /// Some rows of every sequence: the last ones of a text, the first one of an image.
    Last,
    /// Sets some elements to zero, when training.
    Dropout,
    /// Values side by side along their width.
    Concatenate,
    /// Parts of a value along its width.
    Split,
    /// The same elements in another order in memory.
    Copy,
    /// The largest of neighbouring places.
    MaxPool,
    /// The mean of all places of an image.
    Mean,
    /// More or fewer places by repetition or interpolation.
    Resample,
    /// Parts of a value along its width, each cut by itself.
    Slices,
    /// The logistic function.
    Gate,
    /// Kept in a cache for later tokens.
    Cached,
    /// Parts of every head side by side.
    JoinHeads,
    /// Keys of every head, filled with their own part and one that all heads share.
    FillHeads,
    /// Rotates pairs of elements as complex numbers: value, cosines, sines.
    ComplexRotary,
    /// Rotates pairs of elements, even ones and odd ones by themselves: value, cosines, sines.
    InterleavedRotary,
    /// Rotates queries or keys in 32 bits, and leaves them so: value, cosines, sines.
    WideningRotary,
    /// The same in 32 bits.
    Widen,
    /// The first value in the type of the second one.
    Alike,
    /// Which keys are near each query.
    NearMask,
    /// The mean of all tokens of a sequence that are not padding.
    TokenMean,
    /// Rotates both halves of every head: value, cosines, sines of half a head's width.
    HalvesRotary,
    /// Sines and cosines of positions in 32 bits: makes two values.
    WideRotaryTable,
    /// Sines and cosines of positions for half a head: makes two values.
    HalfRotaryTable,
    /// A learned score per head that takes part in the softmax.
    Sinks {
        /// Heads.
        heads: u64,
    },
    /// A gate and what it gates, columns by turns, both clamped, as one product (gpt-oss).
    ClampedGate,
    /// Rotates the first elements of every head, passes the others and puts them side by side.
    PartialRotary {
        /// Width of a head.
        head: u64,
        /// How many of its elements are rotated.
        rotated: u64,
    },
    /// The numbers from 0, loaded with the weights: so many.
    Counting {
        /// How many are loaded.
        rows: u64,
    },
    /// Whole numbers that choose rows of a table, one per row.
    Indices,
    /// Looks up a row of a table for every index.
    Lookup {
        /// Rows of the table.
        rows: u64,
        /// Width of a row.
        width: u64,
    },
    /// A sum written over its first input.
    AddInPlace,
    /// Sets whole images to zero, when training.
    StochasticDepth(Library),
    /// The same elements seen in another order; the gradient is copied back.
    Transpose,
    /// A copy with zeros around every image.
    Pad,
    /// The mean of all places of an image, by a kernel that keeps what it read.
    AveragePool,
    /// Learned rows before those of every image.
    LearnedTokens {
        /// How many.
        count: u64,
        /// Width of a row.
        width: u64,
    },
    /// Adds learned rows, the same to every image.
    LearnedPositions {
        /// How many.
        rows: u64,
        /// Width of a row.
        width: u64,
    },
    /// Attention as encoders write it: weights may be dropped, scores biased.
    ClassicAttention(ClassicAttention),
    /// Looks up a row per token in the first embedding table once more.
    SharedEmbedding,
    /// Looks up rows of a table that is never trained.
    FixedTable {
        /// Rows of the table.
        rows: u64,
        /// Width of a row.
        width: u64,
    },
    /// A learned number per head and distance of a query and a key (T5), for every pair of them.
    DistanceBias(DistanceBias),
    /// A bias of scores that is zero.
    NoBias,
    /// The same numbers in the type of the weights that follow (T5).
    AsWeights,
    /// Keys or values that the cache keeps already.
    Recall,
    /// A learned number per head and distance of two places of a window, for every pair of them.
    WindowBias(WindowBias),
    /// Attention inside windows of an image: queries, keys and values side by side, and a bias.
    WindowAttention(WindowAttention),
    /// The places of every window side by side, or places of an image again: a copy whose gradient
    /// is copied back.
    Windows,
    /// The places of an image moved around its borders.
    Roll,
    /// Four neighbouring places side by side.
    MergePlaces,
    /// Channels of two halves by turns.
    Shuffle,
    /// Weighs every channel by its length over the image against the others'.
    Response {
        /// Channels.
        width: u64,
    },
    /// A function that is written in several operators returns: its variables are let go.
    Return,
    /// Attention of a value to itself with its projections, queries, keys and values in one
    /// product (`torch.nn.MultiheadAttention`).
    MultiheadAttention(AttentionShape),
    /// Sines and cosines of a number, such as the step of a diffusion, at several frequencies.
    Waves,
    /// A sum with a number.
    Shift,
    /// Some rows of every sequence.
    Slice,
    /// Adds a fixed row per position, from a table in 32 bits that is loaded with the weights.
    FixedPositions {
        /// Rows of the table.
        rows: u64,
    },
    /// Sines and cosines of positions along several axes: makes two values.
    AxisTable,
    /// Rotates pairs of neighbouring elements by their position: value, cosines, sines.
    PairRotary,
    /// A convolution along every sequence that sees no later token.
    CausalConvolution(CausalConvolution),
    /// States of all tokens: values, time steps, what writes states, what reads them.
    StateScan(StateScan),
    /// States that every token corrects: queries, keys, values, how much is corrected, how much fades.
    DeltaScan(DeltaScan),
    /// Root mean square of a value, and its gate: value, gate.
    GatedNorm(GatedNorm),
    /// Parameters that are loaded and do nothing in this pass, each of so many elements.
    Idle(Vec<u64>),
}

/// A pointwise nonlinearity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Activation {
    /// `max(0, x)`.
    Relu,
    /// The same, written over its input.
    ReluInPlace,
    /// `max(0, x)^2`, written out.
    ReluSquared,
    /// `x sigmoid(x)` (Swish).
    Silu,
    /// `x Phi(x)`.
    Gelu,
    /// GELU by its tanh approximation, in one kernel.
    GeluTanh,
    /// GELU by its tanh approximation, written out in pointwise operations (GPT-2).
    GeluWritten,
    /// `tanh(x)`.
    Tanh,
    /// `x sigmoid(1.702 x)`, written out (CLIP).
    QuickGelu,
    /// `min(max(0, x), 6)`.
    Relu6,
    /// The same, written over its input.
    Relu6InPlace,
    /// `x sigmoid(x)`, written over its input.
    SiluInPlace,
    /// `x hardsigmoid(x)`, written over its input.
    HardswishInPlace,
    /// `1 / (1 + exp(-x))`.
    Sigmoid,
    /// `min(max(0, x / 6 + 1/2), 1)`.
    Hardsigmoid,
}

/// A matrix product `[rows, input] x [input, output]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Linear {
    /// Width of what comes in.
    pub input: u64,
    /// Width of what goes out.
    pub output: u64,
    /// Whether it adds a bias.
    pub bias: bool,
    /// What it projects.
    pub role: Projection,
}

/// A convolution. Its rows are the places of its output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Convolution {
    /// Channels that come in.
    pub input: u64,
    /// Channels that go out.
    pub output: u64,
    /// Places that each output place sees: the product of the kernel's sides.
    pub window: u64,
    /// Groups of channels that do not see each other.
    pub groups: u64,
    /// Whether it adds a bias.
    pub bias: bool,
}

/// What a projection is for; adapters choose their targets by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Projection {
    /// Queries.
    Query,
    /// Keys.
    Key,
    /// Values.
    Value,
    /// Queries, keys and values in one product.
    Packed,
    /// Back from the attention heads.
    AttentionOutput,
    /// Down to or up from a latent vector (multi-head latent attention).
    Latent,
    /// Into or out of a mixer with a state.
    State,
    /// Out of one, in a family whose adapters leave that alone (peft, Nemotron-H).
    StateOutput,
    /// The gate of a feed-forward network.
    Gate,
    /// Into a feed-forward network.
    Up,
    /// Out of a feed-forward network.
    Down,
    /// Scores of experts.
    Router,
    /// Scores of experts, in 32 bits whatever the type of the model.
    WideRouter,
    /// What a time step, a class or a pooled text does to a stream.
    Modulation,
    /// To the vocabulary, with weights of its own.
    Output,
    /// To the vocabulary, with the weights of the embedding table.
    TiedOutput,
    /// From the layers to a sequence's vector or its classes.
    Pooler,
}

impl Projection {
    /// Whether it gives a score to every word of the vocabulary.
    #[must_use]
    pub const fn is_vocabulary(self) -> bool {
        matches!(self, Self::Output | Self::TiedOutput)
    }
}

/// A learned number per head and distance of two places of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowBias {
    /// Places along the side of a window.
    pub side: u64,
    /// Heads.
    pub heads: u64,
    /// How the numbers are learned.
    pub form: WindowBiasForm,
}

/// How the numbers of a [`WindowBias`] are learned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowBiasForm {
    /// As a table (Swin, arXiv 2103.14030).
    Table,
    /// By a network of so many channels that reads distances (Swin V2, arXiv 2111.09883).
    Network(u64),
}

/// Attention inside windows of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WindowAttention {
    /// Its shape; a window is a sequence.
    pub shape: AttentionShape,
    /// Windows of one image.
    pub windows: u64,
    /// Whether windows hold places that were no neighbours before they were moved.
    pub neighbours: Neighbours,
    /// How queries and keys are compared.
    pub likeness: Likeness,
}

/// Whether all places of a window are neighbours in the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Neighbours {
    /// They are.
    All,
    /// Some are not: a mask keeps them apart.
    Some,
}

/// How queries and keys are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Likeness {
    /// By their product over the root of their width.
    Product,
    /// By their angle, times a learned number per head.
    Angle,
}

/// Attention as encoders write it: queries, keys, values, and perhaps a mask of padding and a bias of
/// the scores.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassicAttention {
    /// Its shape.
    pub shape: AttentionShape,
    /// How weights are made of scores where both are in memory.
    pub softmax: Softmax,
    /// Whether some weights are set to zero, when training.
    pub dropout: bool,
    /// Whether keys and values are those of what was read, which are cached once.
    pub cross: bool,
    /// Whether each head's queries, keys and values come in one piece (Whisper).
    pub contiguous: bool,
}

/// A learned bias of scores by distance (T5, arXiv 1910.10683, section 2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DistanceBias {
    /// Ranges of distances, each with a number per head.
    pub buckets: u64,
    /// Heads.
    pub heads: u64,
    /// Whether distances forward and backward differ, or only the latter are seen.
    pub sight: Sight,
}

/// In which type a softmax works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Softmax {
    /// That of the scores.
    Own,
    /// 32 bits, and back to that of the queries.
    Wide,
}

/// A tensor of parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// How many elements it has.
    pub elements: u64,
    /// Whether it is a matrix; biases and norm scales are kept in higher precision by quantizers.
    pub matrix: bool,
}

impl Parameter {
    const fn dense(elements: u64, matrix: bool) -> Self {
        Self { elements, matrix }
    }
}

impl Operator {
    /// Whether frameworks compute it in a module of its own.
    #[must_use]
    pub const fn is_module(&self) -> bool {
        matches!(
            self,
            Self::Linear(_)
                | Self::ExpertLinear { .. }
                | Self::Norm { .. }
                | Self::Convolution(_)
                | Self::Response { .. }
        )
    }
}

impl Convolution {
    fn parameters(&self) -> Vec<Parameter> {
        let weights = self.input / self.groups.max(1) * self.output * self.window;
        let bias = self.bias.then(|| Parameter::dense(self.output, false));
        std::iter::once(Parameter::dense(weights, true)).chain(bias).collect()
    }
}

impl Linear {
    fn parameters(&self) -> Vec<Parameter> {
        let own = self.role != Projection::TiedOutput;
        let weight = own.then(|| Parameter::dense(self.input * self.output, true));
        let bias = self.bias.then(|| Parameter::dense(self.output, false));
        weight.into_iter().chain(bias).collect()
    }
}
