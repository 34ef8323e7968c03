//! Sums over rows and columns, in an order that neither the instructions nor the threads change.

use rayon::prelude::*;

use crate::kernel::lanes::{self, Kernel, Lanes};

/// Columns that are summed up together.
const COLUMNS: usize = 64;
/// Numbers from which on columns are worth more than one core.
const WORTH_SHARING: usize = 1 << 15;

/// The sum of products of two rows.
#[inline(always)]
pub(super) fn dot<L: Lanes>(lanes: L, left: &[f32], right: &[f32]) -> f32 {
    let ((left, left_rest), (right, right_rest)) =
        (left.as_chunks::<16>(), right.as_chunks::<16>());
    let mut parts = lanes.splat(0.0);
    for index in 0..left.len().min(right.len()) {
        parts = lanes.fused(lanes.floats(&left[index]), lanes.floats(&right[index]), parts);
    }
    let (left, right) = (filled(left_rest), filled(right_rest));
    lanes.total(lanes.fused(lanes.floats(&left), lanes.floats(&right), parts))
}

/// The sum of products of three rows.
#[inline(always)]
pub(super) fn dot3<L: Lanes>(lanes: L, [first, second, third]: [&[f32]; 3]) -> f32 {
    let (a, a_rest) = first.as_chunks::<16>();
    let (b, b_rest) = second.as_chunks::<16>();
    let (c, c_rest) = third.as_chunks::<16>();
    let mut parts = lanes.splat(0.0);
    for index in 0..a.len().min(b.len()).min(c.len()) {
        let two = lanes.multiply(lanes.floats(&a[index]), lanes.floats(&b[index]));
        parts = lanes.fused(two, lanes.floats(&c[index]), parts);
    }
    let (a, b, c) = (filled(a_rest), filled(b_rest), filled(c_rest));
    let two = lanes.multiply(lanes.floats(&a), lanes.floats(&b));
    lanes.total(lanes.fused(two, lanes.floats(&c), parts))
}

/// The sum of a row.
#[inline(always)]
pub(super) fn total<L: Lanes>(lanes: L, row: &[f32]) -> f32 {
    let (chunks, rest) = row.as_chunks::<16>();
    let mut parts = lanes.splat(0.0);
    for index in 0..chunks.len() {
        parts = lanes.add(lanes.floats(&chunks[index]), parts);
    }
    lanes.total(lanes.add(lanes.floats(&filled(rest)), parts))
}

/// The largest number of a row.
#[inline(always)]
pub(super) fn largest(row: &[f32]) -> f32 {
    let (chunks, rest) = row.as_chunks::<16>();
    let mut parts = [f32::NEG_INFINITY; 16];
    for index in 0..chunks.len() {
        for lane in 0..16 {
            let value = chunks[index][lane];
            parts[lane] = if value > parts[lane] { value } else { parts[lane] };
        }
    }
    let mut found = f32::NEG_INFINITY;
    for lane in 0..16 {
        found = found.max(parts[lane]);
    }
    for index in 0..rest.len() {
        found = found.max(rest[index]);
    }
    found
}

/// What is left of a row, with zeros behind it.
#[inline(always)]
fn filled(rest: &[f32]) -> [f32; 16] {
    let mut all = [0.0; 16];
    all[..rest.len()].copy_from_slice(rest);
    all
}

/// `sums[column] += sum over rows of terms[row, column] factors[row, column] scales[row]`; factors and scales are one
/// where there are none.
pub(super) fn add_columns(
    sums: &mut [f32],
    terms: &[f32],
    factors: Option<&[f32]>,
    scales: Option<&[f32]>,
) {
    let width = sums.len();
    let columns = |(index, sums): (usize, &mut [f32])| {
        lanes::run(Columns { sums, first: index * COLUMNS, width, terms, factors, scales });
    };
    match terms.len() < WORTH_SHARING {
        true => sums.chunks_mut(COLUMNS).enumerate().for_each(columns),
        false => sums.par_chunks_mut(COLUMNS).enumerate().for_each(columns),
    }
}

struct Columns<'a> {
    sums: &'a mut [f32],
    first: usize,
    width: usize,
    terms: &'a [f32],
    factors: Option<&'a [f32]>,
    scales: Option<&'a [f32]>,
}

impl Kernel for Columns<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, _lanes: L) {
        let Self { sums, first, width, terms, factors, scales } = self;
        for row in 0..terms.len() / width {
            let at = row * width + first;
            let terms = &terms[at..at + sums.len()];
            let scale = match scales {
                Some(scales) => scales[row],
                None => 1.0,
            };
            match factors {
                Some(factors) => {
                    let factors = &factors[at..at + sums.len()];
                    for index in 0..sums.len() {
                        sums[index] += terms[index] * factors[index] * scale;
                    }
                }
                None => {
                    for index in 0..sums.len() {
                        sums[index] += terms[index] * scale;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct All<'a>(&'a [f32], &'a [f32]);

    impl Kernel for All<'_> {
        type Output = [f32; 4];

        #[inline(always)]
        fn run<L: Lanes>(self, lanes: L) -> [f32; 4] {
            let Self(left, right) = self;
            let three = dot3(lanes, [left, right, right]);
            [dot(lanes, left, right), three, total(lanes, left), largest(left)]
        }
    }

    #[test]
    fn sums_of_any_length_have_all_terms() {
        for length in [0, 1, 15, 16, 17, 50] {
            let left: Vec<f32> = (0..length).map(|at| at as f32 - 3.0).collect();
            let right: Vec<f32> = (0..length).map(|at| 2.0 - (at % 5) as f32).collect();
            let sum = |term: &dyn Fn(usize) -> f32| (0..length).map(term).sum::<f32>();
            let expected = [
                sum(&|at| left[at] * right[at]),
                sum(&|at| left[at] * right[at] * right[at]),
                sum(&|at| left[at]),
                left.iter().copied().fold(f32::NEG_INFINITY, f32::max),
            ];
            // Sums of small whole numbers are exact.
            let bits = |sum: f32| (sum + 0.0).to_bits();
            let found = lanes::run(All(&left, &right)).map(bits);
            assert_eq!(found, expected.map(bits), "{length}");
        }
    }

    #[test]
    fn columns_are_summed_up_over_all_rows() {
        let (width, rows) = (70, 3);
        let terms: Vec<f32> = (0..width * rows).map(|at| (at % 7) as f32).collect();
        let mut sums = vec![1.0; width];
        add_columns(&mut sums, &terms, Some(&terms), Some(&[1.0, 2.0, 3.0]));
        for (column, sum) in sums.iter().enumerate() {
            let at = |row: usize| terms[row * width + column];
            let expected: f32 = (0..rows).map(|row| at(row).powi(2) * (row + 1) as f32).sum();
            assert!((sum - 1.0 - expected).abs() < 1e-5);
        }
    }
}
