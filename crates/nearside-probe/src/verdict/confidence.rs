//! How sure a verdict is.

use std::fmt;

use super::Finding;
use super::bottleneck::Bottleneck;
use super::demand::Demand;
use super::shares::{Share, Shares};
use crate::meter::Measured;

/// How sure a verdict is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Confidence {
    /// A guess: other programs had most of the processors, or little was seen.
    Low,
    /// The evidence is beyond what the rule asks for, but not by much, or others disturbed it.
    Medium,
    /// The evidence is far beyond what the rule asks for, and nothing disturbed it.
    High,
}

impl fmt::Display for Confidence {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        })
    }
}

/// Margin over a rule's threshold from which on a verdict may be sure.
const MARGIN: f64 = 1.5;
/// Share of the time lost to other programs: up to here sure, from there on a guess.
const LITTLE_LOST: f64 = 0.2;
const MUCH_LOST: f64 = 0.6;
/// Share of the time that was not visible: likewise.
const LITTLE_UNSEEN: f64 = 0.1;
const MUCH_UNSEEN: f64 = 0.4;
/// Looks and seconds: likewise.
const MANY_LOOKS: u64 = 15;
const FEW_LOOKS: u64 = 5;
const LONG: f64 = 1.0;

/// How sure a finding is.
pub(super) fn of(
    finding: &Finding,
    measured: &Measured,
    shares: &Shares,
    demand: &Demand,
) -> Confidence {
    let lost = demand.lost_to_others(shares.get(Share::Queued));
    let unseen = shares.get(Share::NotSeen);
    let few = measured.looks < FEW_LOOKS;
    if finding.bottleneck == Bottleneck::Unknown
        || few
        || lost > MUCH_LOST
        || unseen > MUCH_UNSEEN
        || finding.margin < 1.1
    {
        return Confidence::Low;
    }
    let short = measured.looks < MANY_LOOKS || measured.wall.as_seconds() < LONG;
    match short || lost > LITTLE_LOST || unseen > LITTLE_UNSEEN || finding.margin < MARGIN {
        true => Confidence::Medium,
        false => Confidence::High,
    }
}
