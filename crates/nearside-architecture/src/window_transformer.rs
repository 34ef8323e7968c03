//! Image classifiers made of attention inside windows: Swin (arXiv 2103.14030) and its second
//! version (arXiv 2111.09883).
//!
//! Places look at those of their own window; every other block moves the windows by half of their
//! side. Between stages four neighbouring places become one of twice the width.

use crate::{Activation, Dtype, Library};

/// An image classifier made of attention inside windows. Sizes are in elements, sides in pixels.
#[derive(Clone, Debug, PartialEq)]
pub struct WindowTransformer {
    /// The family, as in `swin`.
    pub family: String,
    /// Whose modules compute it.
    pub library: Library,
    /// Side of the images it was made for.
    pub image: u64,
    /// Channels of an image.
    pub channels: u64,
    /// Side of a patch.
    pub patch: u64,
    /// Width of the first stage.
    pub hidden: u64,
    /// Blocks and attention heads of each stage.
    pub stages: Vec<[u64; 2]>,
    /// Places along the side of a window.
    pub window: u64,
    /// Where a block normalises.
    pub order: NormOrder,
    /// Whether the query, key and value projections have biases.
    pub input_bias: bool,
    /// Width inside the feed-forward networks, as a multiple of their stage's.
    pub ratio: u64,
    /// Their nonlinearity.
    pub activation: Activation,
    /// Whether whole images are dropped from branches in training.
    pub dropped: bool,
    /// Classes to choose from.
    pub classes: u64,
    /// The type its weights are published in.
    pub dtype: Option<Dtype>,
}

/// Where a block normalises, and what goes with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NormOrder {
    /// Before a branch; queries and keys meet in a product, distances are looked up (Swin).
    Before,
    /// After a branch; queries and keys are compared by their angle, distances go through a network
    /// (Swin V2).
    After,
}
