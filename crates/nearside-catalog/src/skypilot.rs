//! Offers from a SkyPilot catalog file (`~/.sky/catalogs/v8/CLOUD/vms.csv`) that the user brings.
//!
//! Read by header name, because the order of columns differs per cloud. `GpuInfo` is never looked
//! at: its units are wrong for some clouds. One row per zone there is one row per region here, with
//! the lowest price of each kind.

use std::collections::BTreeMap;

use csv::{ReaderBuilder, StringRecord};
use nearside_units::{Bytes, Currency, Date, Kind, Money, PerHour};

use crate::offer::OfferFigures;
use crate::{Catalog, CatalogError, Offer, OfferKey, Origin, RowPlace};

/// Columns without which the file is something else.
const NEEDED: [&str; 3] = ["InstanceType", "Price", "Region"];

/// A SkyPilot catalog file. The caller has read it.
#[derive(Clone, Copy, Debug)]
pub struct SkyPilotFile<'a> {
    /// The cloud, which becomes the provider's name.
    pub provider: &'a str,
    /// The file's name in messages.
    pub file: &'a str,
    /// Its text.
    pub text: &'a str,
    /// When it was written.
    pub as_of: Date,
}

/// What was read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SkyPilotImport {
    /// The offers, one per instance and region.
    pub offers: Vec<Offer>,
    /// Rows that are no offer of whole machines, and why.
    pub skipped: Vec<String>,
}

impl Catalog {
    /// Reads a SkyPilot file. Accelerators that the catalog knows get our name for them; others
    /// keep theirs, and [`Catalog::check`] will name them.
    ///
    /// # Errors
    /// When the file is not such a table, or a number in it cannot be read.
    pub fn read_skypilot(&self, file: &SkyPilotFile<'_>) -> Result<SkyPilotImport, CatalogError> {
        let mut reader = ReaderBuilder::new().from_reader(file.text.as_bytes());
        let headers = reader.headers().map_err(|error| not_csv(file, &error))?.clone();
        for column in NEEDED {
            if !headers.iter().any(|name| name == column) {
                let (file, column) = (file.file.to_owned(), column.to_owned());
                return Err(CatalogError::MissingColumn { file, column });
            }
        }
        let mut offers: BTreeMap<OfferKey, Offer> = BTreeMap::new();
        let mut skipped = Vec::new();
        for record in reader.records() {
            let record = record.map_err(|error| not_csv(file, &error))?;
            let row = SkyPilotRow { file, headers: &headers, record: &record };
            match row.offer(self)? {
                Ok(offer) => merge(&mut offers, offer),
                Err(why) => skipped.push(format!("{}:{}: {why}", file.file, row.line())),
            }
        }
        Ok(SkyPilotImport { offers: offers.into_values().collect(), skipped })
    }

    /// This catalog with more offers, which win over those of the same key.
    #[must_use]
    pub fn with_offers(mut self, offers: Vec<Offer>) -> Self {
        self.offers.rows.extend(offers.into_iter().map(|offer| (offer.key.clone(), offer)));
        self
    }
}

fn not_csv(file: &SkyPilotFile<'_>, error: &csv::Error) -> CatalogError {
    let line = error.position().map_or(1, csv::Position::line);
    CatalogError::NotCsv { file: file.file.to_owned(), line, reason: error.to_string() }
}

/// Keeps the lowest price of each kind when several zones offer the same.
fn merge(offers: &mut BTreeMap<OfferKey, Offer>, offer: Offer) {
    let Some(known) = offers.get_mut(&offer.key) else {
        offers.insert(offer.key.clone(), offer);
        return;
    };
    let lower = |left: Option<PerHour>, right: Option<PerHour>| match (left, right) {
        (Some(left), Some(right)) => Some(if right < left { right } else { left }),
        (left, right) => left.or(right),
    };
    known.figures.on_demand = lower(known.figures.on_demand, offer.figures.on_demand);
    known.figures.spot = lower(known.figures.spot, offer.figures.spot);
}

/// One row of the file.
struct SkyPilotRow<'a> {
    file: &'a SkyPilotFile<'a>,
    headers: &'a StringRecord,
    record: &'a StringRecord,
}

