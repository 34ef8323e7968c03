//! A moment as the ledger keeps it: RFC 3339 in UTC, to the millisecond.

use std::fmt;
use std::str::FromStr;

use nearside_units::{Date, ParseError};

/// Milliseconds of a day; leap seconds are not counted, as in Unix time.
const DAY: u64 = 86_400_000;
/// Days from 1970-01-01 to 9999-12-31, the last day with a year of four digits.
const LAST_DAY: u64 = 2_932_896;

/// A moment from 1970 to 9999 in UTC.
///
/// It is written with three digits after the second, so that sorting the text sorts the time.
/// Finer parts of a second are cut off.
///
/// ```
/// use nearside_ledger::Timestamp;
/// let began: Timestamp = "2026-11-23T10:00:00Z".parse().unwrap();
/// assert_eq!(began.to_string(), "2026-11-23T10:00:00.000Z");
/// assert_eq!(Timestamp::from_unix_millis(1_795_428_000_000), Some(began));
/// assert!("2026-11-23 10:00".parse::<Timestamp>().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Self = Self(0);

    /// From milliseconds since 1970-01-01T00:00:00Z, if its year has four digits.
    #[must_use]
    pub const fn from_unix_millis(millis: u64) -> Option<Self> {
        if millis / DAY <= LAST_DAY { Some(Self(millis)) } else { None }
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn unix_millis(self) -> u64 {
        self.0
    }

    /// To the second and without a time zone, as in `2026-11-23T10:00:00`.
    pub(crate) fn to_the_second(self) -> String {
        let (seconds, days) = (self.0 % DAY / 1000, self.0 / DAY);
        // Both conversions hold: no moment is after LAST_DAY.
        let date = Date::from_unix_days(u32::try_from(days).unwrap_or(u32::MAX));
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        format!("{date}T{hour:02}:{minute:02}:{second:02}")
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{:03}Z", self.to_the_second(), self.0 % 1000)
    }
}

impl FromStr for Timestamp {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        parsed(text).ok_or_else(|| ParseError::Malformed {
            text: text.to_owned(),
            expected: "a moment in UTC, as in \"2026-11-23T10:00:00Z\"",
        })
    }
}

fn parsed(text: &str) -> Option<Timestamp> {
    let text = text.strip_suffix('Z').or_else(|| text.strip_suffix("+00:00"))?;
    let (date, time) = text.split_once('T')?;
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let parts: Vec<u64> = time.split(':').map(two_digits).collect::<Option<_>>()?;
    let seconds = match parts[..] {
        [hour @ ..24, minute @ ..60, second @ ..60] => hour * 3600 + minute * 60 + second,
        _ => return None,
    };
    Timestamp::from_unix_millis(days(date)? * DAY + seconds * 1000 + millis(fraction)?)
}

/// Days since 1970-01-01 of a date that there is.
fn days(text: &str) -> Option<u64> {
    let date: Date = text.parse().ok()?;
    let days = u32::try_from(Date::from_unix_days(0).days_until(date)).ok()?;
    // February has no 30th day, and a date needs all its parts.
    (Date::from_unix_days(days).to_string() == text).then_some(u64::from(days))
}

fn two_digits(text: &str) -> Option<u64> {
    (text.len() == 2 && is_digits(text)).then(|| text.parse().ok())?
}

/// The first three digits after the second.
fn millis(fraction: &str) -> Option<u64> {
    let known = is_digits(fraction) && (1..=9).contains(&fraction.len());
    let digits: String = fraction.chars().chain("00".chars()).take(3).collect();
    known.then(|| digits.parse().ok())?
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_no_moment_in_utc_is_refused() {
        for text in [
            "",
            "2026-11-23",
            "2026-11-23T10:00Z",
            "2026-11-23T10:00:00",
            "2026-11-23T10:00:00+01:00",
            "2026-02-30T10:00:00Z",
            "2026-11T10:00:00Z",
            "2026-11-23T24:00:00Z",
            "2026-11-23T23:60:00Z",
            "2026-11-23T23:59:60Z",
            "2026-11-23T+1:00:00Z",
            "2026-11-23T10:00:00.Z",
            "1969-12-31T23:59:59Z",
            "12026-11-23T10:00:00Z",
        ] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
    }

    #[test]
    fn parts_of_a_second_are_kept_to_the_thousandth() {
        for (text, shown) in [
            ("2024-02-29T23:59:59.5Z", "2024-02-29T23:59:59.500Z"),
            ("2026-11-23T10:00:00.123456789Z", "2026-11-23T10:00:00.123Z"),
            ("9999-12-31T23:59:59.999+00:00", "9999-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(text.parse::<Timestamp>().unwrap().to_string(), shown);
        }
        assert_eq!(Timestamp::from_unix_millis((LAST_DAY + 1) * DAY), None);
    }

    proptest! {
        #[test]
        fn the_text_is_the_moment_and_sorts_like_it(
            one in 0..(LAST_DAY + 1) * DAY,
            other in 0..(LAST_DAY + 1) * DAY,
        ) {
            let moments = [one, other].map(|millis| Timestamp::from_unix_millis(millis).unwrap());
            let texts = moments.map(|moment| moment.to_string());
            prop_assert_eq!(texts[0].parse::<Timestamp>().unwrap(), moments[0]);
            prop_assert_eq!(texts[0].cmp(&texts[1]), moments[0].cmp(&moments[1]));
        }
    }
}
