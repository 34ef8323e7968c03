//! Gradients held to finite differences.
//!
//! An operator's outputs are weighed with numbers at random and summed up in 64 bits; each number that goes in is moved
//! both ways, and the difference of the sums held to the gradient:
//!
//! ```text
//! (f(x + h) - f(x - h)) / 2h = f'(x) + O(h^2)
//! ```

use crate::train::parameter::Parameters;

/// How far numbers are moved: what 32 bits round off and what the square of it leaves out are about equal.
const STEP: f32 = 4e-3;
/// How far a gradient may be off, as a part of the largest of its tensor (and absolutely below one).
const TOLERANCE: f64 = 2e-3;

/// Numbers between -1 and 1, always the same.
pub(crate) fn numbers(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(12_345);
    let mut draw = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(|_| draw()).collect()
}

type Forward<'a> = &'a dyn Fn(&Parameters, &[Vec<f32>]) -> Vec<f32>;
type Backward<'a> = &'a dyn Fn(&mut Parameters, &[Vec<f32>], &[f32]) -> Vec<Vec<f32>>;

/// An operator with what goes into it.
pub(crate) struct Check<'a> {
    pub(crate) parameters: Parameters,
    pub(crate) inputs: Vec<Vec<f32>>,
    /// What comes out.
    pub(crate) forward: Forward<'a>,
    /// The gradients of what goes in, by that of what comes out; those of parameters are added to theirs.
    pub(crate) backward: Backward<'a>,
}

impl Check<'_> {
    /// Fails where a gradient is not the difference.
    pub(crate) fn run(mut self) {
        let outputs = (self.forward)(&self.parameters, &self.inputs).len();
        let weights = numbers(outputs, 99);
        let gradients = (self.backward)(&mut self.parameters, &self.inputs, &weights);
        assert_eq!(gradients.len(), self.inputs.len());
        for (input, gradient) in gradients.iter().enumerate() {
            assert_eq!(gradient.len(), self.inputs[input].len());
            let found: Vec<f64> = (0..gradient.len())
                .map(|at| {
                    let original = self.inputs[input][at];
                    let mut at_moved = |moved: f32| {
                        self.inputs[input][at] = moved;
                        weighed(&(self.forward)(&self.parameters, &self.inputs), &weights)
                    };
                    let difference = difference(original, &mut at_moved);
                    self.inputs[input][at] = original;
                    difference
                })
                .collect();
            compare(&format!("input {input}"), gradient, &found);
        }
        let trained: Vec<_> = self.parameters.trained().cloned().collect();
        for (index, parameter) in trained.iter().enumerate() {
            let found: Vec<f64> = (0..parameter.values.len())
                .map(|at| {
                    let original = parameter.values[at];
                    let mut at_moved = |moved: f32| {
                        let mut all = self.parameters.trained_mut();
                        all.nth(index).unwrap().values[at] = moved;
                        drop(all);
                        weighed(&(self.forward)(&self.parameters, &self.inputs), &weights)
                    };
                    let difference = difference(original, &mut at_moved);
                    at_moved(original);
                    difference
                })
                .collect();
            compare(&parameter.name, &parameter.gradient, &found);
        }
    }
}

/// How a function changes at a number.
pub(crate) fn difference(original: f32, at: &mut dyn FnMut(f32) -> f64) -> f64 {
    let (above, below) = (original + STEP, original - STEP);
    (at(above) - at(below)) / (f64::from(above) - f64::from(below))
}

fn weighed(outputs: &[f32], weights: &[f32]) -> f64 {
    outputs
        .iter()
        .zip(weights)
        .map(|(output, weight)| f64::from(*output) * f64::from(*weight))
        .sum()
}

/// Fails where gradients are not the differences.
pub(crate) fn compare(what: &str, gradients: &[f32], differences: &[f64]) {
    let largest = differences.iter().fold(1.0f64, |largest, one| largest.max(one.abs()));
    for (at, (gradient, difference)) in gradients.iter().zip(differences).enumerate() {
        let off = (f64::from(*gradient) - difference).abs() / largest;
        assert!(off < TOLERANCE, "{what}[{at}]: {gradient} is not {difference}");
    }
}
