//! What removing a bottleneck could bring at most: Amdahl's law with the shares that were measured.
//!
//! If a share `s` of the time becomes `k` times as fast, the whole becomes `1 / ((1 - s) + s / k)` times
//! as fast. It is a bound, never a promise: something else is in the way next.
//! Source: Amdahl, AFIPS 1967.

use super::bottleneck::Bottleneck;
use super::demand::Demand;
use super::shares::{Share, Shares};
use crate::meter::Measured;

/// What removing a bottleneck could bring at most.
#[derive(Clone, Debug, PartialEq)]
pub struct Bound {
    /// What is assumed, as the end of "with ...": "no wait for the disk".
    pub with: String,
    /// Share of the time that this concerns, 0 to 1.
    pub share: f64,
    /// How many times as fast the work would be, at most; infinite where nothing else was seen that
    /// takes time.
    pub speedup: f64,
}

/// How many times as fast the whole is when a share `s` of its time is `k` times as fast.
///
/// ```
/// use nearside_probe::verdict::amdahl;
/// assert_eq!(amdahl(0.5, f64::INFINITY), 2.0);
/// assert!((amdahl(0.9, 8.0) - 4.7059).abs() < 1e-4);
/// ```
#[must_use]
pub fn amdahl(share: f64, factor: f64) -> f64 {
    let share = share.clamp(0.0, 1.0);
    1.0 / ((1.0 - share) + share / factor)
}

/// What removing this bottleneck could bring.
pub(super) fn of(
    bottleneck: Bottleneck,
    measured: &Measured,
    shares: &Shares,
    demand: &Demand,
) -> Option<Bound> {
    let bound = |with: String, share: f64, factor: f64| {
        Some(Bound { with, share, speedup: amdahl(share, factor) })
    };
    let wait = |what: &str, share: f64| bound(format!("no wait for {what}"), share, f64::INFINITY);
    let share = |share| shares.undisturbed(share);
    let (running, usable) = (share(Share::Running), demand.processors());
    match bottleneck {
        Bottleneck::Disk => wait("the disk", share(Share::Disk) + share(Share::Page)),
        Bottleneck::Memory => wait("memory", share(Share::Disk) + share(Share::Page)),
        Bottleneck::Network => wait("the network", share(Share::Network)),
        Bottleneck::Timer => bound("no sleep".to_owned(), share(Share::Timer), f64::INFINITY),
        Bottleneck::Input => wait("input", share(Share::Input)),
        Bottleneck::Processors => {
            bound("twice as many or twice as fast processors".to_owned(), running, 2.0)
        }
        Bottleneck::SingleThread | Bottleneck::FewThreads => {
            let factor = (usable / demand.wanted.max(1.0)).max(1.0);
            bound(format!("all {} processors used", super::count(usable)), running, factor)
        }
        Bottleneck::Lock => {
            let at_once = (demand.turn_takers as f64).min(usable);
            let factor = (at_once / demand.wanted.max(0.1)).max(1.0);
            bound(format!("{at_once:.0} threads at once"), running, factor)
        }
        Bottleneck::Quota => {
            let throttled = measured.last.work.limits.throttled.as_ref().value()?;
            let used_up = throttled.throttled_periods as f64 / throttled.periods.max(1) as f64;
            bound("twice the quota".to_owned(), used_up, 2.0)
        }
        Bottleneck::AcceleratorCompute | Bottleneck::AcceleratorBandwidth => {
            let busy = super::devices::busiest(measured)?.1;
            bound("an accelerator twice as fast".to_owned(), busy, 2.0)
        }
        Bottleneck::Launch | Bottleneck::AcceleratorLink => {
            let busy = super::devices::busiest(measured)?.1;
            let with = "the accelerator never waiting".to_owned();
            bound(with, 1.0 - busy, f64::INFINITY)
        }
        Bottleneck::AcceleratorMemory
        | Bottleneck::Heat
        | Bottleneck::PowerLimit
        | Bottleneck::Unknown => None,
    }
}
