//! IQ2_XXS, IQ2_XS, IQ2_S, IQ3_XXS and IQ3_S written.

use std::sync::LazyLock;

use super::book::{Book, Place};
use super::search::{Again, Begin, Search, Signs, Unsigned};
use super::{IQ2_S, IQ2_XS, IQ2_XXS, IQ3_S, IQ3_XXS};
use crate::block::fit;
use crate::block::packing::BLOCK;
use crate::block::{Importance, f16_from_f32};

/// A format with entries of `E` levels.
struct Format<const E: usize> {
    book: &'static LazyLock<Book<E>>,
    search: Search,
    /// What the mean square of the block is multiplied by where it is weighed with the columns.
    power: f32,
    /// How much of that weighs without columns.
    plain_power: f32,
    /// What the scale of all is multiplied by, found by trying.
    correction: f32,
}

static IQ2_XXS_BOOK: LazyLock<Book<8>> =
    LazyLock::new(|| Book::new(&Place { begin: IQ2_XXS, entries: 256, kinds: 3, distances: 2 }));
static IQ2_XS_BOOK: LazyLock<Book<8>> =
    LazyLock::new(|| Book::new(&Place { begin: IQ2_XS, entries: 512, kinds: 3, distances: 2 }));
static IQ2_S_BOOK: LazyLock<Book<8>> =
    LazyLock::new(|| Book::new(&Place { begin: IQ2_S, entries: 1024, kinds: 3, distances: 1 }));
static IQ3_XXS_BOOK: LazyLock<Book<4>> =
    LazyLock::new(|| Book::new(&Place { begin: IQ3_XXS, entries: 256, kinds: 8, distances: 2 }));
static IQ3_S_BOOK: LazyLock<Book<4>> =
    LazyLock::new(|| Book::new(&Place { begin: IQ3_S, entries: 512, kinds: 8, distances: 3 }));

const IQ2_XXS_FORMAT: Format<8> = Format {
    book: &IQ2_XXS_BOOK,
    search: Search {
        signs: Signs::Even,
        begin: Begin::Levels(4.0),
        most: 5.0,
        tries: 6,
        step: 0.1,
        nothing: fit::NOTHING,
        again: Again::All,
    },
    power: 1.0,
    plain_power: 0.0,
    correction: 1.0,
};
const IQ2_XS_FORMAT: Format<8> = Format {
    book: &IQ2_XS_BOOK,
    search: Search {
        begin: Begin::Greatest,
        tries: 9,
        again: Again::Inexact,
        ..IQ2_XXS_FORMAT.search
    },
    ..IQ2_XXS_FORMAT
};
const IQ2_S_FORMAT: Format<8> = Format {
    book: &IQ2_S_BOOK,
    search: Search { signs: Signs::Any, nothing: 1e-8, ..IQ2_XS_FORMAT.search },
    power: 2.0,
    plain_power: 0.25,
    correction: 0.9875,
};
const IQ3_XXS_FORMAT: Format<4> = Format {
    book: &IQ3_XXS_BOOK,
    search: Search {
        signs: Signs::Even,
        begin: Begin::Greatest,
        most: 15.0,
        tries: 15,
        step: 0.2,
        nothing: 1e-8,
        again: Again::Inexact,
    },
    power: 2.0,
    plain_power: 0.0,
    correction: 1.0125,
};
const IQ3_S_FORMAT: Format<4> = Format {
    book: &IQ3_S_BOOK,
    search: Search {
        signs: Signs::Any,
        tries: 9,
        nothing: f32::from_bits(1),
        again: Again::AllOfInexact,
        ..IQ3_XXS_FORMAT.search
    },
    correction: 1.033,
    ..IQ3_XXS_FORMAT
};

/// What a block is; of a format with fewer scales or entries only the first ones are used.
struct Chosen {
    unit: u16,
    /// From 0 to 15, of each group.
    scales: [u8; 16],
    entries: [u16; BLOCK / 4],
    /// Of each eight values.
    signs: [u8; BLOCK / 8],
}

/// The block in groups of `N` values with `K` entries each, or `None` of zeros.
fn choose<const N: usize, const E: usize, const K: usize>(
    values: &[f32; BLOCK],
    importance: Option<Importance<'_, BLOCK>>,
    format: &Format<E>,
) -> Option<Chosen> {
    let squares = fit::sum(values.iter().map(|value| value * value));
    let power = format.power * squares / BLOCK as f32;
    let columns = importance.map(|importance| importance.columns.as_chunks::<N>().0);
    let (mut scales, mut entries, mut signs) = ([0.0f32; 16], [0; BLOCK / 4], [0; BLOCK / 8]);
    let targets = entries.as_chunks_mut::<K>().0.iter_mut().zip(signs.chunks_exact_mut(N / 8));
    for (group, (values, (entries, signs))) in
        values.as_chunks::<N>().0.iter().zip(targets).enumerate()
    {
        let weights = match columns {
            Some(columns) => fit::weighed(&columns[group], values, power),
            None => fit::each(values, |value| format.plain_power * power + value * value),
        };
        let unsigned = Unsigned::<N, E, K>::new(values, weights, format.search.signs, signs);
        (scales[group], *entries) = unsigned.fit(format.book, &format.search);
        if scales[group] <= 0.0 {
            signs.fill(0);
        }
    }
    let most = scales.iter().fold(0.0, |most, scale| if *scale > most { *scale } else { most });
    if most == 0.0 {
        return None;
    }
    let unit = most / 31.0;
    let inverse = 1.0 / unit;
    let scales = scales.map(|scale| fit::level(0.5 * (inverse * scale - 1.0), 0.0, 15.0) as u8);
    Some(Chosen { unit: f16_from_f32(unit * format.correction), scales, entries, signs })
}

