//! What a kilowatt-hour emits at a place: annual averages by location.
//!
//! The ladder: the region's own figure, else its state or electricity zone, else its country, else
//! the world. Each step down is recorded and the value then counts as derived (world: assumed). Only
//! the average by location is here; marginal, market and offset figures are other accounts.

use std::sync::Arc;

use nearside_policy::Country;
use nearside_units::{GramsPerKwh, Kind, Sourced};

use crate::table::{Cells, Row};
use crate::{Catalog, CatalogError, Origin, Region};

/// The annual average of a country, of a part of one, or of the world.
#[derive(Clone, Debug, PartialEq)]
pub struct Grid {
    /// The country; `None` is the world.
    pub country: Option<Country>,
    /// The part of it, such as `US-VA`; `None` is all of it.
    pub subdivision: Option<Arc<str>>,
    /// Its name for people.
    pub title: Arc<str>,
    /// The average.
    pub intensity: GramsPerKwh,
    /// What is counted: life cycle or stack, production or consumption.
    pub accounting: Arc<str>,
    /// The terms under which the figure may be passed on.
    pub licence: Arc<str>,
    /// What the second source says.
    pub second_value: Option<GramsPerKwh>,
    /// Where the row came from; its date is the year of the data.
    pub origin: Origin,
}

impl Row for Grid {
    type Key = (Option<Country>, Option<Arc<str>>);
    const COLUMNS: &'static [&'static str] = &[
        "country",
        "subdivision",
        "title",
        "intensity",
        "year",
        "basis",
        "licence",
        "second_value",
    ];

    fn read(cells: &Cells<'_>) -> Result<Self, CatalogError> {
        let country = match cells.cell("country") {
            "*" => None,
            _ => Some(cells.required("country")?),
        };
        Ok(Self {
            country,
            subdivision: cells.text("subdivision"),
            title: cells.required_text("title")?,
            intensity: cells.required("intensity")?,
            accounting: cells.required_text("basis")?,
            licence: cells.required_text("licence")?,
            second_value: cells.optional("second_value")?,
            origin: cells.origin()?,
        })
    }

    fn key(&self) -> Self::Key {
        (self.country, self.subdivision.clone())
    }

    fn label(&self) -> String {
        let country = self.country.map_or("world".to_owned(), |country| country.to_string());
        self.subdivision.as_deref().map_or(country, str::to_owned)
    }

    fn origin(&self) -> &Origin {
        &self.origin
    }
}

/// How near to the machine the figure is, nearest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rung {
    /// The provider's region.
    Region,
    /// A state or electricity zone.
    Subdivision,
    /// A country.
    Country,
    /// The world.
    World,
}

/// The intensity of a place and how it was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Intensity {
    /// The average; its basis tells the steps down.
    pub value: Sourced<GramsPerKwh>,
    /// Which rung of the ladder it is from.
    pub rung: Rung,
    /// The steps down that were taken, in order; none when the nearest figure was there.
    pub steps: Vec<Arc<str>>,
    /// What is counted: life cycle or stack, production or consumption.
    pub accounting: Arc<str>,
}

impl Intensity {
    fn new(value: Sourced<GramsPerKwh>, rung: Rung, accounting: Arc<str>) -> Self {
        Self { value, rung, steps: Vec::new(), accounting }
    }

    fn of_grid(grid: &Grid, rung: Rung) -> Self {
        Self::new(grid.origin.sourced(grid.intensity), rung, Arc::clone(&grid.accounting))
    }

    /// Writes the steps into the basis, so that nobody who shows the value can lose them.
    fn told(mut self, steps: Vec<Arc<str>>) -> Self {
        if !steps.is_empty() {
            let basis = &mut self.value.basis;
            basis.source = format!("{} ({})", basis.source, steps.join("; ")).into();
            let weakest = if self.rung == Rung::World { Kind::Assumed } else { Kind::Derived };
            basis.kind = basis.kind.max(weakest);
        }
        Self { steps, ..self }
    }
}

impl Catalog {
    /// What a kilowatt-hour emits in a provider's region.
    ///
    /// # Errors
    /// When not even the world has a row, which an overlay cannot bring about.
    ///
    /// ```
    /// use nearside_catalog::{Catalog, Rung};
    /// let catalog = Catalog::builtin()?;
    /// let virginia = catalog.intensity(catalog.region("aws", "us-east-1")?)?;
    /// assert_eq!(virginia.rung, Rung::Subdivision);
    /// assert_eq!(virginia.value.value.to_string(), "245 g/kWh");
    /// assert_eq!(&*virginia.steps[0], "no figure for aws/us-east-1: the average of Virginia");
    /// # Ok::<(), nearside_catalog::CatalogError>(())
    /// ```
    pub fn intensity(&self, region: &Region) -> Result<Intensity, CatalogError> {
        if let Some(value) = region.own_intensity() {
            let accounting = region.origin.note.clone();
            let accounting = accounting.unwrap_or_else(|| "average of the region".into());
            return Ok(Intensity::new(value, Rung::Region, accounting));
        }
        let steps = vec![format!("no figure for {}", region.label())];
        self.descend(&region.countries, region.subdivision.as_deref(), steps)
    }

