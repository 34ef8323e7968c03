//! What the catalog knows to buy or rent against a bottleneck: the cheapest that is enough.

use nearside_catalog::{Catalog, Device, Offer, Precision, Terms};
use nearside_probe::verdict::Upgrade;
use nearside_units::{Currency, Known, Money};
use schemars::JsonSchema;
use serde::Serialize;

/// Something that can be bought or rented.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Offered {
    /// What.
    pub(crate) name: String,
    /// Its price with its unit.
    pub(crate) price: String,
    /// Where the price is from.
    pub(crate) source: String,
}

/// The cheapest upgrade that the catalog knows.
pub(crate) fn cheapest(upgrade: &Upgrade, catalog: &Catalog) -> Known<Offered> {
    match upgrade {
        Upgrade::Disk => Known::unknown("the catalog has no prices of disks"),
        Upgrade::Processors(count) => machine(catalog, |offer| {
            let vcpus = offer.vcpus().value();
            vcpus.is_some_and(|vcpus| f64::from(vcpus.value) >= *count)
        }),
        Upgrade::Memory(bytes) => machine(catalog, |offer| {
            let memory = offer.memory().value();
            memory.is_some_and(|memory| memory.value >= *bytes)
        }),
        Upgrade::AcceleratorMemory(name) => device(catalog, name, |device| {
            device.memory().value().map(|memory| memory.value.get() as f64)
        }),
        Upgrade::AcceleratorBandwidth(name) => device(catalog, name, |device| {
            let bandwidth = device.bandwidth().value();
            bandwidth.map(|bandwidth| bandwidth.value.as_bytes_per_second())
        }),
        Upgrade::AcceleratorCompute(name) => device(catalog, name, |device| {
            let peak = device.best_peak(Precision::Fp16).value();
            peak.map(|peak| peak.value.as_flops_per_second())
        }),
    }
}

/// The cheapest machine without an accelerator that is enough, on demand.
fn machine(catalog: &Catalog, is_enough: impl Fn(&Offer) -> bool) -> Known<Offered> {
    let offers = catalog.offers().filter(|offer| offer.device.is_none() && is_enough(offer));
    let priced = offers.filter_map(|offer| {
        let price = offer.price(Terms::OnDemand).value()?;
        let name = format!("{} in {}", offer.key.instance, offer.key.region);
        let offered = Offered {
            name,
            price: price.value.to_string(),
            source: price.basis.source.to_string(),
        };
        Some((price.value.money(), offered))
    });
    cheapest_of(priced, "no machine of the catalog is large enough")
}

/// The cheapest device that has more than this one.
fn device(
    catalog: &Catalog,
    name: &str,
    figure: impl Fn(&Device) -> Option<f64>,
) -> Known<Offered> {
    let Some(least) = catalog.device(name).ok().and_then(&figure) else {
        return Known::unknown(format!("the catalog does not know {name}"));
    };
    let more = catalog.devices().filter(|device| figure(device).is_some_and(|has| has > least));
    let priced = more.filter_map(|device| {
        let price = device.list_price().value()?;
        let offered = Offered {
            name: device.title.to_string(),
            price: price.value.to_string(),
            source: price.basis.source.to_string(),
        };
        Some((price.value, offered))
    });
    cheapest_of(priced, &format!("no price of a device with more than {name} is known"))
}

/// The cheapest of those that are priced in dollars, which most are: without rates, prices in other
/// currencies cannot be compared with them.
fn cheapest_of(priced: impl Iterator<Item = (Money, Offered)>, none: &str) -> Known<Offered> {
    let comparable = priced.filter(|(price, _)| price.currency() == Currency::USD);
    let cheapest = comparable.min_by_key(|(price, _)| price.amount());
    Known::from_option(cheapest.map(|(_, offered)| offered), none)
}

#[cfg(test)]
mod tests {
    use nearside_units::Bytes;

    use super::*;

    fn builtin() -> Catalog {
        Catalog::builtin().expect("the built-in catalog")
    }

    #[test]
    fn the_cheapest_machine_is_large_enough() {
        let catalog = builtin();
        let found = cheapest(&Upgrade::Processors(8.0), &catalog).value().expect("an offer");
        assert!(found.price.contains("/h"), "{found:?}");
        let larger = cheapest(&Upgrade::Memory(Bytes::gib(10_000_000)), &catalog);
        assert_eq!(larger.why(), Some("no machine of the catalog is large enough"));
    }

    #[test]
    fn a_device_with_more_memory() {
        let found = cheapest(&Upgrade::AcceleratorMemory("Tesla T4".to_owned()), &builtin());
        let found = found.value().expect("a device");
        assert_ne!(found.name, "NVIDIA Tesla T4");
        let unknown = cheapest(&Upgrade::AcceleratorCompute("abacus".to_owned()), &builtin());
        assert_eq!(unknown.why(), Some("the catalog does not know abacus"));
    }
}
