//! What `nearside ledger` answers, for tables and JSON alike.

use nearside_ledger::{ArtifactRow, Recorded, RunRow, SampleRow};
use schemars::JsonSchema;
use serde::Serialize;

/// The answer of `nearside ledger list`.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct LedgerList {
    /// Executions of stages, the newest first.
    pub(super) runs: Vec<LedgerRun>,
    /// Where the clock of the machine went back between them: they are in the order of recording.
    pub(super) clock_steps: Vec<String>,
}

/// One execution of a stage. What is not known is null.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct LedgerRun {
    /// The number of its entry.
    pub(super) entry: u64,
    /// What the run of the whole project is called.
    pub(super) run: String,
    /// The stage.
    pub(super) stage: String,
    /// The site.
    pub(super) site: String,
    /// ran, cached, restored, failed or interrupted.
    pub(super) outcome: String,
    /// What its command exited with.
    pub(super) exit_code: Option<i64>,
    /// Why it failed, in one line, where that was recorded.
    pub(super) failure: Option<String>,
    /// When it began, in UTC.
    pub(super) began: String,
    /// How long its command took, in seconds.
    pub(super) run_seconds: Option<f64>,
    /// What was estimated for that: low, likely, high.
    pub(super) predicted_seconds: Option<[f64; 3]>,
    /// The most memory that it held, in bytes.
    pub(super) peak_memory_bytes: Option<u64>,
    /// What was estimated for that, in bytes.
    pub(super) predicted_memory_bytes: Option<u64>,
    /// Energy that it used, in joules, where every part of the machine is known.
    pub(super) energy_joules: Option<f64>,
    /// How that is known.
    pub(super) energy_method: Option<String>,
    /// Energy of the parts that are known, in joules, where some are not: the least that it can be.
    pub(super) energy_at_least_joules: Option<f64>,
    /// Those parts, and how each is known.
    pub(super) energy_known_parts: Option<String>,
    /// What electricity and wear came to, a decimal number, where both are known.
    pub(super) cost: Option<String>,
    /// The currency of that, as an ISO 4217 code.
    pub(super) cost_currency: Option<String>,
    /// What its electricity emitted, by the average of the place, in grams of CO2 equivalent.
    pub(super) operational_grams_co2e: Option<f64>,
    /// Its share of making the machine, in grams of CO2 equivalent.
    pub(super) embodied_grams_co2e: Option<f64>,
    /// The plan that held while it ran, by its id in the table of plans.
    pub(super) plan: Option<String>,
    /// The key of its result.
    pub(super) cache_key: String,
    /// Readings while it ran, in order; of `ledger show` only.
    pub(super) samples: Vec<Sample>,
    /// What it made; of `ledger show` only.
    pub(super) artifacts: Vec<Artifact>,
}

/// A reading.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Sample {
    /// Seconds since the stage began.
    pub(super) seconds: f64,
    /// What was read: `memory`, or `processor time` since the beginning.
    pub(super) name: String,
    /// The unit of the reading.
    pub(super) unit: String,
    /// The reading.
    pub(super) value: f64,
}

/// Something that a stage made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Artifact {
    /// Its path in the project.
    pub(super) path: String,
    /// Digest of its content.
    pub(super) digest: String,
    /// Its size.
    pub(super) bytes: u64,
    /// How sensitive it is.
    pub(super) class: String,
}

/// The answer of `nearside ledger verify`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct LedgerVerification {
    /// Whether everything is as it was recorded.
    pub(super) sound: bool,
    /// Entries that were read.
    pub(super) entries: u64,
    /// The newest entry; noted elsewhere, it shows later that nothing was cut off or made anew.
    pub(super) head: Option<String>,
    /// What is not as it was recorded.
    pub(super) faults: Vec<String>,
    /// Faults beyond those that are listed.
    pub(super) more_faults: u64,
    /// Where the clock of the machine went back, which is no fault.
    pub(super) clock_steps: Vec<String>,
}

impl LedgerRun {
    pub(super) fn of(recorded: &Recorded<RunRow>) -> Self {
        let row = &recorded.row;
        let predicted = row.predicted_low_seconds.zip(row.predicted_likely_seconds);
        let predicted = predicted.zip(row.predicted_high_seconds);
        Self {
            entry: recorded.entry,
            run: row.run.clone(),
            stage: row.stage.clone(),
            site: row.site.clone(),
            outcome: row.outcome.to_string(),
            exit_code: row.exit_code,
            failure: row.failure.clone(),
            began: row.began.to_string(),
            run_seconds: row.run_seconds,
            predicted_seconds: predicted.map(|((low, likely), high)| [low, likely, high]),
            peak_memory_bytes: row.peak_memory_bytes,
            predicted_memory_bytes: row.predicted_memory_bytes,
            energy_joules: row.energy_joules,
            energy_method: row.energy_method.clone(),
            energy_at_least_joules: row.energy_at_least_joules,
            energy_known_parts: row.energy_known_parts.clone(),
            cost: row.cost_amount.as_ref().map(ToString::to_string),
            cost_currency: row.cost_currency.as_ref().map(ToString::to_string),
            operational_grams_co2e: row.operational_grams_co2e,
            embodied_grams_co2e: row.embodied_grams_co2e,
            plan: row.plan.clone(),
            cache_key: row.cache_key.clone(),
            samples: Vec::new(),
            artifacts: Vec::new(),
        }
    }
}

impl Sample {
    pub(super) fn of(recorded: &Recorded<SampleRow>) -> Self {
        let SampleRow { seconds, name, unit, value, .. } = recorded.row.clone();
        Self { seconds, name, unit, value }
    }
}

impl Artifact {
    pub(super) fn of(recorded: &Recorded<ArtifactRow>) -> Self {
        let row = &recorded.row;
        Self {
            path: row.path.clone(),
            digest: row.digest.clone(),
            bytes: row.bytes,
            class: row.class.clone(),
        }
    }
}
