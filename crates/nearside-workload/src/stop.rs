//! `stop = { ... }`: when the trials of a stage need not all be run, by a figure that each writes.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::Located;
use crate::named::named;
use crate::reader::Reader;
use crate::scalar::{CountSchema, Field};
use crate::trial::{self, Values};

/// When the trials of a stage need not all be run.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StopTable {
    /// Where each trial writes the figure: a JSON, JSON lines or CSV file and the key in it, as in
    /// "build/{rank}.json:eval.loss". Of a file that grows, the last line counts.
    #[schemars(required)]
    pub(crate) metric: Option<Located<String>>,
    /// Whether the figure should become small or large.
    #[schemars(required, extend("enum" = Aim::names().collect::<Vec<_>>()))]
    pub(crate) goal: Option<Located<String>>,
    /// Trials without a better figure after which no more are run.
    #[schemars(with = "Option<CountSchema>")]
    pub(crate) patience: Option<Field>,
    /// The figure that is good enough: no trial after it is run.
    #[schemars(with = "Option<f64>")]
    pub(crate) target: Option<Field>,
    /// What ends a trial while it runs: "median", once its figure is worse than the median of at least
    /// three earlier trials at the same step.
    #[schemars(extend("enum" = ["median"]))]
    pub(crate) running: Option<Located<String>>,
}

/// When the trials of a stage need not all be run.
#[derive(Clone, Debug, PartialEq)]
pub struct Stop {
    /// The key of the figure in the file of each trial.
    pub key: String,
    /// What a good figure is.
    pub aim: Aim,
    /// Trials without a better figure after which no more are run.
    pub patience: Option<u64>,
    /// The figure that is good enough.
    pub target: Option<f64>,
    /// Whether a trial ends once it is worse than the median of the earlier ones.
    pub by_median: bool,
}

/// What a good figure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aim {
    /// A small one.
    Min,
    /// A large one.
    Max,
}

impl Aim {
    const NAMES: [(Self, &'static str); 2] = [(Self::Min, "min"), (Self::Max, "max")];
}
named!(Aim, "goal");

/// Reads the rule of a stage.
pub(crate) fn read(reader: &mut Reader, stage: &str, table: &Located<StopTable>) -> Option<Stop> {
    let mut section = reader.section(format!("stage.{stage}"));
    let StopTable { metric, goal, patience, target, running } = &table.value;
    let key = metric.as_ref().and_then(|metric| metric.value.rsplit_once(':'));
    let key = key.filter(|(file, key)| !file.is_empty() && !key.is_empty());
    if key.is_none() {
        let hint = "as in metric = \"build/{rank}.json:loss\"";
        let span = metric.as_ref().map_or(&table.span, |metric| &metric.span);
        section.error(&span.clone(), "stop.metric", "names no file and key", hint);
    }
    let aim = section.choice("stop.goal", goal.as_ref(), Aim::names());
    if goal.is_none() {
        section.error(&table.span, "stop.goal", "is not there", "goal = \"min\" or \"max\"");
    }
    if patience.is_none() && target.is_none() && running.is_none() {
        let hint = "add patience = 2, target = 0.1 or running = \"median\"";
        section.error(&table.span, "stop", "never stops anything", hint);
    }
    if let Some(running) = running.as_ref().filter(|running| running.value != "median") {
        section.error(&running.span, "stop.running", "is not \"median\"", "");
    }
    let patience = section.count("stop.patience", patience.as_ref(), 1..=1_000_000);
    let target = section.number("stop.target", target.as_ref(), f64::MIN..=f64::MAX);
    let (_, key) = key?;
    Some(Stop { key: key.to_owned(), aim: aim?, patience, target, by_median: running.is_some() })
}

/// The file that one trial writes its figure to.
pub(crate) fn file(
    reader: &mut Reader,
    table: Option<&Located<StopTable>>,
    values: &Values,
) -> Option<String> {
    let metric = table?.value.metric.as_ref()?;
    let (file, _) = metric.value.rsplit_once(':')?;
    trial::fill(reader, &Located::new(file.to_owned(), metric.span.clone()), values)
}
