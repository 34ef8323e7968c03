//! Rows divided by their root mean square (Zhang and Sennrich, arXiv 1910.07467), with a scale for each number.
//!
//! ```text
//! r = 1 / sqrt(mean(x^2) + epsilon),  y = x r (s + offset)
//! g = dy (s + offset),  dx = r (g - x r^2 mean(g x)),  ds += sum over rows of dy x r
//! ```
//!
//! The offset is one for Gemma, whose files have scales less one, and zero elsewhere.

use rayon::prelude::*;

use super::sums::{add_columns, dot, dot3};
use crate::kernel::by_rows;
use crate::kernel::lanes::{self, Kernel, Lanes};
use crate::train::parameter::{ParameterId, Parameters};
use crate::train::product::Onto;

/// How rows are normalised.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RmsNorm {
    /// A scale for each number of a row.
    pub(crate) scale: ParameterId,
    /// What is added to every scale.
    pub(crate) offset: f32,
    /// What is added to the mean square.
    pub(crate) epsilon: f32,
}

impl RmsNorm {
    pub(crate) fn forward(&self, parameters: &Parameters, input: &[f32], output: &mut Vec<f32>) {
        let scales = parameters.values(self.scale);
        let width = scales.len();
        output.resize(input.len(), 0.0);
        by_rows(output, width, |index, output| {
            let input = &input[index * width..index * width + output.len()];
            lanes::run(Forward { how: self, scales, input, output });
        });
    }

    /// Makes the gradient of what went in; `inverses` is memory that is used again.
    pub(crate) fn backward(
        &self,
        parameters: &mut Parameters,
        input: &[f32],
        output_gradient: &[f32],
        input_gradient: (&mut [f32], Onto),
        inverses: &mut Vec<f32>,
    ) {
        let scales = parameters.values(self.scale);
        let width = scales.len();
        let rows = input.par_chunks_exact(width).with_min_len(64);
        let inverse = |input| lanes::run(Inverse { input, epsilon: self.epsilon });
        rows.map(inverse).collect_into_vec(inverses);
        let (gradients, onto) = input_gradient;
        by_rows(gradients, width, |index, gradient| {
            let row = index * width..index * width + gradient.len();
            let (input, output_gradient) = (&input[row.clone()], &output_gradient[row]);
            let inverse = inverses[index];
            let offset = self.offset;
            lanes::run(Back { inverse, offset, scales, input, output_gradient, gradient, onto });
        });
        if let Some(sums) = parameters.gradient(self.scale) {
            add_columns(sums, output_gradient, Some(input), Some(inverses));
        }
    }
}

/// One over the root mean square of a row.
struct Inverse<'a> {
    input: &'a [f32],
    epsilon: f32,
}

impl Kernel for Inverse<'_> {
    type Output = f32;

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) -> f32 {
        let squares = dot(lanes, self.input, self.input);
        1.0 / (squares / self.input.len() as f32 + self.epsilon).sqrt()
    }
}

struct Forward<'a> {
    how: &'a RmsNorm,
    scales: &'a [f32],
    input: &'a [f32],
    output: &'a mut [f32],
}

impl Kernel for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let Self { how: RmsNorm { offset, epsilon, .. }, scales, input, output } = self;
        let inverse = Inverse { input, epsilon: *epsilon }.run(lanes);
        let count = output.len().min(input.len()).min(scales.len());
        let (input, scales, output) = (&input[..count], &scales[..count], &mut output[..count]);
        for index in 0..count {
            output[index] = input[index] * inverse * (scales[index] + *offset);
        }
    }
}

struct Back<'a> {
    inverse: f32,
    offset: f32,
    scales: &'a [f32],
    input: &'a [f32],
    output_gradient: &'a [f32],
    gradient: &'a mut [f32],
    onto: Onto,
}

impl Kernel for Back<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let Self { inverse, offset, scales, input, output_gradient, gradient, onto } = self;
        let count = gradient.len().min(input.len()).min(scales.len()).min(output_gradient.len());
        let (scales, input) = (&scales[..count], &input[..count]);
        let (above, gradient) = (&output_gradient[..count], &mut gradient[..count]);
        let of_offset = offset * dot(lanes, above, input);
        let along = dot3(lanes, [above, scales, input]) + of_offset;
        let share = along * inverse * inverse / count as f32;
        match onto {
            Onto::Replace => {
                for index in 0..count {
                    let scaled = above[index] * (scales[index] + offset);
                    gradient[index] = inverse * (scaled - input[index] * share);
                }
            }
            Onto::Add => {
                for index in 0..count {
                    let scaled = above[index] * (scales[index] + offset);
                    gradient[index] += inverse * (scaled - input[index] * share);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Normalise;
    use crate::train::operator::differences::{Check, numbers};
    use crate::train::parameter::Learns;

    fn norm(width: usize, offset: f32) -> (Parameters, RmsNorm) {
        let mut parameters = Parameters::default();
        let values = numbers(width, 1);
        let scale = parameters.add("s".to_owned(), vec![width as u64], values, Learns::Trained);
        (parameters, RmsNorm { scale, offset, epsilon: 0.01 })
    }

    #[test]
    fn gradients_are_differences() {
        for (width, offset, onto) in
            [(5, 0.0, Onto::Add), (21, 1.0, Onto::Replace), (16, 1.0, Onto::Add)]
        {
            let (parameters, norm) = norm(width, offset);
            Check {
                parameters,
                inputs: vec![numbers(3 * width, 2)],
                forward: &|parameters, inputs| {
                    let mut output = Vec::new();
                    norm.forward(parameters, &inputs[0], &mut output);
                    output
                },
                backward: &|parameters, inputs, gradient| {
                    let mut of_input = vec![0.0; 3 * width];
                    let input_gradient = (of_input.as_mut_slice(), onto);
                    let mut inverses = Vec::new();
                    let input = &inputs[0];
                    norm.backward(parameters, input, gradient, input_gradient, &mut inverses);
                    vec![of_input]
                },
            }
            .run();
        }
    }

    #[test]
    fn rows_are_those_of_inference() {
        let (parameters, norm) = norm(40, 1.0);
        let input = numbers(120, 3);
        let mut output = Vec::new();
        norm.forward(&parameters, &input, &mut output);
        let scales = parameters.values(norm.scale).iter().map(|scale| scale + 1.0).collect();
        let how = Normalise { centred: false, epsilon: 0.01, scales, offsets: Vec::new() };
        let mut expected = vec![0.0; 120];
        how.rows(&input, &mut expected);
        assert_eq!(output, expected);
    }
}
