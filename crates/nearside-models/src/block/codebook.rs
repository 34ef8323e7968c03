//! Formats whose levels come in groups from a codebook: IQ1_S, IQ1_M, IQ2_XXS, IQ2_XS, IQ2_S, IQ3_XXS and IQ3_S.
//!
//! The codebooks are ggml's (`iq1s_grid` and the like in `ggml-common.h`, MIT licence). `codebook.bin` has an entry of
//! 16 bits, little-endian, for each group of 8 levels with 2 bits each, or of 4 with 3 bits; the first in the lowest
//! bits. IQ1_M shares that of IQ1_S.

mod book;
mod encode;
mod search;

use super::f16_to_f32;
use super::packing::u16_at;

pub(super) use encode::{
    encode_iq2_s, encode_iq2_xs, encode_iq2_xxs, encode_iq3_s, encode_iq3_xxs,
};

static BOOKS: &[u8] = include_bytes!("codebook.bin");

/// Where the codebooks begin in the file.
const IQ2_XXS: usize = 0;
const IQ2_XS: usize = IQ2_XXS + 2 * 256;
const IQ2_S: usize = IQ2_XS + 2 * 512;
const IQ3_XXS: usize = IQ2_S + 2 * 1024;
const IQ3_S: usize = IQ3_XXS + 2 * 256;
const IQ1_S: usize = IQ3_S + 2 * 512;

/// What 2 bits of an entry stand for; 3 is not there.
const TWO_BITS: [f32; 4] = [8.0, 25.0, 43.0, 0.0];
const TWO_BITS_SIGNED: [f32; 4] = [-1.0, 0.0, 1.0, 0.0];
/// What 3 bits of an entry stand for.
const THREE_BITS_XXS: [f32; 8] = [4.0, 12.0, 20.0, 28.0, 36.0, 44.0, 52.0, 62.0];
const THREE_BITS_S: [f32; 8] = [1.0, 3.0, 5.0, 7.0, 9.0, 11.0, 13.0, 15.0];

/// How far the levels of IQ1 are moved, up or down.
const SHIFT: f32 = 0.125;

fn entry(book: usize, index: usize) -> u16 {
    u16_at(BOOKS, book + 2 * index)
}

fn eight(book: usize, index: usize, levels: &[f32; 4]) -> [f32; 8] {
    let entry = entry(book, index);
    std::array::from_fn(|i| levels[usize::from(entry >> (2 * i) & 3)])
}

fn four(book: usize, index: usize, levels: &[f32; 8]) -> [f32; 4] {
    let entry = entry(book, index);
    std::array::from_fn(|i| levels[usize::from(entry >> (3 * i) & 7)])
}

/// Eight levels of a scale, negative where a bit is set.
fn write_signed(values: &mut [f32; 8], scale: f32, levels: &[f32; 8], signs: u8) {
    for (i, (value, level)) in values.iter_mut().zip(levels).enumerate() {
        let sign = if signs >> i & 1 == 1 { -1.0 } else { 1.0 };
        *value = scale * level * sign;
    }
}

/// Eight signs from seven: an even number of them is negative.
fn even_signs(seven: u32) -> u8 {
    let seven = seven as u8 & 127;
    seven | ((seven.count_ones() as u8 & 1) << 7)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(u16_at(bytes, at)) | u32::from(u16_at(bytes, at + 2)) << 16
}

/// The lower or the upper 4 bits.
fn nibble(byte: u8, which: usize) -> f32 {
    f32::from((byte >> (4 * which)) & 0xf)
}

/// The values in their 32 groups of eight, counted.
fn eights(values: &mut [f32; 256]) -> impl Iterator<Item = (usize, &mut [f32; 8])> {
    values.as_chunks_mut::<8>().0.iter_mut().enumerate()
}

pub(super) fn decode_iq2_xxs(bytes: &[u8; 66], values: &mut [f32; 256]) {
    let unit = f16_to_f32(u16_at(bytes, 0));
    for (group, values) in eights(values) {
        let place = 2 + group / 4 * 8;
        let signs_and_scale = u32_at(bytes, place + 4);
        let scale = unit * (0.5 + (signs_and_scale >> 28) as f32) * 0.25;
        let levels = eight(IQ2_XXS, bytes[place + group % 4].into(), &TWO_BITS);
        write_signed(values, scale, &levels, even_signs(signs_and_scale >> (7 * (group % 4))));
    }
}

