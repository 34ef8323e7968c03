//! Formats of 256 values in groups that have a scale and a minimum each: Q2_K, Q4_K and Q5_K.
//!
//! A value is `d * scale * level - dmin * min`. Scales and minima are whole numbers of few bits, `d` and `dmin` are
//! binary16.

use super::fit;
use super::line::{self, Loss, Search};
use super::packing::{
    BLOCK, pack_scales_and_mins, u16_at, unpack_nibbles, unpack_pairs, unpack_scales_and_mins,
    write_bits, write_nibbles, write_pairs,
};
use super::plain::write;
use super::{Importance, f16_from_f32, f16_to_f32};

/// How a format is searched, and the most that its scales are.
struct Format {
    plain: Search,
    weighted: Search,
    top_scale: f32,
}

const Q2: Format = Format {
    plain: Search { top: 3.0, first: -0.5, step: 0.1, tries: 16, loss: Loss::Absolute },
    weighted: Search::weighted(3.0),
    top_scale: 15.0,
};
const Q4: Format = Format {
    plain: Search { top: 15.0, first: -1.0, step: 0.1, tries: 21, loss: Loss::Squared },
    weighted: Search::weighted(15.0),
    top_scale: 63.0,
};
const Q5: Format = Format {
    plain: Search { top: 31.0, first: -0.5, step: 0.1, tries: 16, loss: Loss::Squared },
    weighted: Search::weighted(31.0),
    top_scale: 63.0,
};

/// What a block is: `G` scales and minima, and the two numbers that they are multiples of.
struct Chosen<const G: usize> {
    unit: u16,
    min_unit: u16,
    scales: [u8; G],
    mins: [u8; G],
    levels: [u8; BLOCK],
}

/// Groups with their scales as floats; `weights` is the sum of a group's weights.
struct Groups<const G: usize> {
    scales: [f32; G],
    mins: [f32; G],
    weights: [f32; G],
    levels: [u8; BLOCK],
}

/// Groups that are fitted side by side.
const SIDE_BY_SIDE: usize = 8;

fn fit_groups<const G: usize, const N: usize>(
    values: &[f32; BLOCK],
    search: &Search,
    weights_of: impl Fn(usize, &[f32; N]) -> [f32; N],
) -> Groups<G> {
    let mut groups =
        Groups { scales: [0.0; G], mins: [0.0; G], weights: [0.0; G], levels: [0; BLOCK] };
    let targets = groups.levels.as_chunks_mut::<N>().0.as_chunks_mut::<SIDE_BY_SIDE>().0;
    let together = values.as_chunks::<N>().0.as_chunks::<SIDE_BY_SIDE>().0;
    for (share, (values, target)) in together.iter().zip(targets).enumerate() {
        let first = share * SIDE_BY_SIDE;
        let weights = std::array::from_fn(|i| weights_of(first + i, &values[i]));
        let lines = line::fit(values, &weights, search);
        groups.scales[first..][..SIDE_BY_SIDE].copy_from_slice(&lines.scales);
        groups.mins[first..][..SIDE_BY_SIDE].copy_from_slice(&lines.below);
        for (sum, weights) in groups.weights[first..].iter_mut().zip(weights) {
            *sum = fit::sum(weights.into_iter());
        }
        *target = lines.levels;
    }
    groups
}

/// Scales as multiples of the `top`-th part of the greatest.
fn by_greatest<const G: usize>(scales: &[f32; G], top: f32) -> ([u8; G], u16) {
    let most = scales.iter().fold(0.0f32, |most, scale| if *scale > most { *scale } else { most });
    let inverse = if most > 0.0 { top / most } else { 0.0 };
    let levels = scales.map(|scale| (fit::nearest(inverse * scale) as u8).min(top as u8));
    (levels, f16_from_f32(most / top))
}

/// Scales as multiples of what suits the weights of the groups best.
fn by_weight<const G: usize>(scales: &[f32; G], weights: &[f32; G], top: f32) -> ([u8; G], u16) {
    let fitted = fit::positive(scales, weights, top);
    (fitted.levels, f16_from_f32(fitted.scale))
}

fn choose<const G: usize, const N: usize>(
    values: &[f32; BLOCK],
    importance: Option<Importance<'_, BLOCK>>,
    format: &Format,
    plain_weights: impl Fn(&[f32; N]) -> [f32; N],
    power: impl Fn(f32) -> f32,
) -> Chosen<G> {
    let (groups, (scales, unit), (mins, min_unit), top);
    if let Some(importance) = importance {
        let power = power(fit::sum(values.iter().map(|value| value * value)));
        let columns = importance.columns.as_chunks::<N>().0;
        let weights =
            |group: usize, values: &[f32; N]| fit::weighed(&columns[group], values, power);
        groups = fit_groups(values, &format.weighted, weights);
        (scales, unit) = by_weight(&groups.scales, &groups.weights, format.top_scale);
        (mins, min_unit) = by_weight(&groups.mins, &groups.weights, format.top_scale);
        top = format.weighted.top;
    } else {
        groups = fit_groups(values, &format.plain, |_, values| plain_weights(values));
        (scales, unit) = by_greatest(&groups.scales, format.top_scale);
        (mins, min_unit) = by_greatest(&groups.mins, format.top_scale);
        top = format.plain.top;
    }
    let mut chosen = Chosen { unit, min_unit, scales, mins, levels: groups.levels };
    chosen.round::<N>(values, top);
    chosen
}

