//! What llama.cpp reserves before the first token: weights, key-value cache, compute and output
//! buffers, in main memory and on an accelerator.
//!
//! llama.cpp allocates everything before it computes anything, at the worst case of its settings:
//! the cache for the whole context, the compute buffer for a full micro-batch over a full cache, and
//! one row of logits per sequence. So serving takes no more than loading, and the figures follow from
//! the file's header and the settings alone. The compute buffer is no formula: the operator graph of
//! the family is built as llama.cpp builds it, scheduled on the places, and replayed through ggml's
//! allocator.
//!
//! One accelerator at most; families in [`Family`].
//!
//! Held to llama.cpp itself in `tests/llama_cpp.rs`: processor only, and partial offload to a second
//! device that leaves blocks in main memory to the processor ([`Accelerator::Remote`]). What an NVIDIA
//! GPU does differently ([`Accelerator::Cuda`]) is read from the source: llama.cpp's own schedule and
//! allocator confirm it on a device changed to do the same, no GPU was measured.
//!
//! Not in these figures: the driver's context, scratch pools of single kernels and the program, which
//! llama.cpp does not reserve; the copies of weights that some processors keep in an order of their
//! own (`use_extra_bufts`), whose originals in the mapped file can then be dropped; and the growth of
//! the output buffer when a caller asks for the logits of more than a token per sequence. In main
//! memory a buffer takes real memory only as far as it was written to, so a process may show less.
//!
//! Source: llama.cpp as packaged in llama-cpp-python 0.3.36 (ggml 0.25.3).

mod allocate;
mod attention;
mod build;
mod cache;
mod feed_forward;
mod graph;
mod mix;
mod model;
mod plan;
mod schedule;
mod settings;
mod table;
mod traffic;
mod weights;

use nearside_architecture::{Decoder, Dtype, FeedForward, HeaderError};
use nearside_units::Bytes;
use thiserror::Error;

pub use mix::Mix;
pub use model::{Family, Model};
pub use plan::{MAX_BATCH, MAX_CELLS, MAX_SEQUENCES};
pub use settings::{
    Accelerator, FlashAttention, Loading, Offload, Outputs, Settings, Sharing, WindowCache,
};
pub use traffic::Traffic;

use graph::{Graph, Place};
use plan::Plan;

/// The buffers of one place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Buffers {
    /// Tensors of the model.
    pub weights: Bytes,
    /// Keys and values.
    pub cache: Bytes,
    /// Everything between two tensors of the model.
    pub compute: Bytes,
    /// Logits.
    pub output: Bytes,
}

impl Buffers {
    /// All of them.
    #[must_use]
    pub fn total(&self) -> Bytes {
        [self.weights, self.cache, self.compute, self.output].into_iter().sum()
    }
}

/// Buffers by place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reservation {
    /// In main memory.
    pub host: Buffers,
    /// On the accelerator.
    pub device: Buffers,
}

impl Reservation {
    /// All buffers of all places.
    #[must_use]
    pub fn total(&self) -> Bytes {
        self.host.total() + self.device.total()
    }
}

/// Why a reservation is not known.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NotReserved {
    /// The file's header makes no sense.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// The header is of one file of several.
    #[error("the header is of one file of several: join the others first")]
    Incomplete,
    /// The graph of the family is not known.
    #[error("the graph that llama.cpp builds for the family \"{0}\" is not known")]
    Family(String),
    /// The file was written for another graph of its family.
    #[error("the graph of the family reads tensor \"{0}\", which the file lacks")]
    Missing(String),
    /// A tensor has more than four dimensions.
    #[error("tensor \"{0}\" has more than four dimensions")]
    Shape(String),
    /// A setting is out of bounds.
    #[error("{what}: {value} is not from 1 to {most}")]
    Setting {
        /// Which one.
        what: &'static str,
        /// Its value.
        value: u64,
        /// The most that is planned for.
        most: u64,
    },
    /// Values can only be quantized with flash attention.
    #[error("values cached as {0} need flash attention")]
    QuantizedValues(Dtype),
    /// Latent attention caches one vector for both.
    #[error(
        "keys and values of latent attention are cached in one type, not as {keys} and {values}"
    )]
    TwoTypes {
        /// The type of keys.
        keys: Dtype,
        /// The type of values.
        values: Dtype,
    },
    /// A tensor or the graph is larger than any machine.
    #[error("the graph is too large: at most {MAX_TENSOR} bytes per tensor and {MAX_NODES} nodes")]
    TooLarge,
}

