//! `nearside iteration`: its arguments.

use std::path::PathBuf;

use clap::Args;

/// `nearside iteration`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  nearside iteration
  nearside iteration --pause '10 min'
  nearside iteration examples/support-assistant --json

An iteration is a `run` that executed something. What lies between the end of one run and the beginning
of the next is counted as work, unless it is longer than --pause. The loop elsewhere is on paper: stages
by their estimates, corrected by what was measured here; one without an estimate as long as here.")]
pub(crate) struct Iteration {
    /// Project folder or file
    #[arg(default_value = ".")]
    pub(crate) path: PathBuf,
    /// A longer time between two runs is a break, not work
    #[arg(long, value_name = "TIME", default_value = "30 min")]
    pub(crate) pause: String,
    /// Show every far site, not only the quickest five
    #[arg(long)]
    pub(crate) all: bool,
}
