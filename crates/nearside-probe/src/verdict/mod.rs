//! The verdict: which resource a piece of work waited for, told from what the meter saw of it.
//!
//! Utilisation alone names no bottleneck: a reader that waits for its disk and a program that sleeps
//! both leave the processors idle. What tells is where the time of the work went ([`Shares`]): each
//! moment is put down to what would have let the work go on. The largest share is the bottleneck, the
//! rules here say what it means, and Amdahl's law says what removing it could bring at most.
//!
//! A thread that is ready but queued behind other programs says nothing of the work, so time lost to
//! them is left out of the comparison, told by itself, and lowers the confidence.
//! Rules and thresholds: USE method (Gregg 2013), tried against programs of known bottleneck
//! ([`self_test`](crate::self_test)).

mod bottleneck;
mod bound;
mod change;
mod confidence;
mod demand;
mod devices;
mod host;
mod shares;
#[cfg(test)]
mod tests;
mod unseen;
mod usage;

pub use bottleneck::Bottleneck;
pub use bound::{Bound, amdahl};
pub use change::{Change, Upgrade};
pub use confidence::Confidence;
pub use demand::Demand;
pub use shares::{Share, Shares};
pub use usage::Usage;

use nearside_units::Duration;

use crate::meter::Measured;

/// Time between two looks for a verdict: short beside what a person can see of a run.
pub const PERIOD: Duration = Duration::constant(0.04);

/// Which resource held the work back.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// The resource.
    pub bottleneck: Bottleneck,
    /// How sure that is.
    pub confidence: Confidence,
    /// What it rests on, the strongest first.
    pub because: Vec<String>,
    /// What could not be seen, or is not told from what was.
    pub unseen: Vec<String>,
    /// What removing it could bring at most.
    pub bound: Option<Bound>,
    /// Where the time went.
    pub shares: Shares,
    /// What the threads asked of the processors.
    pub demand: Demand,
    /// Every resource: how much of it was used, what waited for it, what went wrong.
    pub usage: Vec<Usage>,
    /// The changes most worth trying, the first one first.
    pub changes: Vec<Change>,
}

/// What a rule found.
#[derive(Clone, Debug)]
struct Finding {
    bottleneck: Bottleneck,
    /// How far the evidence is beyond what the rule asks for; 1 is just enough.
    margin: f64,
    because: Vec<String>,
}

/// Names the bottleneck of a run.
#[must_use]
pub fn judge(measured: &Measured) -> Verdict {
    let shares = Shares::of(measured);
    let demand = Demand::of(measured, &shares);
    let host = host::judge(measured, &shares, &demand);
    let finding = devices::judge(measured, &host).unwrap_or(host);
    let confidence = confidence::of(&finding, measured, &shares, &demand);
    let bottleneck = finding.bottleneck;
    Verdict {
        bottleneck,
        confidence,
        because: finding.because,
        unseen: unseen::of(bottleneck, measured, &shares),
        bound: bound::of(bottleneck, measured, &shares, &demand),
        usage: usage::of(measured, &shares, &demand),
        changes: change::of(bottleneck, measured, &shares, &demand),
        shares,
        demand,
    }
}

/// A share as text, `82 %`.
fn percent(share: f64) -> String {
    match share * 100.0 {
        small if small > 0.0 && small < 0.95 => format!("{small:.1} %"),
        share => format!("{share:.0} %"),
    }
}

/// A number of processors as text; a quota may allow a part of one.
fn count(processors: f64) -> String {
    let tenths = (processors * 10.0).round() / 10.0;
    format!("{tenths}")
}
