//! The key-value cache that llama.cpp allocates before the first token.
//!
//! `bytes = layers * streams * cells * (key heads * width of the key type + the same of values)`.
//! A context is rounded up to 256 cells; sequences share them or each have `context / sequences`,
//! rounded up again. Layers with a window have `min(context, window * (sequences if shared) +
//! micro-batch)` cells, rounded up to 256. Latent attention keeps keys only.
//!
//! Source: `llama-context.cpp`, `llama-kv-cache.cpp` and `llama-kv-cache-iswa.cpp` of llama.cpp.

use nearside_architecture::{Decoder, Dtype, Layer, Mixer};

use super::settings::{Settings, Sharing, WindowCache};

/// Contexts are a multiple of this many cells.
pub(super) const CELLS: u64 = 256;

/// Cells per stream of each kind of cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cells {
    /// For layers that see all.
    pub(super) whole: u64,
    /// For layers that see a window, if any has a cache of its own.
    pub(super) windowed: Option<u64>,
    /// Which layers see a window.
    windows: Vec<bool>,
}

impl Cells {
    /// Cells for these layers; `windows` says which have a window.
    pub(super) fn new(settings: &Settings, context: u64, decoder: &Decoder, ubatch: u64) -> Self {
        let streams = streams(settings);
        let whole = (context / streams).next_multiple_of(CELLS);
        let windows = decoder.layers.iter().map(|layer| window(layer).is_some()).collect();
        let window = decoder.layers.iter().find_map(window);
        let windowed = window.map(|window| match settings.window_cache {
            WindowCache::Full => whole,
            WindowCache::Trimmed => {
                let shared = match settings.sharing {
                    Sharing::Shared => settings.sequences,
                    Sharing::Separate => 1,
                };
                whole.min(window * shared + ubatch).next_multiple_of(CELLS)
            }
        });
        Self { whole, windowed, windows }
    }

    /// Forgets windows, for families whose layers all see all.
    pub(super) fn without_windows(self) -> Self {
        let windows = vec![false; self.windows.len()];
        Self { windowed: None, windows, ..self }
    }

    /// Whether that layer sees only a window.
    pub(super) fn is_windowed(&self, layer: usize) -> bool {
        self.windows.get(layer).copied().unwrap_or(false)
    }

    /// Cells of that layer's cache, per stream.
    pub(super) fn of(&self, layer: usize) -> u64 {
        self.windowed.filter(|_| self.is_windowed(layer)).unwrap_or(self.whole)
    }
}

/// How many caches lie side by side.
pub(super) fn streams(settings: &Settings) -> u64 {
    match settings.sharing {
        Sharing::Shared => 1,
        Sharing::Separate => settings.sequences,
    }
}

fn window(layer: &Layer) -> Option<u64> {
    match &layer.mixer {
        Mixer::Grouped(attention) => attention.window,
        _ => None,
    }
}

/// Elements that a token takes in a layer's caches of keys and of values.
pub(super) fn widths(layer: &Layer) -> (u64, u64) {
    match &layer.mixer {
        Mixer::Grouped(attention) => {
            let width = attention.key_value_heads * attention.head_dim;
            (width, width)
        }
        Mixer::Latent(attention) => (attention.key_value_rank + attention.rotary_dim, 0),
        _ => (0, 0),
    }
}

/// Whether a type stores blocks of integers.
pub(super) fn is_quantized(dtype: Dtype) -> bool {
    dtype.block().0 > 1
}

/// The sizes of the Hadamard matrices that keys and values are rotated with before they are
/// quantized: the largest power of two that divides a key head, and 64 for values.
pub(super) fn rotation(decoder: &Decoder, key: Dtype, value: Dtype) -> (Option<u64>, Option<u64>) {
    let width = |layer: &Layer| match &layer.mixer {
        Mixer::Grouped(attention) => Some(attention.head_dim),
        _ => None,
    };
    let first = decoder.layers.first().and_then(width);
    let same = decoder.layers.iter().all(|layer| width(layer) == first);
    let Some(width) = first.filter(|width| same && width.is_multiple_of(64)) else {
        return (None, None);
    };
    let key = is_quantized(key).then(|| 1 << width.trailing_zeros().min(63));
    (key, is_quantized(value).then_some(64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use nearside_architecture::{Architecture, header::config};

    /// Two layers, the first with a window.
    fn decoder(head_dim: u64, window: u64) -> Decoder {
        let config = format!(
            r#"{{"model_type": "gemma2", "hidden_size": 64, "num_hidden_layers": 2,
            "num_attention_heads": 8, "num_key_value_heads": 2, "head_dim": {head_dim},
            "intermediate_size": 64, "vocab_size": 256, "sliding_window": {window}}}"#
        );
        match config::parse(config.as_bytes()) {
            Ok(Architecture::Decoder(decoder)) => decoder,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn windows_have_their_own_cells_rounded_to_256() {
        let cells = |settings: &Settings| Cells::new(settings, 8192, &decoder(64, 1000), 512);
        let separate = Settings { sequences: 2, ..Settings::default() };
        assert_eq!((cells(&separate).of(0), cells(&separate).of(1)), (1536, 4096));
        let shared = Settings { sharing: Sharing::Shared, ..separate.clone() };
        assert_eq!((cells(&shared).of(0), cells(&shared).of(1)), (2560, 8192));
        let full = Settings { window_cache: WindowCache::Full, ..separate };
        assert_eq!(cells(&full).of(0), 4096);
        assert_eq!(cells(&full).without_windows().windowed, None);
    }

    #[test]
    fn only_quantized_caches_of_whole_pieces_are_rotated() {
        let rotation = |head_dim, key, value| rotation(&decoder(head_dim, 1), key, value);
        assert_eq!(rotation(128, Dtype::F16, Dtype::F16), (None, None));
        assert_eq!(rotation(128, Dtype::Q8_0, Dtype::F16), (Some(128), None));
        assert_eq!(rotation(192, Dtype::Q8_0, Dtype::Q4_0), (Some(64), Some(64)));
        assert_eq!(rotation(96, Dtype::Q8_0, Dtype::Q8_0), (None, None));
    }
}
