//! What a model keeps of the tokens that it has seen: their keys and values in every layer, with room for a fixed number
//! of tokens.

use crate::block::f16_from_f32;
use crate::error::ModelError;
use crate::kernel::{KeysAndValues, Precision, SHARED, TOGETHER};

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
    /// What bytes are multiplied with, where numbers are kept so: like the keys, for each group of numbers.
    key_scales: Vec<f32>,
    /// The same of the values.
    value_scales: Vec<f32>,
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
            let scales = precision.scales(*width) * heads * places;
            LayerCache {
                keys: vec![0; bytes],
                values: vec![0; bytes],
                key_scales: vec![0.0; scales],
                value_scales: vec![0.0; scales],
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
        let of = |layer: &LayerCache| {
            layer.keys.len()
                + layer.values.len()
                + size_of::<f32>() * (layer.key_scales.len() + layer.value_scales.len())
        };
        self.layers.iter().map(of).sum()
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
        let precision = self.precision;
        let places = [self.places, other.places];
        for (layer, of) in self.layers.iter_mut().zip(&other.layers) {
            let row = precision.bytes() * layer.width;
            copy_rows(&mut layer.keys, &of.keys, row, places, length);
            copy_rows(&mut layer.values, &of.values, row, places, length);
            let row = precision.scales(layer.width);
            copy_rows(&mut layer.key_scales, &of.key_scales, row, places, length);
            copy_rows(&mut layer.value_scales, &of.value_scales, row, places, length);
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
        let Some(layer) = layers.get_mut(layer) else { return };
        let LayerCache { heads, width, .. } = *layer;
        let rows = keys.chunks_exact(width).zip(values.chunks_exact(width));
        for (index, (key, value)) in rows.enumerate() {
            let (position, head) = (*length + index / heads, index % heads);
            let (sixteen, place) = (position / TOGETHER * TOGETHER, position % TOGETHER);
            let side_by_side = |each: usize| {
                let first = (head * *places + sixteen) * each;
                move |number: usize| first + number * TOGETHER + place
            };
            let in_order = |each: usize| {
                let first = (head * *places + position) * each;
                move |number: usize| first + number
            };
            let groups = precision.scales(width);
            let LayerCache { keys, values, key_scales, value_scales, .. } = layer;
            match precision {
                Precision::Byte => {
                    let places = (side_by_side(width), side_by_side(groups));
                    put_bytes(keys, key_scales, places, key);
                    put_bytes(values, value_scales, (in_order(width), in_order(groups)), value);
                }
                Precision::Half => {
                    put(keys, side_by_side(width), key, half);
                    put(values, in_order(width), value, half);
                }
                Precision::Single => {
                    put(keys, side_by_side(width), key, f32::to_le_bytes);
                    put(values, in_order(width), value, f32::to_le_bytes);
                }
            }
        }
    }

    /// Keys and values of a layer, those that were written last included.
    pub(crate) fn layer(&self, layer: usize) -> Option<KeysAndValues<'_>> {
        let LayerCache { keys, values, key_scales, value_scales, .. } = self.layers.get(layer)?;
        let (capacity, precision) = (self.places, self.precision);
        Some(KeysAndValues { keys, values, key_scales, value_scales, capacity, precision })
    }
}

/// Copies the first so many positions of every head, of which each has its own number of places.
fn copy_rows<T: Copy>(
    copies: &mut [T],
    originals: &[T],
    row: usize,
    [places, of_places]: [usize; 2],
    length: usize,
) {
    if row == 0 {
        return;
    }
    let count = row * length.next_multiple_of(TOGETHER);
    let heads = copies.chunks_exact_mut(row * places);
    for (copy, original) in heads.zip(originals.chunks_exact(row * of_places)) {
        copy[..count].copy_from_slice(&original[..count]);
    }
}

/// Puts numbers in their places, as bytes with a scale for each group of them. What is no number is nothing.
fn put_bytes(
    kept: &mut [u8],
    scales: &mut [f32],
    (place, place_of_scale): (impl Fn(usize) -> usize, impl Fn(usize) -> usize),
    numbers: &[f32],
) {
    for (group, numbers) in numbers.chunks(SHARED).enumerate() {
        let largest = numbers.iter().fold(0.0_f32, |most, number| most.max(number.abs()));
        let largest = largest.min(f32::MAX);
        scales[place_of_scale(group)] = largest / 127.0;
        let inverse = if largest > 0.0 { 127.0 / largest } else { 0.0 };
        for (index, number) in numbers.iter().enumerate() {
            let level = (number * inverse).round_ties_even() as i8;
            kept[place(group * SHARED + index)] = level.cast_unsigned();
        }
    }
}

/// Puts numbers in their places, each in so many bytes.
fn put<const BYTES: usize>(
    kept: &mut [u8],
    place: impl Fn(usize) -> usize,
    numbers: &[f32],
    bytes: impl Fn(f32) -> [u8; BYTES],
) {
    let (kept, _) = kept.as_chunks_mut();
    for (index, number) in numbers.iter().enumerate() {
        kept[place(index)] = bytes(*number);
    }
}

fn half(number: f32) -> [u8; 2] {
    f16_from_f32(number.clamp(-LARGEST, LARGEST)).to_le_bytes()
}
