//! Where a provider's machines stand: country, part of the continent, cooling overhead.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use nearside_policy::Country;
use nearside_units::{GramsPerKwh, Known, ParseError, Percent, Sourced};

use crate::table::{Cells, Row};
use crate::{CatalogError, Origin};

/// A part of the world with prices of its own. Geography, not law: `EU` is Europe with Switzerland,
/// Norway and the United Kingdom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Zone {
    /// Africa.
    Africa,
    /// Asia without the Middle East.
    Asia,
    /// Europe.
    Europe,
    /// The Middle East.
    MiddleEast,
    /// North America with Mexico.
    NorthAmerica,
    /// Australia and New Zealand.
    Oceania,
    /// South America.
    SouthAmerica,
}

impl Zone {
    const CODES: [(Self, &'static str); 7] = [
        (Self::Africa, "AF"),
        (Self::Asia, "AS"),
        (Self::Europe, "EU"),
        (Self::MiddleEast, "ME"),
        (Self::NorthAmerica, "NA"),
        (Self::Oceania, "OC"),
        (Self::SouthAmerica, "SA"),
    ];

    /// Its two letters in the tables.
    #[must_use]
    pub fn code(self) -> &'static str {
        Self::CODES.iter().find(|(zone, _)| *zone == self).map_or("", |(_, code)| code)
    }
}

impl FromStr for Zone {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let found = Self::CODES.iter().find(|(_, code)| *code == text);
        found.map(|(zone, _)| *zone).ok_or_else(|| ParseError::Malformed {
            text: text.to_owned(),
            expected: "one of AF, AS, EU, ME, NA, OC, SA",
        })
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.code())
    }
}

/// Power usage effectiveness: energy of the building over energy of the computers; at least 1.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Pue(f64);

impl Pue {
    /// No overhead at all.
    pub const NONE: Self = Self(1.0);

    /// The factor that energy at the computer is multiplied with.
    #[must_use]
    pub const fn factor(self) -> f64 {
        self.0
    }
}

impl FromStr for Pue {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let factor = text.parse().ok().filter(|factor: &f64| (1.0..=10.0).contains(factor));
        factor.map(Self).ok_or_else(|| ParseError::Malformed {
            text: text.to_owned(),
            expected: "a power usage effectiveness from 1 to 10, as in \"1.15\"",
        })
    }
}

impl fmt::Display for Pue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:.2}", self.0)
    }
}

/// A place of a provider. `*` is "a place that the price source does not name".
#[derive(Clone, Debug, PartialEq)]
pub struct Region {
    /// Whose place it is.
    pub provider: Arc<str>,
    /// The provider's name for it.
    pub name: Arc<str>,
    /// Its name for people.
    pub title: Arc<str>,
    /// The countries it may be in: one when it is known, several when it is one of them, none when
    /// nothing is known. A rule about countries has to hold for every one, and fails for none.
    pub countries: Vec<Country>,
    /// State, province or electricity zone, such as `US-VA` or `SE-SE3`.
    pub subdivision: Option<Arc<str>>,
    /// The part of the world.
    pub zone: Option<Zone>,
    /// Where the row came from.
    pub origin: Origin,
    pue: Option<Pue>,
    pue_basis: Option<Arc<str>>,
    intensity: Option<GramsPerKwh>,
    carbon_free: Option<Percent>,
    marginal: Option<GramsPerKwh>,
}

impl Region {
    /// The country, when there is exactly one it can be.
    pub fn country(&self) -> Known<Country> {
        match self.countries.as_slice() {
            [country] => Known::Value(*country),
            [] => Known::unknown(format!("the country of {} is not known", self.label())),
            several => Known::unknown(format!(
                "{} is in one of {}",
                self.label(),
                several.iter().map(Country::code).collect::<Vec<_>>().join(", ")
            )),
        }
    }

    /// What the provider publishes as its power usage effectiveness.
    pub fn pue(&self) -> Known<Sourced<Pue>> {
        let sourced = self.pue.map(|pue| {
            let mut sourced = self.origin.sourced(pue);
            if let Some(basis) = &self.pue_basis {
                sourced.basis.source = Arc::clone(basis);
            }
            sourced
        });
        Known::from_option(sourced, format!("{} publishes no PUE of {}", self.provider, self.name))
    }

