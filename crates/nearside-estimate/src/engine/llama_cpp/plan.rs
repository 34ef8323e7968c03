//! Settings made definite for one model: rounded contexts, batches, and which layer lies where.
//!
//! Source: the constructor of `llama_context` and `sched_reserve` in `llama-context.cpp`, and
//! `load_tensors` in `llama-model.cpp` of llama.cpp.

use nearside_architecture::Dtype;

use super::NotReserved;
use super::allocate::Sizes;
use super::build::Batch;
use super::cache::{self, CELLS, Cells, is_quantized};
use super::graph::{Graph, Operation, Place, Tensor};
use super::model::{Family, Model};
use super::schedule::TakesOver;
use super::settings::{Accelerator, FlashAttention, Offload, Outputs, Settings};

/// The most sequences at once (`LLAMA_MAX_SEQ`).
pub const MAX_SEQUENCES: u64 = 256;
/// The longest context that is planned for, in tokens.
pub const MAX_CELLS: u64 = 1 << 30;
/// The most tokens that are computed at once.
pub const MAX_BATCH: u64 = 1 << 20;
/// An accelerator takes over batches from so many rows on (`GGML_OP_OFFLOAD_MIN_BATCH`).
const TAKEN_OVER_FROM: u64 = 32;
/// Batches shorter than this keep every norm in its layer's place.
const PINNED_BELOW: u64 = 32;

/// Whether attention stores its scores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scores {
    /// They stay inside one kernel.
    Fused,
    /// They are a tensor, and values are cached transposed.
    Stored,
}

/// Settings made definite.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) cells: Cells,
    pub(super) streams: u64,
    pub(super) scores: Scores,
    pub(super) key_type: Dtype,
    pub(super) value_type: Dtype,
    /// The widest row of values of any layer.
    pub(super) widest_value: u64,
    /// Sizes of the rotations of keys and values.
    pub(super) rotations: (Option<u64>, Option<u64>),
    pub(super) sequences: u64,
    /// Tokens of one sequence.
    per_sequence: u64,
    /// What a prompt and a step of generation compute at once.
    pub(super) batches: [Batch; 2],
    offload: Option<Offload>,
    layers: u64,
}

impl Plan {
    pub(super) fn new(model: &Model, settings: &Settings) -> Result<Self, NotReserved> {
        let decoder = &model.decoder;
        let context = match settings.context {
            0 => decoder.context.unwrap_or(0),
            context => context,
        };
        bounded("context", context, MAX_CELLS)?;
        bounded("sequences", settings.sequences, MAX_SEQUENCES)?;
        bounded("batch", settings.batch, MAX_BATCH)?;
        bounded("micro-batch", settings.micro_batch, MAX_BATCH)?;
        let scores = match settings.flash_attention {
            FlashAttention::On => Scores::Fused,
            FlashAttention::Off => Scores::Stored,
        };
        if scores == Scores::Stored && is_quantized(settings.value_type) {
            return Err(NotReserved::QuantizedValues(settings.value_type));
        }
        let (keys, values) = (settings.key_type, settings.value_type);
        if model.family == Family::Deepseek2 && keys != values {
            return Err(NotReserved::TwoTypes { keys, values });
        }
        let streams = cache::streams(settings);
        let (batch, padded) = (settings.batch.min(context), context.next_multiple_of(CELLS));
        let micro_batch = settings.micro_batch.min(batch);
        let total = (padded / streams).next_multiple_of(CELLS) * streams;
        let cells = Cells::new(settings, total, decoder, micro_batch);
        let cells = match model.family.has_windows() {
            true => cells,
            false => cells.without_windows(),
        };
        let tokens = micro_batch.min(total);
        let wanted = match settings.outputs {
            Outputs::EveryToken => batch,
            Outputs::AtMost(outputs) => outputs,
        };
        let prompt = Batch {
            tokens: tokens.next_multiple_of(settings.sequences),
            outputs: tokens.min(wanted).max(1),
        };
        let step = Batch { tokens: settings.sequences, outputs: settings.sequences };
        let widest = decoder.layers.iter().map(|layer| cache::widths(layer).1).max();
        Ok(Self {
            cells,
            streams,
            scores,
            key_type: settings.key_type,
            value_type: settings.value_type,
            widest_value: widest.unwrap_or(0),
            rotations: cache::rotation(decoder, settings.key_type, settings.value_type),
            sequences: settings.sequences,
            per_sequence: total / streams,
            batches: [prompt, step],
            offload: settings.offload,
            layers: decoder.layers.len() as u64,
        })
    }

