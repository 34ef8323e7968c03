//! The tab of what-ifs, live: payback over hours and price in a grid whose heads can be changed, and payback
//! at both ends of each uncertain input.
//!
//! Every cell holds the formula of the payback written out over its own head cells. What does not depend on
//! them is not written out but named.

use std::collections::BTreeMap;

use nearside_economics::{Far, Formula, Id, Unit};
use rust_xlsxwriter::{Chart, ChartAxisLabelPosition, ChartLegendPosition, ChartType};

use super::draft::{Draft, Item, Look, Place, Tab};
use super::style;
use crate::comparison::assumption;

/// Hours a month of one machine that a grid begins with.
const HOURS: [f64; 8] = [40.0, 80.0, 160.0, 240.0, 320.0, 400.0, 560.0, 730.0];
/// Prices that a grid begins with, of the likely one.
const PRICES: [f64; 8] = [0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 3.0];
/// Rows that a chart takes.
const CHART_ROWS: u32 = 20;

pub(super) fn lay_out(draft: &mut Draft<'_>) {
    let at = |row: u32, column: u16| Place { tab: Tab::Sensitivity, row, column };
    draft.text(at(0, 0), "What if", Look::Title);
    draft.text(
        at(1, 0),
        "Months until cash has come back. Change the framed hours and prices. Bold on green: within the \
         years in use.",
        Look::Quiet,
    );
    let findings = draft.findings;
    let life = findings.roi.near.life;
    let months = draft.added_formula("life_months".to_owned(), Unit::Months, life * 12.0);
    draft.text(at(2, 0), "Months in use", Look::Text);
    draft.cell(at(2, 1), months, Look::Number);
    let mut row = 4;
    for (place, far) in findings.roi.far.iter().enumerate() {
        let name = draft.names[place].clone();
        row = grid(draft, row, &name, (place, far), months);
        row = tornado(draft, row, &name, (place, far));
    }
    let leaf = draft.leaf(Tab::Sensitivity);
    leaf.widths = vec![(0, 44.0)];
    leaf.widths.extend((1..=8).map(|column| (column, 13.0)));
}

/// Payback over hours (down) and price (across).
fn grid(
    draft: &mut Draft<'_>,
    row: u32,
    name: &str,
    (place, far): (usize, &Far),
    months: Id,
) -> u32 {
    let at = |row: u32, column: u16| Place { tab: Tab::Sensitivity, row, column };
    let findings = draft.findings;
    let currency = findings.currency.code();
    let prefix = format!("far{}_", place + 1);
    let (Some(hours), Some(price)) =
        (draft.sheet.find("hours"), draft.sheet.find(&format!("{prefix}price")))
    else {
        return row;
    };
    draft.text(at(row, 0), format!("Against: {name}"), Look::Heading);
    let corner = format!("Hours a month (down), price in {currency}/h (across)");
    draft.text(at(row + 1, 0), corner, Look::Head);
    let likely = |id: Id| findings.roi.sheet.values().of(id).number().unwrap_or(0.0);
    let machines = draft.sheet.find("machines").map_or(1.0, likely);
    let base = Some(likely(price)).filter(|price| *price > 0.0).unwrap_or(1.0);
    let mut head = |what: &str, unit: Unit, place: Place, value: f64, input: &str| {
        let id = draft.added_input(format!("{prefix}{what}"), unit, value);
        draft.cell(place, id, Look::Editable);
        let checked = assumption(input).map(|it| (place.row, place.column, it));
        draft.leaf(Tab::Sensitivity).checked.extend(checked);
        id
    };
    let down: Vec<Id> = (0..)
        .zip(HOURS)
        .map(|(step, value)| {
            let name = format!("if_hours_{step}");
            head(&name, Unit::HoursPerMonth, at(row + 2 + step, 0), value * machines, "hours")
        })
        .collect();
    let across: Vec<Id> = (0..)
        .zip(PRICES)
        .map(|(step, share)| {
            let (name, unit) = (format!("if_price_{step}"), Unit::MoneyPerHour);
            head(&name, unit, at(row + 1, 1 + step), rounded(base * share), "far1_price")
        })
        .collect();
    let fixed = fixed(draft, far.payback, &[hours, price]);
    for (row, hours_here) in (row + 2..).zip(&down) {
        for (column, price_here) in (1..).zip(&across) {
            let instead = [(hours, *hours_here), (price, *price_here)];
            let formula = written_out(draft, far.payback, &fixed, &instead);
            let name = format!("{prefix}if_{row}_{column}");
            let id = draft.added_formula(name, Unit::Months, formula);
            draft.cell(at(row, column), id, Look::Number);
        }
    }
    let last = row + 1 + HOURS.len() as u32;
    let range = [(row + 2, 1), (last, PRICES.len() as u16)];
    draft.leaf(Tab::Sensitivity).lit.push((range, months));
    last + 2
}

