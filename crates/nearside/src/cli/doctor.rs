//! `nearside doctor`: its arguments.

mod power;

use std::path::PathBuf;

use clap::Args;

pub(crate) use power::Power;

/// `nearside doctor`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  nearside doctor
  nearside doctor --measure
  nearside doctor --measure --folder /data
  nearside doctor --plan
  nearside doctor --power --circuit '16 A/230 V' --room '30 m3'
  nearside doctor --power --on rtx-5090 --count 2 --supply '1600 W' --atx 3

Measured ceilings are kept in machine.db in the data folder ($NEARSIDE_DATA_DIR, or nearside below
$XDG_DATA_HOME or ~/.local/share) and used by `fit` and `plan` at once. Close other programs first.")]
pub(crate) struct Doctor {
    /// Project folder or file
    #[arg(default_value = ".")]
    pub(crate) path: PathBuf,
    /// Measure arithmetic, memory, disk and loopback network, and keep the result (under a minute)
    #[arg(long)]
    pub(crate) measure: bool,
    /// A folder on the disk to measure: the one that holds models or data
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) folder: PathBuf,
    /// What measured ceilings change in the plan of the project (without one, for a small model)
    #[arg(long)]
    pub(crate) plan: bool,
    #[command(flatten)]
    pub(crate) power: Power,
}
