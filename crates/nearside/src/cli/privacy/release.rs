//! `nearside privacy release`: its arguments.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use schemars::JsonSchema;
use serde::Serialize;

/// `nearside privacy release`
#[derive(Debug, Args)]
#[command(after_help = "\
A dataset is released from once the project says what may be spent of its people's privacy, in all:

  [dataset.people]
  path   = \"data/people.csv\"
  class  = \"personal\"
  budget = { epsilon = 3.0, delta = 1e-6, rows_per_person = 2, person = \"id\" }

Examples:
  nearside privacy release people                                        # what is left?
  nearside privacy release people count --epsilon 0.1
  nearside privacy release people mean --of age=0..120 --epsilon 0.5 --dry-run
  nearside privacy release people quantiles --of pay=0..200000/100 --at 0.5,0.9 --epsilon 0.5
  nearside privacy release people count --by sex=F,M --by age=0..100/10 --epsilon 0.5 -o counts.csv
  nearside privacy release people synthetic --by sex=F,M --by town=@towns.txt -o synthetic.csv --rho 0.02

Everything with the content of the file counts, whatever the dataset is called. Bounds and values must be known without a look at the table: that a value is in it tells of a person. Values
that are not named count as (other); cells that are no number count as the lower bound. Answers are noise
added to the truth, so they may be below 0; an error says how far off 19 in 20 of them are at most. What is
spent stays spent, whoever asks, and is in the record of the project, as is what was refused.
--epsilon is pure differential privacy; --rho (zero-concentrated, with less noise for many cells) needs a
budget with a delta.")]
pub(crate) struct Release {
    /// A dataset of the project that has a budget
    #[arg(value_name = "DATASET")]
    pub(crate) dataset: String,
    /// What is asked; without it, what is left of the budget is said
    #[arg(value_enum, value_name = "QUESTION")]
    pub(crate) question: Option<Question>,
    /// The column of numbers that is asked about, with bounds, and the step that values are rounded to
    #[arg(long, value_name = "COLUMN=LOW..HIGH[/STEP]")]
    pub(crate) of: Option<String>,
    /// A column that rows are counted by, with its values: sex=F,M, age=0..100/10, town=@FILE (a value a line, or value;group)
    #[arg(long, value_name = "COLUMN=VALUES")]
    pub(crate) by: Vec<String>,
    /// Which quantiles; 0.5 is the median
    #[arg(long, value_name = "PART", value_delimiter = ',', default_value = "0.5")]
    pub(crate) at: Vec<String>,
    /// Synthetic rows [default: as many as the table has, by noisy counts]
    #[arg(long, value_name = "N")]
    pub(crate) rows: Option<u64>,
    /// Columns that go together in synthetic rows, as age+sex [default: chosen, which spends a third]
    #[arg(long, value_name = "COLUMN+COLUMN", value_delimiter = ',')]
    pub(crate) pair: Vec<String>,
    /// What is spent, in pure differential privacy
    #[arg(long, value_name = "E")]
    pub(crate) epsilon: Option<f64>,
    /// What is spent, in zero-concentrated differential privacy
    #[arg(long, value_name = "R", conflicts_with = "epsilon")]
    pub(crate) rho: Option<f64>,
    /// Write counts or synthetic rows to a file, as CSV
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Say what noise the answer would have; nothing of its rows is read, and nothing spent
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Project folder or file
    #[arg(long, value_name = "PATH", default_value = ".")]
    pub(crate) project: PathBuf,
}

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Question {
    /// How many rows there are, or how many of each value of --by
    Count,
    /// The sum of a column
    Sum,
    /// The mean of a column
    Mean,
    /// Quantiles of a column
    Quantiles,
    /// Synthetic rows with about the same counts
    Synthetic,
}
