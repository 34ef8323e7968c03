//! What a machine absorbs, held against every assignment of single hours of work.

use nearside_units::Currency;
use proptest::prelude::*;

use super::*;
use crate::bill::Bought;

const HOUR: i64 = MICROS_PER_HOUR;

fn dollars() -> ExchangeRates {
    ExchangeRates::new(Currency::USD, BTreeMap::new())
}

/// Work of a kind: its device, the price of an hour of it, and hours of it in hours of the calendar.
type Kinds<'a> = (&'a str, i64, &'a [(u32, i64)]);

fn usage(kinds: &[Kinds<'_>]) -> Usage {
    let mut usage = Usage::default();
    for (device, price, hours) in kinds {
        let kind = Kind {
            device: (*device).into(),
            provider: "AWS".into(),
            machine: None,
            bought: Bought::OnDemand,
        };
        let mut used = KindUse::default();
        for (hour, time) in *hours {
            let time = DeviceTime::from_micros(time * HOUR);
            used.device_time = used.device_time.plus(time);
            let held = used.hours.entry(Hour::from_number(*hour)).or_default();
            *held = held.plus(time);
        }
        let total: i64 = hours.iter().map(|(_, time)| time * price).sum();
        used.cash.add(Money::from_micros(total * 1_000_000, Currency::USD));
        used.amortised.add(Money::from_micros(total * 1_000_000, Currency::USD));
        usage.kinds.insert(kind, used);
    }
    usage
}

fn capacity(devices: u32, delay_hours: u32, last: u32) -> Capacity {
    let same = |device: &str| (Arc::from(device), RelativeSpeed::SAME);
    Capacity {
        devices,
        speeds: BTreeMap::from([same("a"), same("b"), same("c")]),
        delay_hours,
        span: (Hour::from_number(0), Hour::from_number(last)),
    }
}

#[test]
fn an_hour_takes_the_lesser_of_demand_and_capacity() {
    let usage = usage(&[("a", 2, &[(0, 3), (1, 1), (5, 4)])]);
    let found = absorbed(&usage, &capacity(2, 0, 9), &dollars()).unwrap();
    assert_eq!(found.done.micros(), 5 * HOUR);
    assert_eq!(found.demand.micros(), 8 * HOUR);
    assert_eq!(found.cash.total, "10 USD".parse().unwrap());
    assert_eq!((found.peak_far.micros(), found.hours_far), (2 * HOUR, 2));
    assert_eq!(found.utilisation(), Some(0.25));
}

#[test]
fn work_that_may_wait_fills_idle_hours() {
    let usage = usage(&[("a", 2, &[(0, 3), (1, 1), (5, 4)])]);
    let found = absorbed(&usage, &capacity(2, 1, 9), &dollars()).unwrap();
    assert_eq!((found.done, found.hours_far), (found.demand, 0));
}

#[test]
fn the_dearest_goes_first() {
    let usage = usage(&[("a", 1, &[(0, 2)]), ("b", 9, &[(0, 1), (1, 1)])]);
    let found = absorbed(&usage, &capacity(1, 0, 1), &dollars()).unwrap();
    assert_eq!(found.amortised.total, "18 USD".parse().unwrap());
    assert_eq!(found.kinds[1].done, Some(DeviceTime::ZERO));
}

#[test]
fn a_slower_device_does_less() {
    let usage = usage(&[("a", 1, &[(0, 2)])]);
    let mut half = capacity(1, 0, 0);
    half.speeds.insert("a".into(), RelativeSpeed::new(0.5).unwrap());
    let found = absorbed(&usage, &half, &dollars()).unwrap();
    // Two far hours are four near ones, of which one is there.
    assert_eq!((found.done.micros(), found.busy.micros()), (HOUR / 2, HOUR));
    assert_eq!(found.peak_far.micros(), 3 * HOUR);
    half.speeds.clear();
    let found = absorbed(&usage, &half, &dollars()).unwrap();
    assert_eq!((found.done, found.kinds[0].done), (DeviceTime::ZERO, None));
}

/// Whether each hour of work can have a device in an hour of the calendar of its own (augmenting paths).
fn fits(jobs: &[u32], devices: u32, delay: u32, last: u32) -> bool {
    fn place(
        job: usize,
        jobs: &[u32],
        slots: &mut [(u32, Option<usize>)],
        tried: &mut [bool],
        delay: u32,
    ) -> bool {
        for at in 0..slots.len() {
            let (hour, held) = slots[at];
            if tried[at] || hour < jobs[job] || hour > jobs[job] + delay {
                continue;
            }
            tried[at] = true;
            let is_free = match held {
                None => true,
                Some(other) => place(other, jobs, slots, tried, delay),
            };
            if is_free {
                slots[at].1 = Some(job);
                return true;
            }
        }
        false
    }
    let mut slots: Vec<(u32, Option<usize>)> =
        (0..=last).flat_map(|hour| (0..devices).map(move |_| (hour, None))).collect();
    (0..jobs.len()).all(|job| {
        let mut tried = vec![false; slots.len()];
        place(job, jobs, &mut slots, &mut tried, delay)
    })
}

/// The most that any choice of work saves.
fn best(jobs: &[(u32, i64)], devices: u32, delay: u32, last: u32) -> i64 {
    (0_u32..1 << jobs.len())
        .filter_map(|chosen| {
            let chosen: Vec<_> =
                (0..jobs.len()).filter(|at| chosen & (1 << at) != 0).map(|at| jobs[at]).collect();
            let hours: Vec<u32> = chosen.iter().map(|job| job.0).collect();
            fits(&hours, devices, delay, last).then(|| chosen.iter().map(|job| job.1).sum())
        })
        .max()
        .unwrap_or(0)
}

const LAST: u32 = 4;

/// Jobs of an hour, of three kinds, in five hours.
fn jobs() -> impl Strategy<Value = Vec<(usize, u32)>> {
    prop::collection::vec((0_usize..3, 0_u32..=LAST), 0..9)
}

fn of_jobs(jobs: &[(usize, u32)], prices: [i64; 3]) -> Usage {
    let mut hours: [BTreeMap<u32, i64>; 3] = Default::default();
    for (kind, hour) in jobs {
        *hours[*kind].entry(*hour).or_default() += 1;
    }
    let hours = hours.map(|hours| hours.into_iter().collect::<Vec<_>>());
    usage(&[("a", prices[0], &hours[0]), ("b", prices[1], &hours[1]), ("c", prices[2], &hours[2])])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn it_is_the_best_that_any_choice_does(jobs in jobs(), devices in 0_u32..3, delay in 0_u32..4) {
        let prices = [1, 3, 7];
        let found = absorbed(&of_jobs(&jobs, prices), &capacity(devices, delay, LAST), &dollars()).unwrap();
        let worth: Vec<(u32, i64)> = jobs.iter().map(|(kind, hour)| (*hour, prices[*kind])).collect();
        let most = best(&worth, devices, delay, LAST);
        prop_assert_eq!(found.amortised.total.as_micros(), most * 1_000_000);
        let each: Vec<(u32, i64)> = jobs.iter().map(|(_, hour)| (*hour, 1)).collect();
        prop_assert_eq!(found.done.micros(), best(&each, devices, delay, LAST) * HOUR);
    }

    #[test]
    fn more_devices_and_more_patience_never_do_less(
        jobs in prop::collection::vec((0_usize..3, 0_u32..40), 0..80),
        devices in 0_u32..4,
        delay in 0_u32..9,
        ratio in 0.2_f64..3.0,
    ) {
        let usage = of_jobs(&jobs, [2, 5, 5]);
        let with = |devices, delay| {
            let mut capacity = capacity(devices, delay, 39);
            capacity.speeds.values_mut().for_each(|speed| *speed = RelativeSpeed::new(ratio).unwrap());
            absorbed(&usage, &capacity, &dollars()).unwrap()
        };
        let one = with(devices, delay);
        prop_assert!(one.done <= one.demand && one.busy <= one.there);
        prop_assert_eq!(one.hours_far == 0, one.peak_far == DeviceTime::ZERO);
        for more in [with(devices + 1, delay), with(devices, delay + 1)] {
            prop_assert!(more.busy >= one.busy && more.peak_far.micros() >= 0);
            // Amounts are decimals of a share that is a float.
            prop_assert!(more.amortised.total.as_f64() >= one.amortised.total.as_f64() - 1e-9);
        }
    }
}
