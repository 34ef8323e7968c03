//! What all releases of a table spend together, and what is left of a limit.
//!
//! - A limit of epsilon: the sum of all epsilons (basic composition; Dwork et al. 2006). Concentrated releases are not
//!   within such a limit.
//! - A limit of epsilon at a delta is kept where it is kept as one of epsilon, or where the sum of all rhos is at most
//!   [`rho_of`] it, an `epsilon` of a pure release counting as `rho = epsilon^2 / 2` (Bun, Steinke 2016, proposition
//!   1.4). Both sums may be looked at while releases are chosen by what came before (Rogers et al. 2016; Feldman, Zrnic
//!   2021), and so may either: the course of events is in one of the two sets, the first of which needs no delta.
//!
//! `rho`-zCDP is `(epsilon, delta)`-differential privacy for
//! `delta = min over alpha > 1 of exp((alpha - 1)(alpha rho - epsilon)) (1 - 1/alpha)^alpha / (alpha - 1)`
//! (Canonne, Kamath, Steinke 2020, corollary 13). Any alpha gives a bound; the best one is found by bisection.

use thiserror::Error;

use super::amount::UNIT;
use super::{Amount, Privacy, ReleaseError};

/// By how much results are put to the worse side, for the rounding of what leads to them.
const MARGIN: f64 = 1e-9;
/// How often a range is halved.
const HALVINGS: u32 = 200;

/// What all releases of a table may spend together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Budget {
    epsilon: Amount,
    /// Delta, and the rho that keeps epsilon at it.
    concentrated: Option<(f64, Amount)>,
}

/// What is left: the most that one release more may spend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    /// Of epsilon, where it is pure.
    pub epsilon: Amount,
    /// Of rho, where it is concentrated.
    pub rho: Amount,
}

/// More would be spent than there is.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Exceeded {
    /// Epsilons add up to more than the limit.
    #[error("releases would spend an epsilon of {spent} in all, more than {limit}")]
    Epsilon {
        /// What they add up to.
        spent: Amount,
        /// The limit.
        limit: Amount,
    },
    /// Rhos add up to more than the limit.
    #[error("releases would spend a rho of {spent} in all, more than {limit}")]
    Rho {
        /// What they add up to.
        spent: Amount,
        /// The limit.
        limit: Amount,
    },
    /// A limit of epsilon alone is not kept by concentrated releases.
    #[error("the limit has no delta, and a concentrated release needs one")]
    NotPure,
}

impl Budget {
    /// A limit of epsilon, from 1e-9 to 1000.
    ///
    /// # Errors
    /// When it is out of that range.
    pub fn pure(epsilon: f64) -> Result<Self, ReleaseError> {
        Ok(Self { epsilon: Amount::new(epsilon)?, concentrated: None })
    }

    /// A limit of epsilon, from 1e-9 to 1000, at a delta above 0 and below 1.
    ///
    /// # Errors
    /// When one of them is out of its range.
    pub fn approximate(epsilon: f64, delta: f64) -> Result<Self, ReleaseError> {
        let (epsilon, rho) = (Amount::new(epsilon)?, rho_of(epsilon, delta)?);
        Ok(Self { epsilon, concentrated: Some((delta, rho)) })
    }

    /// The limit of epsilon.
    #[must_use]
    pub const fn epsilon(&self) -> Amount {
        self.epsilon
    }

    /// Delta, and the limit of rho at it.
    #[must_use]
    pub const fn concentrated(&self) -> Option<(f64, Amount)> {
        self.concentrated
    }

