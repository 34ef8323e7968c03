//! Time on accelerators, hour by hour of the calendar, with what it cost.
//!
//! A row of an hour or less is in its own hours exactly. A longer one, of a day or a month, is spread
//! evenly over its hours, and how much was spread is counted. Time is in whole millionths of a second, so
//! that sums do not depend on the order of rows and the parts of a row are the row.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use nearside_units::{Money, MoneyError};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;

use super::accelerator::{Bought, Work};
use super::amount::Sum;
use super::charge::{Charge, Quantity};
use super::moment::{Hour, Month, Period};

/// Kinds of time that are kept apart at most: a device in a machine on some terms.
pub(crate) const MOST_KINDS: usize = 512;

/// The longest period that is spread over its hours: a leap year.
const LONGEST_HOURS: u64 = 366 * 24;

const HOUR_MILLIS: u64 = 3_600_000;
pub(crate) const MICROS_PER_HOUR: i64 = 3_600_000_000;

macro_rules! time {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
        pub struct $name(i64);

        impl $name {
            /// Nothing.
            pub const ZERO: Self = Self(0);

            /// From millionths of a second.
            #[must_use]
            pub const fn from_micros(micros: i64) -> Self {
                Self(micros)
            }

            /// In millionths of a second.
            #[must_use]
            pub const fn micros(self) -> i64 {
                self.0
            }

            /// In hours.
            #[must_use]
            pub fn as_hours(self) -> f64 {
                self.0 as f64 / MICROS_PER_HOUR as f64
            }

            /// The sum.
            #[must_use]
            pub const fn plus(self, other: Self) -> Self {
                Self(self.0.saturating_add(other.0))
            }
        }
    };
}

time! {
    /// Time of machines: two machines for an hour are two hours.
    MachineTime
}
time! {
    /// Time of devices: a machine with eight of them for an hour is eight hours.
    DeviceTime
}

impl MachineTime {
    /// The time of the devices in the machines; nothing where it is beyond counting.
    #[must_use]
    pub fn of_devices(self, devices: u32) -> Option<DeviceTime> {
        self.0.checked_mul(i64::from(devices)).map(DeviceTime)
    }
}

macro_rules! price {
    ($(#[$doc:meta])* $name:ident, $time:ident, $suffix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
        pub struct $name(Money);

        impl $name {
            /// What that much time cost, by the hour; nothing of no time.
            ///
            /// # Errors
            /// When it is out of range.
            pub fn of(cost: Money, time: $time) -> Result<Option<Self>, MoneyError> {
                match time.micros() {
                    ..=0 => Ok(None),
                    micros => cost.scaled(MICROS_PER_HOUR as f64 / micros as f64).map(|price| Some(Self(price))),
                }
            }

            /// The money for an hour.
            #[must_use]
            pub const fn money(self) -> Money {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(formatter, "{}{}", self.0, $suffix)
            }
        }
    };
}

price! {
    /// The price of an hour of a machine, whatever is in it.
    PerMachineHour, MachineTime, "/machine-h"
}
price! {
    /// The price of an hour of one device.
    PerDeviceHour, DeviceTime, "/device-h"
}

/// A kind of time: which device, in which machine, on which terms.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kind {
    /// The device.
    pub device: Arc<str>,
    /// The provider, as the bill calls it.
    pub provider: Arc<str>,
    /// The machine and how many devices it has; `None` where devices are billed one by one.
    pub machine: Option<(Arc<str>, u32)>,
    /// The terms.
    pub bought: Bought,
}

/// What was used of a kind.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KindUse {
    /// Rows.
    pub rows: u64,
    /// Time of machines; nothing where devices are billed one by one.
    pub machine_time: MachineTime,
    /// Time of devices.
    pub device_time: DeviceTime,
    /// The part of it that was spread evenly over the hours of longer rows.
    pub spread: DeviceTime,
    /// On invoices.
    pub cash: Sum,
    /// With purchases in advance spread over what they pay for.
    pub amortised: Sum,
    /// The same by month: of time and cost.
    pub months: BTreeMap<Month, MonthUse>,
    pub(crate) hours: BTreeMap<Hour, DeviceTime>,
}

/// What was used of a kind in a month.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MonthUse {
    /// Time of devices.
    pub device_time: DeviceTime,
    /// On invoices.
    pub cash: Sum,
    /// With purchases in advance spread over what they pay for.
    pub amortised: Sum,
}

impl MonthUse {
    /// Puts another in.
    pub fn merge(&mut self, other: &Self) {
        self.device_time = self.device_time.plus(other.device_time);
        self.cash.merge(&other.cash);
        self.amortised.merge(&other.amortised);
    }
}

impl KindUse {
    /// Its time in each hour in which there was some.
    pub fn hours(&self) -> impl Iterator<Item = (Hour, DeviceTime)> {
        self.hours.iter().map(|(hour, time)| (*hour, *time))
    }
}

