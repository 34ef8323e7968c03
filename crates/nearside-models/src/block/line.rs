//! The scale and the minimum of groups of values, and the level of each: what makes the weighted error least among some
//! tries.
//!
//! A value is `scale * level + min`, with whole levels from 0 and a minimum of at most 0. Each try rounds the values
//! with some scale, and takes the line of least squares through them; a better one also moves where the next try begins.
//! So tries follow each other, but groups do not: those of a block are computed side by side, each adding up in the
//! order of its values.

use super::fit::{each, level};

/// How an error counts.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Loss {
    Absolute,
    Squared,
}

/// Which scales are tried: the range of the values as `top` levels, and as `top + first`, `top + first + step`...
pub(super) struct Search {
    pub(super) top: f32,
    pub(super) first: f32,
    pub(super) step: f32,
    pub(super) tries: u8,
    pub(super) loss: Loss,
}

impl Search {
    /// What is tried where columns have weights.
    pub(super) const fn weighted(top: f32) -> Self {
        Self { top, first: -0.9, step: 0.05, tries: 37, loss: Loss::Squared }
    }
}

/// The lines of `W` groups: scales, how far their lowest values are below 0, and levels.
pub(super) struct Lines<const W: usize, const N: usize> {
    pub(super) scales: [f32; W],
    pub(super) below: [f32; W],
    pub(super) levels: [[u8; N]; W],
}

/// One number for each of the groups that are computed side by side.
type Lanes<const W: usize> = [f32; W];

/// Values and weights of `W` groups, those of a place side by side.
struct Groups<const W: usize, const N: usize> {
    values: [Lanes<W>; N],
    weights: [Lanes<W>; N],
    sum_w: Lanes<W>,
    sum_x: Lanes<W>,
    max: Lanes<W>,
}

/// What is best so far, and how values are rounded to its levels: `inverse * (value - from)`.
struct Best<const W: usize> {
    scales: Lanes<W>,
    mins: Lanes<W>,
    errors: Lanes<W>,
    inverse: Lanes<W>,
    from: Lanes<W>,
}

/// Finds the lines of `W` groups.
pub(super) fn fit<const W: usize, const N: usize>(
    values: &[[f32; N]; W],
    weights: &[[f32; N]; W],
    search: &Search,
) -> Lines<W, N> {
    let (groups, mins) = Groups::new(values, weights);
    let flat: [bool; W] = std::array::from_fn(|lane| groups.max[lane] <= mins[lane]);
    let mut best = groups.begin(mins, search);
    for at in 0..search.tries {
        groups.improve(&mut best, search, search.first + search.step * f32::from(at) + search.top);
    }
    let mut lines = Lines { scales: best.scales, below: [0.0; W], levels: [[0; N]; W] };
    for lane in 0..W {
        if flat[lane] {
            lines.scales[lane] = 0.0;
            lines.below[lane] = -mins[lane];
            continue;
        }
        lines.below[lane] = -best.mins[lane];
        let (inverse, from) = (best.inverse[lane], best.from[lane]);
        lines.levels[lane] =
            each(&values[lane], |value| level(inverse * (value - from), 0.0, search.top) as u8);
    }
    lines
}

impl<const W: usize, const N: usize> Groups<W, N> {
    /// The groups, and where their tries begin.
    fn new(values: &[[f32; N]; W], weights: &[[f32; N]; W]) -> (Self, Lanes<W>) {
        let transposed = |rows: &[[f32; N]; W]| {
            std::array::from_fn(|i| std::array::from_fn(|lane| rows[lane][i]))
        };
        let (values, weights): ([Lanes<W>; N], [Lanes<W>; N]) =
            (transposed(values), transposed(weights));
        let (mut min, mut max, mut sum_w) = (values[0], values[0], weights[0]);
        let mut sum_x = std::array::from_fn(|lane| sum_w[lane] * values[0][lane]);
        for (value, weight) in values.iter().zip(&weights).skip(1) {
            for lane in 0..W {
                min[lane] = if value[lane] < min[lane] { value[lane] } else { min[lane] };
                max[lane] = if value[lane] > max[lane] { value[lane] } else { max[lane] };
                sum_w[lane] += weight[lane];
                sum_x[lane] += weight[lane] * value[lane];
            }
        }
        let min = min.map(|min| if min > 0.0 { 0.0 } else { min });
        (Self { values, weights, sum_w, sum_x, max }, min)
    }

