//! A machine that is enough: what it is made of, what it costs, and what is done on it how.

use std::fmt;
use std::sync::Arc;

use nearside_catalog::{Accelerators, Condition};
use nearside_units::{
    AtLeast, Bytes, BytesPerSecond, Duration, Known, Money, MoneyError, Sourced, Watts,
};

use super::need::Need;

/// What a part is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// A machine that is sold as a whole.
    System,
    /// Cards.
    Accelerator,
    /// The processor.
    Processor,
    /// The board.
    Board,
    /// Main memory.
    Memory,
    /// The disk.
    Disk,
    /// The power supply.
    Supply,
    /// The case.
    Case,
    /// The processor's cooler.
    Cooler,
}

impl Role {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Accelerator => "accelerator",
            Self::Processor => "processor",
            Self::Board => "board",
            Self::Memory => "memory",
            Self::Disk => "disk",
            Self::Supply => "power supply",
            Self::Case => "case",
            Self::Cooler => "cooler",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

/// Something of the bill of materials.
#[derive(Clone, Debug, PartialEq)]
pub struct Bought {
    /// What it is for.
    pub role: Role,
    /// Its name for people.
    pub title: Arc<str>,
    /// How many.
    pub count: u32,
    /// Whether somebody had it before.
    pub condition: Condition,
    /// The price of one.
    pub price: Known<Sourced<Money>>,
}

impl Bought {
    /// The price of all of them.
    #[must_use]
    pub fn cost(&self) -> Known<Money> {
        let times = |price: &Sourced<Money>| price.value.scaled(f64::from(self.count));
        self.price.as_ref().and_then(|price| or_why(times(price)))
    }
}

fn or_why(money: Result<Money, MoneyError>) -> Known<Money> {
    money.map_or_else(|error| Known::unknown(error.to_string()), Known::Value)
}

/// A piece of work as it is done on a machine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Done {
    /// Which piece, in the order of the question.
    pub work: usize,
    /// How, and what that needs.
    pub need: Need,
    /// How long it keeps a machine busy in a month.
    pub month: Duration,
}

/// A machine that is enough.
#[derive(Clone, Debug, PartialEq)]
pub struct Machine {
    /// Its accelerators.
    pub accelerators: Option<Accelerators>,
    /// Its processor cores.
    pub cores: u32,
    /// Its main memory.
    pub memory: Bytes,
    /// Whether accelerators share that memory.
    pub shared: bool,
    /// Its disk.
    pub disk: Bytes,
    /// What its supply gives at most, and what it must; `None` of a system that states none.
    pub supply: Option<(Watts, Watts)>,
    /// Its wired network; `None` of a system that states none.
    pub network: Option<BytesPerSecond>,
    /// The bill of materials of one.
    pub parts: Vec<Bought>,
    /// How many of them it takes for the work of a month.
    pub count: u32,
    /// What is done on them.
    pub done: Vec<Done>,
}

impl Machine {
    /// What one costs: at least so much, where the price of a part is not known.
    #[must_use]
    pub fn each(&self) -> AtLeast<Money> {
        let mut costs = self.parts.iter().map(Bought::cost);
        let known = self.parts.iter().find_map(|part| part.cost().value());
        let mut total =
            AtLeast::new(Money::zero(known.map_or(nearside_units::Currency::USD, Money::currency)));
        costs.by_ref().for_each(|cost| {
            // All prices of a shelf are in one currency.
            total.add(cost, |sum, part| sum.checked_add(part).unwrap_or(*sum));
        });
        total
    }

    /// What all of them cost.
    #[must_use]
    pub fn total(&self) -> AtLeast<Money> {
        let AtLeast { total, missing } = self.each();
        AtLeast { total: total.scaled(f64::from(self.count)).unwrap_or(total), missing }
    }

    /// The price of all of them, if that of every part is known.
    #[must_use]
    pub fn price(&self) -> Option<Money> {
        let total = self.total();
        total.is_complete().then_some(total.total)
    }

    /// How long all the work of a month keeps machines busy.
    #[must_use]
    pub fn busy(&self) -> Duration {
        self.done.iter().fold(Duration::ZERO, |sum, done| sum + done.month)
    }
}

/// What was found.
#[derive(Clone, Debug, PartialEq)]
pub enum Found {
    /// The cheapest machine that is enough.
    Cheapest(Box<Machine>),
    /// No machine that is enough has a price: the smallest of those that are.
    Unpriced(Vec<Machine>),
    /// None is enough: the pieces of work that fit nothing, each with the reason of what comes nearest; or
    /// what else is not enough.
    Nothing(Vec<(Option<usize>, Arc<str>)>),
}

impl Found {
    /// The cheapest machine.
    #[must_use]
    pub fn cheapest(&self) -> Option<&Machine> {
        match self {
            Self::Cheapest(machine) => Some(machine),
            _ => None,
        }
    }
}
