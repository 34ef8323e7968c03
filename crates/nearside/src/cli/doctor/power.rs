//! `nearside doctor --power`: its arguments.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, ValueEnum};
use nearside_economics::installation::{Circuit, Duty, Standard};
use nearside_units::{CubicMeters, Joules, Kelvins, ParseError, PerKwh, Watts};

/// What is asked about power and heat.
#[derive(Debug, Args)]
#[command(next_help_heading = "Power and heat")]
pub(crate) struct Power {
    /// What the machine asks of supply, circuit, room and battery, and what a year of it costs
    #[arg(long, conflicts_with_all = ["measure", "plan", "root", "report"])]
    pub(crate) power: bool,
    /// A machine with this device of the catalog instead of this machine
    #[arg(long, value_name = "DEVICE", requires = "power", conflicts_with = "site")]
    pub(crate) on: Option<String>,
    /// How many of that device
    #[arg(long, default_value_t = 1, requires = "on", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(crate) count: u32,
    /// A recorded machine instead of this one
    #[arg(long, value_name = "FILE", requires = "power")]
    pub(crate) site: Option<PathBuf>,
    /// What the processor draws by design (TDP), as in "125 W"
    #[arg(long, value_name = "POWER", requires = "power", allow_hyphen_values = true, value_parser = power)]
    pub(crate) processor: Option<Watts>,
    /// The circuit that it hangs on, as in "16 A/230 V"
    #[arg(long, value_name = "A/V", requires = "power", allow_hyphen_values = true)]
    pub(crate) circuit: Option<Circuit>,
    /// The rating of its power supply, as in "1000 W"
    #[arg(long, value_name = "POWER", requires = "power", allow_hyphen_values = true, value_parser = power)]
    pub(crate) supply: Option<Watts>,
    /// The standard of that supply: 3 promises to bear moments of more, 2 does not
    #[arg(long, value_enum, value_name = "VERSION", requires = "supply", default_value_t = Atx::Two)]
    pub(crate) atx: Atx,
    /// The room that it stands in, as in "30 m3"
    #[arg(long, value_name = "VOLUME", requires = "power", allow_hyphen_values = true)]
    pub(crate) room: Option<CubicMeters>,
    /// How much warmer air may leave the room than it came, as in "10 K"
    #[arg(long, value_name = "K", requires = "power", allow_hyphen_values = true)]
    pub(crate) warmer: Option<Kelvins>,
    /// What the battery of its uninterruptible supply holds, as in "1500 Wh"
    #[arg(long, value_name = "ENERGY", requires = "power", allow_hyphen_values = true, value_parser = energy)]
    pub(crate) battery: Option<Joules>,
    /// How much it works, as in "8 h/day"
    #[arg(long, value_name = "TIME/PERIOD", requires = "power", allow_hyphen_values = true)]
    pub(crate) hours: Option<Duty>,
    /// What a kilowatt-hour costs, as in "0.30 EUR/kWh"
    #[arg(long, value_name = "PRICE", requires = "power", allow_hyphen_values = true, value_parser = tariff)]
    pub(crate) tariff: Option<PerKwh>,
    /// Take UNCERTAIN for an answer: exit 0
    #[arg(long, requires = "power")]
    pub(crate) accept_uncertain: bool,
}

/// A standard of power supplies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Atx {
    /// ATX 2.x
    #[value(name = "2")]
    Two,
    /// ATX 3.x
    #[value(name = "3")]
    Three,
}

/// A power that is more than nothing.
fn power(text: &str) -> Result<Watts, String> {
    more_than(Watts::ZERO, text)
}

/// An energy that is more than nothing.
fn energy(text: &str) -> Result<Joules, String> {
    more_than(Joules::ZERO, text)
}

fn more_than<T>(nothing: T, text: &str) -> Result<T, String>
where
    T: FromStr<Err = ParseError> + PartialOrd,
{
    let quantity: T = text.parse().map_err(|error: ParseError| error.to_string())?;
    match quantity > nothing {
        true => Ok(quantity),
        false => Err("it has to be more than nothing".to_owned()),
    }
}

/// A price of energy, which nobody is paid for taking.
fn tariff(text: &str) -> Result<PerKwh, String> {
    let price: PerKwh = text.parse().map_err(|error: ParseError| error.to_string())?;
    match price.money().amount().is_sign_negative() {
        true => Err("a price is zero or more".to_owned()),
        false => Ok(price),
    }
}

impl Atx {
    pub(crate) const fn standard(self) -> Standard {
        match self {
            Self::Two => Standard::Atx2,
            Self::Three => Standard::Atx3,
        }
    }
}
