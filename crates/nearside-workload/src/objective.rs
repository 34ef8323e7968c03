//! `[objective]`: what a good plan is.

use std::str::FromStr;

use nearside_units::{Duration, GramsCo2e, Money, ParseError};

use crate::named::named;
use crate::project_file::ObjectiveTable;
use crate::reader::{Priced, Reader};

/// What a good plan is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Objective {
    /// What to make small.
    pub minimize: Goal,
    /// The longest that one pass may take.
    pub deadline: Option<Duration>,
    /// The most that a month may cost, repeats and serving included.
    pub budget: Option<Money>,
    /// The most that a month may emit.
    pub carbon: Option<GramsCo2e>,
}

/// What to make small.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// Money.
    Cost,
    /// Time of one pass.
    Time,
    /// Emissions.
    Carbon,
}

impl Goal {
    const NAMES: [(Self, &'static str); 3] =
        [(Self::Cost, "cost"), (Self::Time, "time"), (Self::Carbon, "carbon")];
}
named!(Goal, "goal");

/// Reads `[objective]`.
pub(crate) fn read(reader: &mut Reader, table: &ObjectiveTable) -> Objective {
    let mut section = reader.section("objective");
    let minimize = section.choice("minimize", table.minimize.as_ref(), Goal::names());
    let why = "the question that most projects ask first";
    let minimize = section.or_assume("minimize", minimize, Goal::Cost, why);
    let budget: Option<PerMonth<Money>> =
        section.price("budget", table.budget.as_ref(), "400 EUR/month");
    let carbon: Option<PerMonth<GramsCo2e>> =
        section.quantity("carbon", table.carbon.as_ref(), "20 kgCO2e/month");
    Objective {
        minimize,
        deadline: section.quantity("deadline", table.deadline.as_ref(), "48 h"),
        budget: budget.map(|budget| budget.0),
        carbon: carbon.map(|carbon| carbon.0),
    }
}

/// Money or emissions per month, as in `400 EUR/month`.
struct PerMonth<T>(T);

impl<T: FromStr<Err = ParseError>> FromStr for PerMonth<T> {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let amount = text.trim().strip_suffix("/month").ok_or_else(|| ParseError::Malformed {
            text: text.to_owned(),
            expected: "an amount per month, ending in \"/month\"",
        })?;
        amount.parse().map(Self)
    }
}

impl Priced for PerMonth<Money> {
    fn money(&self) -> Money {
        self.0
    }
}
