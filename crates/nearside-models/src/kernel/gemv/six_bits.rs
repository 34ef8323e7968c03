//! `Q6_K`: 256 weights in 210 bytes. Sixteen groups of 16, each with a scale of eight bits, which are multiples of
//! one half-precision number; levels are from -32 to 31, kept as 0 to 63.
//!
//! Bytes: four low bits of levels (128), two high bits (64), scales (16), scale of the block (2). In each half of
//! 128 weights, a run of 64 low bytes has the first 64 weights in its low halves and the others in its high halves,
//! and 32 high bytes have two bits of each 32 weights, the first in the lowest ones.

use super::{RowProduct, ask_ahead, level_bytes, part};
use crate::kernel::activations::Row;
use crate::kernel::lanes::Lanes;

const BYTES: usize = 210;

/// Its products.
pub(super) struct Q6K;

impl RowProduct for Q6K {
    #[inline(always)]
    fn product<L: Lanes>(lanes: L, row: &[u8], x: Row<'_>) -> f32 {
        let mut low_sum = lanes.splat(0.0);
        let mut high_sum = lanes.splat(0.0);
        let mut offsets = lanes.splat(0.0);
        let (blocks, _) = row.as_chunks::<BYTES>();
        for index in 0..blocks.len().min(x.levels.len()).min(x.factors.len()).min(x.sums.len()) {
            let (block, levels) = (&blocks[index], &x.levels[index]);
            let (factors, sums) = (&x.factors[index], &x.sums[index]);
            ask_ahead(lanes, block);
            let [low, high] = *part(block, 208);
            let whole = lanes.two_halves([low, high, low, high]);
            let scales =
                lanes.multiply(lanes.signed_bytes(*part(block, 192)), lanes.by_eights(whole, 0, 1));
            offsets = lanes.fused(scales, lanes.floats(sums), offsets);
            let x_scales = lanes.floats(factors);
            for half in 0..2 {
                let packed = lanes.bytes(part(block, 64 * half));
                let two_bits =
                    lanes.pair(part(block, 128 + 32 * half), part(block, 128 + 32 * half));
                let low = lanes.or(lanes.and(packed, 15), upper(lanes, two_bits, 0));
                let low = lanes.dot(low, lanes.bytes(level_bytes(levels, 128 * half)));
                let high = lanes.or(lanes.down(packed, 4, 4), upper(lanes, two_bits, 4));
                let high = lanes.dot(high, lanes.bytes(level_bytes(levels, 128 * half + 64)));
                low_sum = lanes.fused(
                    lanes.to_floats(low),
                    factor(lanes, scales, x_scales, 2 * half),
                    low_sum,
                );
                high_sum = lanes.fused(
                    lanes.to_floats(high),
                    factor(lanes, scales, x_scales, 2 * half + 1),
                    high_sum,
                );
            }
        }
        lanes.total(lanes.add(low_sum, high_sum)) - 32.0 * lanes.total(offsets)
    }
}

/// The two high bits of 32 weights, which stand from a bit on, and those of the next 32.
#[inline(always)]
fn upper<L: Lanes>(lanes: L, two_bits: L::Words, bit: u32) -> L::Words {
    lanes.up::<4>(lanes.and(lanes.down(two_bits, bit, bit + 2), 3))
}

/// What levels of a quarter of a block are multiplied with.
#[inline(always)]
fn factor<L: Lanes>(lanes: L, scales: L::Floats, x_scales: L::Floats, quarter: usize) -> L::Floats {
    let x_scale = lanes.by_eights(x_scales, 2 * quarter, 2 * quarter + 1);
    lanes.multiply(lanes.by_fours(scales, quarter), x_scale)
}
