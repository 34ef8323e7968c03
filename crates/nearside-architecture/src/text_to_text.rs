//! T5: an encoder of text and a decoder that writes text, with biases by distance for positions.

use crate::{Activation, Dtype};

/// T5 and FLAN-T5, or their encoder alone. Sizes are in elements.
#[derive(Clone, Debug, PartialEq)]
pub struct TextToText {
    /// Width of the residual stream.
    pub hidden: u64,
    /// Rows of the embedding table, which the output layer shares.
    pub vocabulary: u64,
    /// Layers of the encoder.
    pub encoder_layers: u64,
    /// Layers of the decoder; `None` is an encoder alone.
    pub decoder_layers: Option<u64>,
    /// Attention heads.
    pub heads: u64,
    /// Width of a head.
    pub head_dim: u64,
    /// Width inside feed-forward networks.
    pub intermediate: u64,
    /// Whether feed-forward networks are gated.
    pub gated: bool,
    /// The nonlinearity of feed-forward networks.
    pub activation: Activation,
    /// Ranges of distances with a bias of their own.
    pub buckets: u64,
    /// Whether every layer has a bias by distance of its own instead of that of the first one (umT5).
    pub own_distances: bool,
    /// Whether training sets some elements to zero.
    pub dropout: bool,
    /// Whether what the output layer reads is scaled (T5 before version 1.1).
    pub scaled_output: bool,
    /// The type its weights are published in.
    pub dtype: Option<Dtype>,
}
