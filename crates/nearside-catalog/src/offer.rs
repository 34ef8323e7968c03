//! A machine somebody rents out, with its price per hour in the currency of the provider.

use std::fmt;
use std::sync::Arc;

use nearside_units::{Bytes, BytesPerSecond, Known, PerHour, Sourced};

use crate::table::{Cells, Row};
use crate::{CatalogError, Origin};

/// What tells two offers apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OfferKey {
    /// Who rents it out, such as `aws`.
    pub provider: Arc<str>,
    /// The provider's name for the machine, such as `g5.xlarge`.
    pub instance: Arc<str>,
    /// The provider's name for the place, or `*` where the price source names none.
    pub region: Arc<str>,
}

impl fmt::Display for OfferKey {
    /// `aws/g5.xlarge@eu-west-1`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}@{}", self.provider, self.instance, self.region)
    }
}

/// On which terms an hour is bought.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Terms {
    /// Ours until we stop it.
    OnDemand,
    /// Cheaper; the provider may take it back.
    Spot,
}

impl fmt::Display for Terms {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::OnDemand => "on-demand",
            Self::Spot => "spot",
        })
    }
}

/// An offer.
#[derive(Clone, Debug, PartialEq)]
pub struct Offer {
    /// Provider, instance and region.
    pub key: OfferKey,
    /// The accelerator's name; `None` for a machine without one.
    pub device: Option<Arc<str>>,
    /// How many accelerators.
    pub devices: u32,
    /// Where the figures came from.
    pub origin: Origin,
    pub(crate) figures: OfferFigures,
}

/// The figures of an offer; each may be unknown.
#[derive(Clone, Debug, PartialEq, Default)]
pub(crate) struct OfferFigures {
    pub(crate) vcpus: Option<u32>,
    pub(crate) memory: Option<Bytes>,
    pub(crate) on_demand: Option<PerHour>,
    pub(crate) spot: Option<PerHour>,
    pub(crate) network: Option<BytesPerSecond>,
}

impl Offer {
    /// Virtual CPUs (hardware threads; physical cores where the note says so).
    pub fn vcpus(&self) -> Known<Sourced<u32>> {
        self.known(self.figures.vcpus, "number of vCPUs")
    }

    /// Main memory of the machine.
    pub fn memory(&self) -> Known<Sourced<Bytes>> {
        self.known(self.figures.memory, "memory size")
    }

    /// Sustained bandwidth of the network card.
    pub fn network(&self) -> Known<Sourced<BytesPerSecond>> {
        self.known(self.figures.network, "network bandwidth")
    }

    /// Price of an hour of the whole machine, without tax.
    pub fn price(&self, terms: Terms) -> Known<Sourced<PerHour>> {
        let price = match terms {
            Terms::OnDemand => self.figures.on_demand,
            Terms::Spot => self.figures.spot,
        };
        let price = price.map(|price| self.origin.sourced(price));
        Known::from_option(price, format!("no {terms} price of {} is known", self.key))
    }

    /// The same machine with the prices that another list knows, whose origin it then has; what that does
    /// not know stays.
    #[must_use]
    pub fn with_prices_of(&self, other: &Self) -> Self {
        let (own, theirs) = (&self.figures, &other.figures);
        Self {
            figures: OfferFigures {
                on_demand: theirs.on_demand.or(own.on_demand),
                spot: theirs.spot.or(own.spot),
                ..own.clone()
            },
            origin: other.origin.clone(),
            ..self.clone()
        }
    }

    fn known<T>(&self, value: Option<T>, what: &str) -> Known<Sourced<T>> {
        let value = value.map(|value| self.origin.sourced(value));
        Known::from_option(value, format!("no {what} of {} is known", self.key))
    }
}

