//! How blocks of sixteen rows become levels that stand side by side.
//!
//! Words of 32 bits change places first ([`Lanes::columns`]), while they still have several weights to a byte; then
//! the bits of all rows are taken apart at once. Every block is `scale * level - offset` per group, as in
//! [`gemv`](super::super::gemv), where the formats are described.

use super::super::gemv::part;
use super::super::lanes::Lanes;
use super::{Line, ROWS};

/// A block of each of sixteen rows.
pub(super) type Blocks<'a, const BYTES: usize> = [&'a [u8; BYTES]; ROWS];

/// Where a block of sixteen rows is unpacked to.
pub(super) struct Place<'a> {
    /// By four columns: their levels of every row.
    pub levels: &'a mut [Line<[u8; 4 * ROWS]>],
    /// By group: its scale in every row.
    pub scales: &'a mut [Line<[f32; ROWS]>],
    /// By group: its offset in every row, with the sign that adds it.
    pub offsets: &'a mut [Line<[f32; ROWS]>],
}

/// A format whose blocks take so many bytes.
pub(super) trait Unpack<const BYTES: usize> {
    /// Weights of a block.
    const WEIGHTS: usize;
    /// Weights that share a scale.
    const GROUP: usize;

    /// Loops that count, and no closures: see [`Kernel`](super::Kernel).
    fn unpack<L: Lanes>(lanes: L, blocks: &Blocks<'_, BYTES>, place: Place<'_>);
}

/// Four columns of all rows, from eight times four: 32 bytes of every block from a place on.
#[inline(always)]
fn columns<L: Lanes, const BYTES: usize>(
    lanes: L,
    blocks: &Blocks<'_, BYTES>,
    from: usize,
) -> [L::Words; 8] {
    let mut rows = [&[0; 32]; ROWS];
    for row in 0..ROWS {
        rows[row] = part(blocks[row], from);
    }
    lanes.columns(rows)
}

/// Scales and offsets of eight groups, which stand in 12 bytes behind the two numbers that they are multiples of.
#[inline(always)]
fn grouped_scales<L: Lanes, const BYTES: usize>(
    lanes: L,
    blocks: &Blocks<'_, BYTES>,
    place: &mut Place<'_>,
) {
    let [numbers, first, second, third, ..] = columns(lanes, blocks, 0);
    let scale = lanes.half_of(numbers, 0);
    let offset = lanes.multiply(lanes.half_of(numbers, 1), lanes.splat(-1.0));
    // The upper 2 of the last four's 6 bits stand above the first four.
    let upper = lanes.and(lanes.down(first, 2, 2), 0x30);
    let scales = [lanes.and(first, 0x3f), lanes.or(lanes.and(third, 0x0f), upper)];
    let upper = lanes.and(lanes.down(second, 2, 2), 0x30);
    let offsets = [lanes.and(second, 0x3f), lanes.or(lanes.down(third, 4, 4), upper)];
    for group in 0..8 {
        let (four, byte) = (group / 4, group % 4);
        let of_group = lanes.multiply(scale, lanes.unsigned_byte_of(scales[four], byte));
        place.scales[group] = Line(lanes.store(of_group));
        let of_group = lanes.multiply(offset, lanes.unsigned_byte_of(offsets[four], byte));
        place.offsets[group] = Line(lanes.store(of_group));
    }
}

/// `Q4_K`.
pub(super) struct Q4K;

impl Unpack<144> for Q4K {
    const WEIGHTS: usize = 256;
    const GROUP: usize = 32;

    #[inline(always)]
    fn unpack<L: Lanes>(lanes: L, blocks: &Blocks<'_, 144>, mut place: Place<'_>) {
        grouped_scales(lanes, blocks, &mut place);
        for two in 0..4 {
            let packed = columns(lanes, blocks, 16 + 32 * two);
            for four in 0..8 {
                let levels = &mut place.levels[16 * two + four..16 * two + four + 9];
                levels[0] = Line(lanes.stored(lanes.and(packed[four], 15)));
                levels[8] = Line(lanes.stored(lanes.down(packed[four], 4, 4)));
            }
        }
    }
}

/// `Q5_K`.
pub(super) struct Q5K;

impl Unpack<176> for Q5K {
    const WEIGHTS: usize = 256;
    const GROUP: usize = 32;

