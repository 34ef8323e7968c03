//! Whether a machine pays: worked examples, what must grow with what, and equal answers by other ways.

use std::collections::BTreeMap;

use nearside_economics::{Case, Draws, FAR, Given, Id, Input, NEAR, Roi, Value};
use nearside_units::{Basis, Currency, ExchangeRates, Span};
use proptest::prelude::*;

fn exact(value: f64) -> Input {
    Input { span: Span::exact(value), basis: Basis::assumed("a test") }
}

fn given(values: &[(&'static str, f64)]) -> Given {
    values.iter().map(|(name, value)| (*name, exact(*value))).collect()
}

/// The workstation of published comparisons: 0.55 kW at work, 0.10 idle, 0.15 a kilowatt-hour.
fn workstation(price: f64, hours: f64, far_price: f64) -> Case {
    let near = given(&[
        ("machine_price", price),
        ("hours", hours),
        ("load", 550.0),
        ("idle", 100.0),
        ("idle_on", 1.0),
        ("pue", 1.0),
        ("tariff", 0.15),
        ("maintenance", 0.05),
        ("yearly_loss", 1.0),
    ]);
    Case { near, far: vec![("rented".into(), given(&[("price", far_price)]))] }
}

#[track_caller]
fn number(roi: &Roi, id: Id) -> f64 {
    roi.sheet.values().of(id).number().expect("a number")
}

#[test]
fn a_workstation_against_a_rented_card_pays_back_as_published() {
    for (far, hours, months) in [(0.8048, 240.0, 23.1), (0.8048, 400.0, 13.0), (1.861, 80.0, 29.7)]
    {
        let roi = Roi::of(&workstation(3500.0, hours, far)).unwrap();
        let found = number(&roi, roi.far[0].payback);
        assert!((found - months).abs() < 0.05, "{found} {months}");
    }
}

#[test]
fn flows_of_money_follow_the_books() {
    // 10,000 at once, 4 years, 500 a month saved, a third of profit is taxed, a fifth is left.
    let mut case = workstation(10_000.0, 0.0, 1.0);
    case.near.extend(given(&[
        ("idle", 0.0),
        ("maintenance", 0.0),
        ("life", 4.0),
        ("yearly_loss", 0.331_259_695),
        ("tax_rate", 0.30),
        ("discount_rate", 0.10),
    ]));
    case.far[0].1.extend(given(&[("fee", 500.0), ("price_change", 0.0)]));
    let roi = Roi::of(&case).unwrap();
    let values = roi.sheet.values();
    let flows: Vec<f64> =
        roi.far[0].flows.iter().map(|id| values.of(*id).number().unwrap()).collect();
    // 6,000 saved, less 30 % of 6,000 - 2,000 depreciated; at the end 2,000 are left, as booked.
    let expected = [-10_000.0, 4800.0, 4800.0, 4800.0, 6800.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
    for (found, expected) in flows.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-3, "{flows:?}");
    }
    let worth: f64 = expected.iter().enumerate().map(|(t, it)| it / 1.1f64.powi(t as i32)).sum();
    assert!((number(&roi, roi.far[0].worth) - worth).abs() < 0.01);
    // Two years bring 8,330.58 of today's money; the third brings 3,606.31: 1,669.42 are missing.
    let months = 12.0 * (2.0 + 1_669.421_5 / 3606.311);
    assert!((number(&roi, roi.far[0].payback_discounted) - months).abs() < 1e-3);
    assert!((number(&roi, roi.far[0].payback) - 20.0).abs() < 1e-9);
}

#[test]
fn every_method_writes_the_whole_price_off() {
    for (method, shares) in [
        (1.0, [0.25, 0.25, 0.25, 0.25, 0.0, 0.0]),
        // Double declining balance over four years, in equal parts once that is more.
        (2.0, [0.5, 0.25, 0.125, 0.125, 0.0, 0.0]),
        (3.0, [0.20, 0.32, 0.192, 0.1152, 0.0, 0.0]),
        (5.0, [0.05, 0.38, 0.228, 0.1368, 0.0, 0.0]),
    ] {
        let mut case = workstation(5000.0, 100.0, 1.0);
        case.near.extend(given(&[("depreciation", method), ("life", 4.0)]));
        let roi = Roi::of(&case).unwrap();
        for (year, share) in shares.iter().enumerate() {
            let id = roi.sheet.find(&format!("depreciation_{}", year + 1)).unwrap();
            let found = number(&roi, id);
            assert!((found - 5000.0 * share).abs() < 1e-6, "{method} {year}: {found}");
        }
    }
}

#[test]
fn a_loan_is_paid_back_with_its_interest() {
    let mut case = workstation(10_000.0, 100.0, 1.0);
    case.near.extend(given(&[("financed", 1.0), ("loan_rate", 0.10), ("loan_years", 2.0)]));
    let roi = Roi::of(&case).unwrap();
    // 10,000 over two years at a tenth: 5,761.90 a year, of which 1,000 and 523.81 are interest.
    let of = |name: &str| number(&roi, roi.sheet.find(name).unwrap());
    assert!((of("payment_1") - 5_761.904_76).abs() < 1e-4);
    assert!(
        (of("interest_1") - 1000.0).abs() < 1e-9 && (of("interest_2") - 523.809_5).abs() < 1e-4
    );
    assert!(of("owed_2").abs() < 1e-6 && of("payment_3").abs() < 1e-6);
    assert!(number(&roi, roi.far[0].flows[0]).abs() < 1e-9);
}

#[test]
fn a_loan_is_paid_back_whole_whatever_its_years() {
    for years in [1.0, 1.5, 2.0, 2.5, 2.99, 3.0, 10.0] {
        let mut case = workstation(10_000.0, 100.0, 1.0);
        let loan = [("financed", 1.0), ("loan_rate", 0.08), ("loan_years", years)];
        case.near.extend(given(&loan));
        // What is lent at the rate that money is worth is worth nothing.
        case.near.extend(given(&[("discount_rate", 0.08), ("life", 4.0)]));
        let lent = number(&Roi::of(&case).unwrap(), Roi::of(&case).unwrap().far[0].worth);
        case.near.extend(given(&[("financed", 0.0)]));
        let roi = Roi::of(&case).unwrap();
        assert!((lent - number(&roi, roi.far[0].worth)).abs() < 1e-6, "{years}: {lent}");
    }
}

#[test]
fn what_is_lent_first_is_no_return() {
    let mut case = workstation(3500.0, 130.0, 1.006);
    let loan = [("life", 2.0), ("financed", 1.0), ("loan_years", 10.0)];
    case.near.extend(given(&loan));
    let roi = Roi::of(&case).unwrap();
    let values = roi.sheet.values();
    assert!(number(&roi, roi.far[0].worth) < 0.0);
    assert_eq!(values.of(roi.far[0].payback_discounted), Value::Nothing("never"));
    assert_eq!(values.of(roi.far[0].rate_of_return), Value::Nothing("none"));
}

#[test]
fn one_tariff_holds_at_night_unless_another_is_stated() {
    let power = |more: &[(&'static str, f64)]| {
        let mut case = workstation(3500.0, 100.0, 1.0);
        case.near.extend(given(more));
        let roi = Roi::of(&case).unwrap();
        number(&roi, roi.near.parts[0])
    };
    let one = power(&[]);
    assert!((power(&[("night_share", 0.3)]) - one).abs() < 1e-9);
    let cheaper = power(&[("night_share", 0.3), ("night_tariff", 0.05)]);
    assert!((cheaper - one * (0.7 + 0.3 / 3.0)).abs() < 1e-9, "{cheaper} {one}");
}

#[test]
fn interruptions_cost_what_young_says() {
    let mut case = workstation(3500.0, 100.0, 1.0);
    // Once in ten hours, three minutes to write a checkpoint, six to start again: every hour one is
    // written, so 0.1 x (0.5 + 0.1) + 0.05 / 1 of the work is lost.
    let spot = [("interruptions", 0.1), ("checkpoint", 3.0), ("restart", 6.0)];
    case.far[0].1.extend(given(&spot));
    let roi = Roi::of(&case).unwrap();
    assert!((number(&roi, roi.far[0].rework) - 0.11).abs() < 1e-9);
    assert!((number(&roi, roi.far[0].hours) - 111.0).abs() < 1e-9);
}

#[test]
fn a_commitment_is_paid_whether_used_or_not() {
    // 47 % less, for all hours: break-even with paying by the hour is at 53 % of all hours.
    let hours = 0.53 * 730.0;
    let mut case = workstation(3500.0, hours, 1.0);
    case.far.push((
        "a year".into(),
        given(&[("price", 1.0), ("discount", 0.47), ("committed", 730.0)]),
    ));
    let roi = Roi::of(&case).unwrap();
    let (hourly, committed) = (number(&roi, roi.far[0].month), number(&roi, roi.far[1].month));
    assert!((hourly - committed).abs() < 1e-9);
    assert_eq!(roi.sheet.values().of(roi.far[1].break_even), Value::Nothing("all hours are paid"));
}

#[test]
fn what_never_pays_says_so() {
    let roi = Roi::of(&workstation(3500.0, 10.0, 0.1)).unwrap();
    let (values, far) = (roi.sheet.values(), &roi.far[0]);
    for id in [far.payback, far.payback_discounted, far.payback_with_time] {
        assert_eq!(values.of(id), Value::Nothing("never"));
    }
    assert_eq!(values.of(far.rate_of_return), Value::Nothing("none"));
    let idle = Roi::of(&workstation(3500.0, 0.0, 0.1)).unwrap();
    assert_eq!(idle.sheet.values().of(idle.near.per_device_hour), Value::Nothing("no use"));
}

#[test]
fn work_beyond_the_hours_of_a_machine_stays_elsewhere() {
    let roi = Roi::of(&workstation(3500.0, 1000.0, 2.0)).unwrap();
    assert!((number(&roi, roi.near.used) - 730.0).abs() < 1e-9);
    assert!((number(&roi, roi.far[0].beyond) - 540.0).abs() < 1e-9);
}

#[test]
fn emissions_stand_beside_the_money() {
    let mut case = workstation(3500.0, 73.0, 1.0);
    case.near.extend(given(&[("life", 4.0), ("intensity", 400.0), ("embodied", 300.0)]));
    let far = [("power", 300.0), ("pue", 1.2), ("intensity", 100.0), ("embodied_hour", 20.0)];
    case.far[0].1.extend(given(&far));
    let roi = Roi::of(&case).unwrap();
    let (near, far) = (roi.near.emissions.unwrap(), roi.far[0].emissions.unwrap());
    // 73 h at 550 W and 657 h at 100 W a month; a quarter of making it.
    let energy = 12.0 * (73.0 * 0.55 + 657.0 * 0.1);
    assert!((number(&roi, near.total) - energy * 0.4 - 75.0).abs() < 1e-9);
    let hours = 12.0 * 73.0;
    let expected = hours * 0.3 * 1.2 * 0.1 + hours * 0.02;
    assert!((number(&roi, far.total) - expected).abs() < 1e-9);
    case.near.remove("intensity");
    assert_eq!(Roi::of(&case).unwrap().near.emissions, None);
}

#[test]
fn what_has_to_be_stated_is_asked_for() {
    let mut case = workstation(3500.0, 100.0, 1.0);
    case.near.remove("tariff");
    let error = Roi::of(&case).unwrap_err();
    assert_eq!(error.to_string(), "tariff (Price of electricity) is not stated");
}

#[test]
fn values_are_read_with_their_units() {
    let exchange = ExchangeRates::new(
        Currency::EUR,
        BTreeMap::from([(Currency::USD, "0.9".parse().unwrap())]),
    );
    let read = |name: &str, text: &str| {
        let input = NEAR.iter().chain(FAR).find(|input| input.name == name).unwrap();
        input
            .read(text, &exchange, Basis::assumed("a test"))
            .map(|input| (input.span.low(), input.span.likely(), input.span.high()))
    };
    assert_eq!(read("machine_price", "3000..3500..4000 EUR"), Ok((3000.0, 3500.0, 4000.0)));
    assert_eq!(read("machine_price", "1000 USD"), Ok((900.0, 900.0, 900.0)));
    assert_eq!(read("load", "0.4 kW..0.6 kW"), Ok((400.0, 500.0, 600.0)));
    assert_eq!(read("maintenance", "3..10 %").map(|span| (span.2 * 100.0).round()), Ok(10.0));
    assert_eq!(read("room", "1200 EUR/year"), Ok((100.0, 100.0, 100.0)));
    assert_eq!(read("price_change", "-20 %..0 %..5 %"), Ok((-0.2, 0.0, 0.05)));
    assert_eq!(read("wait_there", "0.1 h"), Ok((6.0, 6.0, 6.0)));
    assert_eq!(read("hours", "240 h/month"), Ok((240.0, 240.0, 240.0)));
    for (name, text) in [
        ("machine_price", "3500"),
        ("machine_price", "3500 CHF"),
        ("machine_price", "-1 EUR"),
        ("load", "550"),
        ("load", "400..300 W"),
        ("life", "40 years"),
        ("maintenance", "105 %"),
        ("maintenance", "NaN"),
        ("hours", "many"),
        ("hours", "1..2..3..4"),
        ("room", "100 EUR"),
    ] {
        assert!(read(name, text).is_err(), "{name} {text}");
    }
}

#[test]
fn draws_are_the_same_for_a_seed_and_their_mean_is_right() {
    let mut case = workstation(3500.0, 200.0, 1.0);
    let span = |low, likely, high| Input {
        span: Span::new(low, likely, high).unwrap(),
        basis: Basis::assumed("a test"),
    };
    case.near.insert("room", span(0.0, 100.0, 500.0));
    case.far[0].1.insert("fee", span(10.0, 20.0, 60.0));
    case.far[0].1.insert("price", span(0.5, 1.0, 1.2));
    case.near.insert("maintenance", span(0.03, 0.05, 0.10));
    let roi = Roi::of(&case).unwrap();
    let saving = roi.far[0].saving;
    let draws = Draws { count: 10_000, seed: 7 };
    let sample = &roi.sheet.drawn(&[saving], draws)[0];
    assert_eq!(sample, &roi.sheet.drawn(&[saving], draws)[0]);
    assert_ne!(sample, &roi.sheet.drawn(&[saving], Draws { seed: 8, ..draws })[0]);
    // It is linear in each of them: the mean of a triangle is the mean of its corners. `idle_on` and
    // `pue` are exact here.
    let power = (550.0 * 200.0 + 100.0 * 530.0) / 1000.0 * 0.15;
    let mean = |low: f64, likely: f64, high: f64| (low + likely + high) / 3.0;
    let near = power + 3500.0 * mean(0.03, 0.05, 0.10) / 12.0 + mean(0.0, 100.0, 500.0);
    let expected = 200.0 * mean(0.5, 1.0, 1.2) + mean(10.0, 20.0, 60.0) - near;
    assert!((sample.mean().unwrap() - expected).abs() < 0.01, "{:?} {expected}", sample.mean());
}

#[test]
fn what_matters_most_comes_first() {
    let roi = Roi::of(&workstation(3500.0, 200.0, 1.0)).unwrap();
    let swings = roi.sheet.swings(roi.far[0].worth);
    let names: Vec<_> = swings.iter().map(|it| roi.sheet.cell(it.id).name.as_str()).collect();
    assert!(swings.windows(2).all(|two| two[0].width() >= two[1].width()), "{names:?}");
    assert!(names[..2].contains(&"far1_price_change"), "{names:?}");
    // What is exact, or does not count, is not there.
    assert!(!names.contains(&"tariff") && !names.contains(&"far1_restart"), "{names:?}");
}

#[test]
fn a_formula_written_out_comes_to_the_same() {
    let roi = Roi::of(&workstation(3500.0, 200.0, 1.0)).unwrap();
    let mut sheet = roi.sheet.clone();
    let hours = roi.sheet.find("hours").unwrap();
    let instead = BTreeMap::from([(hours, 300.0.into())]);
    let written = sheet.written_out(roi.far[0].payback, &instead);
    let mut cell = roi.sheet.cell(roi.far[0].payback).clone();
    cell.name = "at_300_hours".to_owned();
    cell.content = nearside_economics::Content::Formula(written);
    let id = sheet.put(cell);
    let other = Roi::of(&workstation(3500.0, 300.0, 1.0)).unwrap();
    let found = sheet.values().of(id).number().unwrap();
    assert!((found - number(&other, other.far[0].payback)).abs() < 1e-9);
}

/// A case of everything that is stated: price, hours, what an hour costs elsewhere.
fn cases() -> impl Strategy<Value = (f64, f64, f64, f64, f64)> {
    (100.0..1e6f64, 1.0..730.0f64, 0.05..100.0f64, 0.0..0.4f64, 0.0..0.3f64)
}

proptest! {
    #[test]
    fn worth_falls_with_the_price_and_grows_with_hours_and_prices_elsewhere(
        (price, hours, far, tax, rate) in cases(), more in 1.01..2.0f64,
    ) {
        let worth = |price: f64, hours: f64, far: f64| {
            let mut case = workstation(price, hours, far);
            case.near.extend(given(&[("tax_rate", tax), ("discount_rate", rate)]));
            let roi = Roi::of(&case).unwrap();
            number(&roi, roi.far[0].worth)
        };
        let here = worth(price, hours, far);
        prop_assert!(worth(price * more, hours, far) < here);
        prop_assert!(worth(price, hours, far * more) > here);
        // Where an hour there costs more than the electricity of one here.
        if far > 0.45 * 0.15 {
            prop_assert!(worth(price, (hours * more).min(730.0), far) >= here);
        }
    }

    #[test]
    fn at_break_even_both_cost_the_same(
        (price, _, far, _, rate) in cases(), storage in 0.0..1000.0f64,
    ) {
        let case = |hours: f64| {
            let mut case = workstation(price, hours, far);
            case.near.extend(given(&[("discount_rate", rate)]));
            case.far[0].1.extend(given(&[("storage", storage), ("storage_price", 0.02)]));
            Roi::of(&case).unwrap()
        };
        let roi = case(100.0);
        if let Value::Number(hours) = roi.sheet.values().of(roi.far[0].break_even) {
            let roi = case(hours);
            let (near, far) = (number(&roi, roi.near.month_full), number(&roi, roi.far[0].month));
            let free = hours <= 0.0 && near <= far;
            prop_assert!((near - far).abs() < 1e-6 * near.max(1.0) || free, "{} {} {}", hours, near, far);
        }
    }

    #[test]
    fn at_the_rate_of_return_nothing_is_gained((price, hours, far, tax, _) in cases()) {
        let mut case = workstation(price, hours, far);
        case.near.extend(given(&[("tax_rate", tax)]));
        let roi = Roi::of(&case).unwrap();
        if let Value::Number(rate) = roi.sheet.values().of(roi.far[0].rate_of_return)
            && (0.0..1.0).contains(&rate)
        {
            let mut case = case;
            case.near.extend(given(&[("discount_rate", rate)]));
            let roi = Roi::of(&case).unwrap();
            prop_assert!(number(&roi, roi.far[0].worth).abs() < 1e-6 * price);
        }
    }

    #[test]
    fn the_payback_is_when_cash_has_come_back((price, hours, far, _, _) in cases()) {
        let roi = Roi::of(&workstation(price, hours, far)).unwrap();
        if let Value::Number(months) = roi.sheet.values().of(roi.far[0].payback) {
            let saved = months * number(&roi, roi.far[0].saving);
            prop_assert!((saved - price).abs() < 1e-6 * price);
        }
    }
}
