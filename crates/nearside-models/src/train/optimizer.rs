//! AdamW (Loshchilov and Hutter, arXiv 1711.05101): steps along a running mean of the gradient, each number's over the root
//! of its own mean square, and weights that shrink by themselves.
//!
//! ```text
//! m = b1 m + (1 - b1) g,  v = b2 v + (1 - b2) g^2
//! w = w - rate (m / (1 - b1^t) / (sqrt(v / (1 - b2^t)) + epsilon) + decay w)
//! ```
//!
//! Matrices shrink, scales and biases do not. Gradients that are longer than they may be, all tensors together, are
//! shortened first (Pascanu et al., arXiv 1211.5063).

#![allow(
    clippy::needless_range_loop,
    reason = "loops that count become part of the function that has the instructions; iterators do not"
)]

use rayon::prelude::*;

use super::parameter::Parameters;
use crate::kernel::lanes::{self, Kernel, Lanes};

/// Numbers that are changed together.
const TOGETHER: usize = 1 << 14;

/// The numbers of AdamW.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamW {
    /// How much of the mean of gradients is kept.
    pub first: f32,
    /// How much of the mean of their squares is kept.
    pub second: f32,
    /// What is added to the root.
    pub epsilon: f32,
    /// How much of a weight goes with every step, times the rate.
    pub decay: f32,
    /// The longest gradient.
    pub longest: f64,
}

impl AdamW {
    /// Those that language models are usually trained with (Llama, arXiv 2302.13971).
    pub const USUAL: Self =
        Self { first: 0.9, second: 0.95, epsilon: 1e-8, decay: 0.1, longest: 1.0 };
}

/// AdamW with its means.
#[derive(Clone, Debug)]
pub struct Optimizer {
    how: AdamW,
    steps: i32,
    /// Of every trained tensor: means of gradients, and of their squares.
    means: Vec<[Vec<f32>; 2]>,
}

impl Optimizer {
    /// One that has done nothing.
    #[must_use]
    pub const fn new(how: AdamW) -> Self {
        Self { how, steps: 0, means: Vec::new() }
    }

    /// Bytes of its means.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.means.iter().flatten().map(|mean| mean.len() * 4).sum()
    }

    /// Changes every trained tensor by its gradient, and clears that. Gives the length of the gradient as it was; where
    /// that is no finite number, nothing is changed.
    pub fn step(&mut self, parameters: &mut Parameters, rate: f32) -> f64 {
        let length =
            parameters.trained().map(|tensor| squares(&tensor.gradient)).sum::<f64>().sqrt();
        if !length.is_finite() {
            return length;
        }
        self.steps = self.steps.saturating_add(1);
        let how = self.how;
        let unbiased = |kept: f32| (1.0 - f64::from(kept).powi(self.steps)).recip() as f32;
        let shortened = (how.longest / length.max(f64::MIN_POSITIVE)).min(1.0) as f32;
        let (first, second) = (unbiased(how.first), unbiased(how.second));
        for (index, tensor) in parameters.trained_mut().enumerate() {
            if self.means.len() <= index {
                let zeros = || vec![0.0; tensor.values.len()];
                self.means.push([zeros(), zeros()]);
            }
            let [means, squares] = &mut self.means[index];
            let decay = if tensor.is_matrix() { how.decay } else { 0.0 };
            let parts = tensor.values.par_chunks_mut(TOGETHER);
            let parts = parts.zip(tensor.gradient.par_chunks_mut(TOGETHER));
            let parts = parts.zip(means.par_chunks_mut(TOGETHER));
            let parts = parts.zip(squares.par_chunks_mut(TOGETHER));
            parts.for_each(|(((values, gradient), means), squares)| {
                let numbers = [values, gradient, means, squares];
                let unbiased = [first, second];
                lanes::run(Update { numbers, how, rate, decay: rate * decay, shortened, unbiased });
            });
        }
        length
    }
}

/// The sum of squares, in parts of one length each.
fn squares(numbers: &[f32]) -> f64 {
    let parts: Vec<f64> =
        numbers.par_chunks(TOGETHER).map(|part| lanes::run(Squares(part))).collect();
    parts.iter().sum()
}

struct Squares<'a>(&'a [f32]);

impl Kernel for Squares<'_> {
    type Output = f64;

    #[inline(always)]
    fn run<L: Lanes>(self, _lanes: L) -> f64 {
        let (chunks, rest) = self.0.as_chunks::<16>();
        let mut parts = [0.0f64; 16];
        for index in 0..chunks.len() {
            for lane in 0..16 {
                let number = f64::from(chunks[index][lane]);
                parts[lane] += number * number;
            }
        }
        let mut sum = 0.0;
        for lane in 0..16 {
            sum += parts[lane];
        }
        for index in 0..rest.len() {
            sum += f64::from(rest[index]) * f64::from(rest[index]);
        }
        sum
    }
}

