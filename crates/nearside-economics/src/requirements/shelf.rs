//! What there is to buy, in one currency: parts, and machines that are sold as a whole.

use std::collections::BTreeSet;
use std::sync::Arc;

use nearside_catalog::{
    Accelerators, Catalog, Condition, DeviceKind, Form, Part, PartKind, System,
};
use nearside_units::{ExchangeRates, Known, Money, Sourced};

use super::need::Needs;

/// Accelerators that a machine may have, and what every piece of work needs with them.
#[derive(Clone, Debug, PartialEq)]
pub struct Compute {
    /// The accelerators; `None` for a machine without.
    pub accelerators: Option<Accelerators>,
    /// How they are bought.
    pub seller: Seller,
    /// What each piece of work needs, in the order of the question.
    pub needs: Vec<Needs>,
}

/// How accelerators are bought.
#[derive(Clone, Debug, PartialEq)]
pub enum Seller {
    /// Not at all.
    Nobody,
    /// As cards, to be put into a machine.
    Card {
        /// The name for people.
        title: Arc<str>,
        /// Whether somebody had it before.
        condition: Condition,
        /// The price of one.
        price: Known<Sourced<Money>>,
    },
    /// With a machine around them, and the machine's price.
    System(Box<System>, Known<Sourced<Money>>),
}

impl Seller {
    /// Whether what is sold has a price.
    #[must_use]
    pub const fn is_priced(&self) -> bool {
        match self {
            Self::Nobody => true,
            Self::Card { price, .. } | Self::System(_, price) => matches!(price, Known::Value(_)),
        }
    }
}

/// Parts with their prices in one currency.
#[derive(Clone, Debug, PartialEq)]
pub struct Shelf {
    /// Every part but cards.
    pub parts: Vec<(Part, Known<Sourced<Money>>)>,
    /// Accelerators as cards or in systems, without what work needs of them.
    pub sellers: Vec<(Option<Accelerators>, Seller)>,
    rates: ExchangeRates,
}

/// How many cards a machine is tried with: boards for more are not on the shelf.
const CARDS: [u32; 2] = [1, 2];

impl Shelf {
    /// What a catalog has of parts in these conditions, in the currency of `rates`.
    #[must_use]
    pub fn of(catalog: &Catalog, conditions: &[Condition], rates: &ExchangeRates) -> Self {
        let parts = catalog.parts().filter(|part| conditions.contains(&part.condition));
        let parts = parts.filter(|part| !matches!(part.kind, PartKind::Card { .. }));
        let parts = parts.map(|part| (part.clone(), converted(part.price(), rates))).collect();
        let mut sellers = vec![(None, Seller::Nobody)];
        sellers.extend(cards(catalog, conditions, rates));
        let systems = catalog.systems().filter(|system| conditions.contains(&system.condition));
        sellers.extend(systems.filter_map(|system| {
            let device = Arc::new(catalog.device(&system.device).ok()?.clone());
            let price = converted(system.price(), rates);
            let accelerators = Accelerators { device, count: system.devices };
            Some((Some(accelerators), Seller::System(Box::new(system.clone()), price)))
        }));
        Self { parts, sellers, rates: rates.clone() }
    }

    /// The numbers of cores that machines of this shelf have, the fewest first.
    #[must_use]
    pub fn cores(&self) -> Vec<u32> {
        let processors = self.parts.iter().filter_map(|(part, _)| match part.kind {
            PartKind::Processor { cores, .. } => Some(cores),
            _ => None,
        });
        let systems = self.sellers.iter().filter_map(|(_, seller)| match seller {
            Seller::System(system, _) => Some(system.cores),
            _ => None,
        });
        processors.chain(systems).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// What its prices are in.
    #[must_use]
    pub const fn currency(&self) -> nearside_units::Currency {
        self.rates.currency()
    }

    /// Only with what is accepted.
    pub fn retain(&mut self, accepted: impl Fn(Option<&Accelerators>, &Seller) -> bool) {
        self.sellers.retain(|(accelerators, seller)| accepted(accelerators.as_ref(), seller));
    }
}

/// Every card that a machine can be built around: those with a price on the shelf, and those of the
/// catalog for which none is known, unless the maker's list price is.
fn cards<'a>(
    catalog: &'a Catalog,
    conditions: &'a [Condition],
    rates: &'a ExchangeRates,
) -> impl Iterator<Item = (Option<Accelerators>, Seller)> + 'a {
    let offered = |device: &Arc<str>| {
        catalog
            .parts()
            .filter(|part| match &part.kind {
                PartKind::Card { device: card } => card == device,
                _ => false,
            })
            .cloned()
            .collect::<Vec<_>>()
    };
    let card = |device: &nearside_catalog::Device| {
        device.kind == DeviceKind::Gpu
            && device.bus.as_deref().is_some_and(|bus| bus.starts_with("PCIe"))
            && device.form == Form::Slot
    };
    catalog.devices().filter(move |device| card(device)).flat_map(move |device| {
        let accelerators = Arc::new(device.clone());
        let sold: Vec<_> = offered(&device.name);
        let mut sellers: Vec<Seller> = sold
            .iter()
            .filter(|part| conditions.contains(&part.condition))
            .map(|part| Seller::Card {
                title: Arc::clone(&part.title),
                condition: part.condition,
                price: converted(part.price(), rates),
            })
            .collect();
        if sold.is_empty() && conditions.contains(&Condition::New) {
            sellers.push(Seller::Card {
                title: Arc::clone(&device.title),
                condition: Condition::New,
                price: converted(device.list_price(), rates),
            });
        }
        let counted = move |seller: Seller| {
            let accelerators = Arc::clone(&accelerators);
            CARDS.map(|count| {
                let device = Arc::clone(&accelerators);
                (Some(Accelerators { device, count }), seller.clone())
            })
        };
        sellers.into_iter().flat_map(counted)
    })
}

fn converted(price: Known<Sourced<Money>>, rates: &ExchangeRates) -> Known<Sourced<Money>> {
    price.and_then(|price| match rates.convert(price.value) {
        Ok(value) => Known::Value(Sourced::new(value, price.basis)),
        Err(error) => Known::unknown(error.to_string()),
    })
}
