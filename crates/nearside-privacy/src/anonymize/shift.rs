//! Dates moved by some days, all of a subject by as many, so that the time between them stays.
//!
//! A date keeps its way of writing. Days count from 1 March of year 0 (Hinnant, "chrono-compatible
//! low-level date algorithms"), so that leap days come last.

/// The most days that a date is moved by, to either side; no date stays where it is.
pub(super) const MOST_DAYS: i64 = 182;

/// A date that was moved, written as it was; [`None`] where it is not written in numbers alone.
pub(super) fn shifted(date: &str, days: i64) -> Option<String> {
    let numbers: Vec<&str> = date.split(['-', '/', '.', ' ']).collect();
    let separators: Vec<char> = date.chars().filter(|sign| !sign.is_ascii_digit()).collect();
    let number = |text: &str| text.parse::<i64>().ok();
    let written = |order: [(i64, usize); 3]| {
        let parts = order.map(|(number, width)| format!("{number:0width$}"));
        let [first, second, third] = parts;
        let [one, other] = separators.as_slice() else { return None };
        Some(format!("{first}{one}{second}{other}{third}"))
    };
    match numbers.as_slice() {
        [only] if only.len() == 8 && separators.is_empty() => {
            let parts = (only.get(..4)?, only.get(4..6)?, only.get(6..)?);
            let (year, month, day) =
                moved(number(parts.0)?, number(parts.1)?, number(parts.2)?, days)?;
            Some(format!("{year:04}{month:02}{day:02}"))
        }
        [year, month, day] if year.len() == 4 => {
            let (y, m, d) = moved(number(year)?, number(month)?, number(day)?, days)?;
            written([(y, 4), (m, month.len()), (d, day.len())])
        }
        [one, two, year] if year.len() == 4 => {
            // 11/13 can only be read one way; what can be read both ways has the day first.
            let month_first = number(two)? > 12;
            let (day, month) = if month_first { (two, one) } else { (one, two) };
            let (y, m, d) = moved(number(year)?, number(month)?, number(day)?, days)?;
            // Moved, it may be readable both ways, but not the other way alone.
            let (first, second) = if month_first { (m, d) } else { (d, m) };
            written([(first, one.len()), (second, two.len()), (y, 4)])
        }
        _ => None,
    }
}

fn moved(year: i64, month: i64, day: i64, days: i64) -> Option<(i64, i64, i64)> {
    let sound = (1..=12).contains(&month) && (1..=31).contains(&day) && (1..=9999).contains(&year);
    sound.then(|| civil(days_of(year, month, day) + days))
}

/// Days from 1 March of year 0 to a date.
fn days_of(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year
}

/// The date so many days after 1 March of year 0.
fn civil(days: i64) -> (i64, i64, i64) {
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_moved_in_their_way_of_writing() {
        for (date, days, expect) in [
            ("1974-11-13", 20, "1974-12-03"),
            ("13.11.1974", 60, "12.01.1975"),
            ("11/13/1974", -13, "10/31/1974"),
            ("1.3.2024", -1, "29.2.2024"),
            ("19000228", 1, "19000301"),
            ("2000/02/28", 1, "2000/02/29"),
        ] {
            assert_eq!(shifted(date, days).as_deref(), Some(expect), "{date} {days}");
        }
        for none in ["13 November 1974", "13.11.74", "1974-13-01", "", "1-2-3-4"] {
            assert_eq!(shifted(none, 1), None, "{none}");
        }
    }

    #[test]
    fn days_and_dates_are_each_others_inverse() {
        let mut last = civil(0);
        assert_eq!(last, (0, 3, 1));
        for days in 1..800_000 {
            let date = civil(days);
            assert!(date > last, "{date:?}");
            assert_eq!(days_of(date.0, date.1, date.2), days);
            last = date;
        }
    }
}
