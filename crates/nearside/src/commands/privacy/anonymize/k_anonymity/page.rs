//! What `nearside privacy anonymize --k` says, as a page: what became of each column, with pictures.

use nearside_report::{Figure, Page, Pairs, Section};
use nearside_units::Date;

use super::super::report::Report as _;
use super::answer::{ColumnView, KAnonymityAnswer, LevelView};

pub(super) fn of(answer: &KAnonymityAnswer, table: &str, today: Date) -> String {
    let foot = format!("nearside {}, {today}", env!("CARGO_PKG_VERSION"));
    let mut sections = vec![
        Section::Lead(format!("{}.", answer.summary())),
        Section::Text(
            "This page shows shares of values as they were: it is for whoever may see the table.".to_owned(),
        ),
        Section::Heading("Who is recognised".to_owned()),
        Section::List(answer.told_of_risk()),
        Section::Heading("What it is still good for".to_owned()),
        Section::List(answer.told_of_use()),
        numbers(answer),
        Section::Text(
            "Penalty: the part of a column's range or values that a label spans, the mean of all rows; 0 as it was, 1 \
             told as nothing. Entropy: the part of what values tell that their labels do not. Distance: how far the \
             shares of values are from those that labels show, if each value of a label is as likely."
                .to_owned(),
        ),
    ];
    sections.push(Section::Heading("Column by column".to_owned()));
    sections.extend(answer.columns.iter().map(column));
    let warnings = answer.warnings();
    if !warnings.is_empty() {
        sections.push(Section::Heading("To beware of".to_owned()));
        sections.push(Section::List(warnings));
    }
    Page { title: format!("What became of {table}"), foot, sections }.html()
}

fn numbers(answer: &KAnonymityAnswer) -> Section {
    let leveled = answer.columns.iter().any(|column| column.level.is_some());
    let row = |column: &ColumnView| {
        let level = column.level.as_ref();
        let level = level.map_or_else(String::new, |LevelView { at, of }| format!("{at} of {of}"));
        let cells = [
            column.column.clone(),
            level,
            column.values.to_string(),
            column.labels.to_string(),
            format!("{:.3}", column.penalty),
            format!("{:.3}", column.entropy),
            format!("{:.3}", column.distance),
        ];
        shown(cells, leveled)
    };
    let heads = ["column", "level", "values", "labels", "penalty", "entropy", "distance"];
    let heads = shown(heads.map(str::to_owned), leveled);
    Section::Numbers(heads, answer.columns.iter().map(row).collect())
}

/// Rows told as their neighbours have no levels.
fn shown(cells: [String; 7], leveled: bool) -> Vec<String> {
    let cells = cells.into_iter().enumerate();
    cells.filter(|(at, _)| leveled || *at != 1).map(|(_, cell)| cell).collect()
}

fn column(column: &ColumnView) -> Section {
    let percent = |share: f64| format!("{:.1} %", 100.0 * share);
    let legend = ["before".to_owned(), "after, each value of a label as likely".to_owned()];
    let chart = Pairs {
        title: format!("Shares of the values of {}, before and after", column.column),
        legend,
        rows: column
            .shares
            .iter()
            .map(|share| (share.values.clone(), [share.before, share.after]))
            .collect(),
    };
    Section::Figure(Figure {
        svg: chart.svg(),
        caption: format!(
            "{}: {} values told as {} labels, such as {}.",
            column.column, column.values, column.labels, column.example
        ),
        heads: ["values", "before", "after"].map(str::to_owned).to_vec(),
        rows: column
            .shares
            .iter()
            .map(|share| vec![share.values.clone(), percent(share.before), percent(share.after)])
            .collect(),
    })
}
