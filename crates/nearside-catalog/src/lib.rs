//! What exists: devices, parts, offers, prices, grids, regions, reliability, embodied carbon, base images,
//! and what runs on what.
//!
//! Facts live in CSV tables under `data/`, one row each, with source, second source and date; this
//! crate reads them into a [`Catalog`], a plain value that a user's own tables can be laid over
//! ([`Overlay`], [`SkyPilotFile`]). It is pure: callers pass text, and get values with their basis.
//!
//! - An empty cell is unknown, never zero: figures come as `Known<Sourced<...>>`.
//! - A figure that had to be taken from further away says so in its basis ([`Catalog::intensity`],
//!   [`Catalog::embodied`], [`Device::best_peak`]).
//! - One row per device, with its aliases: no ladder of name comparisons ([`Catalog::device`]).

mod base_image;
mod check;
mod compatibility;
mod device;
mod embodied;
mod error;
mod grid;
mod lookup;
mod model;
mod offer;
mod origin;
mod overlay;
mod part;
mod price;
mod price_list;
mod python_package;
mod region;
mod reliability;
mod site;
mod skypilot;
mod system;
mod table;
mod version;

pub use base_image::BaseImage;
pub use check::{Finding, Problem};
pub use compatibility::{
    DriverBranch, Floor, Generation, NoTorchBuild, Platform, Refusal, Repairs, TorchBuild,
    TorchChoice, TorchMachine, TorchWheel, cubin_runs, ptx_runs,
};
pub use device::{ComputeCapability, Device, DeviceKind, Form, Precision};
pub use embodied::Embodied;
pub use error::CatalogError;
pub use grid::{Grid, Intensity, Rung};
pub use model::{Model, ModelsError, parse_models};
pub use offer::{Offer, OfferKey, Terms, offers_table};
pub use origin::{Origin, RowPlace};
pub use overlay::Overlay;
pub use part::{Board, Condition, Part, PartKind};
pub use price::{PriceRow, Tier, TieredPrice, Transfer, tiered_cost};
pub use price_list::{ListFile, PriceList};
pub use python_package::normalized_package;
pub use region::{Pue, Region, Zone};
pub use reliability::{HourlyRate, InterruptionBand, Metric, Reliability};
pub use site::{Accelerators, Economics, Machine, Ownership, Place, Reach, Site};
pub use skypilot::{SkyPilotFile, SkyPilotImport};
pub use system::System;
pub use version::Version;

use compatibility::Fact;
use lookup::DeviceIndex;
use price::{NetworkRow, StorageRow};
use table::{Row, Source, Table};

/// The facts: built-in rows, and whatever was laid over them.
#[derive(Clone, Debug)]
pub struct Catalog {
    devices: Table<Device>,
    offers: Table<Offer>,
    regions: Table<Region>,
    grids: Table<Grid>,
    network: Table<NetworkRow>,
    storage: Table<StorageRow>,
    reliability: Table<Reliability>,
    embodied: Table<Embodied>,
    parts: Table<Part>,
    systems: Table<System>,
    base_images: Table<BaseImage>,
    compatibility: Table<Fact>,
    models: Vec<Model>,
    index: DeviceIndex,
}

/// Reads a built-in table; the file's name in messages is its path in this crate.
macro_rules! builtin {
    ($file:literal) => {
        read(concat!("data/", $file), include_str!(concat!("../data/", $file)))
    };
}

fn read<R: Row>(file: &str, text: &str) -> Result<Table<R>, CatalogError> {
    Table::read(&Source { file: file.into(), text, as_of: None })
}

impl Catalog {
    /// The tables of this version of the program.
    ///
    /// # Errors
    /// When a built-in table is malformed, which the tests of this crate rule out.
    pub fn builtin() -> Result<Self, CatalogError> {
        let mut catalog = Self {
            devices: builtin!("devices.csv")?,
            offers: builtin!("offers.csv")?,
            regions: builtin!("regions.csv")?,
            grids: builtin!("grids.csv")?,
            network: builtin!("network.csv")?,
            storage: builtin!("storage.csv")?,
            reliability: builtin!("reliability.csv")?,
            embodied: builtin!("embodied.csv")?,
            parts: builtin!("parts.csv")?,
            systems: builtin!("systems.csv")?,
            base_images: builtin!("base_images.csv")?,
            compatibility: builtin!("compatibility.csv")?,
            models: parse_models("data/models.json", include_str!("../data/models.json"))?,
            index: DeviceIndex::default(),
        };
        catalog.reindex();
        Ok(catalog)
    }

