//! Whisper: an encoder of half a minute of sound and a decoder that writes text.

use crate::{Activation, Dtype};

/// A model that hears. Sizes are in elements.
#[derive(Clone, Debug, PartialEq)]
pub struct Speech {
    /// Width of the residual stream.
    pub hidden: u64,
    /// Rows of the embedding table, which the output layer shares.
    pub vocabulary: u64,
    /// Bands of the spectrum.
    pub bands: u64,
    /// Places of the encoder: half as many as there are moments in the spectrum.
    pub places: u64,
    /// Rows of the decoder's position table.
    pub positions: u64,
    /// Layers, heads and inner width of the encoder.
    pub encoder: [u64; 3],
    /// Layers, heads and inner width of the decoder.
    pub decoder: [u64; 3],
    /// The nonlinearity of feed-forward networks.
    pub activation: Activation,
    /// The type its weights are published in.
    pub dtype: Option<Dtype>,
}
