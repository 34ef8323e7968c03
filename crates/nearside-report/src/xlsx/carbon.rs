//! The tab of emissions beside the money, where all that they follow from is stated.

use nearside_economics::{Emissions, Id, Unit};
use rust_xlsxwriter::{Chart, ChartLegendPosition};

use super::draft::{Draft, Look, Place, Tab};
use super::style;

/// Where a part of emissions stands.
type Part = fn(&Emissions) -> Id;

const PARTS: [(&str, Part); 3] = [
    ("Electricity", |emissions| emissions.operational),
    ("Making the machine", |emissions| emissions.embodied),
    ("Both", |emissions| emissions.total),
];
const HEAD: u32 = 3;

/// Whether emissions of anything are known.
pub(super) fn is_known(draft: &Draft<'_>) -> bool {
    columns(draft).iter().any(|(_, emissions)| emissions.is_some())
}

pub(super) fn lay_out(draft: &mut Draft<'_>) {
    let at = |row: u32, column: u16| Place { tab: Tab::Carbon, row, column };
    draft.text(at(0, 0), "Emissions a year", Look::Title);
    draft.text(
        at(1, 0),
        "Electricity by location average; making an own machine is spread over its life, of a rented one \
         its hours bear a share.",
        Look::Quiet,
    );
    let unit = Unit::Kilograms.symbol("");
    draft.texts(at(HEAD, 0), &["", "Unit"], Look::Head);
    let columns = columns(draft);
    for (column, (name, _)) in (2..).zip(&columns) {
        draft.text(at(HEAD, column), name, Look::HeadOfNumbers);
    }
    for (row, (label, part)) in (HEAD + 1..).zip(PARTS) {
        draft.text(at(row, 0), label, Look::Text);
        draft.text(at(row, 1), &unit, Look::Unit);
        for (column, (_, emissions)) in (2..).zip(&columns) {
            match emissions {
                Some(emissions) => draft.cell(at(row, column), part(emissions), Look::Number),
                None => draft.text(at(row, column), "not stated", Look::Quiet),
            }
        }
    }
    let last = 1 + columns.len() as u16;
    let leaf = draft.leaf(Tab::Carbon);
    leaf.charts.push((HEAD + 6, 0, chart(last)));
    leaf.widths = vec![(0, 28.0), (1, 10.0)];
    leaf.widths.extend((2..=last).map(|column| (column, 20.0)));
    leaf.frozen = (HEAD + 1, 1);
}

fn columns(draft: &Draft<'_>) -> Vec<(String, Option<Emissions>)> {
    let roi = &draft.findings.roi;
    let near = std::iter::once(("Own machine".to_owned(), roi.near.emissions));
    let far = draft.names.iter().cloned().zip(roi.far.iter().map(|far| far.emissions));
    near.chain(far).collect()
}

fn chart(last: u16) -> Chart {
    let tab = Tab::Carbon.name();
    let mut chart = Chart::new(rust_xlsxwriter::ChartType::ColumnStacked);
    for (place, row) in (HEAD + 1..HEAD + 3).enumerate() {
        chart
            .add_series()
            .set_categories((tab, HEAD, 2, HEAD, last))
            .set_values((tab, row, 2, row, last))
            .set_name((tab, row, 0))
            .set_format(&mut style::fill(place));
    }
    chart.title().set_name("Emissions a year");
    chart.y_axis().set_name("kgCO2e").set_num_format("#,##0");
    chart.legend().set_position(ChartLegendPosition::Bottom);
    chart.set_width(720).set_height(360);
    chart.set_alt_text("Columns of emissions a year, by part; the same numbers stand above.");
    chart
}
