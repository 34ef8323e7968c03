//! `nearside cache`: its arguments.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use nearside_units::{Bytes, Duration};

/// `nearside cache`
#[derive(Debug, Subcommand)]
pub(crate) enum Cache {
    /// Results, logs and working folders that are kept, and what they take
    List {
        /// Project folder or file
        #[arg(default_value = ".")]
        path: PathBuf,
        /// Of rehearsals
        #[arg(long)]
        rehearsal: bool,
    },
    /// Remove what is old and not needed; without --yes only say what would go
    Prune(CachePrune),
    /// Seal what is kept of people's data with a new key: results, logs and the vault
    Reseal {
        /// Project folder or file
        #[arg(default_value = ".")]
        path: PathBuf,
    },
}

/// `nearside cache prune`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  nearside cache prune
  nearside cache prune --keep 7d --yes
  nearside cache prune --keep-size 10GB --yes

What stages need as things are is always kept: the result of each stage's present key, and the one that
it last had. Files that no result holds are removed, whatever their age.")]
pub(crate) struct CachePrune {
    /// Project folder or file
    #[arg(default_value = ".")]
    pub(crate) path: PathBuf,
    /// Keep what is younger
    #[arg(long, value_name = "AGE", default_value = "30d", value_parser = age)]
    pub(crate) keep: Duration,
    /// Keep the newest results until all files take so much
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(crate) keep_size: Option<Bytes>,
    /// Remove it
    #[arg(long)]
    pub(crate) yes: bool,
    /// Of rehearsals
    #[arg(long)]
    pub(crate) rehearsal: bool,
}

fn age(text: &str) -> Result<Duration, String> {
    let age: Duration =
        text.parse().map_err(|error: nearside_units::ParseError| error.to_string())?;
    match std::time::Duration::try_from_secs_f64(age.as_seconds()) {
        Ok(_) => Ok(age),
        Err(_) => Err(format!("{text} is no age")),
    }
}

fn size(text: &str) -> Result<Bytes, String> {
    text.parse().map_err(|error: nearside_units::ParseError| error.to_string())
}
