//! The nonlinearity of feed-forward: `h = f(g) u` with a gate (SwiGLU, GeGLU; Shazeer, arXiv 2002.05202), or `h = f(u)`.
//!
//! ```text
//! du = dh f(g),  dg = dh u f'(g)
//! ```

use nearside_architecture::Activation;
use rayon::prelude::*;

use crate::kernel::lanes::{self, Kernel, Lanes};
use crate::kernel::{by_rows, exponential};

/// Numbers that are computed together.
const TOGETHER: usize = 1 << 12;

/// Whether a nonlinearity has its way backward here.
pub(crate) const fn is_known(activation: Activation) -> bool {
    matches!(
        activation,
        Activation::Silu
            | Activation::SiluInPlace
            | Activation::Gelu
            | Activation::GeluTanh
            | Activation::GeluWritten
            | Activation::Relu
            | Activation::ReluInPlace
            | Activation::ReluSquared
    )
}

/// Makes `f(gate) up`, or `f(gate)` where nothing is gated.
pub(crate) fn forward(
    activation: Activation,
    gates: &[f32],
    ups: Option<&[f32]>,
    output: &mut Vec<f32>,
) {
    output.resize(gates.len(), 0.0);
    in_parts(output, |from, output| {
        let part = from..from + output.len();
        let (gates, ups) = (&gates[part.clone()], ups.map(|ups| &ups[part]));
        match activation {
            Activation::Gelu => lanes::run(Forward { curve: Gelu, gates, ups, output }),
            Activation::GeluTanh | Activation::GeluWritten => {
                lanes::run(Forward { curve: GeluTanh, gates, ups, output });
            }
            Activation::Relu | Activation::ReluInPlace => {
                lanes::run(Forward { curve: Relu, gates, ups, output });
            }
            Activation::ReluSquared => {
                lanes::run(Forward { curve: ReluSquared, gates, ups, output });
            }
            _ => lanes::run(Forward { curve: Silu, gates, ups, output }),
        }
    });
}

/// Gates and what they gate.
pub(crate) struct Gated<'a> {
    /// Gates.
    pub(crate) gates: &'a [f32],
    /// Where their gradient goes.
    pub(crate) gates_gradient: &'a mut [f32],
    /// What is gated.
    pub(crate) ups: Option<&'a [f32]>,
}

/// Makes the gradients of what went in: that of gates in its place, that of what was gated in `output_gradient`.
pub(crate) fn backward(activation: Activation, gated: Gated<'_>, output_gradient: &mut [f32]) {
    let Gated { gates, gates_gradient, ups } = gated;
    // Two places are written: their parts go together.
    let parts =
        gates_gradient.par_chunks_mut(TOGETHER).zip(output_gradient.par_chunks_mut(TOGETHER));
    parts.enumerate().for_each(|(index, (of_gates, above))| {
        let from = index * TOGETHER;
        let part = from..from + above.len();
        let (gates, ups) = (&gates[part.clone()], ups.map(|ups| &ups[part]));
        match activation {
            Activation::Gelu => lanes::run(Back { curve: Gelu, gates, ups, of_gates, above }),
            Activation::GeluTanh | Activation::GeluWritten => {
                lanes::run(Back { curve: GeluTanh, gates, ups, of_gates, above });
            }
            Activation::Relu | Activation::ReluInPlace => {
                lanes::run(Back { curve: Relu, gates, ups, of_gates, above });
            }
            Activation::ReluSquared => {
                lanes::run(Back { curve: ReluSquared, gates, ups, of_gates, above });
            }
            _ => lanes::run(Back { curve: Silu, gates, ups, of_gates, above }),
        }
    });
}

fn in_parts(output: &mut [f32], each: impl Fn(usize, &mut [f32]) + Sync) {
    let whole = output.len() / TOGETHER * TOGETHER;
    let (parts, rest) = output.split_at_mut(whole);
    by_rows(parts, TOGETHER, |index, part| each(index * TOGETHER, part));
    each(whole, rest);
}

/// A function and its slope.
trait Curve: Copy {
    fn at(self, x: f32) -> (f32, f32);
}

#[derive(Clone, Copy)]
struct Silu;
#[derive(Clone, Copy)]
struct Gelu;
#[derive(Clone, Copy)]
struct GeluTanh;
#[derive(Clone, Copy)]
struct Relu;
#[derive(Clone, Copy)]
struct ReluSquared;

impl Curve for Silu {
    /// `x s` with `s = 1 / (1 + e^-x)`, and `s + x s (1 - s)`.
    #[inline(always)]
    fn at(self, x: f32) -> (f32, f32) {
        let s = 1.0 / (1.0 + exponential(-x));
        let value = x * s;
        (value, (1.0 - s).mul_add(value, s))
    }
}

impl Curve for GeluTanh {
    /// `x s` with `s = sigmoid(2 u)`, `u = sqrt(2 / pi) (x + a x^3)`, and `s + x s (1 - s) 2 u'`.
    #[inline(always)]
    fn at(self, x: f32) -> (f32, f32) {
        const ROOT: f32 = 0.797_884_6;
        const A: f32 = 0.044_715;
        let squared = x * x;
        let inner = ROOT * x * A.mul_add(squared, 1.0);
        let s = 1.0 / (1.0 + exponential(-2.0 * inner));
        let value = x * s;
        let slope = 2.0 * ROOT * (3.0 * A).mul_add(squared, 1.0);
        (value, (value * (1.0 - s)).mul_add(slope, s))
    }
}

