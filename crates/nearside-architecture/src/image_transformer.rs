//! Encoders of images made of attention: ViT (arXiv 2010.11929), DeiT (arXiv 2012.12877), the image
//! tower of CLIP (arXiv 2103.00020), DINOv2 (arXiv 2304.07193).
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
    /// Whether the convolution that makes patches has a bias.
    pub patch_bias: bool,
    /// Where patches get their positions from.
    pub positions: ImagePositions,
    /// Whether the stream is normalised before the first block.
    pub first_norm: bool,
    /// Whether every branch has a learned scale per channel.
    pub scaled: bool,
    /// Whether a gate opens the feed-forward networks.
    pub gated: bool,
    /// Parameters that no pass uses, each of so many elements.
    pub idle: Vec<u64>,
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
    /// What is made of the last block's output.
    pub head: ImageHead,
    /// The type its weights are published in.
    pub dtype: Option<Dtype>,
}

/// Where patches get their positions from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImagePositions {
    /// A learned row for each, added.
    Learned,
    /// A table in which their numbers are looked up.
    Table,
    /// So many learned rows, which are interpolated for images of another size.
    Interpolated(u64),
}

/// What is made of the last block's output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageHead {
    /// Scores of so many classes, from the first token of all that are normalised.
    Classes(u64),
    /// The first token, normalised by itself (CLIP).
    First,
    /// The first token of all that are normalised (DINOv2).
    FirstOfAll,
}
