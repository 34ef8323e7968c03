//! What a machine of one's own would have done of cloud bills, as the question whether it pays.

use std::path::PathBuf;
use std::sync::Arc;

use nearside_catalog::{Accelerators, Catalog};
use nearside_economics::bill::{Capacity, absorbed};
use nearside_economics::{Case, Given, Input};
use nearside_units::{Basis, ExchangeRates, HOURS_PER_MONTH, Kind, Known, Span, significant};

use super::bill;
use super::roi::{Question, per_month};
use crate::error::{CommandError, Fault};

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
    let (speeds, mut notes) = bill::speeds(&machine.device, usage, None, catalog);
    let speeds = speeds.into_iter().map(|(far, known)| (far, known.speed)).collect();
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
    let (hours, short) = per_month(busy, there, "what is billed");
    notes.extend(short);
    if let Some(share) = found.share() {
        notes.push(format!(
            "the machine would have done {:.0} % of the accelerators' time in {} months; {} hours of the \
             calendar had more than it can do, which stays rented",
            share * 100.0,
            significant(there / HOURS_PER_MONTH),
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
    near.insert("hours", input(hours));
    near.insert(
        "devices",
        Input { span: Span::exact(count), basis: Basis::derived("the machine") },
    );
    // Hours are those of the own machine already.
    let far = Given::from([("price", input(price)), ("speed", input(1.0))]);
    let far = vec![(Arc::from(BILL), far)];
    Ok(Known::Value(Question { case: Case { near, far }, notes }))
}
