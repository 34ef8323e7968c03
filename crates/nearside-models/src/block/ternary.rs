//! Formats of the levels -1, 0 and 1 with one scale for 256 values: TQ1_0 with five to a byte, TQ2_0 with four.

use super::packing::u16_at;
use super::plain::round_away;
use super::{f16_from_f32, f16_to_f32, fit};

/// Bytes that lie together in TQ1_0, and how many levels each holds: 32 and 16 of five, 4 of four.
const RUNS: [(usize, usize); 3] = [(32, 5), (16, 5), (4, 4)];

/// The scale, and levels from 0 to 2.
fn ternary(values: &[f32; 256]) -> (f32, [u8; 256]) {
    let scale = fit::greatest(values);
    let inverse = fit::inverse_or_zero(scale);
    if !inverse.is_finite() {
        return (scale, [1; 256]);
    }
    (scale, values.map(|value| (round_away(value * inverse) + 1) as u8))
}

pub(super) fn encode_tq1(values: &[f32; 256], bytes: &mut [u8; 54]) {
    let (scale, levels) = ternary(values);
    let (mut from, mut to) = (0, 0);
    for (run, held) in RUNS {
        for i in 0..run {
            let digits = (0..5).fold(0, |sum, n| {
                sum * 3 + if n < held { u16::from(levels[from + i + n * run]) } else { 0 }
            });
            // As a fraction of 256, rounded up: a multiplication by 3 then has the first digit as its overflow.
            bytes[to + i] = (digits * 256).div_ceil(243) as u8;
        }
        (from, to) = (from + run * held, to + run);
    }
    bytes[52..].copy_from_slice(&f16_from_f32(scale).to_le_bytes());
}

pub(super) fn encode_tq2(values: &[f32; 256], bytes: &mut [u8; 66]) {
    let (scale, levels) = ternary(values);
    super::packing::write_pairs(&levels, &mut bytes[..64]);
    bytes[64..].copy_from_slice(&f16_from_f32(scale).to_le_bytes());
}

pub(super) fn decode_tq1(bytes: &[u8; 54], values: &mut [f32; 256]) {
    const POWERS: [u8; 5] = [1, 3, 9, 27, 81];
    let scale = f16_to_f32(u16_at(bytes, 52));
    let (mut from, mut to) = (0, 0);
    for (run, held) in RUNS {
        for (n, power) in POWERS.iter().enumerate().take(held) {
            for i in 0..run {
                let rest = u16::from(bytes[from + i].wrapping_mul(*power));
                values[to + n * run + i] = (f32::from((rest * 3) >> 8) - 1.0) * scale;
            }
        }
        (from, to) = (from + run, to + run * held);
    }
}

pub(super) fn decode_tq2(bytes: &[u8; 66], values: &mut [f32; 256]) {
    let scale = f16_to_f32(u16_at(bytes, 64));
    for (group, target) in values.as_chunks_mut::<32>().0.iter_mut().enumerate() {
        let shift = group % 4 * 2;
        for (value, byte) in target.iter_mut().zip(&bytes[group / 4 * 32..]) {
            *value = (f32::from((byte >> shift) & 3) - 1.0) * scale;
        }
    }
}
