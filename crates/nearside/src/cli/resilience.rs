//! `nearside resilience`: its arguments.

use std::path::PathBuf;

use clap::Args;

/// `nearside resilience`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  nearside resilience examples/support-assistant
  nearside resilience --lasts '3 days' --price-rise '30 %' --ban US
  nearside resilience --random 10000 --rate 'network=12 x 2 h' --json

Each event takes sites away or makes them dearer; what is left is planned anew. The score is the mean, over all
events, of the share of stages that go on: those that break the deadline or the budget count half.
Exit code 1 when a stage stops that is not stopped by the loss of the own machine.")]
pub(crate) struct Resilience {
    /// Project folder or file
    #[arg(default_value = ".")]
    pub(crate) path: PathBuf,
    /// How long outages last
    #[arg(long, value_name = "TIME", default_value = "1 day")]
    pub(crate) lasts: String,
    /// By how much rented hours get dearer
    #[arg(long, value_name = "PERCENT", default_value = "50 %")]
    pub(crate) price_rise: String,
    /// A quota: no rented machine with more accelerators than this
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) quota: u32,
    /// No sites in these countries any more (codes such as US); each country of the plan unless stated
    #[arg(long, value_name = "COUNTRY", value_delimiter = ',')]
    pub(crate) ban: Vec<String>,
    /// Draw so many years at random
    #[arg(long, value_name = "YEARS", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub(crate) random: Option<u32>,
    /// Which years: the same seed gives the same answer
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// How often an event happens a year, and how long on average: KIND='TIMES x TIME'
    #[arg(long, value_name = "KIND=RATE")]
    pub(crate) rate: Vec<String>,
}
