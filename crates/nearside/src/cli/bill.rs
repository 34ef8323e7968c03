//! `nearside bill`: its arguments.

use std::path::PathBuf;

use clap::Args;

/// `nearside bill`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  nearside bill october.csv.gz
  nearside bill exports/ --machine rtx-4090 --delay '8 h'
  nearside bill exports/ --machine rtx-4090 --count 2 --json

Reads what clouds export in the FOCUS format, 1.0 to 1.3: CSV, also with gzip, and Parquet. Cash is what
invoices say (BilledCost); amortised is what was used, with purchases in advance spread over it
(EffectiveCost). The two are never added. Hours are those of the calendar in UTC.")]
pub(crate) struct Bill {
    /// Bills, or folders of them
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// A project whose exchange rates and near machine count; without it the one here, if there is one
    #[arg(long, value_name = "PATH")]
    pub(crate) project: Option<PathBuf>,
    /// A device of the catalog as near machine, instead of the project's or this one
    #[arg(long, value_name = "DEVICE", conflicts_with = "site")]
    pub(crate) machine: Option<String>,
    /// How many of that device
    #[arg(long, default_value_t = 1, requires = "machine", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(crate) count: u32,
    /// A recorded machine as near machine
    #[arg(long, value_name = "FILE")]
    pub(crate) site: Option<PathBuf>,
    /// How long work may wait for the near machine, in whole hours
    #[arg(long, value_name = "TIME", default_value = "0 h")]
    pub(crate) delay: String,
    /// How fast a near device is beside each far one, instead of the catalog's figures: 0.5 is half as fast
    #[arg(long, value_name = "RATIO")]
    pub(crate) speed: Option<f64>,
    /// Show every service, not only the dearest ten
    #[arg(long)]
    pub(crate) all: bool,
}
