//! Three significant digits, a readable unit, and ranges where the value is uncertain.

use std::fmt;

use crate::Span;

/// A number with three significant digits, without an exponent.
///
/// ```
/// use nearside_units::significant;
/// assert_eq!(significant(1234.5), "1230");
/// assert_eq!(significant(0.012345), "0.0123");
/// assert_eq!(significant(41.0), "41.0");
/// ```
#[must_use]
pub fn significant(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return format!("{value}");
    }
    let magnitude = |value: f64| value.abs().log10().floor() as i32;
    let scale = |digits: i32| 10f64.powi(digits);
    let digits = 2 - magnitude(value);
    let rounded = (value * scale(digits)).round() / scale(digits);
    let decimals = (2 - magnitude(rounded)).max(0) as usize;
    format!("{rounded:.decimals$}")
}

/// What can be shown in one of several units.
pub(crate) trait Shown: Copy {
    /// Units to choose from, smallest first.
    const SHOWN: &'static [&'static str];
    /// Every unit with its size in base units.
    const UNITS: &'static [(&'static str, f64)];
    /// The value in base units.
    fn base(self) -> f64;
}

/// The unit to show a value in: the largest of which there is at least one (after rounding).
fn unit_for(value: f64, units: &[(&'static str, f64)], shown: &[&str]) -> (&'static str, f64) {
    let known = shown.iter().filter_map(|name| units.iter().find(|(unit, _)| unit == name));
    let fits = |factor: f64| value / factor >= 0.9995;
    known
        .clone()
        .rfind(|(_, factor)| fits(*factor))
        .or_else(|| known.clone().next())
        .map_or(("", 1.0), |(unit, factor)| (*unit, *factor))
}

/// Whether a range is shown in a unit: nobody reads parts of a year, nor of a month where hours will do.
fn suits(unit: &str, low: f64, high: f64) -> bool {
    let whole = low == 0.0 || low >= 0.9995;
    match unit {
        "years" => whole,
        "months" => whole || high >= 9.995,
        _ => true,
    }
}

fn is_base(factor: f64) -> bool {
    (factor - 1.0).abs() < f64::EPSILON
}

/// The value in its readable unit.
pub(crate) fn in_unit_of(value: f64, units: &[(&'static str, f64)], shown: &[&str]) -> String {
    let base = units.iter().find(|(_, factor)| is_base(*factor)).copied();
    let (unit, factor) = match value {
        0.0 => base.unwrap_or_else(|| unit_for(value, units, shown)),
        _ => unit_for(value, units, shown),
    };
    format!("{} {unit}", significant(value / factor))
}

/// Writes a quantity: rounded, or exactly in the base unit with `{:#}`.
pub(crate) fn scaled<T: Shown>(formatter: &mut fmt::Formatter<'_>, value: T) -> fmt::Result {
    if formatter.alternate() {
        let base =
            T::UNITS.iter().find(|(_, factor)| is_base(*factor)).map_or("", |(unit, _)| unit);
        return write!(formatter, "{} {base}", value.base());
    }
    formatter.pad(&in_unit_of(value.base(), T::UNITS, T::SHOWN))
}

/// Two ends of a range in one unit, as in `41.0-55.0 h`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range<T> {
    /// The low end.
    pub low: T,
    /// The high end.
    pub high: T,
}

impl<T: Shown> fmt::Display for Range<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let factor = |name: &str| T::UNITS.iter().find(|(unit, _)| *unit == name);
        let ends =
            |name: &str| factor(name).map(|(_, it)| (self.low.base() / it, self.high.base() / it));
        let suits = |name: &&&str| ends(name).is_none_or(|(low, high)| suits(name, low, high));
        let shown: Vec<&str> = T::SHOWN.iter().filter(suits).copied().collect();
        let (unit, factor) = unit_for(self.high.base(), T::UNITS, &shown);
        let (low, high) =
            (significant(self.low.base() / factor), significant(self.high.base() / factor));
        match low == high {
            true => formatter.pad(&in_unit_of(self.high.base(), T::UNITS, &shown)),
            false => formatter.pad(&format!("{low}-{high} {unit}")),
        }
    }
}

impl<T: Shown + PartialOrd> fmt::Display for Span<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        Range { low: self.low(), high: self.high() }.fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Bytes, Joules, Watts};

    #[test]
    fn rounding_may_carry_into_the_next_unit() {
        assert_eq!(Watts::constant(999.9).to_string(), "1.00 kW");
        assert_eq!(significant(9.999), "10.0");
        assert_eq!(significant(0.0), "0");
    }

    #[test]
    fn zero_is_shown_in_the_base_unit() {
        assert_eq!(Joules::ZERO.to_string(), "0 J");
        assert_eq!(Bytes::ZERO.to_string(), "0 B");
    }
}
