//! `nearside doctor --emit` and `--compare`: environments that move from machine to machine.

use std::path::PathBuf;

use clap::Args;
use nearside_catalog::Version;

/// What is written about this environment, and what it is compared with.
#[derive(Debug, Args)]
pub(crate) struct Moving {
    /// Write what rebuilds this environment elsewhere into a project's folder (the current one
    /// where none is named): nearside.lock, Dockerfile, .dockerignore, .devcontainer/devcontainer.json,
    /// .python-version, pyproject.toml; beside a pyproject.toml of your own, constraints.txt
    #[arg(
        long,
        value_name = "DIR",
        num_args = 0..=1,
        default_missing_value = ".",
        conflicts_with_all = ["compare", "measure"]
    )]
    pub(crate) emit: Option<PathBuf>,
    /// With --emit: show the files, write none
    #[arg(long, requires = "emit")]
    pub(crate) dry_run: bool,
    /// With --emit: write over files that are there and differ (they are named without it); your own
    /// pyproject.toml and .python-version stay
    #[arg(long, requires = "emit")]
    pub(crate) force: bool,
    /// With --emit: the oldest NVIDIA driver that the image has to start with, as on the far side;
    /// this machine's when not given
    #[arg(long, value_name = "VERSION", requires = "emit")]
    pub(crate) driver: Option<Version>,
    /// Name what differs from another machine: its nearside.lock, or what `doctor --emit --json` or
    /// `doctor --json` printed there
    #[arg(long, value_name = "FILE", conflicts_with = "measure")]
    pub(crate) compare: Option<PathBuf>,
}
