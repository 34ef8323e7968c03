//! The least noise that keeps a target: the noise multiplier, to four digits.
//!
//! Noise multipliers of four digits are looked at by bisection, so the answer is one of them, epsilon with it is not
//! more than the target, and with the one before it is: at most [`HALVINGS`] times epsilon is taken.

use super::{AccountantError, SubsampledGaussian, epsilon};

/// Powers of ten of the least noise multiplier that is looked at, and of the greatest.
const DECADES: (i32, i32) = (-2, 6);
/// Numbers of four digits below the next power of ten.
const PER_DECADE: u32 = 9000;
/// How often a range of eight decades can be halved.
const HALVINGS: u32 = 17;

/// The least noise multiplier, of four digits, with which `steps` more steps at a sampling `rate`, after the
/// mechanisms in `before`, spend at most epsilon `target` at `delta` in all.
///
/// `target` is above 0; other ranges are those of [`SubsampledGaussian::new`] and [`epsilon`]. Noise multipliers
/// from 0.01 to 1,000,000 are looked at.
///
/// # Errors
///
/// Values out of their range, and targets that no noise multiplier reaches.
pub fn calibrate(
    before: &[SubsampledGaussian],
    (rate, steps): (f64, u64),
    target: f64,
    delta: f64,
) -> Result<f64, AccountantError> {
    if !(target.is_finite() && target > 0.0) {
        return Err(AccountantError::Epsilon(target, "above 0"));
    }
    let mut all = before.to_vec();
    let mut spent = |sigma: f64| {
        all.truncate(before.len());
        all.push(SubsampledGaussian::new(sigma, rate, steps)?);
        match epsilon(&all, delta) {
            Err(AccountantError::Unbounded) => Ok(f64::INFINITY),
            other => other.map(|bound| bound.value),
        }
    };
    let (mut low, mut high) = (0, PER_DECADE * DECADES.0.abs_diff(DECADES.1));
    let least = spent(number(high))?;
    if least > target {
        return Err(AccountantError::Unreachable { target, sigma: number(high), least });
    }
    for _ in 0..HALVINGS {
        if low >= high {
            break;
        }
        let middle = u32::midpoint(low, high);
        if spent(number(middle))? <= target {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    Ok(number(high))
}

/// The number of four digits at a place, counted from the least noise multiplier.
fn number(place: u32) -> f64 {
    let digits = 1000 + place % PER_DECADE;
    let exponent = DECADES.0 + (place / PER_DECADE) as i32 - 3;
    // Dividing by a power of ten is exact to the last place, multiplying by a part of one is not.
    if exponent < 0 {
        f64::from(digits) / 10_f64.powi(-exponent)
    } else {
        f64::from(digits) * 10_f64.powi(exponent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_the_numbers_of_four_digits() {
        let shown = |place: u32| number(place).to_string();
        assert_eq!(
            [shown(0), shown(1), shown(8999), shown(9000), shown(18_000), shown(72_000)],
            ["0.01", "0.01001", "0.09999", "0.1", "1", "1000000"]
        );
        assert!(2_u32.pow(HALVINGS) > PER_DECADE * 8);
    }
}
