//! A model as a graph of typed operators.
//!
//! One mechanism for every family: a [`Decoder`] (read from a header) becomes a [`Graph`] of
//! operators for a given batch and sequence, and parameters, arithmetic, bytes moved and what must
//! be kept for the backward pass all follow from the operators. Headers are parsed from bytes;
//! callers open files.

mod decoder;
mod dtype;
mod error;
mod graph;
pub mod header;
mod operator;

pub use decoder::{
    Attached, Attention, Decoder, Dense, Dropout, Experts, FeedForward, GroupedAttention,
    LatentAttention, Layer, Norm, NormPlacement, Packing, Positions, QueryKeyNorm, Scoring,
};
pub use dtype::Dtype;
pub use error::{HeaderError, Position};
pub use graph::{Builder, Graph, Held, Loss, Node, Shape, Value, ValueId};
pub use operator::{
    Activation, AttentionShape, Convolution, Linear, Operator, Parameter, Projection, Sight,
};

/// What a model is made of.
#[derive(Clone, Debug, PartialEq)]
pub enum Architecture {
    /// A decoder-only transformer.
    Decoder(Decoder),
    /// A family that loads but is not estimated yet.
    Other {
        /// The family as its file names it, as in `whisper`.
        family: String,
        /// Its parameters, where the file or the catalog states them.
        parameters: Option<u64>,
    },
}

impl Architecture {
    /// The model at work on a batch; `None` where its family has no graph.
    #[must_use]
    pub fn graph(&self, shape: Shape) -> Option<Graph> {
        match self {
            Self::Decoder(decoder) => Some(Graph::of(decoder, shape)),
            Self::Other { .. } => None,
        }
    }
}
