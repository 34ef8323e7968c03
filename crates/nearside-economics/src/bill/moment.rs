//! Moments, hours and months of a bill, in UTC, as the clouds write them.
//!
//! FOCUS wants `2026-10-01T00:00:00Z`; Azure leaves the seconds out, BigQuery writes
//! `2026-10-01 00:00:00 UTC`, Athena `2026-10-01 00:00:00.000`. Without a zone it is UTC, as FOCUS says.

use std::fmt;

use nearside_units::{Date, Duration};

const SECOND: u64 = 1000;
const HOUR: u64 = 3600 * SECOND;
const DAY: u64 = 24 * HOUR;

/// Bills are from 2000 on and before 2100: what else is written is not a moment of one.
const FIRST: u64 = 10_957 * DAY;
const LAST: u64 = 47_482 * DAY;

/// A moment, in milliseconds since 1970 in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(u64);

/// An hour of the calendar: hours since 1970 in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hour(u32);

/// A month of the calendar, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Month {
    year: u16,
    month: u8,
}

impl Moment {
    /// Reads a moment; nothing where it is none that a bill can have.
    ///
    /// ```
    /// use nearside_economics::bill::Moment;
    /// let moment = Moment::read("2026-10-01T00:00:00Z");
    /// assert!(moment.is_some());
    /// for same in ["2026-10-01T00:00Z", "2026-10-01 00:00:00 UTC", "2026-10-01", "2026-10-01 02:00:00+02:00"] {
    ///     assert_eq!(Moment::read(same), moment, "{same}");
    /// }
    /// assert_eq!(Moment::read("yesterday"), None);
    /// ```
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        let (date, rest) = (text.get(..10)?, text.get(10..)?);
        let days = days(date)?;
        let clock = match rest {
            "" => (0, 0),
            _ => clock(rest.strip_prefix(['T', 't', ' '])?)?,
        };
        let (millis, ahead) = clock;
        let moment = (days * DAY).checked_add(millis)?.checked_add_signed(-ahead)?;
        Self::checked(moment)
    }

    /// From milliseconds since 1970 in UTC, if a bill can have that moment.
    #[must_use]
    pub fn checked(millis: u64) -> Option<Self> {
        (FIRST..=LAST).contains(&millis).then_some(Self(millis))
    }

    /// Milliseconds since 1970 in UTC.
    #[must_use]
    pub const fn millis(self) -> u64 {
        self.0
    }

    /// The hour that it is in.
    #[must_use]
    pub const fn hour(self) -> Hour {
        Hour((self.0 / HOUR) as u32)
    }

    /// The month that it is in.
    #[must_use]
    pub fn month(self) -> Month {
        self.hour().month()
    }
}

impl Hour {
    /// Its beginning, in milliseconds since 1970.
    pub(crate) const fn begins(self) -> u64 {
        self.0 as u64 * HOUR
    }

    /// Hours since 1970.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }

    /// From hours since 1970.
    #[must_use]
    pub const fn from_number(number: u32) -> Self {
        Self(number)
    }

    /// The month that it is in.
    #[must_use]
    pub fn month(self) -> Month {
        Month::of_day(self.0 / 24)
    }
}

impl Month {
    fn of_day(day: u32) -> Self {
        let date = Date::from_unix_days(day).to_string();
        let number = |range| date.get(range).and_then(|digits: &str| digits.parse().ok());
        let year = number(0..4).unwrap_or(1970);
        let month = number(5..7).unwrap_or(1);
        Self { year, month: month as u8 }
    }
}

impl fmt::Display for Month {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:04}-{:02}", self.year, self.month)
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, seconds) = (self.0 / DAY, self.0 % DAY / SECOND);
        let date = Date::from_unix_days(days as u32);
        write!(formatter, "{date} {:02}:{:02}", seconds / 3600, seconds / 60 % 60)
    }
}

