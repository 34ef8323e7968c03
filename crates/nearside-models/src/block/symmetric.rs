//! Formats of 256 values in groups of 16 that have a scale each and no minimum: Q3_K and Q6_K; and Q8_K, which has
//! one scale for all.
//!
//! A value is `d * scale * level`, with a signed whole number for the scale and the level.

use super::fit::{self, Symmetric};
use super::packing::{
    BLOCK, pack_scales, u16_at, unpack_nibbles, unpack_pairs, unpack_scales, write_bits,
    write_pairs,
};
use super::plain::write;
use super::{Importance, f16_from_f32, f16_to_f32};

/// Values of a group.
const GROUP: usize = 16;
const GROUPS: usize = BLOCK / GROUP;

type Group = [f32; GROUP];

/// The scale and the levels of each group, as `fit` has them.
fn fit_groups(
    values: &[f32; BLOCK],
    mut fit: impl FnMut(usize, &Group) -> Symmetric<GROUP>,
) -> ([f32; GROUPS], [u8; BLOCK]) {
    let (mut scales, mut all_levels) = ([0.0; GROUPS], [0; BLOCK]);
    let targets = all_levels.as_chunks_mut().0.iter_mut().zip(&mut scales);
    for (group, (values, target)) in values.as_chunks().0.iter().zip(targets).enumerate() {
        let Symmetric { scale, levels } = fit(group, values);
        *target.0 = levels;
        *target.1 = scale;
    }
    (scales, all_levels)
}

/// Levels, from 0, for the scales as they are stored; a group whose scale is 0 keeps those that it had.
fn round(values: &[f32; BLOCK], scales: &[f32; GROUPS], bound: f32, levels: &mut [u8; BLOCK]) {
    let groups = values.as_chunks::<GROUP>().0.iter().zip(levels.as_chunks_mut::<GROUP>().0);
    for ((values, target), scale) in groups.zip(scales) {
        if *scale != 0.0 {
            *target = fit::each(values, |value| {
                (fit::level(value / scale, -bound, bound - 1.0) + bound) as u8
            });
        }
    }
}

pub(super) fn encode_q3(
    values: &[f32; 256],
    importance: Option<Importance<'_, 256>>,
    bytes: &mut [u8; 110],
) {
    let (scales, unit, mut levels) = match importance {
        None => {
            let (scales, levels) = fit_groups(values, |_, values| fit::alternating(values, 4.0));
            let (scales, unit) = q3_scales_by_greatest(&scales);
            (scales, unit, levels)
        }
        Some(importance) => {
            let squares = fit::sum(values.iter().map(|value| value * value));
            let power = 2.0 * squares / BLOCK as f32;
            let columns = importance.columns.as_chunks::<GROUP>().0;
            let mut sums = [0.0; GROUPS];
            let (scales, levels) = fit_groups(values, |group, values| {
                let weights = fit::weighed(&columns[group], values, power);
                sums[group] = fit::sum(weights.into_iter());
                fit::symmetric(values, &weights, 4.0)
            });
            let Symmetric { scale, levels: scales } = fit::symmetric(&scales, &sums, 32.0);
            (scales, f16_from_f32(scale), levels)
        }
    };
    let unit_stored = f16_to_f32(unit);
    let stored = scales.map(|scale| unit_stored * (f32::from(scale) - 32.0));
    round(values, &stored, 4.0, &mut levels);
    write_bits(&levels, 2, &mut bytes[..32]);
    write_pairs(&levels, &mut bytes[32..96]);
    bytes[96..108].copy_from_slice(&pack_scales(&scales));
    bytes[108..].copy_from_slice(&unit.to_le_bytes());
}

/// Scales as multiples of the 32nd part of the farthest from 0, from 0; and that part.
fn q3_scales_by_greatest(scales: &[f32; GROUPS]) -> ([u8; GROUPS], u16) {
    let far = fit::farthest(scales);
    if far == 0.0 {
        return ([0; GROUPS], 0);
    }
    let inverse = -32.0 / far;
    let levels = scales
        .map(|scale| ((fit::nearest(inverse * scale) as i8).clamp(-32, 31) + 32).cast_unsigned());
    (levels, f16_from_f32(1.0 / inverse))
}

