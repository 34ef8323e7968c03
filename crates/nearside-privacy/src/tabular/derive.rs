//! Hierarchies that follow from the values themselves: ranges of numbers, months and years of dates, the
//! beginnings of codes.

use super::TabularError;
use super::dictionary::Dictionary;
use super::hierarchy::{ANY, Hierarchy};

/// The most levels between the values and one label for all.
const MAX_LEVELS: usize = 12;
/// The first ranges of numbers are at least so many over all values.
const FIRST_RANGES: f64 = 64.0;
/// From this part of the values on, a column is one of numbers, and what is none is a mistake.
const MOSTLY: f64 = 0.8;

/// The hierarchy of a column for which none is given. Empty cells are a group of their own below the top.
///
/// # Errors
/// When most values are numbers, but not all: what the others are told as is for a person to say.
pub fn derived(column: &str, values: &Dictionary) -> Result<Hierarchy, TabularError> {
    let stated: Vec<&str> =
        values.values().iter().map(String::as_str).filter(|value| !value.is_empty()).collect();
    let levels = if let Some(dates) = dates(&stated) {
        dates
    } else if let Some(codes) = codes(&stated) {
        codes
    } else if let Some(numbers) = numbers(column, &stated)? {
        numbers
    } else {
        return Ok(Hierarchy::of_values(values));
    };
    let line = |value: &String| -> Vec<String> {
        let labels = levels.iter().map(|label| match value.is_empty() {
            true => String::new(),
            false => label(value),
        });
        [value.clone()].into_iter().chain(labels).chain([ANY.to_owned()]).collect()
    };
    Hierarchy::of_lines(column, values.values().iter().map(line).collect(), values)
}

/// What a value is told as at one level.
type Label = Box<dyn Fn(&str) -> String>;

/// Months, years and decades of dates as ISO 8601 writes them.
fn dates(values: &[&str]) -> Option<Vec<Label>> {
    let is_date = |value: &&str| {
        let form = value.bytes().map(|byte| if byte.is_ascii_digit() { b'9' } else { byte });
        form.eq(*b"9999-99-99")
    };
    let all = !values.is_empty() && values.iter().all(is_date);
    let cut = |length: usize, end: &'static str| -> Label {
        Box::new(move |value| format!("{}{end}", value.get(..length).unwrap_or(value)))
    };
    all.then(|| vec![cut(7, ""), cut(4, ""), cut(3, "0s")])
}

/// Where values stand on a scale, if all that are not empty are numbers, or all are dates as ISO 8601 writes
/// them (then in days); nothing for empty ones, nor for codes such as postal ones: a range of those is no place.
pub(super) fn scale(values: &[String]) -> Option<Vec<Option<f64>>> {
    let stated = values.iter().map(String::as_str).filter(|value| !value.is_empty());
    if codes(&stated.collect::<Vec<_>>()).is_some() {
        return None;
    }
    let all = |place: &dyn Fn(&str) -> Option<f64>| -> Option<Vec<Option<f64>>> {
        let place = |value: &String| match value.is_empty() {
            true => Some(None),
            false => place(value).map(Some),
        };
        values.iter().map(place).collect()
    };
    let number = |value: &str| value.parse::<f64>().ok().filter(|number| number.is_finite());
    all(&number).or_else(|| all(&days)).filter(|places| places.iter().any(Option::is_some))
}

/// Days from the first of March of the year 0 to a date (Hinnant, chrono-compatible low-level date algorithms).
fn days(date: &str) -> Option<f64> {
    let is_date = dates(&[date]).is_some();
    let part = |from: usize, to: usize| date.get(from..to).and_then(|part| part.parse().ok());
    let (year, month, day): (u32, u32, u32) = (part(0, 4)?, part(5, 7)?, part(8, 10)?);
    let month_from_march = (month + 9) % 12;
    let year = (year + 1) - u32::from(month <= 2);
    let days = 365 * year + year / 4 - year / 100 + year / 400;
    is_date.then(|| f64::from(days + (153 * month_from_march + 2) / 5 + day))
}

/// Codes of equal length that are no counts, such as postal codes: each level tells one sign less.
fn codes(values: &[&str]) -> Option<Vec<Label>> {
    let length = values.first()?.len();
    let sound = |value: &&str| {
        value.len() == length
            && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b' ')
            && value.bytes().any(|byte| byte.is_ascii_digit())
    };
    // Numbers of up to four digits may be counts; five and more of equal length hardly are.
    let lettered = values.iter().any(|value| value.bytes().any(|byte| byte.is_ascii_alphabetic()));
    let wide = if lettered { 3..=10 } else { 5..=10 };
    if !wide.contains(&length) || !values.iter().all(sound) {
        return None;
    }
    let masked = |hidden: usize| -> Label {
        Box::new(move |value| {
            let shown = value.len().saturating_sub(hidden);
            format!("{}{}", value.get(..shown).unwrap_or(""), ANY.repeat(hidden))
        })
    };
    Some((1..length).map(masked).collect())
}

