//! How a sum of losses is best put on a grid: how it is tilted, which part of it is looked at, how finely.
//!
//! With the cumulants `K(t) = ln E[e^(t loss)]` of the sum, taken by the trapezoidal rule, the tilt `t` is that of
//! Chernoff's bound: `delta(epsilon) <= e^(K(t) - t epsilon)` is least where `K'(t) = epsilon`. Losses weighed by
//! `e^(t loss - K(t))` have their mean at epsilon, so that what decides about even a tiny delta is in the middle of
//! the grid, and rounding counts for as little as if delta were near 1. (The saddle point of: Alghamdi et al., "The
//! saddle-point method in differential privacy", ICML 2023.)
//!
//! Nothing here has to be exact: a plan that is off costs precision or time, never safety.

use super::pair::{Direction, Pair};

/// Share of epsilon that the grid may add to it.
const PRECISION: f64 = 1e-4;
/// Below this epsilon the grid is not made finer.
const FINEST: f64 = 1e-4;
/// The most points of the grid, as a power of two, and the fewest.
const POWERS: (u32, u32) = (19, 10);
/// The most points of the losses of one step.
const MOST_OF_STEP: f64 = 1e6;
/// Logarithms of how little is above the part that is looked at, and below it, after tilting.
const ENDS: (f64, f64) = (20.0, 8.0);
/// Shares of what counts that one step may lose at its ends.
const CUT: f64 = 1e-5;
/// Losses beyond this have no grid: their exponentials are no numbers.
const FARTHEST: f64 = 600.0;
/// The tilts that are looked at, and how often their range is halved.
const TILTS: (f64, f64, u32) = (1e-3, 1e9, 60);

/// What the curve is wanted for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Goal {
    /// Epsilon at a delta.
    Delta {
        /// The delta.
        delta: f64,
        /// What epsilon was by a plan before, if there was one.
        near: Option<f64>,
    },
    /// Delta at an epsilon, which is of about a size.
    Epsilon {
        /// The epsilon.
        epsilon: f64,
        /// An upper bound of delta.
        about: f64,
    },
}

/// Where to look, and how.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// The tilt.
    pub(super) tilt: f64,
    /// A greater one, by which what is above the grid is bounded.
    pub(super) upper_tilt: f64,
    /// The distance of two points.
    pub(super) width: f64,
    /// The first point of the grid, in widths.
    pub(super) first: i64,
    /// Its points, as a power of two.
    pub(super) power: u32,
    /// For every pair, the losses of one step that are put on points: others count as the first, or as infinite.
    pub(super) ranges: Vec<(f64, f64)>,
    /// The mean of the tilted losses: about epsilon.
    pub(super) middle: f64,
}

/// Outputs of one step: losses in ascending order, and the logarithm of what each weighs.
struct Nodes {
    steps: f64,
    losses: Vec<(f64, f64)>,
}

/// Cumulants of a sum of losses, and their first two derivatives.
#[derive(Clone, Copy, Debug, Default)]
struct Cumulant {
    value: f64,
    mean: f64,
    variance: f64,
}

impl Nodes {
    fn of(pair: &Pair, tail: f64) -> Self {
        // Chernoff's bound of a normal's tail.
        let far = (2.0 * (pair.steps / tail).ln().max(1.0)).sqrt() * pair.sigma;
        let (low, high) =
            if pair.direction == Direction::Remove { (-far, 1.0 + far) } else { (-far, far) };
        let width = (pair.sigma / 8.0).min(0.5 * pair.sigma * pair.sigma);
        let count = ((high - low) / width).clamp(16.0, 2000.0);
        let width = (high - low) / count;
        let node = |step: u32| {
            let output = low + width * f64::from(step);
            (pair.loss(output), (width * pair.density(output)).ln())
        };
        let mut losses: Vec<_> = (0..=count as u32).map(node).collect();
        if pair.direction == Direction::Add {
            losses.reverse();
        }
        Self { steps: pair.steps, losses }
    }

    /// Cumulants of one step.
    fn cumulant(&self, tilt: f64) -> Cumulant {
        let shift = self.losses.iter().map(|(loss, weight)| tilt * loss + weight);
        let shift = shift.fold(f64::NEG_INFINITY, f64::max);
        let (mut sum, mut first, mut second) = (0.0, 0.0, 0.0);
        for (loss, weight) in &self.losses {
            let weight = (weight + tilt * loss - shift).exp();
            (sum, first, second) =
                (sum + weight, first + weight * loss, second + weight * loss * loss);
        }
        let mean = first / sum;
        Cumulant { value: shift + sum.ln(), mean, variance: (second / sum - mean * mean).max(0.0) }
    }

    /// The losses of one step that have to be on points.
    fn range(&self, tilt: f64, tail: f64) -> (f64, f64) {
        let low = (CUT / self.steps).ln() + self.cumulant(tilt).value;
        let high = (CUT * tail / self.steps).ln();
        (
            last_within(self.losses.iter(), tilt, low),
            last_within(self.losses.iter().rev(), 0.0, high),
        )
    }
}

