//! What vLLM reserves: a share of the whole device, of which keys and values get what is left.
//!
//! vLLM does not ask how much cache it needs. It takes `share` of the device's total memory, loads
//! the weights, runs one pass at its largest batch to see how much else lives at the peak, and cuts
//! everything that is left into blocks of 16 tokens:
//!
//! ```text
//! block = 2 * layers * block_tokens * key_value_heads * head_dim * bytes per element
//! left = share * total - weights - peak of everything else
//! blocks = floor(left / block)
//! sequences at once = blocks / ceil(longest sequence / block_tokens)
//! ```
//!
//! Source: vLLM's paged attention (arXiv 2309.06180, section 4) and `determine_available_memory`,
//! `get_kv_cache_configs` and `get_max_concurrency_for_kv_cache_config` of vLLM 0.11's v1 engine.
//! Not measured here. Caches of layers with windows, or of several kinds, are pooled there in groups
//! that this function does not know; it counts every layer whole.

use nearside_architecture::{Decoder, Dtype, Mixer};
use nearside_units::Bytes;
use thiserror::Error;

/// Tokens per block unless told otherwise (`block_size` on CUDA).
pub const BLOCK_TOKENS: u64 = 16;

/// How vLLM is told to serve a model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// The share of the device that it takes (`gpu_memory_utilization`), more than 0, at most 1.
    pub share: f64,
    /// Tokens per block (`block_size`).
    pub block_tokens: u64,
    /// The longest sequence, in tokens (`max_model_len`).
    pub longest: u64,
    /// The type of cached keys and values (`kv_cache_dtype`).
    pub cache_type: Dtype,
}

/// What vLLM makes of a device.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reservation {
    /// What it takes in all, whatever the model needs.
    pub taken: Bytes,
    /// Bytes of one block, all layers together.
    pub block: Bytes,
    /// How many blocks there are.
    pub blocks: u64,
    /// Tokens that fit into them.
    pub tokens: u64,
    /// Sequences of the longest length that run at once, with fractions as vLLM reports it.
    pub sequences: f64,
}

/// Why vLLM does not start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NotReserved {
    /// Weights and the largest pass do not fit its share.
    #[error("{needed} of weights and activations, its share is {taken}")]
    NoRoom {
        /// Weights and activations.
        needed: Bytes,
        /// Its share of the device.
        taken: Bytes,
    },
    /// The cache does not hold one sequence of the longest length.
    #[error("a sequence of {longest} tokens needs {needed} of cache, {left} are left")]
    TooLong {
        /// The longest sequence, in tokens.
        longest: u64,
        /// The cache it needs.
        needed: Bytes,
        /// What is left for the cache.
        left: Bytes,
    },
    /// A setting makes no sense: a share outside 0 to 1, or a block, sequence or cache of nothing.
    #[error("the share has to be above 0 and at most 1; blocks, sequences and caches not empty")]
    Senseless,
}

/// Bytes that one token takes in the cache, all layers together.
///
/// ```
/// # use nearside_architecture::{Architecture, Dtype};
/// # use nearside_catalog::Catalog;
/// # use nearside_estimate::engine::vllm::token_bytes;
/// # use nearside_units::Bytes;
/// # let llama_8b = Catalog::builtin()?.model("llama-3.1-8b")?.architecture()?;
/// # let Architecture::Decoder(llama_8b) = llama_8b else { return Err("a decoder".into()) };
/// // Keys and values, 32 layers, 8 heads of 128 elements, 2 bytes each.
/// assert_eq!(token_bytes(&llama_8b, Dtype::Bf16), Bytes::new(2 * 32 * 8 * 128 * 2));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn token_bytes(decoder: &Decoder, cache_type: Dtype) -> Bytes {
    let elements = decoder.layers.iter().map(|layer| match &layer.mixer {
        Mixer::Grouped(attention) => {
            attention.key_value_heads.saturating_mul(attention.head_dim).saturating_mul(2)
        }
        Mixer::Latent(attention) => attention.key_value_rank.saturating_add(attention.rotary_dim),
        // Its state does not grow.
        _ => 0,
    });
    cache_type.bytes(elements.fold(0, u64::saturating_add))
}

