//! A product with weights: `y = x W^T + b`, with one row of `W` for each number that comes out.
//!
//! ```text
//! dx = dy W,  dW += dy^T x,  db += sum of the rows of dy
//! ```

use std::ops::Range;

use super::sums::add_columns;
use crate::kernel::{add, by_rows};
use crate::train::TrainError;
use crate::train::parameter::{ParameterId, Parameters};
use crate::train::product::{Factor, Onto, product};

/// Some rows of a matrix, and what is added.
#[derive(Clone, Debug)]
pub(crate) struct Linear {
    /// The matrix, which others may have rows of as well.
    pub(crate) weight: ParameterId,
    /// Its rows.
    pub(crate) rows: Range<usize>,
    /// How wide what goes in is.
    pub(crate) width: usize,
    /// What is added.
    pub(crate) bias: Option<ParameterId>,
}

impl Linear {
    const fn numbers(&self) -> Range<usize> {
        self.rows.start * self.width..self.rows.end * self.width
    }

    /// Makes as many rows as go in.
    pub(crate) fn forward(
        &self,
        parameters: &Parameters,
        input: &[f32],
        output: &mut Vec<f32>,
    ) -> Result<(), TrainError> {
        let wide = self.rows.len();
        output.resize(input.len() / self.width * wide, 0.0);
        let weight = Factor::rows(&parameters.values(self.weight)[self.numbers()], self.width);
        let input = Factor::rows(input, self.width);
        product(input, weight.transposed(), 1.0, output, Onto::Replace)?;
        if let Some(bias) = self.bias {
            let bias = parameters.values(bias);
            by_rows(output, wide, |_, row| add(row, bias));
        }
        Ok(())
    }

    /// Adds to the gradients of what is trained.
    pub(crate) fn learn(
        &self,
        parameters: &mut Parameters,
        input: &[f32],
        output_gradient: &[f32],
    ) -> Result<(), TrainError> {
        if let Some(sums) = self.bias.and_then(|bias| parameters.gradient(bias)) {
            add_columns(sums, output_gradient, None, None);
        }
        let Some(sums) = parameters.gradient(self.weight) else { return Ok(()) };
        let gradient = Factor::rows(output_gradient, self.rows.len()).transposed();
        let input = Factor::rows(input, self.width);
        product(gradient, input, 1.0, &mut sums[self.numbers()], Onto::Add)
    }

    /// Makes the gradient of what went in.
    pub(crate) fn backward(
        &self,
        parameters: &Parameters,
        output_gradient: &[f32],
        input_gradient: &mut [f32],
        onto: Onto,
    ) -> Result<(), TrainError> {
        let weight = Factor::rows(&parameters.values(self.weight)[self.numbers()], self.width);
        let gradient = Factor::rows(output_gradient, self.rows.len());
        product(gradient, weight, 1.0, input_gradient, onto)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::operator::differences::{Check, numbers};
    use crate::train::parameter::Learns;

    fn linear(rows: Range<usize>, learns: Learns) -> (Parameters, Linear) {
        let mut parameters = Parameters::default();
        let weight = parameters.add("w".to_owned(), vec![7, 5], numbers(35, 1), learns);
        let bias = parameters.add("b".to_owned(), vec![4], numbers(4, 2), learns);
        (parameters, Linear { weight, rows, width: 5, bias: Some(bias) })
    }

    #[test]
    fn gradients_are_differences() {
        let (parameters, linear) = linear(2..6, Learns::Trained);
        Check {
            parameters,
            inputs: vec![numbers(15, 3)],
            forward: &|parameters, inputs| {
                let mut output = Vec::new();
                linear.forward(parameters, &inputs[0], &mut output).unwrap();
                output
            },
            backward: &|parameters, inputs, gradient| {
                linear.learn(parameters, &inputs[0], gradient).unwrap();
                let mut of_input = vec![0.25; 15];
                linear.backward(parameters, gradient, &mut of_input, Onto::Add).unwrap();
                of_input.iter_mut().for_each(|number| *number -= 0.25);
                vec![of_input]
            },
        }
        .run();
    }

    #[test]
    fn frozen_weights_have_no_gradient() {
        let (mut parameters, linear) = linear(2..6, Learns::Frozen);
        linear.learn(&mut parameters, &numbers(15, 3), &numbers(12, 4)).unwrap();
        assert!(parameters.all().iter().all(|parameter| parameter.gradient.is_empty()));
    }
}