/// Ranges of numbers, each level twice as wide as the one before.
fn numbers(column: &str, values: &[&str]) -> Result<Option<Vec<Label>>, TabularError> {
    let number = |value: &&str| value.parse::<f64>().ok().filter(|number| number.is_finite());
    let known: Vec<f64> = values.iter().filter_map(number).collect();
    if (known.len() as f64) < MOSTLY * values.len() as f64 || known.is_empty() {
        return Ok(None);
    }
    if let Some(other) = values.iter().find(|value| number(value).is_none()) {
        let (column, value) = (column.to_owned(), (*other).to_owned());
        return Err(TabularError::Mixed { column, value });
    }
    let (low, high) = known
        .iter()
        .fold((f64::MAX, f64::MIN), |(low, high), number| (low.min(*number), high.max(*number)));
    let whole = values.iter().all(|value| value.parse::<i64>().is_ok());
    let least = if whole { 2.0 } else { 0.0 };
    let first = nice(((high - low) / FIRST_RANGES).max(least));
    let widths = std::iter::successors(Some(first), |width| Some(width * 2.0));
    let widths = widths.take_while(|width| *width < (high - low) * 2.0).take(MAX_LEVELS);
    let range = |width: f64| -> Label {
        Box::new(move |value| {
            let number = value.parse::<f64>().unwrap_or(0.0);
            let from = (number / width).floor() * width;
            match whole {
                true => format!("{from:.0}..{:.0}", from + width - 1.0),
                false => format!("{}..<{}", told(from), told(from + width)),
            }
        })
    };
    Ok(Some(widths.map(range).collect()))
}

/// The next one of 1, 2 and 5 times a power of ten.
fn nice(least: f64) -> f64 {
    if least <= 0.0 {
        return 1.0;
    }
    let power = 10_f64.powf(least.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|factor| factor * power >= least * (1.0 - 1e-9));
    factor.unwrap_or(10.0) * power
}

/// A bound of a range, without digits that come of rounding.
fn told(bound: f64) -> f64 {
    let scale = 1e9;
    (bound * scale).round() / scale
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a value is told as at every level of a column.
    fn told_as(values: &[&str], value: &str) -> Result<Vec<String>, TabularError> {
        let mut all = Dictionary::default();
        values.iter().for_each(|value| _ = all.add(value));
        let values = &all;
        let found = derived("a", values)?;
        let code = values.code(value).unwrap() as usize;
        let told =
            |level: &super::super::hierarchy::Level| level.labels[level.of[code] as usize].clone();
        Ok(found.levels().iter().map(told).collect())
    }

    #[test]
    fn levels_follow_from_values() {
        let ages: Vec<String> = (17..=90).map(|age| age.to_string()).collect();
        let ages: Vec<&str> = ages.iter().map(String::as_str).collect();
        let told = told_as(&ages, "39").unwrap();
        assert_eq!(
            told,
            ["39", "38..39", "36..39", "32..39", "32..47", "32..63", "0..63", "0..127", "*"]
        );
        assert_eq!(told_as(&["-1.5", "0.25", ""], "0.25").unwrap()[..2], ["0.25", "0.25..<0.3"]);
        assert_eq!(told_as(&["-1.5", "0.25", ""], "").unwrap()[1], "");
        assert_eq!(
            told_as(&["2024-05-01", "1999-12-31"], "2024-05-01").unwrap(),
            ["2024-05-01", "2024-05", "2024", "2020s", "*"]
        );
        assert_eq!(
            told_as(&["02139", "10115"], "02139").unwrap(),
            ["02139", "0213*", "021**", "02***", "0****", "*"]
        );
        assert_eq!(told_as(&["SW1 1AA", "EC1 2BB"], "SW1 1AA").unwrap()[3], "SW1 ***");
        assert_eq!(told_as(&["red", "green"], "red").unwrap(), ["red", "*"]);
        assert_eq!(told_as(&["7", "7"], "7").unwrap(), ["7", "*"]);
    }

    #[test]
    fn what_is_mixed_is_for_a_person_to_say() {
        let mixed = ["1", "2", "3", "4", "5", "six"];
        let error = told_as(&mixed, "1").unwrap_err().to_string();
        assert!(error.contains("\"six\""), "{error}");
        assert_eq!(told_as(&["1", "two", "three"], "1").unwrap(), ["1", "*"]);
    }
}
