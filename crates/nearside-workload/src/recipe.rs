//! How a task is computed: precision, optimizer, attention kernel, checkpointing, engine.

use nearside_architecture::Dtype;

use crate::Parallelism;
use crate::named::named;

/// How a task is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recipe {
    /// The type that weights are stored in.
    pub weights: Dtype,
    /// The type of activations and arithmetic.
    pub compute: Dtype,
    /// The type of the key-value cache.
    pub cache: Dtype,
    /// The optimizer.
    pub optimizer: Optimizer,
    /// How attention is computed.
    pub attention: AttentionKernel,
    /// What is recomputed in the backward pass instead of kept.
    pub checkpointing: Checkpointing,
    /// How the loss over the vocabulary is computed.
    pub loss: VocabularyLoss,
    /// How several devices share it.
    pub parallelism: Parallelism,
}

impl Default for Recipe {
    /// What a careful user of today's libraries gets: bf16, fused AdamW, fused attention.
    fn default() -> Self {
        Self {
            weights: Dtype::Bf16,
            compute: Dtype::Bf16,
            cache: Dtype::Bf16,
            optimizer: Optimizer::AdamW,
            attention: AttentionKernel::Fused,
            checkpointing: Checkpointing::None,
            loss: VocabularyLoss::Whole,
            parallelism: Parallelism::default(),
        }
    }
}

/// What turns gradients into new weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Optimizer {
    /// AdamW in one fused kernel: two states, no temporaries.
    AdamW,
    /// AdamW tensor by tensor (`foreach=False`): temporaries of the largest tensor.
    AdamWPlain,
    /// AdamW over all tensors at once (`foreach=True`): a temporary of the whole model.
    AdamWForeach,
    /// AdamW with states in 8 bits (bitsandbytes).
    AdamW8Bit,
    /// The same with states in the machine's memory, brought over page by page.
    PagedAdamW8Bit,
    /// Adafactor: a row and a column of numbers per matrix instead of two states.
    Adafactor,
    /// Stochastic gradient descent without momentum: no state.
    Sgd,
    /// Stochastic gradient descent with momentum: one state.
    SgdMomentum,
}

impl Optimizer {
    const NAMES: [(Self, &'static str); 8] = [
        (Self::AdamW, "adamw"),
        (Self::AdamWPlain, "adamw-plain"),
        (Self::AdamWForeach, "adamw-foreach"),
        (Self::AdamW8Bit, "adamw-8bit"),
        (Self::PagedAdamW8Bit, "paged-adamw-8bit"),
        (Self::Adafactor, "adafactor"),
        (Self::Sgd, "sgd"),
        (Self::SgdMomentum, "sgd-momentum"),
    ];
}

/// How attention is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AttentionKernel {
    /// One kernel that never stores the scores and does not repeat key-value heads; a device that
    /// has none runs the next one.
    Fused,
    /// One kernel that never stores the scores but wants key-value heads repeated: what devices
    /// without flash attention have (before compute capability 8.0).
    Efficient,
    /// The same with a mask, as a padded batch needs.
    Masked,
    /// Scores are stored: matrix product, softmax, matrix product.
    Eager,
}

impl AttentionKernel {
    const NAMES: [(Self, &'static str); 4] = [
        (Self::Fused, "fused"),
        (Self::Efficient, "efficient"),
        (Self::Masked, "masked"),
        (Self::Eager, "eager"),
    ];
}

/// What is recomputed in the backward pass instead of kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checkpointing {
    /// Nothing: every saved activation is kept.
    None,
    /// Every block: only its input is kept.
    Full,
    /// Attention between its projections: only queries, keys and values are kept.
    Attention,
}

/// How the loss over the vocabulary is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VocabularyLoss {
    /// Scores of all tokens at once.
    Whole,
    /// Scores and loss of so many tokens at a time, computed again in the backward pass: the scores
    /// of all tokens are never there together.
    Chunked {
        /// Tokens at a time.
        tokens: u64,
    },
}

impl Checkpointing {
    /// Megatron-LM calls the recomputation of attention selective.
    const NAMES: [(Self, &'static str); 4] = [
        (Self::None, "none"),
        (Self::Full, "full"),
        (Self::Attention, "attention"),
        (Self::Attention, "selective"),
    ];
}

impl VocabularyLoss {
    /// In chunks of a size that libraries do not agree on: 1024 tokens keep the scores of today's
    /// vocabularies below a gigabyte, and the products large.
    pub const CHUNKED: Self = Self::Chunked { tokens: 1024 };

    const NAMES: [(Self, &'static str); 2] = [(Self::Whole, "whole"), (Self::CHUNKED, "chunked")];
}

named!(Optimizer, "optimizer");
named!(AttentionKernel, "attention kernel");
named!(Checkpointing, "checkpointing");
named!(VocabularyLoss, "loss");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_is_named_whatever_its_chunks() {
        assert_eq!(VocabularyLoss::Chunked { tokens: 7 }.name(), "chunked");
        assert_eq!("chunked".parse(), Ok(VocabularyLoss::CHUNKED));
        assert_eq!("selective".parse::<Checkpointing>().unwrap().name(), "attention");
    }

    #[test]
    fn names_read_back() {
        for name in Optimizer::names() {
            assert_eq!(name.parse::<Optimizer>().unwrap().name(), name);
        }
        let error = "flash".parse::<AttentionKernel>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "unknown attention kernel \"flash\": use fused, efficient, masked, eager"
        );
    }
}
