//! What is most worth trying against a bottleneck: first what costs nothing but work, then what to
//! buy or rent.

use nearside_units::Bytes;

use super::bottleneck::Bottleneck;
use super::bound::amdahl;
use super::demand::Demand;
use super::shares::{Share, Shares};
use crate::meter::Measured;

/// Something to try.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// What.
    pub what: String,
    /// How many times as fast the work would be at most, where that can be told.
    pub speedup: Option<f64>,
    /// What has to be bought or rented for it, if anything.
    pub upgrade: Option<Upgrade>,
}

/// Something to buy or rent.
#[derive(Clone, Debug, PartialEq)]
pub enum Upgrade {
    /// A machine with at least so many processors.
    Processors(f64),
    /// A machine with at least so much memory.
    Memory(Bytes),
    /// An accelerator with more memory than this one of that name.
    AcceleratorMemory(String),
    /// An accelerator with more memory bandwidth than this one of that name.
    AcceleratorBandwidth(String),
    /// An accelerator with more arithmetic than this one of that name.
    AcceleratorCompute(String),
    /// A faster disk.
    Disk,
}

fn free(what: impl Into<String>, speedup: Option<f64>) -> Change {
    Change { what: what.into(), speedup, upgrade: None }
}

fn bought(what: impl Into<String>, speedup: Option<f64>, upgrade: Upgrade) -> Change {
    Change { what: what.into(), speedup, upgrade: Some(upgrade) }
}

/// The two changes most worth trying.
pub(super) fn of(
    bottleneck: Bottleneck,
    measured: &Measured,
    shares: &Shares,
    demand: &Demand,
) -> Vec<Change> {
    match bottleneck {
        Bottleneck::Processors
        | Bottleneck::FewThreads
        | Bottleneck::SingleThread
        | Bottleneck::Lock
        | Bottleneck::Quota => processors(bottleneck, shares, demand),
        Bottleneck::Disk => disk(measured, shares),
        Bottleneck::Memory => memory(measured, shares),
        Bottleneck::Network | Bottleneck::Timer | Bottleneck::Input => wait(bottleneck, shares),
        Bottleneck::Unknown => Vec::new(),
        _ => device(bottleneck, measured),
    }
}

fn processors(bottleneck: Bottleneck, shares: &Shares, demand: &Demand) -> Vec<Change> {
    let running = shares.undisturbed(Share::Running);
    let usable = demand.processors();
    let speedup = |at_once: f64| Some(amdahl(running, (at_once / demand.wanted.max(1.0)).max(1.0)));
    match bottleneck {
        Bottleneck::Lock => vec![
            free(
                "processes in place of threads, or a lock for each part of the data",
                speedup((demand.turn_takers as f64).min(usable)),
            ),
            free("less work inside of the lock: prepare before, publish after", None),
        ],
        Bottleneck::Quota => vec![
            free("a larger quota of processor time (`cpu.max`, `--cpus`)", None),
            free("no more threads than the quota has processors: more are stopped half-way", None),
        ],
        Bottleneck::Processors => vec![
            free("a cheaper way to compute it: a profile of its functions shows where", None),
            bought(
                format!("a machine with {:.0} processors", usable * 2.0),
                Some(amdahl(running, 2.0)),
                Upgrade::Processors(usable * 2.0),
            ),
        ],
        _ => vec![
            free(format!("its work split over {usable:.0} processes or threads"), speedup(usable)),
            free("compiled or vectorised code where its busy thread spends its time", None),
        ],
    }
}