/// Time on accelerators.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Usage {
    pub(crate) kinds: BTreeMap<Kind, KindUse>,
    /// Rows on accelerators whose time could not be counted, by why, with an example.
    pub(crate) uncounted: BTreeMap<Uncounted, (u64, String)>,
}

/// Why the time of a row was not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Uncounted {
    /// The catalog does not know the machine or the device.
    NotInCatalog,
    /// Its quantity is in no unit of time, or below zero.
    NoTime,
    /// Its period is none, is backward, or is longer than a year.
    NoPeriod,
    /// There were more kinds than are kept apart.
    TooManyKinds,
}

impl Uncounted {
    /// What it is, after "rows on accelerators".
    #[must_use]
    pub const fn what(self) -> &'static str {
        match self {
            Self::NotInCatalog => "that the catalog does not know",
            Self::NoTime => "whose quantity is no time",
            Self::NoPeriod => "whose period has no length, or is longer than a year",
            Self::TooManyKinds => "of more kinds than are kept apart",
        }
    }
}

impl Usage {
    /// Every kind, by device.
    pub fn kinds(&self) -> impl Iterator<Item = (&Kind, &KindUse)> {
        self.kinds.iter()
    }

    /// Rows whose time was not counted: why, how many, and an example.
    pub fn uncounted(&self) -> impl Iterator<Item = (Uncounted, u64, &str)> {
        self.uncounted.iter().map(|(why, (count, example))| (*why, *count, example.as_str()))
    }

    /// Whether there was none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kinds.is_empty() && self.uncounted.is_empty()
    }

    /// Remembers a row whose time is not counted.
    pub(crate) fn leave_out(&mut self, why: Uncounted, example: &str) {
        let entry = self.uncounted.entry(why).or_default();
        entry.0 += 1;
        // The first in the alphabet, so that the order of rows does not show.
        if entry.0 == 1 || example < entry.1.as_str() {
            entry.1 = super::kept(example);
        }
    }

    /// Puts a row in.
    pub(crate) fn add(&mut self, charge: &Charge<'_>, work: &Work, bought: Bought) {
        let (device, machine) = match work {
            Work::Machine { machine, device, devices } => {
                (device, Some((Arc::clone(machine), *devices)))
            }
            Work::Device { device } => (device, None),
            Work::Around { device, machine } => (device, machine.clone()),
        };
        let example = charge.description.or(charge.sku).unwrap_or(device);
        let time = match work {
            Work::Around { .. } => Ok(None),
            _ => time_of(charge, work).map(Some),
        };
        let kind =
            Kind { device: Arc::clone(device), provider: charge.provider.into(), machine, bought };
        if self.kinds.len() >= MOST_KINDS && !self.kinds.contains_key(&kind) {
            return self.leave_out(Uncounted::TooManyKinds, example);
        }
        match time {
            Ok(time) => self.kinds.entry(kind).or_default().add(charge, time),
            Err(why) => self.leave_out(why, example),
        }
    }
}

/// The time of a row, when it was, and how much of it is of machines.
#[derive(Clone, Copy, Debug)]
struct Time {
    machines: MachineTime,
    devices: DeviceTime,
    period: Period,
}

impl KindUse {
    fn add(&mut self, charge: &Charge<'_>, time: Option<Time>) {
        self.rows += 1;
        self.cash.add_known(charge.billed);
        self.amortised.add_known(charge.effective);
        if let Some(period) = charge.period {
            let month = self.months.entry(period.from.month()).or_default();
            month.cash.add_known(charge.billed);
            month.amortised.add_known(charge.effective);
        }
        let Some(Time { machines, devices, period }) = time else { return };
        self.machine_time = self.machine_time.plus(machines);
        self.device_time = self.device_time.plus(devices);
        if period.to.millis() - period.from.millis() > HOUR_MILLIS {
            self.spread = self.spread.plus(devices);
        }
        for (hour, part) in spread(devices, period) {
            let held = self.hours.entry(hour).or_default();
            *held = held.plus(part);
            let month = self.months.entry(hour.month()).or_default();
            month.device_time = month.device_time.plus(part);
        }
    }
}

fn time_of(charge: &Charge<'_>, work: &Work) -> Result<Time, Uncounted> {
    let period = charge.period.filter(|period| period.is_forward()).ok_or(Uncounted::NoPeriod)?;
    let hours = (period.to.millis() - period.from.millis()) / HOUR_MILLIS;
    if hours > LONGEST_HOURS {
        return Err(Uncounted::NoPeriod);
    }
    let quantities = [charge.consumed, charge.priced];
    let micros = quantities.iter().flatten().find_map(micros).ok_or(Uncounted::NoTime)?;
    let (machines, devices) = match work {
        Work::Machine { devices, .. } => {
            let machines = MachineTime(micros);
            (machines, machines.of_devices(*devices).ok_or(Uncounted::NoTime)?)
        }
        Work::Device { .. } | Work::Around { .. } => (MachineTime::ZERO, DeviceTime(micros)),
    };
    Ok(Time { machines, devices, period })
}

