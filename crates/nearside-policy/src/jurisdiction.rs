//! Countries, and areas of common law that a policy may name.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// A country by its ISO 3166 alpha-2 code, such as `DE`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Country([u8; 2]);

impl Country {
    /// The two letters.
    #[must_use]
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("??")
    }
}

impl FromStr for Country {
    type Err = UnknownArea;
    fn from_str(text: &str) -> Result<Self, UnknownArea> {
        match text.as_bytes() {
            [a, b] if a.is_ascii_uppercase() && b.is_ascii_uppercase() => Ok(Self([*a, *b])),
            _ => Err(UnknownArea(text.to_owned())),
        }
    }
}

impl fmt::Display for Country {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.code())
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.code())
    }
}

/// A name that is neither a country code nor a known area.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("unknown area \"{0}\": use a country code such as DE, or EU, EEA")]
pub struct UnknownArea(pub String);

/// Where data may be: one country, or an area of common law.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Area {
    /// One country.
    Country(Country),
    /// The European Union (27 members since 2020-02-01).
    EuropeanUnion,
    /// The European Economic Area: the Union, Iceland, Liechtenstein and Norway.
    EuropeanEconomicArea,
}

const UNION: [&str; 27] = [
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IT",
    "LT", "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK",
];
const ECONOMIC_AREA_ONLY: [&str; 3] = ["IS", "LI", "NO"];

impl Area {
    /// Whether a country lies in it.
    #[must_use]
    pub fn contains(self, country: Country) -> bool {
        let code = country.code();
        match self {
            Self::Country(one) => one == country,
            Self::EuropeanUnion => UNION.contains(&code),
            Self::EuropeanEconomicArea => {
                UNION.contains(&code) || ECONOMIC_AREA_ONLY.contains(&code)
            }
        }
    }
}

impl FromStr for Area {
    type Err = UnknownArea;
    fn from_str(text: &str) -> Result<Self, UnknownArea> {
        match text {
            "EU" => Ok(Self::EuropeanUnion),
            "EEA" => Ok(Self::EuropeanEconomicArea),
            other => other.parse().map(Self::Country),
        }
    }
}

impl fmt::Display for Area {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Country(country) => country.fmt(formatter),
            Self::EuropeanUnion => formatter.pad("EU"),
            Self::EuropeanEconomicArea => formatter.pad("EEA"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn norway_is_in_the_economic_area_only() {
        let norway = "NO".parse().unwrap();
        assert!(Area::EuropeanEconomicArea.contains(norway));
        assert!(!Area::EuropeanUnion.contains(norway));
        assert!("DE".parse::<Area>().unwrap().contains("DE".parse().unwrap()));
        assert!("Europe".parse::<Area>().is_err());
    }
}
