//! Azure Retail Prices: `prices.azure.com/api/retail/prices`, pages of a thousand items, each of which names
//! the next.
//!
//! Format: "Azure Retail Prices REST API overview": `Items` with `armSkuName`, `armRegionName`, `retailPrice`,
//! `currencyCode`, `type`, `unitOfMeasure`; `NextPageLink`. Wanted are hours of Linux machines that are
//! consumed, by the piece or while nobody else wants them (`Spot`).

use std::collections::BTreeMap;
use std::io::Read;

use nearside_units::PerHour;
use serde::Deserialize;
use serde_json::Number;

use super::{Hour, ListFile, Machines, Offers, PriceList};
use crate::{Catalog, CatalogError, Terms};

const PROVIDER: &str = "azure";

#[derive(Deserialize)]
struct Page {
    #[serde(rename = "Items")]
    items: Vec<Item>,
    #[serde(rename = "NextPageLink")]
    next: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct Item {
    currency_code: String,
    retail_price: Option<Number>,
    arm_region_name: String,
    arm_sku_name: String,
    product_name: String,
    sku_name: String,
    service_name: String,
    unit_of_measure: String,
    #[serde(rename = "type")]
    kind: String,
}

impl Item {
    /// On which terms it is a Linux machine by the hour, if it is one.
    fn terms(&self) -> Option<Terms> {
        let hourly = self.service_name == "Virtual Machines"
            && self.kind == "Consumption"
            && self.unit_of_measure == "1 Hour";
        let other = ["Windows", "Cloud Services", "CloudServices"];
        if !hourly || other.iter().any(|word| self.product_name.contains(word)) {
            return None;
        }
        match &self.sku_name {
            name if name.contains("Low Priority") => None,
            name if name.contains("Spot") => Some(Terms::Spot),
            _ => Some(Terms::OnDemand),
        }
    }

    fn price(&self) -> Option<PerHour> {
        let price = format!("{} {}", self.retail_price.as_ref()?, self.currency_code);
        let price = PerHour::new(price.parse().ok()?);
        (price.money().as_f64() > 0.0).then_some(price)
    }
}

impl Catalog {
    /// Reads one page of Azure Retail Prices.
    ///
    /// # Errors
    /// When it is none, or breaks off.
    pub fn read_azure_prices(
        &self,
        reader: impl Read,
        file: &ListFile<'_>,
    ) -> Result<PriceList, CatalogError> {
        let page: Page = serde_json::from_reader(reader).map_err(|error| {
            let (file, reason) = (file.name.to_owned(), error.to_string());
            CatalogError::NotAPriceList { file, of: "Azure Retail Prices", reason }
        })?;
        let machines = Machines::of(self, PROVIDER);
        let (mut offers, mut left_out) = (Offers::default(), BTreeMap::new());
        for item in &page.items {
            let (Some(terms), Some(price)) = (item.terms(), item.price()) else { continue };
            // Names of machines with accelerators begin so.
            let accelerated = ["Standard_NC", "Standard_ND", "Standard_NV", "Standard_NG"];
            if !machines.has(&item.arm_sku_name) {
                if accelerated.iter().any(|prefix| item.arm_sku_name.starts_with(prefix)) {
                    let why = "no offer of the catalog tells which accelerator it has".to_owned();
                    left_out.insert(item.arm_sku_name.clone(), why);
                }
                continue;
            }
            let hour = Hour {
                provider: PROVIDER,
                instance: &item.arm_sku_name,
                region: &item.arm_region_name,
                terms,
                price,
                vcpus: None,
                memory: None,
            };
            offers.add(&hour, &machines, file, file.as_of);
        }
        let next = page.next.filter(|next| !next.is_empty());
        Ok(PriceList { next, ..offers.into_list(left_out) })
    }
}