    /// Share of its energy that is carbon-free hour by hour, as its provider counts it: purchases are
    /// in it, so it is shown beside an average by location and never multiplied with one.
    pub fn carbon_free(&self) -> Known<Sourced<Percent>> {
        let sourced = self.carbon_free.map(|share| self.origin.sourced(share));
        let why = || format!("no carbon-free share of {} is known", self.label());
        sourced.map_or_else(|| Known::unknown(why()), Known::Value)
    }

    /// What one more kilowatt-hour there emits. No row of ours has one: the public tables that have
    /// may not be passed on. A row of one's own may state it.
    pub fn marginal(&self) -> Known<Sourced<GramsPerKwh>> {
        let sourced = self.marginal.map(|marginal| self.origin.sourced(marginal));
        let why = || format!("no marginal intensity of {} is known", self.label());
        sourced.map_or_else(|| Known::unknown(why()), Known::Value)
    }

    /// The region's own grid intensity, where the table has one; see [`crate::Catalog::intensity`].
    pub(crate) fn own_intensity(&self) -> Option<Sourced<GramsPerKwh>> {
        self.intensity.map(|intensity| self.origin.sourced(intensity))
    }
}

impl Row for Region {
    type Key = (Arc<str>, Arc<str>);
    const COLUMNS: &'static [&'static str] = &[
        "provider",
        "region",
        "title",
        "country",
        "subdivision",
        "zone",
        "intensity",
        "carbon_free",
        "marginal",
        "pue",
        "pue_basis",
    ];

    fn read(cells: &Cells<'_>) -> Result<Self, CatalogError> {
        let country = |code: &str| code.parse().map_err(|reason| cells.wrong("country", &reason));
        let name = cells.required_text("region")?;
        Ok(Self {
            provider: cells.required_text("provider")?,
            title: cells.text("title").unwrap_or_else(|| Arc::clone(&name)),
            name,
            countries: cells.list("country").map(country).collect::<Result<_, _>>()?,
            subdivision: cells.text("subdivision"),
            zone: cells.optional("zone")?,
            pue: cells.optional("pue")?,
            pue_basis: cells.text("pue_basis"),
            intensity: cells.optional("intensity")?,
            carbon_free: cells.optional("carbon_free")?,
            marginal: cells.optional("marginal")?,
            origin: cells.origin()?,
        })
    }

    fn key(&self) -> Self::Key {
        (Arc::clone(&self.provider), Arc::clone(&self.name))
    }

    fn label(&self) -> String {
        format!("{}/{}", self.provider, self.name)
    }

    fn origin(&self) -> &Origin {
        &self.origin
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Catalog;

    #[test]
    fn a_known_region_has_one_country_and_its_published_pue() {
        let catalog = Catalog::builtin().unwrap();
        let region = catalog.region("aws", "eu-central-1").unwrap();
        assert_eq!(region.country().value().unwrap().code(), "DE");
        let pue = region.pue().value().unwrap();
        assert_eq!(pue.value.to_string(), "1.35");
        assert!(pue.basis.source.contains("published by Amazon"));
    }

    #[test]
    fn a_region_may_be_one_of_several_countries_or_unknown() {
        let catalog = Catalog::builtin().unwrap();
        let either = catalog.region("hetzner", "*").unwrap().country();
        assert_eq!(either.why(), Some("hetzner/* is in one of DE, FI"));
        let unknown = catalog.region("oracle", "*").unwrap();
        assert!(unknown.countries.is_empty() && unknown.pue().value().is_none());
    }

    #[test]
    fn carbon_free_energy_is_known_where_google_publishes_it_and_marginal_figures_nowhere() {
        let catalog = Catalog::builtin().unwrap();
        let iowa = catalog.region("gcp", "us-central1").unwrap().carbon_free().value().unwrap();
        assert_eq!(iowa.value.to_string(), "87.0 %");
        assert!(iowa.basis.source.contains("region-carbon-info"), "{}", iowa.basis);
        let why = catalog.region("aws", "us-east-1").unwrap().carbon_free();
        assert_eq!(why.why(), Some("no carbon-free share of aws/us-east-1 is known"));
        assert!(catalog.regions().all(|region| region.marginal().value().is_none()));
    }

    #[test]
    fn impossible_overheads_are_refused() {
        for text in ["0.9", "NaN", "inf", "11"] {
            assert!(text.parse::<Pue>().is_err(), "{text}");
        }
    }
}
