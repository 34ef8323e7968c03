//! What a machine of one's own could have done of the time on accelerators that a bill shows.
//!
//! With a speed of `s` beside a far device, an hour of that device is `1 / s` hours of a near one. A near
//! machine of `C` devices does at most `C` device-hours in an hour of the calendar; work may wait up to
//! `D` hours for its turn, after that it goes far. Without waiting an hour takes `min(demand, C)`.
//!
//! What saves most goes first: kinds of work are taken in the order of their amortised cost for an hour of
//! the near device, and each gets as much as can be done beside those before it. How much that is follows
//! from queues: `done(1..k) - done(1..k-1)`, where `done(1..k)` is what one queue, first come first served,
//! does of the first `k` kinds together. Such a queue does as much as any order can (all work waits
//! equally long), and sets of work that can be done are a polymatroid, for which taking the dearest first
//! is best (J. Edmonds, "Submodular functions, matroids, and certain polyhedra", 1970). So cost and time
//! that are replaced never fall when there are more devices, or when work may wait longer.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use nearside_units::{AtLeast, ExchangeRates, Money, MoneyError};

use super::moment::Hour;
use super::usage::{DeviceTime, Kind, KindUse, MICROS_PER_HOUR, Usage};

/// How much faster a near device is than a far one: 2 is twice as fast.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct RelativeSpeed(f64);

impl RelativeSpeed {
    /// As fast.
    pub const SAME: Self = Self(1.0);

    /// From the ratio; nothing where it is none: from a thousandth to a thousand.
    #[must_use]
    pub fn new(ratio: f64) -> Option<Self> {
        (1e-3..=1e3).contains(&ratio).then_some(Self(ratio))
    }

    /// The ratio.
    #[must_use]
    pub const fn ratio(self) -> f64 {
        self.0
    }

    /// What takes a far device that long takes a near one this long.
    fn near(self, far: DeviceTime) -> i64 {
        (far.micros() as f64 / self.0).round() as i64
    }
}

/// A near machine.
#[derive(Clone, Debug, PartialEq)]
pub struct Capacity {
    /// Its devices.
    pub devices: u32,
    /// How fast one of them is beside each far device, by the name of that; work on others stays far.
    pub speeds: BTreeMap<Arc<str>, RelativeSpeed>,
    /// How many whole hours work may wait.
    pub delay_hours: u32,
    /// The hours that it is there for: the first and the last.
    pub span: (Hour, Hour),
}

/// What it would have done.
#[derive(Clone, Debug, PartialEq)]
pub struct Absorbed {
    /// Kind by kind, what saves most first.
    pub kinds: Vec<Kept>,
    /// Hours of far devices in all.
    pub demand: DeviceTime,
    /// Of them, those that it would have done.
    pub done: DeviceTime,
    /// Hours of far machines and devices' cost that it would have replaced, on invoices.
    pub cash: AtLeast<Money>,
    /// The same amortised.
    pub amortised: AtLeast<Money>,
    /// The time in which its devices would have worked.
    pub busy: DeviceTime,
    /// The time that they would have been there.
    pub there: DeviceTime,
    /// The most that any hour leaves for the far side, in hours of its devices.
    pub peak_far: DeviceTime,
    /// Hours of the calendar in which something went far.
    pub hours_far: u32,
}

/// What it would have done of a kind.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    /// The kind.
    pub kind: Kind,
    /// Hours of the far device.
    pub demand: DeviceTime,
    /// Of them, those that it would have done; nothing where how fast it is beside that device is not known.
    pub done: Option<DeviceTime>,
    /// What they cost on invoices.
    pub cash: AtLeast<Money>,
    /// The same amortised.
    pub amortised: AtLeast<Money>,
}

impl Absorbed {
    /// The share of the time of far devices that it would have done, 0 to 1; nothing of nothing.
    #[must_use]
    pub fn share(&self) -> Option<f64> {
        let demand = self.demand.as_hours();
        (demand > 0.0).then(|| self.done.as_hours() / demand)
    }

    /// The share of its time that it would have worked, 0 to 1.
    #[must_use]
    pub fn utilisation(&self) -> Option<f64> {
        let there = self.there.as_hours();
        (there > 0.0).then(|| self.busy.as_hours() / there)
    }
}

/// A kind of work, with its time in hours of the near device.
struct Stream<'a> {
    kind: &'a Kind,
    used: &'a KindUse,
    speed: RelativeSpeed,
    amortised: AtLeast<Money>,
    near: BTreeMap<Hour, i64>,
}

impl Stream<'_> {
    fn near_time(&self) -> i64 {
        self.near.values().sum()
    }

    /// What an hour of the near device would have saved.
    fn worth(&self) -> f64 {
        let hours = self.near_time() as f64 / MICROS_PER_HOUR as f64;
        if hours > 0.0 { self.amortised.total.as_f64() / hours } else { 0.0 }
    }
}

/// What a near machine would have done, and what that cost on the far side.
///
/// # Errors
/// When an amount is out of range.
pub fn absorbed(
    usage: &Usage,
    capacity: &Capacity,
    rates: &ExchangeRates,
) -> Result<Absorbed, MoneyError> {
    let mut streams = Vec::new();
    let mut stay = Vec::new();
    for (kind, used) in usage.kinds() {
        match capacity.speeds.get(&kind.device) {
            Some(speed) => streams.push(stream(kind, used, *speed, rates)),
            None => stay.push(stays(kind, used, rates)),
        }
    }
    streams.sort_by(|one, other| {
        other.worth().total_cmp(&one.worth()).then_with(|| one.kind.cmp(other.kind))
    });
    let mut arriving: BTreeMap<Hour, i64> = BTreeMap::new();
    let mut before = 0;
    let mut outcome = Outcome::default();
    let mut kinds = Vec::new();
    for stream in &streams {
        for (hour, time) in &stream.near {
            *arriving.entry(*hour).or_default() += time;
        }
        outcome = queue(&arriving, capacity);
        // What is done never falls when more arrives.
        kinds.push(part(stream, outcome.done - before, rates)?);
        before = outcome.done;
    }
    kinds.extend(stay);
    Ok(total(kinds, &outcome, capacity, rates))
}

