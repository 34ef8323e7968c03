//! Transformers that predict noise in a latent image cut into patches: DiT, Stable Diffusion 3 and
//! Flux, as diffusers makes them.

use crate::Dtype;

/// A transformer that predicts noise.
#[derive(Clone, Debug, PartialEq)]
pub enum DenoisingTransformer {
    /// Steered by a class (DiT, arXiv 2212.09748).
    Class(ClassTransformer),
    /// Image and text side by side, each with weights of its own (MMDiT, arXiv 2403.03206).
    Joint(JointTransformer),
    /// The same, then image and text as one sequence.
    Flux(FluxTransformer),
}

/// `DiTTransformer2DModel`. Sizes are in elements.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassTransformer {
    /// Blocks.
    pub layers: u64,
    /// Heads.
    pub heads: u64,
    /// Width of a head.
    pub head_dim: u64,
    /// Channels of the latent image that comes in.
    pub input: u64,
    /// Channels of what it predicts.
    pub output: u64,
    /// Places along the side of a patch.
    pub patch: u64,
    /// Side of the latent image it was made for.
    pub side: u64,
    /// Classes to choose from.
    pub classes: u64,
    /// The type its weights are published in.
    pub dtype: Option<Dtype>,
}

/// `SD3Transformer2DModel`. Sizes are in elements.
#[derive(Clone, Debug, PartialEq)]
pub struct JointTransformer {
    /// Blocks.
    pub layers: u64,
    /// Heads.
    pub heads: u64,
    /// Width of a head.
    pub head_dim: u64,
    /// Channels of the latent image that comes in.
    pub input: u64,
    /// Channels of what it predicts.
    pub output: u64,
    /// Places along the side of a patch.
    pub patch: u64,
    /// Side of the latent image it was made for.
    pub side: u64,
    /// Side of the table of positions, in patches.
    pub positions: u64,
    /// Width of the text that steers it.
    pub text: u64,
    /// Width of the pooled text.
    pub pooled: u64,
    /// Whether queries and keys are normalised head by head (3.5).
    pub head_norms: bool,
    /// The blocks in which the image looks at itself once more (3.5 Medium).
    pub dual: Vec<u64>,
    /// The type its weights are published in.
    pub dtype: Option<Dtype>,
}

/// `FluxTransformer2DModel`. Sizes are in elements.
#[derive(Clone, Debug, PartialEq)]
pub struct FluxTransformer {
    /// Blocks with weights of their own for image and text.
    pub double: u64,
    /// Blocks with the same weights for both.
    pub single: u64,
    /// Heads.
    pub heads: u64,
    /// Width of a head.
    pub head_dim: u64,
    /// Width of a patch that comes in.
    pub input: u64,
    /// Width of what it predicts for a patch.
    pub output: u64,
    /// Width of the text that steers it.
    pub text: u64,
    /// Width of the pooled text.
    pub pooled: u64,
    /// Whether the strength of the guidance is an input.
    pub guidance: bool,
    /// The type its weights are published in.
    pub dtype: Option<Dtype>,
}
