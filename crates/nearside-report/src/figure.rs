//! Numbers as people read them: three digits that count, thousands set apart, the unit behind.

use std::fmt;

use nearside_economics::{Unit, Value};
use nearside_units::significant;

/// A number with its unit, or the word in its place.
pub(crate) fn figure(value: Value, unit: Unit, currency: &str) -> String {
    match (value, unit) {
        (Value::Nothing(word), _) => word.to_owned(),
        (Value::Number(number), Unit::Share) => format!("{} %", short(number * 100.0)),
        (Value::Number(number), unit) => {
            format!("{} {}", short(number), unit.symbol(currency)).trim_end().to_owned()
        }
    }
}

/// The same without the unit; shares are per cent.
pub(crate) fn bare(value: Value, unit: Unit) -> String {
    match (value, unit) {
        (Value::Nothing(word), _) => word.to_owned(),
        (Value::Number(number), Unit::Share) => short(number * 100.0),
        (Value::Number(number), _) => short(number),
    }
}

/// Three digits that count, and no zeros behind them.
pub(crate) fn short(number: f64) -> String {
    let number = if number == 0.0 { 0.0 } else { number };
    let text = significant(number);
    let text = match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => &text,
    };
    grouped(text)
}

/// A number with its thousands set apart.
///
/// ```
/// assert_eq!(nearside_report::grouped(1_234_567), "1,234,567");
/// assert_eq!(nearside_report::grouped("-1000.25"), "-1,000.25");
/// ```
pub fn grouped(number: impl fmt::Display) -> String {
    let text = number.to_string();
    let number = text.as_str();
    let (sign, rest) = number.strip_prefix('-').map_or(("", number), |rest| ("-", rest));
    let (whole, part) = rest.split_once('.').map_or((rest, None), |(a, b)| (a, Some(b)));
    let mut apart = String::new();
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place).is_multiple_of(3) {
            apart.push(',');
        }
        apart.push(digit);
    }
    let part = part.map(|part| format!(".{part}")).unwrap_or_default();
    format!("{sign}{apart}{part}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        assert_eq!(short(4437.45), "4,440");
        assert_eq!(short(-1_234_567.0), "-1,230,000");
        assert_eq!(short(17.523), "17.5");
        assert_eq!(short(0.0), "0");
        assert_eq!(grouped("999"), "999");
        assert_eq!(grouped("1000.25"), "1,000.25");
        assert_eq!(figure(Value::Number(0.512), Unit::Share, "EUR"), "51.2 %");
        assert_eq!(figure(Value::Number(3.0), Unit::Count, "EUR"), "3");
        assert_eq!(figure(Value::Nothing("never"), Unit::Months, "EUR"), "never");
    }
}
