//! How llama.cpp is told to load a model and serve it.

use nearside_architecture::Dtype;

/// Settings of a model and its context, named as in llama.cpp where a field says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Tokens that fit into the cache, all sequences together (`n_ctx`); 0 is the model's own.
    pub context: u64,
    /// Sequences at once (`n_seq_max`, `--parallel`).
    pub sequences: u64,
    /// Whether sequences share the cache (`kv_unified`).
    pub sharing: Sharing,
    /// Tokens that are handed over at once (`n_batch`).
    pub batch: u64,
    /// Tokens that are computed at once (`n_ubatch`).
    pub micro_batch: u64,
    /// The type of cached keys (`type_k`).
    pub key_type: Dtype,
    /// The type of cached values (`type_v`).
    pub value_type: Dtype,
    /// Whether scores are stored (`flash_attn`).
    pub flash_attention: FlashAttention,
    /// Tokens of a micro-batch whose logits are wanted (`n_outputs_max`).
    pub outputs: Outputs,
    /// How layers with a window are cached (`swa_full`).
    pub window_cache: WindowCache,
    /// How weights get into main memory (`load_mode`).
    pub loading: Loading,
    /// The accelerator, if there is one.
    pub offload: Option<Offload>,
}

impl Default for Settings {
    /// llama.cpp's own defaults, for 4096 tokens, without an accelerator.
    fn default() -> Self {
        Self {
            context: 4096,
            sequences: 1,
            sharing: Sharing::Separate,
            batch: 2048,
            micro_batch: 512,
            key_type: Dtype::F16,
            value_type: Dtype::F16,
            flash_attention: FlashAttention::On,
            outputs: Outputs::EveryToken,
            window_cache: WindowCache::Trimmed,
            loading: Loading::Mapped,
            offload: None,
        }
    }
}

/// Whether sequences share a cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// Each has an equal part of the context.
    Separate,
    /// All draw on one.
    Shared,
}

/// Whether attention is one kernel. llama.cpp's `auto` is on wherever the accelerator has a kernel
/// for the head width, as processors and CUDA do for all families here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlashAttention {
    /// One kernel; scores are never stored.
    On,
    /// Scores are stored. Values cannot be quantized.
    Off,
}

/// Whose logits are wanted at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outputs {
    /// Those of every token, for which llama.cpp's libraries prepare by default.
    EveryToken,
    /// Those of so many tokens; one per sequence is what generation needs.
    AtMost(u64),
}

/// How layers with a window are cached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowCache {
    /// Only what the window and a micro-batch need.
    Trimmed,
    /// Like layers without.
    Full,
}

/// How weights get into main memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loading {
    /// The file is mapped: from the first tensor in main memory to the end of the last.
    Mapped,
    /// Each tensor is copied.
    Copied,
}

/// Layers on an accelerator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offload {
    /// The kind of accelerator.
    pub accelerator: Accelerator,
    /// How many layers (`n_gpu_layers`): the output layer counts as one and goes first, then the
    /// last block, and so on. The embedding table always stays in main memory.
    pub layers: u64,
}

/// The kind of accelerator, which decides how sizes are rounded and who computes long batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accelerator {
    /// An NVIDIA GPU. Long batches of blocks in main memory are computed there too, which takes
    /// buffer space for their weights. Followed from its source, not measured.
    Cuda,
    /// Another machine's processor through llama.cpp's RPC backend.
    Remote,
}
