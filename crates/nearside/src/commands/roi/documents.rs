//! Documents of the answer that can be handed on: a spreadsheet, a page, a table.

use std::path::Path;

use nearside_economics::{Draws, Id, Roi as Sheet};
use nearside_report::{Drawn, Findings, csv, page, template, workbook};
use nearside_units::Currency;

use crate::cli::Roi;
use crate::environment;
use crate::error::{CommandError, Fault};
use crate::output::document::put;
use crate::output::{Answer, Output};

/// Writes the documents that are asked for.
pub(super) fn write(
    arguments: &Roi,
    (title, currency): (&str, Currency),
    sheet: &Sheet,
    warnings: &[String],
    output: &Output,
) -> Result<(), CommandError> {
    if arguments.xlsx.is_none() && arguments.html.is_none() && arguments.csv.is_none() {
        return Ok(());
    }
    let draws = Draws { count: arguments.draws as usize, seed: arguments.seed };
    let targets: Vec<Id> = sheet.far.iter().flat_map(|far| [far.payback, far.worth]).collect();
    let mut samples = sheet.sheet.drawn(&targets, draws).into_iter();
    let drawn =
        std::iter::from_fn(|| Some(Drawn { payback: samples.next()?, worth: samples.next()? }));
    let findings = Findings {
        roi: sheet.clone(),
        title: title.to_owned(),
        currency,
        date: environment::today(),
        warnings: warnings.to_vec(),
        drawn: drawn.collect(),
    };
    if let Some(file) = &arguments.xlsx {
        let bytes = workbook(&findings);
        put(
            file,
            &bytes.map_err(|error| CommandError::new(Fault::Bug, error.to_string()))?,
            output,
        )?;
    }
    if let Some(file) = &arguments.html {
        put(file, page(&findings).as_bytes(), output)?;
    }
    if let Some(file) = &arguments.csv {
        put(file, csv(&findings).as_bytes(), output)?;
    }
    Ok(())
}

/// Writes a spreadsheet to fill in.
pub(super) fn write_template(
    file: &Path,
    currency: Currency,
    output: &Output,
) -> Result<(), CommandError> {
    let bytes = template(environment::today(), currency)
        .map_err(|error| CommandError::new(Fault::Bug, error.to_string()))?;
    put(file, &bytes, output)
}

/// Writes a page.
pub(in crate::commands) fn write_page(
    file: &Path,
    html: &str,
    output: &Output,
) -> Result<(), CommandError> {
    put(file, html.as_bytes(), output)
}

/// Writes an answer as JSON.
pub(super) fn write_json<T: serde::Serialize>(
    file: &Path,
    answer: &Answer<'_, T>,
    output: &Output,
) -> Result<(), CommandError> {
    let text = answer.json(environment::today());
    let text = text.map_err(|error| CommandError::new(Fault::Bug, error.to_string()))?;
    put(file, text.as_bytes(), output)
}
