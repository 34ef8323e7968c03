//! Totals of bills, held against sums by hand, and against the same rows in another order.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::LazyLock;

use nearside_catalog::Catalog;
use nearside_units::{AtLeast, ExchangeRates};
use proptest::prelude::*;

use super::*;

static CATALOG: LazyLock<Catalog> = LazyLock::new(|| Catalog::builtin().unwrap());
static ACCELERATORS: LazyLock<Accelerators<'static>> =
    LazyLock::new(|| Accelerators::new(&CATALOG));

/// Cells by column, over those of an ordinary row.
type Cells = Vec<(&'static str, String)>;

const ORDINARY: [(&str, &str); 8] = [
    ("BilledCost", "1"),
    ("EffectiveCost", "1"),
    ("BillingCurrency", "USD"),
    ("ChargeCategory", "Usage"),
    ("ChargePeriodStart", "2026-10-01T00:00:00Z"),
    ("ChargePeriodEnd", "2026-10-01T01:00:00Z"),
    ("ProviderName", "AWS"),
    ("ServiceName", "Amazon EC2"),
];

fn cells(stated: &[(&'static str, &str)]) -> Cells {
    let ordinary = ORDINARY.iter().filter(|(name, _)| stated.iter().all(|cell| cell.0 != *name));
    ordinary.chain(stated).map(|(name, text)| (*name, (*text).to_owned())).collect()
}

/// A bill of rows; each is told from others by its cells.
fn bill<'a>(rows: impl IntoIterator<Item = &'a Cells>) -> Bill {
    let mut bill = Bill::default();
    for row in rows {
        let cell =
            |name: &&str| row.iter().find(|cell| cell.0 == *name).map(|cell| cell.1.as_str());
        let values: Vec<Option<&str>> = COLUMNS.iter().map(cell).collect();
        let mut hasher = DefaultHasher::new();
        values.hash(&mut hasher);
        bill.add(&Charge::read(&values, hasher.finish()), &ACCELERATORS);
    }
    bill
}

fn dollars() -> ExchangeRates {
    ExchangeRates::new(Currency::USD, BTreeMap::new())
}

fn shown(sum: &Sum) -> String {
    let AtLeast { total, missing } = sum.converted(&dollars());
    format!("{}{total:#}", if missing.is_empty() { "" } else { "at least " })
}

fn rows_of(bill: &Bill, oddity: Oddity) -> u64 {
    bill.oddities().find(|(found, _)| *found == oddity).map_or(0, |(_, odd)| odd.rows)
}

#[test]
fn a_commitment_is_paid_once_in_cash_and_once_in_use() {
    let rows = [
        cells(&[
            ("ChargeCategory", "Purchase"),
            ("BilledCost", "100"),
            ("EffectiveCost", "0"),
            ("CommitmentDiscountId", "sp-1"),
        ]),
        cells(&[
            ("BilledCost", "0"),
            ("EffectiveCost", "80"),
            ("CommitmentDiscountId", "sp-1"),
            ("CommitmentDiscountStatus", "Used"),
        ]),
        cells(&[
            ("BilledCost", "0"),
            ("EffectiveCost", "20"),
            ("CommitmentDiscountId", "sp-1"),
            ("CommitmentDiscountStatus", "Unused"),
        ]),
        cells(&[("BilledCost", "7.5"), ("EffectiveCost", "7.5")]),
    ];
    let found = bill(&rows);
    assert_eq!(shown(&found.total().cash), "107.5 USD");
    assert_eq!(shown(&found.total().amortised), "107.5 USD");
    let waste = found.lines().find(|(line, _)| *line == Line::Unused).unwrap().1;
    assert_eq!((shown(&waste.cash), shown(&waste.amortised)), ("0 USD".into(), "20 USD".into()));
    assert_eq!(rows_of(&found, Oddity::BoughtAhead), 0);
}

#[test]
fn a_purchase_that_is_spread_too_is_not_counted_twice() {
    let rows = [cells(&[
        ("ChargeCategory", "Purchase"),
        ("BilledCost", "100"),
        ("EffectiveCost", "100"),
        ("CommitmentDiscountId", "ri-1"),
    ])];
    let found = bill(&rows);
    assert_eq!(shown(&found.total().amortised), "0 USD");
    assert_eq!(rows_of(&found, Oddity::BoughtAhead), 1);
    // What is no commitment counts: an hour of support, a data set.
    let rows =
        [cells(&[("ChargeCategory", "Purchase"), ("BilledCost", "100"), ("EffectiveCost", "100")])];
    assert_eq!(shown(&bill(&rows).total().amortised), "100 USD");
}

#[test]
fn every_line_stands_for_itself() {
    let rows = [
        cells(&[("ChargeCategory", "Tax"), ("BilledCost", "1.9")]),
        cells(&[("ChargeCategory", "Credit"), ("BilledCost", "-5")]),
        cells(&[("ChargeCategory", "Adjustment"), ("BilledCost", "0.01")]),
        cells(&[("ChargeClass", "Correction"), ("BilledCost", "-2")]),
        cells(&[("ChargeCategory", "Gift"), ("BilledCost", "3")]),
        cells(&[("BilledCost", "-4"), ("EffectiveCost", "-4")]),
    ];
    let found = bill(&rows);
    let lines: Vec<_> = found.lines().map(|(line, sum)| (line, shown(&sum.cash))).collect();
    let expect = [
        (Line::Usage, "-4 USD"),
        (Line::Tax, "1.9 USD"),
        (Line::Credit, "-5 USD"),
        (Line::Adjustment, "0.01 USD"),
        (Line::Correction, "-2 USD"),
        (Line::Other, "3 USD"),
    ];
    assert_eq!(lines, expect.map(|(line, sum)| (line, sum.to_owned())));
    assert_eq!(rows_of(&found, Oddity::NegativeUsage), 1);
    assert_eq!(rows_of(&found, Oddity::Doubt(Doubt::Category)), 1);
    assert_eq!(shown(&found.total().cash), "-6.09 USD");
}

#[test]
fn the_same_row_twice_counts_once() {
    let row = cells(&[("BilledCost", "12.5")]);
    let found = bill([&row, &row, &cells(&[("BilledCost", "12.5"), ("ResourceId", "other")])]);
    assert_eq!((found.total().rows, shown(&found.total().cash)), (2, "25 USD".to_owned()));
    let duplicate = found.oddities().find(|(oddity, _)| *oddity == Oddity::Duplicate).unwrap().1;
    assert_eq!((duplicate.rows, shown(&duplicate.cost)), (1, "12.5 USD".to_owned()));
}

#[test]
fn what_is_unknown_makes_totals_at_least() {
    let found =
        bill(&[cells(&[]), cells(&[("BilledCost", "")]), cells(&[("BillingCurrency", "CHF")])]);
    assert_eq!(shown(&found.total().cash), "at least 1 USD");
    assert_eq!(shown(&found.total().amortised), "at least 2 USD");
    let francs = BTreeMap::from([("CHF".parse().unwrap(), "1.1".parse().unwrap())]);
    let cash = found.total().cash.converted(&ExchangeRates::new(Currency::USD, francs));
    assert_eq!((cash.total.to_string(), cash.missing.len()), ("2.10 USD".to_owned(), 1));
    assert_eq!(found.currency(), Some(Currency::USD));
}

#[test]
fn periods_without_length_are_named_and_their_cost_counts() {
    let gpu = ("x_UsageType", "BoxUsage:g5.xlarge");
    let hours = [("ConsumedQuantity", "1"), ("ConsumedUnit", "Hours")];
    let still = [gpu, hours[0], hours[1], ("ChargePeriodEnd", "2026-10-01T00:00:00Z")];
    let backward = [gpu, hours[0], hours[1], ("ChargePeriodEnd", "2026-09-30T00:00:00Z")];
    let found = bill(&[cells(&still), cells(&backward), cells(&[("ChargePeriodStart", "soon")])]);
    assert_eq!(shown(&found.total().cash), "3 USD");
    assert_eq!((rows_of(&found, Oddity::NoLength), rows_of(&found, Oddity::Reversed)), (1, 1));
    assert_eq!(found.usage().uncounted().map(|(_, rows, _)| rows).collect::<Vec<_>>(), [2]);
    assert!(found.months().contains_key(&None));
}

#[test]
fn cash_is_of_the_invoice_and_use_of_its_day() {
    let late = [
        ("BillingPeriodStart", "2026-11-01T00:00:00Z"),
        ("BilledCost", "5"),
        ("EffectiveCost", "3"),
    ];
    let months = bill(&[cells(&late)]).months();
    let month = |text: &str| Some(Moment::read(text).unwrap().month());
    assert_eq!(shown(&months[&month("2026-11-01")].0), "5 USD");
    assert_eq!(shown(&months[&month("2026-10-01")].1), "3 USD");
}

#[test]
fn hours_of_machines_are_hours_of_their_devices_times_how_many() {
    let p4d = [
        ("x_UsageType", "BoxUsage:p4d.24xlarge"),
        ("ConsumedQuantity", "2"),
        ("ConsumedUnit", "Hours"),
        ("BilledCost", "44"),
        ("EffectiveCost", "44"),
    ];
    let found = bill(&[cells(&p4d)]);
    let (kind, used) = found.usage().kinds().next().unwrap();
    assert_eq!((&*kind.device, kind.machine.as_ref().unwrap().1), ("a100-sxm-40gb", 8));
    assert!((used.machine_time.as_hours() - 2.0).abs() < 1e-12);
    assert!((used.device_time.as_hours() - 16.0).abs() < 1e-12);
    assert_eq!(used.hours().count(), 1);
}

/// Rows of every sort, some of them twice.
fn any_row() -> impl Strategy<Value = Cells> {
    let amount =
        prop_oneof![(-999_999_i64..9_999_999).prop_map(|n| format!("{n}E-4")), Just(String::new())];
    let category =
        prop::sample::select(vec!["Usage", "Purchase", "Tax", "Credit", "Adjustment", "?"]);
    let class = prop::sample::select(vec!["", "Correction"]);
    let status = prop::sample::select(vec!["", "Used", "Unused"]);
    let currency = prop::sample::select(vec!["USD", "USD", "EUR", "x"]);
    let meter = prop::sample::select(vec![
        "BoxUsage:g5.xlarge",
        "BoxUsage:m5a.xlarge",
        "SpotUsage:p3.2xlarge",
    ]);
    let day = 1_u32..29;
    (amount.clone(), amount, category, class, status, currency, meter, day).prop_map(
        |(billed, effective, category, class, status, currency, meter, day)| {
            cells(&[
                ("BilledCost", &billed),
                ("EffectiveCost", &effective),
                ("ChargeCategory", category),
                ("ChargeClass", class),
                ("CommitmentDiscountStatus", status),
                ("CommitmentDiscountId", status),
                ("BillingCurrency", currency),
                ("x_UsageType", meter),
                ("ConsumedQuantity", "0.7"),
                ("ConsumedUnit", "Hours"),
                ("ChargePeriodStart", &format!("2026-10-{day:02}T00:00:00Z")),
                ("ChargePeriodEnd", &format!("2026-10-{day:02}T03:00:00Z")),
            ])
        },
    )
}

proptest! {
    #[test]
    fn neither_the_order_nor_the_files_show(
        rows in prop::collection::vec(any_row(), 0..60),
        seed in any::<prop::sample::Index>(),
    ) {
        let one = bill(&rows);
        let mut other: Vec<&Cells> = rows.iter().collect();
        other.reverse();
        if !other.is_empty() {
            let at = seed.index(other.len());
            other.rotate_left(at);
        }
        let other = bill(other);
        prop_assert_eq!(one.total(), other.total());
        prop_assert_eq!(one.months(), other.months());
        prop_assert_eq!(one.usage(), other.usage());
        prop_assert!(one.lines().eq(other.lines()) && one.services().eq(other.services()));
        prop_assert!(one.oddities().eq(other.oddities()));
        prop_assert_eq!(one.currency(), other.currency());
    }

    #[test]
    fn the_lines_are_the_bill(rows in prop::collection::vec(any_row(), 0..60)) {
        let found = bill(&rows);
        prop_assert_eq!(&found.sum_of_lines(), found.total());
        let mut months = (Sum::default(), Sum::default());
        for (cash, amortised) in found.months().values() {
            months.0.merge(cash);
            months.1.merge(amortised);
        }
        prop_assert_eq!(&months.0, &found.total().cash);
        prop_assert_eq!(&months.1, &found.total().amortised);
        let mut services = Totals::default();
        found.services().for_each(|(_, totals)| services.merge(totals));
        prop_assert_eq!(&services, found.total());
    }
}
