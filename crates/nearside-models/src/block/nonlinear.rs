//! Formats whose levels are not evenly spaced: IQ4_NL and IQ4_XS with levels denser about 0, and MXFP4 and NVFP4 with
//! the levels of a 4-bit float.

use super::fit;
use super::half::{half_e8m0_to_f32, half_ue4m3_to_f32, ue4m3_from_f32};
use super::packing::{nibbles, u16_at, unpack_nibbles};
use super::{Importance, f16_from_f32, f16_to_f32};

/// The levels of IQ4 (`kvalues_iq4nl` of ggml).
const LEVELS: [f32; 16] = [
    -127.0, -104.0, -83.0, -65.0, -49.0, -35.0, -22.0, -10.0, 1.0, 13.0, 25.0, 38.0, 53.0, 69.0,
    89.0, 113.0,
];
/// Twice the values of a float with one sign bit, two of exponent and one of mantissa (E2M1).
const FLOATS: [f32; 16] =
    [0.0, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 0.0, -1.0, -2.0, -3.0, -4.0, -6.0, -8.0, -12.0];
/// Values of a group.
const GROUP: usize = 32;
/// How many scales are tried on each side.
const TRIES: i16 = 7;

/// Where the nearest level changes from one to the next. Near these a difference to a level is exact, so that the
/// nearest by difference is the same.
const MIDDLES: [f32; 15] = {
    let mut middles = [0.0; 15];
    let mut i = 0;
    while i < 15 {
        middles[i] = (LEVELS[i] + LEVELS[i + 1]) / 2.0;
        i += 1;
    }
    middles
};

/// Whether it is past a middle; what is no number is past all.
#[inline]
fn is_past(value: f32, middle: f32) -> bool {
    value.partial_cmp(&middle) != Some(std::cmp::Ordering::Less)
}

/// Levels of IQ4.
struct Uneven;

impl fit::Levels for Uneven {
    #[inline]
    fn nearest(&self, scaled: f32) -> f32 {
        let mut level = LEVELS[0];
        for i in 0..15 {
            level += if is_past(scaled, MIDDLES[i]) { LEVELS[i + 1] - LEVELS[i] } else { 0.0 };
        }
        level
    }

    #[inline]
    fn product(weight: f32, value: f32, level: f32) -> f32 {
        weight * level * value
    }

    fn first(product: f32, square: f32) -> f32 {
        if square > 0.0 { product / square } else { 0.0 }
    }
}

/// Which level is nearest to a value.
#[inline]
fn nearest_index(value: f32) -> u8 {
    MIDDLES.iter().map(|middle| i32::from(is_past(value, *middle))).sum::<i32>() as u8
}

/// The scale of a group.
fn fit_group(values: &[f32; GROUP], weights: &[f32; GROUP]) -> f32 {
    let far = fit::farthest(values);
    if far.abs() < fit::NOTHING {
        return 0.0;
    }
    let tries: [f32; 2 * TRIES as usize + 2] = std::array::from_fn(|at| match at {
        0 => 1.0 / (-far / LEVELS[0]),
        _ => (at as f32 - f32::from(TRIES + 1) + LEVELS[0]) / far,
    });
    fit::best(values, weights, &tries, &Uneven).0
}

fn weights(
    values: &[f32; GROUP],
    columns: Option<&[f32; GROUP]>,
    power: impl FnOnce() -> f32,
) -> [f32; GROUP] {
    match columns {
        Some(columns) => fit::weighed(columns, values, power()),
        None => fit::each(values, |value| value * value),
    }
}

/// The double mean square.
fn double_power(values: &[f32]) -> f32 {
    fit::sum(values.iter().map(|value| value * value)) * (2.0 / values.len() as f32)
}

pub(super) fn encode_iq4_nl(
    values: &[f32; 32],
    importance: Option<Importance<'_, 32>>,
    bytes: &mut [u8; 18],
) {
    let columns = importance.map(|importance| importance.columns);
    let weights = weights(values, columns, || double_power(values));
    let scale = fit_group(values, &weights);
    let inverse = fit::inverse_or_zero(scale);
    bytes[..2].copy_from_slice(&f16_from_f32(scale).to_le_bytes());
    let levels = fit::each(values, |value| nearest_index(inverse * value));
    bytes[2..].copy_from_slice(&nibbles::<32, 16>(&levels));
}

