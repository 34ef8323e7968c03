//! Time that passes, and how often something repeats.

use std::fmt;
use std::str::FromStr;

use crate::ParseError;
use crate::quantity::{additive, quantity};

/// Hours in an average year (365 days), the convention of cost models.
pub const HOURS_PER_YEAR: f64 = 8760.0;
/// Hours in an average month: a twelfth of a year.
pub const HOURS_PER_MONTH: f64 = HOURS_PER_YEAR / 12.0;

quantity! {
    /// A length of time. A month is 730 hours, a year 8,760.
    ///
    /// ```
    /// use nearside_units::Duration;
    /// assert_eq!("48 h".parse::<Duration>().unwrap().as_hours(), 48.0);
    /// assert_eq!("48 h".parse::<Duration>().unwrap().to_string(), "48.0 h");
    /// ```
    Duration, "length of time", checked, from_seconds, as_seconds,
    units: [("us", 1e-6), ("µs", 1e-6), ("ms", 1e-3), ("s", 1.0), ("second", 1.0), ("seconds", 1.0),
            ("min", 60.0), ("minute", 60.0), ("minutes", 60.0),
            ("h", 3600.0), ("hour", 3600.0), ("hours", 3600.0),
            ("d", 86400.0), ("day", 86400.0), ("days", 86400.0),
            ("week", 604_800.0), ("weeks", 604_800.0),
            ("month", HOURS_PER_MONTH * 3600.0), ("months", HOURS_PER_MONTH * 3600.0),
            ("y", HOURS_PER_YEAR * 3600.0), ("year", HOURS_PER_YEAR * 3600.0), ("years", HOURS_PER_YEAR * 3600.0)],
    shown: ["us", "ms", "s", "min", "h", "months", "years"]
}
additive!(Duration);

impl Duration {
    /// From seconds computed from checked quantities.
    pub(crate) const fn of(seconds: f64) -> Self {
        Self(seconds)
    }

    /// From hours.
    #[must_use]
    pub const fn hours(hours: f64) -> Self {
        Self::constant(hours * 3600.0)
    }

    /// In hours.
    #[must_use]
    pub fn as_hours(self) -> f64 {
        self.0 / 3600.0
    }

    /// The longer of two.
    #[must_use]
    pub const fn max(self, other: Self) -> Self {
        Self(self.0.max(other.0))
    }
}

/// How often a stage repeats, in runs per month.
///
/// ```
/// use nearside_units::Frequency;
/// assert_eq!("12/month".parse::<Frequency>().unwrap().per_month(), 12.0);
/// assert_eq!("1/day".parse::<Frequency>().unwrap().to_string(), "30.4/month");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Frequency(f64);

/// Most runs per month that a project can mean.
const MOST_PER_MONTH: f64 = 1e6;

impl Frequency {
    /// Once a month.
    pub const MONTHLY: Self = Self(1.0);

    /// Runs per month.
    #[must_use]
    pub const fn per_month(self) -> f64 {
        self.0
    }
}

impl FromStr for Frequency {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let malformed = || ParseError::Malformed {
            text: text.to_owned(),
            expected: "how often, as in \"12/month\"",
        };
        let (count, period) = text.split_once('/').ok_or_else(malformed)?;
        let count: f64 = crate::parse::number(count.trim()).ok_or_else(malformed)?;
        let period: Duration = format!("1 {}", period.trim()).parse()?;
        let per_month = count * HOURS_PER_MONTH / period.as_hours();
        let per_month =
            crate::quantity::checked("frequency", per_month).map_err(ParseError::Quantity)?;
        match per_month <= MOST_PER_MONTH {
            true => Ok(Self(per_month)),
            false => Err(ParseError::Malformed {
                text: text.to_owned(),
                expected: "at most a million runs per month",
            }),
        }
    }
}

impl fmt::Display for Frequency {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/month", crate::significant(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_chooses_a_readable_unit() {
        let shown = |text: &str| text.parse::<Duration>().unwrap().to_string();
        assert_eq!(shown("0.25 s"), "250 ms");
        assert_eq!(shown("90 s"), "1.50 min");
        assert_eq!(shown("4 years"), "4.00 years");
        assert_eq!(shown("0.3 years"), "3.60 months");
        assert_eq!(shown("0.05 years"), "438 h");
    }

    #[test]
    fn a_range_has_no_part_of_a_year() {
        let shown = |low: &str, high: &str| {
            let [low, high] = [low, high].map(|text| text.parse::<Duration>().unwrap());
            crate::Range { low, high }.to_string()
        };
        assert_eq!(shown("0.3 years", "1.2 years"), "3.60-14.4 months");
        assert_eq!(shown("1 year", "2.5 years"), "1.00-2.50 years");
        assert_eq!(shown("500 h", "900 h"), "500-900 h");
        assert_eq!(shown("0 h", "2 years"), "0-2.00 years");
        assert_eq!(shown("73 h", "18 months"), "0.100-18.0 months");
    }

    #[test]
    fn frequencies_are_monthly() {
        assert!((("2/week".parse::<Frequency>().unwrap()).per_month() - 8.69).abs() < 0.01);
        assert!("often".parse::<Frequency>().is_err());
        assert!("-1/day".parse::<Frequency>().is_err());
        assert!("NaN/day".parse::<Frequency>().is_err());
        assert!("1e308/us".parse::<Frequency>().is_err());
        assert!("99999999999/month".parse::<Frequency>().is_err());
    }
}