    /// Every device, by name.
    pub fn devices(&self) -> impl DoubleEndedIterator<Item = &Device> + Clone {
        self.devices.rows.values()
    }

    /// Every offer, by provider, instance and region.
    pub fn offers(&self) -> impl DoubleEndedIterator<Item = &Offer> + Clone {
        self.offers.rows.values()
    }

    /// Every region, by provider and name.
    pub fn regions(&self) -> impl DoubleEndedIterator<Item = &Region> + Clone {
        self.regions.rows.values()
    }

    /// Every grid: the world first, then by country and part of it.
    pub fn grids(&self) -> impl DoubleEndedIterator<Item = &Grid> + Clone {
        self.grids.rows.values()
    }

    /// Every tier of every transfer price.
    pub fn network_prices(&self) -> impl DoubleEndedIterator<Item = &PriceRow> + Clone {
        self.network.rows.values().map(|row| &row.0)
    }

    /// Every tier of every storage price, per gigabyte and month.
    pub fn storage_prices(&self) -> impl DoubleEndedIterator<Item = &PriceRow> + Clone {
        self.storage.rows.values().map(|row| &row.0)
    }

    /// Every reliability row.
    pub fn reliabilities(&self) -> impl DoubleEndedIterator<Item = &Reliability> + Clone {
        self.reliability.rows.values()
    }

    /// Everything with embodied emissions.
    pub fn embodied_items(&self) -> impl DoubleEndedIterator<Item = &Embodied> + Clone {
        self.embodied.rows.values()
    }

    /// Every part of machines, by name; new before used.
    pub fn parts(&self) -> impl DoubleEndedIterator<Item = &Part> + Clone {
        self.parts.rows.values()
    }

    /// Every machine that is sold as a whole.
    pub fn systems(&self) -> impl DoubleEndedIterator<Item = &System> + Clone {
        self.systems.rows.values()
    }

    /// Every model, in the order of the table.
    pub fn models(&self) -> impl DoubleEndedIterator<Item = &Model> + Clone {
        self.models.iter()
    }

    fn reindex(&mut self) {
        self.index = DeviceIndex::new(self.devices.rows.values());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What every row of every table has to have, whatever it is about.
    fn origins(catalog: &Catalog) -> Vec<(String, &Origin)> {
        fn of<R: Row>(table: &Table<R>) -> impl Iterator<Item = (String, &Origin)> {
            table.rows.values().map(|row| (row.label(), row.origin()))
        }
        let mut all: Vec<_> = of(&catalog.devices).chain(of(&catalog.offers)).collect();
        all.extend(of(&catalog.regions).chain(of(&catalog.grids)).chain(of(&catalog.network)));
        all.extend(of(&catalog.storage).chain(of(&catalog.reliability)));
        all.extend(of(&catalog.embodied).chain(of(&catalog.parts)).chain(of(&catalog.systems)));
        all.extend(of(&catalog.base_images).chain(of(&catalog.compatibility)));
        all
    }

    #[test]
    fn the_built_in_tables_hold_what_they_should() {
        let catalog = Catalog::builtin().unwrap();
        assert!(catalog.devices().count() >= 100);
        assert!(catalog.offers().count() >= 450);
        assert!(catalog.regions().count() >= 150);
        let mut providers: Vec<_> = catalog.offers().map(|offer| &*offer.key.provider).collect();
        providers.dedup();
        assert!(providers.len() >= 8, "{providers:?}");
        assert!(catalog.offers().filter(|offer| offer.device.is_none()).count() >= 50);
    }

    #[test]
    fn every_row_is_sourced_and_dated_in_the_past() {
        let catalog = Catalog::builtin().unwrap();
        let today = "2026-11-23".parse().unwrap();
        for (row, origin) in origins(&catalog) {
            assert!(origin.source.len() > 3, "{row}: {}", origin.source);
            assert!(origin.as_of.days_until(today) >= 0, "{row} is from the future");
        }
    }

    #[test]
    fn every_offer_names_a_known_device_and_region() {
        let catalog = Catalog::builtin().unwrap();
        for offer in catalog.offers() {
            assert!(catalog.region_of(offer).is_ok(), "{}", offer.key);
            let device = catalog.device_of(offer).unwrap().map(|device| &device.name);
            assert_eq!(device, offer.device.as_ref(), "{}", offer.key);
        }
    }

    #[test]
    fn every_region_finds_a_grid() {
        let catalog = Catalog::builtin().unwrap();
        for region in catalog.regions() {
            let intensity = catalog.intensity(region).unwrap();
            let nowhere = region.countries.is_empty();
            assert_eq!(intensity.rung == Rung::World, nowhere, "{}", region.name);
        }
    }
}
