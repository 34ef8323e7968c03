//! What a framework does, step by step: which tensors it makes, which it keeps for the backward
//! pass, what it computes and how many bytes it moves.
//!
//! A [`Tape`] is recorded by [`crate::lowering`] and replayed by [`crate::timeline`]. Lifetimes are
//! those of eager PyTorch: a tensor lives until its last use, until the step that saved it has run
//! backwards, or for as long as a caller holds it.

use nearside_units::{Bytes, Flops};

/// The caching allocator rounds every request up to this many bytes
/// (`kMinBlockSize`, c10/cuda/CUDACachingAllocator.h).
pub const BLOCK: u64 = 512;

/// What memory is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Category {
    /// The model's weights, adapters included.
    Weights,
    /// Gradients of trainable weights.
    Gradients,
    /// The optimizer's states.
    Optimizer,
    /// What the forward pass keeps, and temporaries of either pass.
    Activations,
    /// Scores over the vocabulary, in every precision and copy.
    Logits,
    /// Keys and values of earlier tokens.
    Cache,
    /// What kernels and the engine need besides.
    Workspace,
    /// What the driver takes per process.
    Context,
}

impl Category {
    /// Every category, in the order of tables.
    pub const ALL: [Self; 8] = [
        Self::Weights,
        Self::Gradients,
        Self::Optimizer,
        Self::Activations,
        Self::Logits,
        Self::Cache,
        Self::Workspace,
        Self::Context,
    ];

    /// Its name in tables and JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Weights => "weights",
            Self::Gradients => "gradients",
            Self::Optimizer => "optimizer",
            Self::Activations => "activations",
            Self::Logits => "logits",
            Self::Cache => "kv cache",
            Self::Workspace => "workspace",
            Self::Context => "context",
        }
    }
}

/// Names a tensor of a tape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TensorId(usize);

impl TensorId {
    pub(crate) const fn index(self) -> usize {
        self.0
    }
}

/// A tensor that a step makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tensor {
    /// Size as the allocator counts it.
    pub bytes: Bytes,
    /// What it is for.
    pub category: Category,
    /// Whether a gradient flows back through it.
    pub differentiable: bool,
    /// Whether it stays until the end (the cache).
    pub permanent: bool,
}

/// Which part of a machine limits a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kernel {
    /// Matrix products: tensor cores where there are any.
    Matrix,
    /// Attention kernels.
    Attention,
    /// Pointwise and normalising kernels: limited by memory bandwidth.
    Pointwise,
}

/// Arithmetic and traffic of one kernel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Work {
    /// Which kind of kernel.
    pub kernel: Kernel,
    /// Floating-point operations.
    pub flops: Flops,
    /// Bytes read from and written to device memory.
    pub bytes: Bytes,
}

/// A weight tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weight {
    /// Stored size as the allocator counts it.
    pub bytes: Bytes,
    /// Elements.
    pub elements: u64,
    /// Size of its gradient; `None` when it is frozen.
    pub gradient: Option<Bytes>,
    /// How many steps contribute to its gradient (two for tied embeddings).
    pub uses: usize,
}

/// Names a weight of a tape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WeightId(usize);

impl WeightId {
    pub(crate) const fn index(self) -> usize {
        self.0
    }
}

/// One kernel launch of the forward pass, and what its backward does.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Its name in answers to "where is the peak?".
    pub name: &'static str,
    /// Tensors it reads.
    pub inputs: Vec<TensorId>,
    /// The tensor it makes; `None` for a mere use that keeps its inputs alive.
    pub output: Option<TensorId>,
    /// Tensors kept until its backward has run.
    pub saved: Vec<TensorId>,
    /// Weights it uses.
    pub weights: Vec<WeightId>,
    /// Bytes taken and given back inside its forward kernel.
    pub forward_temporary: Bytes,
    /// Bytes taken and given back inside its backward kernel.
    pub backward_temporary: Bytes,
    /// What its forward computes.
    pub forward: Work,
    /// What its backward computes.
    pub backward: Work,
}

/// A stretch of steps that is recomputed as a whole when checkpointed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The steps.
    pub steps: std::ops::Range<usize>,
    /// Whether only its inputs are kept and its steps run again in the backward pass.
    pub recomputed: bool,
}

/// What a framework does, step by step.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tape {
    /// Tensors in the order they are made.
    pub tensors: Vec<Tensor>,
    /// The weights.
    pub weights: Vec<Weight>,
    /// The steps of the forward pass.
    pub steps: Vec<Step>,
    /// The same steps in stretches.
    pub segments: Vec<Segment>,
}

impl Tape {
    /// Adds a tensor.
    pub fn tensor(&mut self, tensor: Tensor) -> TensorId {
        self.tensors.push(Tensor { bytes: tensor.bytes.rounded_up_to(BLOCK), ..tensor });
        TensorId(self.tensors.len() - 1)
    }

    /// Adds a weight.
    pub fn weight(&mut self, weight: Weight) -> WeightId {
        let gradient = weight.gradient.map(|bytes| bytes.rounded_up_to(BLOCK));
        let bytes = weight.bytes.rounded_up_to(BLOCK);
        self.weights.push(Weight { bytes, gradient, ..weight });
        WeightId(self.weights.len() - 1)
    }

    /// Adds a step.
    pub fn step(&mut self, step: Step) {
        self.steps.push(step);
    }

    /// Keeps tensors alive up to this point, as a caller's variables do.
    pub fn hold(&mut self, tensors: &[TensorId]) {
        let nothing = Work { kernel: Kernel::Pointwise, flops: Flops::ZERO, bytes: Bytes::ZERO };
        self.steps.push(Step {
            name: "hold",
            inputs: tensors.to_vec(),
            output: None,
            saved: Vec::new(),
            weights: Vec::new(),
            forward_temporary: Bytes::ZERO,
            backward_temporary: Bytes::ZERO,
            forward: nothing,
            backward: nothing,
        });
    }

    /// Ends the current stretch of steps.
    pub fn end_segment(&mut self, recomputed: bool) {
        let start = self.segments.last().map_or(0, |segment| segment.steps.end);
        if start < self.steps.len() {
            self.segments.push(Segment { steps: start..self.steps.len(), recomputed });
        }
    }

    /// The id that the next tensor will have.
    #[must_use]
    pub const fn next_tensor(&self) -> TensorId {
        TensorId(self.tensors.len())
    }

    /// The tensor behind an id.
    #[must_use]
    pub fn of(&self, id: TensorId) -> Tensor {
        self.tensors[id.0]
    }
}