    /// Values with their weights, those of a place side by side.
    fn pairs(&self) -> impl Iterator<Item = (&Lanes<W>, &Lanes<W>)> {
        self.values.iter().zip(&self.weights)
    }

    /// The range of the values as that many levels.
    fn inverse(&self, mins: &Lanes<W>, levels: f32) -> Lanes<W> {
        std::array::from_fn(|lane| levels / (self.max[lane] - mins[lane]))
    }

    /// The lines from the least to the greatest value.
    fn begin(&self, mins: Lanes<W>, search: &Search) -> Best<W> {
        let inverse = self.inverse(&mins, search.top);
        let scales = inverse.map(|inverse| 1.0 / inverse);
        let mut levels = [[0.0; W]; N];
        for (levels, values) in levels.iter_mut().zip(&self.values) {
            for lane in 0..W {
                let above = values[lane] - mins[lane];
                levels[lane] = level(inverse[lane] * above, 0.0, search.top);
            }
        }
        let errors = self.errors(&scales, &mins, &levels, search.loss);
        Best { scales, mins, errors, inverse, from: mins }
    }

    /// Tries the range as that many levels.
    #[inline]
    fn improve(&self, best: &mut Best<W>, search: &Search, levels: f32) {
        let inverse = self.inverse(&best.mins, levels);
        let mut levels = [[0.0; W]; N];
        let (mut sum_l, mut sum_l2, mut sum_xl) = ([0.0; W], [0.0; W], [0.0; W]);
        for (levels, (values, weights)) in levels.iter_mut().zip(self.pairs()) {
            for lane in 0..W {
                let value = values[lane];
                let level = level(inverse[lane] * (value - best.mins[lane]), 0.0, search.top);
                let weighted = weights[lane] * level;
                sum_l[lane] += weighted;
                sum_l2[lane] += weighted * level;
                sum_xl[lane] += weighted * value;
                levels[lane] = level;
            }
        }
        let (mut scales, mut mins, mut fits) = ([0.0; W], [0.0; W], [false; W]);
        for lane in 0..W {
            let (sum_w, sum_x) = (self.sum_w[lane], self.sum_x[lane]);
            let determinant = sum_w * sum_l2[lane] - sum_l[lane] * sum_l[lane];
            let scale = (sum_w * sum_xl[lane] - sum_x * sum_l[lane]) / determinant;
            let min = (sum_l2[lane] * sum_x - sum_l[lane] * sum_xl[lane]) / determinant;
            let through_zero = min > 0.0;
            scales[lane] = if through_zero { sum_xl[lane] / sum_l2[lane] } else { scale };
            mins[lane] = if through_zero { 0.0 } else { min };
            fits[lane] = determinant > 0.0;
        }
        let errors = self.errors(&scales, &mins, &levels, search.loss);
        for lane in 0..W {
            if fits[lane] && errors[lane] < best.errors[lane] {
                best.from[lane] = best.mins[lane];
                best.inverse[lane] = inverse[lane];
                best.scales[lane] = scales[lane];
                best.mins[lane] = mins[lane];
                best.errors[lane] = errors[lane];
            }
        }
    }

    /// The weighted errors of lines.
    #[inline]
    fn errors(
        &self,
        scales: &Lanes<W>,
        mins: &Lanes<W>,
        levels: &[Lanes<W>; N],
        loss: Loss,
    ) -> Lanes<W> {
        let mut errors = [0.0; W];
        for (levels, (values, weights)) in levels.iter().zip(self.pairs()) {
            for lane in 0..W {
                let difference = scales[lane] * levels[lane] + mins[lane] - values[lane];
                let counted = match loss {
                    Loss::Absolute => difference.abs(),
                    Loss::Squared => difference * difference,
                };
                errors[lane] += weights[lane] * counted;
            }
        }
        errors
    }
}
