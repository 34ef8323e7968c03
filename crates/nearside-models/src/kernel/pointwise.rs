//! What is done to every number of an activation: norms, gates, caps, rotations.
//!
//! Rows of a token by itself, in loops that compilers turn into vector instructions; many rows are shared out to the
//! cores.

use nearside_architecture::Activation;
use rayon::prelude::*;

use super::lanes::{self, Kernel, Lanes, nearest};

/// Numbers from which on rows are worth more than one core.
const WORTH_SHARING: usize = 1 << 15;

/// How numbers of a row are normalised.
#[derive(Clone, Debug)]
pub struct Normalise {
    /// Whether the mean is taken off first (layer norm), or not (root mean square).
    pub centred: bool,
    /// What is added to the mean square.
    pub epsilon: f32,
    /// A scale for each number.
    pub scales: Vec<f32>,
    /// What is added to each number; empty for nothing.
    pub offsets: Vec<f32>,
}

impl Normalise {
    /// Normalises rows, each as wide as there are scales, into another place.
    pub fn rows(&self, values: &[f32], normed: &mut [f32]) {
        let width = self.scales.len();
        by_rows(normed, width, |index, normed| {
            if let Some(values) = values.get(index * width..(index + 1) * width) {
                normed.copy_from_slice(values);
                lanes::run(NormaliseRow { how: self, row: normed });
            }
        });
    }

    /// Normalises rows where they are.
    pub fn in_place(&self, values: &mut [f32]) {
        by_rows(values, self.scales.len(), |_, row| lanes::run(NormaliseRow { how: self, row }));
    }
}

struct NormaliseRow<'a> {
    how: &'a Normalise,
    row: &'a mut [f32],
}

impl Kernel for NormaliseRow<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let Self { how: Normalise { centred, epsilon, scales, offsets }, row } = self;
        let count = row.len() as f32;
        if *centred {
            let mean = sum(lanes, row, false) / count;
            for value in row.iter_mut() {
                *value -= mean;
            }
        }
        let inverse = 1.0 / (sum(lanes, row, true) / count + epsilon).sqrt();
        for index in 0..row.len().min(scales.len()) {
            row[index] = row[index] * inverse * scales[index];
        }
        for index in 0..row.len().min(offsets.len()) {
            row[index] += offsets[index];
        }
    }
}

/// The sum of numbers, or of their squares.
#[inline(always)]
fn sum<L: Lanes>(lanes: L, row: &[f32], squared: bool) -> f32 {
    let mut parts = lanes.splat(0.0);
    let (chunks, rest) = row.as_chunks::<16>();
    let mut last = [0.0; 16];
    last[..rest.len()].copy_from_slice(rest);
    for index in 0..=chunks.len() {
        let values = lanes.floats(chunks.get(index).unwrap_or(&last));
        parts = match squared {
            true => lanes.fused(values, values, parts),
            false => lanes.add(values, parts),
        };
    }
    lanes.total(parts)
}

/// Calls for rows of that width, with their number, on all cores where there are many.
pub(crate) fn by_rows(values: &mut [f32], width: usize, each: impl Fn(usize, &mut [f32]) + Sync) {
    let width = width.max(1);
    match values.len() < WORTH_SHARING {
        true => {
            values.chunks_exact_mut(width).enumerate().for_each(|(index, row)| each(index, row));
        }
        false => {
            values
                .par_chunks_exact_mut(width)
                .enumerate()
                .for_each(|(index, row)| each(index, row));
        }
    }
}

/// `gate = activation(gate) up`.
pub fn gate(activation: Activation, gates: &mut [f32], ups: &[f32]) {
    by_rows(gates, 1 << 10, |index, gates| {
        let from = index << 10;
        if let Some(ups) = ups.get(from..from + gates.len()) {
            lanes::run(Gate { activation, gates, ups: Some(ups) });
        }
    });
    let done = gates.len() >> 10 << 10;
    lanes::run(Gate { activation, gates: &mut gates[done..], ups: ups.get(done..) });
}

/// `value = activation(value)`.
pub fn activate(activation: Activation, values: &mut [f32]) {
    lanes::run(Gate { activation, gates: values, ups: None });
}

struct Gate<'a> {
    activation: Activation,
    gates: &'a mut [f32],
    ups: Option<&'a [f32]>,
}

impl Kernel for Gate<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, _lanes: L) {
        let Self { activation, gates, ups } = self;
        match activation {
            Activation::Gelu => gates.iter_mut().for_each(|value| *value = gelu(*value)),
            Activation::GeluTanh | Activation::GeluWritten => {
                gates.iter_mut().for_each(|value| *value = gelu_tanh(*value));
            }
            Activation::Relu | Activation::ReluInPlace => {
                gates.iter_mut().for_each(|value| *value = value.max(0.0));
            }
            Activation::ReluSquared => {
                gates.iter_mut().for_each(|value| *value = value.max(0.0) * value.max(0.0));
            }
            _ => gates.iter_mut().for_each(|value| *value = silu(*value)),
        }
        if let Some(ups) = ups {
            for index in 0..gates.len().min(ups.len()) {
                gates[index] *= ups[index];
            }
        }
    }
}

#[inline(always)]
fn silu(value: f32) -> f32 {
    value / (1.0 + exponential(-value))
}

/// `x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))`, as `x sigmoid(2 ...)`.
#[inline(always)]
fn gelu_tanh(value: f32) -> f32 {
    let inner = 0.797_884_6 * value * (0.044_715 * value).mul_add(value, 1.0);
    value / (1.0 + exponential(-2.0 * inner))
}

