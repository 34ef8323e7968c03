//! Open models that ran on this machine: what was expected of them against what was measured.

use std::collections::BTreeMap;

use nearside_ledger::ObservationRow;
use nearside_units::{Bytes, significant};
use schemars::JsonSchema;
use serde::Serialize;

use super::{median, percent, ratio, share};
use crate::error::CommandError;
use crate::output::{Align, Output, table};
use crate::view::seconds;
use crate::wire;
use crate::wire::observed::{Metric, is_disturbed};

/// How well a figure of a model was estimated.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct ModelAccuracy {
    /// The model: its file, its parameters and the type of most of its weights.
    model: String,
    /// What was estimated: `prompt` and `token` in seconds, `memory` in bytes, `energy` in joules.
    what: String,
    /// The unit of both.
    unit: String,
    /// Runs that count: those with the processors for themselves, and of memory all.
    runs: usize,
    /// Runs whose time was that of a machine with other work, which count for nothing else here.
    busy_runs: usize,
    /// Median of what had been estimated as likely.
    estimated: Option<f64>,
    /// Median of what was measured.
    measured: Option<f64>,
    /// Median of measured over estimated; 1 is right.
    times: Option<f64>,
    /// Share of the runs whose figure was within the estimated range.
    within_range: Option<f64>,
}

/// Every model that ran on this machine.
pub(in crate::commands::ledger) fn here(
    output: &Output,
) -> Result<Vec<ModelAccuracy>, CommandError> {
    let catalog = wire::catalog(output)?;
    let (machine, _) = wire::machine::this_machine(&catalog)?;
    let rows = wire::calibration::observations(&wire::ceilings::fingerprint(&machine))?;
    Ok(of(&rows))
}

fn of(rows: &[ObservationRow]) -> Vec<ModelAccuracy> {
    let mut by_figure: BTreeMap<(&str, Metric), Vec<&ObservationRow>> = BTreeMap::new();
    for row in rows {
        if let Some(metric) = Metric::of(row) {
            by_figure.entry((&row.workload, metric)).or_default().push(row);
        }
    }
    by_figure.into_iter().map(|((model, _), rows)| figure(model, &rows)).collect()
}

fn figure(model: &str, rows: &[&ObservationRow]) -> ModelAccuracy {
    let quiet: Vec<_> = rows.iter().filter(|row| !is_disturbed(row)).collect();
    let middle = |value: fn(&ObservationRow) -> f64| median(quiet.iter().map(|row| value(row)));
    let within =
        |row: &&&ObservationRow| (row.estimate.low()..=row.estimate.high()).contains(&row.measured);
    let first = rows.first();
    ModelAccuracy {
        model: model.to_owned(),
        what: first.map_or_else(String::new, |row| row.metric.clone()),
        unit: first.map_or_else(String::new, |row| row.unit.clone()),
        runs: quiet.len(),
        busy_runs: rows.len() - quiet.len(),
        estimated: middle(|row| row.estimate.likely()),
        measured: middle(|row| row.measured),
        times: middle(|row| row.measured / row.estimate.likely().max(f64::MIN_POSITIVE)),
        within_range: (!quiet.is_empty()).then(|| share(quiet.iter().map(within))),
    }
}

pub(super) fn text(models: &[ModelAccuracy]) -> String {
    let heads = [
        ("model on this machine", Align::Left),
        ("what", Align::Left),
        ("runs", Align::Right),
        ("beside others", Align::Right),
        ("estimated", Align::Right),
        ("measured", Align::Right),
        ("times", Align::Right),
        ("in range", Align::Right),
    ];
    let row = |model: &ModelAccuracy| {
        let dash = || "-".to_owned();
        let shown = |value: Option<f64>| {
            value.map_or_else(dash, |value| match model.unit.as_str() {
                "s" => seconds(value),
                "B" => Bytes::new(value as u64).to_string(),
                unit => format!("{} {unit}", significant(value)),
            })
        };
        vec![
            model.model.clone(),
            model.what.clone(),
            model.runs.to_string(),
            model.busy_runs.to_string(),
            shown(model.estimated),
            shown(model.measured),
            model.times.map_or_else(dash, ratio),
            model.within_range.map_or_else(dash, percent),
        ]
    };
    table(&heads, models.iter().map(row).collect())
}