struct Update<'a> {
    numbers: [&'a mut [f32]; 4],
    how: AdamW,
    rate: f32,
    /// What of a weight goes.
    decay: f32,
    shortened: f32,
    unbiased: [f32; 2],
}

impl Kernel for Update<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, _lanes: L) {
        let Self { numbers: [values, gradient, means, squares], how, rate, decay, .. } = self;
        let (shortened, [first, second]) = (self.shortened, self.unbiased);
        let count = values.len().min(gradient.len()).min(means.len()).min(squares.len());
        let (values, gradient) = (&mut values[..count], &mut gradient[..count]);
        let (means, squares) = (&mut means[..count], &mut squares[..count]);
        for index in 0..count {
            let slope = gradient[index] * shortened;
            let mean = how.first * means[index] + (1.0 - how.first) * slope;
            let square = how.second * squares[index] + (1.0 - how.second) * slope * slope;
            let change = mean * first / ((square * second).sqrt() + how.epsilon);
            values[index] -= rate * change + decay * values[index];
            means[index] = mean;
            squares[index] = square;
            gradient[index] = 0.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::parameter::Learns;

    /// The same in 64 bits, number by number.
    fn reference(how: AdamW, rate: f64, decay: f64, gradients: &[f64], mut weight: f64) -> f64 {
        let (mut mean, mut square) = (0.0, 0.0);
        let (first, second) = (f64::from(how.first), f64::from(how.second));
        for (index, gradient) in gradients.iter().enumerate() {
            mean = first * mean + (1.0 - first) * gradient;
            square = second * square + (1.0 - second) * gradient * gradient;
            let step = index as i32 + 1;
            let (unbiased_mean, unbiased_square) =
                (mean / (1.0 - first.powi(step)), square / (1.0 - second.powi(step)));
            let change = unbiased_mean / (unbiased_square.sqrt() + f64::from(how.epsilon));
            weight -= rate * (change + decay * weight);
        }
        weight
    }

    #[test]
    fn steps_are_those_of_the_formula_and_only_matrices_shrink() {
        let how = AdamW { longest: 1e9, ..AdamW::USUAL };
        for shape in [vec![3, 7000], vec![21_000]] {
            let mut parameters = Parameters::default();
            let decays = shape.len() > 1;
            parameters.add("w".to_owned(), shape, vec![0.5; 21_000], Learns::Trained);
            let mut optimizer = Optimizer::new(how);
            let gradients = [0.3_f64, -0.2, 0.7, 0.1];
            for gradient in gradients {
                for tensor in parameters.trained_mut() {
                    tensor.gradient.fill(gradient as f32);
                }
                let length = optimizer.step(&mut parameters, 0.01);
                assert!((length / (21_000f64.sqrt() * gradient.abs()) - 1.0).abs() < 1e-6);
            }
            let decay = if decays { f64::from(how.decay) } else { 0.0 };
            let expected = reference(how, 0.01, decay, &gradients, 0.5);
            let tensor = &parameters.all()[0];
            assert!(tensor.values.iter().all(|value| (f64::from(*value) - expected).abs() < 1e-6));
            assert!(tensor.gradient.iter().all(|number| number.to_bits() == 0));
        }
    }

    #[test]
    fn a_gradient_that_is_too_long_is_shortened_as_a_whole() {
        // Without means and roots, a step is the gradient.
        let how = AdamW { first: 0.0, second: 0.0, epsilon: 1e6, decay: 0.0, longest: 5.0 };
        let mut parameters = Parameters::default();
        parameters.add("a".to_owned(), vec![1], vec![0.0], Learns::Trained);
        parameters.add("b".to_owned(), vec![1], vec![0.0], Learns::Trained);
        for (tensor, gradient) in parameters.trained_mut().zip([6.0, 8.0]) {
            tensor.gradient.fill(gradient);
        }
        assert!((Optimizer::new(how).step(&mut parameters, 1e6) - 10.0).abs() < 1e-9);
        let values: Vec<f32> = parameters.all().iter().map(|tensor| tensor.values[0]).collect();
        assert!((values[0] + 3.0).abs() < 1e-4 && (values[1] + 4.0).abs() < 1e-4, "{values:?}");
    }

    #[test]
    fn what_is_not_finite_changes_nothing() {
        let mut parameters = Parameters::default();
        parameters.add("a".to_owned(), vec![1], vec![2.0], Learns::Trained);
        parameters.trained_mut().for_each(|tensor| tensor.gradient.fill(f32::NAN));
        assert!(!Optimizer::new(AdamW::USUAL).step(&mut parameters, 0.1).is_finite());
        assert_eq!(parameters.all()[0].values, [2.0]);
    }
}