/// Offers as a table that can be laid over the built-in one, header and all.
///
/// # Errors
/// When a row cannot be written as CSV.
pub fn offers_table<'a>(offers: impl IntoIterator<Item = &'a Offer>) -> Result<String, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(<Offer as Row>::COLUMNS.iter().chain(&[
        "source",
        "second_source",
        "as_of",
        "evidence",
        "note",
    ]))?;
    for offer in offers {
        let (figures, origin) = (&offer.figures, &offer.origin);
        let price = |price: Option<PerHour>| {
            price.map_or(String::new(), |it| format!("{:#}/h", it.money()))
        };
        let text = |text: &Option<Arc<str>>| text.as_deref().unwrap_or("").to_owned();
        writer.write_record([
            offer.key.provider.to_string(),
            offer.key.instance.to_string(),
            text(&offer.device),
            if offer.devices > 0 { offer.devices.to_string() } else { String::new() },
            figures.vcpus.map_or(String::new(), |count| count.to_string()),
            figures.memory.map_or(String::new(), |memory| format!("{memory:#}")),
            price(figures.on_demand),
            price(figures.spot),
            offer.key.region.to_string(),
            figures.network.map_or(String::new(), |network| format!("{network:#}")),
            origin.source.to_string(),
            text(&origin.second_source),
            origin.as_of.to_string(),
            origin.kind.to_string(),
            text(&origin.note),
        ])?;
    }
    let bytes = writer.into_inner().map_err(|error| csv::Error::from(error.into_error()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

impl Row for Offer {
    type Key = OfferKey;
    const COLUMNS: &'static [&'static str] = &[
        "provider",
        "instance",
        "device",
        "devices",
        "vcpus",
        "memory",
        "on_demand",
        "spot",
        "region",
        "network",
    ];

    fn read(cells: &Cells<'_>) -> Result<Self, CatalogError> {
        let device = cells.text("device");
        let devices = cells.optional("devices")?.unwrap_or(u32::from(device.is_some()));
        if device.is_some() != (devices > 0) {
            return Err(cells.wrong("devices", &"a device and a count above zero go together"));
        }
        Ok(Self {
            key: OfferKey {
                provider: cells.required_text("provider")?,
                instance: cells.required_text("instance")?,
                region: cells.required_text("region")?,
            },
            device,
            devices,
            figures: OfferFigures {
                vcpus: cells.optional("vcpus")?,
                memory: cells.optional("memory")?,
                on_demand: cells.optional("on_demand")?,
                spot: cells.optional("spot")?,
                network: cells.optional("network")?,
            },
            origin: cells.origin()?,
        })
    }

    fn key(&self) -> OfferKey {
        self.key.clone()
    }

    fn label(&self) -> String {
        self.key.to_string()
    }

    fn origin(&self) -> &Origin {
        &self.origin
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Catalog;
    use nearside_units::Duration;

    #[test]
    fn a_price_carries_its_source_and_date() {
        let catalog = Catalog::builtin().unwrap();
        let offer = catalog.offer("aws/g4dn.xlarge@us-east-1").unwrap();
        let price = offer.price(Terms::OnDemand).value().unwrap();
        assert_eq!(price.value.to_string(), "0.526 USD/h");
        assert_eq!(price.basis.as_of.unwrap().to_string(), "2026-07-20");
        let ten_hours = price.value.times(Duration::hours(10.0)).unwrap();
        assert_eq!(ten_hours.to_string(), "5.26 USD");
    }

    #[test]
    fn a_missing_spot_price_is_unknown_not_zero() {
        let catalog = Catalog::builtin().unwrap();
        let spot = catalog.offer("aws/g6.xlarge@us-east-1").unwrap().price(Terms::Spot);
        assert_eq!(spot.why(), Some("no spot price of aws/g6.xlarge@us-east-1 is known"));
    }

    #[test]
    fn european_prices_keep_their_currency() {
        let catalog = Catalog::builtin().unwrap();
        let offer = catalog.offer("ovhcloud/l4-90@GRA11").unwrap();
        assert_eq!(offer.price(Terms::OnDemand).value().unwrap().value.to_string(), "0.750 EUR/h");
    }
}
