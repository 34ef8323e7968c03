//! A user's own tables over the built-in ones: same headers, and their rows win by key.

use std::sync::Arc;

use nearside_units::Date;

use crate::lookup::nearest;
use crate::table::{Row, Source, Table};
use crate::{Catalog, CatalogError};

/// A CSV file to lay over a table. The caller has read it.
#[derive(Clone, Debug)]
pub struct Overlay<'a> {
    file: &'a str,
    text: &'a str,
    as_of: Date,
}

/// The tables that can be laid over, by file name.
pub(crate) const TABLES: [&str; 12] = [
    "devices.csv",
    "offers.csv",
    "regions.csv",
    "grids.csv",
    "network.csv",
    "storage.csv",
    "reliability.csv",
    "embodied.csv",
    "parts.csv",
    "systems.csv",
    "base_images.csv",
    "compatibility.csv",
];

impl<'a> Overlay<'a> {
    /// A file whose name says which table it is for (`offers.csv`, in any folder), its text, and the
    /// date of the rows that state none. A row without a source has the file as its source.
    #[must_use]
    pub const fn new(file: &'a str, text: &'a str, as_of: Date) -> Self {
        Self { file, text, as_of }
    }

    fn read<R: Row>(&self) -> Result<Table<R>, CatalogError> {
        let file = Arc::from(self.file);
        Table::read(&Source { file, text: self.text, as_of: Some(self.as_of) })
    }
}

impl Catalog {
    /// This catalog with the rows of an overlay, which win over rows of the same key.
    ///
    /// ```
    /// use nearside_catalog::{Catalog, Overlay, Terms};
    /// let text = "provider,instance,region,device,devices,on_demand\n\
    ///             aws,g4dn.xlarge,us-east-1,t4,1,0.30 USD/h\n";
    /// let overlay = Overlay::new("my/offers.csv", text, "2026-11-01".parse().unwrap());
    /// let catalog = Catalog::builtin()?.with_overlay(&overlay)?;
    /// let price = catalog.offer("aws/g4dn.xlarge@us-east-1")?.price(Terms::OnDemand);
    /// assert_eq!(price.value().unwrap().basis.source.as_ref(), "my/offers.csv, line 2");
    /// # Ok::<(), nearside_catalog::CatalogError>(())
    /// ```
    ///
    /// # Errors
    /// When the file's name is that of no table, or a row cannot be read.
    pub fn with_overlay(mut self, overlay: &Overlay<'_>) -> Result<Self, CatalogError> {
        let name = overlay.file.rsplit(['/', '\\']).next().unwrap_or(overlay.file);
        match name {
            "devices.csv" => self.devices.overlay(overlay.read()?),
            "offers.csv" => self.offers.overlay(overlay.read()?),
            "regions.csv" => self.regions.overlay(overlay.read()?),
            "grids.csv" => self.grids.overlay(overlay.read()?),
            "network.csv" => self.network.overlay(overlay.read()?),
            "storage.csv" => self.storage.overlay(overlay.read()?),
            "reliability.csv" => self.reliability.overlay(overlay.read()?),
            "embodied.csv" => self.embodied.overlay(overlay.read()?),
            "parts.csv" => self.parts.overlay(overlay.read()?),
            "systems.csv" => self.systems.overlay(overlay.read()?),
            "base_images.csv" => self.base_images.overlay(overlay.read()?),
            "compatibility.csv" => self.compatibility.overlay(overlay.read()?),
            _ => {
                let near = nearest(name, TABLES.into_iter());
                let name = overlay.file.to_owned();
                return Err(CatalogError::NotFound { what: "table", name, near });
            }
        }
        self.reindex();
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SkyPilotFile, Terms};
    use proptest::prelude::*;

    fn overlaid(file: &str, text: &str) -> Result<Catalog, CatalogError> {
        let overlay = Overlay::new(file, text, "2026-11-01".parse().unwrap());
        Catalog::builtin().unwrap().with_overlay(&overlay)
    }

    #[test]
    fn an_overlay_row_wins_and_the_others_stay() {
        let before = Catalog::builtin().unwrap().offers().count();
        let text = "provider,instance,region,device,devices,on_demand,source,as_of\n\
                    aws,g4dn.xlarge,us-east-1,t4,1,0.30 USD/h,our contract,2026-10\n";
        let catalog = overlaid("offers.csv", text).unwrap();
        let offer = catalog.offer("aws/g4dn.xlarge@us-east-1").unwrap();
        let price = offer.price(Terms::OnDemand).value().unwrap();
        assert_eq!(price.value.to_string(), "0.300 USD/h");
        assert_eq!(price.basis.to_string(), "published: our contract (2026-10)");
        assert_eq!(catalog.offers().count(), before);
    }

    #[test]
    fn a_new_device_is_found_by_its_aliases() {
        let text =
            "name,title,aliases,kind,memory\nrtx-6090,Future card,RTX 6090|6090,gpu,48 GiB\n";
        let catalog = overlaid("devices.csv", text).unwrap();
        assert_eq!(&*catalog.device("6090").unwrap().name, "rtx-6090");
    }

    #[test]
    fn a_file_for_no_table_is_refused() {
        let error = overlaid("offer.csv", "").unwrap_err().to_string();
        assert_eq!(error, "no table is called \"offer.csv\": did you mean offers.csv?");
    }

    #[test]
    fn a_bad_cell_names_the_file_and_line() {
        let text = "provider,instance,region,on_demand\nme,box,home,0.30\n";
        let error = overlaid("mine/offers.csv", text).unwrap_err().to_string();
        assert!(error.starts_with("mine/offers.csv:2: column \"on_demand\""), "{error}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_strangers_write_never_panics(cells in "[a-z0-9,./%*|\"\n -]{0,200}", table in 0..TABLES.len()) {
            let as_of = "2026".parse().unwrap();
            let catalog = Catalog::builtin().unwrap();
            let text = format!("provider,instance,region,device,devices,on_demand\n{cells}");
            let file = SkyPilotFile { provider: "p", file: "vms.csv", text: &text, as_of };
            let _ = catalog.read_skypilot(&file);
            let _ = catalog.offers_matching(&cells);
            let _ = catalog.device(&cells);
            let _ = catalog.clone().with_overlay(&Overlay::new(TABLES[table], &cells, as_of));
            let _ = catalog.with_overlay(&Overlay::new("offers.csv", &text, as_of));
        }
    }
}
