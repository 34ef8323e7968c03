//! What is doubtful in the tables: the questions `nearside catalog check` asks of every row.

use std::fmt;
use std::sync::Arc;

use nearside_units::{Bytes, Date, Money};

use crate::table::{Row, Table};
use crate::{Catalog, Device, Offer, Origin, PartKind, Precision, PriceRow, RowPlace, Terms};

/// Devices with more arithmetic than this per byte of bandwidth, or less, are probably mistyped.
const OPERATIONS_PER_BYTE: std::ops::RangeInclusive<f64> = 1.0..=2000.0;
/// Power of one device, in watts.
const DEVICE_WATTS: std::ops::RangeInclusive<f64> = 5.0..=3000.0;
/// Price of one device for an hour, in any of the currencies we meet.
const DEVICE_PRICE: std::ops::RangeInclusive<f64> = 0.01..=30.0;
/// Memory of one device.
const DEVICE_MEMORY: std::ops::RangeInclusive<Bytes> = Bytes::gib(1)..=Bytes::gib(1024);
/// Grid intensity, in grams per kilowatt-hour.
const INTENSITY: std::ops::RangeInclusive<f64> = 0.1..=1500.0;

/// What is doubtful about a row.
#[derive(Clone, Debug, PartialEq)]
pub enum Problem {
    /// Only one source says so.
    NoSecondSource,
    /// Older than was asked for.
    Old {
        /// Its date.
        as_of: Date,
        /// Days since then.
        days: i64,
    },
    /// The offer's device is not in the table of devices.
    UnknownDevice {
        /// Its name.
        name: Arc<str>,
    },
    /// The offer's region is not in the table of regions.
    UnknownRegion,
    /// Another row of the same file has the same key.
    DuplicateKey,
    /// A price below zero.
    NegativePrice,
    /// A figure that no such thing has.
    Implausible {
        /// Which, and what it is.
        what: String,
    },
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSecondSource => formatter.write_str("has one source only"),
            Self::Old { as_of, days } => write!(formatter, "is {days} days old ({as_of})"),
            Self::UnknownDevice { name } => write!(formatter, "has an unknown device \"{name}\""),
            Self::UnknownRegion => formatter.write_str("has an unknown region"),
            Self::DuplicateKey => formatter.write_str("is written twice"),
            Self::NegativePrice => formatter.write_str("has a price below zero"),
            Self::Implausible { what } => write!(formatter, "is implausible: {what}"),
        }
    }
}

/// A doubt about a row.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Where the row is written.
    pub place: RowPlace,
    /// The row's key for people.
    pub row: String,
    /// What is doubtful.
    pub problem: Problem,
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {} {}", self.place, self.row, self.problem)
    }
}

impl Catalog {
    /// Everything that is doubtful, by file and line. Rows are old when their date lies more than
    /// `max_days` before `today`.
    #[must_use]
    pub fn check(&self, today: Date, max_days: i64) -> Vec<Finding> {
        let age = Age { today, max_days };
        let mut findings = self.doubts(age);
        for device in self.devices() {
            add(&mut findings, device, implausible_device(device));
        }
        for offer in self.offers() {
            add(&mut findings, offer, self.unknown_names(offer));
            add(&mut findings, offer, implausible_offer(offer));
        }
        for grid in self.grids.rows.values() {
            let grams = grid.intensity.as_grams_per_kwh();
            add(&mut findings, grid, outside("g/kWh", grams, &INTENSITY));
        }
        for row in self.network.rows.values() {
            add(&mut findings, row, negative_row(&row.0));
        }
        for row in self.storage.rows.values() {
            add(&mut findings, row, negative_row(&row.0));
        }
        for part in self.parts() {
            let named = match &part.kind {
                PartKind::Card { device } => Some(device),
                _ => None,
            };
            add(&mut findings, part, self.unknown_device(named));
            add(&mut findings, part, negative(part.price().value().map(|price| price.value)));
        }
        for system in self.systems() {
            add(&mut findings, system, self.unknown_device(Some(&system.device)));
            add(&mut findings, system, negative(system.price().value().map(|price| price.value)));
        }
        findings.sort_by(|left, right| left.place.cmp(&right.place));
        findings
    }

