//! Formats of 32 values with one scale: Q4_0, Q5_0 and Q8_0; and those with a minimum as well: Q4_1 and Q5_1.
//!
//! Without weights the scale puts the value farthest from 0 on the lowest level (the range on all levels, with a
//! minimum); with weights it is searched for.

use super::fit::{self, Symmetric};
use super::line::{self, Lines, Search};
use super::packing::{nibbles, u16_at, unpack_nibbles};
use super::{Importance, f16_from_f32, f16_to_f32};

type Values = [f32; 32];
type Given<'a> = Option<Importance<'a, 32>>;

pub(super) fn encode_q4_0(values: &Values, importance: Given<'_>, bytes: &mut [u8; 18]) {
    let Symmetric { scale, levels } = around_zero(values, importance, 8.0);
    bytes[..2].copy_from_slice(&f16_from_f32(scale).to_le_bytes());
    bytes[2..].copy_from_slice(&nibbles::<32, 16>(&levels));
}

pub(super) fn encode_q5_0(values: &Values, importance: Given<'_>, bytes: &mut [u8; 22]) {
    let Symmetric { scale, levels } = around_zero(values, importance, 16.0);
    bytes[..2].copy_from_slice(&f16_from_f32(scale).to_le_bytes());
    bytes[2..6].copy_from_slice(&fifth_bits(&levels).to_le_bytes());
    bytes[6..].copy_from_slice(&nibbles::<32, 16>(&levels));
}

pub(super) fn encode_q4_1(values: &Values, importance: Given<'_>, bytes: &mut [u8; 20]) {
    let Lines { scales: [scale], below: [below], levels: [levels] } =
        above_min(values, importance, 15.0);
    bytes[..2].copy_from_slice(&f16_from_f32(scale).to_le_bytes());
    bytes[2..4].copy_from_slice(&f16_from_f32(-below).to_le_bytes());
    bytes[4..].copy_from_slice(&nibbles::<32, 16>(&levels));
}

pub(super) fn encode_q5_1(values: &Values, importance: Given<'_>, bytes: &mut [u8; 24]) {
    let Lines { scales: [scale], below: [below], levels: [levels] } =
        above_min(values, importance, 31.0);
    bytes[..2].copy_from_slice(&f16_from_f32(scale).to_le_bytes());
    bytes[2..4].copy_from_slice(&f16_from_f32(-below).to_le_bytes());
    bytes[4..8].copy_from_slice(&fifth_bits(&levels).to_le_bytes());
    bytes[8..].copy_from_slice(&nibbles::<32, 16>(&levels));
}

pub(super) fn encode_q8_0(values: &Values, bytes: &mut [u8; 34]) {
    let scale = fit::greatest(values) / 127.0;
    let inverse = fit::inverse_or_zero(scale);
    bytes[..2].copy_from_slice(&f16_from_f32(scale).to_le_bytes());
    if !inverse.is_finite() {
        return bytes[2..].fill(0);
    }
    for (byte, value) in bytes[2..].iter_mut().zip(values) {
        *byte = round_away(value * inverse) as u8;
    }
}

/// The nearest whole number, ties away from 0. Just below a half is added, so that nothing is rounded twice.
#[inline]
pub(super) fn round_away(value: f32) -> i32 {
    (value + 0.499_999_97_f32.copysign(value)) as i32
}

#[inline]
fn at_most(value: f32, top: f32) -> f32 {
    if value < top { value } else { top }
}

/// Levels from `-bound` to `bound - 1`, counted from 0.
#[inline]
fn around_zero(values: &Values, importance: Given<'_>, bound: f32) -> Symmetric<32> {
    if let Some(Importance { columns, row_power }) = importance {
        return fit::symmetric(values, &fit::weighed(columns, values, row_power), bound);
    }
    let scale = fit::farthest(values) / -bound;
    let inverse = fit::inverse_or_zero(scale);
    let top = 2.0 * bound - 1.0;
    // A scale so small that it has no inverse has only zeros as levels.
    let levels = match inverse.is_finite() {
        true => {
            fit::each(values, |value| at_most(value * inverse + (bound + 0.5), top) as i32 as u8)
        }
        false => [0; 32],
    };
    Symmetric { scale, levels }
}

