//! What is multiplied with weights: rows of numbers, as bytes with a scale for each 32 of them.
//!
//! `x = scale * level`, the level a whole number from -127 to 127, as in ggml's `Q8_0`. Weights are
//! `scale * level - offset`, so that products need the sum of a group of activations too, which is kept beside.

use super::lanes::{self, Kernel, Lanes, nearest};

/// Numbers that share a scale.
pub(crate) const GROUP: usize = 32;
/// Numbers of a block of the K formats; widths are filled up with zeros to whole ones.
pub(crate) const BLOCK: usize = 256;

/// Scales of the groups of a block, then their sums.
pub(crate) type Factors = [f32; 16];

/// Rows of numbers as bytes.
#[derive(Clone, Debug)]
pub struct Activations {
    rows: usize,
    width: usize,
    /// Levels, rows one after the other, each filled up with zeros.
    levels: Vec<i8>,
    /// For every block: eight scales, eight sums of 32 numbers.
    factors: Vec<Factors>,
    /// For every block: sums of each 16 numbers.
    sums: Vec<[f32; 16]>,
}

/// One row of [`Activations`].
#[derive(Clone, Copy)]
pub(crate) struct Row<'a> {
    /// Levels of whole blocks.
    pub levels: &'a [[i8; BLOCK]],
    /// For every block: eight scales, eight sums of 32 numbers.
    pub factors: &'a [Factors],
    /// For every block: sums of each 16 numbers.
    pub sums: &'a [[f32; 16]],
}

impl Activations {
    /// Rows of `width` numbers each, one after the other; a last row that is not whole is left out.
    #[must_use]
    pub fn of(values: &[f32], width: usize) -> Self {
        let rows = values.len().checked_div(width).unwrap_or(0);
        let blocks = rows * width.div_ceil(BLOCK);
        let mut made = Self {
            rows,
            width,
            levels: vec![0; blocks * BLOCK],
            factors: vec![[0.0; 16]; blocks],
            sums: vec![[0.0; 16]; blocks],
        };
        lanes::run(Quantize { values, made: &mut made });
        made
    }

    /// How many rows there are.
    #[must_use]
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// How many numbers a row has.
    #[must_use]
    pub const fn width(&self) -> usize {
        self.width
    }

    /// A row; an empty one beyond the last.
    pub(crate) fn row(&self, row: usize) -> Row<'_> {
        let blocks = self.width.div_ceil(BLOCK);
        let range = row * blocks..(row + 1) * blocks;
        let (levels, _) = self.levels.as_chunks();
        Row {
            levels: levels.get(range.clone()).unwrap_or_default(),
            factors: self.factors.get(range.clone()).unwrap_or_default(),
            sums: self.sums.get(range).unwrap_or_default(),
        }
    }
}

struct Quantize<'a> {
    values: &'a [f32],
    made: &'a mut Activations,
}

impl Kernel for Quantize<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, _lanes: L) {
        let Activations { width, levels, factors, sums, .. } = self.made;
        let blocks = width.div_ceil(BLOCK);
        let (levels, _) = levels.as_chunks_mut::<BLOCK>();
        let rows = self.values.chunks_exact(*width).zip(levels.chunks_exact_mut(blocks));
        let rows = rows.zip(factors.chunks_exact_mut(blocks)).zip(sums.chunks_exact_mut(blocks));
        for (((values, levels), factors), sums) in rows {
            let blocks = values.chunks(BLOCK).zip(levels).zip(factors).zip(sums);
            for (((values, levels), factors), sums) in blocks {
                quantize_block(values, levels, factors, sums);
            }
        }
    }
}

#[inline(always)]
fn quantize_block(
    values: &[f32],
    levels: &mut [i8; BLOCK],
    factors: &mut Factors,
    sums: &mut [f32; 16],
) {
    let mut whole = [0.0; BLOCK];
    whole[..values.len()].copy_from_slice(values);
    let (groups, _) = whole.as_chunks::<GROUP>();
    let (places, _) = levels.as_chunks_mut::<GROUP>();
    for index in 0..BLOCK / GROUP {
        let (group, places) = (&groups[index], &mut places[index]);
        let largest = largest(group);
        let scale = largest / 127.0;
        let inverse = if largest > 0.0 { 127.0 / largest } else { 0.0 };
        for number in 0..GROUP {
            places[number] = nearest(group[number] * inverse) as i8;
        }
        // Of the levels as they are kept: what is no number is some level too.
        let mut halves = [0; 2];
        for number in 0..GROUP / 2 {
            halves[0] += i32::from(places[number]);
            halves[1] += i32::from(places[GROUP / 2 + number]);
        }
        factors[index] = scale;
        factors[8 + index] = scale * (halves[0] + halves[1]) as f32;
        sums[2 * index] = scale * halves[0] as f32;
        sums[2 * index + 1] = scale * halves[1] as f32;
    }
}

/// The largest size of a group's numbers, in sixteen parts first.
#[inline(always)]
fn largest(group: &[f32; GROUP]) -> f32 {
    let mut parts = [0.0; 16];
    for number in 0..GROUP {
        let (size, part) = (group[number].abs(), &mut parts[number % 16]);
        *part = if size > *part { size } else { *part };
    }
    for half in [8, 4, 2, 1] {
        for lane in 0..half {
            let other = parts[lane + half];
            parts[lane] = if other > parts[lane] { other } else { parts[lane] };
        }
    }
    parts[0]
}
