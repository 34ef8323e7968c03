//! U-Nets that predict noise in a latent image, as `UNet2DConditionModel` of diffusers makes them:
//! convolutions around transformers that look at the text.

use crate::Dtype;

/// A U-Net. Sizes are in elements.
#[derive(Clone, Debug, PartialEq)]
pub struct Unet {
    /// Channels of the latent image that comes in.
    pub input: u64,
    /// Channels of what it predicts.
    pub output: u64,
    /// Side of the latent image it was made for.
    pub side: u64,
    /// Width of the text that steers it.
    pub text: u64,
    /// Groups of channels that are normalised together.
    pub groups: u64,
    /// What steers it besides text and time, if anything.
    pub added: Option<AddedCondition>,
    /// Whether transformers are entered and left through matrix products instead of convolutions.
    pub linear_projection: bool,
    /// The blocks on the way down, first to last.
    pub down: Vec<UnetBlock>,
    /// The transformer between two residual networks at the bottom.
    pub middle: SpatialTransformer,
    /// The blocks on the way up, first to last.
    pub up: Vec<UnetBlock>,
    /// The type its weights are published in.
    pub dtype: Option<Dtype>,
}

/// Residual networks on images of one size, each perhaps with a transformer after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnetBlock {
    /// Channels of what it makes.
    pub width: u64,
    /// Residual networks.
    pub networks: u64,
    /// The transformer after each of them.
    pub transformer: Option<SpatialTransformer>,
}

/// Attention of the places of an image to each other and to the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpatialTransformer {
    /// Heads.
    pub heads: u64,
    /// Layers, one after the other.
    pub layers: u64,
}

/// Pooled text and picture sizes that are added to the time (`text_time` in diffusers).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddedCondition {
    /// Width of the frequencies of one size.
    pub frequencies: u64,
    /// Width of pooled text and the frequencies of all sizes together.
    pub width: u64,
}

/// Sizes that steer a U-Net besides text: original, crop and target, two numbers each.
pub(crate) const SIZES: u64 = 6;
