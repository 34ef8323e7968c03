//! A place where work can run: a machine, what it costs, what it draws, where it stands, how far
//! away it is.

use std::sync::Arc;

use nearside_policy::{Clearance, Country};
use nearside_units::{
    Bytes, BytesPerSecond, Duration, GramsCo2e, GramsPerKwh, Known, Money, PerHour, PerKwh,
    Sourced, Span, Watts,
};

use crate::device::Device;
use crate::offer::Terms;

/// A place where work can run. All money is in one currency, chosen by whoever builds it.
#[derive(Clone, Debug, PartialEq)]
pub struct Site {
    /// Its name in plans, as in `here` or `aws/g6.xlarge@eu-central-1`.
    pub name: Arc<str>,
    /// What it is made of.
    pub machine: Machine,
    /// What it costs.
    pub economics: Economics,
    /// Where it stands and what its electricity emits.
    pub place: Place,
    /// How data reaches it.
    pub reach: Reach,
    /// Time from asking for it to being able to work: queue and boot. Zero on the near side.
    pub startup: Sourced<Span<Duration>>,
    /// The highest class of data that it may hold.
    pub clearance: Clearance,
}

/// Processors, memory, disk and accelerators.
#[derive(Clone, Debug, PartialEq)]
pub struct Machine {
    /// The processor's name.
    pub processor: Known<Arc<str>>,
    /// Hardware threads (virtual CPUs) that work may use.
    pub threads: Known<Sourced<u32>>,
    /// Memory that work may use.
    pub memory: Known<Sourced<Bytes>>,
    /// Free disk space.
    pub disk: Known<Sourced<Bytes>>,
    /// Accelerators of one kind; `None` without any.
    pub accelerators: Option<Accelerators>,
    /// What making the whole machine emitted.
    pub embodied: Known<Sourced<Span<GramsCo2e>>>,
}

/// So many accelerators of one kind.
#[derive(Clone, Debug, PartialEq)]
pub struct Accelerators {
    /// The kind.
    pub device: Arc<Device>,
    /// How many; at least one.
    pub count: u32,
}

/// What a site costs.
#[derive(Clone, Debug, PartialEq)]
pub enum Economics {
    /// Ours: bought once, then electricity.
    Owned(Ownership),
    /// Rented by the hour.
    Rented {
        /// The price of an hour.
        price: Known<Sourced<PerHour>>,
        /// On demand, or interruptible.
        terms: Terms,
        /// How often it is taken away, per hour; zero on demand.
        interruptions: Known<Sourced<Span<f64>>>,
    },
}

/// What an own machine cost and costs.
#[derive(Clone, Debug, PartialEq)]
pub struct Ownership {
    /// Purchase price.
    pub price: Known<Sourced<Money>>,
    /// How long it will serve.
    pub life: Sourced<Duration>,
    /// The electricity tariff.
    pub tariff: Known<Sourced<PerKwh>>,
    /// Power at the wall under full load.
    pub load: Known<Sourced<Watts>>,
    /// Power at the wall when idle.
    pub idle: Known<Sourced<Watts>>,
}

/// Where a site stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// Sites with the same location move data between each other for nothing.
    pub location: Arc<str>,
    /// The provider and region in the catalog; `None` on the near side.
    pub region: Option<(Arc<str>, Arc<str>)>,
    /// The country.
    pub country: Known<Country>,
    /// Power usage effectiveness: power of the building over power of its computers.
    pub pue: Sourced<Span<f64>>,
    /// What a kilowatt-hour emits there, by location average.
    pub intensity: Known<Sourced<GramsPerKwh>>,
    /// Steps down the ladder (region, subdivision, country, world) that were taken to know it.
    pub intensity_steps: Vec<Arc<str>>,
}

/// How data reaches a site.
#[derive(Clone, Debug, PartialEq)]
pub struct Reach {
    /// From the site to the world.
    pub uplink: Sourced<BytesPerSecond>,
    /// From the world to the site.
    pub downlink: Sourced<BytesPerSecond>,
}

impl Site {
    /// Whether it is a machine of our own.
    #[must_use]
    pub const fn is_near(&self) -> bool {
        matches!(self.economics, Economics::Owned(_))
    }
}