/// A period with its end outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// Its first moment.
    pub from: Moment,
    /// The first moment after it.
    pub to: Moment,
}

impl Period {
    /// Whether it holds any time at all.
    #[must_use]
    pub fn is_forward(self) -> bool {
        self.to > self.from
    }

    /// How long it is; nothing where it is backward.
    #[must_use]
    pub fn length(self) -> Duration {
        let millis = self.to.0.saturating_sub(self.from.0);
        Duration::from_seconds(millis as f64 / 1e3).unwrap_or(Duration::ZERO)
    }
}

/// Milliseconds of the day, and how far ahead of UTC the clock is.
fn clock(text: &str) -> Option<(u64, i64)> {
    let text = text.trim_end();
    let zone_at = text.find(['Z', 'z', '+', '-', ' ']).unwrap_or(text.len());
    let (time, zone) = (text.get(..zone_at)?, text.get(zone_at..)?.trim_start());
    let (time, fraction) = time.split_once('.').unwrap_or((time, ""));
    let mut parts = time.split(':');
    let mut part = |most: u64| parts.next().map(|part| digits(part, most));
    let (hour, minute) = (part(23)??, part(59)??);
    let second = match part(60) {
        None => 0,
        Some(second) => second?,
    };
    let thousandths: String = fraction.chars().chain("000".chars()).take(3).collect();
    let millis = thousandths.parse::<u64>().ok()?;
    let ahead = match zone {
        "" | "Z" | "z" | "UTC" | "GMT" => 0,
        _ => offset(zone)?,
    };
    parts.next().is_none().then_some(())?;
    Some((hour * HOUR + minute * 60 * SECOND + second * SECOND + millis, ahead))
}

/// How far a zone such as `+02:00`, `-0530` or `+00` is ahead of UTC, in milliseconds.
fn offset(zone: &str) -> Option<i64> {
    let sign = match zone.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let rest: String = zone.get(1..)?.chars().filter(|letter| *letter != ':').collect();
    let hour = digits(rest.get(..2)?, 14)?;
    let minute = match rest.get(2..)? {
        "" => 0,
        minute => digits(minute, 59)?,
    };
    Some(sign * (hour * HOUR + minute * 60 * SECOND).cast_signed())
}

fn digits(text: &str, most: u64) -> Option<u64> {
    let two = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    two.then(|| text.parse().ok()).flatten().filter(|number| *number <= most)
}

/// Days since 1970 of a date that there is.
fn days(text: &str) -> Option<u64> {
    let date: Date = text.parse().ok()?;
    let days = u32::try_from(Date::from_unix_days(0).days_until(date)).ok()?;
    // February has no 30th day.
    (Date::from_unix_days(days).to_string() == text).then_some(u64::from(days))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_moments_of_bills_are_read() {
        for text in [
            "",
            "2026-10",
            "2026-02-30T00:00:00Z",
            "2026-10-01T24:00:00Z",
            "2026-10-01T00:61:00Z",
            "2026-10-01T00:00:00 CET",
            "2026-10-01T00:00:00:00Z",
            "1999-12-31T00:00:00Z",
            "2199-12-31T00:00:00Z",
            "2026-10-01Z",
            "10/01/2026",
        ] {
            assert_eq!(Moment::read(text), None, "{text}");
        }
    }

    #[test]
    fn hours_and_months_follow() {
        let moment = Moment::read("2026-03-01T00:30:00.250-01:30").unwrap();
        assert_eq!(moment, Moment::read("2026-03-01T02:00:00.250Z").unwrap());
        assert_eq!(moment.month().to_string(), "2026-03");
        assert_eq!(moment.to_string(), "2026-03-01 02:00");
        assert_eq!(moment.hour().begins() + 250, moment.millis());
        assert_eq!(Moment::read("2000-01-01").unwrap().millis(), FIRST);
        assert_eq!(Moment::read("2100-01-01").unwrap().millis(), LAST);
    }
}
