//! The tab of flows by year: all that the calculation knows of each year, a row for each, and when the sum of
//! it is no longer below nothing.

use std::collections::BTreeMap;

use nearside_economics::{Cell, Content, Group, Id};
use rust_xlsxwriter::{Chart, ChartAxisLabelPosition, ChartLegendPosition};

use super::draft::{Draft, Item, Look, Place, Tab};
use super::style;

/// Rows that the chart takes.
const CHART_ROWS: u32 = 22;
/// The column of today.
const TODAY: u16 = 2;

pub(super) fn lay_out(draft: &mut Draft<'_>) {
    let at = |row: u32, column: u16| Place { tab: Tab::CashFlow, row, column };
    draft.text(at(0, 0), "Cash flow by year", Look::Title);
    draft.text(
        at(1, 0),
        "Year 0 is today. Where a line of the chart crosses zero, the machine has paid for itself, \
         interest included.",
        Look::Quiet,
    );
    let head = CHART_ROWS + 2;
    draft.texts(at(head, 0), &["", "Unit"], Look::Head);
    let last = draft.sheet.cells().filter_map(|(_, cell)| cell.year).max().unwrap_or(0);
    for (column, year) in (TODAY..).zip(0..=last as u32) {
        draft.put(at(head, column), Item::Whole(year), Look::Year);
    }
    let currency = draft.findings.currency.code().to_owned();
    let mut headings = Vec::new();
    let mut row = head + 1;
    for group in std::iter::once(Group::Near).chain((0..draft.names.len()).map(Group::Far)) {
        let heading = match group {
            Group::Near => "Own machine".to_owned(),
            Group::Far(place) => format!("Against: {}", draft.names[place]),
        };
        draft.text(at(row, 0), heading, Look::Heading);
        headings.push(row);
        row += 1;
        for (label, cells) in rows(draft, group) {
            draft.text(at(row, 0), label, Look::Text);
            for (year, id) in cells {
                let unit = draft.sheet.cell(id).unit;
                let symbol = unit.symbol(&currency);
                draft.text(at(row, 1), symbol, Look::Unit);
                draft.cell(at(row, TODAY + year as u16), id, Look::Number);
            }
            row += 1;
        }
        row += 1;
    }
    let chart = chart(draft, &headings[1..], head, TODAY + last as u16);
    let leaf = draft.leaf(Tab::CashFlow);
    leaf.charts.extend(chart.map(|chart| (2, 0, chart)));
    leaf.widths = vec![(0, 34.0), (1, 8.0)];
    leaf.widths.extend((TODAY..=TODAY + last as u16).map(|column| (column, 13.0)));
    leaf.frozen = (0, 1);
}

/// The rows of a group: what each is called, and its cells by year.
fn rows(draft: &Draft<'_>, group: Group) -> Vec<(String, Vec<(usize, Id)>)> {
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut rows: Vec<(String, Vec<(usize, Id)>)> = Vec::new();
    for (id, cell) in draft.sheet.cells().filter(|(_, cell)| cell.group == group) {
        let Some((series, year)) = series(cell) else { continue };
        let place = *places.entry(series.to_owned()).or_insert_with(|| {
            rows.push((cell.label.clone(), Vec::new()));
            rows.len() - 1
        });
        rows[place].1.push((year, id));
    }
    rows
}

/// What a formula of a year belongs to, and its year; steps in between have it in their names only.
fn series(cell: &Cell) -> Option<(&str, usize)> {
    let (series, number) = cell.name.rsplit_once('_')?;
    let year = cell.year.or_else(|| number.parse().ok())?;
    matches!(cell.content, Content::Formula(_)).then_some((series, year))
}

/// The sum of all flows, worth today, for every alternative.
fn chart(draft: &Draft<'_>, headings: &[u32], head: u32, last: u16) -> Option<Chart> {
    let tab = Tab::CashFlow.name();
    // A chart needs a line.
    draft.findings.roi.far.first()?;
    let mut chart = Chart::new_line();
    for (place, far) in draft.findings.roi.far.iter().enumerate() {
        let row = draft.home(*far.so_far.first()?)?.row;
        let name = *headings.get(place)?;
        chart
            .add_series()
            .set_categories((tab, head, TODAY, head, last))
            .set_values((tab, row, TODAY, row, last))
            .set_name((tab, name, 0))
            .set_format(&mut style::line(place))
            .set_marker(&style::marker(place));
    }
    chart.title().set_name("Break even: all cash so far, worth today");
    chart.x_axis().set_name("Years").set_label_position(ChartAxisLabelPosition::Low);
    chart.y_axis().set_name(draft.findings.currency.code()).set_num_format("#,##0");
    chart.legend().set_position(ChartLegendPosition::Bottom);
    chart.set_width(960).set_height(420);
    chart.set_alt_text("Lines of the sum of all cash so far, worth today, over the years; the same numbers stand in the rows \"Sum of it\" below.");
    Some(chart)
}