/// What vLLM makes of a device with `total` memory, when weights and the largest pass (activations
/// and whatever lies outside the framework) take `used`.
///
/// # Errors
/// When they do not fit, or no sequence of the longest length does.
pub fn reserve(
    decoder: &Decoder,
    settings: &Settings,
    total: Bytes,
    used: Bytes,
) -> Result<Reservation, NotReserved> {
    let token = token_bytes(decoder, settings.cache_type);
    let empty = settings.block_tokens == 0 || settings.longest == 0 || token == Bytes::ZERO;
    if empty || !(settings.share > 0.0 && settings.share <= 1.0) {
        return Err(NotReserved::Senseless);
    }
    let taken = total.scaled(settings.share);
    let no_room = NotReserved::NoRoom { needed: used, taken };
    let left = taken.checked_sub(used).ok_or(no_room)?;
    let block = token.get().saturating_mul(settings.block_tokens);
    let (blocks, needed) = (left.get() / block, settings.longest.div_ceil(settings.block_tokens));
    if blocks < needed {
        let needed = Bytes::new(needed.saturating_mul(block));
        return Err(NotReserved::TooLong { longest: settings.longest, needed, left });
    }
    Ok(Reservation {
        taken,
        block: Bytes::new(block),
        blocks,
        tokens: blocks.saturating_mul(settings.block_tokens),
        sequences: blocks as f64 / needed as f64,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use nearside_architecture::{LatentAttention, Layer};

    const SETTINGS: Settings =
        Settings { share: 0.9, block_tokens: BLOCK_TOKENS, longest: 8192, cache_type: Dtype::Bf16 };

    fn named(name: &str) -> Decoder {
        let catalog = nearside_catalog::Catalog::builtin().expect("the built-in catalog");
        match catalog.model(name).expect("a model").architecture() {
            Ok(nearside_architecture::Architecture::Decoder(decoder)) => decoder,
            other => panic!("{other:?}"),
        }
    }

    fn decoder(attention: Mixer, layers: usize) -> Decoder {
        let llama = llama_8b();
        let layer = Layer { mixer: attention, ..llama.layers[0].clone() };
        Decoder { layers: vec![layer; layers], ..llama }
    }

    fn llama_8b() -> Decoder {
        named("llama-3.1-8b")
    }

    #[test]
    fn what_is_left_becomes_blocks() {
        // 0.9 * 80 GiB = 72 GiB; less 16 GiB, 56 GiB are left; a block of 16 tokens takes 2 MiB.
        let reservation = reserve(&llama_8b(), &SETTINGS, Bytes::gib(80), Bytes::gib(16)).unwrap();
        assert_eq!(reservation.taken, Bytes::gib(72));
        assert_eq!(reservation.block, Bytes::mib(2));
        assert_eq!(reservation.blocks, 56 * 512);
        assert_eq!(reservation.tokens, 56 * 512 * 16);
        assert!((reservation.sequences - 56.0).abs() < 1e-12);
    }

    #[test]
    fn latent_vectors_are_cached_once() {
        let attention = LatentAttention {
            rotation: nearside_architecture::Rotation::Complex,
            heads: 128,
            query_rank: Some(1536),
            key_value_rank: 512,
            rotary_dim: 64,
            plain_dim: 128,
            value_dim: 128,
        };
        let deepseek = decoder(Mixer::Latent(attention), 61);
        assert_eq!(token_bytes(&deepseek, Dtype::Bf16), Bytes::new(61 * 576 * 2));
    }

    #[test]
    fn what_does_not_fit_says_how_much_is_missing() {
        let (total, longest) = (Bytes::gib(24), 131_072);
        let error = reserve(&llama_8b(), &SETTINGS, total, Bytes::gib(22)).unwrap_err();
        assert!(matches!(error, NotReserved::NoRoom { .. }), "{error}");
        let settings = Settings { longest, ..SETTINGS };
        let error = reserve(&llama_8b(), &settings, total, Bytes::gib(16)).unwrap_err();
        assert!(matches!(error, NotReserved::TooLong { needed, .. } if needed == Bytes::gib(16)));
        let settings = Settings { share: 1.5, ..SETTINGS };
        assert_eq!(reserve(&llama_8b(), &settings, total, total), Err(NotReserved::Senseless));
    }
}
