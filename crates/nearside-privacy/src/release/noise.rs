//! How much noise keeps what may be spent, and how far it is likely to be off.
//!
//! For whole numbers that one person changes by at most `d` in all (in every norm, as counted here):
//!
//! - Discrete Laplace noise of scale `d / epsilon` is `epsilon`-differentially private: a shift by `d` changes no
//!   probability by more than `exp(d / scale)` (Ghosh, Roughgarden, Sundararajan 2009). The scale is exact.
//! - Discrete Gaussian noise of scale `s >= d / sqrt(2 rho)` is `rho`-zCDP (Canonne, Kamath, Steinke 2020, theorem 4;
//!   for many numbers at once as well, `d` being the distance in the Euclidean norm). The scale is rounded up.
//!
//! Answers are put within `2^120`, whatever they are, so that nothing wraps around.

use super::amount::UNIT;
use super::random::Source;
use super::sampler::{self, Scale};
use super::{Decimal, Privacy, ReleaseError};

/// Answers are not farther from 0 than this.
const FARTHEST: i128 = 1 << 120;
/// Bits of a scale of Gaussian noise, by which it is at most rounded up.
const PRECISION: u32 = 30;
/// The most that one person may change.
const MOST: u128 = 1 << 62;
/// The part of noise that is farther off than an error says.
const BEYOND: f64 = 0.05;

/// How the numbers of an answer were made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// Noise `y` has a probability proportional to `exp(-|y| / scale)`.
    DiscreteLaplace,
    /// Noise `y` has a probability proportional to `exp(-y^2 / (2 scale^2))`.
    DiscreteGaussian,
}

/// Noise of one kind and scale.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Noise {
    mechanism: Mechanism,
    scale: Scale,
    /// What one of the whole numbers stands for.
    unit: Decimal,
}

impl Noise {
    /// Noise that spends at most `privacy` where one person changes whole numbers, each of which stands for so many
    /// `unit`, by at most `change`.
    pub(super) fn new(privacy: Privacy, change: u128, unit: Decimal) -> Result<Self, ReleaseError> {
        if change == 0
            || change > MOST
            || matches!(privacy, Privacy::Concentrated { rho } if rho.0 == 0)
        {
            return Err(ReleaseError::Scale);
        }
        let (mechanism, scale) = match privacy {
            Privacy::Pure { epsilon } => {
                let part = change * u128::from(UNIT);
                let scale = Scale::of_laplace(part, u128::from(epsilon.0))?;
                (Mechanism::DiscreteLaplace, scale)
            }
            Privacy::Concentrated { rho } => {
                (Mechanism::DiscreteGaussian, gaussian_scale(u128::from(rho.0), change)?)
            }
        };
        Ok(Self { mechanism, scale, unit })
    }

    /// Which noise it is.
    #[must_use]
    pub const fn mechanism(&self) -> Mechanism {
        self.mechanism
    }

    /// Its scale, in the unit of the answer.
    #[must_use]
    pub fn scale(&self) -> f64 {
        self.scale.value() * self.unit.value()
    }

    /// The least distance that noise is within with a probability of at least 95 %.
    #[must_use]
    pub fn error(&self) -> Decimal {
        self.unit.times(self.width(BEYOND))
    }

    /// The least whole number that noise is beyond with a probability of at most `beyond`.
    ///
    /// Laplace noise is beyond `w` with probability `2 r^(w + 1) / (1 + r)`, `r = exp(-1/scale)`; discrete Gaussian
    /// noise is at `w + 1` or beyond at most as often as continuous noise is beyond `w` (Canonne, Kamath, Steinke
    /// 2020, proposition 25).
    pub(super) fn width(&self, beyond: f64) -> i128 {
        let scale = self.scale.value();
        let width = match self.mechanism {
            Mechanism::DiscreteLaplace => {
                let above = (beyond * (1.0 + (-1.0 / scale).exp()) / 2.0).ln();
                (-scale * above - 1.0).ceil()
            }
            Mechanism::DiscreteGaussian => (scale * normal_width(beyond)).ceil(),
        };
        // Saturates, and is no NaN: scales are above 0 and finite.
        width.max(0.0) as i128
    }

    /// A number with noise.
    pub(super) fn add(&self, number: i128, source: &mut Source) -> Result<i128, ReleaseError> {
        let noise = match self.mechanism {
            Mechanism::DiscreteLaplace => sampler::laplace(source, self.scale)?,
            Mechanism::DiscreteGaussian => sampler::gaussian(source, self.scale)?,
        };
        Ok(number.saturating_add(noise).clamp(-FARTHEST, FARTHEST))
    }

    /// Numbers, each with noise of its own.
    pub(super) fn add_to_all(
        &self,
        numbers: &[u64],
        source: &mut Source,
    ) -> Result<Vec<i128>, ReleaseError> {
        numbers.iter().map(|number| self.add(i128::from(*number), source)).collect()
    }

    /// As a decimal in the unit of the answer.
    pub(super) fn decimal(&self, number: i128) -> Decimal {
        self.unit.times(number)
    }
}

/// The least scale of the form `part / 2^bits` with about thirty digits that is at least `change / sqrt(2 rho)`.
fn gaussian_scale(rho: u128, change: u128) -> Result<Scale, ReleaseError> {
    // The square of the scale for a change of 1 is UNIT / (2 rho), at most 5e11.
    let mut bits = 0;
    let mut root = 0;
    for tried in 0..=40 {
        let square = ((u128::from(UNIT) / 2) << (2 * tried)).div_ceil(rho.max(1));
        let down = square.isqrt();
        (bits, root) = (tried, if down * down < square { down + 1 } else { down });
        if root >> PRECISION > 0 {
            break;
        }
    }
    // At most 2^62 times 2^42.
    let mut part = change * root;
    while part >> 62 > 0 && bits > 0 {
        (part, bits) = (part.div_ceil(2), bits - 1);
    }
    Scale::of_gaussian(part, 1 << bits)
}

/// How many standard deviations a normal distribution is beyond with probability `beyond`.
fn normal_width(beyond: f64) -> f64 {
    let (mut low, mut high) = (0.0, 40.0);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if libm::erfc(middle / std::f64::consts::SQRT_2) > beyond {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}
