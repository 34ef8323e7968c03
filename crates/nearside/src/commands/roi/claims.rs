//! `--claim NAME=VALUE`: does somebody's figure hold, and if not, which slip leads to it?

use nearside_economics::{CLAIM_WITHIN, Content, Id, Roi, explain};
use nearside_units::ExchangeRates;
use schemars::JsonSchema;
use serde::Serialize;

use super::view::Answered;
use crate::error::{CommandError, Fault};

/// Somebody's figure beside the computed one.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ClaimView {
    /// The cell that it is of.
    pub(crate) cell: String,
    /// What people call it.
    pub(crate) label: String,
    /// Its unit.
    pub(crate) unit: String,
    /// What is claimed.
    pub(crate) claimed: f64,
    /// What is computed.
    pub(crate) computed: Answered,
    /// They are the same, as far as rounding to a hundredth goes.
    pub(crate) holds: bool,
    /// Slips that lead to the claimed figure.
    pub(crate) slips: Vec<SlipView>,
    /// All that in a sentence.
    pub(crate) says: String,
}

/// A slip that leads to a claimed figure.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct SlipView {
    /// What it is called.
    pub(crate) name: String,
    /// What was done, with its numbers.
    pub(crate) says: String,
}

pub(super) fn of(
    roi: &Roi,
    claims: &[String],
    exchange: &ExchangeRates,
) -> Result<Vec<ClaimView>, CommandError> {
    claims.iter().map(|claim| one(roi, claim, exchange)).collect()
}

fn one(roi: &Roi, claim: &str, exchange: &ExchangeRates) -> Result<ClaimView, CommandError> {
    let usage = |message: String| CommandError::new(Fault::Usage, format!("--claim: {message}"));
    let (name, text) = claim.split_once('=').ok_or_else(|| {
        usage(format!("\"{claim}\" is no NAME=VALUE")).hint("--claim payback='137 months'")
    })?;
    let cell = find(roi, name.trim()).ok_or_else(|| {
        let hint = nearside_workload::nearest(name.trim(), names(roi)).map_or_else(
            || "payback, month, energy, power_month, break_even, ...".to_owned(),
            |near| format!("did you mean {near}?"),
        );
        usage(format!("nothing is computed that is called {name}")).hint(hint)
    })?;
    let unit = roi.sheet.cell(cell).unit;
    let claimed = unit.read(text.trim(), exchange).map_err(usage)?.likely();
    let found = explain(roi, cell, claimed, CLAIM_WITHIN);
    let label = roi.sheet.cell(cell).label.clone();
    Ok(ClaimView {
        cell: roi.sheet.cell(cell).name.clone(),
        unit: unit.symbol(exchange.currency().code()),
        claimed,
        computed: found.computed.into(),
        holds: found.holds,
        says: format!("{label}: {found}"),
        label,
        slips: found
            .slips
            .into_iter()
            .map(|slip| SlipView { name: slip.name.to_owned(), says: slip.says })
            .collect(),
    })
}

/// A cell by its name; one of an alternative by its name alone is the first one's.
fn find(roi: &Roi, name: &str) -> Option<Id> {
    roi.sheet.find(name).or_else(|| roi.sheet.find(&format!("far1_{name}")))
}

/// Names of all that is computed.
fn names(roi: &Roi) -> impl Iterator<Item = &str> {
    let computed =
        roi.sheet.cells().filter(|(_, cell)| matches!(cell.content, Content::Formula(_)));
    computed.map(|(_, cell)| cell.name.strip_prefix("far1_").unwrap_or(&cell.name))
}