/// The last of the losses from an end on, up to which the tilted weights are not more than the logarithm `most`.
fn last_within<'a>(
    losses: impl Iterator<Item = &'a (f64, f64)> + Clone,
    tilt: f64,
    most: f64,
) -> f64 {
    let first = losses.clone().next().map_or(0.0, |(loss, _)| *loss);
    let sums = losses.scan(0.0, |sum, (loss, weight)| {
        *sum += weight.exp();
        Some((*loss, f64::ln(*sum) + tilt * loss))
    });
    sums.take_while(|(_, sum)| *sum <= most).last().map_or(first, |(loss, _)| loss)
}

/// Cumulants of the sum of all steps.
fn total(nodes: &[Nodes], tilt: f64) -> Cumulant {
    nodes.iter().fold(Cumulant::default(), |sum, nodes| {
        let one = nodes.cumulant(tilt);
        Cumulant {
            value: sum.value + nodes.steps * one.value,
            mean: sum.mean + nodes.steps * one.mean,
            variance: sum.variance + nodes.steps * one.variance,
        }
    })
}

/// The number in a range at which a rising function reaches a value, to the precision of the halvings.
fn reach((low, high): (f64, f64), value: f64, rising: impl Fn(f64) -> f64) -> f64 {
    let (mut low, mut high) = (low.ln(), high.ln());
    for _ in 0..TILTS.2 {
        let middle = 0.5 * (low + high);
        if rising(middle.exp()) < value {
            low = middle;
        } else {
            high = middle;
        }
        if high - low < 1e-3 {
            break;
        }
    }
    (0.5 * (low + high)).exp()
}

/// The distance from a tilt to that of Chernoff's bound for a tail of `e^-budget` on one side of the tilted sum.
fn distance(nodes: &[Nodes], tilt: f64, side: f64, budget: f64) -> f64 {
    let base = total(nodes, tilt);
    let scale = 1.0 / base.variance.sqrt().max(f64::MIN_POSITIVE);
    reach((1e-3 * scale, 1e3 * scale), budget, |distance| {
        let there = total(nodes, tilt + side * distance);
        side * distance * there.mean - (there.value - base.value)
    })
}

impl Plan {
    /// A plan for the sum of the losses of all pairs; none where they are too great for a grid.
    pub(super) fn new(pairs: &[Pair], goal: Goal) -> Option<Self> {
        let (tail, epsilon) = match goal {
            Goal::Delta { delta, near } => (delta, near),
            Goal::Epsilon { epsilon, about } => (about, Some(epsilon)),
        };
        let nodes: Vec<Nodes> = pairs.iter().map(|pair| Nodes::of(pair, CUT * tail)).collect();
        let tilt = reach((TILTS.0, TILTS.1), 0.0, |tilt| {
            let there = total(&nodes, tilt);
            epsilon.map_or_else(
                || tilt * there.mean - there.value + tail.ln(),
                |epsilon| there.mean - epsilon,
            )
        });
        let ranges: Vec<_> = nodes.iter().map(|nodes| nodes.range(tilt, tail)).collect();
        let upper_tilt = tilt + distance(&nodes, tilt, 1.0, ENDS.0);
        let lower_tilt = tilt - distance(&nodes, tilt, -1.0, ENDS.1);
        let (middle, upper) = (total(&nodes, tilt).mean, total(&nodes, upper_tilt).mean);
        let lower = total(&nodes, lower_tilt).mean;
        let lower = epsilon.map_or(lower, |epsilon| lower.min(0.9 * epsilon));
        let far = ranges.iter().any(|(low, high)| low.abs().max(high.abs()) > FARTHEST);
        if far || !(lower < upper && upper < FARTHEST && lower > -FARTHEST) {
            return None;
        }
        let steps: f64 = pairs.iter().map(|pair| pair.steps).sum();
        // A grid adds steps * tilt * (tilt + 1) * width^2 / 12 to a cumulant: a share of epsilon at the tilt, and
        // little to the bound of what is above.
        let near = epsilon.unwrap_or(middle).max(FINEST);
        let wanted = (12.0 * PRECISION * near / (steps * (tilt + 1.0))).sqrt();
        let wanted = wanted.min((12.0 / steps).sqrt() / upper_tilt);
        let power = ((upper - lower) / wanted).log2().ceil();
        let power = power.clamp(f64::from(POWERS.1), f64::from(POWERS.0));
        // Two points are spared: the ends are rounded to whole widths.
        let widest = ranges.iter().map(|(low, high)| high - low).fold(0.0, f64::max);
        let width = ((upper - lower) / (power.exp2() - 2.0)).max(widest / MOST_OF_STEP);
        let first = (lower / width).floor() as i64;
        Some(Self { tilt, upper_tilt, width, first, power: power as u32, ranges, middle })
    }

    /// How many points the grid has.
    pub(super) const fn points(&self) -> usize {
        1 << self.power
    }
}
