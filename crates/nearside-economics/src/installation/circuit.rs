//! The circuit that a machine is plugged into.
//!
//! Source of the rule: NEC 210.20(A), a load of three hours or more takes at most 80 % of the breaker. It is
//! kept everywhere: contacts age by heat under any code.

use std::fmt;
use std::str::FromStr;

use nearside_policy::Country;
use nearside_units::{Amperes, Basis, ParseError, Sourced, Span, Volts, Watts};

/// Share of a breaker that a load of hours may take.
pub const CONTINUOUS_SHARE: f64 = 0.8;

/// Where that share comes from.
pub(super) fn continuous_share() -> Sourced<Span<f64>> {
    let why = "NEC 210.20(A), kept everywhere: contacts age by heat under any code";
    Sourced::new(Span::exact(CONTINUOUS_SHARE), Basis::published(why, None))
}

/// Circuits that outlets of homes and offices hang on, by country.
const USUAL: [(&str, &[&str]); 6] = [
    ("15 A/120 V", &["US", "CA"]),
    ("15 A/100 V", &["JP"]),
    ("13 A/230 V", &["GB", "IE", "DK"]),
    ("10 A/230 V", &["CH", "AU", "NZ", "CN"]),
    (
        "16 A/230 V",
        &[
            "AT", "BE", "BG", "CZ", "DE", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IS", "IT",
            "LT", "LU", "LV", "NL", "NO", "PL", "PT", "RO", "SE", "SI", "SK",
        ],
    ),
    ("15 A/230 V", &["IN", "ZA"]),
];

/// Circuits that people ask for by name.
const NAMED: [&str; 4] = ["16 A/230 V", "15 A/120 V", "20 A/120 V", "20 A/240 V"];

/// A circuit by its breaker.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Circuit {
    /// What the breaker lets through.
    pub current: Amperes,
    /// Its tension.
    pub tension: Volts,
}

impl Circuit {
    /// What it bears for hours: `0.8 x amperes x volts`.
    ///
    /// ```
    /// use nearside_economics::installation::Circuit;
    /// let continuous = |text: &str| text.parse::<Circuit>().unwrap().continuous().as_watts().round();
    /// assert_eq!(continuous("15 A/120 V"), 1440.0);
    /// assert_eq!(continuous("20 A/120 V"), 1920.0);
    /// assert_eq!(continuous("20 A/240 V"), 3840.0);
    /// assert_eq!(continuous("16 A/230 V"), 2944.0);
    /// ```
    #[must_use]
    pub fn continuous(self) -> Watts {
        self.current * self.tension * CONTINUOUS_SHARE
    }
}

impl FromStr for Circuit {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let (current, tension) = text.split_once('/').ok_or_else(|| ParseError::Malformed {
            text: text.to_owned(),
            expected: "a circuit, as in \"16 A/230 V\"",
        })?;
        Ok(Self { current: current.parse()?, tension: tension.parse()? })
    }
}

impl fmt::Display for Circuit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:#}/{:#}", self.current, self.tension)
    }
}

/// The circuit that outlets of a country usually hang on, where that is known.
///
/// ```
/// use nearside_economics::installation::usual_in;
/// assert_eq!(usual_in("DE".parse().unwrap()).unwrap().value.to_string(), "16 A/230 V");
/// assert!(usual_in("AQ".parse().unwrap()).is_none());
/// ```
#[must_use]
pub fn usual_in(country: Country) -> Option<Sourced<Circuit>> {
    let row = USUAL.iter().find(|(_, countries)| countries.contains(&country.code()))?;
    let why = format!("the usual outlet of {country} (IEC, World Plugs); look at the breaker");
    Some(Sourced::new(row.0.parse().ok()?, Basis::assumed(why)))
}

/// Circuits that people ask for by name: of Europe, and the three of North America.
#[must_use]
pub fn named_circuits() -> Vec<Circuit> {
    NAMED.iter().filter_map(|text| text.parse().ok()).collect()
}

/// How many machines of this power a circuit bears for hours: `floor(0.8 x amperes x volts / power)`.
///
/// ```
/// use nearside_economics::installation::machines_on;
/// use nearside_units::{Span, Watts};
/// let power = Span::new(400.0, 500.0, 800.0).unwrap().map(Watts::constant);
/// let machines = machines_on("15 A/120 V".parse().unwrap(), power);
/// assert_eq!((machines.low(), machines.likely(), machines.high()), (1, 2, 3));
/// ```
#[must_use]
pub fn machines_on(circuit: Circuit, power: Span<Watts>) -> Span<u32> {
    let continuous = circuit.continuous();
    // The one that draws nothing fits as often as one can count.
    let count = |watts: Watts| (continuous / watts).floor() as u32;
    Span::exact(continuous).combine_inverse(power, |_, watts| count(watts))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_no_circuit_is_told() {
        for text in ["16 A", "16 A/0 V", "230 V/16 A", "-1 A/230 V", "/", "16/230"] {
            assert!(text.parse::<Circuit>().is_err(), "{text}");
        }
        assert_eq!("16A/230V".parse::<Circuit>().unwrap().to_string(), "16 A/230 V");
    }

    #[test]
    fn every_usual_circuit_can_be_read() {
        assert_eq!(named_circuits().len(), NAMED.len());
        for (circuit, countries) in USUAL {
            assert_eq!(circuit.parse::<Circuit>().unwrap().to_string(), circuit);
            for country in countries {
                assert!(usual_in(country.parse().unwrap()).is_some(), "{country}");
            }
        }
    }

    proptest! {
        #[test]
        fn more_power_never_fits_more_often(watts in 1.0f64..1e5, more in 0.0f64..1e4) {
            let circuit: Circuit = "20 A/240 V".parse().unwrap();
            let on = |watts| machines_on(circuit, Span::exact(Watts::constant(watts))).likely();
            prop_assert!(on(watts + more) <= on(watts));
        }
    }
}
