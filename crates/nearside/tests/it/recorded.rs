//! Rows of a ledger as if stages had run.

use nearside_ledger::{Outcome, ProjectLedger, RunRow};

use super::command::Folder;

/// A run of a stage on this machine of which nothing but how it ended is known.
pub(crate) fn row(stage: &str, outcome: Outcome, began: &str) -> RunRow {
    RunRow {
        run: began.to_owned(),
        project: "recorded".to_owned(),
        plan: None,
        stage: stage.to_owned(),
        trial: String::new(),
        site: "here".to_owned(),
        cache_key: "00ff".to_owned(),
        outcome,
        exit_code: None,
        began: began.parse().expect("a moment"),
        transfer_seconds: None,
        queue_seconds: None,
        boot_seconds: None,
        run_seconds: None,
        predicted_low_seconds: None,
        predicted_likely_seconds: None,
        predicted_high_seconds: None,
        peak_memory_bytes: None,
        predicted_memory_bytes: None,
        energy_joules: None,
        energy_method: None,
        cost_amount: None,
        cost_currency: None,
        operational_grams_co2e: None,
        embodied_grams_co2e: None,
        energy_at_least_joules: None,
        energy_known_parts: None,
        failure: None,
    }
}

/// Puts rows into the ledger of the project in a folder.
pub(crate) fn keep(folder: &Folder, rows: &[RunRow]) {
    let record = folder.path().join(".nearside");
    std::fs::create_dir_all(&record).unwrap();
    let mut ledger = ProjectLedger::open(&record.join("ledger.db")).unwrap();
    for row in rows {
        ledger.add(row).unwrap();
    }
}
