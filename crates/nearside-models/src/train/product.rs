//! Products of matrices of 32-bit numbers, by the kernels of `rten-gemm` (AVX-512, AVX2, NEON by what the processor has).
//!
//! A layer needs three, of which none copies a matrix: `x W^T` forward, `dy W` for what goes in, `dy^T x` for weights.
//! Which sums are made in which order follows from the shapes alone, never from the number of threads.

use rten_gemm::{GemmExecutor, GemmInputA, GemmInputB, GemmOptions};
use rten_tensor::NdTensorView;

use super::TrainError;

/// A matrix whose rows lie one after the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Factor<'a> {
    numbers: &'a [f32],
    shape: [usize; 2],
    /// Numbers from one row to the next, and from one column to the next.
    strides: [usize; 2],
}

/// What becomes of the numbers that are where a result goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Onto {
    /// They are replaced.
    Replace,
    /// The result is added to them.
    Add,
}

impl<'a> Factor<'a> {
    /// Rows of that width: as many as there are numbers for.
    pub(crate) const fn rows(numbers: &'a [f32], width: usize) -> Self {
        let rows = match width {
            0 => 0,
            width => numbers.len() / width,
        };
        Self { numbers, shape: [rows, width], strides: [width, 1] }
    }

    /// The same matrix, its columns for rows.
    pub(crate) const fn transposed(self) -> Self {
        let ([rows, columns], [down, right]) = (self.shape, self.strides);
        Self { numbers: self.numbers, shape: [columns, rows], strides: [right, down] }
    }

    fn view(&self) -> Option<NdTensorView<'a, f32, 2>> {
        NdTensorView::from_data_with_strides(self.shape, self.numbers, self.strides).ok()
    }
}

/// `sums = scale left right`, or that onto what is there.
///
/// # Errors
/// When the matrices do not fit together.
pub(crate) fn product(
    left: Factor<'_>,
    right: Factor<'_>,
    scale: f32,
    sums: &mut [f32],
    onto: Onto,
) -> Result<(), TrainError> {
    let ([rows, depth], [of_right, columns]) = (left.shape, right.shape);
    let length = sums.len();
    let unfit = || TrainError::Product { left: left.shape, right: right.shape, sums: length };
    if depth != of_right || rows * columns != length {
        return Err(unfit());
    }
    if sums.is_empty() || depth == 0 {
        if onto == Onto::Replace {
            sums.fill(0.0);
        }
        return Ok(());
    }
    if rows == 1 {
        row(left, right, scale, sums, onto);
        return Ok(());
    }
    let (Some(left), Some(right)) = (left.view(), right.view()) else { return Err(unfit()) };
    let beta = if onto == Onto::Add { 1.0 } else { 0.0 };
    let options = GemmOptions { alpha: scale, beta, ..GemmOptions::default() };
    let (left, right) = (GemmInputA::Unpacked(left), GemmInputB::Unpacked(right));
    let made = GemmExecutor::<f32>::new().gemm(sums, left, right, options);
    made.map_err(|_unfit| unfit())
}

/// The product of one row: that of the library shares out columns in an order that follows from the number of threads.
fn row(left: Factor<'_>, right: Factor<'_>, scale: f32, sums: &mut [f32], onto: Onto) {
    if onto == Onto::Replace {
        sums.fill(0.0);
    }
    let [down, across] = right.strides;
    let values = left.numbers.iter().step_by(left.strides[1]).take(left.shape[1]);
    for (index, value) in values.enumerate() {
        let factors = right.numbers[index * down..].iter().step_by(across);
        for (sum, factor) in sums.iter_mut().zip(factors) {
            *sum += scale * value * factor;
        }
    }
}

/// Makes one of a layer's products so many times, of numbers that are all the same: what `examples/training.rs` measures.
#[doc(hidden)]
pub fn measured_product(which: &str, [rows, width, wide]: [usize; 3], times: usize) {
    let (input, weight) = (vec![0.5; rows * width], vec![0.25; wide * width]);
    let gradient = vec![0.125; rows * wide];
    let (input, weight) = (Factor::rows(&input, width), Factor::rows(&weight, width));
    let gradient = Factor::rows(&gradient, wide);
    let (left, right, onto, length) = match which {
        "x W^T" => (input, weight.transposed(), Onto::Replace, rows * wide),
        "dy W" => (gradient, weight, Onto::Replace, rows * width),
        _ => (gradient.transposed(), input, Onto::Add, wide * width),
    };
    let mut sums = vec![0.0; length];
    for _ in 0..times {
        // The matrices fit together.
        let _made = product(left, right, 1.0, &mut sums, onto);
        std::hint::black_box(&sums);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(count: usize, seed: u32) -> Vec<f32> {
        let mut state = seed;
        let mut draw = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        };
        (0..count).map(|_| draw()).collect()
    }

    fn plain(left: Factor<'_>, right: Factor<'_>) -> Vec<f64> {
        let at = |of: Factor<'_>, row, column| {
            f64::from(of.numbers[row * of.strides[0] + column * of.strides[1]])
        };
        let mut sums = Vec::new();
        for row in 0..left.shape[0] {
            for column in 0..right.shape[1] {
                let terms = (0..left.shape[1]).map(|k| at(left, row, k) * at(right, k, column));
                sums.push(terms.sum());
            }
        }
        sums
    }

    #[test]
    fn all_three_products_are_those_of_their_definition() {
        for [rows, inner, columns] in [[1, 1, 1], [1, 5, 200], [2, 3, 4], [33, 70, 65], [7, 300, 9]]
        {
            let (left, right) = (numbers(rows * inner, 1), numbers(inner * columns, 2));
            let pairs = [
                (Factor::rows(&left, inner), Factor::rows(&right, columns)),
                (Factor::rows(&left, inner), Factor::rows(&right, inner).transposed()),
                (Factor::rows(&left, rows).transposed(), Factor::rows(&right, columns)),
            ];
            for (left, right) in pairs {
                let expected = plain(left, right);
                let mut sums = vec![7.0; rows * columns];
                product(left, right, 1.0, &mut sums, Onto::Replace).unwrap();
                product(left, right, 0.5, &mut sums, Onto::Add).unwrap();
                for (sum, expected) in sums.iter().zip(expected) {
                    assert!((f64::from(*sum) - 1.5 * expected).abs() < 1e-4, "{rows} {columns}");
                }
            }
        }
    }

    #[test]
    fn threads_do_not_change_a_bit() {
        for [rows, inner, columns] in [[1, 300, 900], [100, 300, 900], [257, 64, 130]] {
            let (left, right) = (numbers(rows * inner, 3), numbers(inner * columns, 4));
            let run = |threads| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                let mut sums = vec![0.5; rows * columns];
                let (left, right) = (Factor::rows(&left, inner), Factor::rows(&right, columns));
                pool.install(|| product(left, right, 1.0, &mut sums, Onto::Add)).unwrap();
                sums.iter().map(|sum| sum.to_bits()).collect::<Vec<_>>()
            };
            let alone = run(1);
            assert!([2, 3, 7].into_iter().all(|threads| run(threads) == alone));
        }
    }

    #[test]
    fn matrices_that_do_not_fit_are_an_error() {
        let (left, right) = ([1.0; 6], [1.0; 6]);
        let unfit = product(
            Factor::rows(&left, 3),
            Factor::rows(&right, 3),
            1.0,
            &mut [0.0; 4],
            Onto::Replace,
        );
        assert!(matches!(unfit, Err(TrainError::Product { left: [2, 3], right: [2, 3], sums: 4 })));
    }
}
