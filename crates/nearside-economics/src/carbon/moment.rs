//! A minute, in UTC, as files of hourly figures write it: ISO 8601.

use std::fmt;
use std::str::FromStr;

use nearside_units::{Date, ParseError};

/// A minute since 1970-01-01T00:00Z.
///
/// ```
/// use nearside_economics::carbon::Moment;
/// let noon: Moment = "2026-11-23T12:00:00+01:00".parse().unwrap();
/// assert_eq!(noon.to_string(), "2026-11-23T11:00Z");
/// assert_eq!("2026-11-23 11:00".parse(), Ok(noon), "without a zone it is UTC");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(i64);

const DAY: i64 = 24 * 60;

impl Moment {
    /// So many hours later.
    #[must_use]
    pub const fn plus_hours(self, hours: usize) -> Self {
        Self(self.0 + 60 * hours as i64)
    }

    /// Minutes from this to a later moment.
    #[must_use]
    pub const fn minutes_until(self, later: Self) -> i64 {
        later.0 - self.0
    }

    /// Its day.
    #[must_use]
    pub fn date(self) -> Date {
        Date::from_unix_days(u32::try_from(self.0.div_euclid(DAY)).unwrap_or(0))
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let minute = self.0.rem_euclid(DAY);
        write!(formatter, "{}T{:02}:{:02}Z", self.date(), minute / 60, minute % 60)
    }
}

impl FromStr for Moment {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        parsed(text.trim()).ok_or_else(|| ParseError::Malformed {
            text: text.to_owned(),
            expected: "a moment in ISO 8601, as in \"2026-11-23T10:00:00Z\"",
        })
    }
}

fn parsed(text: &str) -> Option<Moment> {
    let (day, time) = (text.get(..10)?, text.get(11..)?);
    if !matches!(text.get(10..11)?, "T" | "t" | " ") {
        return None;
    }
    let date: Date = day.parse().ok()?;
    let days = Date::from_unix_days(0).days_until(date);
    // A day that no month has is another day when it comes back.
    let back = Date::from_unix_days(u32::try_from(days).ok()?);
    if back != date {
        return None;
    }
    let (time, behind) = zone(time)?;
    let mut parts = time.split(':');
    let (hour, minute) = (below(parts.next()?, 24)?, below(parts.next()?, 60)?);
    if let Some(seconds) = parts.next() {
        let whole = seconds.split_once('.').map_or(seconds, |(whole, _)| whole);
        below(whole, 60)?;
    }
    parts.next().is_none().then_some(())?;
    Some(Moment(days * DAY + hour * 60 + minute - behind))
}

/// What stands before the zone, and how many minutes the zone is ahead of UTC.
fn zone(time: &str) -> Option<(&str, i64)> {
    if let Some(time) = time.strip_suffix(['Z', 'z']) {
        return Some((time, 0));
    }
    let Some(at) = time.rfind(['+', '-']) else { return Some((time, 0)) };
    let sign = if time[at..].starts_with('+') { 1 } else { -1 };
    let offset = time[at + 1..].replace(':', "");
    let minutes = match offset.len() {
        2 => below(&offset, 24)? * 60,
        4 => below(offset.get(..2)?, 24)? * 60 + below(offset.get(2..)?, 60)?,
        _ => return None,
    };
    Some((&time[..at], sign * minutes))
}

/// A number of two digits below a limit.
fn below(text: &str, limit: i64) -> Option<i64> {
    let digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| digits && *number < limit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn zones_are_taken_off() {
        for (text, shown) in [
            ("2026-01-01T00:30:00.250Z", "2026-01-01T00:30Z"),
            ("2026-01-01 00:30", "2026-01-01T00:30Z"),
            ("2026-01-01T00:00:00+01:00", "2025-12-31T23:00Z"),
            ("2026-01-01T00:00-0530", "2026-01-01T05:30Z"),
        ] {
            assert_eq!(text.parse::<Moment>().unwrap().to_string(), shown, "{text}");
        }
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for text in [
            "",
            "2026-01-01",
            "2026-02-30T00:00Z",
            "2026-01-01T24:00Z",
            "2026-01-01T1:00Z",
            "2026-01-01X00:00Z",
            "2026-01-01T00:00:00:00Z",
            "2026-01-01T00:00+1",
            "soon",
            "1969-12-31T00:00Z",
            "2026-01-01T00:00Zé",
            "2026-01-01T00:00+1é1",
        ] {
            assert!(text.parse::<Moment>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn parsing_never_panics(text in ".{0,30}") {
            let _ = text.parse::<Moment>();
        }

        #[test]
        fn moments_come_back(minutes in 0i64..60_000_000) {
            let moment = Moment(minutes);
            prop_assert_eq!(moment.to_string().parse::<Moment>().unwrap(), moment);
        }
    }
}
