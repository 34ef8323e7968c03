//! Sixteen rows of weights side by side, unpacked once for many rows of activations: what reading a prompt, and
//! writing for several people at once, is made of.
//!
//! Levels of four neighbouring columns of all sixteen rows stand together, so that one instruction multiplies them
//! with four numbers of an activation, and each lane is a row. Levels are bytes from 0 to 255; what formats take
//! off them is in the offsets.

use nearside_architecture::Dtype;

use crate::block::{f16_to_f32, unpack_scales_and_mins};

use super::gemv::part;
use super::lanes::{Kernel, Lanes};
use super::side_by_side::{AT_ONCE, GroupFactors, SideBySide};

/// Rows of a panel.
pub(crate) const ROWS: usize = 16;
/// A format whose rows are unpacked to levels.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unpacking {
    /// Weights of a block.
    weights: usize,
    /// Bytes of a block.
    bytes: usize,
    /// Weights that share a scale.
    group: usize,
    unpack: fn(&[u8], &mut Groups<'_>),
}

/// Where a block is unpacked to.
struct Groups<'a> {
    /// A level for every weight.
    levels: &'a mut [u8],
    /// A scale for every group.
    scales: &'a mut [f32],
    /// What is taken off every weight of a group.
    offsets: &'a mut [f32],
}

impl Unpacking {
    /// `None` where products of the type take another way.
    pub(crate) fn of(dtype: Dtype) -> Option<Self> {
        let (group, unpack): (_, fn(&[u8], &mut Groups<'_>)) = match dtype {
            Dtype::Q4K => (32, four_bits),
            Dtype::Q5K => (32, five_bits),
            Dtype::Q6K => (16, six_bits),
            Dtype::Q8_0 => (32, eight_bits),
            Dtype::Q4_0 => (32, plain_four_bits),
            _ => return None,
        };
        let (weights, bytes) = dtype.block();
        Some(Self { weights: weights as usize, bytes: bytes as usize, group, unpack })
    }
}

/// Sixteen rows, unpacked; the memory is used again for the next ones.
#[derive(Default)]
pub(crate) struct Panel {
    /// By four columns: their levels of every row.
    levels: Vec<[u8; 4 * ROWS]>,
    /// By group: its scale in every row.
    scales: Vec<[f32; ROWS]>,
    /// By group: its offset in every row, with the sign that adds it.
    offsets: Vec<[f32; ROWS]>,
    /// Columns that share a scale.
    group: usize,
    row: UnpackedRow,
}

#[derive(Default)]
struct UnpackedRow {
    levels: Vec<u8>,
    scales: Vec<f32>,
    offsets: Vec<f32>,
}

/// Where the products of a panel go: from a row on, in the products of every row of the input.
pub(crate) struct PanelPlace<'a, 'b> {
    pub products: &'a mut [&'b mut [f32]],
    pub first: usize,
}

impl PanelPlace<'_, '_> {
    /// Puts the products of eight rows of the input in their places, as far as there are any.
    #[inline(always)]
    pub(crate) fn put(&mut self, eight: usize, products: &[[f32; ROWS]; AT_ONCE]) {
        let first = eight * AT_ONCE;
        for (row, products) in products.iter().enumerate() {
            let Some(place) = self.products.get_mut(first + row) else { return };
            let place = place.get_mut(self.first..).unwrap_or_default();
            let rows = place.len().min(ROWS);
            place[..rows].copy_from_slice(&products[..rows]);
        }
    }
}

/// Products of a panel with rows of activations.
pub(crate) struct PanelProducts<'a, 'b> {
    pub panel: &'a Panel,
    pub inputs: &'a SideBySide,
    pub products: PanelPlace<'a, 'b>,
}

impl Kernel for PanelProducts<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let Self { panel, inputs, mut products } = self;
        for index in 0..products.products.len().div_ceil(AT_ONCE) {
            let eight = inputs.eight(index);
            let made = match panel.group {
                16 => panel.products::<L, 4>(lanes, eight.levels, eight.by_16),
                _ => panel.products::<L, 8>(lanes, eight.levels, eight.by_32),
            };
            products.put(index, &made);
        }
    }
}

impl Panel {
    /// Unpacks up to sixteen rows.
    pub(crate) fn fill(
        &mut self,
        unpacking: Unpacking,
        weights: &[u8],
        row_bytes: usize,
        width: usize,
    ) {
        self.group = unpacking.group;
        let groups = width.div_ceil(unpacking.group);
        self.levels.resize(width.div_ceil(4), [0; 4 * ROWS]);
        self.scales.resize(groups, [0.0; ROWS]);
        self.offsets.resize(groups, [0.0; ROWS]);
        for (index, row) in weights.chunks_exact(row_bytes).take(ROWS).enumerate() {
            self.row.unpack(unpacking, row, width);
            let (fours, _) = self.row.levels.as_chunks::<4>();
            for (place, levels) in self.levels.iter_mut().zip(fours) {
                let (rows, _) = place.as_chunks_mut::<4>();
                rows[index] = *levels;
            }
            for (place, scale) in self.scales.iter_mut().zip(&self.row.scales) {
                place[index] = *scale;
            }
            for (place, offset) in self.offsets.iter_mut().zip(&self.row.offsets) {
                place[index] = -*offset;
            }
        }
    }