    #[inline(always)]
    fn unpack<L: Lanes>(lanes: L, blocks: &Blocks<'_, 176>, mut place: Place<'_>) {
        grouped_scales(lanes, blocks, &mut place);
        let fifth = columns(lanes, blocks, 16);
        for two in 0..4 {
            let packed = columns(lanes, blocks, 48 + 32 * two);
            let group = 2 * two as u32;
            for four in 0..8 {
                let levels = &mut place.levels[16 * two + four..16 * two + four + 9];
                let bit = lanes.and(lanes.down(fifth[four], group, group), 1);
                let low = lanes.and(packed[four], 15);
                levels[0] = Line(lanes.stored(lanes.or(low, lanes.up::<4>(bit))));
                let bit = lanes.and(lanes.down(fifth[four], group + 1, group + 1), 1);
                let high = lanes.down(packed[four], 4, 4);
                levels[8] = Line(lanes.stored(lanes.or(high, lanes.up::<4>(bit))));
            }
        }
    }
}

/// `Q6_K`.
pub(super) struct Q6K;

impl Unpack<210> for Q6K {
    const WEIGHTS: usize = 256;
    const GROUP: usize = 16;

    #[inline(always)]
    fn unpack<L: Lanes>(lanes: L, blocks: &Blocks<'_, 210>, place: Place<'_>) {
        // The sixteen scales, and the number that they are multiples of, end with the block.
        let end = columns(lanes, blocks, 178);
        let scale = lanes.half_of(end[7], 1);
        for group in 0..16 {
            let (four, byte) = ((14 + group) / 4, (14 + group) % 4);
            let of_group = lanes.multiply(scale, lanes.signed_byte_of(end[four], byte));
            place.scales[group] = Line(lanes.store(of_group));
            place.offsets[group] = Line(lanes.store(lanes.multiply(of_group, lanes.splat(-32.0))));
        }
        for side in 0..2 {
            let first = columns(lanes, blocks, 64 * side);
            let second = columns(lanes, blocks, 64 * side + 32);
            let bits = columns(lanes, blocks, 128 + 32 * side);
            for four in 0..8 {
                let levels = &mut place.levels[32 * side + four..32 * side + four + 25];
                let upper = lanes.up::<4>(lanes.and(bits[four], 3));
                levels[0] = Line(lanes.stored(lanes.or(lanes.and(first[four], 15), upper)));
                let upper = lanes.up::<2>(lanes.and(bits[four], 0x0c));
                levels[8] = Line(lanes.stored(lanes.or(lanes.and(second[four], 15), upper)));
                let upper = lanes.and(bits[four], 0x30);
                levels[16] = Line(lanes.stored(lanes.or(lanes.down(first[four], 4, 4), upper)));
                let upper = lanes.and(lanes.down(bits[four], 2, 2), 0x30);
                levels[24] = Line(lanes.stored(lanes.or(lanes.down(second[four], 4, 4), upper)));
            }
        }
    }
}

/// The scale of a block with one group, and an offset of so many levels.
#[inline(always)]
fn one_scale<L: Lanes>(lanes: L, number: L::Words, levels: f32, place: &mut Place<'_>) {
    let scale = lanes.half_of(number, 0);
    place.scales[0] = Line(lanes.store(scale));
    place.offsets[0] = Line(lanes.store(lanes.multiply(scale, lanes.splat(-levels))));
}

/// `Q8_0`.
pub(super) struct Q8_0;

impl Unpack<34> for Q8_0 {
    const WEIGHTS: usize = 32;
    const GROUP: usize = 32;

    #[inline(always)]
    fn unpack<L: Lanes>(lanes: L, blocks: &Blocks<'_, 34>, mut place: Place<'_>) {
        one_scale(lanes, columns(lanes, blocks, 0)[0], 128.0, &mut place);
        let signed = columns(lanes, blocks, 2);
        for four in 0..8 {
            place.levels[four] = Line(lanes.stored(lanes.flip(signed[four], 0x80)));
        }
    }
}

/// `Q4_0`.
pub(super) struct Q4_0;

impl Unpack<18> for Q4_0 {
    const WEIGHTS: usize = 32;
    const GROUP: usize = 32;

    #[inline(always)]
    fn unpack<L: Lanes>(lanes: L, blocks: &Blocks<'_, 18>, mut place: Place<'_>) {
        // The levels, then the scale.
        let mut turned = [[0; 32]; ROWS];
        for row in 0..ROWS {
            turned[row][..16].copy_from_slice(&blocks[row][2..]);
            turned[row][16..18].copy_from_slice(&blocks[row][..2]);
        }
        let mut rows = [&[0; 32]; ROWS];
        for row in 0..ROWS {
            rows[row] = &turned[row];
        }
        let packed = lanes.columns(rows);
        one_scale(lanes, packed[4], 8.0, &mut place);
        for four in 0..4 {
            place.levels[four] = Line(lanes.stored(lanes.and(packed[four], 15)));
            place.levels[4 + four] = Line(lanes.stored(lanes.down(packed[four], 4, 4)));
        }
    }
}
