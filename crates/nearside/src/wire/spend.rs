//! What an execution on an own machine cost: electricity, and what use wears off the machine. Each is
//! known by itself; what is not known is left out, never zero.
//!
//! Source of the formulas: `nearside_estimate::ownership`. Quantity times price is exactly the amount,
//! as FOCUS 1.2 wants it, so quantities and prices are rounded before they are multiplied.

use std::sync::Arc;
use std::time::SystemTime;

use nearside_catalog::{Economics, Ownership, Site};
use nearside_estimate::{Calibration, Device, energy, ownership};
use nearside_ledger::{Amount, ChargeCategory, SpendBasis, SpendRow, Timestamp};
use nearside_units::{Duration, Joules, Known, Money, MoneyError, Span};

use super::journal::moment;

/// Decimals of quantities and prices: a billionth of a kilowatt-hour or an hour is less than anybody meters.
const DECIMALS: u32 = 9;

/// An execution.
pub(crate) struct Execution<'a> {
    pub(crate) stage: &'a str,
    pub(crate) began: SystemTime,
    pub(crate) took: Duration,
    /// What the machine used meanwhile and how that is known, where it was measured.
    pub(crate) energy: Option<(Joules, String)>,
    /// What it computed on, where that is estimated.
    pub(crate) device: Option<Device>,
}

/// What an execution cost.
pub(crate) struct Costs {
    pub(crate) electricity: Known<Charge>,
    pub(crate) wear: Known<Charge>,
}

/// One part of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Charge {
    item: &'static str,
    quantity: f64,
    unit: &'static str,
    price: Money,
    amount: Money,
    /// What it is for, and how each part of it is known.
    says: String,
}

impl Costs {
    /// Of an execution on an own machine; nothing on one that is rented.
    pub(crate) fn of(
        execution: &Execution<'_>,
        site: &Site,
        calibration: &Calibration,
    ) -> Option<Self> {
        let Economics::Owned(owned) = &site.economics else { return None };
        Some(Self {
            electricity: electricity(execution, site, owned, calibration),
            wear: wear(execution, owned, calibration),
        })
    }

    /// All of it, where all of it is known.
    pub(crate) fn total(&self) -> Option<Money> {
        let (electricity, wear) = (self.electricity.as_ref().value()?, self.wear.as_ref().value()?);
        electricity.amount.checked_add(wear.amount).ok()
    }

    /// The charges that are known.
    pub(crate) fn charges(self) -> impl Iterator<Item = Charge> {
        let known = |charge| match charge {
            Known::Value(charge) => Some(charge),
            Known::Unknown(_) => None,
        };
        [self.electricity, self.wear].into_iter().filter_map(known)
    }
}

fn electricity(
    execution: &Execution<'_>,
    site: &Site,
    owned: &Ownership,
    calibration: &Calibration,
) -> Known<Charge> {
    let used = used(execution, site, owned, calibration);
    used.zip(owned.tariff.clone()).and_then(|((energy, how), tariff)| {
        let says = |charge: &Charge| {
            let source = &tariff.basis.source;
            format!(
                "electricity of {}: {} kWh ({how}) at {:#}/kWh ({source})",
                execution.stage, charge.quantity, charge.price
            )
        };
        charge("electricity", (energy.as_kwh(), "kWh"), tariff.value.money(), says)
    })
}

/// Energy at the wall, and how it is known: measured, else what the project states the machine to draw.
fn used(
    execution: &Execution<'_>,
    site: &Site,
    owned: &Ownership,
    calibration: &Calibration,
) -> Known<(Joules, String)> {
    if let Some((energy, how)) = &execution.energy {
        return Known::Value((*energy * site.place.pue.value.likely(), how.clone()));
    }
    let device = match (execution.device, &site.machine.accelerators) {
        (Some(device), _) => Known::Value(device),
        (None, None) => Known::Value(Device::Processor),
        (None, Some(_)) => Known::unknown("whether its accelerators worked is not known"),
    };
    owned.load.clone().zip(device).and_then(|(load, device)| {
        let power = energy::power(site, device, 1, calibration);
        let how = format!("modelled from power that {} states", load.basis.source);
        power.map(|power| (power.busy.likely() * execution.took, how))
    })
}

