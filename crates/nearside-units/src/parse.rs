//! Reading numbers with units as people write them. A bare number where a unit is needed is an
//! error.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::QuantityError;

/// Why a text is not a quantity.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum ParseError {
    /// No unit.
    #[error("{quantity} \"{text}\" needs a unit: one of {units}")]
    NoUnit {
        /// What was expected.
        quantity: &'static str,
        /// What was found.
        text: String,
        /// The units it may have.
        units: String,
    },
    /// A unit that this quantity does not have.
    #[error("unknown unit \"{unit}\" for {quantity}: use one of {units}")]
    UnknownUnit {
        /// What was expected.
        quantity: &'static str,
        /// The unit that was found.
        unit: String,
        /// The units it may have.
        units: String,
    },
    /// Not of the expected form at all.
    #[error("\"{text}\" is not {expected}")]
    Malformed {
        /// What was found.
        text: String,
        /// What was expected, with an example.
        expected: &'static str,
    },
    /// A number that this quantity cannot have.
    #[error(transparent)]
    Quantity(QuantityError),
}

/// Reads `12.5 unit` and returns it in base units.
pub(crate) fn with_unit(
    text: &str,
    quantity: &'static str,
    units: &[(&str, f64)],
) -> Result<f64, ParseError> {
    let text = text.trim();
    let names = || units.iter().map(|(unit, _)| *unit).collect::<Vec<_>>().join(", ");
    let malformed =
        || ParseError::Malformed { text: text.to_owned(), expected: "a number with a unit" };
    let split = text.find(|letter: char| !is_number_part(letter)).unwrap_or(text.len());
    let (digits, unit) = text.split_at(split);
    let value = number(digits.trim()).ok_or_else(malformed)?;
    let unit = unit.trim();
    if unit.is_empty() {
        return Err(ParseError::NoUnit { quantity, text: text.to_owned(), units: names() });
    }
    let factor = units.iter().find(|(symbol, _)| *symbol == unit).map(|(_, factor)| factor);
    let factor = factor.ok_or_else(|| ParseError::UnknownUnit {
        quantity,
        unit: unit.to_owned(),
        units: names(),
    })?;
    Ok(value * factor)
}

const fn is_number_part(letter: char) -> bool {
    letter.is_ascii_digit() || matches!(letter, '.' | '-' | '+' | '_')
}

/// Reads a decimal number; `_` may group digits.
pub(crate) fn number(text: &str) -> Option<f64> {
    let digits = text.replace('_', "");
    let plain = digits.bytes().all(|byte| is_number_part(char::from(byte)) || byte == b'e');
    plain.then(|| digits.parse().ok()).flatten()
}

/// A whole, countable number from a float, refusing what `u64` cannot hold.
pub(crate) fn whole(value: f64, quantity: &'static str) -> Result<u64, ParseError> {
    let value = crate::quantity::checked(quantity, value).map_err(ParseError::Quantity)?;
    if value >= u64::MAX as f64 {
        return Err(ParseError::Malformed { text: format!("{value}"), expected: "below 2^64" });
    }
    Ok(value.round() as u64)
}

/// A countable number, as in `20M` tokens.
///
/// ```
/// use nearside_units::Count;
/// assert_eq!("20M".parse::<Count>().unwrap().get(), 20_000_000);
/// assert_eq!("1.5B".parse::<Count>().unwrap().to_string(), "1.5B");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Count(u64);

const COUNT_UNITS: [(char, u64); 4] =
    [('T', 1_000_000_000_000), ('B', 1_000_000_000), ('M', 1_000_000), ('k', 1_000)];

impl Count {
    /// From a plain number.
    #[must_use]
    pub const fn new(count: u64) -> Self {
        Self(count)
    }

    /// The plain number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl FromStr for Count {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let text = text.trim();
        let unit = COUNT_UNITS.iter().find(|(letter, _)| text.ends_with(*letter));
        let (digits, factor) = match unit {
            Some((letter, factor)) => (text.trim_end_matches(*letter), *factor),
            None => (text, 1),
        };
        let value = number(digits.trim()).ok_or_else(|| ParseError::Malformed {
            text: text.to_owned(),
            expected: "a count, as in \"20M\" (k, M, B, T)",
        })?;
        whole(value * factor as f64, "count").map(Self)
    }
}

impl fmt::Display for Count {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The largest unit of which there is one, once it is rounded to three digits.
        let rounds_to_one = |factor: u64| self.0 as f64 / factor as f64 >= 0.9995;
        match COUNT_UNITS.iter().find(|(_, factor)| rounds_to_one(*factor)) {
            Some((letter, factor)) => {
                let shown = crate::significant(self.0 as f64 / *factor as f64);
                let short = match shown.contains('.') {
                    true => shown.trim_end_matches('0').trim_end_matches('.'),
                    false => &shown,
                };
                write!(formatter, "{short}{letter}")
            }
            None => write!(formatter, "{}", self.0),
        }
    }
}

/// A share from 0 to 100 %, written as in `80 %`.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Percent(f64);

impl Percent {
    /// As a fraction from 0 to 1.
    #[must_use]
    pub const fn fraction(self) -> f64 {
        self.0
    }
}

impl FromStr for Percent {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let fraction = with_unit(text, "share", &[("%", 0.01)])?;
        match (0.0..=1.0).contains(&fraction) {
            true => Ok(Self(fraction)),
            false => Err(ParseError::Malformed {
                text: text.to_owned(),
                expected: "a share from 0 % to 100 %",
            }),
        }
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} %", crate::significant(self.0 * 100.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Duration, Watts};
    use proptest::prelude::*;

    #[test]
    fn unknown_units_name_the_known_ones() {
        let error = "5 horses".parse::<Watts>().unwrap_err().to_string();
        assert_eq!(error, "unknown unit \"horses\" for power: use one of mW, W, kW, MW");
    }

    #[test]
    fn impossible_numbers_are_refused() {
        for text in ["NaN W", "inf W", "-3 W", "1e3 W", "W", "", "1.2.3 W", "--1 W"] {
            assert!(text.parse::<Watts>().is_err(), "{text}");
        }
    }

    #[test]
    fn counts_and_shares() {
        assert_eq!("1_000".parse::<Count>().unwrap().get(), 1000);
        assert_eq!(Count::new(999_885_952).to_string(), "1B");
        assert_eq!(Count::new(999_000_000).to_string(), "999M");
        assert!("-5".parse::<Count>().is_err());
        assert!("101 %".parse::<Percent>().is_err());
        assert_eq!("80 %".parse::<Percent>().unwrap().to_string(), "80.0 %");
    }

    proptest! {
        #[test]
        fn parsing_never_panics(text in ".{0,40}") {
            let _ = text.parse::<Watts>();
            let _ = text.parse::<crate::Bytes>();
            let _ = text.parse::<crate::Money>();
            let _ = text.parse::<crate::Date>();
            let _ = text.parse::<crate::Frequency>();
            let _ = text.parse::<Count>();
        }

        #[test]
        fn exact_form_parses_back(seconds in 0.0f64..1e9) {
            let time = Duration::from_seconds(seconds).unwrap();
            prop_assert_eq!(format!("{time:#}").parse::<Duration>().unwrap(), time);
        }

        #[test]
        fn rounded_form_is_stable(watts in 0.001f64..1e9) {
            let shown = Watts::from_watts(watts).unwrap().to_string();
            prop_assert_eq!(shown.parse::<Watts>().unwrap().to_string(), shown);
        }
    }
}