/// A price without digits that nobody would enter.
fn rounded(price: f64) -> f64 {
    (price * 1e4).round() / 1e4
}

/// What a cell is computed from without some inputs: named where it is written out over others of them.
fn fixed(draft: &Draft<'_>, target: Id, inputs: &[Id]) -> BTreeMap<Id, Formula> {
    let sheet = &draft.sheet;
    let depends = |id: &Id| sheet.needed(&[*id]).iter().any(|needed| inputs.contains(needed));
    let others = sheet.needed(&[target]).into_iter().filter(|id| !depends(id));
    others.map(|id| (id, Formula::Cell(id))).collect()
}

/// A formula over other cells in place of some inputs, written out as far as it depends on them.
fn written_out(
    draft: &Draft<'_>,
    target: Id,
    fixed: &BTreeMap<Id, Formula>,
    instead: &[(Id, Id)],
) -> Formula {
    let mut by = fixed.clone();
    by.extend(instead.iter().map(|(input, other)| (*input, Formula::Cell(*other))));
    draft.sheet.written_out(target, &by)
}

/// Payback at both ends of every uncertain input that it depends on, what matters most first.
fn tornado(draft: &mut Draft<'_>, row: u32, name: &str, (place, far): (usize, &Far)) -> u32 {
    let at = |row: u32, column: u16| Place { tab: Tab::Sensitivity, row, column };
    let title = format!("Payback at both ends of each uncertain input, against: {name}");
    draft.text(at(row, 0), title, Look::Heading);
    let heads = ["at low", "at high", "low: change", "high: change", "Low", "High"];
    draft.text(at(row + 1, 0), "Input", Look::Head);
    for (column, head) in (1..).zip(heads) {
        draft.text(at(row + 1, column), head, Look::HeadOfNumbers);
    }
    draft.text(at(row + 2, 0), "Payback at likely values", Look::Text);
    draft.cell(at(row + 2, 1), far.payback, Look::Strong);
    let first = row + 3;
    let mut next = first;
    for id in uncertain(draft, far.payback) {
        let Some(ends) = draft.ends.get(&id).copied() else { continue };
        let fixed = fixed(draft, far.payback, &[id]);
        draft.text(at(next, 0), draft.sheet.cell(id).label.clone(), Look::Text);
        for ((column, end), which) in (1..).zip(ends).zip(["low", "high"]) {
            let formula = written_out(draft, far.payback, &fixed, &[(id, end)]);
            let cell = format!("far{}_{which}_{next}", place + 1);
            let found = draft.added_formula(cell, Unit::Months, formula);
            draft.cell(at(next, column), found, Look::Number);
            let change = Item::Change(found, far.payback);
            draft.put(at(next, column + 2), change, Look::Number(Unit::Months));
            draft.cell(at(next, column + 4), end, Look::Number);
        }
        next += 1;
    }
    if next == first {
        draft.text(at(next, 0), "No uncertain input changes it.", Look::Quiet);
        return next + 3;
    }
    let chart = chart(name, row + 1, first, next - 1);
    draft.leaf(Tab::Sensitivity).charts.push((next + 1, 0, chart));
    next + 3 + CHART_ROWS
}

/// Inputs with a range that a cell depends on, those first that change it most.
fn uncertain(draft: &Draft<'_>, target: Id) -> Vec<Id> {
    let sheet = &draft.findings.roi.sheet;
    let mut found: Vec<Id> = sheet.swings(target).iter().map(|swing| swing.id).collect();
    let needed = sheet.needed(&[target]);
    let others = sheet.uncertain().map(|(id, _)| id).filter(|id| needed.contains(id));
    let others: Vec<Id> = others.filter(|id| !found.contains(id)).collect();
    found.extend(others);
    found
}

fn chart(name: &str, head: u32, first: u32, last: u32) -> Chart {
    let tab = Tab::Sensitivity.name();
    let mut chart = Chart::new(ChartType::Bar);
    for (place, column) in (3..=4).enumerate() {
        chart
            .add_series()
            .set_categories((tab, first, 0, last, 0))
            .set_values((tab, first, column, last, column))
            .set_name((tab, head, column))
            .set_overlap(100)
            .set_gap(60)
            .set_format(&mut style::fill(place));
    }
    chart.title().set_name("Change of the payback, in months");
    // Of a chart of bars the axis of what they stand for is the other one.
    chart.y_axis().set_reverse().set_label_position(ChartAxisLabelPosition::Low);
    chart.x_axis().set_num_format("0").set_label_position(ChartAxisLabelPosition::High);
    chart.legend().set_position(ChartLegendPosition::Bottom);
    chart.set_width(960).set_height(380);
    chart.set_alt_text(format!(
        "Bars of how far each input moves the payback against {name}; the same numbers stand above."
    ));
    chart
}
