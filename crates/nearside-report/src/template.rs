//! The workbook without a project: the machine of published comparisons, every input to be replaced.

use nearside_economics::{Case, Given, Input, Roi};
use nearside_units::{Basis, Currency, Date, Span};

use crate::findings::{Findings, ReportError};
use crate::xlsx::workbook;

/// Low, likely and high of what has to be stated of the own machine.
const NEAR: [(&str, (f64, f64, f64)); 5] = [
    ("machine_price", (3000.0, 3500.0, 4500.0)),
    ("hours", (80.0, 240.0, 400.0)),
    ("load", (450.0, 550.0, 600.0)),
    ("idle", (60.0, 100.0, 120.0)),
    ("tariff", (0.10, 0.15, 0.35)),
];
/// And of the alternative: an hour of a comparable card.
const FAR: [(&str, (f64, f64, f64)); 1] = [("price", (0.40, 1.006, 1.861))];

/// A workbook to start from, with the base case of published comparisons: a workstation with an RTX 4090 of
/// 3,500 USD, 550 W at work and 100 W idle, 0.15 USD a kilowatt-hour, 240 hours a month, against 1.006 USD
/// an hour.
///
/// # Errors
/// When the workbook cannot be put together.
pub fn template(date: Date, currency: Currency) -> Result<Vec<u8>, ReportError> {
    workbook(&base_case(date, currency)?)
}

/// The findings of the template.
fn base_case(date: Date, currency: Currency) -> Result<Findings, ReportError> {
    let given = |values: &[(&'static str, (f64, f64, f64))]| -> Given {
        let input = |&(name, (low, likely, high)): &(&'static str, _)| {
            let basis =
                Basis::assumed("base case of published comparisons (USD); replace it by yours");
            let span = Span::new(low, likely, high).ok()?;
            Some((name, Input { span, basis }))
        };
        values.iter().filter_map(input).collect()
    };
    let case = Case { near: given(&NEAR), far: vec![("rented by the hour".into(), given(&FAR))] };
    let mut warnings = vec!["This is a template: every framed value is to be replaced.".to_owned()];
    if currency.code() != "USD" {
        let unconverted = "The base case was published in USD; its amounts stand here unconverted.";
        warnings.push(unconverted.to_owned());
    }
    let (roi, drawn) = (Roi::of(&case)?, Vec::new());
    Ok(Findings { roi, title: "template".to_owned(), currency, date, warnings, drawn })
}