    /// Products with eight rows of activations, for groups of so many times four columns.
    #[inline(always)]
    fn products<L: Lanes, const FOURS: usize>(
        &self,
        lanes: L,
        levels: &[[[i8; 4]; AT_ONCE]],
        factors: &[GroupFactors],
    ) -> [[f32; ROWS]; AT_ONCE] {
        let mut sums = [lanes.splat(0.0); AT_ONCE];
        let (weights, _) = self.levels.as_chunks::<FOURS>();
        let (levels, _) = levels.as_chunks::<FOURS>();
        let groups = weights.len().min(levels.len()).min(factors.len());
        for group in 0..groups.min(self.scales.len()).min(self.offsets.len()) {
            let mut whole = [lanes.zero(); AT_ONCE];
            for four in 0..FOURS {
                let weights = lanes.bytes(&weights[group][four]);
                for row in 0..AT_ONCE {
                    whole[row] = lanes.spread_dot(whole[row], weights, levels[group][four][row]);
                }
            }
            let scales = lanes.floats(&self.scales[group]);
            let offsets = lanes.floats(&self.offsets[group]);
            let factors = &factors[group];
            for row in 0..AT_ONCE {
                let factor = lanes.multiply(scales, lanes.splat(factors.scales[row]));
                sums[row] = lanes.fused(lanes.to_floats(whole[row]), factor, sums[row]);
                sums[row] = lanes.fused(offsets, lanes.splat(factors.sums[row]), sums[row]);
            }
        }
        let mut products = [[0.0; ROWS]; AT_ONCE];
        for row in 0..AT_ONCE {
            products[row] = lanes.store(sums[row]);
        }
        products
    }
}

impl UnpackedRow {
    fn unpack(&mut self, unpacking: Unpacking, row: &[u8], width: usize) {
        let Unpacking { weights, bytes, group, unpack } = unpacking;
        let blocks = width / weights;
        self.levels.resize(blocks * weights, 0);
        self.scales.resize(blocks * weights / group, 0.0);
        self.offsets.resize(blocks * weights / group, 0.0);
        let places = self.levels.chunks_exact_mut(weights);
        let places = places.zip(self.scales.chunks_exact_mut(weights / group));
        let places = places.zip(self.offsets.chunks_exact_mut(weights / group));
        for (block, ((levels, scales), offsets)) in row.chunks_exact(bytes).zip(places) {
            unpack(block, &mut Groups { levels, scales, offsets });
        }
    }
}

fn half(block: &[u8], from: usize) -> f32 {
    f16_to_f32(u16::from_le_bytes(*part(block, from)))
}

/// Low halves of 32 bytes, then their high halves.
fn nibbles(packed: &[u8], levels: &mut [u8]) {
    let (low, high) = levels.split_at_mut(packed.len());
    for ((low, high), packed) in low.iter_mut().zip(high).zip(packed) {
        (*low, *high) = (packed & 15, packed >> 4);
    }
}

fn grouped_scales(block: &[u8], places: &mut Groups<'_>) {
    let (scale, offset) = (half(block, 0), half(block, 2));
    let pairs = unpack_scales_and_mins(part(block, 4));
    for group in 0..8 {
        places.scales[group] = scale * f32::from(pairs[group]);
        places.offsets[group] = offset * f32::from(pairs[8 + group]);
    }
}

fn four_bits(block: &[u8], places: &mut Groups<'_>) {
    grouped_scales(block, places);
    let packed = part::<128>(block, 16).chunks_exact(32);
    packed
        .zip(places.levels.chunks_exact_mut(64))
        .for_each(|(packed, levels)| nibbles(packed, levels));
}

fn five_bits(block: &[u8], places: &mut Groups<'_>) {
    grouped_scales(block, places);
    let fifth = part::<32>(block, 16);
    let packed = part::<128>(block, 48).chunks_exact(32);
    packed
        .zip(places.levels.chunks_exact_mut(64))
        .for_each(|(packed, levels)| nibbles(packed, levels));
    for (group, levels) in places.levels.chunks_exact_mut(32).enumerate() {
        for (level, fifth) in levels.iter_mut().zip(fifth) {
            *level |= (fifth >> group & 1) << 4;
        }
    }
}

fn six_bits(block: &[u8], places: &mut Groups<'_>) {
    let scale = half(block, 208);
    for (group, of_group) in part::<16>(block, 192).iter().enumerate() {
        places.scales[group] = scale * f32::from(i8::from_ne_bytes([*of_group]));
        places.offsets[group] = 32.0 * places.scales[group];
    }
    for (side, levels) in places.levels.chunks_exact_mut(128).enumerate() {
        nibbles(part::<64>(block, 64 * side), levels);
        let two_bits = part::<32>(block, 128 + 32 * side);
        for (run, levels) in levels.chunks_exact_mut(32).enumerate() {
            for (level, bits) in levels.iter_mut().zip(two_bits) {
                *level |= (bits >> (2 * run) & 3) << 4;
            }
        }
    }
}

fn eight_bits(block: &[u8], places: &mut Groups<'_>) {
    places.scales[0] = half(block, 0);
    places.offsets[0] = 128.0 * places.scales[0];
    for (level, byte) in places.levels.iter_mut().zip(part::<32>(block, 2)) {
        *level = byte ^ 0x80;
    }
}

fn plain_four_bits(block: &[u8], places: &mut Groups<'_>) {
    places.scales[0] = half(block, 0);
    places.offsets[0] = 8.0 * places.scales[0];
    nibbles(part::<16>(block, 2), places.levels);
}
