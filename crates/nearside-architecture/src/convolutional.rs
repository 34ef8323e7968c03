//! Image classifiers made of convolutions, from AlexNet to ConvNeXt.
//!
//! One mechanism for all of them: a stem, stages of blocks, a last convolution, a mean over all
//! places, a classifier. A block is a row of steps beside a shortcut. The same family of torchvision
//! and of transformers differs in what is written over its input and in what stays alive, which the
//! fields say.

use crate::{Activation, Dtype, Norm};

/// An image classifier made of convolutions. Sizes are in elements, sides in pixels.
#[derive(Clone, Debug, PartialEq)]
pub struct ConvolutionalNetwork {
    /// The family, as in `resnet`.
    pub family: String,
    /// Whose modules compute it.
    pub library: Library,
    /// Side of the images it was made for.
    pub image: u64,
    /// Channels of an image.
    pub channels: u64,
    /// The first steps, before anything that a block's variables would keep.
    pub stem: Vec<Step>,
    /// Whether a caller's variable keeps what the stem made until the model returns.
    pub stem_held: bool,
    /// Blocks, stage by stage.
    pub stages: Vec<Vec<Block>>,
    /// The last steps, after all blocks.
    pub tail: Vec<Step>,
    /// How the mean of all places is taken.
    pub pool: Pool,
    /// From that mean to classes.
    pub classifier: Classifier,
    /// What stays alive while a unit runs.
    pub calls: Calls,
    /// The type its weights are published in.
    pub dtype: Option<Dtype>,
}

/// Whose modules compute a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Library {
    /// torchvision.
    Torchvision,
    /// Hugging Face transformers.
    Transformers,
}

/// How the pieces of a unit are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Calls {
    /// One after the other by the block: what one has read is let go at once (torchvision's ResNet).
    Apart,
    /// As a module of their own: its input lives until the last of them is done.
    Together,
}

/// A convolution, its norm and its nonlinearity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// Channels that go out.
    pub output: u64,
    /// Side of the kernel.
    pub kernel: u64,
    /// Places from one to the next.
    pub stride: u64,
    /// How places beyond the border come to be.
    pub padding: Padding,
    /// Which channels see each other.
    pub groups: Groups,
    /// Whether the convolution adds a bias.
    pub bias: bool,
    /// The norm after it.
    pub norm: Option<Norm>,
    /// The nonlinearity after that.
    pub activation: Option<Activation>,
}

/// Which channels a convolution lets see each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Groups {
    /// All of them.
    One,
    /// Those of so many groups.
    Many(u64),
    /// Every channel only itself.
    Channels,
}

/// A window over neighbouring places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pooling {
    /// Side of the window.
    pub kernel: u64,
    /// Places from one to the next.
    pub stride: u64,
    /// Places beyond the border on each side.
    pub padding: u64,
    /// What becomes of a window that ends beyond the border.
    pub border: Border,
}

/// What becomes of a window that ends beyond the border.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Border {
    /// It is left out.
    Dropped,
    /// It is kept.
    Kept,
}

impl Pooling {
    /// Side of what goes out, for a side of what comes in.
    ///
    /// ```
    /// # use nearside_architecture::convolutional::{Border, Pooling};
    /// let window = Pooling { kernel: 3, stride: 2, padding: 0, border: Border::Dropped };
    /// assert_eq!(window.side(54), 26);
    /// assert_eq!(Pooling { border: Border::Kept, ..window }.side(54), 27);
    /// ```
    #[must_use]
    pub const fn side(&self, side: u64) -> u64 {
        let rest = (side + 2 * self.padding).saturating_sub(self.kernel);
        let stride = if self.stride == 0 { 1 } else { self.stride };
        match self.border {
            Border::Dropped => rest / stride + 1,
            Border::Kept => rest.div_ceil(stride) + 1,
        }
    }
}

/// How places beyond the border come to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding {
    /// The convolution counts so many on each side as zero.
    Inside(u64),
    /// A copy with as many zeros around as TensorFlow's `SAME` rule asks for is made first, even
    /// where that is none.
    Same,
}

/// Steps beside a shortcut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// The steps, in order.
    pub steps: Vec<Step>,
    /// What is added to their result.
    pub shortcut: Shortcut,
    /// What is dropped of the steps' result in training.
    pub dropped: Dropped,
    /// The nonlinearity after the sum.
    pub activation: Option<Activation>,
}

