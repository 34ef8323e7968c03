//! What a reader of a bill should know beside its figures.

use std::collections::BTreeSet;

use nearside_economics::bill::{DeviceTime, MOST_REMEMBERED, Oddity, Sum};
use nearside_units::{Currency, significant};

use super::view::AmountView;
use crate::wire::bill::ReadBill;

pub(super) fn of(read: &ReadBill) -> Vec<String> {
    let mut remarks = Vec::new();
    for (path, rows) in &read.files {
        if *rows == 0 {
            remarks.push(format!("{} has the names of columns and no rows", path.display()));
        }
    }
    remarks.extend(oddities(read));
    if read.bill.is_beyond_memory() {
        remarks.push(format!(
            "only {MOST_REMEMBERED} rows are remembered to find those that come twice: of later rows \
             some may be counted twice"
        ));
    }
    remarks.extend(without_rate(read).iter().map(|currency| {
        let to = read.rates.currency();
        format!("amounts in {currency} are left out: there is no exchange rate to {to}")
    }));
    remarks.extend(usage(read));
    remarks
}

fn oddities(read: &ReadBill) -> Vec<String> {
    let money = |sum: &Sum| AmountView::of(sum, &read.rates).shown();
    let remark = |(oddity, odd): (Oddity, &nearside_economics::bill::Odd)| {
        let (rows, cost) = (odd.rows, money(&odd.cost));
        let said = match oddity {
            Oddity::Duplicate => format!(
                "{} the same as another in every column and left out ({cost})",
                rows_are(rows, "")
            ),
            Oddity::NegativeUsage => format!(
                "{} below zero and neither credit nor correction ({cost}), counted as it is",
                rows_are(rows, " of usage")
            ),
            Oddity::NoLength => format!(
                "{} over when it begins ({cost}): the cost counts, the time does not",
                rows_are(rows, "")
            ),
            Oddity::Reversed => format!(
                "{} over before it begins ({cost}): the cost counts, the time does not",
                rows_are(rows, "")
            ),
            Oddity::BoughtAhead => format!(
                "{} the purchase of a commitment with an effective cost ({cost}), which is left out: it is in \
                 the rows that it pays for",
                rows_are(rows, "")
            ),
            Oddity::Doubt(doubt) => format!("{} whose {}", counted(rows), doubt.what()),
        };
        format!("{said}, such as \"{}\"", odd.example)
    };
    read.bill.oddities().map(remark).collect()
}

fn usage(read: &ReadBill) -> Vec<String> {
    let mut remarks = Vec::new();
    for (why, rows, example) in read.bill.usage().uncounted() {
        remarks.push(format!(
            "{} on accelerators {}, such as \"{example}\": in no figure of accelerators",
            counted(rows),
            why.what()
        ));
    }
    let time = |of: fn(&nearside_economics::bill::KindUse) -> DeviceTime| {
        let times = read.bill.usage().kinds().map(|(_, used)| of(used));
        times.fold(DeviceTime::ZERO, DeviceTime::plus).as_hours()
    };
    let (spread, all) = (time(|used| used.spread), time(|used| used.device_time));
    if spread > 0.0 {
        remarks.push(format!(
            "{} of {} device-hours are in rows of more than an hour and are spread evenly over them: the \
             hours of use are smoother than they were",
            significant(spread),
            significant(all)
        ));
    }
    remarks
}

/// Currencies of the bill that cannot be converted.
fn without_rate(read: &ReadBill) -> BTreeSet<Currency> {
    let total = read.bill.total();
    let currencies = total.cash.currencies().chain(total.amortised.currencies());
    currencies
        .filter(|currency| read.rates.convert(nearside_units::Money::zero(*currency)).is_err())
        .collect()
}

/// What could be done about it.
pub(super) fn hint(read: &ReadBill, has_project: bool) -> Option<String> {
    let missing = without_rate(read).into_iter().next()?;
    let to = read.rates.currency();
    let rate = format!("[money] rates = {{ {missing} = \"0.92 {to}\" }}");
    Some(match has_project {
        true => format!("give the project a rate: {rate}"),
        false => {
            format!("name a project with a rate: --project PATH, whose nearside.toml has {rate}")
        }
    })
}

fn counted(rows: u64) -> String {
    if rows == 1 { "1 row".to_owned() } else { format!("{rows} rows") }
}

/// As in "3 rows of usage are".
fn rows_are(rows: u64, which: &str) -> String {
    let are = if rows == 1 { "is" } else { "are" };
    format!("{}{which} {are}", counted(rows))
}
