//! `nearside doctor`: its arguments.

use std::path::PathBuf;

use clap::Args;

/// `nearside doctor`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  nearside doctor
  nearside doctor --measure
  nearside doctor --measure --folder /data

Measured ceilings are kept in machine.db in the data folder ($NEARSIDE_DATA_DIR, or nearside below
$XDG_DATA_HOME or ~/.local/share) and used by `fit` and `plan` at once. Close other programs first.")]
pub(crate) struct Doctor {
    /// Measure arithmetic, memory, disk and loopback network, and keep the result (under a minute)
    #[arg(long)]
    pub(crate) measure: bool,
    /// A folder on the disk to measure: the one that holds models or data
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) folder: PathBuf,
}
