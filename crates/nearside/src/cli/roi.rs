//! `nearside roi`: its arguments.

use std::path::PathBuf;

use clap::Args;

/// `nearside roi`
#[derive(Debug, Default, Args)]
#[command(after_help = "\
Examples:
  nearside roi examples/support-assistant
  nearside roi examples/support-assistant --set machine_price='3000..3600..4200 EUR' --set far.discount='20 %'
  nearside roi --currency USD --against aws/g5.xlarge@us-east-1 --set machine_price='3500 USD' \\
      --set hours=240 --set load='550 W' --set idle='100 W' --set tariff='0.15 USD/kWh'
  nearside roi --bill examples/bills/october.csv --machine rtx-4090 --set machine_price='3500 USD' \\
      --set load='550 W' --set idle='100 W' --set tariff='0.15 USD/kWh'
  nearside roi --xlsx roi.xlsx --html roi.html
  nearside roi --template roi.xlsx
  nearside roi --cases docs/payback.toml
  nearside roi --inputs

With several projects they share the machine of the first. A payback counts the purchase once: what the
machine loses in worth is in no month of it. What is assumed is listed by --explain.")]
pub(crate) struct Roi {
    /// Project folders or files; without any, everything is stated by --set and --against
    pub(crate) paths: Vec<PathBuf>,
    /// Hold the machine against these offers of the catalog (`*` stands for anything)
    #[arg(long, value_name = "OFFER", value_delimiter = ',')]
    pub(crate) against: Vec<String>,
    /// Hold the machine against cloud bills (FOCUS CSV or Parquet): what of them it would have done, hour by hour
    #[arg(long, value_name = "FILE", num_args = 1.., conflicts_with = "against")]
    pub(crate) bill: Vec<PathBuf>,
    /// The accelerator of the own machine for --bill, without a project
    #[arg(long, value_name = "DEVICE", requires = "bill")]
    pub(crate) machine: Option<String>,
    /// Take the hours of work from what the ledger recorded here, not from estimates and repeats
    #[arg(long, conflicts_with = "bill")]
    pub(crate) recorded: bool,
    /// On which terms: on demand, interruptible, or a commitment that pays all hours
    #[arg(long, value_enum, default_value = "on-demand")]
    pub(crate) terms: RoiTerms,
    /// State an input: NAME=VALUE, or a range NAME=LOW..LIKELY..HIGH; `far.NAME` of what it is held against
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) set: Vec<String>,
    /// The own machine in somebody's rack as well, for this fee: space, power and cooling, as '150 EUR/month'
    #[arg(long, value_name = "MONEY")]
    pub(crate) colocate: Option<String>,
    /// The work done by a service as well, for a fee a month or a price for an hour of it
    #[arg(long, value_name = "MONEY")]
    pub(crate) outsource: Option<String>,
    /// Check somebody's figure, as payback='137 months': does it hold, and if not, which slip leads to it?
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) claim: Vec<String>,
    /// Paybacks for these machine-hours a month as well
    #[arg(long, value_name = "HOURS", value_delimiter = ',')]
    pub(crate) hours: Vec<f64>,
    /// Tables of paybacks for the cases of a file
    #[arg(long, value_name = "FILE", conflicts_with_all = ["paths", "against", "bill", "set", "hours"])]
    pub(crate) cases: Option<PathBuf>,
    /// Currency without a project
    #[arg(long, value_name = "CODE", default_value = "USD")]
    pub(crate) currency: String,
    /// What another currency is worth, without a project: EUR='1.09 USD'
    #[arg(long, value_name = "CODE=MONEY")]
    pub(crate) rate: Vec<String>,
    /// Random draws of what is uncertain
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub(crate) draws: u32,
    /// Which draws: the same seed gives the same answer
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Write a spreadsheet whose formulas live
    #[arg(long, value_name = "FILE")]
    pub(crate) xlsx: Option<PathBuf>,
    /// Write a page with charts, which needs nothing else
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// Write all inputs and results as a table
    #[arg(long, value_name = "FILE")]
    pub(crate) csv: Option<PathBuf>,
    /// Write a spreadsheet to fill in, of a published case, and answer nothing else
    #[arg(long, value_name = "FILE", conflicts_with_all = ["paths", "against", "set", "cases", "xlsx", "html", "csv"])]
    pub(crate) template: Option<PathBuf>,
    /// List every input with what is assumed where nobody states it
    #[arg(long)]
    pub(crate) inputs: bool,
    /// Show every alternative, not only the cheapest five
    #[arg(long)]
    pub(crate) all: bool,
}

/// On which terms hours are bought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum RoiTerms {
    /// Hours that are used
    #[default]
    OnDemand,
    /// Cheaper hours that may be taken away: state far.interruptions
    Spot,
    /// All hours of a year at a discount: state far.discount
    Committed,
}
