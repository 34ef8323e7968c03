//! Exact decimals: bounds that are given, and answers.

use std::fmt;
use std::str::FromStr;

use super::ReleaseError;

/// The most digits behind the point, and in all, of a decimal that is read.
const MOST_DIGITS: usize = 18;

/// An exact decimal: `digits / 10^places`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Decimal {
    /// Its digits, as a whole number.
    pub digits: i128,
    /// How many of them are behind the point.
    pub places: u32,
}

impl Decimal {
    /// As a number, rounded.
    #[must_use]
    pub fn value(self) -> f64 {
        // Powers of ten up to 22 are exact.
        self.digits as f64 / 10_f64.powi(self.places as i32)
    }

    /// So many of it.
    pub(super) const fn times(self, number: i128) -> Self {
        Self { digits: self.digits.saturating_mul(number), places: self.places }
    }

    /// Its digits as a whole number with so many places behind the point, at least as many as it has; saturated.
    #[must_use]
    pub fn digits_at(self, places: u32) -> i128 {
        let more = places.saturating_sub(self.places);
        self.digits.saturating_mul(10_i128.saturating_pow(more))
    }
}

impl FromStr for Decimal {
    type Err = ReleaseError;

    /// Reads `-12.50`: a sign, digits, a point, digits; at most 18 digits in all.
    fn from_str(text: &str) -> Result<Self, ReleaseError> {
        let refused = || ReleaseError::Decimal(text.to_owned());
        let (sign, rest) = match text.strip_prefix('-') {
            Some(rest) => (-1, rest),
            None => (1, text.strip_prefix('+').unwrap_or(text)),
        };
        let (whole, behind) = rest.split_once('.').unwrap_or((rest, ""));
        let digits: String = [whole, behind].concat();
        let usable = !digits.is_empty()
            && digits.len() <= MOST_DIGITS
            && digits.bytes().all(|digit| digit.is_ascii_digit());
        if !usable {
            return Err(refused());
        }
        let places = u32::try_from(behind.len()).unwrap_or(0);
        let digits: i128 = digits.parse().map_err(|_why| refused())?;
        Ok(Self { digits: sign * digits, places })
    }
}

impl fmt::Display for Decimal {
    /// All places are written, as many as the step of a grid has.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places = self.places as usize;
        let written = format!("{:0>width$}", self.digits.unsigned_abs(), width = places + 1);
        let (whole, behind) = written.split_at(written.len() - places);
        let sign = if self.digits < 0 { "-" } else { "" };
        let point = if places == 0 { "" } else { "." };
        out.pad(&format!("{sign}{whole}{point}{behind}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_read_and_written() {
        for text in ["0", "-0.05", "12.50", "100", "-3"] {
            assert_eq!(text.parse::<Decimal>().unwrap().to_string(), text);
        }
        for text in ["", ".", "-", "1e3", "1.2.3", "1234567890123456789", "NaN", "--1", "+-1"] {
            assert!(text.parse::<Decimal>().is_err(), "{text}");
        }
        assert_eq!("+.5".parse::<Decimal>().unwrap(), Decimal { digits: 5, places: 1 });
    }
}
