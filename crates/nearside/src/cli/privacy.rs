//! `nearside privacy`: its arguments.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `nearside privacy`
#[derive(Debug, Subcommand)]
pub(crate) enum Privacy {
    /// What is personal or secret in these files? Exits with 1 where something is, or could not be read
    Scan(PrivacyScan),
}

/// `nearside privacy scan`
#[derive(Debug, Args)]
pub(crate) struct PrivacyScan {
    /// Files and folders; `-` is the standard input
    #[arg(required = true)]
    pub(crate) paths: Vec<PathBuf>,
    /// The class from which on a finding counts: personal or special
    #[arg(long, default_value = "personal", value_name = "CLASS")]
    pub(crate) class: String,
    /// Only these kinds, such as EMAIL,IBAN; a wrong one lists all
    #[arg(long, value_delimiter = ',', value_name = "KIND")]
    pub(crate) only: Vec<String>,
    /// Not these kinds
    #[arg(long, value_delimiter = ',', value_name = "KIND")]
    pub(crate) without: Vec<String>,
    /// How sure a finding has to be, from 0.5 to 0.99
    #[arg(long, default_value_t = 0.5, value_name = "SCORE")]
    pub(crate) score: f64,
    /// Folders below the paths that are not looked into, by name
    #[arg(long, value_name = "NAME")]
    pub(crate) skip_folder: Vec<String>,
    /// The most findings that are listed; all are counted [default: 20, with --json all]
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<usize>,
    /// Threads [default: one per core]
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<std::num::NonZero<usize>>,
    /// Writes the findings as SARIF 2.1.0, which code hosts show beside the lines
    #[arg(long, value_name = "FILE")]
    pub(crate) sarif: Option<PathBuf>,
}
