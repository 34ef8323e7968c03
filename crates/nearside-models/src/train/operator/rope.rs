//! Rotary positions: pairs of numbers of a head are turned by an angle that grows with the position.
//!
//! ```text
//! (x, y) -> m (x cos - y sin, y cos + x sin);  backward the same with the angle turned round
//! ```

use crate::kernel::by_rows;
use crate::kernel::lanes::{self, Kernel, Lanes};
use crate::numerics::{Pairs, Rope};

/// Cosines and sines of all positions of a context.
#[derive(Clone, Debug)]
pub(crate) struct Rotary {
    rope: Rope,
    /// Numbers of a head that are turned; the others pass.
    width: usize,
    /// A row of pairs for each position, times the magnitude.
    cosines: Vec<f32>,
    sines: Vec<f32>,
}

/// Which way numbers are turned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// As the model does.
    Forward,
    /// As gradients are.
    Backward,
}

impl Rotary {
    pub(crate) fn new(rope: &Rope, width: usize, context: usize) -> Self {
        let of = rope.speeds(width, context);
        let (mut cosines, mut sines) = (Vec::new(), Vec::new());
        for position in 0..context {
            for speed in &of.speeds {
                let (sine, cosine) = (position as f64 * speed).sin_cos();
                cosines.push((cosine * of.magnitude) as f32);
                sines.push((sine * of.magnitude) as f32);
            }
        }
        Self { rope: rope.clone(), width, cosines, sines }
    }

    /// Whether it is the table of that rope; contexts are the same for a network.
    pub(crate) fn is_of(&self, rope: &Rope, width: usize) -> bool {
        self.rope == *rope && self.width == width
    }

    /// Turns all heads, each `head` wide, of tokens at these positions, which are below the context.
    pub(crate) fn turn(&self, values: &mut [f32], head: usize, positions: &[usize], way: Way) {
        let pairs = self.width / 2;
        if pairs == 0 || positions.is_empty() {
            return;
        }
        let width = values.len() / positions.len();
        by_rows(values, width, |token, row| {
            let at = positions[token] * pairs;
            let (cosines, sines) = (&self.cosines[at..at + pairs], &self.sines[at..at + pairs]);
            lanes::run(Turn { row, head, pairs: self.rope.pairs, cosines, sines, way });
        });
    }
}

struct Turn<'a> {
    row: &'a mut [f32],
    head: usize,
    pairs: Pairs,
    cosines: &'a [f32],
    sines: &'a [f32],
    way: Way,
}

impl Kernel for Turn<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, _lanes: L) {
        let Self { row, head, pairs, cosines, sines, way } = self;
        let sign = if way == Way::Forward { 1.0 } else { -1.0 };
        let count = cosines.len().min(sines.len());
        for index in 0..row.len() / head {
            let turned = &mut row[index * head..index * head + 2 * count];
            match pairs {
                Pairs::Halves => {
                    let (first, second) = turned.split_at_mut(count);
                    for pair in 0..count {
                        let (x, y) = (first[pair], second[pair]);
                        let (cosine, sine) = (cosines[pair], sign * sines[pair]);
                        first[pair] = x * cosine - y * sine;
                        second[pair] = y * cosine + x * sine;
                    }
                }
                Pairs::Neighbours => {
                    for pair in 0..count {
                        let (x, y) = (turned[2 * pair], turned[2 * pair + 1]);
                        let (cosine, sine) = (cosines[pair], sign * sines[pair]);
                        turned[2 * pair] = x * cosine - y * sine;
                        turned[2 * pair + 1] = y * cosine + x * sine;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numerics::Scaling;
    use crate::train::operator::differences::{Check, numbers};
    use crate::train::parameter::Parameters;

    #[test]
    fn gradients_are_differences_for_every_layout_and_scaling() {
        let scalings = [
            Scaling::None,
            Scaling::Linear { factor: 4.0 },
            Scaling::Llama3 { factor: 8.0, low: 1.0, high: 4.0, original: 32.0 },
            Scaling::Yarn {
                factor: 4.0,
                original: 32.0,
                fast: 32.0,
                slow: 1.0,
                attention: Some(1.3),
            },
            Scaling::Divided(vec![1.0, 2.0, 3.0]),
            Scaling::ByPair {
                short: vec![1.0; 3],
                long: vec![2.0; 3],
                original: 2.0,
                attention: 1.5,
            },
        ];
        for scaling in scalings {
            for (pairs, width) in [(Pairs::Halves, 6), (Pairs::Neighbours, 6), (Pairs::Halves, 8)] {
                let rope = Rope { pairs, theta: 100.0, scaling: scaling.clone() };
                let rotary = Rotary::new(&rope, width, 9);
                // Two heads of eight numbers, of three tokens.
                let positions = [0, 8, 3];
                Check {
                    parameters: Parameters::default(),
                    inputs: vec![numbers(48, 1)],
                    forward: &|_, inputs| {
                        let mut values = inputs[0].clone();
                        rotary.turn(&mut values, 8, &positions, Way::Forward);
                        values
                    },
                    backward: &|_, _, gradient| {
                        let mut values = gradient.to_vec();
                        rotary.turn(&mut values, 8, &positions, Way::Backward);
                        vec![values]
                    },
                }
                .run();
            }
        }
    }
}
