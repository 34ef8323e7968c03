//! What a framework does, step by step: which tensors it makes, which it keeps for the backward
//! pass, what it computes and how many bytes it moves.
//!
//! A [`Tape`] is recorded by [`crate::lowering`] and replayed by [`crate::timeline`]. Lifetimes are
//! those of eager PyTorch: a tensor lives until its last use, until the step that saved it has run
//! backwards, or for as long as a caller holds it. A view shares the storage of what it looks at.

use nearside_architecture::Dtype;
use nearside_units::{Bytes, Flops};
use smallvec::SmallVec;

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
pub struct TensorId(u32);

impl TensorId {
    pub(crate) const fn index(self) -> usize {
        self.0 as usize
    }
}

/// Names a storage of a tape: the memory behind one or more tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StorageId(u32);

impl StorageId {
    pub(crate) const fn index(self) -> usize {
        self.0 as usize
    }
}

/// The memory behind one or more tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Storage {
    /// Size as the allocator counts it.
    pub bytes: Bytes,
    /// What it is for.
    pub category: Category,
}

/// A tensor, or a view of another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tensor {
    /// The memory it lives in.
    pub storage: StorageId,
    /// How many elements it has.
    pub elements: u64,
    /// Their type.
    pub dtype: Dtype,
    /// Whether a gradient flows back through it.
    pub differentiable: bool,
    /// Where it comes from and how long it stays.
    pub origin: Origin,
}

/// Where a tensor comes from and how long it stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A weight: there before the first step; its gradient stays until the optimizer has used it.
    Weight,
    /// Loaded with the weights and never trained, such as running statistics.
    Buffer,
    /// Brought by the caller, who holds it.
    Input,
    /// Made by a step, let go after its last use.
    Step,
    /// Made by a step and kept until the end, as a cache is.
    Kept,
}

/// Which part of a machine limits a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kernel {
    /// Matrix products and convolutions: tensor cores where there are any.
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
    /// The type that it computes in.
    pub dtype: Dtype,
    /// Floating-point operations.
    pub flops: Flops,
    /// Bytes read from and written to device memory.
    pub bytes: Bytes,
}

impl Work {
    /// No work at all.
    pub const NONE: Self = Self {
        kernel: Kernel::Pointwise,
        dtype: Dtype::F32,
        flops: Flops::ZERO,
        bytes: Bytes::ZERO,
    };
}

/// How a gradient flows back from a step's output to one of its inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Into memory of its own.
    Fresh,
    /// The gradient of the output, or a view of it, is the gradient of the input.
    Pass,
    /// The gradient of the output, summed up.
    Sum,
    /// A product of the output's size is made first, then summed up.
    SumOfProduct,
    /// Not at all.
    Stop,
}

/// A tensor that a step reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Input {
    /// Which.
    pub tensor: TensorId,
    /// How a gradient reaches it.
    pub flow: Flow,
}

/// A list that seldom has more than three members, which then take no memory elsewhere.
pub type Few<T> = SmallVec<[T; 3]>;

/// One call of the forward pass, and what its backward does.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Its name in answers to "where is the peak?".
    pub name: &'static str,
    /// Tensors it reads, in the order in which its backward makes their gradients.
    pub inputs: Few<Input>,
    /// Tensors it makes; none for a mere use that keeps its inputs alive.
    pub outputs: Few<TensorId>,
    /// Tensors kept until its backward has run.
    pub saved: Few<TensorId>,
    /// What its backward takes in this order before its gradients, and gives back after them.
    pub backward_temporaries: Vec<Bytes>,
    /// What its backward takes and gives back once it has made its gradients.
    pub backward_spike: Bytes,
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
    /// The memory behind the tensors.
    pub storages: Vec<Storage>,
    /// Tensors: weights first in the order a framework registers them, others as they are made.
    pub tensors: Vec<Tensor>,
    /// The steps of the forward pass.
    pub steps: Vec<Step>,
    /// The same steps in stretches.
    pub segments: Vec<Segment>,
    /// What the model returns to its caller besides the loss.
    pub returned: Option<TensorId>,
}