impl SkyPilotRow<'_> {
    fn line(&self) -> u64 {
        self.record.position().map_or(0, csv::Position::line)
    }

    fn cell(&self, column: &str) -> &str {
        let at = self.headers.iter().position(|name| name == column);
        at.and_then(|at| self.record.get(at)).unwrap_or("").trim()
    }

    /// The offer of this row, or why it is none.
    fn offer(&self, catalog: &Catalog) -> Result<Result<Offer, String>, CatalogError> {
        let devices = self.number("AcceleratorCount")?.unwrap_or(0.0);
        if devices.fract() > 0.0 {
            return Ok(Err(format!("{} has {devices} of a device", self.cell("InstanceType"))));
        }
        let name = self.cell("AcceleratorName");
        if name.is_empty() != (devices < 1.0) {
            return Ok(Err(format!("{} names no device or no count", self.cell("InstanceType"))));
        }
        let device =
            || catalog.device(name).map_or_else(|_unknown| name.into(), |d| d.name.clone());
        let figures = OfferFigures {
            vcpus: self.number("vCPUs")?.map(|count| count as u32),
            memory: self.number("MemoryGiB")?.map(|gib| Bytes::gib(1).scaled(gib)),
            on_demand: self.price("Price")?,
            spot: self.price("SpotPrice")?,
            network: None,
        };
        let key = OfferKey {
            provider: self.file.provider.into(),
            instance: self.cell("InstanceType").into(),
            region: self.cell("Region").into(),
        };
        let device = (!name.is_empty()).then(device);
        Ok(Ok(Offer { key, device, devices: devices as u32, figures, origin: self.origin() }))
    }

    fn origin(&self) -> Origin {
        Origin {
            source: format!("SkyPilot catalog {}", self.file.file).into(),
            second_source: None,
            as_of: self.file.as_of,
            kind: Kind::Published,
            note: Some("lowest price of the zones of the region".into()),
            place: RowPlace { file: self.file.file.into(), line: self.line() },
        }
    }

    /// A number that may be missing and is never negative.
    fn number(&self, column: &str) -> Result<Option<f64>, CatalogError> {
        let text = self.cell(column);
        if text.is_empty() {
            return Ok(None);
        }
        let number = text.parse().ok().filter(|number: &f64| number.is_finite() && *number >= 0.0);
        number.map(Some).ok_or_else(|| self.wrong(column, "is not a number from zero up"))
    }

    fn price(&self, column: &str) -> Result<Option<PerHour>, CatalogError> {
        // Nothing costs nothing: such a price is not known.
        if self.number(column)?.is_none_or(|price| price <= 0.0) {
            return Ok(None);
        }
        let dollars: Result<Money, _> = format!("{} {}", self.cell(column), Currency::USD).parse();
        dollars
            .map(|dollars| Some(PerHour::new(dollars)))
            .map_err(|reason| self.wrong(column, &reason.to_string()))
    }

    fn wrong(&self, column: &str, reason: &str) -> CatalogError {
        CatalogError::Cell {
            file: self.file.file.to_owned(),
            line: self.line(),
            column: column.to_owned(),
            value: self.cell(column).to_owned(),
            reason: reason.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Terms;

    const SAMPLE: &str = "\
InstanceType,AcceleratorName,AcceleratorCount,vCPUs,MemoryGiB,GpuInfo,Price,SpotPrice,Region,AvailabilityZone,Arch
g6.xlarge,L4,1.0,4.0,16.0,\"{'TotalGpuMemoryInMiB': 80}\",0.8048,0.31,us-east-1,us-east-1a,x86_64
g6.xlarge,L4,1.0,4.0,16.0,,0.8048,0.29,us-east-1,us-east-1b,x86_64
g6.xlarge,L4,1.0,4.0,16.0,,0.8048,,us-east-1,us-east-1c,x86_64
m7i.xlarge,,,4.0,16.0,,0.2016,,us-east-1,us-east-1a,x86_64
g6f.large,L4,0.125,2.0,8.0,,0.2,,us-east-1,us-east-1a,x86_64
x9.huge,Z9000,8.0,96.0,1024.5,,,12.5,us-east-1,us-east-1a,x86_64
";

    fn read(text: &str) -> Result<SkyPilotImport, CatalogError> {
        let as_of = "2026-10".parse().unwrap();
        let file = SkyPilotFile { provider: "aws", file: "vms.csv", text, as_of };
        Catalog::builtin().unwrap().read_skypilot(&file)
    }

    #[test]
    fn zones_merge_to_the_lowest_price() {
        let import = read(SAMPLE).unwrap();
        assert_eq!(import.offers.len(), 3);
        let l4 = &import.offers[0];
        assert_eq!(
            (l4.key.to_string().as_str(), l4.device.as_deref()),
            ("aws/g6.xlarge@us-east-1", Some("l4"))
        );
        assert_eq!(l4.price(Terms::Spot).value().unwrap().value.to_string(), "0.290 USD/h");
        assert_eq!(l4.memory().value().unwrap().value, Bytes::gib(16));
    }

    #[test]
    fn what_is_no_whole_machine_is_told_and_what_is_unknown_stays_unknown() {
        let import = read(SAMPLE).unwrap();
        assert_eq!(import.skipped, ["vms.csv:6: g6f.large has 0.125 of a device"]);
        let (cpu, strange) = (&import.offers[1], &import.offers[2]);
        assert_eq!((cpu.device.as_deref(), cpu.devices), (None, 0));
        assert_eq!((strange.device.as_deref(), strange.devices), (Some("Z9000"), 8));
        assert!(strange.price(Terms::OnDemand).value().is_none());
    }

    #[test]
    fn the_order_of_columns_does_not_matter() {
        let text = "Region,Price,InstanceType,GpuInfo\nFIN-01,1.29,1A100.22V,\"{'x\": 1\"\n";
        assert!(read(text).unwrap().offers[0].price(Terms::OnDemand).value().is_some());
    }

    #[test]
    fn imported_offers_win() {
        let import = read(SAMPLE).unwrap();
        let catalog = Catalog::builtin().unwrap().with_offers(import.offers);
        let offer = catalog.offer("aws/g6.xlarge@us-east-1").unwrap();
        assert!(offer.price(Terms::Spot).value().is_some());
    }

    #[test]
    fn another_table_and_a_negative_price_are_refused() {
        assert!(matches!(read("a,b\n1,2\n"), Err(CatalogError::MissingColumn { .. })));
        let error = read("InstanceType,Price,Region\nx,-1,r\n").unwrap_err().to_string();
        assert!(error.starts_with("vms.csv:2: column \"Price\""), "{error}");
    }
}
