//! What a model keeps of the tokens that it has seen: their keys and values in every layer, with room for a fixed number
//! of tokens.

use crate::block::half::f16_from_f32;
use crate::error::ModelError;
use crate::kernel::{KeysAndValues, Precision};

/// The largest number of half precision.
const LARGEST: f32 = 65_504.0;

/// Keys and values of one sequence.
#[derive(Debug)]
pub struct Cache {
    layers: Vec<LayerCache>,
    length: usize,
    capacity: usize,
    precision: Precision,
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
    pub fn new(layers: &[(usize, usize)], capacity: usize, precision: Precision) -> Self {
        let layer = |(heads, width): &(usize, usize)| {
            let bytes = precision.bytes() * heads * width * capacity;
            LayerCache {
                keys: vec![0; bytes],
                values: vec![0; bytes],
                heads: *heads,
                width: *width,
            }
        };
        Self { layers: layers.iter().map(layer).collect(), length: 0, capacity, precision }
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

    /// Takes over the first so many tokens of another one of the same model; none where that keeps them in another
    /// precision.
    pub fn copy_from(&mut self, other: &Self, length: usize) {
        let same = self.precision == other.precision;
        let length = if same { length.min(other.length).min(self.capacity) } else { 0 };
        self.length = length;
        if length == 0 {
            return;
        }
        for (layer, of) in self.layers.iter_mut().zip(&other.layers) {
            let token = self.precision.bytes() * layer.width;
            let (to, from, count) = (token * self.capacity, token * other.capacity, token * length);
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
        let Self { length, capacity, precision, .. } = *self;
        let Some(LayerCache { keys: kept_keys, values: kept_values, heads, width }) =
            self.layers.get_mut(layer)
        else {
            return;
        };
        for (kept, numbers) in [(kept_keys, keys), (kept_values, values)] {
            for (index, numbers) in numbers.chunks_exact(*width).enumerate() {
                let (token, head) = (index / *heads, index % *heads);
                let row = precision.bytes() * *width;
                let from = row * (head * capacity + length + token);
                keep(precision, numbers, kept.get_mut(from..from + row).unwrap_or_default());
            }
        }
    }

    /// Keys and values of a layer, those that were written last included.
    pub(crate) fn layer(&self, layer: usize) -> Option<KeysAndValues<'_>> {
        let LayerCache { keys, values, .. } = self.layers.get(layer)?;
        let Self { capacity, precision, .. } = *self;
        Some(KeysAndValues { keys, values, capacity, precision })
    }
}

fn keep(precision: Precision, numbers: &[f32], places: &mut [u8]) {
    match precision {
        Precision::Half => {
            for (place, number) in places.as_chunks_mut().0.iter_mut().zip(numbers) {
                *place = f16_from_f32(number.clamp(-LARGEST, LARGEST)).to_le_bytes();
            }
        }
        Precision::Single => {
            for (place, number) in places.as_chunks_mut().0.iter_mut().zip(numbers) {
                *place = number.to_le_bytes();
            }
        }
    }
}
