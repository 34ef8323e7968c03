//! `nearside privacy risk` and `nearside privacy account`: their arguments.

use std::path::PathBuf;

use clap::Args;

/// `nearside privacy risk`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  nearside privacy risk census.csv                       # which columns should be quasi-identifiers?
  nearside privacy risk census.csv --quasi age,zip,sex   # how likely is a row recognised by these?

Of more than 200,000 rows, as many are looked at, drawn evenly from all; what others may know of people,
only people can say.")]
pub(crate) struct Risk {
    /// A table with a row of heads; `-` is the standard input
    #[arg(value_name = "TABLE")]
    pub(crate) table: PathBuf,
    /// Columns that others may know
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    pub(crate) quasi: Vec<String>,
}

/// `nearside privacy account`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  nearside privacy account --sigma 1.1 --rate 0.0043 --steps 14063 --delta 1e-5
  nearside privacy account --epsilon 3 --rate 0.01 --steps 1000 --delta 1e-5     # how much noise is needed?

Every step takes each record with the same probability (Poisson sampling), clips what it makes of it to a
norm, and adds normal noise of --sigma times that norm; neighbours differ by one record. The answer is an
upper bound, by the privacy loss distribution (PLD), and beside it the looser one of Rényi privacy (RDP).")]
pub(crate) struct Account {
    /// The noise multiplier: standard deviation of the noise in units of the greatest norm of a record
    #[arg(long, value_name = "S", required_unless_present = "epsilon", conflicts_with = "epsilon")]
    pub(crate) sigma: Option<f64>,
    /// What may be spent: the least noise that keeps it is found
    #[arg(long, value_name = "E")]
    pub(crate) epsilon: Option<f64>,
    /// The probability of a record to be in a step: batch size by number of records
    #[arg(long, value_name = "Q")]
    pub(crate) rate: f64,
    /// Steps
    #[arg(long, value_name = "N")]
    pub(crate) steps: u64,
    /// The probability that the bound may fail with; below one by the number of records
    #[arg(long, value_name = "D")]
    pub(crate) delta: f64,
}
