//! Dates in chat templates, as C's `strftime` writes them in English.
//!
//! Days are counted from the beginning of March of a year that 400 divides: so the day that leap years have more is
//! the last one of a year (Howard Hinnant, "chrono-compatible low-level date algorithms", 2013).

use std::fmt::Write as _;

const DAY: i64 = 86_400;
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] =
    ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// A point in time, by the parts that people name.
struct Moment {
    year: i64,
    /// From 0.
    month: usize,
    day: i64,
    /// From 0, for Sunday.
    weekday: usize,
    /// From 0.
    day_of_year: i64,
    second_of_day: i64,
}

/// Writes the moment that is `seconds` after the beginning of 1970 on some clock; directives that are not known stay.
pub(super) fn format(pattern: &str, seconds: i64) -> String {
    let moment = Moment::at(seconds);
    let mut out = String::new();
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        if character != '%' {
            out.push(character);
            continue;
        }
        match characters.next() {
            Some('-') => {
                let padded = characters
                    .next()
                    .map(|directive| moment.directive(directive))
                    .unwrap_or_default();
                let digits = padded.trim_start_matches(['0', ' ']);
                out.push_str(if digits.is_empty() { "0" } else { digits });
            }
            Some(directive) => out.push_str(&moment.directive(directive)),
            None => out.push('%'),
        }
    }
    out
}

impl Moment {
    fn at(seconds: i64) -> Self {
        let days = seconds.div_euclid(DAY);
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let of_era = shifted.rem_euclid(146_097);
        let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * of_year + 2) / 153;
        let day = of_year - (153 * shifted_month + 2) / 5 + 1;
        let month = (shifted_month + 2) % 12;
        let year = year_of_era + era * 400 + i64::from(month < 2);
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let before_march = 59 + i64::from(leap);
        let day_of_year = if month < 2 { of_year - 306 } else { of_year + before_march };
        Self {
            year,
            month: usize::try_from(month).unwrap_or(0),
            day,
            weekday: usize::try_from((days + 4).rem_euclid(7)).unwrap_or(0),
            day_of_year,
            second_of_day: seconds.rem_euclid(DAY),
        }
    }

    fn directive(&self, directive: char) -> String {
        let (hour, minute) = (self.second_of_day / 3600, self.second_of_day / 60 % 60);
        let month = MONTHS.get(self.month).copied().unwrap_or_default();
        let weekday = WEEKDAYS.get(self.weekday).copied().unwrap_or_default();
        let half = if hour % 12 == 0 { 12 } else { hour % 12 };
        let mut out = String::new();
        // Writing to a text never fails.
        let _written = match directive {
            'Y' => write!(out, "{}", self.year),
            'y' => write!(out, "{:02}", self.year.rem_euclid(100)),
            'm' => write!(out, "{:02}", self.month + 1),
            'd' => write!(out, "{:02}", self.day),
            'e' => write!(out, "{:2}", self.day),
            'j' => write!(out, "{:03}", self.day_of_year + 1),
            'B' => write!(out, "{month}"),
            'b' | 'h' => write!(out, "{month:.3}"),
            'A' => write!(out, "{weekday}"),
            'a' => write!(out, "{weekday:.3}"),
            'w' => write!(out, "{}", self.weekday),
            'H' => write!(out, "{hour:02}"),
            'I' => write!(out, "{half:02}"),
            'M' => write!(out, "{minute:02}"),
            'S' => write!(out, "{:02}", self.second_of_day % 60),
            'p' => write!(out, "{}", if hour < 12 { "AM" } else { "PM" }),
            'F' => write!(out, "{}-{:02}-{:02}", self.year, self.month + 1, self.day),
            'T' => write!(out, "{hour:02}:{minute:02}:{:02}", self.second_of_day % 60),
            'R' => write!(out, "{hour:02}:{minute:02}"),
            'Z' | 'z' => Ok(()),
            'n' => writeln!(out),
            't' => write!(out, "\t"),
            '%' => write!(out, "%"),
            other => write!(out, "%{other}"),
        };
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        let all = "%A %a %d %e %-d %B %b %m %Y %y %j %H %I %M %S %p %F %T %%";
        // Computed by Python 3.11 of `datetime.utcfromtimestamp`.
        assert_eq!(
            format(all, 1_709_208_309),
            "Thursday Thu 29 29 29 February Feb 02 2024 24 060 12 12 05 09 PM 2024-02-29 12:05:09 %"
        );
        assert_eq!(
            format(all, -1),
            "Wednesday Wed 31 31 31 December Dec 12 1969 69 365 23 11 59 59 PM 1969-12-31 23:59:59 %"
        );
        assert_eq!(format("%d %b %Y, %j, %A", 951_868_800), "01 Mar 2000, 061, Wednesday");
        assert_eq!(format("%-I%p %e %-m %q%", 0), "12AM  1 1 %q%");
    }
}