    /// What a kilowatt-hour emits at a place that is no provider's region, such as an office.
    ///
    /// # Errors
    /// When not even the world has a row, which an overlay cannot bring about.
    pub fn intensity_at(
        &self,
        country: Option<Country>,
        subdivision: Option<&str>,
    ) -> Result<Intensity, CatalogError> {
        // The average of a country whose parts are known is a step down, too.
        let has_parts = |country: &Country| {
            let mut grids = self.grids.rows.keys();
            grids.any(|(of, part)| of.as_ref() == Some(country) && part.is_some())
        };
        let missing = match (country.filter(has_parts), subdivision) {
            (Some(country), None) => vec![format!("no state or zone of {country} is stated")],
            _ => Vec::new(),
        };
        self.descend(country.as_slice(), subdivision, missing)
    }

    fn descend(
        &self,
        countries: &[Country],
        subdivision: Option<&str>,
        mut missing: Vec<String>,
    ) -> Result<Intensity, CatalogError> {
        if let Some(subdivision) = subdivision {
            if let Some(grid) = countries.iter().find_map(|country| {
                self.grids.rows.get(&(Some(*country), Some(Arc::from(subdivision))))
            }) {
                return Ok(found(grid, Rung::Subdivision, missing));
            }
            missing.push(format!("no figure for {subdivision}"));
        }
        if let Some(grid) = self.dirtiest(countries) {
            if countries.len() > 1 {
                missing.push(format!("one of {countries:?}, the highest taken"));
            }
            return Ok(found(grid, Rung::Country, missing));
        }
        missing.push(match countries {
            [] => "country not known".to_owned(),
            _ => format!("no figure for {countries:?}"),
        });
        let world = self.grids.rows.get(&(None, None)).ok_or(CatalogError::NotFound {
            what: "grid",
            name: "world".to_owned(),
            near: Vec::new(),
        })?;
        Ok(found(world, Rung::World, missing))
    }

    /// Of several countries that a machine may be in, the one that emits most; `None` when one of
    /// them has no figure.
    fn dirtiest(&self, countries: &[Country]) -> Option<&Grid> {
        let grids = countries.iter().map(|country| self.grids.rows.get(&(Some(*country), None)));
        let grids = grids.collect::<Option<Vec<_>>>()?;
        grids.into_iter().reduce(|high, next| match next.intensity > high.intensity {
            true => next,
            false => high,
        })
    }
}

fn found(grid: &Grid, rung: Rung, missing: Vec<String>) -> Intensity {
    let steps = match missing.is_empty() {
        true => Vec::new(),
        false => vec![format!("{}: the average of {}", missing.join(", "), grid.title).into()],
    };
    Intensity::of_grid(grid, rung).told(steps)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(provider: &str, region: &str) -> Intensity {
        let catalog = Catalog::builtin().unwrap();
        catalog.intensity(catalog.region(provider, region).unwrap()).unwrap()
    }

    #[test]
    fn the_nearest_figure_takes_no_step() {
        let iowa = of("gcp", "us-central1");
        assert_eq!((iowa.rung, iowa.steps.len()), (Rung::Region, 0));
        assert_eq!(iowa.value.basis.kind, Kind::Published);
        assert!((iowa.value.value.as_grams_per_kwh() - 412.72).abs() < 0.01);
    }

    #[test]
    fn each_step_down_is_told_in_the_basis() {
        let quebec = of("aws", "ca-central-1");
        assert_eq!(quebec.rung, Rung::Country);
        assert_eq!(
            &*quebec.steps[0],
            "no figure for aws/ca-central-1, no figure for CA-QC: the average of Canada"
        );
        assert!(quebec.value.basis.source.contains("no figure for CA-QC"));
        assert_eq!(quebec.value.basis.kind, Kind::Derived);
    }

    #[test]
    fn an_unknown_place_gets_the_world_as_an_assumption() {
        let anywhere = of("oracle", "*");
        assert_eq!((anywhere.rung, anywhere.value.basis.kind), (Rung::World, Kind::Assumed));
        assert!(anywhere.steps[0].contains("country not known"));
    }

    #[test]
    fn one_of_two_countries_takes_the_higher() {
        let either = of("hetzner", "*");
        assert_eq!(either.rung, Rung::Country);
        assert!((either.value.value.as_grams_per_kwh() - 380.9).abs() < 0.01);
        assert!(either.steps[0].contains("one of [DE, FI], the highest taken"));
    }

    #[test]
    fn an_office_is_a_place_too() {
        let catalog = Catalog::builtin().unwrap();
        let office = catalog.intensity_at("FR".parse().ok(), None).unwrap();
        assert_eq!((office.rung, office.steps.len()), (Rung::Country, 0));
        let state = catalog.intensity_at("US".parse().ok(), Some("US-CA")).unwrap();
        assert_eq!((state.rung, state.steps.len()), (Rung::Subdivision, 0));
        let somewhere = catalog.intensity_at("US".parse().ok(), None).unwrap();
        assert_eq!(
            &*somewhere.steps[0],
            "no state or zone of US is stated: the average of United States"
        );
    }
}
