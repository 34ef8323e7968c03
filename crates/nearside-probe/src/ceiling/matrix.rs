//! How fast matrices are multiplied: `2 n^3` operations over the time of a product of two `n x n`
//! matrices, on all threads, for sizes from 256 to 4096.
//!
//! The kernels are those of `rten-gemm` (AVX2, AVX-512 with VNNI, NEON by what the processor has).
//! Engines bring their own: what they reach of this is the estimate's business.

use nearside_units::{FlopsPerSecond, Span};
use rten_gemm::{GemmExecutor, GemmInT, GemmInputA, GemmInputB, GemmOptions, GemmOutT};
use rten_tensor::{AsView as _, NdTensor};

use super::sample::{Bounds, spread};
use super::{Ceiling, CeilingName, Found, Reached};

/// Rows and columns of the products.
const SIZES: [usize; 5] = [256, 512, 1024, 2048, 4096];
/// Products of models are at least so large; smaller ones are measured but do not count.
const SMALLEST_COUNTED: usize = 1024;
/// Runs of each size.
const RUNS: Bounds = Bounds { least: 3, most: 15, time: std::time::Duration::from_millis(1_500) };
/// No size is begun whose runs would take longer than this, judged by the size before.
const LONGEST_SECONDS: f64 = 6.0;

/// Products of 32-bit floats.
pub(crate) fn float32() -> Found {
    let executor = GemmExecutor::<f32>::new();
    let how = executor.kernel_name().to_owned();
    sweep(CeilingName::MatrixFloat32, &how, |size| {
        let product = Product { executor: &executor, size, left: 0.5, right: 0.25 };
        product.seconds()
    })
}

/// Products of 8-bit integers, summed in 32 bits.
pub(crate) fn int8() -> Found {
    let executor = GemmExecutor::<u8, i8, i32>::new();
    let how = executor.kernel_name().to_owned();
    sweep(CeilingName::MatrixInt8, &how, |size| {
        let product = Product { executor: &executor, size, left: 3, right: -2 };
        product.seconds()
    })
}

/// A product of two square matrices, each full of one number.
struct Product<'a, L: GemmInT, R: GemmInT, O: GemmOutT> {
    executor: &'a GemmExecutor<L, R, O>,
    size: usize,
    left: L,
    right: R,
}

impl<L: GemmInT, R: GemmInT, O: GemmOutT> Product<'_, L, R, O> {
    /// Seconds of each run; the first, which faults pages in and wakes threads, does not count.
    fn seconds(&self) -> Result<Vec<f64>, String> {
        let size = self.size;
        let left = NdTensor::full([size, size], self.left);
        let right = NdTensor::full([size, size], self.right);
        let mut out = vec![O::default(); size * size];
        let mut failed = None;
        let mut once = || {
            let (a, b) = (GemmInputA::Unpacked(left.view()), GemmInputB::Unpacked(right.view()));
            let done = self.executor.gemm(&mut out, a, b, GemmOptions::default());
            failed = failed.take().or_else(|| done.err().map(|error| error.to_string()));
        };
        once();
        let seconds = RUNS.seconds(&mut once);
        failed.map_or(Ok(seconds), Err)
    }
}

/// Measures sizes upwards until one would take too long.
fn sweep(
    name: CeilingName,
    kernel: &str,
    seconds: impl Fn(usize) -> Result<Vec<f64>, String>,
) -> Found {
    let mut rates: Vec<(usize, Vec<f64>)> = Vec::new();
    for size in SIZES {
        let runs = seconds(size)?;
        rates.push((size, runs.into_iter().map(|time| operations(size) / time).collect()));
        if too_slow(&rates) {
            break;
        }
    }
    ceiling(name, kernel, &rates).map(|ceiling| vec![ceiling])
}

/// Whether the fewest runs of the next size would take too long.
fn too_slow(rates: &[(usize, Vec<f64>)]) -> bool {
    let Some((size, runs)) = rates.last() else { return false };
    let Some(rate) = spread(runs.clone()) else { return false };
    operations(size * 2) / rate.likely() * (RUNS.least + 1) as f64 > LONGEST_SECONDS
}

/// Additions and multiplications of a product.
fn operations(size: usize) -> f64 {
    2.0 * (size as f64).powi(3)
}

/// What the size that reached most came to: a ceiling, of which other shapes reach a share.
fn ceiling(
    name: CeilingName,
    kernel: &str,
    rates: &[(usize, Vec<f64>)],
) -> Result<Ceiling, String> {
    let largest = rates.last().map_or(0, |(size, _)| *size);
    let counted = rates.iter().filter(|(size, _)| *size >= SMALLEST_COUNTED.min(largest));
    let spreads = counted.filter_map(|(_, runs)| Some((spread(runs.clone())?, runs.len())));
    let best = spreads.max_by(|(left, _), (right, _)| left.likely().total_cmp(&right.likely()));
    let (best, runs) = best.ok_or_else(|| "no product was measured".to_owned())?;
    let reached =
        best.try_map(FlopsPerSecond::from_flops_per_second).map_err(|error| error.to_string())?;
    let shown = |(size, runs): &(usize, Vec<f64>)| {
        let likely = spread(runs.clone()).map_or(0.0, Span::likely);
        format!("{size}: {}", nearside_units::significant(likely / 1e9))
    };
    let sizes: Vec<_> = rates.iter().map(shown).collect();
    let how = format!("kernel {kernel}; n x n products in Gop/s: {}", sizes.join(", "));
    Ok(Ceiling { name, reached: Reached::Arithmetic(reached), runs, how })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_products_are_told_but_do_not_count() {
        let rates = [
            (256, vec![1e12, 1e12, 1e12]),
            (1024, vec![40e9, 50e9, 60e9]),
            (2048, vec![80e9, 90e9, 95e9]),
            (4096, vec![70e9, 75e9, 76e9]),
        ];
        let found = ceiling(CeilingName::MatrixFloat32, "test", &rates).unwrap();
        let Reached::Arithmetic(span) = found.reached else { panic!("{found:?}") };
        let giga = |rate: FlopsPerSecond| rate.as_flops_per_second() / 1e9;
        assert_eq!((giga(span.low()), giga(span.likely())), (80.0, 90.0));
        assert_eq!((giga(span.high()), found.runs), (95.0, 3));
        assert!(found.how.contains("256: 1000"), "{}", found.how);
    }

    #[test]
    fn a_slow_machine_stops_early() {
        // 5 s a product: the next size would take minutes, so it is not begun.
        let found = sweep(CeilingName::MatrixInt8, "test", |_| Ok(vec![5.0; 3])).unwrap();
        assert_eq!(found[0].runs, 3);
        assert!(found[0].how.ends_with("256: 0.00671"), "{}", found[0].how);
    }

    #[test]
    fn a_product_is_right_and_takes_time() {
        let executor = GemmExecutor::<f32>::new();
        let product = Product { executor: &executor, size: 64, left: 0.5, right: 0.25 };
        let seconds = product.seconds().unwrap();
        assert!(seconds.len() >= RUNS.least && seconds.iter().all(|time| *time > 0.0));
    }
}