impl<const G: usize> Chosen<G> {
    /// Levels for the scales as they are stored; a group whose scale is 0 keeps those that it had.
    fn round<const N: usize>(&mut self, values: &[f32; BLOCK], top: f32) {
        let (unit, min_unit) = (f16_to_f32(self.unit), f16_to_f32(self.min_unit));
        let targets = self.levels.as_chunks_mut::<N>().0;
        for (group, (values, target)) in values.as_chunks::<N>().0.iter().zip(targets).enumerate() {
            let scale = unit * f32::from(self.scales[group]);
            if scale == 0.0 {
                continue;
            }
            let min = min_unit * f32::from(self.mins[group]);
            *target = fit::each(values, |value| fit::level((value + min) / scale, 0.0, top) as u8);
        }
    }

    /// The two units, one after the other.
    fn units(&self) -> [u8; 4] {
        let ([a, b], [c, d]) = (self.unit.to_le_bytes(), self.min_unit.to_le_bytes());
        [a, b, c, d]
    }
}

/// Values count by their distance from 0, and by how large their group is.
fn plain_weights(values: &[f32; 32]) -> [f32; 32] {
    let mean = (fit::sum(values.iter().map(|value| value * value)) / 32.0).sqrt();
    fit::each(values, |value| mean + value.abs())
}

/// The double mean square of a block with that sum of squares.
fn double_power(squares: f32) -> f32 {
    2.0 * squares / BLOCK as f32
}

pub(super) fn encode_q2(
    values: &[f32; 256],
    importance: Option<Importance<'_, 256>>,
    bytes: &mut [u8; 84],
) {
    let power = |squares: f32| squares / BLOCK as f32;
    let weights = |values: &[f32; 16]| values.map(f32::abs);
    let chosen: Chosen<16> = choose(values, importance, &Q2, weights, power);
    for (byte, (scale, min)) in bytes.iter_mut().zip(chosen.scales.iter().zip(chosen.mins)) {
        *byte = scale | (min << 4);
    }
    write_pairs(&chosen.levels, &mut bytes[16..80]);
    bytes[80..].copy_from_slice(&chosen.units());
}

pub(super) fn encode_q4(
    values: &[f32; 256],
    importance: Option<Importance<'_, 256>>,
    bytes: &mut [u8; 144],
) {
    let chosen: Chosen<8> = choose(values, importance, &Q4, plain_weights, double_power);
    bytes[..4].copy_from_slice(&chosen.units());
    bytes[4..16].copy_from_slice(&pack_scales_and_mins(&chosen.scales, &chosen.mins));
    write_nibbles(&chosen.levels, &mut bytes[16..]);
}

pub(super) fn encode_q5(
    values: &[f32; 256],
    importance: Option<Importance<'_, 256>>,
    bytes: &mut [u8; 176],
) {
    let chosen: Chosen<8> = choose(values, importance, &Q5, plain_weights, double_power);
    bytes[..4].copy_from_slice(&chosen.units());
    bytes[4..16].copy_from_slice(&pack_scales_and_mins(&chosen.scales, &chosen.mins));
    write_bits(&chosen.levels, 4, &mut bytes[16..48]);
    write_nibbles(&chosen.levels, &mut bytes[48..]);
}

pub(super) fn decode_q2(bytes: &[u8; 84], values: &mut [f32; 256]) {
    let (unit, min_unit) = (f16_to_f32(u16_at(bytes, 80)), f16_to_f32(u16_at(bytes, 82)));
    let levels = unpack_pairs(&bytes[16..80]);
    let levels = levels.as_chunks::<16>().0;
    for (group, target) in values.as_chunks_mut::<16>().0.iter_mut().enumerate() {
        let scale = unit * f32::from(bytes[group] & 0xf);
        let min = min_unit * f32::from(bytes[group] >> 4);
        write(target, &levels[group], |level| scale * level - min);
    }
}

pub(super) fn decode_q4(bytes: &[u8; 144], values: &mut [f32; 256]) {
    decode_nibbles(bytes, &bytes[16..], |_, _| {}, values);
}

pub(super) fn decode_q5(bytes: &[u8; 176], values: &mut [f32; 256]) {
    let add_fifth_bits = |group: usize, levels: &mut [u8; 32]| {
        for (level, bits) in levels.iter_mut().zip(&bytes[16..48]) {
            *level |= ((bits >> group) & 1) << 4;
        }
    };
    decode_nibbles(bytes, &bytes[48..], add_fifth_bits, values);
}

/// Levels whose lower 4 bits lie in `nibbles`; `complete` adds the bits above to those of a group.
#[inline]
fn decode_nibbles(
    head: &[u8],
    nibbles: &[u8],
    complete: impl Fn(usize, &mut [u8; 32]),
    values: &mut [f32; BLOCK],
) {
    let (unit, min_unit) = (f16_to_f32(u16_at(head, 0)), f16_to_f32(u16_at(head, 2)));
    let scales_and_mins = unpack_scales_and_mins(head[4..].first_chunk().unwrap_or(&[0; 12]));
    let (scales, mins) = scales_and_mins.split_at(8);
    let levels = nibbles.chunks_exact(32).flat_map(unpack_nibbles::<32>);
    for (group, (mut levels, target)) in levels.zip(values.as_chunks_mut().0).enumerate() {
        complete(group, &mut levels);
        let (scale, min) = (unit * f32::from(scales[group]), min_unit * f32::from(mins[group]));
        write(target, &levels, |level| scale * level - min);
    }
}