pub(super) fn encode_q6(
    values: &[f32; 256],
    importance: Option<Importance<'_, 256>>,
    bytes: &mut [u8; 210],
) {
    let columns = importance.map(|importance| importance.columns.as_chunks::<GROUP>().0);
    let (scales, mut levels) = fit_groups(values, |group, values| {
        let weights = match columns {
            Some(columns) => columns[group],
            None => fit::each(values, |value| value * value),
        };
        fit::symmetric(values, &weights, 32.0)
    });
    let far = fit::farthest(&scales);
    if far.abs() < fit::NOTHING {
        return bytes.fill(0);
    }
    let inverse = -128.0 / far;
    let unit = f16_from_f32(1.0 / inverse);
    let scales = scales.map(|scale| fit::nearest(inverse * scale).min(127) as i8);
    let unit_stored = f16_to_f32(unit);
    let stored = scales.map(|scale| unit_stored * f32::from(scale));
    round(values, &stored, 32.0, &mut levels);
    write_q6_levels(&levels, bytes);
    for (byte, scale) in bytes[192..208].iter_mut().zip(scales) {
        *byte = scale.cast_unsigned();
    }
    bytes[208..].copy_from_slice(&unit.to_le_bytes());
}

/// Levels of 6 bits: the lower 4 of 128 in 64 bytes, the upper 2 of four times 32 in 32.
fn write_q6_levels(levels: &[u8; BLOCK], bytes: &mut [u8; 210]) {
    for (levels, bytes) in levels.as_chunks::<128>().0.iter().zip(bytes.as_chunks_mut::<64>().0) {
        *bytes = super::packing::nibbles(levels);
    }
    write_pairs(&levels.map(|level| level >> 4), &mut bytes[128..192]);
}

pub(super) fn decode_q3(bytes: &[u8; 110], values: &mut [f32; 256]) {
    let unit = f16_to_f32(u16_at(bytes, 108));
    let scales = unpack_scales(&bytes[96..108]);
    let mut levels = unpack_pairs(&bytes[32..96]);
    for (bit, levels) in levels.as_chunks_mut::<32>().0.iter_mut().enumerate() {
        for (level, byte) in levels.iter_mut().zip(bytes) {
            *level |= ((byte >> bit) & 1) << 2;
        }
    }
    let targets = values.as_chunks_mut::<GROUP>().0.iter_mut().zip(levels.as_chunks().0);
    for ((target, levels), scale) in targets.zip(scales) {
        let scale = unit * (f32::from(scale) - 32.0);
        write(target, levels, |level| scale * (level - 4.0));
    }
}

pub(super) fn decode_q6(bytes: &[u8; 210], values: &mut [f32; 256]) {
    let unit = f16_to_f32(u16_at(bytes, 208));
    let mut levels = unpack_pairs(&bytes[128..192]);
    let lower = bytes[..128].chunks_exact(64).flat_map(unpack_nibbles::<64>);
    for (levels, lower) in levels.as_chunks_mut::<64>().0.iter_mut().zip(lower) {
        for (level, lower) in levels.iter_mut().zip(lower) {
            *level = (*level << 4) | lower;
        }
    }
    let targets = values.as_chunks_mut::<GROUP>().0.iter_mut().zip(levels.as_chunks().0);
    for ((target, levels), scale) in targets.zip(&bytes[192..208]) {
        let scale = unit * f32::from(scale.cast_signed());
        write(target, levels, |level| scale * (level - 32.0));
    }
}

pub(super) fn decode_q8(bytes: &[u8; 292], values: &mut [f32; 256]) {
    let scale = f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    for (value, level) in values.iter_mut().zip(&bytes[4..260]) {
        *value = scale * f32::from(level.cast_signed());
    }
}
