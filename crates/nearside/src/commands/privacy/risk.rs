//! `nearside privacy risk`: which columns of a table, taken together, tell who a row is about.

use std::fmt::Write as _;

use nearside_privacy::tabular::risk::{ColumnKind, Hiding, Sample};
use schemars::JsonSchema;
use serde::Serialize;

use super::table::{Table, failed};
use crate::cli::Risk;
use crate::environment;
use crate::error::CommandError;
use crate::output::{Align, Answer, Form, Outcome, Output, table};

/// The answer of `nearside privacy risk`.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct RiskAnswer {
    /// Rows of the table.
    rows: u64,
    /// Rows that were looked at.
    sampled: u64,
    /// Its columns.
    columns: Vec<ColumnView>,
    /// Columns that should be quasi-identifiers, in the order in which they tell most.
    suggested: Vec<SuggestedView>,
    /// How rows hide from who knows the columns that were named.
    named: Option<HidingView>,
}

/// A column.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
struct ColumnView {
    column: String,
    /// Different values.
    values: usize,
    /// The part of the rows whose value no other row has.
    unique: f64,
    kind: KindView,
}

/// What a column is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum KindView {
    /// One value in all rows.
    Constant,
    /// Nearly every row has a value of its own.
    Identifier,
    /// Running text.
    Text,
    /// May tell whose a row is, with others.
    Attribute,
}

/// A column that should be a quasi-identifier.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
struct SuggestedView {
    column: String,
    /// How rows hide from who knows it and those before it.
    hiding: HidingView,
}

/// How rows hide from who knows some columns.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
struct HidingView {
    /// The part of the rows that nobody shares these columns with.
    unique: f64,
    /// The part of the rows that fewer than five, with themselves, share them with.
    below_five: f64,
    /// The chance to recognise a row, on average: the mean of one over the size of its class.
    mean: f64,
    /// Rows of the smallest class.
    smallest: u64,
}

impl HidingView {
    const fn of(hiding: Hiding) -> Self {
        let Hiding { unique, below_five, mean, smallest } = hiding;
        Self { unique, below_five, mean, smallest }
    }
}

pub(super) fn run(arguments: &Risk, output: &Output) -> Result<Outcome, CommandError> {
    let table = Table::open(&arguments.table, &environment::temporary_folder())?;
    output.progress(&format!("reading {}", arguments.table.display()));
    let sample = Sample::read(table.reader()?, table.dialect).map_err(failed)?;
    let named = match arguments.quasi.as_slice() {
        [] => None,
        names => Some(HidingView::of(sample.hiding(names).map_err(failed)?)),
    };
    let found = sample.columns();
    let answer = RiskAnswer {
        rows: found.rows,
        sampled: found.sampled,
        columns: found
            .columns
            .into_iter()
            .map(|column| ColumnView {
                column: column.name,
                values: column.values,
                unique: column.unique,
                kind: match column.kind {
                    ColumnKind::Constant => KindView::Constant,
                    ColumnKind::Identifier => KindView::Identifier,
                    ColumnKind::Text => KindView::Text,
                    ColumnKind::Attribute => KindView::Attribute,
                },
            })
            .collect(),
        suggested: found
            .suggested
            .into_iter()
            .map(|it| SuggestedView { column: it.name, hiding: HidingView::of(it.hiding) })
            .collect(),
        named,
    };
    if output.form == Form::Json {
        let schema = "nearside/privacy-risk/1";
        let answer = Answer { schema, data: &answer, warnings: &[], sources: &[] };
        output.json(&answer, environment::today());
        return Ok(Outcome::Done);
    }
    output.text(&text(&answer, &arguments.table.display().to_string()));
    Ok(Outcome::Done)
}

fn text(answer: &RiskAnswer, file: &str) -> String {
    let percent = |part: f64| format!("{:.1} %", 100.0 * part);
    let mut text = match answer.sampled < answer.rows {
        true => format!("{} of {} rows, drawn evenly\n\n", answer.sampled, answer.rows),
        false => format!("{} rows\n\n", answer.rows),
    };
    let row = |column: &ColumnView| {
        let kind = match column.kind {
            KindView::Constant => "one value: tells nothing",
            KindView::Identifier => "tells by itself whose a row is: --drop-column",
            KindView::Text => "text: privacy scan, or --drop-column",
            KindView::Attribute => "may tell, with others",
        };
        vec![
            column.column.clone(),
            column.values.to_string(),
            percent(column.unique),
            kind.to_owned(),
        ]
    };
    let heads = [
        ("column", Align::Left),
        ("values", Align::Right),
        ("unique", Align::Right),
        ("which", Align::Left),
    ];
    text.push_str(&table(&heads, answer.columns.iter().map(row).collect()));
    text.push_str("\n\n");
    let row = |(name, hiding): (String, &HidingView)| {
        vec![name, percent(hiding.unique), percent(hiding.below_five), percent(hiding.mean)]
    };
    let heads = [
        ("who knows", Align::Left),
        ("unique rows", Align::Right),
        ("among fewer than 5", Align::Right),
        ("mean risk", Align::Right),
    ];
    let suggested = answer.suggested.iter().enumerate().map(|(at, it)| {
        let name = if at == 0 { it.column.clone() } else { format!("and {}", it.column) };
        (name, &it.hiding)
    });
    let named = answer.named.iter().map(|hiding| ("the columns named".to_owned(), hiding));
    let rows: Vec<Vec<String>> = suggested.chain(named).map(row).collect();
    if !rows.is_empty() {
        text.push_str(&table(&heads, rows));
        text.push('\n');
    }
    if let (None, false) = (answer.named, answer.suggested.is_empty()) {
        let names: Vec<&str> = answer.suggested.iter().map(|it| it.column.as_str()).collect();
        let _ = writeln!(
            text,
            "\nthese should be quasi-identifiers, if others may know them; one of them may be what nobody is to \
             learn (--sensitive):\n  nearside privacy anonymize {file} -o OUT --k 10 --quasi {}",
            names.join(",")
        );
    }
    text
}