impl Curve for Gelu {
    /// `x Phi(x)`, and `Phi(x) + x phi(x)`; the error function is that of Abramowitz and Stegun 7.1.26.
    #[inline(always)]
    fn at(self, x: f32) -> (f32, f32) {
        const INVERSE_ROOT: f32 = 0.398_942_3;
        let scaled = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
        let t = 1.0 / 0.327_591_1_f32.mul_add(scaled, 1.0);
        let polynomial = t.mul_add(1.061_405_4, -1.453_152).mul_add(t, 1.421_413_8);
        let polynomial = polynomial.mul_add(t, -0.284_496_72).mul_add(t, 0.254_829_6) * t;
        let bell = exponential(-scaled * scaled);
        let error = 1.0 - polynomial * bell;
        let share = 0.5 * (1.0 + error.copysign(x));
        (x * share, (x * INVERSE_ROOT).mul_add(bell, share))
    }
}

impl Curve for Relu {
    #[inline(always)]
    fn at(self, x: f32) -> (f32, f32) {
        (x.max(0.0), if x > 0.0 { 1.0 } else { 0.0 })
    }
}

impl Curve for ReluSquared {
    #[inline(always)]
    fn at(self, x: f32) -> (f32, f32) {
        let above = x.max(0.0);
        (above * above, 2.0 * above)
    }
}

struct Forward<'a, C> {
    curve: C,
    gates: &'a [f32],
    ups: Option<&'a [f32]>,
    output: &'a mut [f32],
}

impl<C: Curve> Kernel for Forward<'_, C> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, _lanes: L) {
        let Self { curve, gates, ups, output } = self;
        let count = output.len().min(gates.len());
        let (gates, output) = (&gates[..count], &mut output[..count]);
        match ups {
            Some(ups) => {
                let ups = &ups[..count];
                for index in 0..count {
                    output[index] = curve.at(gates[index]).0 * ups[index];
                }
            }
            None => {
                for index in 0..count {
                    output[index] = curve.at(gates[index]).0;
                }
            }
        }
    }
}

struct Back<'a, C> {
    curve: C,
    gates: &'a [f32],
    ups: Option<&'a [f32]>,
    of_gates: &'a mut [f32],
    /// The gradient of what came out; that of what was gated afterwards.
    above: &'a mut [f32],
}

impl<C: Curve> Kernel for Back<'_, C> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, _lanes: L) {
        let Self { curve, gates, ups, of_gates, above } = self;
        let count = above.len().min(gates.len()).min(of_gates.len());
        let (gates, of_gates, above) =
            (&gates[..count], &mut of_gates[..count], &mut above[..count]);
        match ups {
            Some(ups) => {
                let ups = &ups[..count];
                for index in 0..count {
                    let (value, slope) = curve.at(gates[index]);
                    let gradient = above[index];
                    of_gates[index] = gradient * ups[index] * slope;
                    above[index] = gradient * value;
                }
            }
            None => {
                for index in 0..count {
                    of_gates[index] = above[index] * curve.at(gates[index]).1;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel;
    use crate::train::operator::differences::{Check, numbers};
    use crate::train::parameter::Parameters;

    const KNOWN: [Activation; 5] = [
        Activation::Silu,
        Activation::Gelu,
        Activation::GeluTanh,
        Activation::Relu,
        Activation::ReluSquared,
    ];

    #[test]
    fn gradients_are_differences_with_and_without_a_gate() {
        for activation in KNOWN {
            for gated in [true, false] {
                let mut inputs = vec![numbers(40, 1), numbers(40, 2)];
                inputs.truncate(if gated { 2 } else { 1 });
                // No corner within a step.
                inputs[0].iter_mut().for_each(|x| *x = 3.0 * *x + 0.05 * x.signum());
                Check {
                    parameters: Parameters::default(),
                    inputs,
                    forward: &|_, inputs| {
                        let mut output = Vec::new();
                        let ups = inputs.get(1).map(Vec::as_slice);
                        forward(activation, &inputs[0], ups, &mut output);
                        output
                    },
                    backward: &|_, inputs, gradient| {
                        let (mut of_gates, mut of_ups) = (vec![0.0; 40], gradient.to_vec());
                        let ups = inputs.get(1).map(Vec::as_slice);
                        let gated = Gated { gates: &inputs[0], gates_gradient: &mut of_gates, ups };
                        backward(activation, gated, &mut of_ups);
                        let mut all = vec![of_gates, of_ups];
                        all.truncate(inputs.len());
                        all
                    },
                }
                .run();
            }
        }
    }

    #[test]
    fn values_are_those_of_inference() {
        for activation in KNOWN {
            let gates: Vec<f32> = numbers(9000, 3).into_iter().map(|x| 8.0 * x).collect();
            let mut expected = gates.clone();
            kernel::activate(activation, &mut expected);
            let mut output = Vec::new();
            forward(activation, &gates, None, &mut output);
            for (value, expected) in output.iter().zip(expected) {
                assert!((value - expected).abs() < 1e-5, "{activation:?}");
            }
        }
    }
}
