//! `nearside ledger`: its arguments.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// `nearside ledger`
#[derive(Debug, Subcommand)]
pub(crate) enum Ledger {
    /// Executions of stages, the newest first
    List(LedgerQuery),
    /// One execution, with what it made
    Show {
        /// The number of its entry
        entry: u64,
        /// Project folder or file
        #[arg(default_value = ".")]
        path: PathBuf,
        /// Of rehearsals
        #[arg(long)]
        rehearsal: bool,
    },
    /// What was estimated against what was measured, stage by stage
    Accuracy {
        /// Project folder or file
        #[arg(default_value = ".")]
        path: PathBuf,
    },
    /// Everything, for other programs
    Export(LedgerExport),
    /// Is everything as it was recorded? Exits with 1 where it is not
    Verify {
        /// Project folder or file
        #[arg(default_value = ".")]
        path: PathBuf,
        /// Of rehearsals
        #[arg(long)]
        rehearsal: bool,
        /// A head that an earlier verify printed: shows that nothing was cut off or made anew since
        #[arg(long, value_name = "NUMBER:HASH")]
        head: Option<String>,
    },
}

/// `nearside ledger list`
#[derive(Debug, Args)]
pub(crate) struct LedgerQuery {
    /// Project folder or file
    #[arg(default_value = ".")]
    pub(crate) path: PathBuf,
    /// Of rehearsals
    #[arg(long)]
    pub(crate) rehearsal: bool,
    /// Of this stage
    #[arg(long, value_name = "STAGE")]
    pub(crate) stage: Option<String>,
    /// That began on this day or later, or at this moment in UTC or later
    #[arg(long, value_name = "DATE")]
    pub(crate) since: Option<String>,
    /// That ended so
    #[arg(long, value_enum)]
    pub(crate) outcome: Option<LedgerOutcome>,
    /// No more than so many
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(crate) limit: u32,
}

/// How an execution ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LedgerOutcome {
    /// It ran to its end
    Ran,
    /// Its result was there
    Cached,
    /// Its result was put back
    Restored,
    /// It failed
    Failed,
    /// It was stopped
    Interrupted,
}

impl From<LedgerOutcome> for nearside_ledger::Outcome {
    fn from(outcome: LedgerOutcome) -> Self {
        match outcome {
            LedgerOutcome::Ran => Self::Ran,
            LedgerOutcome::Cached => Self::Cached,
            LedgerOutcome::Restored => Self::Restored,
            LedgerOutcome::Failed => Self::Failed,
            LedgerOutcome::Interrupted => Self::Interrupted,
        }
    }
}

/// `nearside ledger export`
#[derive(Debug, Args)]
pub(crate) struct LedgerExport {
    /// Project folder or file
    #[arg(default_value = ".")]
    pub(crate) path: PathBuf,
    /// Of rehearsals
    #[arg(long)]
    pub(crate) rehearsal: bool,
    /// In which form
    #[arg(long, value_enum, default_value_t = LedgerForm::Csv)]
    pub(crate) form: LedgerForm,
    /// Which table a CSV or Parquet file holds: plans, runs, samples, spend, movements, artifacts, keys, certificates
    #[arg(long, value_name = "TABLE", default_value = "runs")]
    pub(crate) table: String,
    /// Write to this file, whole or not at all, instead of stdout
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// Forms of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LedgerForm {
    /// One table as CSV
    Csv,
    /// One table as a Parquet file
    Parquet,
    /// All tables, one JSON object a line
    Json,
    /// Runs with the columns of CodeCarbon's emissions.csv
    Codecarbon,
    /// Charges as FOCUS 1.2 rows (CSV)
    Focus,
}