pub(super) fn encode_iq4_xs(
    values: &[f32; 256],
    importance: Option<Importance<'_, 256>>,
    bytes: &mut [u8; 136],
) {
    let groups = values.as_chunks::<GROUP>().0;
    let columns = importance.map(|importance| importance.columns.as_chunks::<GROUP>().0);
    let power = columns.map_or(0.0, |_| double_power(values));
    let mut scales = [0.0; 8];
    for (group, scale) in scales.iter_mut().enumerate() {
        let columns = columns.map(|columns| &columns[group]);
        *scale = fit_group(&groups[group], &weights(&groups[group], columns, || power));
    }
    let unit = -fit::farthest(&scales) / 32.0;
    let inverse = fit::inverse_or_zero(unit);
    let (mut low, mut high) = ([0; 4], 0);
    for (group, (scale, target)) in
        scales.iter().zip(bytes[8..].as_chunks_mut::<16>().0).enumerate()
    {
        let scale = fit::nearest(inverse * scale).clamp(-32, 31);
        let inverse = fit::inverse_or_zero(unit * scale as f32);
        *target =
            nibbles::<32, 16>(&fit::each(&groups[group], |value| nearest_index(inverse * value)));
        let stored = (scale + 32) as u16;
        low[group / 2] |= (stored as u8 & 0xf) << (group % 2 * 4);
        high |= (stored >> 4) << (2 * group);
    }
    bytes[..2].copy_from_slice(&f16_from_f32(unit).to_le_bytes());
    bytes[2..4].copy_from_slice(&high.to_le_bytes());
    bytes[4..8].copy_from_slice(&low);
}

pub(super) fn encode_mxfp4(values: &[f32; 32], bytes: &mut [u8; 17]) {
    let most = fit::greatest(values);
    // In double precision first: a logarithm next to a whole number rounds to it, as it does in ggml.
    let exponent = (f64::from(most).log2() as f32).floor() as i32;
    let scale = if most > 0.0 { (exponent - 2 + 127) as u8 } else { 0 };
    bytes[0] = scale;
    let levels = nearest_floats(values, half_e8m0_to_f32(scale));
    bytes[1..].copy_from_slice(&nibbles::<32, 16>(&levels));
}

pub(super) fn encode_nvfp4(values: &[f32; 64], bytes: &mut [u8; 36]) {
    for (group, values) in values.as_chunks::<16>().0.iter().enumerate() {
        let scale = ue4m3_from_f32(fit::greatest(values) / 6.0);
        bytes[group] = scale;
        let levels = nearest_floats(values, half_ue4m3_to_f32(scale));
        bytes[4 + group * 8..][..8].copy_from_slice(&nibbles::<16, 8>(&levels));
    }
}

/// Which 4-bit float, scaled, is nearest to each value; the one nearer to 0 of two that are equally near.
///
/// Scaled floats and what is halfway between two of them are exact, and so are differences to them near there: to
/// compare with what is halfway finds the one with the least difference.
fn nearest_floats<const N: usize>(values: &[f32; N], scale: f32) -> [u8; N] {
    // Where a value is so large, or the scale so small, that all differences round to the same, 0 is the nearest.
    if fit::greatest(values) >= 1024.0 * scale {
        return fit::each(values, |value| least_difference(value, scale));
    }
    let halfway: [f32; 7] = std::array::from_fn(|i| match (FLOATS[i + 1] * scale).is_finite() {
        true => (FLOATS[i] + FLOATS[i + 1]) / 2.0 * scale,
        false => f32::INFINITY,
    });
    fit::each(values, |value| {
        let past: i32 = halfway.iter().map(|halfway| i32::from(value.abs() > *halfway)).sum();
        // The sign is the fourth bit; 0 has none.
        let sign = i32::from(value < 0.0) & i32::from(past > 0);
        (past | (sign << 3)) as u8
    })
}

