//! `Q5_K`: 256 weights in 176 bytes. As `Q4_K`, with 32 bytes more, whose bit `g` is the fifth of group `g`.

use super::four_bits::group_factors;
use super::{RowProduct, ask_ahead, last_eight, level_bytes, part};
use crate::kernel::activations::Row;
use crate::kernel::lanes::Lanes;

const BYTES: usize = 176;

/// Its products.
pub(super) struct Q5K;

impl RowProduct for Q5K {
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
            let fifth_bits = lanes.pair(part(block, 16), part(block, 16));
            for half in 0..2 {
                let packed = lanes.bytes(part(block, 48 + 64 * half));
                let (first, from) = (4 * half, 128 * half);
                let x = |group: usize| level_bytes(levels, from + 32 * group);
                let low = lanes.or(lanes.and(packed, 15), fifth(lanes, fifth_bits, first));
                let low = lanes.dot(low, lanes.pair(x(0), x(2)));
                let high = lanes.or(lanes.down(packed, 4, 4), fifth(lanes, fifth_bits, first + 1));
                let high = lanes.dot(high, lanes.pair(x(1), x(3)));
                let factor = lanes.by_eights(scaled, first, first + 2);
                low_sum = lanes.fused(lanes.to_floats(low), factor, low_sum);
                let factor = lanes.by_eights(scaled, first + 1, first + 3);
                high_sum = lanes.fused(lanes.to_floats(high), factor, high_sum);
            }
        }
        lanes.total(lanes.add(low_sum, high_sum)) - last_eight(lanes.store(offsets))
    }
}

/// The fifth bits of a group, and of the one after the next.
#[inline(always)]
fn fifth<L: Lanes>(lanes: L, bits: L::Words, group: usize) -> L::Words {
    let moved = lanes.down(bits, group as u32, group as u32 + 2);
    lanes.up::<4>(lanes.and(moved, 1))
}
