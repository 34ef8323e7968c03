//! `nearside report`: its arguments.

use std::path::PathBuf;

use clap::Args;

/// `nearside report`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  nearside report examples/support-assistant
  nearside report a b --output for-the-board
  nearside report --runbook > RUNBOOK.md
  nearside report --runbook --html runbook.html

It writes report.html (one page with charts, which needs nothing else), report.xlsx (a spreadsheet whose formulas
live), report.csv and report.json, all of one answer: that of `nearside roi` with the same projects.")]
pub(crate) struct Report {
    /// Project folders or files; several share the machine of the first
    #[arg(default_value = ".")]
    pub(crate) paths: Vec<PathBuf>,
    /// The folder to write to
    #[arg(short, long, value_name = "FOLDER", default_value = "report")]
    pub(crate) output: PathBuf,
    /// Write what whoever takes the project over must know, as Markdown: machines, environments, stages, what
    /// has failed, maintenance
    #[arg(long, conflicts_with_all = ["output", "set", "draws", "seed"])]
    pub(crate) runbook: bool,
    /// The runbook as a page
    #[arg(long, value_name = "FILE", requires = "runbook")]
    pub(crate) html: Option<PathBuf>,
    /// State an input of `nearside roi`: NAME=VALUE, or NAME=LOW..LIKELY..HIGH
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) set: Vec<String>,
    /// Random draws of what is uncertain
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub(crate) draws: u32,
    /// Which draws: the same seed gives the same answer
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
}