/// Levels from 0 to `top` above the least value.
#[inline]
fn above_min(values: &Values, importance: Given<'_>, top: f32) -> Lines<1, 32> {
    if let Some(Importance { columns, row_power }) = importance {
        let weights = fit::weighed(columns, values, row_power);
        return line::fit(&[*values], &[weights], &Search::weighted(top));
    }
    let least = |least: f32, value: &f32| if *value < least { *value } else { least };
    let most = |most: f32, value: &f32| if *value > most { *value } else { most };
    let min = values.iter().fold(f32::MAX, least);
    let scale = (values.iter().fold(f32::MIN, most) - min) / top;
    let inverse = fit::inverse_or_zero(scale);
    let levels = match inverse.is_finite() {
        true => fit::each(values, |value| at_most((value - min) * inverse + 0.5, top) as i32 as u8),
        false => [0; 32],
    };
    Lines { scales: [scale], below: [-min], levels: [levels] }
}

/// The fifth bit of each level.
fn fifth_bits(levels: &[u8; 32]) -> u32 {
    (0..).zip(levels).fold(0, |bits, (i, level)| bits | (u32::from(level >> 4) & 1) << i)
}

pub(super) fn decode_q4_0(bytes: &[u8; 18], values: &mut Values) {
    let scale = f16_to_f32(u16_at(bytes, 0));
    write(values, &levels(&bytes[2..]), |level| (level - 8.0) * scale);
}

pub(super) fn decode_q4_1(bytes: &[u8; 20], values: &mut Values) {
    let (scale, min) = (f16_to_f32(u16_at(bytes, 0)), f16_to_f32(u16_at(bytes, 2)));
    write(values, &levels(&bytes[4..]), |level| level * scale + min);
}

pub(super) fn decode_q5_0(bytes: &[u8; 22], values: &mut Values) {
    let scale = f16_to_f32(u16_at(bytes, 0));
    let levels = with_fifth_bits(levels(&bytes[6..]), &bytes[2..]);
    write(values, &levels, |level| (level - 16.0) * scale);
}

pub(super) fn decode_q5_1(bytes: &[u8; 24], values: &mut Values) {
    let (scale, min) = (f16_to_f32(u16_at(bytes, 0)), f16_to_f32(u16_at(bytes, 2)));
    let levels = with_fifth_bits(levels(&bytes[8..]), &bytes[4..]);
    write(values, &levels, |level| level * scale + min);
}

pub(super) fn decode_q8_0(bytes: &[u8; 34], values: &mut Values) {
    let scale = f16_to_f32(u16_at(bytes, 0));
    for (value, level) in values.iter_mut().zip(&bytes[2..]) {
        *value = f32::from(level.cast_signed()) * scale;
    }
}

/// The lower 4 bits of 16 bytes, then the upper ones.
#[inline]
fn levels(bytes: &[u8]) -> [u8; 32] {
    let mut levels = [0; 32];
    for (half, nibbles) in levels.as_chunks_mut().0.iter_mut().zip(unpack_nibbles::<16>(bytes)) {
        *half = nibbles;
    }
    levels
}

#[inline]
fn with_fifth_bits(mut levels: [u8; 32], bytes: &[u8]) -> [u8; 32] {
    for (eight, bits) in levels.as_chunks_mut::<8>().0.iter_mut().zip(bytes) {
        for (i, level) in eight.iter_mut().enumerate() {
            *level |= ((bits >> i) & 1) << 4;
        }
    }
    levels
}

#[inline]
pub(super) fn write<const N: usize>(
    values: &mut [f32; N],
    levels: &[u8; N],
    value: impl Fn(f32) -> f32,
) {
    for (target, level) in values.iter_mut().zip(levels) {
        *target = value(f32::from(*level));
    }
}
