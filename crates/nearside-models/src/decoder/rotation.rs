//! Turning queries and keys by their position.

use crate::numerics::{Pairs, Rope};

/// How a layer turns.
#[derive(Clone, Debug)]
pub(super) struct Rotation {
    pairs: Pairs,
    /// Elements of a head that are turned; the others pass.
    width: usize,
    speeds: Vec<f64>,
    magnitude: f64,
}

/// Cosines and sines of the positions of a batch: a row of pairs for each token.
#[derive(Debug, Default)]
pub(super) struct Angles {
    cosines: Vec<f32>,
    sines: Vec<f32>,
}

impl Rotation {
    pub(super) fn new(rope: &Rope, width: usize, context: usize) -> Self {
        let of = rope.speeds(width, context);
        Self { pairs: rope.pairs, width, speeds: of.speeds, magnitude: of.magnitude }
    }

    /// Whether it needs the same angles.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        self.speeds == other.speeds && self.magnitude.total_cmp(&other.magnitude).is_eq()
    }

    pub(super) fn angles(&self, positions: impl Iterator<Item = usize>) -> Angles {
        let mut angles = Angles::default();
        for position in positions {
            for speed in &self.speeds {
                let (sine, cosine) = (position as f64 * speed).sin_cos();
                angles.cosines.push((cosine * self.magnitude) as f32);
                angles.sines.push((sine * self.magnitude) as f32);
            }
        }
        angles
    }

    /// Turns all heads of all tokens; heads are `head` elements wide.
    pub(super) fn turn(&self, values: &mut [f32], head: usize, angles: &Angles) {
        let pairs = self.speeds.len();
        if pairs == 0 {
            return;
        }
        let tokens = angles.cosines.chunks_exact(pairs).zip(angles.sines.chunks_exact(pairs));
        let row = values.len() / (angles.cosines.len() / pairs).max(1);
        for (values, (cosines, sines)) in values.chunks_exact_mut(row).zip(tokens) {
            for head in values.chunks_exact_mut(head) {
                let turned = &mut head[..self.width];
                match self.pairs {
                    Pairs::Halves => {
                        let (first, second) = turned.split_at_mut(pairs);
                        let angles = cosines.iter().zip(sines);
                        for ((x, y), (cosine, sine)) in first.iter_mut().zip(second).zip(angles) {
                            (*x, *y) = (*x * cosine - *y * sine, *y * cosine + *x * sine);
                        }
                    }
                    Pairs::Neighbours => {
                        let angles = cosines.iter().zip(sines);
                        for ([x, y], (cosine, sine)) in
                            turned.as_chunks_mut().0.iter_mut().zip(angles)
                        {
                            (*x, *y) = (*x * cosine - *y * sine, *y * cosine + *x * sine);
                        }
                    }
                }
            }
        }
    }
}