impl Chosen {
    /// Two scales to a byte.
    fn write_scales(&self, bytes: &mut [u8]) {
        for (byte, scales) in bytes.iter_mut().zip(self.scales.as_chunks::<2>().0) {
            *byte = scales[0] | (scales[1] << 4);
        }
    }

    /// The signs of seven of eight values four times, and the scale of a group.
    fn signs_and_scale(&self, group: usize) -> [u8; 4] {
        let signs = &self.signs[4 * group..];
        let word = (0..4).fold(0, |word, i| word | (u32::from(signs[i] & 127) << (7 * i)));
        (word | (u32::from(self.scales[group]) << 28)).to_le_bytes()
    }

    /// The lower 8 bits of entries in a byte each; `bits` above them packed.
    fn write_entries(&self, low: &mut [u8], high: &mut [u8], bits: usize) {
        for (at, (byte, entry)) in low.iter_mut().zip(self.entries).enumerate() {
            *byte = entry as u8;
            let Some(high) = high.get_mut(at * bits / 8) else { continue };
            *high |= ((entry >> 8) as u8) << (at * bits % 8);
        }
    }
}

type Given<'a> = Option<Importance<'a, 256>>;

pub(in crate::block) fn encode_iq2_xxs(
    values: &[f32; 256],
    given: Given<'_>,
    bytes: &mut [u8; 66],
) {
    bytes.fill(0);
    let Some(chosen) = choose::<32, 8, 4>(values, given, &IQ2_XXS_FORMAT) else { return };
    bytes[..2].copy_from_slice(&chosen.unit.to_le_bytes());
    for (group, bytes) in bytes[2..].as_chunks_mut::<8>().0.iter_mut().enumerate() {
        bytes[..4].copy_from_slice(&std::array::from_fn::<_, 4, _>(|i| {
            chosen.entries[4 * group + i] as u8
        }));
        bytes[4..].copy_from_slice(&chosen.signs_and_scale(group));
    }
}

pub(in crate::block) fn encode_iq2_xs(values: &[f32; 256], given: Given<'_>, bytes: &mut [u8; 74]) {
    bytes.fill(0);
    let Some(chosen) = choose::<16, 8, 2>(values, given, &IQ2_XS_FORMAT) else { return };
    bytes[..2].copy_from_slice(&chosen.unit.to_le_bytes());
    let words = bytes[2..66].as_chunks_mut().0.iter_mut().zip(chosen.entries);
    for ((word, entry), signs) in words.zip(chosen.signs) {
        *word = (entry | (u16::from(signs & 127) << 9)).to_le_bytes();
    }
    chosen.write_scales(&mut bytes[66..]);
}

pub(in crate::block) fn encode_iq2_s(values: &[f32; 256], given: Given<'_>, bytes: &mut [u8; 82]) {
    bytes.fill(0);
    let Some(chosen) = choose::<16, 8, 2>(values, given, &IQ2_S_FORMAT) else { return };
    bytes[..2].copy_from_slice(&chosen.unit.to_le_bytes());
    let (low, rest) = bytes[2..].split_at_mut(32);
    rest[..32].copy_from_slice(&chosen.signs);
    chosen.write_entries(low, &mut rest[32..40], 2);
    chosen.write_scales(&mut rest[40..]);
}

pub(in crate::block) fn encode_iq3_xxs(
    values: &[f32; 256],
    given: Given<'_>,
    bytes: &mut [u8; 98],
) {
    bytes.fill(0);
    let Some(chosen) = choose::<32, 4, 8>(values, given, &IQ3_XXS_FORMAT) else { return };
    bytes[..2].copy_from_slice(&chosen.unit.to_le_bytes());
    chosen.write_entries(&mut bytes[2..66], &mut [], 0);
    for (group, word) in bytes[66..].as_chunks_mut().0.iter_mut().enumerate() {
        *word = chosen.signs_and_scale(group);
    }
}

/// Equal to ggml but where a group is all zeros and another one is not: ggml puts the groups after it in the wrong
/// places, see `quantize_row_iq3_s_impl`.
pub(in crate::block) fn encode_iq3_s(values: &[f32; 256], given: Given<'_>, bytes: &mut [u8; 110]) {
    bytes.fill(0);
    let Some(chosen) = choose::<32, 4, 8>(values, given, &IQ3_S_FORMAT) else { return };
    bytes[..2].copy_from_slice(&chosen.unit.to_le_bytes());
    let (low, rest) = bytes[2..].split_at_mut(64);
    chosen.write_entries(low, &mut rest[..8], 1);
    rest[8..40].copy_from_slice(&chosen.signs);
    chosen.write_scales(&mut rest[40..]);
}
