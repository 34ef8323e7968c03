//! What a release may spend: epsilon or rho, as exact decimals, so that parts and sums of them are exact.
//!
//! Pure differential privacy of epsilon: what comes out of a table is at most `e^epsilon` times as likely as with
//! one person more or fewer (Dwork, McSherry, Nissim, Smith 2006). Zero-concentrated differential privacy of rho:
//! the Rényi divergence of every order `alpha` above 1 is at most `rho alpha` (Bun, Steinke 2016).

use std::fmt;

use super::ReleaseError;

/// Parts of 1 that amounts are counted in.
pub(super) const UNIT: u64 = 1_000_000_000_000;
/// Digits of that behind the point.
const PLACES: usize = 12;
/// The least that a release may spend, and the most.
const RANGE: (u64, u64) = (UNIT / 1_000_000_000, 1000 * UNIT);

/// An exact decimal of twelve digits behind the point, 0 or more: how much of epsilon or of rho.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Amount(pub(super) u64);

impl Amount {
    /// The number as it is written in its fewest digits, those behind the twelfth left out: never more than said.
    ///
    /// `value` is from 1e-9 to 1000.
    ///
    /// # Errors
    /// When it is out of that range, or no number.
    pub fn new(value: f64) -> Result<Self, ReleaseError> {
        let refused = || ReleaseError::Amount(value);
        if !(1e-9..=1000.0).contains(&value) {
            return Err(refused());
        }
        let written = value.to_string();
        let (whole, behind) = written.split_once('.').unwrap_or((&written, ""));
        let digits = behind.bytes().chain(std::iter::repeat(b'0')).take(PLACES);
        let digits = whole.bytes().chain(digits).map(|digit| u64::from(digit.wrapping_sub(b'0')));
        let amount = digits.fold(0_u64, |sum, digit| sum.saturating_mul(10).saturating_add(digit));
        let (least, most) = RANGE;
        if (least..=most).contains(&amount) { Ok(Self(amount)) } else { Err(refused()) }
    }

    /// So many parts in a million million, as [`Self::parts`] gave them; a release takes no less than 1e-9 and no more
    /// than 1000.
    #[must_use]
    pub const fn of_parts(parts: u64) -> Self {
        Self(parts)
    }

    /// How many parts in a million million.
    #[must_use]
    pub const fn parts(self) -> u64 {
        self.0
    }

    /// As a number, rounded to the nearest.
    #[must_use]
    pub fn value(self) -> f64 {
        self.0 as f64 / UNIT as f64
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let behind = format!("{:0PLACES$}", self.0 % UNIT);
        let behind = behind.trim_end_matches('0');
        let point = if behind.is_empty() { "" } else { "." };
        write!(out, "{}{point}{behind}", self.0 / UNIT)
    }
}

/// What a release spends of the privacy of the people in a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Privacy {
    /// Pure differential privacy; the noise is discrete Laplace.
    Pure {
        /// The most that a probability changes by, as a logarithm.
        epsilon: Amount,
    },
    /// Zero-concentrated differential privacy; the noise is discrete Gaussian.
    Concentrated {
        /// The most that a Rényi divergence is, by its order.
        rho: Amount,
    },
}

impl Privacy {
    /// Pure differential privacy of `epsilon`, from 1e-9 to 1000.
    ///
    /// # Errors
    /// When it is out of that range.
    pub fn pure(epsilon: f64) -> Result<Self, ReleaseError> {
        Ok(Self::Pure { epsilon: Amount::new(epsilon)? })
    }

    /// Zero-concentrated differential privacy of `rho`, from 1e-9 to 1000.
    ///
    /// # Errors
    /// When it is out of that range.
    pub fn concentrated(rho: f64) -> Result<Self, ReleaseError> {
        Ok(Self::Concentrated { rho: Amount::new(rho)? })
    }

    /// Itself, where a release may spend so much.
    pub(super) fn checked(self) -> Result<Self, ReleaseError> {
        let (Self::Pure { epsilon: amount } | Self::Concentrated { rho: amount }) = self;
        let (least, most) = RANGE;
        let fits = (least..=most).contains(&amount.0);
        if fits { Ok(self) } else { Err(ReleaseError::Amount(amount.value())) }
    }

    /// Of so many equal parts, one: spent that often, no more than the whole is spent.
    ///
    /// Both kinds compose by adding up (Dwork et al. 2006, theorem 1; Bun, Steinke 2016, lemma 1.7).
    pub(super) fn part(self, of: usize) -> Result<Self, ReleaseError> {
        let part = |Amount(whole): Amount| {
            let part = whole.checked_div(of as u64).filter(|part| *part > 0);
            part.map(Amount).ok_or(ReleaseError::Parts(of))
        };
        Ok(match self {
            Self::Pure { epsilon } => Self::Pure { epsilon: part(epsilon)? },
            Self::Concentrated { rho } => Self::Concentrated { rho: part(rho)? },
        })
    }

    /// Epsilon of an exponential mechanism that spends this.
    ///
    /// Its loss lies within a range as wide as epsilon, so it is `epsilon^2 / 8`-zCDP (Cesar, Rogers, "Bounding,
    /// concentrating, and truncating", ALT 2021): `epsilon = sqrt(8 rho)`, rounded down.
    pub(super) fn of_choice(self) -> Amount {
        match self {
            Self::Pure { epsilon } => epsilon,
            Self::Concentrated { rho } => {
                let square = 8 * u128::from(rho.0) * u128::from(UNIT);
                Amount(u64::try_from(square.isqrt()).unwrap_or(u64::MAX))
            }
        }
    }
}

impl fmt::Display for Privacy {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pure { epsilon } => write!(out, "epsilon = {epsilon}"),
            Self::Concentrated { rho } => write!(out, "rho = {rho}"),
        }
    }
}
