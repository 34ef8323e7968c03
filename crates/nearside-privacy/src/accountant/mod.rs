//! Privacy accountants: what the Poisson-subsampled Gaussian mechanism spends, as in DP-SGD and DP-FedAvg.
//!
//! A step takes every record with a probability, the sampling rate, sums what it makes of them, each clipped to a
//! norm of 1, and adds normal noise whose standard deviation is the noise multiplier. Neighbours are tables of which
//! one has a record more. The whole of the steps is `(epsilon, delta)`-private when for all neighbours `P`, `Q` and
//! sets `S` of outputs
//!
//! ```text
//! P(S) <= e^epsilon Q(S) + delta
//! ```
//!
//! [`epsilon`] and [`delta`] answer by the privacy loss distribution (`pld.rs`), which is exact but for a grid that
//! is put on it, and fall back on Rényi differential privacy (`rdp.rs`), a looser bound. Neither ever says less
//! than what is spent: grids, truncated tails and rounding are all counted to the worse side. [`calibrate`] finds the
//! noise for a target.
//!
//! Steps must sample as said here; batches of a fixed size that are drawn otherwise spend more.

mod calibrate;
mod error;
mod fourier;
mod pair;
mod plan;
mod pld;
mod rdp;

use std::fmt;

pub use calibrate::calibrate;
pub use error::AccountantError;

use pair::{Direction, Pair};
use plan::Goal;
/// Deltas below this are not told apart from it.
const TINIEST: f64 = 1e-250;

/// Steps of the Gaussian mechanism on Poisson samples, all alike.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SubsampledGaussian {
    sigma: f64,
    rate: f64,
    steps: u64,
}

impl SubsampledGaussian {
    /// `steps` steps, each with the noise multiplier `sigma` (standard deviation of the noise in units of the
    /// greatest norm of a record) and the sampling `rate` (the probability of a record to be in a step).
    ///
    /// # Errors
    ///
    /// `sigma` must be finite and above 0, `rate` above 0 and at most 1, `steps` 1 or more.
    pub fn new(sigma: f64, rate: f64, steps: u64) -> Result<Self, AccountantError> {
        if !(sigma.is_finite() && sigma > 0.0) {
            return Err(AccountantError::Sigma(sigma));
        }
        if !(rate > 0.0 && rate <= 1.0) {
            return Err(AccountantError::Rate(rate));
        }
        if steps == 0 {
            return Err(AccountantError::Steps);
        }
        Ok(Self { sigma, rate, steps })
    }

    /// Noise multiplier.
    pub const fn sigma(&self) -> f64 {
        self.sigma
    }

    /// Sampling rate.
    pub const fn rate(&self) -> f64 {
        self.rate
    }

    /// Steps.
    pub const fn steps(&self) -> u64 {
        self.steps
    }
}

/// An upper bound, and how it was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bound {
    /// The bound, of epsilon or of delta.
    pub value: f64,
    /// How it was found.
    pub method: Method,
}

/// How a bound was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// By the privacy loss distribution.
    Pld,
    /// By Rényi differential privacy: looser.
    Rdp(Reason),
}

/// Why the privacy loss distribution does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Losses are too great, or the noise too little, for a grid.
    OffGrid,
    /// What could not be put on the grid counts for more than all that is asked for.
    Coarse,
}

impl fmt::Display for Method {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Pld => "PLD",
            Self::Rdp(Reason::OffGrid) => "RDP, as losses are too great for a PLD",
            Self::Rdp(Reason::Coarse) => "RDP, as a PLD would be too coarse",
        })
    }
}

/// An upper bound of the epsilon that all mechanisms together spend at `delta`, above 0 and below 1.
///
/// The privacy loss distribution answers where it can, within 0.5 % of what is spent; [`Bound::method`] says so.
/// Nothing at all, an empty list, spends 0.
///
/// # Errors
///
/// `delta` out of its range; noise so small that no bound is finite.
pub fn epsilon(mechanisms: &[SubsampledGaussian], delta: f64) -> Result<Bound, AccountantError> {
    check_delta(delta)?;
    let mechanisms = merged(mechanisms);
    let looser = rdp::epsilon(&mechanisms, delta);
    let exact = pld::epsilon(&pairs(&mechanisms, Direction::Remove), delta).and_then(|removing| {
        // Adding a record has no greater loss than this, so no greater epsilon.
        let greatest = greatest_adding(&mechanisms);
        if greatest <= removing {
            return Ok(removing);
        }
        let adding = pld::epsilon(&pairs(&mechanisms, Direction::Add), delta);
        let adding = if greatest.is_finite() { adding.or(Ok(greatest)) } else { adding };
        Ok(removing.max(adding?.min(greatest)))
    });
    let bound = lesser(exact, looser);
    if bound.value.is_finite() { Ok(bound) } else { Err(AccountantError::Unbounded) }
}

