//! The calculation as a workbook whose formulas live: the same cells, the same formulas, and beside each the
//! result that the calculation came to, so that it is shown also where nothing is recalculated.

mod carbon;
mod cash_flow;
mod costs;
mod draft;
mod formula;
mod inputs;
mod notes;
mod sensitivity;
mod style;

use std::collections::BTreeMap;

use nearside_economics::{Assumption, Content, Value, Values};
use rust_xlsxwriter::{
    ConditionalFormatCell, ConditionalFormatCellRule, DataValidation, DataValidationRule,
    DocProperties, ExcelDateTime, Format, Formula, Workbook, Worksheet, XlsxError,
};

use crate::findings::{Findings, ReportError};
use draft::{Draft, Item, Leaf, Place, Tab};

/// The workbook as the bytes of an XLSX file. The same findings give the same bytes.
///
/// # Errors
/// When the workbook cannot be put together.
pub fn workbook(findings: &Findings) -> Result<Vec<u8>, ReportError> {
    let draft = laid_out(findings);
    let values = draft.sheet.values();
    let mut book = Workbook::new();
    book.set_properties(&properties(findings)?);
    let mut formats = BTreeMap::new();
    for tab in Tab::ALL {
        let Some(leaf) = draft.leaves.get(&tab).filter(|leaf| !leaf.items.is_empty()) else {
            continue;
        };
        let sheet = book.add_worksheet().set_name(tab.name())?;
        for (row, lines) in leaf.tall_rows() {
            sheet.set_row_height(row, 15.0 * f64::from(lines))?;
        }
        for ((row, column), (item, look)) in &leaf.items {
            let format = formats.entry(*look).or_insert_with(|| style::format(*look));
            let place = Place { tab, row: *row, column: *column };
            write(sheet, &draft, &values, place, (item, format))?;
        }
        finish(sheet, &draft, leaf, tab)?;
    }
    for (name, place) in draft.named() {
        let cell = rust_xlsxwriter::utility::row_col_to_cell_absolute(place.row, place.column);
        book.define_name(name, &format!("='{}'!{cell}", place.tab.name()))?;
    }
    Ok(book.save_to_buffer()?)
}

/// Every cell of the calculation at its place. Yearly cells, emissions and costs come before the steps in
/// between, which are all that is left.
fn laid_out(findings: &Findings) -> Draft<'_> {
    let mut draft = Draft::of(findings);
    inputs::lay_out(&mut draft);
    cash_flow::lay_out(&mut draft);
    if carbon::is_known(&draft) {
        carbon::lay_out(&mut draft);
    }
    costs::lay_out(&mut draft);
    sensitivity::lay_out(&mut draft);
    notes::lay_out(&mut draft);
    draft
}

fn properties(findings: &Findings) -> Result<DocProperties, XlsxError> {
    // A date that lacks its day or month begins with the first.
    let date = findings.date.to_string();
    let whole = format!("{date}{}", &"YYYY-01-01"[date.len().min(10)..]);
    let created = ExcelDateTime::parse_from_str(&whole)?;
    Ok(DocProperties::new()
        .set_title(format!("Does the machine pay? {}", findings.shown_title()))
        .set_author("nearside")
        .set_creation_datetime(&created))
}

fn write(
    sheet: &mut Worksheet,
    draft: &Draft<'_>,
    values: &Values,
    place: Place,
    (item, format): (&Item, &Format),
) -> Result<(), XlsxError> {
    let (row, column) = (place.row, place.column);
    match item {
        Item::Text(text) => sheet.write_string_with_format(row, column, text, format)?,
        Item::Whole(number) => sheet.write_number_with_format(row, column, *number, format)?,
        Item::Cell(id) => match (draft.formula(place, *id), &draft.sheet.cell(*id).content) {
            (None, Content::Input(input)) => {
                sheet.write_number_with_format(row, column, input.span.likely(), format)?
            }
            (formula, _) => {
                let result = shown(values.of(*id));
                let formula = Formula::new(formula.unwrap_or_default()).set_result(result);
                sheet.write_formula_with_format(row, column, formula, format)?
            }
        },
        Item::Change(one, other) => {
            let seen = draft.seen_from(place.tab);
            let formula = Formula::new(seen.change(*one, *other));
            let result = match (values.of(*one), values.of(*other)) {
                (Value::Number(one), Value::Number(other)) => Value::Number(one - other),
                _ => Value::Nothing("-"),
            };
            let formula = formula.set_result(shown(result));
            sheet.write_formula_with_format(row, column, formula, format)?
        }
    };
    Ok(())
}

fn shown(value: Value) -> String {
    match value {
        Value::Number(number) => format!("{number}"),
        Value::Nothing(word) => word.to_owned(),
    }
}

/// Widths, what may be entered, what stands out, charts, and how it is printed.
fn finish(
    sheet: &mut Worksheet,
    draft: &Draft<'_>,
    leaf: &Leaf,
    tab: Tab,
) -> Result<(), XlsxError> {
    for (column, width) in &leaf.widths {
        sheet.set_column_width(*column, *width)?;
    }
    let code = draft.findings.currency.code();
    for (row, column, assumption) in &leaf.checked {
        let check = check(assumption, code)?;
        sheet.add_data_validation(*row, *column, *row, *column, &check)?;
    }
    for ([from, to], most) in &leaf.lit {
        if let Some(place) = draft.home(*most) {
            let most = rust_xlsxwriter::utility::row_col_to_cell_absolute(place.row, place.column);
            let rule = ConditionalFormatCellRule::LessThanOrEqualTo(Formula::new(most));
            let lit = ConditionalFormatCell::new().set_rule(rule).set_format(style::lit());
            sheet.add_conditional_format(from.0, from.1, to.0, to.1, &lit)?;
        }
    }
    for (row, column, chart) in &leaf.charts {
        sheet.insert_chart(*row, *column, chart)?;
    }
    sheet.set_row_height(0, 24)?;
    sheet.set_freeze_panes(leaf.frozen.0, leaf.frozen.1)?;
    sheet.set_screen_gridlines(false).set_landscape().set_paper_size(9);
    sheet.set_print_fit_to_pages(1, 0).set_footer("&L&A&R&P / &N");
    sheet.set_active(tab == Tab::Inputs);
    Ok(())
}

/// Only what the calculation foresees may be entered.
fn check(assumption: &Assumption, currency: &str) -> Result<DataValidation, XlsxError> {
    let (least, most) = assumption.within;
    let unit = assumption.unit.symbol(currency);
    let unit = if unit == "%" { "(0.05 is 5 %)" } else { &unit };
    let between = format!("{}: {least} to {most} {unit}", assumption.label);
    let rule = DataValidationRule::Between(least, most);
    DataValidation::new()
        .allow_decimal_number(rule)
        .set_error_title("Not foreseen")?
        .set_error_message(between.trim_end())
}
