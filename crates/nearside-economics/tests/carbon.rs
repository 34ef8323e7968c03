//! What holds of every footprint: more energy, a dirtier grid and a larger overhead never emit less, a
//! machine that is used more bears less per hour, a score times its units is the total.

use std::sync::Arc;

use nearside_catalog::{Catalog, Economics, Machine, Ownership, Place, Reach, Site};
use nearside_economics::carbon::{
    Boundary, EnergyMethod, Footprint, Per, RecordedRun, Score, Scored, Tally, Used, footprint,
    recorded, score, volume,
};
use nearside_estimate::Calibration;
use nearside_policy::{Class, Clearance};
use nearside_units::{
    Basis, BytesPerSecond, Date, Duration, GramsCo2e, GramsPerKwh, Joules, Known, Sourced, Span,
};
use nearside_workload::{Batch, ModelRef, Recipe, Task, Workload};
use proptest::prelude::*;

fn stated<T>(value: T) -> Sourced<T> {
    Sourced::new(value, Basis::published("a test", "2026".parse().ok()))
}

fn unknown<T>() -> Known<T> {
    Known::unknown("not stated")
}

/// A machine of a tonne for four years.
fn site(intensity: f64, pue: f64) -> Site {
    let link = || stated(BytesPerSecond::constant(1e9));
    Site {
        name: "here".into(),
        machine: Machine {
            processor: unknown(),
            threads: unknown(),
            memory: unknown(),
            disk: unknown(),
            accelerators: None,
            embodied: Known::Value(stated(Span::exact(GramsCo2e::constant(1e6)))),
        },
        economics: Economics::Owned(Ownership {
            price: unknown(),
            life: stated("4 years".parse().expect("a time")),
            tariff: unknown(),
            load: unknown(),
            idle: unknown(),
        }),
        place: Place {
            location: "here".into(),
            region: None,
            country: unknown(),
            pue: stated(Span::exact(pue)),
            intensity: Known::Value(stated(GramsPerKwh::constant(intensity))),
            intensity_steps: Vec::new(),
        },
        reach: Reach { uplink: link(), downlink: link() },
        startup: stated(Span::exact(Duration::ZERO)),
        clearance: Clearance(Class::Special),
    }
}

fn used_for(share: f64) -> Calibration {
    let mut calibration = Calibration::default();
    calibration.machine.own_use = stated(Span::exact(share));
    calibration
}

fn today() -> Date {
    "2026-11-23".parse().expect("a day")
}

/// One execution of so many hours and kilowatt-hours of the machine.
fn run(stage: &str, began: f64, hours: f64, kwh: f64) -> RecordedRun {
    RecordedRun {
        stage: stage.to_owned(),
        began: Duration::hours(began),
        took: Known::Value(Duration::hours(hours)),
        energy: Known::Value((Joules::constant(kwh * 3.6e6), EnergyMethod::Measured)),
        operational: None,
    }
}

fn of(kwh: f64, hours: f64, site: &Site, share: f64) -> Footprint {
    let used = Used {
        site,
        energy: Known::Value(Span::exact(Joules::constant(kwh * 3.6e6))),
        method: EnergyMethod::Measured,
        time: Known::Value(Span::exact(Duration::hours(hours))),
    };
    footprint(&used, &used_for(share), today())
}

fn scored(of: &Footprint, site: &Site, boundary: Boundary<'_>, units: f64) -> Known<Score> {
    let calibration = &used_for(0.5);
    let scored = Scored { site, calibration, boundary };
    score(of, &scored, Per::MillionTokens, Known::Value(units))
}

fn grams(of: &Footprint) -> f64 {
    Tally::of([of]).total.likely.as_grams()
}

#[test]
fn what_is_not_known_is_missing_and_not_zero() {
    let mut site = site(300.0, 1.0);
    site.machine.embodied = Known::unknown("nobody published it");
    let tally = Tally::of(&[of(1.0, 1.0, &site, 0.5)]);
    assert_eq!(tally.operational.total, GramsCo2e::constant(300.0));
    assert_eq!(tally.missing(), ["nobody published it".into()]);
    let score = scored(&of(1.0, 1.0, &site, 0.5), &site, Boundary::Stated("all"), 1.0);
    let score = score.value().unwrap();
    assert_eq!((score.label(), score.lacks.len()), ("SCI-style", 1));
}

#[test]
fn it_is_called_sci_where_nothing_is_lacking() {
    let site = site(300.0, 1.0);
    let label = |boundary| {
        let found = scored(&of(1.0, 1.0, &site, 0.5), &site, boundary, 1.0);
        found.value().unwrap().label()
    };
    assert_eq!(label(Boundary::Stated("machines; nothing else belongs to it")), "SCI");
    assert_eq!(label(Boundary::Machines), "SCI-style");
    let (footprint, calibration) = (of(1.0, 1.0, &site, 0.5), &Calibration::default());
    let guessed = Scored { site: &site, calibration, boundary: Boundary::Stated("all") };
    let guessed = score(&footprint, &guessed, Per::Run, Known::Value(1.0)).value().unwrap();
    assert!(guessed.lacks[0].contains("how much of that it is in use, is assumed"), "{guessed:?}");
    let nothing = scored(&of(1.0, 1.0, &site, 0.5), &site, Boundary::Machines, 0.0);
    assert!(nothing.value().is_none());
}