    /// What can be asked of any row: second source, age, key.
    fn doubts(&self, age: Age) -> Vec<Finding> {
        let mut findings = Vec::new();
        age.of_table(&self.devices, &mut findings);
        age.of_table(&self.offers, &mut findings);
        age.of_table(&self.regions, &mut findings);
        age.of_table(&self.grids, &mut findings);
        age.of_table(&self.network, &mut findings);
        age.of_table(&self.storage, &mut findings);
        age.of_table(&self.reliability, &mut findings);
        age.of_table(&self.embodied, &mut findings);
        age.of_table(&self.parts, &mut findings);
        age.of_table(&self.systems, &mut findings);
        age.of_table(&self.base_images, &mut findings);
        age.of_table(&self.compatibility, &mut findings);
        findings
    }

    fn unknown_names(&self, offer: &Offer) -> Vec<Problem> {
        let region = (Arc::clone(&offer.key.provider), Arc::clone(&offer.key.region));
        let region = (!self.regions.rows.contains_key(&region)).then_some(Problem::UnknownRegion);
        self.unknown_device(offer.device.as_ref()).into_iter().chain(region).collect()
    }

    fn unknown_device(&self, name: Option<&Arc<str>>) -> Vec<Problem> {
        let unknown = name.filter(|name| !self.devices.rows.contains_key(*name));
        let problem = unknown.map(|name| Problem::UnknownDevice { name: Arc::clone(name) });
        Vec::from_iter(problem)
    }
}

/// When a row is old.
#[derive(Clone, Copy, Debug)]
struct Age {
    today: Date,
    max_days: i64,
}

impl Age {
    fn of_table<R: Row>(self, table: &Table<R>, findings: &mut Vec<Finding>) {
        for row in table.rows.values() {
            add(findings, row, self.of_origin(row.origin()));
        }
        findings.extend(table.duplicates.iter().map(|duplicate| Finding {
            place: duplicate.place.clone(),
            row: duplicate.label.clone(),
            problem: Problem::DuplicateKey,
        }));
    }

    fn of_origin(self, origin: &Origin) -> Vec<Problem> {
        let days = origin.as_of.days_until(self.today);
        let old = (days > self.max_days).then_some(Problem::Old { as_of: origin.as_of, days });
        let alone = origin.second_source.is_none().then_some(Problem::NoSecondSource);
        alone.into_iter().chain(old).collect()
    }
}

fn add<R: Row>(findings: &mut Vec<Finding>, row: &R, problems: Vec<Problem>) {
    findings.extend(problems.into_iter().map(|problem| Finding {
        place: row.origin().place.clone(),
        row: row.label(),
        problem,
    }));
}

fn outside(what: &str, value: f64, range: &std::ops::RangeInclusive<f64>) -> Vec<Problem> {
    match range.contains(&value) {
        true => Vec::new(),
        false => vec![Problem::Implausible { what: format!("{value} {what}") }],
    }
}

fn negative(money: Option<Money>) -> Vec<Problem> {
    let below = money.is_some_and(|money| money.amount().is_sign_negative());
    Vec::from_iter(below.then_some(Problem::NegativePrice))
}

fn negative_row(row: &PriceRow) -> Vec<Problem> {
    negative(row.price().value().map(|price| price.value.money()))
}

fn implausible_device(device: &Device) -> Vec<Problem> {
    let mut problems = Vec::new();
    if let Some(power) = device.power().value() {
        problems.extend(outside("W", power.value.as_watts(), &DEVICE_WATTS));
    }
    let memory = device.memory().value().map(|memory| memory.value);
    if let Some(memory) = memory.filter(|memory| !DEVICE_MEMORY.contains(memory)) {
        problems.push(Problem::Implausible { what: format!("{memory} of memory") });
    }
    let peak = device.best_peak(Precision::Bf16).value();
    if let (Some(peak), Some(bandwidth)) = (peak, device.bandwidth().value()) {
        let ratio = peak.value.as_flops_per_second() / bandwidth.value.as_bytes_per_second();
        problems.extend(outside("operations per byte", ratio, &OPERATIONS_PER_BYTE));
    }
    problems
}

