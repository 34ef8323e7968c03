//! The tab of all inputs: what formulas use, what it may be as well, and who says so.

use nearside_economics::{Content, Group, Id, Input};

use super::draft::{Draft, Item, Look, Place, Tab};
use crate::comparison::assumption;
use crate::findings::one_line;

const HEADS: [&str; 9] =
    ["Input", "Value", "Low", "High", "Unit", "Kind", "Source", "As of", "Name in formulas"];
/// Where the table begins.
const FIRST: u32 = 4;

pub(super) fn lay_out(draft: &mut Draft<'_>) {
    let at = |row: u32, column: u16| Place { tab: Tab::Inputs, row, column };
    let title = format!("Does the machine pay? {}", draft.findings.shown_title());
    draft.text(at(0, 0), title, Look::Title);
    let amounts = format!(
        "Change the framed cells: every number of this file follows. Amounts are in {}, {}.",
        draft.findings.currency.code(),
        draft.findings.date
    );
    draft.text(at(1, 0), amounts, Look::Quiet);
    draft.text(
        at(2, 0),
        "Formulas use Value; Low and High are what it may be as well, for the tab Sensitivity.",
        Look::Quiet,
    );
    draft.texts(at(FIRST - 1, 0), &HEADS, Look::Head);
    let mut row = FIRST;
    let groups = std::iter::once(Group::Near).chain((0..draft.names.len()).map(Group::Far));
    for group in groups {
        let heading = match group {
            Group::Near => "Own machine and team".to_owned(),
            Group::Far(place) => format!("Against: {}", draft.names[place]),
        };
        draft.text(at(row, 0), heading, Look::Heading);
        row += 1;
        for (id, input) in inputs(draft, group) {
            lay_out_input(draft, row, id, &input);
            row += 1;
        }
        row += 1;
    }
    let leaf = draft.leaf(Tab::Inputs);
    leaf.frozen = (FIRST, 1);
    let widths = [40.0, 14.0, 12.0, 12.0, 12.0, 11.0, 70.0, 12.0, 24.0];
    leaf.widths = (0..).zip(widths).collect();
}

fn inputs(draft: &Draft<'_>, group: Group) -> Vec<(Id, Input)> {
    let of_group = draft.findings.roi.sheet.cells().filter(|(_, cell)| cell.group == group);
    let input = |(id, cell): (Id, &nearside_economics::Cell)| match &cell.content {
        Content::Input(input) => Some((id, input.clone())),
        Content::Formula(_) => None,
    };
    of_group.filter_map(input).collect()
}

fn lay_out_input(draft: &mut Draft<'_>, row: u32, id: Id, input: &Input) {
    let at = |column: u16| Place { tab: Tab::Inputs, row, column };
    let cell = draft.sheet.cell(id).clone();
    let ends = [("low", input.span.low()), ("high", input.span.high())].map(|(end, value)| {
        draft.added_input(format!("{}_of_{}", end, cell.name), cell.unit, value)
    });
    draft.text(at(0), &cell.label, Look::Text);
    for (column, id) in (1..).zip([id, ends[0], ends[1]]) {
        draft.cell(at(column), id, Look::Editable);
        if let Some(assumption) = assumption(&cell.name) {
            draft.leaf(Tab::Inputs).checked.push((row, column, assumption));
        }
    }
    draft.ends.insert(id, ends);
    let unit = cell.unit.symbol(draft.findings.currency.code());
    draft.text(at(4), unit, Look::Unit);
    draft.text(at(5), input.basis.kind.to_string(), Look::Text);
    draft.text(at(6), one_line(&input.basis.source), Look::Wrapped);
    if let Some(date) = input.basis.as_of {
        draft.text(at(7), date.to_string(), Look::Text);
    }
    draft.put(at(8), Item::Text(cell.name), Look::Quiet);
}