#[test]
fn recorded_energy_gets_its_overhead_once_and_what_ran_side_by_side_shares_the_machine() {
    let site = site(100.0, 1.5);
    let runs = [run("a", 0.0, 2.0, 4.0), run("b", 0.0, 2.0, 4.0)];
    let stages = recorded(&runs, &site, &used_for(0.1), today());
    let tallies: Vec<Tally> = stages.iter().map(|stage| stage.tally()).collect();
    assert_eq!(tallies.len(), 2);
    assert!((tallies[0].operational.total.as_grams() - 4.0 * 1.5 * 100.0).abs() < 1e-9);
    // Two hours of a tenth of four years, for both together.
    let both: f64 = tallies.iter().map(|tally| tally.embodied.total.as_grams()).sum();
    assert!((both - 2.0 * 1e6 / (0.1 * 4.0 * 8760.0)).abs() / both < 1e-3, "{both}");
}

#[test]
fn what_was_recorded_then_stands() {
    let site = site(100.0, 1.0);
    let then =
        RecordedRun { operational: Some(GramsCo2e::constant(7.0)), ..run("a", 0.0, 1.0, 1.0) };
    let lost = RecordedRun { energy: Known::unknown("no counter"), ..run("a", 2.0, 1.0, 1.0) };
    let stages = recorded(&[then, lost], &site, &used_for(0.1), today());
    let tally = stages[0].tally();
    assert_eq!(tally.operational.total, GramsCo2e::constant(7.0));
    assert_eq!(tally.operational.missing, ["no counter".into()]);
    assert!(tally.embodied.is_complete() && stages[0].executions == 2);
}

#[test]
fn requests_to_a_model_that_draws_are_images_and_others_are_tokens() {
    let catalog = Catalog::builtin().unwrap();
    let asked = |name: &str| {
        let architecture = Arc::new(catalog.model(name).unwrap().architecture().unwrap());
        let model = Some(ModelRef { name: name.to_owned(), architecture, stored: None });
        let batch = Batch { requests: 500, prompt: 900, output: 100, batch: 1 };
        Workload { task: Task::Evaluation(batch), model, recipe: Recipe::default(), image: None }
    };
    let of = |name: &str, trials: u32| {
        let found = volume(&[(asked(name), trials)]);
        (found.million_tokens.value(), found.images.value())
    };
    assert_eq!(of("llama-3.2-1b", 2), (Some(1.0), None));
    assert_eq!(of("stable-diffusion-1.5", 3), (None, Some(1500.0)));
    assert_eq!(volume(&[]).images.why(), Some("its workload states no images"));
}

proptest! {
    #[test]
    fn more_never_emits_less(
        kwh in 0.0..1e4, more in 1.0..10.0, intensity in 0.0..900.0, pue in 1.0..2.0, hours in 0.0..1e3,
    ) {
        let base = grams(&of(kwh, hours, &site(intensity, pue), 0.3));
        prop_assert!(grams(&of(kwh * more, hours, &site(intensity, pue), 0.3)) >= base);
        prop_assert!(grams(&of(kwh, hours, &site(intensity * more, pue), 0.3)) >= base);
        prop_assert!(grams(&of(kwh, hours * more, &site(intensity, pue), 0.3)) >= base);
        let of_runs = |pue: f64| {
            let stages = recorded(&[run("a", 0.0, hours, kwh)], &site(intensity, pue), &used_for(0.3), today());
            stages[0].tally().operational.total
        };
        prop_assert!(of_runs(pue * more) >= of_runs(pue));
    }

    #[test]
    fn an_hour_of_a_machine_in_use_bears_less(share in 0.01..0.5, more in 1.0..2.0, hours in 0.1..1e3) {
        let made = |share: f64| of(1.0, hours, &site(300.0, 1.0), share).embodied.value().unwrap().likely();
        prop_assert!(made(share * more) <= made(share));
        // All hours of a life in use together bear all of it.
        let whole = of(1.0, 4.0 * 8766.0 * share, &site(300.0, 1.0), share).embodied.value().unwrap();
        prop_assert!((whole.likely().as_grams() / 1e6 - 1.0).abs() < 1e-2);
    }

    #[test]
    fn a_score_times_its_units_is_the_total(
        kwh in 0.0..1e4, hours in 0.0..1e3, intensity in 0.0..900.0, units in 1e-3..1e6,
    ) {
        let site = site(intensity, 1.2);
        let footprint = of(kwh, hours, &site, 0.3);
        let found = scored(&footprint, &site, Boundary::Machines, units);
        let total = found.value().unwrap().value.as_grams() * units;
        prop_assert!((total - grams(&footprint)).abs() <= 1e-9 * total.max(1.0));
    }

    #[test]
    fn times_is_the_sum_of_as_many(kwh in 0.0..1e3, hours in 0.0..1e2, count in 1usize..8) {
        let one = of(kwh, hours, &site(300.0, 1.2), 0.3);
        let times = Tally::of([&one.times(count as f64)]).total;
        let sum = Tally::of(&vec![one; count]).total;
        prop_assert!((times.likely.as_grams() - sum.likely.as_grams()).abs() <= 1e-9 * sum.likely.as_grams());
        prop_assert!((times.sigma - sum.sigma).abs() < 1e-9);
    }
}
