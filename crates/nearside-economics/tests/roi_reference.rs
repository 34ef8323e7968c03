//! Published figures of whether a machine pays, beside what the sheet comes to: every row of
//! `data/roi_reference.csv` is reproduced to its last printed digit. `cargo nextest run roi_reference
//! --no-capture` shows the table.
//!
//! 35 rows are figures that a source prints. 18 were computed apart from this crate, from inputs that are
//! published: those of `nearside`, and those whose unit says "computed".
//!
//! Columns of the file: what the source states (`inputs`), what it concludes (`value`, in `unit`), what it
//! leaves open and is assumed here (`assumed`), how far off a figure may be (`within`; half a unit of the
//! last printed digit where it is empty), and for rows that are wrong, the wrong figure (`claim`) and the
//! slip that has to be found for it (`slip`).

use std::collections::BTreeMap;
use std::fmt::Write as _;

use nearside_economics::{
    CLAIM_WITHIN, Case, Given, Id, Input, MACRS_FIRST_QUARTER, MACRS_FOURTH_QUARTER,
    MACRS_HALF_YEAR, Roi, explain,
};
use nearside_units::{Basis, HOURS_PER_MONTH, Span};

/// A row of the file.
struct Row {
    source: String,
    case: String,
    /// Stated and assumed facts.
    facts: String,
    value: String,
    unit: String,
    within: Option<f64>,
    claim: Option<f64>,
    slip: String,
}

impl Row {
    /// The number of `name=number`.
    fn of(&self, name: &str) -> f64 {
        let named = |fact: &str| fact.strip_prefix(name)?.strip_prefix('=').map(leading);
        let found = self.facts.split("; ").find_map(named);
        assert!(found.is_some(), "{}: no {name} in {}", self.case, self.facts);
        found.expect("just seen")
    }

    /// The number that stands before a word.
    fn before(&self, word: &str) -> f64 {
        let (text, _) = self.facts.split_once(word).expect("the word is there");
        let start = text.rfind(|sign: char| !is_number(sign)).map_or(0, |place| place + 1);
        text[start..].parse().expect("a number before the word")
    }

    /// What is published, as numbers; a list where it is one.
    fn published(&self) -> Published {
        let number = |text: &str| text.parse::<f64>().expect("a number");
        match (self.value.strip_prefix('<'), self.value.split_once('-')) {
            (Some(most), _) => Published::Between(0.0, number(most)),
            (None, Some((least, most))) => Published::Between(number(least), number(most)),
            (None, None) => Published::Numbers(self.value.split(';').map(number).collect()),
        }
    }

    /// How far off the last printed digit may be, or what the row says.
    fn tolerance(&self) -> f64 {
        let decimals = self.value.split_once('.').map_or(0, |(_, decimals)| decimals.len());
        self.within.unwrap_or_else(|| 0.5 / 10f64.powi(decimals as i32))
    }
}

enum Published {
    Numbers(Vec<f64>),
    Between(f64, f64),
}

const fn is_number(sign: char) -> bool {
    sign.is_ascii_digit() || sign == '.'
}

/// The number that a text begins with.
fn leading(text: &str) -> f64 {
    let end = text.find(|sign: char| !is_number(sign) && sign != 'e').unwrap_or(text.len());
    text[..end].parse().expect("it begins with a number")
}

fn rows() -> Vec<Row> {
    let mut reader = csv::Reader::from_reader(include_str!("data/roi_reference.csv").as_bytes());
    let read = |record: csv::StringRecord| {
        let text = |column: usize| record[column].to_owned();
        let number = |column: usize| record[column].parse().ok();
        let facts = [text(2), text(6)].into_iter().filter(|facts| !facts.is_empty());
        Row {
            source: text(0),
            case: text(1),
            facts: facts.collect::<Vec<_>>().join("; "),
            value: text(4),
            unit: text(5),
            within: number(7),
            claim: number(8),
            slip: text(9),
        }
    };
    reader.records().map(|record| read(record.expect("a row"))).collect()
}