fn wait(bottleneck: Bottleneck, shares: &Shares) -> Vec<Change> {
    let without = |share| Some(amdahl(shares.undisturbed(share), f64::INFINITY));
    match bottleneck {
        Bottleneck::Network => vec![
            free("several requests at once, or the next while this one is worked on", {
                without(Share::Network)
            }),
            free("what it reads kept on this machine, or compressed on the way", {
                without(Share::Network)
            }),
        ],
        Bottleneck::Timer => vec![
            free(
                "waiting for what it sleeps for: an event, a file, a child",
                without(Share::Timer),
            ),
            free("other work meanwhile: the machine is free while it sleeps", None),
        ],
        _ => vec![
            free(
                "a faster producer: profile the program that it reads from",
                without(Share::Input),
            ),
            free("larger pieces per read, so that it waits less often", None),
        ],
    }
}

fn device(bottleneck: Bottleneck, measured: &Measured) -> Vec<Change> {
    let name = || {
        super::devices::busiest(measured).map_or_else(String::new, |found| found.0.name.to_string())
    };
    match bottleneck {
        Bottleneck::AcceleratorBandwidth => vec![
            free("a larger batch, or weights of fewer bits: each byte is used more often", None),
            bought(
                "an accelerator with more memory bandwidth",
                Some(2.0),
                Upgrade::AcceleratorBandwidth(name()),
            ),
        ],
        Bottleneck::AcceleratorMemory => vec![
            free("a smaller batch, gradient checkpointing, or weights of fewer bits", None),
            bought("an accelerator with more memory", None, Upgrade::AcceleratorMemory(name())),
        ],
        Bottleneck::AcceleratorLink => vec![
            free("data kept on the accelerator, pinned memory for what must move", None),
            free("the next transfer while this batch is computed", None),
        ],
        Bottleneck::Launch => vec![
            free("fewer and larger kernels: a larger batch, a compiled or captured graph", None),
            free("data prepared by worker processes, ahead of the loop", None),
        ],
        Bottleneck::Heat => vec![
            free("air: dust, fans, space around the machine", None),
            free("a lower power limit: a little slower, but steady", None),
        ],
        Bottleneck::PowerLimit => vec![
            free("a higher power limit, where supply and cooling allow", None),
            free("lower precision: fewer joules per operation", None),
        ],
        _ => vec![
            free("lower precision or a larger batch, where results allow", None),
            bought("a faster accelerator", Some(2.0), Upgrade::AcceleratorCompute(name())),
        ],
    }
}

fn disk(measured: &Measured, shares: &Shares) -> Vec<Change> {
    let waited = shares.undisturbed(Share::Disk) + shares.undisturbed(Share::Page);
    let without = Some(amdahl(waited, f64::INFINITY));
    let read = measured.disk_read.as_ref().value().copied().unwrap_or(Bytes::ZERO);
    let written = measured.disk_written.as_ref().value().copied().unwrap_or(Bytes::ZERO);
    let first = match written > read {
        true => free("fewer, larger writes, and no sync after each", without),
        false => free("several reads at once, ahead of where they are needed", without),
    };
    let available = measured.last.machine.memory_available.as_ref().value();
    match available.filter(|available| **available > read && read >= written && read > Bytes::ZERO)
    {
        Some(available) => {
            let what = format!("what it reads ({read}) kept in memory: {available} are available");
            vec![first, free(what, without)]
        }
        None => vec![first, bought("a faster disk (NVMe)", without, Upgrade::Disk)],
    }
}

fn memory(measured: &Measured, shares: &Shares) -> Vec<Change> {
    let waited = shares.undisturbed(Share::Disk) + shares.undisturbed(Share::Page);
    let without = Some(amdahl(waited, f64::INFINITY));
    let hits = measured.last.work.limits.memory_limit_hits.as_ref().value().copied().unwrap_or(0);
    let less =
        free("a smaller working set: parts one after the other, smaller types, streaming", without);
    if hits > 0 {
        return vec![free("a higher limit of memory (`memory.max`, `--memory`)", without), less];
    }
    let Some(peak) = measured.peak_memory.as_ref().value() else { return vec![less] };
    let twice = Bytes::new(peak.get().saturating_mul(2));
    vec![less, bought(format!("a machine with {twice} of memory"), without, Upgrade::Memory(twice))]
}
