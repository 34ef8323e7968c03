//! Discrete Laplace and discrete Gaussian noise, drawn exactly: whole numbers only, none of them rounded.
//!
//! Source: Canonne, Kamath, Steinke, "The discrete Gaussian for differential privacy", NeurIPS 2020, algorithms 1
//! to 3. Two changes keep every number within 128 bits and change no probability:
//!
//! - An event of probability `n / (d k)` is one of `n / d` and, independently, one of `1 / k`.
//! - Algorithm 3 proposes discrete Laplace noise of any scale `t` and accepts `y` with probability
//!   `exp(-(|y| - s^2/t)^2 / (2 s^2))`; what is accepted has probability proportional to
//!   `exp(-|y|/t - y^2/(2 s^2) + |y|/t) = exp(-y^2/(2 s^2))`. With `t = s = a/b`, the exponent is `z^2/2` for
//!   `z = | |y| b - a | / a = w + f`, `w` whole and `f` below 1: `w^2` events of probability `exp(-1/2)`, `w` of
//!   `exp(-f)`, and one of `exp(-f^2/2)`, all of which must happen.
//!
//! What is beyond 128 bits is told as the largest number: noise of more than `2^17` scales, of probability below
//! `exp(-2^17)`. It is all that is not exact here.

use super::ReleaseError;
use super::random::Source;

/// The greatest numerator of a scale of discrete Laplace noise.
const MOST_OF_LAPLACE: u128 = 1 << 110;
/// The greatest numerator of a scale of discrete Gaussian noise: twice its square is below `2^128`.
const MOST_OF_GAUSSIAN: u128 = 1 << 62;

/// A scale of noise, `part / whole`, above 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Scale {
    part: u128,
    whole: u128,
}

impl Scale {
    /// A scale of discrete Laplace noise.
    pub(super) fn of_laplace(part: u128, whole: u128) -> Result<Self, ReleaseError> {
        Self::checked(part, whole, MOST_OF_LAPLACE)
    }

    /// A scale of discrete Gaussian noise.
    pub(super) fn of_gaussian(part: u128, whole: u128) -> Result<Self, ReleaseError> {
        Self::checked(part, whole, MOST_OF_GAUSSIAN)
    }

    fn checked(part: u128, whole: u128, most: u128) -> Result<Self, ReleaseError> {
        let shared = common_divisor(part, whole).max(1);
        let (part, whole) = (part / shared, whole / shared);
        let usable = part > 0 && whole > 0 && part <= most && whole <= MOST_OF_LAPLACE;
        if usable { Ok(Self { part, whole }) } else { Err(ReleaseError::Scale) }
    }

    /// About how much it is.
    pub(super) fn value(self) -> f64 {
        self.part as f64 / self.whole as f64
    }
}

fn common_divisor(mut one: u128, mut other: u128) -> u128 {
    while other != 0 {
        (one, other) = (other, one % other);
    }
    one
}

/// An event of probability `exp(-part / whole)`, for `part` not above `whole`, which is above 0: the number of
/// events of probability `part / (whole k)`, for `k = 1, 2, ...`, before the first that does not happen, is even.
fn below_one(source: &mut Source, part: u128, whole: u128) -> Result<bool, ReleaseError> {
    let mut tried: u128 = 1;
    while source.event(part, whole)? && source.event(1, tried)? {
        tried += 1;
    }
    Ok(tried % 2 == 1)
}

/// An event of probability `exp(-part / whole)`, for `whole` above 0.
pub(super) fn exponential(
    source: &mut Source,
    part: u128,
    whole: u128,
) -> Result<bool, ReleaseError> {
    let times = part.checked_div(whole).ok_or(ReleaseError::Scale)?;
    for _ in 0..times {
        if !below_one(source, 1, 1)? {
            return Ok(false);
        }
    }
    below_one(source, part % whole, whole)
}

/// Discrete Laplace noise: `y` with probability proportional to `exp(-|y| / scale)`.
pub(super) fn laplace(source: &mut Source, scale: Scale) -> Result<i128, ReleaseError> {
    let Scale { part, whole } = scale;
    loop {
        let rest = source.up_to(part - 1)?;
        if !below_one(source, rest, part)? {
            continue;
        }
        let mut times: u128 = 0;
        while below_one(source, 1, 1)? {
            times += 1;
        }
        let size = part.checked_mul(times).and_then(|size| size.checked_add(rest));
        let size = size.and_then(|size| i128::try_from(size / whole).ok()).unwrap_or(i128::MAX);
        match (source.event(1, 2)?, size) {
            (true, 0) => {}
            (true, _) => return Ok(-size),
            (false, _) => return Ok(size),
        }
    }
}

/// Discrete Gaussian noise: `y` with probability proportional to `exp(-y^2 / (2 scale^2))`.
pub(super) fn gaussian(source: &mut Source, scale: Scale) -> Result<i128, ReleaseError> {
    let Scale { part, whole } = scale;
    loop {
        let drawn = laplace(source, scale)?;
        let apart = drawn.unsigned_abs().saturating_mul(whole).abs_diff(part);
        if half_square(source, apart, part)? {
            return Ok(drawn);
        }
    }
}

/// An event of probability `exp(-(apart / part)^2 / 2)`.
fn half_square(source: &mut Source, apart: u128, part: u128) -> Result<bool, ReleaseError> {
    let (times, rest) = (apart / part, apart % part);
    for _ in 0..times {
        for _ in 0..times {
            if !below_one(source, 1, 2)? {
                return Ok(false);
            }
        }
        if !below_one(source, rest, part)? {
            return Ok(false);
        }
    }
    below_one(source, rest * rest, 2 * part * part)
}
