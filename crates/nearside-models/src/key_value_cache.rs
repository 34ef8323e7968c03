//! What a model keeps of the tokens that it has seen: their keys and values in every layer, with room for a fixed number
//! of tokens.

use crate::block::f16_from_f32;
use crate::error::ModelError;
use crate::kernel::{KeysAndValues, Precision, TOGETHER};

/// The largest number of half precision.
const LARGEST: f32 = 65_504.0;

/// Keys and values of one sequence.
#[derive(Debug)]
pub struct KeyValueCache {
    layers: Vec<LayerCache>,
    length: usize,
    /// Tokens that may be kept.
    capacity: usize,
    /// Places that there are for them.
    places: usize,
    precision: Precision,
}

/// Those of one layer, head by head: keys by sixteen positions and number by number, values position by position.
#[derive(Debug)]
struct LayerCache {
    keys: Vec<u8>,
    values: Vec<u8>,
    heads: usize,
    width: usize,
}

impl KeyValueCache {
    /// Room for so many tokens, with for each layer its heads of keys and their width. Memory is taken as it is written.
    #[must_use]
    pub fn new(layers: &[(usize, usize)], capacity: usize, precision: Precision) -> Self {
        let places = capacity.next_multiple_of(TOGETHER);
        let layer = |(heads, width): &(usize, usize)| {
            let bytes = precision.bytes() * heads * width * places;
            LayerCache {
                keys: vec![0; bytes],
                values: vec![0; bytes],
                heads: *heads,
                width: *width,
            }
        };
        let layers = layers.iter().map(layer).collect();
        Self { layers, length: 0, capacity, places, precision }
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
        self.length = if same { length.min(other.length).min(self.capacity) } else { 0 };
        let length = self.length;
        if length == 0 {
            return;
        }
        let bytes = self.precision.bytes();
        for (layer, of) in self.layers.iter_mut().zip(&other.layers) {
            let row = bytes * layer.width;
            let count = row * length.next_multiple_of(TOGETHER);
            for (copies, originals) in
                [(&mut layer.keys, &of.keys), (&mut layer.values, &of.values)]
            {
                let heads = copies.chunks_exact_mut(row * self.places);
                for (copy, original) in heads.zip(originals.chunks_exact(row * other.places)) {
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
        let Self { layers, length, places, precision, .. } = self;
        let Some(LayerCache { keys: kept_keys, values: kept_values, heads, width }) =
            layers.get_mut(layer)
        else {
            return;
        };
        let rows = keys.chunks_exact(*width).zip(values.chunks_exact(*width));
        for (index, (key, value)) in rows.enumerate() {
            let (position, head) = (*length + index / *heads, index % *heads);
            let (sixteen, place) = (position / TOGETHER * TOGETHER, position % TOGETHER);
            let first = (head * *places + sixteen) * *width;
            let places_of_key = (0..*width).map(|number| first + number * TOGETHER + place);
            put(kept_keys, *precision, places_of_key.zip(key));
            let first = (head * *places + position) * *width;
            put(kept_values, *precision, (first..).zip(value));
        }
    }

    /// Keys and values of a layer, those that were written last included.
    pub(crate) fn layer(&self, layer: usize) -> Option<KeysAndValues<'_>> {
        let LayerCache { keys, values, .. } = self.layers.get(layer)?;
        Some(KeysAndValues { keys, values, capacity: self.places, precision: self.precision })
    }
}

/// Puts numbers in their places.
fn put<'a>(kept: &mut [u8], precision: Precision, numbers: impl Iterator<Item = (usize, &'a f32)>) {
    match precision {
        Precision::Half => {
            let (kept, _) = kept.as_chunks_mut();
            for (place, number) in numbers {
                kept[place] = f16_from_f32(number.clamp(-LARGEST, LARGEST)).to_le_bytes();
            }
        }
        Precision::Single => {
            let (kept, _) = kept.as_chunks_mut();
            for (place, number) in numbers {
                kept[place] = number.to_le_bytes();
            }
        }
    }
}
