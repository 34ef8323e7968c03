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
    /// Power.
    Power(Watts),
}

impl Amount {
    fn number(self) -> f64 {
        match self {
            Self::Bytes(bytes) => bytes.get() as f64,
            Self::Time(time) => time.as_seconds(),
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
    /// What is needed, so many times as the margin says.
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
        let what = "time of the accelerator";
        shares.extend(time((question, margin), machine, Device::Accelerator, what));
    }
    shares.extend(main_memory(margin, machine));
    if machine.done.iter().any(|done| done.need.place == Device::Processor) {
        let what = "time of the processor";
        shares.extend(time((question, margin), machine, Device::Processor, what));
    }
    shares.push(Share {
        what: "disk",
        work: None,
        needed: Amount::Bytes(question.disk.scaled(margin.disk)),
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
    let together = |done: &Done| {
        let shared = if machine.shared { done.need.accelerator } else { Bytes::ZERO };
        done.need.memory.scaled(margin.memory).get() + shared.scaled(margin.memory).get()
    };
    let done = most(machine, together)?;
    let needed = Bytes::new(together(done));
    Some(Share {
        what: "main memory",
        work: (needed > Bytes::ZERO).then_some(done.work),
        needed: Amount::Bytes(needed.checked_add(super::search::TAKEN)?),
        has: Amount::Bytes(machine.memory),
    })
}

/// Nothing where nobody said how often work is done.
fn time(
    (question, margin): (&Question, &Margin),
    machine: &Machine,
    place: Device,
    what: &'static str,
) -> Option<Share> {
    let there = machine.done.iter().filter(|done| done.need.place == place);
    let up = |done: &Done| question.works[done.work].up;
    // A service is up as long on a faster machine.
    let scaled = |done: &Done| (done.month.as_seconds() - up(done).as_seconds()) * margin.speed;
    let working: f64 = there.clone().map(scaled).sum();
    let up = there.clone().fold(Duration::ZERO, |sum, done| sum + up(done));
    let busy = Duration::from_seconds(working.max(0.0)).unwrap_or(Duration::ZERO) + up;
    let hours = if up > Duration::ZERO { super::search::MONTH } else { question.hours };
    let seconds = |done: &&Done| done.month.as_seconds();
    let longest = there.max_by(|one, other| seconds(one).total_cmp(&seconds(other)));
    (busy > Duration::ZERO).then(|| Share {
        what,
        work: longest.map(|done| done.work),
        needed: Amount::Time(busy),
        has: Amount::Time(hours * f64::from(machine.count)),
    })
}