    /// What is left after all releases, those of before among them.
    ///
    /// # Errors
    /// When they spend more than there is.
    pub fn spend(&self, all: &[Privacy]) -> Result<Left, Exceeded> {
        let epsilon = all.iter().try_fold(0_u64, |sum, one| match one {
            Privacy::Pure { epsilon } => Some(sum.saturating_add(epsilon.0)),
            Privacy::Concentrated { .. } => None,
        });
        let left_pure = epsilon.and_then(|spent| self.epsilon.0.checked_sub(spent));
        let Some((_, Amount(limit))) = self.concentrated else {
            let left = left_pure.map(|left| Left { epsilon: Amount(left), rho: Amount(0) });
            return left.ok_or(match epsilon {
                Some(spent) => Exceeded::Epsilon { spent: Amount(spent), limit: self.epsilon },
                None => Exceeded::NotPure,
            });
        };
        let spent = all.iter().map(|one| rho(*one)).fold(0, u64::saturating_add);
        let left_rho = limit.checked_sub(spent);
        if left_pure.is_none() && left_rho.is_none() {
            return Err(Exceeded::Rho { spent: Amount(spent), limit: Amount(limit) });
        }
        let rho = left_rho.unwrap_or(0);
        let of_rho = (2 * u128::from(UNIT) * u128::from(rho)).isqrt();
        let of_rho = u64::try_from(of_rho).unwrap_or(u64::MAX);
        Ok(Left { epsilon: Amount(of_rho.max(left_pure.unwrap_or(0))), rho: Amount(rho) })
    }
}

/// The rho that a release counts as, rounded up.
fn rho(privacy: Privacy) -> u64 {
    match privacy {
        Privacy::Concentrated { rho } => rho.0,
        Privacy::Pure { epsilon } => {
            let square = u128::from(epsilon.0) * u128::from(epsilon.0);
            u64::try_from(square.div_ceil(2 * u128::from(UNIT))).unwrap_or(u64::MAX)
        }
    }
}

/// The greatest rho that keeps `epsilon`, from 1e-9 to 1000, at `delta`, above 0 and below 1.
///
/// ```
/// # use nearside_privacy::release::{epsilon_of, rho_of};
/// let rho = rho_of(1.0, 1e-6).unwrap();
/// assert!((epsilon_of(rho, 1e-6).unwrap() - 1.0).abs() < 1e-6);
/// ```
///
/// # Errors
/// When one of them is out of its range.
pub fn rho_of(epsilon: f64, delta: f64) -> Result<Amount, ReleaseError> {
    check(delta)?;
    let epsilon = Amount::new(epsilon)?.value();
    let (mut low, mut high) = (0, ((epsilon + 1.0) * UNIT as f64) as u64);
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        if log_delta(Amount(middle).value() * (1.0 + MARGIN), epsilon) <= delta.ln() {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    Ok(Amount(low))
}

/// The least epsilon that `rho` keeps at `delta`, above 0 and below 1; 0 for a rho of 0.
///
/// # Errors
/// When delta is out of its range.
pub fn epsilon_of(rho: Amount, delta: f64) -> Result<f64, ReleaseError> {
    check(delta)?;
    let rho = rho.value();
    // Bun, Steinke 2016, proposition 1.3, is never less.
    let (mut low, mut high) = (0.0, rho + 2.0 * (rho * -delta.ln()).sqrt());
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        if rho > 0.0 && log_delta(rho, middle) > delta.ln() {
            low = middle;
        } else {
            high = middle;
        }
    }
    Ok(high * (1.0 + MARGIN))
}

fn check(delta: f64) -> Result<(), ReleaseError> {
    if delta > 0.0 && delta < 1.0 { Ok(()) } else { Err(ReleaseError::Delta(delta)) }
}

