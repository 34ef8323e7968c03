//! What is multiplied with weights: rows of numbers, as bytes with a scale for each 32 of them.
//!
//! `x = scale * level`, the level a whole number from -127 to 127, as in ggml's `Q8_0`. Weights are
//! `scale * level - offset`, so that products need the sum of a group of activations too, which is kept beside.

use rayon::prelude::*;

use super::lanes::{self, Kernel, Lanes};

/// Numbers that are worth another core's attention.
const WORTH_SHARING: usize = 32 << 10;

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
        made.quantize(values);
        made
    }

    /// Shares the rows out to the cores, where that is worth it.
    fn quantize(&mut self, values: &[f32]) {
        let Self { rows, width, .. } = *self;
        let blocks = width.div_ceil(BLOCK);
        let each =
            rows.div_ceil(rayon::current_num_threads()).max(WORTH_SHARING.div_ceil(width.max(1)));
        let (levels, _) = self.levels.as_chunks_mut::<BLOCK>();
        let levels = levels.chunks_mut((each * blocks).max(1));
        let factors = self.factors.chunks_mut((each * blocks).max(1));
        let sums = self.sums.chunks_mut((each * blocks).max(1));
        let shares = values.chunks((each * width).max(1)).zip(levels).zip(factors).zip(sums);
        let shares = shares.map(|(((values, levels), factors), sums)| Quantize {
            values,
            width,
            levels,
            factors,
            sums,
        });
        let mut shares: Vec<_> = shares.collect();
        match shares.pop() {
            Some(share) if shares.is_empty() => lanes::run(share),
            last => shares.into_par_iter().chain(last).for_each(lanes::run),
        }
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

/// Rows that are quantized, and where they go.
struct Quantize<'a> {
    values: &'a [f32],
    width: usize,
    levels: &'a mut [[i8; BLOCK]],
    factors: &'a mut [Factors],
    sums: &'a mut [[f32; 16]],
}

impl Kernel for Quantize<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let Self { values, width, levels, factors, sums } = self;
        let blocks = width.div_ceil(BLOCK);
        for row in 0..values.len() / width {
            let values = &values[row * width..(row + 1) * width];
            for block in 0..blocks {
                let place = row * blocks + block;
                let values = &values[block * BLOCK..];
                let places = (&mut levels[place], &mut factors[place], &mut sums[place]);
                let (whole, _) = values.as_chunks::<BLOCK>();
                match whole {
                    [values, ..] => quantize_block(lanes, values, places),
                    [] => {
                        let mut filled_up = [0.0; BLOCK];
                        filled_up[..values.len()].copy_from_slice(values);
                        quantize_block(lanes, &filled_up, places);
                    }
                }
            }
        }
    }
}

#[inline(always)]
fn quantize_block<L: Lanes>(
    lanes: L,
    values: &[f32; BLOCK],
    (levels, factors, sums): (&mut [i8; BLOCK], &mut Factors, &mut [f32; 16]),
) {
    let (halves, _) = values.as_chunks::<16>();
    let (places, _) = levels.as_chunks_mut::<16>();
    for group in 0..BLOCK / GROUP {
        let first = lanes.floats(&halves[2 * group]);
        let second = lanes.floats(&halves[2 * group + 1]);
        // What is no number is larger than nothing.
        let largest = lanes.larger(lanes.size(first), lanes.splat(0.0));
        let largest = lanes.largest(lanes.larger(lanes.size(second), largest));
        let inverse = if largest > 0.0 { 127.0 / largest } else { 0.0 };
        let inverse = lanes.splat(inverse);
        places[2 * group] = lanes.nearest_bytes(lanes.multiply(first, inverse));
        places[2 * group + 1] = lanes.nearest_bytes(lanes.multiply(second, inverse));
        factors[group] = largest / 127.0;
    }
    // Of the levels as they are kept: what is no number is some level too. Sums of so few are exact.
    let bytes = pulp::bytemuck::cast_ref::<_, [[u8; 64]; 4]>(levels);
    for quarter in 0..4 {
        let fours = lanes.dot(lanes.flip(lanes.zero(), 1), lanes.bytes(&bytes[quarter]));
        let fours = lanes.store(lanes.to_floats(fours));
        for half in 0..4 {
            let four = 4 * half;
            let sum = (fours[four] + fours[four + 1]) + (fours[four + 2] + fours[four + 3]);
            let half = 4 * quarter + half;
            sums[half] = sum;
        }
    }
    for group in 0..BLOCK / GROUP {
        let scale = factors[group];
        factors[8 + group] = scale * (sums[2 * group] + sums[2 * group + 1]);
        sums[2 * group] *= scale;
        sums[2 * group + 1] *= scale;
    }
}
