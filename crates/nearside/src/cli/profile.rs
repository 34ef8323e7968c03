//! `nearside profile`: its arguments.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

/// `nearside profile`
#[derive(Debug, Args)]
#[command(
    override_usage = "nearside profile [OPTIONS] -- COMMAND [ARGUMENT]...",
    after_help = "\
Examples:
  nearside profile -- python train.py
  nearside profile --html profile.html -- sh -c 'sort big.csv | gzip > big.csv.gz'
  nearside profile --json -- make -j8 > profile.json

The command and all that it starts are watched from outside; nothing is injected and nothing needs
privileges. Its exit code is passed on (127: it could not be started). The report comes last, on
stdout; with --json what the command prints goes to stderr instead, so that stdout is one JSON object.
A command that runs for less than a second tells little: let it run for ten."
)]
pub(crate) struct Profile {
    /// Write the report as a page to this file, too
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// Leave the chart out
    #[arg(long)]
    pub(crate) no_chart: bool,
    /// The command and its arguments
    #[arg(last = true, required_unless_present = "self_test", value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
    /// Try the verdict on programs whose bottleneck is known; these, or all
    #[arg(long, hide = true, num_args = 0.., value_name = "PROGRAM", conflicts_with = "command")]
    pub(crate) self_test: Option<Vec<String>>,
    /// How long each of them works, in seconds
    #[arg(long, hide = true, default_value_t = 4.0, requires = "self_test")]
    pub(crate) seconds: f64,
    /// Threads that take processors meanwhile
    #[arg(long, hide = true, default_value_t = 0, requires = "self_test")]
    pub(crate) hogs: usize,
    /// A folder on the disk that some of them wait for
    #[arg(long, hide = true, default_value = ".", requires = "self_test")]
    pub(crate) folder: PathBuf,
}
