//! The tab of costs: owning and every alternative side by side, what owning saves, and the steps in between.

use std::collections::BTreeMap;

use nearside_economics::{Content, Group, Id, Unit};

use super::draft::{Draft, Look, Place, Tab};
use crate::comparison::{COSTS, GAINS, Line, Weight};

/// The column of the own machine; the alternatives follow.
const NEAR: u16 = 2;

pub(super) fn lay_out(draft: &mut Draft<'_>) {
    let at = |row: u32, column: u16| Place { tab: Tab::Costs, row, column };
    draft.text(at(0, 0), "Costs side by side", Look::Title);
    let explained =
        "A payback is counted from cash; the purchase is in it once. Nothing here is an input.";
    draft.text(at(1, 0), explained, Look::Quiet);
    let mut row = head(draft, 3, "Costs");
    row = table(draft, row, COSTS);
    row = head(draft, row + 1, "What owning brings, against each");
    row = table(draft, row, GAINS);
    row = head(draft, row + 1, "Steps in between");
    steps(draft, row);
    let columns = NEAR + draft.names.len() as u16;
    let leaf = draft.leaf(Tab::Costs);
    leaf.frozen = (0, 1);
    leaf.widths = vec![(0, 50.0), (1, 12.0)];
    leaf.widths.extend((NEAR..=columns).map(|column| (column, 20.0)));
}

/// The heads of a table, and the row that follows.
fn head(draft: &mut Draft<'_>, row: u32, title: &str) -> u32 {
    let at = |row: u32, column: u16| Place { tab: Tab::Costs, row, column };
    draft.text(at(row, 0), title, Look::Heading);
    draft.texts(at(row + 1, 0), &["", "Unit"], Look::Head);
    draft.text(at(row + 1, NEAR), "Own machine", Look::HeadOfNumbers);
    for (column, name) in (NEAR + 1..).zip(draft.names.clone()) {
        draft.text(at(row + 1, column), name, Look::HeadOfNumbers);
    }
    row + 2
}

fn table(draft: &mut Draft<'_>, mut row: u32, lines: &[Line]) -> u32 {
    let roi = &draft.findings.roi;
    for line in lines {
        let near = std::iter::once((0, line.near.map(|of| of(&roi.near))));
        let far = (1..).zip(roi.far.iter().map(|far| line.far.map(|of| of(far))));
        let cells: Vec<(u16, Id)> =
            near.chain(far).filter_map(|(column, id)| Some((column, id?))).collect();
        row = put(draft, row, line.label, line.weight, &cells);
    }
    row
}

/// Cells that have no place yet: a row for each name, whichever group it is of.
fn steps(draft: &mut Draft<'_>, mut row: u32) {
    let mut rows: Vec<(String, Vec<(u16, Id)>)> = Vec::new();
    let mut places: BTreeMap<(bool, String), usize> = BTreeMap::new();
    for (id, cell) in draft.findings.roi.sheet.cells() {
        let follows = matches!(cell.content, Content::Formula(_));
        if !follows || draft.home(id).is_some() {
            continue;
        }
        let (column, bare) = match cell.group {
            Group::Near => (0, cell.name.as_str()),
            Group::Far(place) => {
                (place as u16 + 1, cell.name.split_once('_').map_or("", |(_, bare)| bare))
            }
        };
        let place = *places.entry((column == 0, bare.to_owned())).or_insert_with(|| {
            rows.push((cell.label.clone(), Vec::new()));
            rows.len() - 1
        });
        rows[place].1.push((column, id));
    }
    for (label, cells) in rows {
        row = put(draft, row, &label, Weight::Part, &cells);
    }
}

fn put(draft: &mut Draft<'_>, row: u32, label: &str, weight: Weight, cells: &[(u16, Id)]) -> u32 {
    let Some((_, first)) = cells.first() else { return row };
    let at = |column: u16| Place { tab: Tab::Costs, row, column };
    let unit = draft.sheet.cell(*first).unit;
    draft.text(at(0), label, Look::Text);
    draft.text(at(1), unit.symbol(draft.findings.currency.code()), Look::Unit);
    let look: fn(Unit) -> Look = match weight {
        Weight::Part => Look::Number,
        Weight::Sum => Look::Strong,
    };
    for (column, id) in cells {
        draft.cell(at(NEAR + column), *id, look);
    }
    row + 1
}
