//! Price lists that providers publish, read as they come: nothing is kept of them but the machines that the
//! catalog can say something about.
//!
//! A list says what an hour costs; which accelerator a machine has is known from offers that are there
//! already. A machine with an accelerator that no offer tells of is left out and named.

mod aws;
mod azure;

use std::collections::BTreeMap;
use std::sync::Arc;

use nearside_units::{Bytes, Date, Kind, PerHour};

use crate::offer::OfferFigures;
use crate::{Catalog, Offer, OfferKey, Origin, RowPlace, Terms};

/// What a price list says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PriceList {
    /// Offers, one for each machine and region.
    pub offers: Vec<Offer>,
    /// Machines that were left out, and why.
    pub left_out: BTreeMap<String, String>,
    /// Where the rest of the list is.
    pub next: Option<String>,
}

/// A price list that is being read.
#[derive(Clone, Copy, Debug)]
pub struct ListFile<'a> {
    /// Its name for people: a file or an address.
    pub name: &'a str,
    /// The day of its prices where it does not say.
    pub as_of: Date,
}

/// What a machine is, whichever region it stands in.
struct Known {
    device: Option<Arc<str>>,
    devices: u32,
    figures: OfferFigures,
}

/// Machines of a provider by their names.
struct Machines(BTreeMap<Arc<str>, Known>);

impl Machines {
    fn of(catalog: &Catalog, provider: &str) -> Self {
        let offers = catalog.offers().filter(|offer| &*offer.key.provider == provider);
        let known = |offer: &Offer| Known {
            device: offer.device.clone(),
            devices: offer.devices,
            figures: OfferFigures { on_demand: None, spot: None, ..offer.figures.clone() },
        };
        Self(offers.map(|offer| (Arc::clone(&offer.key.instance), known(offer))).collect())
    }

    fn has(&self, instance: &str) -> bool {
        self.0.contains_key(instance)
    }
}

/// An hour of a machine somewhere.
struct Hour<'a> {
    provider: &'a str,
    instance: &'a str,
    region: &'a str,
    terms: Terms,
    price: PerHour,
    vcpus: Option<u32>,
    memory: Option<Bytes>,
}

/// Offers that are put together.
#[derive(Default)]
struct Offers(BTreeMap<OfferKey, Offer>);

impl Offers {
    /// Puts the price of an hour in; of two prices for the same the lower one stays.
    fn add(&mut self, hour: &Hour<'_>, machines: &Machines, file: &ListFile<'_>, day: Date) {
        let Some(known) = machines.0.get(hour.instance) else { return };
        let key = OfferKey {
            provider: hour.provider.into(),
            instance: hour.instance.into(),
            region: hour.region.into(),
        };
        let offer = self.0.entry(key.clone()).or_insert_with(|| Offer {
            key,
            device: known.device.clone(),
            devices: known.devices,
            figures: OfferFigures {
                vcpus: hour.vcpus.or(known.figures.vcpus),
                memory: hour.memory.or(known.figures.memory),
                ..known.figures.clone()
            },
            origin: Origin {
                source: format!("price list {}", file.name).into(),
                second_source: None,
                as_of: day,
                kind: Kind::Published,
                note: None,
                place: RowPlace { file: file.name.into(), line: 0 },
            },
        });
        let price = match hour.terms {
            Terms::OnDemand => &mut offer.figures.on_demand,
            Terms::Spot => &mut offer.figures.spot,
        };
        let lower = price.is_none_or(|known| hour.price < known);
        if lower {
            *price = Some(hour.price);
        }
    }

    fn into_list(self, left_out: BTreeMap<String, String>) -> PriceList {
        PriceList { offers: self.0.into_values().collect(), left_out, next: None }
    }
}
