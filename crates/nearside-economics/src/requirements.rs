//! The inverse problem: the cheapest machine on which a list of work can be done.
//!
//! What every piece of work needs of an accelerator, of main memory and of processors comes from the
//! estimator, for each way of doing it that is accepted ([`needs`]). What there is to buy is a [`Shelf`]
//! of parts and whole systems. [`cheapest`] is exact over the shelf: it answers what trying every
//! combination of parts would. An unknown price is never the cheapest; where every machine that is
//! enough has one, the smallest machines are named instead.
//!
//! A machine is enough when every piece of work surely fits it, one pass of the pipeline meets the
//! deadline and the work of a month fits the hours of a month; where it does not, more machines of the
//! kind are bought.

mod machine;
mod need;
mod search;
mod share;
mod shelf;
mod tree;

use nearside_units::{Bytes, BytesPerSecond, Duration};

pub use machine::{Bought, Done, Found, Machine, Role};
pub use need::{Need, Needs, Work, needs};
pub use search::cheapest;
pub use share::{Amount, Share, shares};
pub use shelf::{Compute, Seller, Shelf};
pub use tree::{Asked, Case, Tree, decision_tree};

/// What a machine has to do.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// The work.
    pub works: Vec<Work>,
    /// What has to be kept on its disk.
    pub disk: Bytes,
    /// How fast data has to come in and go out, on average over the hours that it works.
    pub network: BytesPerSecond,
    /// In which time one pass has to be done.
    pub deadline: Option<Duration>,
    /// How long one machine may do work that ends, in a month.
    pub hours: Duration,
}

/// How much more than is needed a machine has to have.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Margin {
    /// So many times the memory that is needed, of accelerators and of the machine.
    pub memory: f64,
    /// So many times as fast as is needed.
    pub speed: f64,
    /// So many times the disk space.
    pub disk: f64,
}

/// How comfortable a machine is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Comfort {
    /// Everything can be done.
    Minimum,
    /// With a quarter of memory to spare, and in half the time.
    Comfortable,
    /// At least half of everything stays unused: whatever is larger is wasted on this work.
    Excessive,
}

impl Comfort {
    /// Each, the least first.
    pub const ALL: [Self; 3] = [Self::Minimum, Self::Comfortable, Self::Excessive];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Minimum => "minimum",
            Self::Comfortable => "comfortable",
            Self::Excessive => "over-provisioned",
        }
    }

    /// What it leaves unused.
    #[must_use]
    pub const fn margin(self) -> Margin {
        match self {
            Self::Minimum => Margin { memory: 1.0, speed: 1.0, disk: 1.0 },
            Self::Comfortable => Margin { memory: 1.25, speed: 2.0, disk: 1.5 },
            Self::Excessive => Margin { memory: 2.0, speed: 4.0, disk: 3.0 },
        }
    }
}
