//! `nearside doctor`: its arguments.

mod moving;
mod power;

use std::path::{Path, PathBuf};

use clap::Args;

pub(crate) use moving::Moving;
pub(crate) use power::Power;

/// `nearside doctor`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  nearside doctor
  nearside doctor ~/project --explain
  nearside doctor --report
  nearside doctor --root /mnt/disk
  nearside doctor --measure --folder /data
  nearside doctor --emit --dry-run
  nearside doctor --compare lab/nearside.lock
  nearside doctor --plan
  nearside doctor --power --circuit '16 A/230 V' --room '30 m3'
  nearside doctor --power --on rtx-5090 --count 2 --supply '1600 W' --atx 3

Checks read files and ask drivers; none needs root, and nothing is sent. It exits with 1 when a fault
stands. Measured ceilings are kept in machine.db in the data folder ($NEARSIDE_DATA_DIR, or nearside
below $XDG_DATA_HOME or ~/.local/share) and used by `fit` and `plan` at once. Close other programs first.")]
pub(crate) struct Doctor {
    /// The project whose environment, data and plan are looked at; with --root, as that machine names it
    pub(crate) path: Option<PathBuf>,
    /// Look at a mounted disk or a recorded machine instead of this one
    #[arg(long, value_name = "DIR", conflicts_with_all = ["measure", "folder"])]
    pub(crate) root: Option<PathBuf>,
    /// Print what is wrong as Markdown to paste, without names, addresses, serial numbers and tokens
    #[arg(long, conflicts_with_all = ["json", "measure"])]
    pub(crate) report: bool,
    /// Measure arithmetic, memory, disk and loopback network, and keep the result (under a minute)
    #[arg(long)]
    pub(crate) measure: bool,
    /// A folder on the disk to measure: the one that holds models or data
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) folder: PathBuf,
    #[command(flatten)]
    pub(crate) moving: Moving,
    /// What measured ceilings change in the plan of the project (without one, for a small model)
    #[arg(long)]
    pub(crate) plan: bool,
    #[command(flatten)]
    pub(crate) power: Power,
}

impl Doctor {
    /// The project that is meant: the one in this folder where none is named.
    pub(crate) fn project(&self) -> &Path {
        self.path.as_deref().unwrap_or(Path::new("."))
    }
}