/// Whether the quantity of a row is a time.
pub(crate) fn has_time(charge: &Charge<'_>) -> bool {
    [charge.consumed, charge.priced].iter().flatten().any(|quantity| micros(quantity).is_some())
}

/// A quantity of time in millionths of a second; nothing where it is none, or below zero.
fn micros(quantity: &Quantity<'_>) -> Option<i64> {
    let (number, unit) = match quantity.unit.split_once(' ') {
        Some((number, unit)) => (number.parse::<Decimal>().ok()?, unit),
        None => (Decimal::ONE, quantity.unit),
    };
    let seconds = match unit.to_ascii_lowercase().as_str() {
        "h" | "hr" | "hrs" | "hour" | "hours" => 3600,
        "min" | "minute" | "minutes" => 60,
        "s" | "sec" | "second" | "seconds" => 1,
        _ => return None,
    };
    let whole = Decimal::from(seconds * 1_000_000_i64).checked_mul(number)?;
    let micros = quantity.amount.checked_mul(whole)?.round().to_i64()?;
    (micros >= 0).then_some(micros)
}

/// The time in each hour of a period, evenly; the parts are exactly the whole.
fn spread(time: DeviceTime, period: Period) -> Vec<(Hour, DeviceTime)> {
    let (from, to) = (period.from.millis(), period.to.millis());
    let length = i128::from(to - from);
    let until = |moment: u64| i128::from(time.0) * i128::from(moment.min(to) - from) / length;
    let last = (to - 1) / HOUR_MILLIS;
    let mut before = 0;
    let mut parts = Vec::new();
    for number in period.from.hour().number()..=u32::try_from(last).unwrap_or(u32::MAX) {
        let hour = Hour::from_number(number);
        let after = until(hour.begins() + HOUR_MILLIS);
        // No part is more than the whole, which is of 64 bits.
        let part = i64::try_from(after - before).unwrap_or(0);
        if part > 0 {
            parts.push((hour, DeviceTime(part)));
        }
        before = after;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bill::moment::Moment;
    use proptest::prelude::*;

    fn period(from: &str, to: &str) -> Period {
        Period { from: Moment::read(from).unwrap(), to: Moment::read(to).unwrap() }
    }

    #[test]
    fn a_price_says_what_it_is_an_hour_of() {
        // The 8-GPU price of a machine is not the price of a device: 24 USD an hour are 3 USD each.
        let machines = MachineTime(2 * MICROS_PER_HOUR);
        let cost: Money = "48 USD".parse().unwrap();
        let machine = PerMachineHour::of(cost, machines).unwrap().unwrap();
        let device = PerDeviceHour::of(cost, machines.of_devices(8).unwrap()).unwrap().unwrap();
        assert_eq!(
            (machine.to_string(), device.to_string()),
            ("24.00 USD/machine-h".into(), "3.00 USD/device-h".into())
        );
        assert_eq!(PerDeviceHour::of(cost, DeviceTime::ZERO).unwrap(), None);
    }

    #[test]
    fn quantities_are_time_or_nothing() {
        let micros =
            |amount: &str, unit| micros(&Quantity { amount: amount.parse().unwrap(), unit });
        assert_eq!(micros("1.5", "Hours"), Some(MICROS_PER_HOUR / 2 * 3));
        assert_eq!(micros("0.24", "100 Hours"), Some(MICROS_PER_HOUR * 24));
        assert_eq!(micros("7200", "seconds"), Some(MICROS_PER_HOUR * 2));
        for (amount, unit) in
            [("1", "GB-Hours"), ("1", "LCU-Hours"), ("-1", "Hours"), ("1", "Requests")]
        {
            assert_eq!(micros(amount, unit), None, "{amount} {unit}");
        }
    }

    #[test]
    fn an_hour_is_exact_and_a_day_is_even() {
        let hour = spread(DeviceTime(5), period("2026-10-01T10:00Z", "2026-10-01T11:00Z"));
        assert_eq!(hour.len(), 1);
        let across = spread(DeviceTime(60), period("2026-10-01T10:45Z", "2026-10-01T11:45Z"));
        assert_eq!(across.iter().map(|part| part.1.micros()).collect::<Vec<_>>(), [15, 45]);
        let day = spread(DeviceTime(240), period("2026-10-01", "2026-10-02"));
        assert!(day.len() == 24 && day.iter().all(|part| part.1 == DeviceTime(10)));
    }

    proptest! {
        #[test]
        fn the_parts_are_the_whole(micros in 0_i64..1_000_000_000_000, from in 0_u64..100_000_000, length in 1_u64..400_000_000) {
            let begin = Moment::read("2026-01-01").unwrap().millis();
            let moment = |millis| Moment::checked(begin + millis).unwrap();
            let period = Period { from: moment(from), to: moment(from + length) };
            let parts = spread(DeviceTime(micros), period);
            prop_assert_eq!(parts.iter().map(|part| part.1.micros()).sum::<i64>(), micros);
            prop_assert!(parts.windows(2).all(|pair| pair[0].0 < pair[1].0));
        }
    }
}
