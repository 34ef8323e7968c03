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
    let whole = whole(ownership, time, calibration);
    let parts = electricity(ownership, energy).zip(wear(ownership, time, calibration)).zip(whole);
    parts.and_then(|((electricity, wear), whole)| {
        let cost = || {
            Ok(Cost {
                marginal: electricity.checked_add(wear)?,
                full: electricity.checked_add(whole)?,
            })
        };
        known(cost())
    })
}

/// What the electricity costs: `energy x tariff`.
#[must_use]
pub fn electricity(ownership: &Ownership, energy: Span<Joules>) -> Known<Span<Money>> {
    let tariff = ownership.tariff.as_ref();
    tariff.and_then(|tariff| known(energy.try_map(|energy| tariff.value.times(energy))))
}

/// What use wears off the machine: `hours x price x wear share / hours in use over its life`.
#[must_use]
pub fn wear(
    ownership: &Ownership,
    time: Span<Duration>,
    calibration: &Calibration,
) -> Known<Span<Money>> {
    let (share, used) = (calibration.machine.wear_share.value, in_use(ownership, calibration));
    let price = ownership.price.as_ref();
    price.and_then(|price| known(per_hours(price.value, share, used, time)))
}

/// Purchase and maintenance: `hours x price x (1 + maintenance x years) / hours in use`.
fn whole(
    ownership: &Ownership,
    time: Span<Duration>,
    calibration: &Calibration,
) -> Known<Span<Money>> {
    let years = ownership.life.value.as_hours() / HOURS_PER_YEAR;
    let upkeep = calibration.machine.maintenance.value.map(|share| 1.0 + share * years);
    let (price, used) = (ownership.price.as_ref(), in_use(ownership, calibration));
    price.and_then(|price| known(per_hours(price.value, upkeep, used, time)))
}

/// Hours that it works in its life.
fn in_use(ownership: &Ownership, calibration: &Calibration) -> Span<f64> {
    let life = ownership.life.value.as_hours();
    calibration.machine.own_use.value.map(|share| (share * life).max(1.0))
}

fn known<T>(result: Result<T, MoneyError>) -> Known<T> {
    match result {
        Ok(value) => Known::Value(value),
        Err(error) => Known::unknown(error.to_string()),
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use nearside_units::{Basis, Sourced};

    fn stated<T>(value: T) -> Sourced<T> {
        Sourced::new(value, Basis::assumed("a test"))
    }

    /// A machine of 4000 EUR for four years.
    fn machine() -> Ownership {
        Ownership {
            price: Known::Value(stated("4000 EUR".parse().unwrap())),
            life: stated("4 years".parse().unwrap()),
            tariff: Known::Value(stated("0.30 EUR/kWh".parse().unwrap())),
            load: Known::unknown("not stated"),
            idle: Known::unknown("not stated"),
        }
    }

    fn likely(money: Known<Span<Money>>) -> f64 {
        money.value().unwrap().likely().as_f64()
    }

    #[test]
    fn a_kilowatt_hour_costs_its_tariff_and_an_hour_its_share_of_the_wear() {
        let (energy, hours) = (Joules::constant(7.2e6), Duration::hours(10.0));
        assert!((likely(electricity(&machine(), Span::exact(energy))) - 0.60).abs() < 1e-9);
        // A tenth of the price wears off in the quarter of its life that it works.
        let calibration = Calibration::default();
        let worn = likely(wear(&machine(), Span::exact(hours), &calibration));
        assert!((worn - 10.0 * 400.0 / (HOURS_PER_YEAR * 4.0 / 4.0)).abs() < 1e-6, "{worn}");
        let cost = own_cost(&machine(), Span::exact(energy), Span::exact(hours), &calibration);
        let marginal = cost.value().unwrap().marginal.likely().as_f64();
        assert!((marginal - 0.60 - worn).abs() < 1e-9, "{marginal}");
    }

    #[test]
    fn one_part_can_be_unknown_without_the_other() {
        let unpriced = Ownership { price: Known::unknown("no price"), ..machine() };
        let (energy, time) = (Span::exact(Joules::constant(1.0)), Span::exact(Duration::ZERO));
        let calibration = Calibration::default();
        assert!(electricity(&unpriced, energy).value().is_some());
        assert_eq!(wear(&unpriced, time, &calibration).why(), Some("no price"));
        assert_eq!(own_cost(&unpriced, energy, time, &calibration).why(), Some("no price"));
    }
}