impl Tape {
    /// Adds a storage, its size rounded as the allocator does.
    pub fn storage(&mut self, bytes: Bytes, category: Category) -> StorageId {
        self.storages.push(Storage { bytes: bytes.rounded_up_to(BLOCK), category });
        StorageId(u32::try_from(self.storages.len() - 1).unwrap_or(u32::MAX))
    }

    /// Adds a tensor.
    pub fn tensor(&mut self, tensor: Tensor) -> TensorId {
        self.tensors.push(tensor);
        TensorId(u32::try_from(self.tensors.len() - 1).unwrap_or(u32::MAX))
    }

    /// Adds a step.
    pub fn step(&mut self, step: Step) {
        self.steps.push(step);
    }

    /// Keeps tensors alive up to this point, as a caller's variables do.
    pub fn hold(&mut self, tensors: &[TensorId]) {
        if tensors.is_empty() {
            return;
        }
        let input = |tensor: &TensorId| Input { tensor: *tensor, flow: Flow::Stop };
        self.steps.push(Step {
            name: "hold",
            inputs: tensors.iter().map(input).collect(),
            outputs: Few::new(),
            saved: Few::new(),
            backward_temporaries: Vec::new(),
            backward_spike: Bytes::ZERO,
            forward: Work::NONE,
            backward: Work::NONE,
        });
    }

    /// Ends the current stretch of steps.
    pub fn end_segment(&mut self, recomputed: bool) {
        let start = self.segments.last().map_or(0, |segment| segment.steps.end);
        if start < self.steps.len() {
            self.segments.push(Segment { steps: start..self.steps.len(), recomputed });
        }
    }

    /// The tensor behind an id.
    #[must_use]
    pub fn of(&self, id: TensorId) -> Tensor {
        self.tensors[id.index()]
    }

    /// The storage behind a tensor.
    #[must_use]
    pub fn storage_of(&self, id: TensorId) -> Storage {
        self.storages[self.of(id).storage.index()]
    }

    /// Size of a gradient of a tensor, as the allocator counts it.
    #[must_use]
    pub fn gradient_bytes(&self, id: TensorId) -> Bytes {
        let tensor = self.of(id);
        tensor.dtype.bytes(tensor.elements).rounded_up_to(BLOCK)
    }

    /// Tensors of an origin, in the order they come to be.
    pub fn from(&self, origin: Origin) -> impl Iterator<Item = TensorId> {
        self.which(move |tensor| tensor.origin == origin)
    }

    /// Every tensor.
    pub fn ids(&self) -> impl Iterator<Item = TensorId> {
        self.which(|_| true)
    }

    fn which(&self, wanted: impl Fn(&Tensor) -> bool) -> impl Iterator<Item = TensorId> {
        let found = move |(index, tensor): (usize, &Tensor)| {
            wanted(tensor).then(|| TensorId(u32::try_from(index).unwrap_or(u32::MAX)))
        };
        self.tensors.iter().enumerate().filter_map(found)
    }

    /// Weights and buffers, in the order they are loaded.
    pub fn resident(&self) -> impl Iterator<Item = TensorId> {
        let resident = |tensor: &Tensor| matches!(tensor.origin, Origin::Weight | Origin::Buffer);
        self.which(resident)
    }

    /// The weights, in the order they are loaded.
    pub fn weights(&self) -> impl Iterator<Item = TensorId> {
        self.from(Origin::Weight)
    }

    /// Weights that are trained, in the order an optimizer sees them.
    pub fn trained(&self) -> impl Iterator<Item = TensorId> {
        self.weights().filter(|weight| self.of(*weight).differentiable)
    }

    /// Bytes of what is loaded: weights, and buffers beside them.
    #[must_use]
    pub fn loaded_bytes(&self) -> Bytes {
        let buffers = self.from(Origin::Buffer).map(|buffer| self.storage_of(buffer).bytes);
        self.weight_bytes() + buffers.sum::<Bytes>()
    }

    /// Bytes of the weights.
    #[must_use]
    pub fn weight_bytes(&self) -> Bytes {
        self.weights().map(|weight| self.storage_of(weight).bytes).sum()
    }
}

impl Step {
    /// Whether it only keeps tensors alive.
    #[must_use]
    pub fn is_hold(&self) -> bool {
        self.outputs.is_empty()
    }
}
