//! `Q4_K`: 256 weights in 144 bytes. Eight groups of 32, each with a scale and an offset of six bits, which are
//! multiples of two half-precision numbers.
//!
//! Bytes: scale and offset of the block (2, 2), the groups' (12), levels (128). A run of 32 bytes of levels has one
//! group in its low halves and the next one in its high halves.

use super::{RowProduct, ask_ahead, last_eight, level_bytes, part};
use crate::kernel::activations::Row;
use crate::kernel::lanes::Lanes;

const BYTES: usize = 144;

/// Its products.
pub(super) struct Q4K;

impl RowProduct for Q4K {
    #[inline(always)]
    fn product<L: Lanes>(lanes: L, row: &[u8], x: Row<'_>) -> f32 {
        let mut low_sum = lanes.splat(0.0);
        let mut high_sum = lanes.splat(0.0);
        let mut offsets = lanes.splat(0.0);
        let (blocks, _) = row.as_chunks::<BYTES>();
        for index in 0..blocks.len().min(x.levels.len()).min(x.factors.len()) {
            let (block, levels, factors) = (&blocks[index], &x.levels[index], &x.factors[index]);
            ask_ahead(lanes, block);
            let scaled = group_factors(lanes, block, factors);
            offsets = lanes.add(offsets, scaled);
            for half in 0..2 {
                let packed = lanes.bytes(part(block, 16 + 64 * half));
                let (first, from) = (4 * half, 128 * half);
                let x = |group: usize| level_bytes(levels, from + 32 * group);
                let low = lanes.dot(lanes.and(packed, 15), lanes.pair(x(0), x(2)));
                let high = lanes.dot(lanes.down(packed, 4, 4), lanes.pair(x(1), x(3)));
                let factor = lanes.by_eights(scaled, first, first + 2);
                low_sum = lanes.fused(lanes.to_floats(low), factor, low_sum);
                let factor = lanes.by_eights(scaled, first + 1, first + 3);
                high_sum = lanes.fused(lanes.to_floats(high), factor, high_sum);
            }
        }
        lanes.total(lanes.add(low_sum, high_sum)) - last_eight(lanes.store(offsets))
    }
}

/// What levels of a block's eight groups are multiplied with, then what the groups' offsets come to: both with the
/// activations' factors in them. Of `Q5_K` too, whose blocks begin alike.
#[inline(always)]
pub(super) fn group_factors<L: Lanes>(lanes: L, block: &[u8], factors: &[f32; 16]) -> L::Floats {
    let whole = lanes.by_eights(lanes.two_halves(*part(block, 0)), 0, 1);
    let groups = lanes.unsigned_bytes(six_bit_pairs(part(block, 4)));
    lanes.multiply(lanes.multiply(groups, whole), lanes.floats(factors))
}

/// Eight scales, then eight offsets, of six bits each. The first four of both stand in the low bits of eight
/// bytes; of the others, four bits each stand in the last four bytes and two in the high bits of the first eight.
#[inline(always)]
pub(crate) fn six_bit_pairs(packed: &[u8; 12]) -> [u8; 16] {
    let word = |from: usize| u32::from_le_bytes(*part(packed, from));
    let (first, second, third) = (word(0), word(4), word(8));
    let low = |word: u32| word & 0x3f3f_3f3f;
    let high = |word: u32| (word >> 2) & 0x3030_3030;
    pulp::bytemuck::cast([
        low(first).to_le(),
        ((third & 0x0f0f_0f0f) | high(first)).to_le(),
        low(second).to_le(),
        (((third >> 4) & 0x0f0f_0f0f) | high(second)).to_le(),
    ])
}