/// The scaled float with the least difference to a value, the first of those.
fn least_difference(value: f32, scale: f32) -> u8 {
    let difference = |i: usize| (FLOATS[i] * scale - value).abs();
    let nearer = |best: usize, i: usize| if difference(i) < difference(best) { i } else { best };
    (1..FLOATS.len()).fold(0, nearer) as u8
}

pub(super) fn decode_iq4_nl(bytes: &[u8; 18], values: &mut [f32; 32]) {
    let scale = f16_to_f32(u16_at(bytes, 0));
    decode_from(&LEVELS, &bytes[2..], scale, values.as_chunks_mut::<16>().0);
}

pub(super) fn decode_iq4_xs(bytes: &[u8; 136], values: &mut [f32; 256]) {
    let unit = f16_to_f32(u16_at(bytes, 0));
    let high = u16_at(bytes, 2);
    for (group, target) in values.as_chunks_mut::<GROUP>().0.iter_mut().enumerate() {
        let low = (bytes[4 + group / 2] >> (group % 2 * 4)) & 0xf;
        let stored = low | ((high >> (2 * group)) as u8 & 3) << 4;
        let scale = unit * (f32::from(stored) - 32.0);
        decode_from(&LEVELS, &bytes[8 + group * 16..], scale, target.as_chunks_mut::<16>().0);
    }
}

pub(super) fn decode_mxfp4(bytes: &[u8; 17], values: &mut [f32; 32]) {
    let scale = half_e8m0_to_f32(bytes[0]);
    decode_from(&FLOATS, &bytes[1..], scale, values.as_chunks_mut::<16>().0);
}

pub(super) fn decode_nvfp4(bytes: &[u8; 36], values: &mut [f32; 64]) {
    for (group, target) in values.as_chunks_mut::<16>().0.iter_mut().enumerate() {
        let scale = half_ue4m3_to_f32(bytes[group]);
        decode_from(&FLOATS, &bytes[4 + group * 8..], scale, target.as_chunks_mut::<8>().0);
    }
}

/// Scaled entries of a table, by the lower 4 bits of `H` bytes and then by the upper 4.
fn decode_from<const H: usize>(
    table: &[f32; 16],
    bytes: &[u8],
    scale: f32,
    halves: &mut [[f32; H]],
) {
    let scaled = table.map(|level| scale * level);
    for (half, levels) in halves.iter_mut().zip(unpack_nibbles::<H>(bytes)) {
        for (value, level) in half.iter_mut().zip(levels) {
            *value = scaled[usize::from(level & 0xf)];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::fit::Levels as _;
    use super::*;

    #[test]
    fn the_nearest_float_is_the_one_with_the_least_difference() {
        let e8m0 = (0..=u8::MAX).map(half_e8m0_to_f32);
        for scale in e8m0.chain((0..=u8::MAX).map(half_ue4m3_to_f32)) {
            for middle in [0.0, 0.5, 1.0, 1.5, 2.5, 3.5, 5.0, 7.0, 10.0, 12.0, 15.0] {
                let middle = middle * scale;
                let near = [middle.next_down(), middle, middle.next_up()];
                let near = near.map(|value| value.min(f32::MAX));
                for values in [near, near.map(|value| -value)] {
                    let expected = values.map(|value| least_difference(value, scale));
                    assert_eq!(nearest_floats(&values, scale), expected, "{values:?} {scale:e}");
                }
            }
        }
    }

    #[test]
    fn the_nearest_level_is_the_one_with_the_least_difference() {
        for middle in MIDDLES {
            for near in [middle.next_down(), middle, middle.next_up()] {
                let above = LEVELS.iter().position(|level| near < *level).unwrap();
                let lower = near - LEVELS[above - 1] < LEVELS[above] - near;
                let expected = if lower { above - 1 } else { above };
                assert_eq!(usize::from(nearest_index(near)), expected, "{near}");
                assert!((Uneven.nearest(near) - LEVELS[expected]).abs() < 0.5, "{near}");
            }
        }
        assert_eq!((nearest_index(-1e9), nearest_index(1e9), nearest_index(f32::NAN)), (0, 15, 15));
    }
}