/// `x Phi(x)`, by the error function of Abramowitz and Stegun 7.1.26 (error below 1.5e-7).
#[inline(always)]
fn gelu(value: f32) -> f32 {
    let scaled = value.abs() * std::f32::consts::FRAC_1_SQRT_2;
    let t = 1.0 / 0.327_591_1_f32.mul_add(scaled, 1.0);
    let polynomial = t.mul_add(1.061_405_4, -1.453_152).mul_add(t, 1.421_413_8);
    let polynomial = polynomial.mul_add(t, -0.284_496_72).mul_add(t, 0.254_829_6) * t;
    let error = 1.0 - polynomial * exponential(-scaled * scaled);
    0.5 * value * (1.0 + error.copysign(value))
}

/// `e^x`, within two units in the last place; zero far below, and the largest power far above.
#[inline(always)]
pub(crate) fn exponential(value: f32) -> f32 {
    let value = value.clamp(-87.3, 88.3);
    let power_of_two = nearest(value * std::f32::consts::LOG2_E);
    let power = power_of_two as f32;
    // ln 2 in two parts: what is left is below half of it.
    let rest = power.mul_add(-0.693_145_75, value);
    let rest = power.mul_add(-1.428_606_8e-6, rest);
    let polynomial = rest.mul_add(1.987_569_1e-4, 1.398_2e-3).mul_add(rest, 8.333_452e-3);
    let polynomial = polynomial.mul_add(rest, 4.166_579_6e-2).mul_add(rest, 0.166_666_65);
    let polynomial = polynomial.mul_add(rest, 0.5).mul_add(rest * rest, rest) + 1.0;
    f32::from_bits(power_of_two.wrapping_add(127).wrapping_shl(23) as u32) * polynomial
}

/// `value = cap tanh(value / cap)`.
pub fn cap(cap: f32, values: &mut [f32]) {
    lanes::run(Cap { cap, values });
}

struct Cap<'a> {
    cap: f32,
    values: &'a mut [f32],
}

impl Kernel for Cap<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, _lanes: L) {
        for value in self.values {
            *value = capped(*value, self.cap);
        }
    }
}

#[inline(always)]
pub(crate) fn capped(value: f32, cap: f32) -> f32 {
    // tanh(x) = 1 - 2 / (e^2x + 1)
    cap - 2.0 * cap / (exponential(2.0 * value / cap) + 1.0)
}

/// `sums = sums + terms`.
pub fn add(sums: &mut [f32], terms: &[f32]) {
    lanes::run(Add { sums, terms, share: 1.0 });
}

/// `sums = sums + share terms`.
pub fn add_share(sums: &mut [f32], terms: &[f32], share: f32) {
    lanes::run(Add { sums, terms, share });
}

struct Add<'a> {
    sums: &'a mut [f32],
    terms: &'a [f32],
    share: f32,
}

impl Kernel for Add<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, _lanes: L) {
        let Self { sums, terms, share } = self;
        for index in 0..sums.len().min(terms.len()) {
            sums[index] = terms[index].mul_add(share, sums[index]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exponential_is_within_two_units_in_the_last_place() {
        for step in -870_000..880_000 {
            let value = step as f32 / 10_000.0;
            let exact = f64::from(value).exp();
            let error = (f64::from(exponential(value)) - exact).abs() / exact;
            assert!(error < 2.4e-7, "{value}: {error}");
        }
        assert!(exponential(-1000.0) < 1e-37 && exponential(1000.0) > 1e38);
    }

    #[test]
    fn activations_are_those_of_their_definitions() {
        for step in -1000..1000 {
            let x = f64::from(step) / 100.0;
            let of = |activation| {
                let mut value = [x as f32];
                activate(activation, &mut value);
                f64::from(value[0])
            };
            let close =
                |computed: f64, exact: f64| (computed - exact).abs() < 2e-6 * (1.0 + x.abs());
            let tanh = (0.797_884_560_802_865_4 * (x + 0.044_715 * x.powi(3))).tanh();
            assert!(close(of(Activation::Silu), x / (1.0 + (-x).exp())), "{x}");
            assert!(close(of(Activation::GeluTanh), x / 2.0 * (1.0 + tanh)), "{x}");
            let mut value = [x as f32];
            cap(3.0, &mut value);
            assert!(close(f64::from(value[0]), 3.0 * (x / 3.0).tanh()), "{x}");
        }
        // Phi(1) and Phi(-2).
        let mut values = [1.0, -2.0];
        activate(Activation::Gelu, &mut values);
        assert!((values[0] - 0.841_344_7).abs() < 1e-6 && (values[1] + 0.045_500_26).abs() < 1e-6);
    }

    #[test]
    fn rows_are_normalised_by_themselves() {
        let how = Normalise { centred: false, epsilon: 0.0, scales: vec![2.0; 3], offsets: vec![] };
        let mut normed = [0.0; 6];
        how.rows(&[1.0, 1.0, 1.0, 0.0, 3.0, 0.0], &mut normed);
        assert_eq!(normed[..3], [2.0; 3]);
        assert!((normed[4] - 2.0 * 3f32.sqrt()).abs() < 1e-6);
        let how = Normalise { centred: true, offsets: vec![1.0; 3], ..how };
        let mut values = [1.0, 2.0, 3.0];
        how.in_place(&mut values);
        assert!(
            (values[1] - 1.0).abs() < 1e-6
                && (values[2] - values[0] - 4.0 * 1.5f32.sqrt()).abs() < 1e-5
        );
    }

    #[test]
    fn gates_of_any_length_are_all_taken() {
        for length in [1, 1023, 1024, 1025, 70_000] {
            let mut gates = vec![1.0; length];
            gate(Activation::Relu, &mut gates, &vec![3.0; length]);
            assert_eq!(gates, vec![3.0; length]);
        }
    }
}
