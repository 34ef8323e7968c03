//! The two distributions that one step is told apart by, and the losses between them.
//!
//! With the noise multiplier `sigma`, the sampling rate `q` and a record of norm 1, the output of a step is
//! `N(0, sigma^2)` without the record and the mixture `(1-q) N(0, sigma^2) + q N(1, sigma^2)` with it. Removing
//! a record goes from the mixture `P` to the normal `Q`, adding one the other way. The privacy loss at an
//! output `x` is the logarithm of the ratio of their densities, here when removing, its negative when adding:
//!
//! ```text
//! loss(x) = ln(1 - q + q e^((2x - 1) / (2 sigma^2)))
//! ```
//!
//! Both pairs dominate the mechanism: Zhu, Dong, Wang, "Optimal accounting of differential privacy via
//! characteristic function", AISTATS 2022, theorem 11.

use std::f64::consts::SQRT_2;

use super::SubsampledGaussian;

/// Whether neighbours lose a record or gain one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    /// From the mixture to the normal.
    Remove,
    /// From the normal to the mixture.
    Add,
}

/// A mechanism, looked at in one direction.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pair {
    pub(super) sigma: f64,
    pub(super) rate: f64,
    pub(super) steps: f64,
    pub(super) direction: Direction,
}

impl Pair {
    /// The pair of a mechanism. All steps of one without sampling are one step with less noise.
    pub(super) fn of(mechanism: &SubsampledGaussian, direction: Direction) -> Self {
        let (sigma, rate) = (mechanism.sigma(), mechanism.rate());
        let steps = mechanism.steps() as f64;
        let whole = rate >= 1.0;
        let (sigma, steps) = if whole { (sigma / steps.sqrt(), 1.0) } else { (sigma, steps) };
        Self { sigma, rate, steps, direction }
    }

    /// The loss at an output.
    pub(super) fn loss(&self, output: f64) -> f64 {
        let ratio = (output - 0.5) / (self.sigma * self.sigma);
        let loss = if self.rate >= 1.0 {
            ratio
        } else if ratio < 30.0 {
            (self.rate * ratio.exp_m1()).ln_1p()
        } else {
            ratio + (self.rate + (1.0 - self.rate) * (-ratio).exp()).ln()
        };
        if self.direction == Direction::Remove { loss } else { -loss }
    }

    /// The output with a loss, minus infinity where all losses are on one side of it.
    fn output(&self, loss: f64) -> f64 {
        let loss = if self.direction == Direction::Remove { loss } else { -loss };
        let spread = self.sigma * self.sigma;
        if self.rate >= 1.0 {
            return 0.5 + spread * loss;
        }
        let ratio = loss.exp_m1() / self.rate;
        if ratio > -1.0 { 0.5 + spread * ratio.ln_1p() } else { f64::NEG_INFINITY }
    }

    /// The density of `P` at an output.
    pub(super) fn density(&self, output: f64) -> f64 {
        let normal = |mean: f64| {
            let z = (output - mean) / self.sigma;
            (-0.5 * z * z).exp() / (self.sigma * (2.0 * std::f64::consts::PI).sqrt())
        };
        match self.direction {
            Direction::Remove => (1.0 - self.rate) * normal(0.0) + self.rate * normal(1.0),
            Direction::Add => normal(0.0),
        }
    }

    /// The edge of an interval at a loss.
    pub(super) fn edge(&self, loss: f64) -> Edge {
        let output = self.output(loss);
        Edge { without: Tail::at(output / self.sigma), with: Tail::at((output - 1.0) / self.sigma) }
    }

    /// What `P` has of the outputs between two edges, never too little.
    pub(super) fn mass(&self, from: &Edge, to: &Edge) -> f64 {
        let (without, with) = (from.without.until(&to.without), from.with.until(&to.with));
        match self.direction {
            Direction::Remove => (1.0 - self.rate) * without.most() + self.rate * with.most(),
            Direction::Add => without.most(),
        }
    }

