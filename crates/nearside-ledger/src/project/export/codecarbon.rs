//! CodeCarbon's `emissions.csv`: kWh and kg in place of J and g.
//!
//! Source: CodeCarbon 3.3.2, `EmissionsData` (38 columns, in this order) and `EmissionsTracker`.

use super::{Field, unknown};
use crate::project::RunRow;
use crate::timestamp::Timestamp;

const JOULES_PER_KWH: f64 = 3.6e6;
const GRAMS_PER_KG: f64 = 1000.0;

/// Which runs: what came from a cache ran no command.
pub(super) const WANTED: &str = "WHERE outcome IN ('ran', 'failed', 'interrupted') ORDER BY entry";

/// Every column, in CodeCarbon's order.
pub(super) const FIELDS: &[Field<RunRow>] = &[
    ("timestamp", |run| Some(end(&run.row).to_the_second())),
    ("project_name", |run| Some(run.row.project.clone())),
    ("run_id", |run| Some(format!("{}/{}", run.row.run, run.entry))),
    ("experiment_id", |run| Some(experiment(&run.row))),
    ("duration", |run| text(run.row.run_seconds)),
    ("emissions", |run| text(kilograms(&run.row))),
    ("emissions_rate", |run| text(kilograms_per_second(&run.row))),
    ("cpu_power", unknown),
    ("gpu_power", unknown),
    ("ram_power", unknown),
    ("cpu_energy", unknown),
    ("gpu_energy", unknown),
    ("ram_energy", unknown),
    ("energy_consumed", |run| text(run.row.energy_joules.map(|joules| joules / JOULES_PER_KWH))),
    ("water_consumed", unknown),
    ("country_name", unknown),
    ("country_iso_code", unknown),
    ("region", unknown),
    ("cloud_provider", unknown),
    ("cloud_region", unknown),
    ("os", unknown),
    ("python_version", unknown),
    ("codecarbon_version", unknown),
    ("cpu_count", unknown),
    ("cpu_model", unknown),
    ("gpu_count", unknown),
    ("gpu_model", unknown),
    ("longitude", unknown),
    ("latitude", unknown),
    ("ram_total_size", unknown),
    ("tracking_mode", unknown),
    ("cpu_utilization_percent", unknown),
    ("gpu_utilization_percent", unknown),
    ("ram_utilization_percent", unknown),
    ("ram_used_gb", unknown),
    ("on_cloud", unknown),
    ("pue", unknown),
    ("wue", unknown),
];

/// CodeCarbon notes the moment of writing, which is the end of what ran.
fn end(run: &RunRow) -> Timestamp {
    let phases = [run.transfer_seconds, run.queue_seconds, run.boot_seconds, run.run_seconds];
    let seconds: f64 = phases.into_iter().flatten().sum();
    let millis = run.began.unix_millis().saturating_add((seconds * 1000.0) as u64);
    Timestamp::from_unix_millis(millis).unwrap_or(run.began)
}

fn experiment(run: &RunRow) -> String {
    match run.trial.as_str() {
        "" => run.stage.clone(),
        trial => format!("{}/{trial}", run.stage),
    }
}

/// CodeCarbon counts the energy used, not the making of the machine.
fn kilograms(run: &RunRow) -> Option<f64> {
    run.operational_grams_co2e.map(|grams| grams / GRAMS_PER_KG)
}

fn kilograms_per_second(run: &RunRow) -> Option<f64> {
    let seconds = run.run_seconds.filter(|seconds| *seconds > 0.0)?;
    Some(kilograms(run)? / seconds)
}

fn text(number: Option<f64>) -> Option<String> {
    number.map(|number| number.to_string())
}