pub(super) fn decode_iq2_xs(bytes: &[u8; 74], values: &mut [f32; 256]) {
    let unit = f16_to_f32(u16_at(bytes, 0));
    for (group, values) in eights(values) {
        let word = u16_at(bytes, 2 + group * 2);
        let scale = unit * (0.5 + nibble(bytes[66 + group / 4], group % 4 / 2)) * 0.25;
        let levels = eight(IQ2_XS, usize::from(word & 511), &TWO_BITS);
        write_signed(values, scale, &levels, even_signs(u32::from(word >> 9)));
    }
}

pub(super) fn decode_iq2_s(bytes: &[u8; 82], values: &mut [f32; 256]) {
    let unit = f16_to_f32(u16_at(bytes, 0));
    for (group, values) in eights(values) {
        let high = usize::from(bytes[66 + group / 4] >> (group % 4 * 2) & 3) << 8;
        let scale = unit * (0.5 + nibble(bytes[74 + group / 4], group % 4 / 2)) * 0.25;
        let levels = eight(IQ2_S, usize::from(bytes[2 + group]) | high, &TWO_BITS);
        write_signed(values, scale, &levels, bytes[34 + group]);
    }
}

/// Two groups of four as one of eight.
fn joined(first: [f32; 4], second: [f32; 4]) -> [f32; 8] {
    std::array::from_fn(|i| if i < 4 { first[i] } else { second[i - 4] })
}

pub(super) fn decode_iq3_xxs(bytes: &[u8; 98], values: &mut [f32; 256]) {
    let unit = f16_to_f32(u16_at(bytes, 0));
    for (group, values) in eights(values) {
        let signs_and_scale = u32_at(bytes, 66 + group / 4 * 4);
        let scale = unit * (0.5 + (signs_and_scale >> 28) as f32) * 0.5;
        let part = |i: usize| four(IQ3_XXS, bytes[2 + group * 2 + i].into(), &THREE_BITS_XXS);
        let signs = even_signs(signs_and_scale >> (7 * (group % 4)));
        write_signed(values, scale, &joined(part(0), part(1)), signs);
    }
}

pub(super) fn decode_iq3_s(bytes: &[u8; 110], values: &mut [f32; 256]) {
    let unit = f16_to_f32(u16_at(bytes, 0));
    for (group, values) in eights(values) {
        let scale = unit * (1.0 + 2.0 * nibble(bytes[106 + group / 8], group % 8 / 4));
        let part = |i: usize| {
            let high = usize::from(bytes[66 + group / 4] >> (group % 4 * 2 + i) & 1) << 8;
            four(IQ3_S, usize::from(bytes[2 + group * 2 + i]) | high, &THREE_BITS_S)
        };
        write_signed(values, scale, &joined(part(0), part(1)), bytes[74 + group]);
    }
}

/// Eight levels of -1, 0 and 1, all moved.
fn write_shifted(values: &mut [f32; 8], scale: f32, index: usize, down: bool) {
    let shift = if down { -SHIFT } else { SHIFT };
    *values = eight(IQ1_S, index, &TWO_BITS_SIGNED).map(|level| scale * (level + shift));
}

pub(super) fn decode_iq1_s(bytes: &[u8; 50], values: &mut [f32; 256]) {
    let unit = f16_to_f32(u16_at(bytes, 0));
    for (group, values) in eights(values) {
        let word = u16_at(bytes, 34 + group / 4 * 2);
        let scale = unit * f32::from(2 * (word >> 12 & 7) + 1);
        let high = usize::from(word >> (3 * (group % 4)) & 7) << 8;
        write_shifted(values, scale, usize::from(bytes[2 + group]) | high, word >> 15 == 1);
    }
}

pub(super) fn decode_iq1_m(bytes: &[u8; 56], values: &mut [f32; 256]) {
    let words: [u16; 4] = std::array::from_fn(|i| u16_at(bytes, 48 + 2 * i));
    // The scale of all is spread over the upper 4 bits of the four words.
    let unit = (0..4).fold(0, |unit, i| unit | (words[i] >> 12) << (4 * i));
    let unit = f16_to_f32(unit);
    for (group, values) in eights(values) {
        let scale = words[group / 8] >> (3 * (group % 8 / 2)) & 7;
        let high = bytes[32 + group / 2] >> (4 * (group % 2)) & 0xf;
        let index = usize::from(bytes[group]) | usize::from(high & 7) << 8;
        write_shifted(values, unit * f32::from(2 * scale + 1), index, high & 8 != 0);
    }
}
