//! Which work demands each part of a machine, and how much of the part is left unused.

use nearside_estimate::Device;
use nearside_units::{Bytes, Duration, Known, Watts};

use super::machine::{Done, Machine};
use super::{Margin, Question};

/// How much there is of something.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Amount {
    /// Memory or disk space.
    Bytes(Bytes),
    /// Time in a month.
    Time(Duration),
    /// Processor cores.
    Cores(u32),
    /// Power.
    Power(Watts),
}

impl Amount {
    fn number(self) -> f64 {
        match self {
            Self::Bytes(bytes) => bytes.get() as f64,
            Self::Time(time) => time.as_seconds(),
            Self::Cores(cores) => f64::from(cores),
            Self::Power(power) => power.as_watts(),
        }
    }
}

/// A part of a machine and how much of it is used.
#[derive(Clone, Debug, PartialEq)]
pub struct Share {
    /// Which part, as in `memory of the accelerator`.
    pub what: &'static str,
    /// The piece of work that demands it, in the order of the question; `None` where all of it does.
    pub work: Option<usize>,
    /// What is needed, with the margin.
    pub needed: Amount,
    /// What the machine has.
    pub has: Amount,
}

impl Share {
    /// How much of it is used: 1 for all.
    #[must_use]
    pub fn used(&self) -> f64 {
        match self.has.number() {
            0.0 => 0.0,
            has => self.needed.number() / has,
        }
    }
}

/// Every part of a machine for which work can be named.
#[must_use]
pub fn shares(question: &Question, margin: &Margin, machine: &Machine) -> Vec<Share> {
    let mut shares = Vec::new();
    if machine.accelerators.is_some() {
        shares.extend(accelerator(margin, machine));
        shares.extend(time(question, machine, Device::Accelerator, "time of the accelerator"));
    }
    shares.extend(main_memory(margin, machine));
    if machine.done.iter().any(|done| done.need.place == Device::Processor) {
        shares.extend(cores(machine));
        shares.extend(time(question, machine, Device::Processor, "time of the processor"));
    }
    shares.push(Share {
        what: "disk",
        work: None,
        needed: Amount::Bytes(question.disk),
        has: Amount::Bytes(machine.disk),
    });
    shares.extend(machine.supply.map(|(has, needed)| Share {
        what: "power supply",
        work: None,
        needed: Amount::Power(needed),
        has: Amount::Power(has),
    }));
    shares
}

/// The piece of work that needs most of something.
fn most(machine: &Machine, need: impl Fn(&Done) -> u64) -> Option<&Done> {
    machine.done.iter().max_by_key(|done| (need(done), std::cmp::Reverse(done.work)))
}

fn accelerator(margin: &Margin, machine: &Machine) -> Option<Share> {
    let done = most(machine, |done| done.need.accelerator.get())?;
    let accelerators = machine.accelerators.as_ref()?;
    let has = match accelerators.device.memory() {
        Known::Value(memory) => memory.value,
        Known::Unknown(_) => done.need.available,
    };
    Some(Share {
        what: "memory of the accelerator",
        work: Some(done.work),
        needed: Amount::Bytes(done.need.accelerator.scaled(margin.memory)),
        has: Amount::Bytes(has),
    })
}

fn main_memory(margin: &Margin, machine: &Machine) -> Option<Share> {
    let done = most(machine, |done| done.need.memory.get())?;
    let both = if machine.shared { done.need.accelerator } else { Bytes::ZERO };
    let needed = done.need.memory.checked_add(both)?.scaled(margin.memory);
    let work = (needed > Bytes::ZERO).then_some(done.work);
    Some(Share {
        what: "main memory",
        work,
        needed: Amount::Bytes(needed.checked_add(super::search::TAKEN)?),
        has: Amount::Bytes(machine.memory),
    })
}

fn cores(machine: &Machine) -> Option<Share> {
    let done = most(machine, |done| u64::from(done.need.cores))?;
    Some(Share {
        what: "processor cores",
        work: Some(done.work),
        needed: Amount::Cores(done.need.cores),
        has: Amount::Cores(machine.cores),
    })
}

/// Nothing where nobody said how often work is done.
fn time(
    question: &Question,
    machine: &Machine,
    place: Device,
    what: &'static str,
) -> Option<Share> {
    let there = machine.done.iter().filter(|done| done.need.place == place);
    let busy = there.clone().fold(Duration::ZERO, |sum, done| sum + done.month);
    let seconds = |done: &&Done| done.month.as_seconds();
    let longest = there.max_by(|one, other| seconds(one).total_cmp(&seconds(other)));
    (busy > Duration::ZERO).then(|| Share {
        what,
        work: longest.map(|done| done.work),
        needed: Amount::Time(busy),
        has: Amount::Time(question.hours * f64::from(machine.count)),
    })
}