    /// Where a block lies: the last ones are on the accelerator.
    pub(super) fn place(&self, layer: usize) -> Place {
        let offloaded = self.offload.map_or(0, |offload| offload.layers);
        let first = (self.layers + 1).saturating_sub(offloaded);
        if layer as u64 >= first { Place::Device } else { Place::Host }
    }

    /// Where the output layer lies: it is the first to go to the accelerator.
    pub(super) fn output_place(&self) -> Place {
        match self.offload {
            Some(Offload { layers: 1.., .. }) => Place::Device,
            _ => Place::Host,
        }
    }

    /// Where a block's norms are kept, if they are.
    pub(super) fn pin(&self, tokens: u64, layer: usize) -> Option<Place> {
        let all = self.offload.is_some_and(|offload| offload.layers > self.layers);
        (tokens < PINNED_BELOW || all).then(|| self.place(layer))
    }

    /// What the accelerator does for blocks in main memory; `None` without one.
    pub(super) fn device(&self) -> Option<TakesOver> {
        self.offload.map(|offload| match offload.accelerator {
            Accelerator::Cuda => TakesOver::From(TAKEN_OVER_FROM),
            Accelerator::Remote => TakesOver::Never,
        })
    }

    /// The rotary factors that Phi uses for this context.
    pub(super) fn phi_factors(&self, model: &Model) -> &'static str {
        match model.decoder.context {
            Some(context) if self.per_sequence > context => "rope_factors_long.weight",
            _ => "rope_factors_short.weight",
        }
    }

    fn is_cuda(&self, place: Place) -> bool {
        let cuda = |offload: Offload| offload.accelerator == Accelerator::Cuda;
        place == Place::Device && self.offload.is_some_and(cuda)
    }
}

/// Tensors begin at multiples of this in main memory (`TENSOR_ALIGNMENT`), in bytes.
const HOST_ALIGNMENT: u64 = 32;
/// The same on an NVIDIA GPU.
const CUDA_ALIGNMENT: u64 = 128;
/// Rows of quantized matrices are padded to so many elements on an NVIDIA GPU
/// (`MATRIX_ROW_PADDING`).
const CUDA_ROW: u64 = 512;

impl Sizes for Plan {
    fn alignment(&self, place: Place) -> u64 {
        if self.is_cuda(place) { CUDA_ALIGNMENT } else { HOST_ALIGNMENT }
    }

    /// On an NVIDIA GPU flash attention also holds keys and values that are not 16-bit floats as
    /// such (`ggml_cuda_flash_attn_ext_get_alloc_size`; the kernels for long batches).
    fn bytes(&self, graph: &Graph, tensor: &Tensor, place: Place) -> u64 {
        let mut bytes = tensor.bytes();
        if !self.is_cuda(place) {
            return bytes;
        }
        if tensor.operation == Operation::FlashAttention {
            let (key, value) = (tensor.sources.get(1), tensor.sources.get(2));
            let shared = value.is_some_and(|value| {
                graph.tensor(*value).view_of == key.and_then(|key| graph.tensor(*key).view_of)
            });
            for cached in [key, value.filter(|_| !shared)].into_iter().flatten() {
                let cached = graph.tensor(*cached);
                if cached.dtype != Dtype::F16 {
                    bytes = bytes.next_multiple_of(CUDA_ALIGNMENT) + 2 * cached.elements();
                }
            }
        }
        let over = tensor.extents[0] % CUDA_ROW;
        if is_quantized(tensor.dtype) && over > 0 {
            bytes += tensor.dtype.bytes(CUDA_ROW - over).get();
        }
        bytes
    }
}

fn bounded(what: &'static str, value: u64, most: u64) -> Result<(), NotReserved> {
    let fits = (1..=most).contains(&value);
    if fits { Ok(()) } else { Err(NotReserved::Setting { what, value, most }) }
}
