//! Where a number came from: what kind of knowledge it is, its source and its date.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::ParseError;

/// A value with its basis.
#[derive(Clone, Debug, PartialEq)]
pub struct Sourced<T> {
    /// The value.
    pub value: T,
    /// Where it came from.
    pub basis: Basis,
}

impl<T> Sourced<T> {
    /// A value and where it came from.
    pub const fn new(value: T, basis: Basis) -> Self {
        Self { value, basis }
    }

    /// The same basis for a value made from this one.
    pub fn map<U>(self, function: impl FnOnce(T) -> U) -> Sourced<U> {
        Sourced { value: function(self.value), basis: self.basis }
    }
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Basis {
    /// What kind of knowledge it is.
    pub kind: Kind,
    /// Who says so, or how it was derived.
    pub source: Arc<str>,
    /// When it was true.
    pub as_of: Option<Date>,
}

impl Basis {
    /// Our own assumption, and why it is reasonable.
    pub fn assumed(reason: impl Into<Arc<str>>) -> Self {
        Self { kind: Kind::Assumed, source: reason.into(), as_of: None }
    }

    /// Computed from other values.
    pub fn derived(how: impl Into<Arc<str>>) -> Self {
        Self { kind: Kind::Derived, source: how.into(), as_of: None }
    }

    /// Stated by who asks: on the command line, say.
    pub fn stated(place: impl Into<Arc<str>>) -> Self {
        Self { kind: Kind::Stated, source: place.into(), as_of: None }
    }

    /// Stated by a source at a date.
    pub fn published(source: impl Into<Arc<str>>, as_of: Option<Date>) -> Self {
        Self { kind: Kind::Published, source: source.into(), as_of }
    }
}

impl fmt::Display for Basis {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.kind, self.source)?;
        self.as_of.map_or(Ok(()), |date| write!(formatter, " ({date})"))
    }
}

/// What kind of knowledge a value is, strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Measured on the machine in question.
    Measured,
    /// Stated by who asks.
    Stated,
    /// Published by a source.
    Published,
    /// Computed from other values.
    Derived,
    /// Our assumption.
    Assumed,
}

impl Kind {
    const NAMES: [(Self, &'static str); 5] = [
        (Self::Measured, "measured"),
        (Self::Stated, "stated"),
        (Self::Published, "published"),
        (Self::Derived, "derived"),
        (Self::Assumed, "assumed"),
    ];
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::NAMES.iter().find(|(kind, _)| kind == self).map_or("", |(_, name)| name);
        formatter.write_str(name)
    }
}

impl FromStr for Kind {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::NAMES.iter().find(|(_, name)| *name == text).map(|(kind, _)| *kind).ok_or_else(|| {
            ParseError::Malformed {
                text: text.to_owned(),
                expected: "measured, stated, published, derived or assumed",
            }
        })
    }
}

/// A calendar date that may lack its day or month: `2026`, `2026-07` or `2026-07-20`.
///
/// ```
/// use nearside_units::Date;
/// let (price, today): (Date, Date) = ("2026-07".parse().unwrap(), "2026-11-23".parse().unwrap());
/// assert_eq!(price.days_until(today), 145); // from the first day it can mean
/// assert_eq!(price.to_string(), "2026-07");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    year: u16,
    month: Option<u8>,
    day: Option<u8>,
}

impl Date {
    /// A full date from days since 1970-01-01 (H. Hinnant, "chrono-compatible low-level date
    /// algorithms", `civil_from_days`).
    #[must_use]
    pub fn from_unix_days(days: u32) -> Self {
        let days = days + 719_468;
        let (era, day_of_era) = (days / 146_097, days % 146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
        let year = year_of_era + era * 400 + u32::from(month <= 2);
        Self { year: year as u16, month: Some(month as u8), day: Some(day as u8) }
    }

    /// Days since 1970-01-01 of the first day that this date can mean.
    fn unix_days(self) -> i64 {
        let (month, day) = (i64::from(self.month.unwrap_or(1)), i64::from(self.day.unwrap_or(1)));
        let year = i64::from(self.year) - i64::from(month <= 2);
        let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
        let shifted_month = if month > 2 { month - 3 } else { month + 9 };
        let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
        era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year
            - 719_468
    }

    /// Days from this date to a later one (negative to an earlier one).
    #[must_use]
    pub fn days_until(self, later: Self) -> i64 {
        later.unix_days() - self.unix_days()
    }
}

impl FromStr for Date {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let malformed = || ParseError::Malformed {
            text: text.to_owned(),
            expected: "a date, as in \"2026-07-20\" or \"2026-07\"",
        };
        let mut parts = text.trim().split('-');
        let year = parts.next().filter(|year| year.len() == 4).and_then(|year| year.parse().ok());
        let mut part = |range: std::ops::RangeInclusive<u8>| match parts.next() {
            None => Ok(None),
            Some(part) => match part.parse::<u8>() {
                Ok(value) if range.contains(&value) && part.len() == 2 => Ok(Some(value)),
                _ => Err(malformed()),
            },
        };
        let date =
            Self { year: year.ok_or_else(malformed)?, month: part(1..=12)?, day: part(1..=31)? };
        parts.next().map_or(Ok(date), |_extra| Err(malformed()))
    }
}

impl fmt::Display for Date {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:04}", self.year)?;
        for part in [self.month, self.day].into_iter().flatten() {
            write!(formatter, "-{part:02}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn dates_are_strict() {
        for text in ["26-07", "2026-7", "2026-13", "2026-07-32", "2026-07-20-1", "soon", ""] {
            assert!(text.parse::<Date>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn days_come_back(days in 0u32..40_000) {
            let date = Date::from_unix_days(days);
            prop_assert_eq!(Date::from_unix_days(0).days_until(date), i64::from(days));
            prop_assert_eq!(date.to_string().parse::<Date>().unwrap(), date);
        }
    }
}
