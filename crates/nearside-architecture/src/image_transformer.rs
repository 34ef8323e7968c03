//! Image classifiers made of attention: ViT (arXiv 2010.11929) and DeiT (arXiv 2012.12877).
//!
//! Patches become tokens, one or two learned tokens stand before them, and the first token's state
//! says the class. torchvision computes queries, keys and values in one product
//! (`torch.nn.MultiheadAttention`), transformers in three.

use crate::{Activation, Dtype, Library};

/// An image classifier made of attention. Sizes are in elements, sides in pixels.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageTransformer {
    /// The family, as in `vit`.
    pub family: String,
    /// Whose modules compute it.
    pub library: Library,
    /// Side of the images it was made for.
    pub image: u64,
    /// Channels of an image.
    pub channels: u64,
    /// Side of a patch.
    pub patch: u64,
    /// Learned tokens before those of the patches.
    pub tokens: u64,
    /// Width of the residual stream.
    pub hidden: u64,
    /// Blocks.
    pub layers: u64,
    /// Attention heads, which share the width.
    pub heads: u64,
    /// Whether the query, key and value projections have biases.
    pub input_bias: bool,
    /// Width inside the feed-forward networks.
    pub intermediate: u64,
    /// Their nonlinearity.
    pub activation: Activation,
    /// Whether some elements are dropped after embedding, attention and feed-forward in training.
    pub dropout: bool,
    /// Classes to choose from.
    pub classes: u64,
    /// The type its weights are published in.
    pub dtype: Option<Dtype>,
}