fn wear(execution: &Execution<'_>, owned: &Ownership, calibration: &Calibration) -> Known<Charge> {
    let hour = Span::exact(Duration::hours(1.0));
    let hourly = ownership::wear(owned, hour, calibration);
    hourly.zip(owned.price.clone()).and_then(|(hourly, price)| {
        let (share, used) = (&calibration.machine.wear_share, &calibration.machine.own_use);
        let says = |charge: &Charge| {
            format!(
                "wear of {}: {} h of a machine of {:#} ({}); {} of it wears off in {} of its life \
                 (assumed)",
                execution.stage,
                charge.quantity,
                price.value,
                price.basis.source,
                percent(share.value.likely()),
                percent(used.value.likely())
            )
        };
        charge("wear", (execution.took.as_hours(), "Hours"), hourly.likely(), says)
    })
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

fn charge(
    item: &'static str,
    (quantity, unit): (f64, &'static str),
    price: Money,
    says: impl FnOnce(&Charge) -> String,
) -> Known<Charge> {
    let scale = 10f64.powi(DECIMALS.cast_signed());
    let quantity = (quantity * scale).round() / scale;
    let price = Money::new(price.amount().round_dp(DECIMALS), price.currency());
    match price.scaled(quantity) {
        Ok(amount) => {
            let mut charge = Charge { item, quantity, unit, price, amount, says: String::new() };
            charge.says = says(&charge);
            Known::Value(charge)
        }
        Err(error) => Known::Unknown(reason(&error)),
    }
}

fn reason(error: &MoneyError) -> Arc<str> {
    error.to_string().into()
}

impl Charge {
    /// Its row. The project is the account that is charged, the owner of the machine who charges it,
    /// and the month the billing period.
    pub(crate) fn row(&self, execution: &Execution<'_>, run: &str, project: &str) -> SpendRow {
        let began = moment(execution.began);
        let took = (execution.took.as_seconds() * 1e3).ceil() as u64;
        let end = Timestamp::from_unix_millis(began.unix_millis().saturating_add(took));
        let (from, to) = month(began).unzip();
        let amount = Amount::from(self.amount);
        let owner = || "own machine".to_owned();
        SpendRow {
            run: Some(run.to_owned()),
            basis: SpendBasis::Computed,
            provider: owner(),
            publisher: Some(owner()),
            invoice_issuer: Some(owner()),
            invoice_id: None,
            billing_account_id: Some(project.to_owned()),
            billing_account_name: Some(project.to_owned()),
            billing_period_start: from,
            billing_period_end: to,
            charge_category: ChargeCategory::Usage,
            charge_description: Some(self.says.clone()),
            charge_period_start: began,
            charge_period_end: end.unwrap_or(began),
            service_category: "Compute".to_owned(),
            service_name: "Own machine".to_owned(),
            billed_amount: amount.clone(),
            list_amount: Some(amount.clone()),
            contracted_amount: Some(amount.clone()),
            effective_amount: Some(amount),
            currency: self.price.currency(),
            pricing_quantity: format!("{:.9}", self.quantity).parse().ok(),
            pricing_unit: Some(self.unit.to_owned()),
            pricing_category: Some("Standard".to_owned()),
            list_unit_amount: Some(Amount::from(self.price)),
            region_id: None,
            resource_id: Some(nearside_workload::HERE.to_owned()),
            sku_id: Some(self.item.to_owned()),
        }
    }
}

/// The month of a moment in UTC, its end outside.
fn month(of: Timestamp) -> Option<(Timestamp, Timestamp)> {
    let text = of.to_string();
    let (year, month): (u32, u32) = (text.get(..4)?.parse().ok()?, text.get(5..7)?.parse().ok()?);
    let next = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    let first = |(year, month)| format!("{year:04}-{month:02}-01T00:00:00Z").parse().ok();
    Some((first((year, month))?, first(next)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_month_ends_where_the_next_begins() {
        for (at, from, to) in [
            ("2026-11-23T10:00:00Z", "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z"),
            ("2026-12-31T23:59:59.999Z", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"),
            ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "1970-02-01T00:00:00Z"),
        ] {
            assert_eq!(month(moment(at)), Some((moment(from), moment(to))));
        }
        assert_eq!(month(moment("9999-12-01T00:00:00Z")), None);
    }

    #[test]
    fn quantity_times_price_is_the_amount() {
        let price = "0.3137 EUR".parse().unwrap();
        for quantity in [0.0, 1.234_567_891_23e-6, 0.5, 123.456_789_012_3] {
            let Known::Value(charge) =
                charge("wear", (quantity, "Hours"), price, |_| String::new())
            else {
                panic!("{quantity} is priced");
            };
            let exact = price.scaled(charge.quantity).unwrap();
            assert_eq!(charge.amount, exact);
            assert!((charge.quantity - quantity).abs() <= 0.5e-9, "{quantity}");
            let text = Amount::from(charge.amount).to_string();
            assert!(text.parse::<Amount>().is_ok(), "{text}");
        }
    }
}