fn implausible_offer(offer: &Offer) -> Vec<Problem> {
    let mut problems = Vec::new();
    for terms in [Terms::OnDemand, Terms::Spot] {
        let Some(price) = offer.price(terms).value() else { continue };
        problems.extend(negative(Some(price.value.money())));
        if offer.devices > 0 {
            let each = price.value.money().as_f64() / f64::from(offer.devices);
            problems.extend(outside("per device and hour", each, &DEVICE_PRICE));
        }
    }
    let [demand, spot] = [Terms::OnDemand, Terms::Spot].map(|terms| offer.price(terms).value());
    if let (Some(demand), Some(spot)) = (demand, spot)
        && spot.value > demand.value
    {
        problems.push(Problem::Implausible { what: "spot costs more than on demand".to_owned() });
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Overlay;

    fn today() -> Date {
        "2026-11-23".parse().unwrap()
    }

    fn problems(file: &str, text: &str) -> Vec<Problem> {
        let overlay = Overlay::new(file, text, today());
        let catalog = Catalog::builtin().unwrap().with_overlay(&overlay).unwrap();
        let findings = catalog.check(today(), i64::MAX);
        let ours = findings.into_iter().filter(|finding| &*finding.place.file == file);
        ours.map(|finding| finding.problem).filter(|it| *it != Problem::NoSecondSource).collect()
    }

    #[test]
    fn the_built_in_tables_have_only_doubts_of_age_and_second_source() {
        let findings = Catalog::builtin().unwrap().check(today(), 365);
        let worse = findings.iter().filter(|finding| {
            !matches!(finding.problem, Problem::NoSecondSource | Problem::Old { .. })
        });
        let worse: Vec<_> = worse.map(ToString::to_string).collect();
        assert!(worse.is_empty(), "{}", worse.join("\n"));
        assert!(findings.iter().any(|finding| matches!(finding.problem, Problem::Old { .. })));
    }

    #[test]
    fn unknown_names_are_found() {
        let text = "provider,instance,region,device,devices\nacme,x,moon,warp-9,2\n";
        let found = problems("offers.csv", text);
        let expected = [Problem::UnknownDevice { name: "warp-9".into() }, Problem::UnknownRegion];
        assert_eq!(found, expected);
    }

    #[test]
    fn impossible_prices_are_found() {
        let text = "provider,instance,region,on_demand,spot\n\
                    aws,a,us-east-1,-1 USD/h,\naws,b,us-east-1,1 USD/h,2 USD/h\n";
        let found = problems("offers.csv", text);
        assert_eq!(found[0], Problem::NegativePrice);
        assert!(found[1].to_string().contains("spot costs more"), "{}", found[1]);
    }

    #[test]
    fn impossible_devices_and_double_keys_are_found() {
        let text = "name,title,kind,memory,power\n\
                    a,A,gpu,24 MiB,450 kW\na,A,gpu,24 GiB,450 W\n";
        assert_eq!(problems("devices.csv", text), [Problem::DuplicateKey]);
        let text = "name,title,kind,memory,power\na,A,gpu,24 MiB,450 kW\n";
        assert_eq!(problems("devices.csv", text).len(), 2);
    }

    #[test]
    fn a_row_is_of_the_table_that_its_file_is_called_by() {
        let table = |file: &str| RowPlace { file: file.into(), line: 1 }.table().to_owned();
        assert_eq!(table("data/devices.csv"), "devices");
        assert_eq!(table("/home/ada/grids.csv"), "grids");
        assert_eq!(table("aws/vms.csv"), "offers");
    }

    #[test]
    fn findings_read_as_a_sentence_with_a_place() {
        let finding = Finding {
            place: RowPlace { file: "data/offers.csv".into(), line: 7 },
            row: "aws/x@y".to_owned(),
            problem: Problem::Old { as_of: "2023-10".parse().unwrap(), days: 1149 },
        };
        let text = "data/offers.csv:7: aws/x@y is 1149 days old (2023-10)";
        assert_eq!(finding.to_string(), text);
    }
}