    /// What `P` has between two edges beyond `e^loss` times what `Q` has, never too little.
    pub(super) fn excess(&self, from: &Edge, to: &Edge, loss: f64) -> f64 {
        let (without, with) = (from.without.until(&to.without), from.with.until(&to.with));
        let (more, rate) = (loss.exp_m1(), self.rate);
        // Written so that nothing is lost where the rate is small: the ones cancel by hand.
        let (of_without, of_with) = match self.direction {
            Direction::Remove => (-(more + rate), rate),
            Direction::Add => (rate * (1.0 + more) - more, -rate * (1.0 + more)),
        };
        let excess = of_without * without.mass + of_with * with.mass;
        excess + of_without.abs() * without.rounding + of_with.abs() * with.rounding
    }

    /// What `P` has beyond an edge, on the side of the greater losses.
    pub(super) fn above(&self, edge: &Edge) -> f64 {
        let end = if self.direction == Direction::Remove { 1.0 } else { -1.0 } * f64::INFINITY;
        self.mass(edge, &Edge { without: Tail::at(end), with: Tail::at(end) })
    }

    /// What `P` has up to an edge, on the side of the smaller losses.
    pub(super) fn below(&self, edge: &Edge) -> f64 {
        let end = if self.direction == Direction::Remove { -1.0 } else { 1.0 } * f64::INFINITY;
        self.mass(edge, &Edge { without: Tail::at(end), with: Tail::at(end) })
    }
}

/// An edge between outputs, seen from both normals.
#[derive(Clone, Copy, Debug)]
pub(super) struct Edge {
    without: Tail,
    with: Tail,
}

/// A place on the standard normal, and the smaller of its two tails there.
#[derive(Clone, Copy, Debug)]
struct Tail {
    z: f64,
    smaller: f64,
}

/// What a normal has between two places, and how far off that may be.
struct Between {
    mass: f64,
    rounding: f64,
}

impl Between {
    fn most(&self) -> f64 {
        self.mass + self.rounding
    }
}

impl Tail {
    fn at(z: f64) -> Self {
        // Beyond 40 a tail is zero to every digit.
        let z = z.clamp(-40.0, 40.0);
        Self { z, smaller: 0.5 * libm::erfc(z.abs() / SQRT_2) }
    }

    /// A few units in the last place, for the tail and for the place at which it is taken.
    fn rounding(&self) -> f64 {
        4.0 * f64::EPSILON * (2.0 + self.z * self.z) * self.smaller
    }

    fn until(&self, other: &Self) -> Between {
        let across = (self.z < 0.0) != (other.z < 0.0);
        let mass = if across {
            1.0 - self.smaller - other.smaller
        } else {
            (self.smaller - other.smaller).abs()
        };
        Between { mass, rounding: self.rounding() + other.rounding() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(rate: f64, direction: Direction) -> Pair {
        Pair { sigma: 0.8, rate, steps: 1.0, direction }
    }

    #[test]
    fn a_loss_leads_back_to_its_output() {
        for (rate, direction) in
            [(0.01, Direction::Remove), (0.3, Direction::Add), (1.0, Direction::Remove)]
        {
            let pair = pair(rate, direction);
            for output in [-1.5, -0.2, 0.5, 0.9, 2.0, 7.0] {
                let back = pair.output(pair.loss(output));
                assert!((back - output).abs() < 1e-9, "{rate} {output} {back}");
            }
        }
    }

    #[test]
    fn parts_sum_to_one_and_losses_between_edges_are_as_said() {
        for direction in [Direction::Remove, Direction::Add] {
            let pair = pair(0.2, direction);
            let (low, high) = (pair.edge(-0.1), pair.edge(0.1));
            let sum = pair.below(&low) + pair.mass(&low, &high) + pair.above(&high);
            assert!((sum - 1.0).abs() < 1e-13, "{sum}");
            // P has at least e^-0.1 and at most e^0.1 times what Q has there.
            assert!(pair.excess(&low, &high, -0.1) > 0.0);
            assert!(pair.excess(&low, &high, 0.1) < 0.0);
        }
    }
}
