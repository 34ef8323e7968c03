//! `nearside carbon`: its arguments.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// `nearside carbon`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  nearside carbon
  nearside carbon examples/support-assistant --per tokens --explain
  nearside carbon --compare
  nearside carbon --hourly intensity.csv
  nearside carbon --hourly 'aws/*@eu-north-1=sweden.csv'
  nearside carbon --marginal 'here=700 g/kWh' --market 'here=0 g/kWh'
  nearside carbon --offsets offsets.toml

Emissions are by the average of the place; marginal and market-based figures are lines of their own, and
offsets lower nothing. What is recorded is that of `nearside run` here.

--hourly: a CSV file with a header, a column of moments (datetime, timestamp, ...; ISO 8601) and one of
g/kWh (carbon_intensity, intensity, ...), one row an hour without gaps.
--offsets: CSV with the columns tonnes, price, currency, type (avoidance or removal), durability_years,
registry, vintage, retired, evidence; or TOML with the same keys in [[offset]] tables. Price is per tonne.")]
pub(crate) struct Carbon {
    /// Project folder or file
    #[arg(default_value = ".")]
    pub(crate) path: PathBuf,
    /// Score the work per this unit alone
    #[arg(long, value_enum, value_name = "UNIT")]
    pub(crate) per: Option<PerUnit>,
    /// What belongs to the software besides its machines, in your words; without it a score is no SCI
    #[arg(long, value_name = "TEXT")]
    pub(crate) boundary: Option<String>,
    /// What the same work would emit on each site in use
    #[arg(long)]
    pub(crate) compare: bool,
    /// Show every site that is compared, not only the best ten
    #[arg(long, requires = "compare")]
    pub(crate) all: bool,
    /// When to start, by the hourly intensity of a site's grid (without SITE= that of here)
    #[arg(long, value_name = "[SITE=]FILE")]
    pub(crate) hourly: Option<String>,
    /// What one more kilowatt-hour emits on a site, shown beside the average
    #[arg(long, value_name = "SITE=INTENSITY")]
    pub(crate) marginal: Vec<String>,
    /// What a kilowatt-hour emits by the contracts of a site, shown beside the average
    #[arg(long, value_name = "SITE=INTENSITY")]
    pub(crate) market: Vec<String>,
    /// Offsets, shown beside what is emitted
    #[arg(long, value_name = "FILE")]
    pub(crate) offsets: Option<PathBuf>,
}

/// A unit of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PerUnit {
    /// A run of a stage, or a month of a service
    Run,
    /// A million tokens
    Tokens,
    /// An image
    Images,
}
