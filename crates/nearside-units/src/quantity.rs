//! The one mechanism behind every physical quantity: a finite, non-negative `f64` with a name.

use thiserror::Error;

/// Why a number cannot be a quantity.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum QuantityError {
    /// NaN or infinite.
    #[error("{quantity} must be a finite number, not {value}")]
    NotFinite {
        /// The quantity that was asked for.
        quantity: &'static str,
        /// The offending number.
        value: f64,
    },
    /// Below zero.
    #[error("{quantity} cannot be negative ({value})")]
    Negative {
        /// The quantity that was asked for.
        quantity: &'static str,
        /// The offending number.
        value: f64,
    },
    /// Zero where a rate is needed: dividing by it would mean nothing.
    #[error("{quantity} must be greater than zero")]
    Zero {
        /// The quantity that was asked for.
        quantity: &'static str,
    },
}

/// Checks what every quantity promises: finite and not negative.
pub(crate) const fn checked(quantity: &'static str, value: f64) -> Result<f64, QuantityError> {
    if !value.is_finite() {
        return Err(QuantityError::NotFinite { quantity, value });
    }
    if value < 0.0 {
        return Err(QuantityError::Negative { quantity, value });
    }
    Ok(value)
}

/// Checks what every rate promises: finite and greater than zero.
pub(crate) const fn checked_rate(quantity: &'static str, value: f64) -> Result<f64, QuantityError> {
    match checked(quantity, value) {
        Ok(0.0) => Err(QuantityError::Zero { quantity }),
        other => other,
    }
}

/// Defines a quantity or a rate: constructors, getter, parser of its unit strings and display.
///
/// `$check` is [`checked`] or [`checked_rate`]; units are listed smallest first as
/// `("symbol", factor)` and display chooses the largest that leaves at least 1.
macro_rules! quantity {
    (
        $(#[$doc:meta])* $name:ident, $label:literal, $check:ident, $from:ident, $get:ident,
        units: [$(($symbol:literal, $factor:expr)),+ $(,)?], shown: [$($shown:literal),+ $(,)?]
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
        pub struct $name(f64);

        impl $name {
            /// Unit symbols and how many base units each is, smallest first.
            pub(crate) const UNITS: &'static [(&'static str, f64)] = &[$(($symbol, $factor)),+];

            /// From the base unit.
            ///
            /// # Errors
            /// When the number is not finite or out of range for this quantity.
            pub const fn $from(value: f64) -> Result<Self, $crate::QuantityError> {
                match $crate::quantity::$check($label, value) {
                    Ok(value) => Ok(Self(value)),
                    Err(error) => Err(error),
                }
            }

            /// A constant of the program; an impossible one does not compile.
            #[must_use]
            pub const fn constant(value: f64) -> Self {
                assert!($crate::quantity::$check($label, value).is_ok());
                Self(value)
            }

            /// In the base unit.
            #[must_use]
            pub const fn $get(self) -> f64 {
                self.0
            }
        }

        impl std::ops::Mul<f64> for $name {
            type Output = Self;
            /// Scales by a finite, non-negative factor.
            fn mul(self, factor: f64) -> Self {
                debug_assert!(factor.is_finite() && factor >= 0.0, "factor {factor}");
                Self(self.0 * factor)
            }
        }

        impl std::ops::Div for $name {
            type Output = f64;
            /// The ratio of two like quantities.
            fn div(self, other: Self) -> f64 {
                self.0 / other.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::ParseError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let value = $crate::parse::with_unit(text, $label, Self::UNITS)?;
                Self::$from(value).map_err($crate::ParseError::Quantity)
            }
        }

        impl std::fmt::Display for $name {
            /// Three significant digits; `{:#}` writes every digit, so that parsing gives it back.
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                $crate::display::scaled(formatter, *self)
            }
        }

        impl $crate::display::Shown for $name {
            const SHOWN: &'static [&'static str] = &[$($shown),+];
            const UNITS: &'static [(&'static str, f64)] = Self::UNITS;
            fn base(self) -> f64 {
                self.0
            }
        }
    };
}

/// Gives a quantity (not a rate) its zero, sums and differences.
macro_rules! additive {
    ($name:ident) => {
        impl $name {
            /// Nothing of it.
            pub const ZERO: Self = Self(0.0);

            /// The difference, or `None` when `other` is larger.
            #[must_use]
            pub fn checked_sub(self, other: Self) -> Option<Self> {
                (self.0 >= other.0).then(|| Self(self.0 - other.0))
            }
        }

        impl std::ops::Add for $name {
            type Output = Self;
            fn add(self, other: Self) -> Self {
                Self(self.0 + other.0)
            }
        }

        impl std::ops::AddAssign for $name {
            fn add_assign(&mut self, other: Self) {
                self.0 += other.0;
            }
        }

        impl std::iter::Sum for $name {
            fn sum<I: Iterator<Item = Self>>(values: I) -> Self {
                values.fold(Self::ZERO, |total, value| total + value)
            }
        }
    };
}

pub(crate) use {additive, quantity};

#[cfg(test)]
mod tests {
    use crate::{BytesPerSecond, QuantityError, Watts};

    #[test]
    fn impossible_numbers_are_errors() {
        assert!(matches!(Watts::from_watts(f64::NAN), Err(QuantityError::NotFinite { .. })));
        assert!(matches!(Watts::from_watts(-1.0), Err(QuantityError::Negative { .. })));
        assert!(matches!(
            BytesPerSecond::from_bytes_per_second(0.0),
            Err(QuantityError::Zero { .. })
        ));
    }

    #[test]
    fn difference_never_goes_below_zero() {
        let (small, large) = (Watts::constant(1.0), Watts::constant(3.0));
        assert_eq!(large.checked_sub(small), Some(Watts::constant(2.0)));
        assert_eq!(small.checked_sub(large), None);
    }
}
