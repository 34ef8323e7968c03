//! A decimal amount as the ledger keeps it: as text, so that no cent is lost to binary fractions.

use std::fmt;
use std::str::FromStr;

use nearside_units::{Money, ParseError};

/// Digits that an amount may have; what SQLite, CSV and JSON readers take as a decimal.
const MOST_DIGITS: usize = 28;

/// A decimal number, exactly as it was written.
///
/// ```
/// use nearside_ledger::Amount;
/// use nearside_units::Money;
/// let price: Money = "12.50 EUR".parse().unwrap();
/// assert_eq!(Amount::from(price).to_string(), "12.5");
/// assert_eq!("-0.031".parse::<Amount>().unwrap().to_string(), "-0.031");
/// assert!("1e3".parse::<Amount>().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Amount(String);

impl From<Money> for Amount {
    fn from(money: Money) -> Self {
        Self(money.amount().normalize().to_string())
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl FromStr for Amount {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        is_decimal(text).then(|| Self(text.to_owned())).ok_or_else(|| ParseError::Malformed {
            text: text.to_owned(),
            expected: "a decimal number, as in \"12.50\"",
        })
    }
}

fn is_decimal(text: &str) -> bool {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, "0"));
    unsigned.len() <= MOST_DIGITS + 1 && digits(whole) && digits(fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_decimals_are_amounts() {
        for text in ["0", "12.50", "-3", "0.000001", "1000000000000"] {
            assert_eq!(text.parse::<Amount>().unwrap().to_string(), text);
        }
        for text in ["", "-", ".5", "5.", "+1", "1e3", "1,50", "NaN", "--1", "1.2.3"] {
            assert!(text.parse::<Amount>().is_err(), "{text}");
        }
        assert!("1".repeat(MOST_DIGITS + 2).parse::<Amount>().is_err());
    }
}
