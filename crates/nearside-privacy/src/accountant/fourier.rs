//! The discrete Fourier transform of a length that is a power of two, and how far it may be off.
//!
//! Radix 2, Cooley and Tukey, with every twiddle factor taken from a table. The forward transform leaves its
//! coefficients in bit-reversed order, the inverse takes them so: between them order does not matter. With
//! factors that are off by a unit in the last place the result is off by at most `log2(n) eta` of its norm,
//! `eta` below 8 units: Higham, "Accuracy and Stability of Numerical Algorithms", 2nd ed., theorem 24.2.
//! Plain arithmetic in a fixed order: the same on every machine.

use std::f64::consts::TAU;

/// Complex numbers as their real and their imaginary parts.
#[derive(Clone, Debug)]
pub(super) struct Complex {
    pub(super) real: Vec<f64>,
    pub(super) imaginary: Vec<f64>,
}

/// Twiddle factors of every stage, the widest first.
pub(super) struct Transform {
    stages: Vec<Complex>,
    size: usize,
}

impl Transform {
    /// The transform of `2^power` numbers.
    pub(super) fn new(power: u32) -> Self {
        let size = 1_usize << power;
        let turn = |step: usize| (TAU * step as f64 / size as f64).sin_cos();
        let (sines, cosines): (Vec<f64>, Vec<f64>) = (0..size / 2).map(turn).unzip();
        let stage = |level: u32| Complex {
            real: cosines.iter().step_by(1 << level).copied().collect(),
            imaginary: sines.iter().step_by(1 << level).copied().collect(),
        };
        Self { stages: (0..power).map(stage).collect(), size }
    }

    /// How far a transform may be off, as a share of the norm of its result; how far each coefficient may be off, as a
    /// share of the sum of the absolute values that it is a sum of.
    pub(super) fn rounding(&self) -> f64 {
        8.0 * f64::EPSILON * (self.stages.len() as f64).max(1.0)
    }

    /// Coefficients in bit-reversed order, not scaled.
    pub(super) fn forward(&self, data: &mut Complex) {
        for stage in &self.stages {
            each_block(data, stage, |(ar, ai), (br, bi), (cosine, sine)| {
                let (real, imaginary) = (*ar - *br, *ai - *bi);
                (*ar, *ai) = (*ar + *br, *ai + *bi);
                *br = real * cosine + imaginary * sine;
                *bi = imaginary * cosine - real * sine;
            });
        }
    }

    /// Numbers in order from coefficients in bit-reversed order, scaled.
    pub(super) fn inverse(&self, data: &mut Complex) {
        for stage in self.stages.iter().rev() {
            each_block(data, stage, |(ar, ai), (br, bi), (cosine, sine)| {
                let (real, imaginary) = (*br * cosine - *bi * sine, *bi * cosine + *br * sine);
                (*br, *bi) = (*ar - real, *ai - imaginary);
                (*ar, *ai) = (*ar + real, *ai + imaginary);
            });
        }
        let scale = 1.0 / self.size as f64;
        data.real.iter_mut().chain(&mut data.imaginary).for_each(|part| *part *= scale);
    }
}

type Parts<'a> = (&'a mut f64, &'a mut f64);

/// Runs one butterfly over every pair of every block of a stage.
fn each_block(
    data: &mut Complex,
    stage: &Complex,
    butterfly: impl Fn(Parts<'_>, Parts<'_>, (f64, f64)),
) {
    let half = stage.real.len();
    let imaginary = data.imaginary.chunks_exact_mut(2 * half);
    for (real, imaginary) in data.real.chunks_exact_mut(2 * half).zip(imaginary) {
        let ((first_real, second_real), (first_imaginary, second_imaginary)) =
            (real.split_at_mut(half), imaginary.split_at_mut(half));
        let first = first_real.iter_mut().zip(first_imaginary);
        let second = second_real.iter_mut().zip(second_imaginary);
        let factors = stage.real.iter().zip(&stage.imaginary);
        for ((a, b), (cosine, sine)) in first.zip(second).zip(factors) {
            butterfly(a, b, (*cosine, *sine));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_transformed_comes_back_and_products_are_circular_sums() {
        let transform = Transform::new(4);
        let mut data = Complex { real: vec![0.0; 16], imaginary: vec![0.0; 16] };
        data.real[3] = 0.25;
        data.real[15] = 0.75;
        let start = data.real.clone();
        transform.forward(&mut data);
        let mut squared = data.clone();
        transform.inverse(&mut data);
        assert!(data.real.iter().zip(&start).all(|(a, b)| (a - b).abs() < 1e-15));
        for (real, imaginary) in squared.real.iter_mut().zip(&mut squared.imaginary) {
            (*real, *imaginary) =
                (*real * *real - *imaginary * *imaginary, 2.0 * *real * *imaginary);
        }
        transform.inverse(&mut squared);
        for (at, expected) in [(6, 0.0625), (2, 0.375), (14, 0.5625), (0, 0.0)] {
            assert!((squared.real[at] - expected).abs() < 1e-15, "{at}");
        }
        assert!(squared.imaginary.iter().all(|part| part.abs() < 1e-15));
    }
}
