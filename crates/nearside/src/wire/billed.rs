//! What a machine of one's own would have done of cloud bills, as the question whether it pays.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use nearside_catalog::{Accelerators, Catalog};
use nearside_economics::bill::{Capacity, absorbed};
use nearside_economics::{Case, Given, Input};
use nearside_units::{Basis, ExchangeRates, HOURS_PER_MONTH, Kind, Known, Span, significant};

use super::bill;
use super::roi::Question;
use crate::error::{CommandError, Fault};

/// A shorter time says little about a month: a week.
const LEAST_HOURS: f64 = 7.0 * 24.0;
/// The name of the alternative.
const BILL: &str = "the bill";

/// Hours that it would have worked a month, and what they cost in the cloud; not known, with the reason,
/// where it would have done nothing.
pub(crate) fn of_bills(
    files: &[PathBuf],
    machine: &Accelerators,
    near: Given,
    exchange: &ExchangeRates,
    catalog: &Catalog,
) -> Result<Known<Question>, CommandError> {
    let read = bill::read(files, catalog, Some(exchange))?;
    let usage = read.bill.usage();
    let Some(span) = read.bill.span().filter(|_| usage.kinds().next().is_some()) else {
        return Ok(Known::unknown("the bill shows no time on accelerators"));
    };
    let (mut speeds, mut notes) = (BTreeMap::new(), Vec::new());
    for (kind, _) in usage.kinds() {
        let Ok(far) = catalog.device(&kind.device) else { continue };
        match bill::speed(&machine.device, far) {
            Known::Value(known) => {
                speeds.insert(Arc::clone(&kind.device), known.speed);
            }
            Known::Unknown(why) => notes.push(format!("work on {} stays far: {why}", kind.device)),
        }
    }
    let capacity = Capacity { devices: machine.count, speeds, delay_hours: 0, span };
    let found = absorbed(usage, &capacity, &read.rates)
        .map_err(|error| CommandError::new(Fault::Input, error.to_string()))?;
    let count = f64::from(machine.count);
    let (busy, there) = (found.busy.as_hours() / count, found.there.as_hours() / count);
    if busy <= 0.0 {
        return Ok(Known::unknown("the machine would have done nothing of what the bill shows"));
    }
    let missing = &found.amortised.missing;
    if let Some(why) = missing.first() {
        return Ok(Known::unknown(format!("what the accelerators cost is not known: {why}")));
    }
    let price = found.amortised.total.as_f64() / busy;
    if price <= 0.0 {
        return Ok(Known::unknown("by the bill the accelerators cost nothing, or less"));
    }
    let months = there.max(LEAST_HOURS) / HOURS_PER_MONTH;
    if there < LEAST_HOURS {
        notes.push(format!(
            "the bills have {} hours: a week is taken, which says little about a month",
            significant(there)
        ));
    }
    if let Some(share) = found.share() {
        notes.push(format!(
            "the machine would have done {:.0} % of the accelerators' time in {} months; {} hours of the \
             calendar had more than it can do, which stays rented",
            share * 100.0,
            significant(months),
            found.hours_far
        ));
    }
    let basis = || Basis {
        kind: Kind::Measured,
        source: format!("{} files of bills, amortised", read.files.len()).into(),
        as_of: None,
    };
    let input = |value: f64| Input { span: Span::exact(value), basis: basis() };
    let mut near = near;
    near.insert("hours", input(busy / months));
    near.insert(
        "devices",
        Input { span: Span::exact(count), basis: Basis::derived("the machine") },
    );
    let far = vec![(Arc::from(BILL), Given::from([("price", input(price))]))];
    Ok(Known::Value(Question { case: Case { near, far }, notes }))
}