/// The logarithm of the delta that `rho`, above 0, keeps `epsilon` at. Its derivative by alpha rises.
fn log_delta(rho: f64, epsilon: f64) -> f64 {
    let (mut low, mut high) = (1.0 + 1e-9, (epsilon + 1.0) / (2.0 * rho) + 2.0);
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        if (2.0 * middle - 1.0) * rho - epsilon + (-1.0 / middle).ln_1p() < 0.0 {
            low = middle;
        } else {
            high = middle;
        }
    }
    let alpha = f64::midpoint(low, high);
    let log = (alpha - 1.0) * (alpha * rho - epsilon) + alpha * (-1.0 / alpha).ln_1p();
    (log - (alpha - 1.0).ln()).min(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pure(epsilon: f64) -> Privacy {
        Privacy::pure(epsilon).unwrap()
    }

    fn concentrated(rho: f64) -> Privacy {
        Privacy::concentrated(rho).unwrap()
    }

    #[test]
    fn decimals_add_up_exactly() {
        let budget = Budget::pure(0.3).unwrap();
        let left = budget.spend(&[pure(0.1), pure(0.2)]).unwrap();
        assert_eq!(left, Left { epsilon: Amount(0), rho: Amount(0) });
        assert_eq!(budget.spend(&[]).unwrap().epsilon, Amount::new(0.3).unwrap());
        let more = budget.spend(&[pure(0.1), pure(0.2), pure(1e-9)]).unwrap_err();
        let told = "releases would spend an epsilon of 0.300000001 in all, more than 0.3";
        assert_eq!(more.to_string(), told);
        assert_eq!(budget.spend(&[concentrated(1e-9)]), Err(Exceeded::NotPure));
        let much = vec![pure(1000.0); 100_000];
        assert!(matches!(budget.spend(&much), Err(Exceeded::Epsilon { .. })));
    }

    #[test]
    fn pure_releases_count_as_concentrated_ones() {
        let budget = Budget::approximate(1.0, 1e-6).unwrap();
        let (_, limit) = budget.concentrated().unwrap();
        // One release of all of epsilon is within it, though its rho of 0.5 is not.
        assert_eq!(budget.spend(&[pure(1.0)]).unwrap().rho, Amount(0));
        assert!(budget.spend(&[pure(0.9), concentrated(1e-9)]).is_err());
        let left = budget.spend(&[pure(0.1), concentrated(0.001)]).unwrap();
        assert_eq!(left.rho.0, limit.0 - UNIT / 200 - UNIT / 1000);
        // What is left can be spent, and no more.
        let spent = [pure(0.1), concentrated(0.001)];
        let with = |more| [spent[0], spent[1], more];
        assert!(budget.spend(&with(Privacy::Concentrated { rho: left.rho })).is_ok());
        assert!(budget.spend(&with(Privacy::Pure { epsilon: left.epsilon })).is_ok());
        assert!(
            budget.spend(&with(Privacy::Pure { epsilon: Amount(left.epsilon.0 + 10) })).is_err()
        );
        // Many small ones spend less than their sum.
        assert!(budget.spend(&vec![pure(0.001); 10_000]).is_ok());
    }

    /// Delta of the Gaussian mechanism of this rho (Balle, Wang 2018): what keeps it for all mechanisms is not less.
    fn gaussian_delta(rho: f64, epsilon: f64) -> f64 {
        let ratio = (2.0 * rho).sqrt();
        let normal = |z: f64| 0.5 * libm::erfc(-z / std::f64::consts::SQRT_2);
        normal(ratio / 2.0 - epsilon / ratio)
            - epsilon.exp() * normal(-ratio / 2.0 - epsilon / ratio)
    }

    #[test]
    fn the_conversion_is_between_the_gaussian_and_the_simple_one() {
        for rho in [1e-6, 1e-3, 0.1, 2.0] {
            for delta in [1e-10, 1e-6, 0.01] {
                let epsilon = epsilon_of(Amount::new(rho).unwrap(), delta).unwrap();
                assert!(gaussian_delta(rho, epsilon) <= delta, "{rho} {delta}");
                assert!(epsilon < rho + 2.0 * (rho * -delta.ln()).sqrt(), "{rho} {delta}");
                if epsilon > 1e-8 {
                    let back = rho_of(epsilon, delta).unwrap().value();
                    assert!((back / rho - 1.0).abs() < 1e-5, "{rho} {delta} {epsilon} {back}");
                }
            }
        }
        assert!(epsilon_of(Amount(0), 0.1).unwrap() <= 0.0);
        assert!(rho_of(1.0, 0.0).is_err() && rho_of(1.0, f64::NAN).is_err());
        assert!(Budget::approximate(0.0, 0.1).is_err());
    }
}
