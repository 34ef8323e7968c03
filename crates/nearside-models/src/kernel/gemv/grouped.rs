//! `Q4_K` and `Q5_K`: 256 weights in 144 or 176 bytes. Eight groups of 32, each with a scale and an offset of six bits,
//! which are multiples of two half-precision numbers.
//!
//! Bytes: scale and offset of the block (2, 2), the groups' (12), of `Q5_K` 32 more, levels (128). A run of 32 bytes of
//! levels has four bits of one group in its low halves and of the next one in its high halves; bit `g` of the 32 bytes
//! is the fifth of group `g`.

use super::{RowProduct, ask_ahead, last_eight, level_bytes, part};
use crate::block::unpack_scales_and_mins;
use crate::kernel::activations::Row;
use crate::kernel::lanes::Lanes;

/// Bytes before the levels of `Q4_K`, and before the fifth bits of `Q5_K`.
const HEAD: usize = 16;

/// Products of `Q4_K`.
pub(super) struct Q4K;

impl RowProduct for Q4K {
    #[inline(always)]
    fn product<L: Lanes>(lanes: L, row: &[u8], x: Row<'_>) -> f32 {
        grouped::<L, 144, HEAD>(lanes, row, x)
    }
}

/// Products of `Q5_K`.
pub(super) struct Q5K;

impl RowProduct for Q5K {
    #[inline(always)]
    fn product<L: Lanes>(lanes: L, row: &[u8], x: Row<'_>) -> f32 {
        grouped::<L, 176, { HEAD + 32 }>(lanes, row, x)
    }
}

/// Products of blocks of so many bytes, whose levels begin there.
#[inline(always)]
fn grouped<L: Lanes, const BYTES: usize, const LEVELS: usize>(
    lanes: L,
    row: &[u8],
    x: Row<'_>,
) -> f32 {
    let mut low_sum = lanes.splat(0.0);
    let mut high_sum = lanes.splat(0.0);
    let mut offsets = lanes.splat(0.0);
    let (blocks, _) = row.as_chunks::<BYTES>();
    for index in 0..blocks.len().min(x.levels.len()).min(x.factors.len()) {
        let (block, levels, factors) = (&blocks[index], &x.levels[index], &x.factors[index]);
        ask_ahead(lanes, block);
        let scaled = group_factors(lanes, block, factors);
        offsets = lanes.add(offsets, scaled);
        let fifth_bits = lanes.pair(part(block, HEAD), part(block, HEAD));
        for half in 0..2 {
            let packed = lanes.bytes(part(block, LEVELS + 64 * half));
            let (first, from) = (4 * half, 128 * half);
            let x = |group: usize| level_bytes(levels, from + 32 * group);
            let (mut low, mut high) = (lanes.and(packed, 15), lanes.down(packed, 4, 4));
            if LEVELS > HEAD {
                low = lanes.or(low, fifth(lanes, fifth_bits, first));
                high = lanes.or(high, fifth(lanes, fifth_bits, first + 1));
            }
            let low = lanes.dot(low, lanes.pair(x(0), x(2)));
            let high = lanes.dot(high, lanes.pair(x(1), x(3)));
            let factor = lanes.by_eights(scaled, first, first + 2);
            low_sum = lanes.fused(lanes.to_floats(low), factor, low_sum);
            let factor = lanes.by_eights(scaled, first + 1, first + 3);
            high_sum = lanes.fused(lanes.to_floats(high), factor, high_sum);
        }
    }
    lanes.total(lanes.add(low_sum, high_sum)) - last_eight(lanes.store(offsets))
}

/// The fifth bits of a group, and of the one after the next.
#[inline(always)]
fn fifth<L: Lanes>(lanes: L, bits: L::Words, group: usize) -> L::Words {
    let moved = lanes.down(bits, group as u32, group as u32 + 2);
    lanes.up::<4>(lanes.and(moved, 1))
}

/// What levels of a block's eight groups are multiplied with, then what the groups' offsets come to: both with the
/// activations' factors in them.
#[inline(always)]
fn group_factors<L: Lanes>(lanes: L, block: &[u8], factors: &[f32; 16]) -> L::Floats {
    let whole = lanes.by_eights(lanes.two_halves(*part(block, 0)), 0, 1);
    let groups = lanes.unsigned_bytes(unpack_scales_and_mins(part(block, 4)));
    lanes.multiply(lanes.multiply(groups, whole), lanes.floats(factors))
}
