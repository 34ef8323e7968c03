//! `Q8_0` and `Q4_0`: 32 weights with one half-precision scale before them, in 34 or 18 bytes.
//!
//! Levels of `Q8_0` are signed bytes. Those of `Q4_0` are from -8 to 7, kept as 0 to 15: the first 16 in the low
//! halves of 16 bytes, the others in the high ones.

use super::{RowProduct, ask_ahead, level_bytes, part};
use crate::kernel::activations::{Factors, Row};
use crate::kernel::lanes::Lanes;

const Q8_0_BYTES: usize = 34;
const Q4_0_BYTES: usize = 18;

/// Products of `Q8_0`.
pub(super) struct Q8_0;

impl RowProduct for Q8_0 {
    #[inline(always)]
    fn product<L: Lanes>(lanes: L, row: &[u8], x: Row<'_>) -> f32 {
        let mut sum = lanes.splat(0.0);
        let (blocks, _) = row.as_chunks::<Q8_0_BYTES>();
        for index in 0..blocks.len().div_ceil(2).min(4 * x.levels.len()).min(4 * x.factors.len()) {
            let (first, second) = two(blocks, 2 * index);
            ask_ahead(lanes, first);
            let (levels, factors, pair) = (&x.levels[index / 4], &x.factors[index / 4], index % 4);
            let factor = pair_factor(lanes, [first, second], factors, pair);
            let levels = lanes.bytes(level_bytes(levels, 64 * pair));
            let products = lanes.signed_dot(lanes.pair(part(first, 2), part(second, 2)), levels);
            sum = lanes.fused(lanes.to_floats(products), factor, sum);
        }
        lanes.total(sum)
    }
}

/// Products of `Q4_0`.
pub(super) struct Q4_0;

impl RowProduct for Q4_0 {
    #[inline(always)]
    fn product<L: Lanes>(lanes: L, row: &[u8], x: Row<'_>) -> f32 {
        let mut sum = lanes.splat(0.0);
        let mut offset = 0.0;
        let (blocks, _) = row.as_chunks::<Q4_0_BYTES>();
        for index in 0..blocks.len().div_ceil(2).min(4 * x.levels.len()).min(4 * x.factors.len()) {
            let (first, second) = two(blocks, 2 * index);
            ask_ahead(lanes, first);
            let (levels, factors, pair) = (&x.levels[index / 4], &x.factors[index / 4], index % 4);
            let factor = pair_factor(lanes, [first, second], factors, pair);
            let levels = lanes.bytes(level_bytes(levels, 64 * pair));
            let weights = lanes.pair(&nibbles(part(first, 2)), &nibbles(part(second, 2)));
            sum = lanes.fused(lanes.to_floats(lanes.dot(weights, levels)), factor, sum);
            let scales = lanes.store(lanes.two_halves(scales([first, second])));
            offset += scales[0] * factors[8 + 2 * pair] + scales[1] * factors[9 + 2 * pair];
        }
        lanes.total(sum) - 8.0 * offset
    }
}

/// Two blocks from one on; a last single one beside zeros.
#[inline(always)]
fn two<const BYTES: usize>(blocks: &[[u8; BYTES]], from: usize) -> (&[u8; BYTES], &[u8; BYTES]) {
    (&blocks[from], blocks.get(from + 1).unwrap_or(&[0; BYTES]))
}

#[inline(always)]
fn scales<const BYTES: usize>([first, second]: [&[u8; BYTES]; 2]) -> [u8; 4] {
    [first[0], first[1], second[0], second[1]]
}

/// What the levels of two blocks are multiplied with, eight lanes each.
#[inline(always)]
fn pair_factor<L: Lanes, const BYTES: usize>(
    lanes: L,
    blocks: [&[u8; BYTES]; 2],
    factors: &Factors,
    pair: usize,
) -> L::Floats {
    let weights = lanes.by_eights(lanes.two_halves(scales(blocks)), 0, 1);
    let x = lanes.by_eights(lanes.floats(factors), 2 * pair, 2 * pair + 1);
    lanes.multiply(weights, x)
}

#[inline(always)]
fn nibbles(packed: &[u8; 16]) -> [u8; 32] {
    let mut levels = [0; 32];
    for place in 0..16 {
        levels[place] = packed[place] & 15;
        levels[16 + place] = packed[place] >> 4;
    }
    levels
}