/// How a row was reproduced.
enum How {
    /// By cells of the sheet.
    Sheet(&'static str),
    /// By cells of the sheet under assumptions, and for which of them it is within what is published.
    Range(String),
    /// By plain arithmetic, and why no function of the product can.
    Plain(&'static str),
    /// Not, and why.
    Explained(&'static str),
}

/// What a row comes to.
struct Found {
    values: Vec<f64>,
    how: How,
    /// The sheet and the cell that a wrong figure is held against, and units of the row in one of the cell.
    asked: Option<(Roi, Id, f64)>,
}

fn sheet(how: &'static str, value: f64) -> Found {
    Found { values: vec![value], how: How::Sheet(how), asked: None }
}

fn plain(why: &'static str, value: f64) -> Found {
    Found { values: vec![value], how: How::Plain(why), asked: None }
}

/// A machine of which nothing but this is stated: it costs nothing, does nothing, keeps no worth.
fn near_and_far(near: &[(&'static str, f64)], far: &[(&'static str, f64)]) -> Roi {
    let given = |values: &[(&'static str, f64)]| -> Given {
        let input = |value| Input { span: Span::exact(value), basis: Basis::assumed("published") };
        values.iter().map(|(name, value)| (*name, input(*value))).collect()
    };
    let mut all = given(&[
        ("machine_price", 0.0),
        ("hours", 0.0),
        ("load", 0.0),
        ("idle", 0.0),
        ("tariff", 0.0),
        ("pue", 1.0),
        ("maintenance", 0.0),
        ("discount_rate", 0.0),
        ("yearly_loss", 1.0),
        ("lost_share", 1.0),
    ]);
    all.extend(given(near));
    let mut other = given(&[("price", 0.0)]);
    other.extend(given(far));
    Roi::of(&Case { near: all, far: vec![("elsewhere".into(), other)] }).expect("all is stated")
}

fn number(roi: &Roi, id: Id) -> f64 {
    roi.sheet.values().of(id).number().expect("a number")
}

fn named(roi: &Roi, name: &str) -> f64 {
    number(roi, roi.sheet.find(name).expect("a cell of that name"))
}

/// What a row comes to; nothing where nobody handles it.
fn computed(row: &Row) -> Option<Found> {
    let starts = |start: &str| row.case.starts_with(start);
    Some(match row.case.as_str() {
        "llama31_training_on_p5" => hours_elsewhere(row),
        _ if starts("8xH100_vs_p5") => hours_until_paid(row),
        "large_model_cost_per_mtok" | "token_cost_ratio" | "4096gpu_36m_hyperscaler_ratio" => {
            ratio_of_prices(row)
        }
        _ if starts("8gpu_") => calculator(row)?,
        _ if starts("rtx6000bw_") => tokens(row)?,
        _ if starts("tco3y_") || starts("tco_annual_") => three_years(row),
        "two_rtx_pro_6000_power" => power(row),
        "rtx5090_amortisation" => {
            let life = row.of("years");
            let roi = near_and_far(&[("machine_price", row.of("capex")), ("life", life)], &[]);
            sheet("depreciation_1 / 12", named(&roi, "depreciation_1") / 12.0)
        }
        "a100_247_month" => {
            let roi = near_and_far(&[("hours", row.of("hours"))], &[("price", row.of("usd_h"))]);
            sheet("month elsewhere", number(&roi, roi.far[0].month))
        }
        "utilisation_adjusted_capex" => at_use(row),
        "unit_trap_64_h100" => price_of_eight(row),
        "p5_reserved_1y" => discount(row),
        "4096gpu_36m_gold" => {
            let life = row.of("months") / 12.0;
            let roi = near_and_far(&[("life", life)], &[("fee", row.of("monthly"))]);
            sheet("total elsewhere", number(&roi, roi.far[0].total))
        }
        _ if starts("macrs5_copier") => copier(row),
        _ if starts("macrs5_") => macrs(row)?,
        "wait_cost_per_dev_year" | "team_wait_hours" | "verification_loop" => waiting(row),
        _ if starts("onprem_llm_breakeven") => tokens_sold(row),
        "rtxpro6000_vs_sonnet" => hours_of_a_day(row),
        _ if starts("payback_rtx4090") => workstation(row),
        _ => return None,
    })
}

/// 4.9 million instance-hours in one month: those that one machine has no time for are paid elsewhere too.
fn hours_elsewhere(row: &Row) -> Found {
    let hours = row.of("gpu_hours") / row.of("gpus_per_instance");
    let roi = near_and_far(&[("hours", hours)], &[("price", row.of("usd_per_instance_hour"))]);
    let all = number(&roi, roi.far[0].month) + number(&roi, roi.far[0].beyond);
    sheet("month + beyond elsewhere", all / 1e6)
}

/// Used at all hours; what an hour costs here is paid each month.
fn hours_until_paid(row: &Row) -> Found {
    let near = [
        ("machine_price", row.of("capex")),
        ("hours", HOURS_PER_MONTH),
        ("room", row.of("opex_usd_h") * HOURS_PER_MONTH),
    ];
    let roi = near_and_far(&near, &[("price", row.of("cloud_usd_h"))]);
    sheet("payback x 730 h", number(&roi, roi.far[0].payback) * HOURS_PER_MONTH)
}

fn ratio_of_prices(row: &Row) -> Found {
    let why = "the ratio of two published prices, no flow of money";
    match row.case.as_str() {
        "large_model_cost_per_mtok" => {
            plain(why, 100.0 * (1.0 - row.of("on_prem") / row.of("cloud")))
        }
        "token_cost_ratio" => plain(why, row.of("cloud") / row.of("on_prem")),
        _ => {
            let (_, other) = row.facts.split_once(" vs ").expect("two prices");
            plain(why, row.of("monthly") / leading(other))
        }
    }
}

/// A published calculator: 8 accelerators, each of them a machine.
fn calculator(row: &Row) -> Option<Found> {
    let near = [
        ("machines", row.of("n")),
        ("machine_price", row.of("usd_per_gpu")),
        ("overhead", row.of("overhead")),
        ("life", row.of("years")),
        ("hours", row.of("n") * row.of("hours_month")),
        ("load", row.of("kw_per_gpu") * 1000.0),
        ("pue", row.of("pue")),
        ("tariff", row.of("usd_kwh")),
        ("room", row.of("dc_usd_month")),
    ];
    let roi = near_and_far(&near, &[("price", row.of("cloud_usd_gpu_h"))]);
    let far = &roi.far[0];
    Some(match row.case.as_str() {
        "8gpu_capex" => sheet("price", number(&roi, roi.near.price)),
        "8gpu_amortisation_month" => {
            sheet("depreciation_1 / 12", named(&roi, "depreciation_1") / 12.0)
        }
        "8gpu_power_month" => sheet("power_month", number(&roi, roi.near.parts[0])),
        "8gpu_onprem_month" => sheet("month_full", number(&roi, roi.near.month_full)),
        "8gpu_cloud_month" => sheet("month elsewhere", number(&roi, far.month)),
        "8gpu_breakeven_cash" => sheet("payback", number(&roi, far.payback)),
        "8gpu_breakeven_published_formula" => {
            let payback = far.payback;
            let found = sheet("payback; slip", number(&roi, payback));
            Found { asked: Some((roi, payback, 1.0)), ..found }
        }
        _ => return None,
    })
}

/// A card that is paid back by what a token costs less; the saving is net of its electricity.
fn tokens(row: &Row) -> Option<Found> {
    let per_hour = || row.of("tok_s") * 3600.0 / 1e6;
    Some(match row.case.as_str() {
        "rtx6000bw_tokens_to_breakeven" => {
            // A billion tokens a month: as many months as billions.
            let fee = row.of("saving") * 1000.0;
            let roi = near_and_far(&[("machine_price", row.of("hardware"))], &[("fee", fee)]);
            sheet("payback at 1 G tokens a month", number(&roi, roi.far[0].payback))
        }
        "rtx6000bw_tokens_month" => {
            let hours = row.of("hours_day") * row.of("days");
            plain("tokens are no cost: rate x time", per_hour() * hours)
        }
        case if case.starts_with("rtx6000bw_payback") => {
            let hours = row.of("hours_day") * row.of("days");
            let near = [("machine_price", row.of("hardware")), ("hours", hours)];
            let roi = near_and_far(&near, &[("price", row.of("saving") * per_hour())]);
            sheet("payback / 12", number(&roi, roi.far[0].payback) / 12.0)
        }
        _ => return None,
    })
}

/// Price and electricity at all hours; rows of a year are computed from those of three.
fn three_years(row: &Row) -> Found {
    let yearly = row.case.strip_prefix("tco_annual_");
    let total = yearly.map_or_else(|| row.case.clone(), |machine| format!("tco3y_{machine}"));
    let all = rows();
    let of_total = all.iter().find(|other| other.case == total).expect("the row of three years");
    if yearly.is_some() {
        assert!((row.of("3y_tco") - leading(&of_total.value)).abs() < 0.5, "{}", row.case);
    }
    let tariff = of_total.before(" USD/kWh");
    let energy = of_total.of("power_usd_year") / 12.0 / tariff;
    let near = [
        ("machine_price", of_total.of("capex")),
        ("life", of_total.of("years")),
        ("hours", HOURS_PER_MONTH),
        ("load", energy / HOURS_PER_MONTH * 1000.0),
        ("tariff", tariff),
    ];
    let roi = near_and_far(&near, &[]);
    match yearly {
        Some(_) => sheet("month_full x 12", number(&roi, roi.near.month_full) * 12.0),
        None => sheet("total", number(&roi, roi.near.total)),
    }
}

fn power(row: &Row) -> Found {
    let near = [
        ("hours", row.of("hours_day") * row.of("days")),
        ("load", row.of("kw") * 1000.0),
        ("tariff", row.of("eur_kwh")),
    ];
    let roi = near_and_far(&near, &[]);
    let cell = roi.near.parts[0];
    let found = sheet("power_month", number(&roi, cell));
    Found { asked: Some((roi, cell, 1.0)), ..found }
}

/// What an hour in use costs, for all hours.
fn at_use(row: &Row) -> Found {
    let hours = row.of("utilisation") * HOURS_PER_MONTH;
    let roi = near_and_far(&[("machine_price", row.of("capex")), ("hours", hours)], &[]);
    let life = number(&roi, roi.near.life) * 12.0 * HOURS_PER_MONTH;
    sheet("per_device_hour x all hours", number(&roi, roi.near.per_device_hour) * life)
}

/// 64 accelerators are 8 machines; the price is that of a machine.
fn price_of_eight(row: &Row) -> Found {
    let devices = row.of("gpus_per_price");
    let machines = row.of("gpus") / devices;
    let hours = machines * HOURS_PER_MONTH;
    let near = [("machines", machines), ("devices", devices), ("hours", hours)];
    let roi = near_and_far(&near, &[("price", row.of("usd_h"))]);
    let (cell, month) = (roi.far[0].month, HOURS_PER_MONTH / row.of("hours_day"));
    let day = number(&roi, cell) / month;
    let (_, correct) = row.unit.split_once("correct ").expect("the row says what is right");
    assert!((day - leading(correct)).abs() < 0.5, "{day} {correct}");
    let found = sheet("month elsewhere / days; slip", day);
    Found { asked: Some((roi, cell, 1.0 / month)), ..found }
}

/// A year that is paid whether used or not costs as much as paying by the hour in some share of all hours:
/// the rest is the discount.
fn discount(row: &Row) -> Found {
    let near = [("room", row.of("reserved_1y") * HOURS_PER_MONTH)];
    let roi = near_and_far(&near, &[("price", row.of("on_demand"))]);
    let share = number(&roi, roi.far[0].break_even) / HOURS_PER_MONTH;
    sheet("1 - break_even / 730 h", 100.0 * (1.0 - share))
}

fn copier(row: &Row) -> Found {
    let near = [("machine_price", row.of("cost")), ("life", 6.0), ("depreciation", 3.0)];
    let roi = near_and_far(&near, &[]);
    sheet("depreciation", named(&roi, &format!("depreciation_{}", row.of("year"))))
}

/// Of a price of 100, over all six years; by the schedule as well as by the shares themselves.
fn macrs(row: &Row) -> Option<Found> {
    let (method, shares) = match row.case.as_str() {
        "macrs5_half_year" => (3.0, MACRS_HALF_YEAR),
        "macrs5_q1" => (4.0, MACRS_FIRST_QUARTER),
        "macrs5_q4" => (5.0, MACRS_FOURTH_QUARTER),
        _ => return None,
    };
    let near = [("machine_price", 100.0), ("life", 6.0), ("depreciation", method)];
    let roi = near_and_far(&near, &[]);
    let values: Vec<f64> =
        (1..=6).map(|year| named(&roi, &format!("depreciation_{year}"))).collect();
    for (value, share) in values.iter().zip(shares) {
        assert!((value - 100.0 * share).abs() < 1e-9, "{}: {value} {share}", row.case);
    }
    Some(Found { values, how: How::Sheet("depreciation by year; constants"), asked: None })
}

/// Time of people: in hours a day at a wage of one for one day, or in money.
fn waiting(row: &Row) -> Found {
    let team = |people: f64, waits: f64, minutes: f64, wage: f64, days: f64| {
        let near = [
            ("people", people),
            ("waits", waits),
            ("wait_there", minutes),
            ("wage", wage),
            ("working_days", days),
        ];
        near_and_far(&near, &[])
    };
    let of = |roi: &Roi| number(roi, roi.near.time_value);
    match row.case.as_str() {
        "wait_cost_per_dev_year" => {
            let days = row.of("days") / 12.0;
            let roi = team(1.0, 1.0, row.of("wait_h_day") * 60.0, row.of("usd_h"), days);
            sheet("time_value x 12", of(&roi) * 12.0)
        }
        "verification_loop" => {
            let minutes = row.of("extra_min");
            sheet(
                "time_value, wage 1, one day",
                of(&team(row.of("engineers"), row.of("runs_day"), minutes, 1.0, 1.0)),
            )
        }
        _ => {
            let (people, waits) = (row.of("devs"), row.of("pushes_day"));
            let day = of(&team(people, waits, row.of("wait_min"), 1.0, 1.0));
            let roi = team(people, waits, row.of("wait_min"), row.of("usd_h"), row.of("days"));
            let (_, right) = row.unit.split_once("gives ").expect("the row says what is right");
            assert!((of(&roi) - leading(right)).abs() < 0.5, "{} {right}", of(&roi));
            let cell = roi.near.time_value;
            let found = sheet("time_value, wage 1, one day", day);
            Found { asked: Some((roi, cell, 1.0)), ..found }
        }
    }
}

/// All that it can produce is sold at the price of a service, on business days, with one card and with as
/// many as the row says. How fast they are is open: so are the speeds at which the payback is as published.
fn tokens_sold(row: &Row) -> Found {
    let (cards, price, hours, tariff) = match row.case.ends_with("small") {
        true => (1, row.before(" USD;"), row.before(" h per"), row.before(" USD/kWh")),
        false => (
            row.before(" A100") as usize,
            row.before(" USD"),
            row.of("hours_day"),
            row.of("usd_kwh"),
        ),
    };
    let hours = hours * row.of("days");
    let price_of_speed = row.of("usd_mtok") * 3600.0 / 1e6;
    let of = |cards: usize| {
        let near = [
            ("machine_price", cards as f64 * price),
            ("hours", hours),
            ("load", cards as f64 * row.of("kw") * 1000.0),
            ("tariff", tariff),
        ];
        near_and_far(&near, &[("price", row.of("tok_s") * price_of_speed)])
    };
    // Where price / (hours x speed x price of speed - cash) comes to so many months.
    let speed = |cards: usize, months: f64| {
        let roi = of(cards);
        let saving = number(&roi, roi.near.price) / months;
        (saving + number(&roi, roi.near.month)) / hours / price_of_speed
    };
    let speeds = |cards: usize| match row.published() {
        Published::Between(least, most) if least > 0.0 => {
            format!("{:.0}-{:.0} tok/s with {cards}", speed(cards, most), speed(cards, least))
        }
        Published::Between(_, most) => format!("from {:.0} tok/s with {cards}", speed(cards, most)),
        Published::Numbers(_) => String::new(),
    };
    let all = || 1..=cards;
    let payback = |cards| {
        let roi = of(cards);
        number(&roi, roi.far[0].payback)
    };
    let how = all().map(speeds).collect::<Vec<_>>().join(", ");
    let how = format!("payback at {} tok/s; as published {how}", row.of("tok_s"));
    Found { values: all().map(payback).collect(), how: How::Range(how), asked: None }
}

/// The share of hours at work is that of the hours of a day; why it is this many is open.
fn hours_of_a_day(row: &Row) -> Found {
    let (_, about) = row.unit.split_once("about ").expect("hours of a day");
    let roi = near_and_far(&[("hours", leading(about) * HOURS_PER_MONTH / 24.0)], &[]);
    let share = 100.0 * number(&roi, roi.near.utilisation);
    let why = "speed, life and mix of tokens are not stated; utilisation at 6.3 h/day";
    Found { values: vec![share], how: How::Explained(why), asked: None }
}

fn workstation(row: &Row) -> Found {
    let near = [
        ("machine_price", row.of("capex")),
        ("hours", row.of("hours_month")),
        ("load", row.of("kw") * 1000.0),
        ("idle", row.of("idle_kw") * 1000.0),
        ("idle_on", 1.0),
        ("pue", row.of("pue")),
        ("tariff", row.of("usd_kwh")),
        ("maintenance", row.of("maint") / 100.0),
        ("staff_hours", row.of("admin")),
        ("yearly_loss", 1.0 - row.of("resale")),
    ];
    let (_, speed) = row.facts.split_once("speed ratio ").expect("how fast the other is");
    let far = [("price", row.of("cloud_usd_h")), ("speed", leading(speed))];
    let roi = near_and_far(&near, &far);
    sheet("payback", number(&roi, roi.far[0].payback))
}

/// What is wrong with a row, and its figure where the published one is a wrong one.
fn held_against(row: &Row, found: &Found) -> Result<Vec<f64>, String> {
    let Some(figure) = row.claim else {
        return Ok(found.values.clone());
    };
    let (roi, cell, scale) = found.asked.as_ref().ok_or("no cell for a wrong figure")?;
    let claim = explain(roi, *cell, figure / scale, CLAIM_WITHIN);
    if row.slip == "not reproduced" {
        let is_none = !claim.is_reproduced();
        return is_none.then(|| found.values.clone()).ok_or_else(|| claim.to_string());
    }
    let slip = claim.slips.iter().find(|slip| slip.name == row.slip);
    let slip = slip.ok_or_else(|| format!("{} is not found: {claim}", row.slip))?;
    // Where the row's own figure is the wrong one, the slip has to lead to it.
    match row.value.parse() == Ok(figure) {
        true => Ok(vec![slip.value * scale]),
        false => Ok(found.values.clone()),
    }
}

/// The greatest deviation from what is published; from the range where it is one.
fn deviation(published: &Published, values: &[f64]) -> Option<f64> {
    let away = |value: f64| match published {
        Published::Between(least, most) => (least - value).max(value - most).max(0.0),
        Published::Numbers(numbers) => (value - numbers[0]).abs(),
    };
    match published {
        Published::Numbers(numbers) if numbers.len() != values.len() => None,
        Published::Numbers(numbers) => {
            let pairs = numbers.iter().zip(values);
            Some(pairs.map(|(number, value)| (value - number).abs()).fold(0.0, f64::max))
        }
        Published::Between(..) => Some(values.iter().copied().map(away).fold(0.0, f64::max)),
    }
}

#[test]
fn published_figures_are_reproduced() {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut table, mut wrong) = (String::new(), String::new());
    let rows = rows();
    for row in &rows {
        let Some(found) = computed(row) else {
            writeln!(wrong, "{}: nobody handles it ({})", row.case, row.source).unwrap();
            continue;
        };
        let (kind, how) = match &found.how {
            How::Sheet(cell) => ("sheet", *cell),
            How::Range(why) => ("range", why.as_str()),
            How::Plain(why) => ("plain", *why),
            How::Explained(why) => ("explained", *why),
        };
        *counts.entry(kind).or_default() += 1;
        let values = match held_against(row, &found) {
            Ok(values) => values,
            Err(error) => {
                writeln!(wrong, "{}: {error}", row.case).unwrap();
                continue;
            }
        };
        let range = matches!(row.published(), Published::Between(..));
        let within = if range { 0.0 } else { row.tolerance() };
        let away = deviation(&row.published(), &values).unwrap_or(f64::INFINITY);
        let shown: Vec<String> = values.iter().map(|value| format!("{value:.2}")).collect();
        let line = format!(
            "{:<42} {:>34} {:>34} {away:>9.4} of {within:<8} {kind}: {how} {}",
            row.case,
            shown.join(";"),
            row.value,
            row.slip,
        );
        writeln!(table, "{}", line.trim_end()).unwrap();
        if away > within * (1.0 + 1e-9) {
            writeln!(wrong, "{line}").unwrap();
        }
    }
    println!("{table}{} rows: {counts:?}", rows.len());
    assert!(wrong.is_empty(), "{wrong}");
    assert_eq!(rows.len(), 53);
    assert_eq!(rows.iter().filter(|row| row.claim.is_some()).count(), 4);
}
