//! In which whole numbers does the planner count money, carbon and time?
//!
//! Integers, because integer sums are associative: the optimum found by one order of additions is
//! exactly, not nearly, the optimum found by another.

use std::fmt;

use nearside_units::significant;

macro_rules! amount {
    ($(#[$documentation:meta])* $name:ident) => {
        $(#[$documentation])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u64);

        impl $name {
            /// Nothing.
            pub const ZERO: Self = Self(0);

            /// From a count of this unit.
            #[must_use]
            pub const fn new(count: u64) -> Self {
                Self(count)
            }

            /// The count of this unit.
            #[must_use]
            pub const fn get(self) -> u64 {
                self.0
            }
        }
    };
}

amount! {
    /// Millionths of the project currency (per month, or per GB moved).
    Micros
}
amount! {
    /// Milligrams of CO2 equivalent (per month, or per GB moved).
    Milligrams
}
amount! {
    /// Milliseconds of one pass.
    Milliseconds
}

impl fmt::Display for Micros {
    /// In whole units of the project currency, to the cent: `12.34`; smaller amounts in full.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = self.0 as f64 / 1e6;
        match self.0 {
            1..10_000 => formatter.pad(&format!("{units:.6}")),
            _ => formatter.pad(&format!("{units:.2}")),
        }
    }
}

impl fmt::Display for Milligrams {
    /// Three significant digits: `1.25 kg CO2e`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, size) = match self.0 {
            0..1_000 => ("mg", 1.0),
            1_000..1_000_000 => ("g", 1e3),
            1_000_000..1_000_000_000 => ("kg", 1e6),
            _ => ("t", 1e9),
        };
        formatter.pad(&format!("{} {unit} CO2e", significant(self.0 as f64 / size)))
    }
}

impl fmt::Display for Milliseconds {
    /// Three significant digits: `1.50 h`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, size) = match self.0 {
            0..1_000 => ("ms", 1.0),
            1_000..60_000 => ("s", 1e3),
            60_000..3_600_000 => ("min", 6e4),
            _ => ("h", 3.6e6),
        };
        formatter.pad(&format!("{} {unit}", significant(self.0 as f64 / size)))
    }
}

/// What a plan can be asked to make small, and what a limit can bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Objective {
    /// Money per month.
    Cost,
    /// The time of one pass.
    Time,
    /// Carbon per month.
    Carbon,
}

impl Objective {
    /// This many of the objective's unit.
    pub(crate) const fn amount(self, count: u64) -> Amount {
        match self {
            Self::Cost => Amount::Cost(Micros::new(count)),
            Self::Time => Amount::Time(Milliseconds::new(count)),
            Self::Carbon => Amount::Carbon(Milligrams::new(count)),
        }
    }

    /// The word for having more of it.
    pub(crate) const fn more(self) -> &'static str {
        match self {
            Self::Cost => "dearer",
            Self::Time => "later",
            Self::Carbon => "more carbon",
        }
    }

    /// The word for the choice with the least of it.
    pub(crate) const fn best(self) -> &'static str {
        match self {
            Self::Cost => "cheapest",
            Self::Time => "fastest",
            Self::Carbon => "lowest in carbon",
        }
    }
}

impl fmt::Display for Objective {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Cost => "cost",
            Self::Time => "time",
            Self::Carbon => "carbon",
        })
    }
}

/// An amount of money, time or carbon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Amount {
    /// Money per month.
    Cost(Micros),
    /// Time of one pass.
    Time(Milliseconds),
    /// Carbon per month.
    Carbon(Milligrams),
}

impl Amount {
    /// The count of its unit: micros, milliseconds or milligrams.
    #[must_use]
    pub const fn get(self) -> u64 {
        match self {
            Self::Cost(amount) => amount.get(),
            Self::Time(amount) => amount.get(),
            Self::Carbon(amount) => amount.get(),
        }
    }

    /// What it is an amount of.
    #[must_use]
    pub const fn of(self) -> Objective {
        match self {
            Self::Cost(_) => Objective::Cost,
            Self::Time(_) => Objective::Time,
            Self::Carbon(_) => Objective::Carbon,
        }
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cost(amount) => amount.fmt(formatter),
            Self::Time(amount) => amount.fmt(formatter),
            Self::Carbon(amount) => amount.fmt(formatter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_shown_in_readable_units() {
        assert_eq!(Micros::new(12_340_000).to_string(), "12.34");
        assert_eq!(Micros::new(90).to_string(), "0.000090");
        assert_eq!(Milligrams::new(1_250_000).to_string(), "1.25 kg CO2e");
        assert_eq!(Milliseconds::new(5_400_000).to_string(), "1.50 h");
        assert_eq!(Amount::Time(Milliseconds::ZERO).to_string(), "0 ms");
    }
}