/// The largest tensor of a graph, in bytes.
const MAX_TENSOR: u64 = 1 << 40;
/// The most nodes of a graph.
const MAX_NODES: u64 = 1 << 20;
/// More nodes than any block has beside those that sum up experts.
const MOST_NODES_OF_BLOCK: u64 = 128;

/// What llama.cpp reserves for a model with these settings.
///
/// # Errors
/// When a setting is out of bounds or contradicts another.
///
/// ```
/// use nearside_architecture::Architecture;
/// use nearside_catalog::Catalog;
/// use nearside_estimate::engine::llama_cpp::{Family, Mix, Model, Settings, reserve};
/// use nearside_units::Bytes;
///
/// let llama_8b = Catalog::builtin()?.model("llama-3.1-8b")?.architecture()?;
/// let Architecture::Decoder(llama_8b) = llama_8b else { return Err("a decoder".into()) };
/// let model = Model::from_decoder(&llama_8b, Family::of(&llama_8b), Mix::Q4KM)?;
/// let reservation = reserve(&model, &Settings::default())?;
/// // 32 layers, 4096 cells, 8 heads of 128 elements, keys and values, 2 bytes each.
/// assert_eq!(reservation.host.cache, Bytes::new(32 * 4096 * 8 * 128 * 2 * 2));
/// // 512 tokens: their logits and their last hidden state.
/// assert_eq!(reservation.host.output, Bytes::new(128_256 * 4));
/// assert!(reservation.host.compute > Bytes::new(512 * (128_256 + 4096) * 4));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn reserve(model: &Model, settings: &Settings) -> Result<Reservation, NotReserved> {
    let plan = Plan::new(model, settings)?;
    if nodes(&model.decoder) > MAX_NODES {
        return Err(NotReserved::TooLarge);
    }
    let mut reservation = Reservation::default();
    for (place, buffers) in
        [(Place::Host, &mut reservation.host), (Place::Device, &mut reservation.device)]
    {
        buffers.weights = weights::weights(model, &plan, settings.loading, place);
        buffers.cache = weights::cache(model, &plan, place);
    }
    // A buffer only ever grows, so it ends as large as the larger of both graphs needs.
    for batch in plan.batches {
        let mut graph = build::graph(model, &plan, batch);
        check(&graph)?;
        let scheduled = schedule::schedule(&mut graph, plan.device());
        let peaks = allocate::peak(&graph, &scheduled, &plan);
        let peak = |place| peaks.get(&place).copied().unwrap_or(Bytes::ZERO);
        let (host, device) = (&mut reservation.host, &mut reservation.device);
        host.compute = host.compute.max(peak(Place::Host));
        device.compute = device.compute.max(peak(Place::Device));
    }
    let logits = model.decoder.vocabulary.saturating_mul(plan.sequences);
    reservation.host.output = Dtype::F32.bytes(logits);
    Ok(reservation)
}

/// An upper bound of the nodes of a graph, before any is made.
fn nodes(decoder: &Decoder) -> u64 {
    let nodes = decoder.layers.iter().map(|layer| match &layer.feed_forward {
        FeedForward::Dense(_) | FeedForward::Absent => MOST_NODES_OF_BLOCK,
        FeedForward::Experts(experts) => experts.active.saturating_mul(2) + MOST_NODES_OF_BLOCK,
    });
    nodes.fold(0, u64::saturating_add)
}

fn check(graph: &Graph) -> Result<(), NotReserved> {
    let fits = |id: &graph::Id| graph.tensor(*id).bytes() <= MAX_TENSOR;
    let small = graph.leaves.iter().chain(&graph.nodes).all(fits);
    if small { Ok(()) } else { Err(NotReserved::TooLarge) }
}
