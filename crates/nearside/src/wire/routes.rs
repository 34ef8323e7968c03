//! What moving data between two locations costs, takes and emits.

use std::collections::BTreeMap;
use std::sync::Arc;

use nearside_catalog::{Catalog, Reach, Region, Site, TieredPrice};
use nearside_plan::{Micros, Milligrams, Milliseconds, Rates, Route, Routes};
use nearside_units::{BytesPerSecond, ExchangeRates, Known, Money, Sourced};

use crate::error::{CommandError, Fault};

/// Dearest internet egress that any provider in the catalog publishes for Europe or North America
/// (Google Cloud, premium tier): taken, and said, where a provider publishes none.
const DEAREST_EGRESS_USD: &str = "0.12 USD";
/// Electricity of moving a gigabyte: 0.06 kWh in 2015, halving about every two years (Aslan et al.
/// 2018, Journal of Industrial Ecology 22(4)), so some 0.002 by now; times the world's grid.
const MILLIGRAMS_PER_GB: u64 = 1_000;

/// A location and how data reaches it.
pub(crate) struct Location<'a> {
    pub(crate) name: Arc<str>,
    reach: Reach,
    region: Option<&'a Region>,
    ours: bool,
}

/// The distinct locations of sites, in order of their names.
pub(crate) fn locations<'a>(
    sites: &[Site],
    catalog: &'a Catalog,
) -> Result<Vec<Location<'a>>, CommandError> {
    let mut found: BTreeMap<Arc<str>, Location<'a>> = BTreeMap::new();
    for site in sites {
        let name = &site.place.location;
        let region = match &site.place.region {
            Some((provider, region)) => Some(catalog.region(provider, region)?),
            None => None,
        };
        let fastest = |known: &Reach, other: &Reach| known.uplink.value >= other.uplink.value;
        match found.get(name) {
            Some(known) if fastest(&known.reach, &site.reach) => {}
            _ => {
                let location = Location {
                    name: Arc::clone(name),
                    reach: site.reach.clone(),
                    region,
                    ours: site.is_near(),
                };
                found.insert(Arc::clone(name), location);
            }
        }
    }
    Ok(found.into_values().collect())
}

/// The table of routes, and notes on what had to be assumed.
pub(crate) fn routes(
    locations: &[Location<'_>],
    catalog: &Catalog,
    rates: &ExchangeRates,
) -> Result<(Routes, Vec<String>), CommandError> {
    let mut notes = Vec::new();
    let mut table = Vec::with_capacity(locations.len() * locations.len());
    for from in locations {
        for to in locations {
            let cost = price(from, to, catalog, rates, &mut notes)?;
            table.push(Route::Open(Rates {
                cost_per_gb: cost,
                carbon_per_gb: Known::Value(Milligrams::new(MILLIGRAMS_PER_GB)),
                time_per_gb: Known::Value(time(from, to)),
                latency: Milliseconds::new(1_000),
            }));
        }
    }
    let routes = Routes::new(locations.len(), table)
        .map_err(|error| CommandError::new(Fault::Bug, error.to_string()))?;
    notes.sort();
    notes.dedup();
    Ok((routes, notes))
}

/// Milliseconds of a gigabyte through the narrower end.
fn time(from: &Location<'_>, to: &Location<'_>) -> Milliseconds {
    let (up, down) = (from.reach.uplink.value, to.reach.downlink.value);
    let narrow: BytesPerSecond = if up < down { up } else { down };
    let milliseconds = (1e12 / narrow.as_bytes_per_second()).ceil();
    Milliseconds::new(milliseconds as u64)
}

/// Price of a gigabyte: what the sender's provider asks for letting it out; letting it in is free
/// everywhere in the catalog. Free allowances are not counted: they may be used up by others.
fn price(
    from: &Location<'_>,
    to: &Location<'_>,
    catalog: &Catalog,
    rates: &ExchangeRates,
    notes: &mut Vec<String>,
) -> Result<Known<Micros>, CommandError> {
    if from.ours {
        return Ok(Known::Value(Micros::ZERO));
    }
    let sent = match (from.region, to.region) {
        (None, _) => Known::unknown("nobody says what it asks"),
        (Some(sender), Some(receiver)) if receiver.provider == sender.provider => {
            match catalog.between(sender, receiver) {
                Known::Value(price) => Known::Value(price),
                Known::Unknown(_) => catalog.egress(sender),
            }
        }
        (Some(sender), _) => catalog.egress(sender),
    };
    let provider = from.region.map_or(&from.name, |region| &region.provider);
    let dearest = || DEAREST_EGRESS_USD.parse::<Money>().ok();
    let per_gb = match sent {
        Known::Value(price) => paid(&price),
        Known::Unknown(_) => {
            notes.push(format!(
                "{provider} publishes no price for sending data out: {DEAREST_EGRESS_USD}/GB is \
                 assumed, the dearest in the catalog"
            ));
            dearest()
        }
    };
    let Some(per_gb) = per_gb else { return Ok(Known::Value(Micros::ZERO)) };
    let converted = rates
        .convert(per_gb)
        .map_err(|error| CommandError::new(Fault::Input, error.to_string()))?;
    let micros = u64::try_from(converted.as_micros()).ok().map(Micros::new);
    Ok(Known::from_option(micros, format!("the price of sending data out is {converted}")))
}

/// The first tier that costs something.
fn paid(price: &Sourced<TieredPrice>) -> Option<Money> {
    let prices = price.value.tiers.iter().map(|tier| tier.price.money());
    prices.into_iter().find(|money| money.as_micros() > 0)
}
