//! Autoencoders between pictures and latent images, as `AutoencoderKL` of diffusers makes them.

use crate::Dtype;

/// An autoencoder. Sizes are in elements.
#[derive(Clone, Debug, PartialEq)]
pub struct Vae {
    /// Channels of a picture that is encoded.
    pub input: u64,
    /// Channels of a picture that is decoded.
    pub output: u64,
    /// Channels of a latent image.
    pub latent: u64,
    /// Side of the pictures it was made for, in pixels.
    pub side: u64,
    /// Channels of its blocks, from the picture to the latent image.
    pub widths: Vec<u64>,
    /// Residual networks of a block on the way in; one more on the way out.
    pub networks: u64,
    /// Groups of channels that are normalised together.
    pub groups: u64,
    /// Whether a convolution stands behind the encoder.
    pub after_encoder: bool,
    /// Whether a convolution stands before the decoder.
    pub before_decoder: bool,
    /// The type its weights are published in.
    pub dtype: Option<Dtype>,
}

/// Which way an autoencoder works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// From pictures to latent images.
    Encode,
    /// From latent images to pictures.
    Decode,
}