/// An upper bound of the delta that all mechanisms together spend at `epsilon`, 0 or more.
///
/// # Errors
///
/// `epsilon` out of its range.
pub fn delta(mechanisms: &[SubsampledGaussian], epsilon: f64) -> Result<Bound, AccountantError> {
    if !(epsilon.is_finite() && epsilon >= 0.0) {
        return Err(AccountantError::Epsilon(epsilon, "0 or more"));
    }
    let mechanisms = merged(mechanisms);
    let looser = rdp::delta(&mechanisms, epsilon);
    // The looser bound says how far into the tails to look: it is rarely a thousand times too great.
    let about = (looser * 1e-3).max(TINIEST);
    let goal = Goal::Epsilon { epsilon, about };
    let removing = pld::delta(&pairs(&mechanisms, Direction::Remove), epsilon, goal);
    let exact = removing.and_then(|removing| {
        if greatest_adding(&mechanisms) <= epsilon {
            return Ok(removing);
        }
        // Only whether it is more counts: a grid for the same delta tells, and others where it is far more.
        let pairs = pairs(&mechanisms, Direction::Add);
        let same = Goal::Delta { delta: removing.clamp(TINIEST, 0.5), near: None };
        let adding = pld::delta(&pairs, epsilon, same);
        Ok(removing.max(adding.or_else(|_| pld::delta(&pairs, epsilon, goal))?))
    });
    Ok(lesser(exact, looser))
}

/// The bound of epsilon by Rényi differential privacy alone, at `delta`, above 0 and below 1.
///
/// # Errors
///
/// `delta` out of its range; noise so small that the bound is not finite.
pub fn rdp_epsilon(mechanisms: &[SubsampledGaussian], delta: f64) -> Result<f64, AccountantError> {
    check_delta(delta)?;
    let bound = rdp::epsilon(&merged(mechanisms), delta);
    if bound.is_finite() { Ok(bound) } else { Err(AccountantError::Unbounded) }
}

fn check_delta(delta: f64) -> Result<(), AccountantError> {
    if delta > 0.0 && delta < 1.0 { Ok(()) } else { Err(AccountantError::Delta(delta)) }
}

/// All mechanisms, looked at in one direction.
fn pairs(mechanisms: &[SubsampledGaussian], direction: Direction) -> Vec<Pair> {
    mechanisms.iter().map(|one| Pair::of(one, direction)).collect()
}

/// The greatest loss there is where a record is added: `-ln(1 - q)` for each step.
fn greatest_adding(mechanisms: &[SubsampledGaussian]) -> f64 {
    mechanisms.iter().map(|one| -(one.steps as f64) * (-one.rate).ln_1p()).sum()
}

/// The lesser of two upper bounds.
fn lesser(exact: Result<f64, Reason>, looser: f64) -> Bound {
    match exact {
        Ok(value) if value <= looser => Bound { value, method: Method::Pld },
        Ok(_) => Bound { value: looser, method: Method::Rdp(Reason::Coarse) },
        Err(reason) => Bound { value: looser, method: Method::Rdp(reason) },
    }
}

/// Mechanisms whose steps are alike as one, in a fixed order: the order of a list makes no difference.
fn merged(mechanisms: &[SubsampledGaussian]) -> Vec<SubsampledGaussian> {
    let mut sorted = mechanisms.to_vec();
    sorted.sort_by(|a, b| a.sigma.total_cmp(&b.sigma).then(a.rate.total_cmp(&b.rate)));
    let mut merged: Vec<SubsampledGaussian> = Vec::new();
    for one in sorted {
        let alike = merged.last_mut().filter(|last| {
            last.sigma.to_bits() == one.sigma.to_bits() && last.rate.to_bits() == one.rate.to_bits()
        });
        match alike.and_then(|last| Some((last.steps.checked_add(one.steps)?, last))) {
            Some((steps, last)) => last.steps = steps,
            None => merged.push(one),
        }
    }
    merged
}
