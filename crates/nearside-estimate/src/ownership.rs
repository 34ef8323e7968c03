//! What an hour of an own machine costs: marginally (electricity and wear), which decides where a
//! stage runs tomorrow, and in full (purchase and maintenance spread over use), which decides
//! whether to own it.

use nearside_catalog::Ownership;
use nearside_units::{Duration, HOURS_PER_YEAR, Joules, Known, Money, MoneyError, Span};

use crate::calibration::Calibration;
use crate::estimate::Cost;

/// Cost of using an own machine for so long and so much energy.
///
/// Marginal: `energy x tariff + hours x price x wear share / hours in use over its life`.
/// Full: `energy x tariff + hours x price x (1 + maintenance x years) / hours in use`.
#[must_use]
pub fn own_cost(
    ownership: &Ownership,
    energy: Span<Joules>,
    time: Span<Duration>,
    calibration: &Calibration,
) -> Known<Cost> {
    let tariff = ownership.tariff.as_ref().map(|tariff| tariff.value);
    let price = ownership.price.as_ref().map(|price| price.value);
    let priced = tariff.zip(price).map(|(tariff, price)| {
        let electricity = energy.try_map(|energy| tariff.times(energy))?;
        let life = ownership.life.value.as_hours();
        let used = calibration.machine.own_use.value.map(|share| (share * life).max(1.0));
        let years = life / HOURS_PER_YEAR;
        let wear = calibration.machine.wear_share.value;
        let upkeep = calibration.machine.maintenance.value.map(|share| 1.0 + share * years);
        let marginal = per_hours(price, wear, used, time)?;
        let full = per_hours(price, upkeep, used, time)?;
        Ok(Cost {
            marginal: electricity.checked_add(marginal)?,
            full: electricity.checked_add(full)?,
        })
    });
    priced.and_then(|cost: Result<Cost, MoneyError>| match cost {
        Ok(cost) => Known::Value(cost),
        Err(error) => Known::unknown(error.to_string()),
    })
}

/// `price x share x time / hours in use`; longer use makes an hour cheaper.
fn per_hours(
    price: Money,
    share: Span<f64>,
    used: Span<f64>,
    time: Span<Duration>,
) -> Result<Span<Money>, MoneyError> {
    let factor = share
        .combine(time, |share, time| share * time.as_hours())
        .combine_inverse(used, |hours, used| hours / used);
    factor.try_map(|factor| price.scaled(factor))
}