/// What is dropped of the result of a block's steps in training.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dropped {
    /// Nothing.
    Nothing,
    /// All of it, for some images (stochastic depth, arXiv 1603.09382).
    Images,
    /// Some elements.
    Elements,
}

/// A step of a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A convolution with what follows it.
    Unit(Unit),
    /// Squeeze and excitation.
    Squeeze(Squeeze),
    /// A norm by itself.
    Norm(Norm),
    /// A feed-forward network at every place.
    Mixing(Mixing),
    /// A nonlinearity by itself.
    Activation(Activation),
    /// The largest of neighbouring places.
    MaxPool(Pooling),
    /// The mean of neighbouring places.
    AveragePool(Pooling),
    /// Several rows of steps that read the same, their results side by side.
    Branches(Vec<Vec<Self>>),
    /// Half of the channels, and the other half after these steps, side by side.
    Halves(Vec<Self>),
    /// Channels of two halves by turns.
    Shuffle,
    /// Rows of steps, each of which reads the input and all results before it side by side; all of
    /// them side by side in the end (DenseNet, arXiv 1608.06993).
    Dense(Vec<Vec<Self>>),
    /// Some elements are dropped in training.
    Dropout,
}

/// Weighs channels by what their means say (arXiv 1709.01507).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Squeeze {
    /// Channels inside.
    pub inner: u64,
    /// The nonlinearity inside.
    pub activation: Activation,
    /// The nonlinearity that makes weights.
    pub gate: Activation,
}

/// Layer norm and a feed-forward network at every place (ConvNeXt, arXiv 2201.03545).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mixing {
    /// Width inside.
    pub inner: u64,
    /// The nonlinearity inside.
    pub activation: Activation,
    /// Whether every channel inside is weighed by its length over the image against the others'
    /// (global response normalisation, arXiv 2301.00808).
    pub responsive: bool,
    /// Whether every channel of its result has a learned scale.
    pub scaled: bool,
}

/// What is added to the result of a block's steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shortcut {
    /// Nothing.
    None,
    /// The block's input, and how.
    Identity(Sum),
    /// The block's input through a convolution, added over the steps' result.
    Projection(Unit),
    /// The block's input through a convolution that runs before the steps, added into memory of
    /// its own.
    EarlyProjection(Unit),
}

/// How a sum is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sum {
    /// Over the steps' result.
    InPlace,
    /// Into memory of its own, the block's input first.
    Fresh,
    /// Into memory of its own, the steps' result first.
    FreshSteps,
}

/// How the mean of all places is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pool {
    /// As a mean.
    Mean,
    /// As an average over one window.
    Average,
    /// As averages over so many windows along each side, which then stand side by side.
    Grid(u64),
}

/// From the mean of all places to classes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Classifier {
    /// A norm of the mean.
    pub norm: Option<Norm>,
    /// Layers before the last one.
    pub layers: Vec<ClassifierLayer>,
    /// The last one.
    pub last: LastLayer,
    /// Classes to choose from.
    pub classes: u64,
}

/// A layer before the last one of a [`Classifier`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClassifierLayer {
    /// Some elements are dropped in training.
    Dropout,
    /// A matrix product to that width, and its nonlinearity.
    Linear(u64, Activation),
}

/// The last layer of a [`Classifier`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastLayer {
    /// A matrix product.
    Linear,
    /// None: the channels of the last steps are the classes.
    Channels,
}

impl Unit {
    /// Side of what goes out, for a side of what comes in.
    ///
    /// ```
    /// # use nearside_architecture::convolutional::{Groups, Padding, Unit};
    /// let unit = Unit { output: 64, kernel: 7, stride: 2, padding: Padding::Inside(3),
    ///     groups: Groups::One, bias: false, norm: None, activation: None };
    /// assert_eq!(unit.side(224), 112);
    /// assert_eq!(Unit { padding: Padding::Same, ..unit }.side(225), 113);
    /// ```
    #[must_use]
    pub fn side(&self, side: u64) -> u64 {
        let stride = self.stride.max(1);
        match self.padding {
            Padding::Inside(padding) => {
                (side + 2 * padding).saturating_sub(self.kernel) / stride + 1
            }
            Padding::Same => side.div_ceil(stride).max(1),
        }
    }

    /// Zeros that TensorFlow's `SAME` rule puts around a side, both ends together.
    #[must_use]
    pub fn same_padding(&self, side: u64) -> u64 {
        let rest = match side % self.stride.max(1) {
            0 => self.stride,
            rest => rest,
        };
        self.kernel.saturating_sub(rest)
    }
}
