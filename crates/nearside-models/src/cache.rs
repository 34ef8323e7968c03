//! What a model keeps of the tokens that it has seen: their keys and values in every layer, in half precision, with room
//! for a fixed number of tokens.

use crate::block::half::f16_from_f32;
use crate::error::ModelError;
use crate::kernel::KeysAndValues;

/// The largest number of half precision.
const LARGEST: f32 = 65_504.0;

/// Keys and values of one sequence.
#[derive(Debug)]
pub struct Cache {
    layers: Vec<LayerCache>,
    length: usize,
    capacity: usize,
}

/// Those of one layer: by head, then by position.
#[derive(Debug)]
struct LayerCache {
    keys: Vec<u8>,
    values: Vec<u8>,
    heads: usize,
    width: usize,
}

impl Cache {
    /// Room for so many tokens, with for each layer its heads of keys and their width. Memory is taken as it is written.
    #[must_use]
    pub fn new(layers: &[(usize, usize)], capacity: usize) -> Self {
        let layer = |(heads, width): &(usize, usize)| {
            let bytes = 2 * heads * width * capacity;
            LayerCache {
                keys: vec![0; bytes],
                values: vec![0; bytes],
                heads: *heads,
                width: *width,
            }
        };
        Self { layers: layers.iter().map(layer).collect(), length: 0, capacity }
    }

    /// Tokens that it keeps.
    #[must_use]
    pub const fn length(&self) -> usize {
        self.length
    }

    /// Tokens that it has room for.
    #[must_use]
    pub const fn capacity(&self) -> usize {
        self.capacity
    }

    /// Bytes that it takes when it is full.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.layers.iter().map(|layer| layer.keys.len() + layer.values.len()).sum()
    }

    /// Forgets what comes after the first so many tokens.
    pub const fn truncate(&mut self, length: usize) {
        if length < self.length {
            self.length = length;
        }
    }

    /// Takes over the first so many tokens of another one of the same model.
    pub fn copy_from(&mut self, other: &Self, length: usize) {
        let length = length.min(other.length).min(self.capacity);
        for (layer, of) in self.layers.iter_mut().zip(&other.layers) {
            let (to, from) = (2 * layer.width * self.capacity, 2 * layer.width * other.capacity);
            let count = 2 * layer.width * length;
            for (copies, originals) in
                [(&mut layer.keys, &of.keys), (&mut layer.values, &of.values)]
            {
                for (copy, original) in
                    copies.chunks_exact_mut(to).zip(originals.chunks_exact(from))
                {
                    copy[..count].copy_from_slice(&original[..count]);
                }
            }
        }
        self.length = length;
    }

    /// An error unless so many tokens more have room.
    pub(crate) fn reserve(&self, tokens: usize) -> Result<(), ModelError> {
        let tokens = self.length + tokens;
        let context = self.capacity;
        if tokens <= context { Ok(()) } else { Err(ModelError::Context { tokens, context }) }
    }

    /// Counts tokens whose keys and values were written in all layers.
    pub(crate) const fn advance(&mut self, tokens: usize) {
        self.length += tokens;
    }

    /// Writes keys and values, token by token and in each head by head, behind those that are kept.
    pub(crate) fn write(&mut self, layer: usize, keys: &[f32], values: &[f32]) {
        let (length, capacity) = (self.length, self.capacity);
        let Some(LayerCache { keys: kept_keys, values: kept_values, heads, width }) =
            self.layers.get_mut(layer)
        else {
            return;
        };
        for (kept, numbers) in [(kept_keys, keys), (kept_values, values)] {
            for (index, numbers) in numbers.chunks_exact(*width).enumerate() {
                let (token, head) = (index / *heads, index % *heads);
                let from = 2 * *width * (head * capacity + length + token);
                let places = kept.get_mut(from..from + 2 * *width).unwrap_or_default();
                for (place, number) in places.as_chunks_mut::<2>().0.iter_mut().zip(numbers) {
                    *place = f16_from_f32(number.clamp(-LARGEST, LARGEST)).to_le_bytes();
                }
            }
        }
    }

    /// Keys and values of a layer, those that were written last included.
    pub(crate) fn layer(&self, layer: usize) -> Option<KeysAndValues<'_>> {
        let LayerCache { keys, values, .. } = self.layers.get(layer)?;
        Some(KeysAndValues { keys, values, capacity: self.capacity })
    }
}
