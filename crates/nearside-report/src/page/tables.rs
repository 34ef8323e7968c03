//! Tables of the page: the options side by side, and every assumption.

use nearside_economics::{Content, Group, Id, Input, Unit};

use super::Seen;
use crate::comparison::{COSTS, GAINS, Line, Weight};
use crate::figure::bare;
use crate::findings::one_line;
use crate::html::Section;

/// Owning and every alternative side by side: sums at once, parts below.
pub(super) fn options(seen: &Seen<'_>) -> Vec<Section> {
    let sums = |lines: &'static [Line]| lines.iter().filter(|line| line.weight == Weight::Sum);
    let rows: Vec<Vec<String>> =
        sums(COSTS).chain(sums(GAINS)).map(|line| row(seen, line)).chain(carbon(seen)).collect();
    let all: Vec<Vec<String>> = COSTS.iter().chain(GAINS).map(|line| row(seen, line)).collect();
    vec![
        Section::Heading("The options side by side".to_owned()),
        Section::Numbers(heads(seen), rows),
        Section::Folded("Every part".to_owned(), heads(seen), all),
    ]
}

fn heads(seen: &Seen<'_>) -> Vec<String> {
    let first = ["".to_owned(), "unit".to_owned(), "own machine".to_owned()];
    first.into_iter().chain(seen.names.iter().cloned()).collect()
}

fn row(seen: &Seen<'_>, line: &Line) -> Vec<String> {
    let roi = &seen.findings.roi;
    let near = line.near.map(|of| of(&roi.near));
    let far: Vec<Option<Id>> = roi.far.iter().map(|far| line.far.map(|of| of(far))).collect();
    let ids: Vec<Option<Id>> = std::iter::once(near).chain(far).collect();
    cells(seen, line.label, &ids)
}

/// A row of cells of one unit.
fn cells(seen: &Seen<'_>, label: &str, ids: &[Option<Id>]) -> Vec<String> {
    let sheet = &seen.findings.roi.sheet;
    let unit = ids.iter().flatten().map(|id| sheet.cell(*id).unit).next().unwrap_or(Unit::Count);
    let shown = |id: &Option<Id>| id.map_or_else(String::new, |id| bare(seen.values.of(id), unit));
    [label.to_owned(), unit.symbol(seen.currency)]
        .into_iter()
        .chain(ids.iter().map(shown))
        .collect()
}

/// Emissions a year, where any are known.
fn carbon(seen: &Seen<'_>) -> Option<Vec<String>> {
    let roi = &seen.findings.roi;
    let near = std::iter::once(roi.near.emissions);
    let all: Vec<Option<Id>> = near
        .chain(roi.far.iter().map(|far| far.emissions))
        .map(|emissions| emissions.map(|it| it.total))
        .collect();
    let known = all.iter().any(Option::is_some);
    let mut row = cells(seen, "Emissions a year", &all);
    for cell in row.iter_mut().filter(|cell| cell.is_empty()) {
        "not stated".clone_into(cell);
    }
    known.then_some(row)
}

/// Every input: value, ends, kind of basis, source and date.
pub(super) fn assumptions(seen: &Seen<'_>) -> Vec<Section> {
    let heads = ["input", "value", "low", "high", "unit", "kind", "source", "as of"];
    let heads: Vec<String> = heads.map(str::to_owned).to_vec();
    let mut sections = vec![Section::Heading("What it follows from".to_owned())];
    for group in std::iter::once(Group::Near).chain((0..seen.names.len()).map(Group::Far)) {
        let title = match group {
            Group::Near => "Own machine and team".to_owned(),
            Group::Far(place) => format!("Against: {}", seen.names[place]),
        };
        let cells = seen.findings.roi.sheet.cells().filter(|(_, cell)| cell.group == group);
        let rows = cells.filter_map(|(_, cell)| match &cell.content {
            Content::Input(input) => Some(assumption(seen, &cell.label, cell.unit, input)),
            Content::Formula(_) => None,
        });
        sections.push(Section::Folded(title, heads.clone(), rows.collect()));
    }
    sections
}

fn assumption(seen: &Seen<'_>, label: &str, unit: Unit, input: &Input) -> Vec<String> {
    let span = input.span;
    let shown = |number: f64| bare(nearside_economics::Value::Number(number), unit);
    vec![
        label.to_owned(),
        shown(span.likely()),
        shown(span.low()),
        shown(span.high()),
        unit.symbol(seen.currency),
        input.basis.kind.to_string(),
        one_line(&input.basis.source),
        input.basis.as_of.map(|date| date.to_string()).unwrap_or_default(),
    ]
}