fn stream<'a>(
    kind: &'a Kind,
    used: &'a KindUse,
    speed: RelativeSpeed,
    rates: &ExchangeRates,
) -> Stream<'a> {
    let near = used.hours().map(|(hour, time)| (hour, speed.near(time))).collect();
    Stream { kind, used, speed, amortised: used.amortised.converted(rates), near }
}

fn stays(kind: &Kind, used: &KindUse, rates: &ExchangeRates) -> Kept {
    let nothing = AtLeast::new(Money::zero(rates.currency()));
    Kept {
        kind: kind.clone(),
        demand: used.device_time,
        done: None,
        cash: nothing.clone(),
        amortised: nothing,
    }
}

/// The part of a kind that is done in so much time of the near device.
fn part(stream: &Stream<'_>, near: i64, rates: &ExchangeRates) -> Result<Kept, MoneyError> {
    let (demand, all) = (stream.used.device_time, stream.near_time());
    let done = match all {
        ..=0 => 0,
        all => i64::try_from(i128::from(demand.micros()) * i128::from(near) / i128::from(all))
            .unwrap_or(demand.micros()),
    };
    debug_assert!(stream.speed.ratio() > 0.0, "a speed is above zero");
    let share = if all > 0 { near as f64 / all as f64 } else { 0.0 };
    let of = |sum: AtLeast<Money>| -> Result<AtLeast<Money>, MoneyError> {
        let total = if near == all { sum.total } else { sum.total.scaled(share)? };
        Ok(AtLeast { total, missing: sum.missing })
    };
    Ok(Kept {
        kind: stream.kind.clone(),
        demand,
        done: Some(DeviceTime::from_micros(done)),
        cash: of(stream.used.cash.converted(rates))?,
        amortised: of(stream.amortised.clone())?,
    })
}

fn total(
    kinds: Vec<Kept>,
    outcome: &Outcome,
    capacity: &Capacity,
    rates: &ExchangeRates,
) -> Absorbed {
    let sum = |of: fn(&Kept) -> &AtLeast<Money>| {
        let mut total = AtLeast::new(Money::zero(rates.currency()));
        for kept in &kinds {
            total.total = total.total.checked_add(of(kept).total).unwrap_or(total.total);
            for why in &of(kept).missing {
                if !total.missing.contains(why) {
                    total.missing.push(Arc::clone(why));
                }
            }
        }
        total
    };
    let time =
        |of: fn(&Kept) -> DeviceTime| kinds.iter().map(of).fold(DeviceTime::ZERO, DeviceTime::plus);
    let (first, last) = capacity.span;
    let hours = i64::from(last.number().saturating_sub(first.number())) + 1;
    let there = hours.saturating_mul(MICROS_PER_HOUR).saturating_mul(i64::from(capacity.devices));
    Absorbed {
        demand: time(|kept| kept.demand),
        done: time(|kept| kept.done.unwrap_or(DeviceTime::ZERO)),
        cash: sum(|kept| &kept.cash),
        amortised: sum(|kept| &kept.amortised),
        busy: DeviceTime::from_micros(outcome.done),
        there: DeviceTime::from_micros(there),
        peak_far: DeviceTime::from_micros(outcome.peak_left),
        hours_far: outcome.hours_left,
        kinds,
    }
}

/// What a queue did, in time of the near device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Outcome {
    done: i64,
    /// The most that was left of what arrived in one hour.
    peak_left: i64,
    /// Hours of whose arrivals something was left.
    hours_left: u32,
}

/// First come, first served: each hour does what it can of what has not waited too long.
fn queue(arriving: &BTreeMap<Hour, i64>, capacity: &Capacity) -> Outcome {
    let mut outcome = Outcome::default();
    let (Some(first), Some(last)) = (arriving.keys().next(), arriving.keys().next_back()) else {
        return outcome;
    };
    let each_hour = i64::from(capacity.devices).saturating_mul(MICROS_PER_HOUR);
    let mut waiting: VecDeque<(u32, i64)> = VecDeque::new();
    // The machine is there in its span only; what arrives at its end cannot wait beyond it.
    let end = capacity.span.1.number().min(last.number().saturating_add(capacity.delay_hours));
    for hour in first.number()..=end.max(last.number()) {
        if let Some(time) = arriving.get(&Hour::from_number(hour)).filter(|time| **time > 0) {
            waiting.push_back((hour, *time));
        }
        let mut left = if hour <= capacity.span.1.number() { each_hour } else { 0 };
        while let Some((_, time)) = waiting.front_mut() {
            let done = left.min(*time);
            *time -= done;
            left -= done;
            outcome.done += done;
            if *time > 0 {
                break;
            }
            waiting.pop_front();
        }
        // What came first is in front: what has waited long enough is before all that has not.
        let too_long = |came: u32| hour.saturating_sub(came) >= capacity.delay_hours;
        while let Some((_, time)) = waiting.front().copied().filter(|(came, _)| too_long(*came)) {
            waiting.pop_front();
            outcome.leave(time);
        }
    }
    waiting.into_iter().for_each(|(_, time)| outcome.leave(time));
    outcome
}

impl Outcome {
    fn leave(&mut self, time: i64) {
        self.peak_left = self.peak_left.max(time);
        self.hours_left += 1;
    }
}

#[cfg(test)]
mod tests;
