//! The rules for everything but accelerators: the largest share of the time, and what it means.

use nearside_units::Known;

use super::bottleneck::Bottleneck;
use super::demand::Demand;
use super::shares::{Share, Shares};
use super::{Finding, count, percent};
use crate::meter::{Measured, NetworkScope, Pressure};

/// Share of a quota's periods in which it was used up, from which on it holds the work back.
const QUOTA_SHARE: f64 = 0.10;
/// Share of the time that all tasks stalled for memory, by the kernel's own count.
const MEMORY_STALL: f64 = 0.10;
/// Share of what came from a disk that had been in memory before, and was dropped for want of room.
const READ_AGAIN: f64 = 0.05;
/// Bytes of a page, as the kernel counts them.
const PAGE: u64 = 4096;
/// Share of memory that is little to have left.
const LITTLE_MEMORY: f64 = 0.05;
/// Bytes from a disk per second of processor time from which on the kernel's part of the time is
/// the disk's path: what a program does to bytes itself takes longer.
const COPIED: f64 = 100e6;
/// Share of the time in the kernel for that.
const IN_KERNEL: f64 = 2.0 / 3.0;
/// Share of the time of threads that take turns, which they sleep for each other.
const TURN_WAITING: f64 = 0.35;
/// Those who take turns hold the processors back only where they do half of the work.
const HALF: f64 = 0.5;
/// As `TURN_WAITING`, of threads that each wait for something else while they have their turn.
const HELD: f64 = 0.5;
/// Share of the ready time that no thread has which takes turns with others.
const ONE_OF_THEM: f64 = 0.7;
/// Share of the processors that counts as all of them.
const ALL: f64 = 0.8;
/// Share of the processors that is all of them, whatever else can be said.
const FULL: f64 = 0.95;
/// Processors at once up to which work is done by one thread at a time.
const ONE: f64 = 1.3;
/// A margin of what may as well be something else.
const NOT_SURE: f64 = 1.2;
/// Share of the time that a wait must have to be a bottleneck.
const WAIT: f64 = 0.3;

/// Names the bottleneck outside of accelerators.
pub(super) fn judge(measured: &Measured, shares: &Shares, demand: &Demand) -> Finding {
    if !shares.are_known() {
        return Finding::unknown("nothing of the work was seen");
    }
    if let Some(finding) = quota(measured) {
        return finding;
    }
    let copying = copying(measured, demand);
    let mut claims = claims(measured, shares, copying);
    claims.sort_by(|one, other| other.share.total_cmp(&one.share));
    let (first, second) = match claims.as_slice() {
        [first, second, ..] => (first, second),
        _ => return Finding::unknown("nothing of the work was seen"),
    };
    let margin = first.share / second.share.max(0.02).max(WAIT / 2.0);
    let mut finding = match first.what {
        Claimed::Processors => processors(measured, shares, demand),
        // One waits while it holds what the others wait for.
        Claimed::Wait(_) if holds_while_waiting(demand, first.share) => turns(demand),
        Claimed::Wait(bottleneck) if first.share >= WAIT => {
            Finding { bottleneck, margin: f64::INFINITY, because: Vec::new() }
        }
        Claimed::Wait(_) => Finding::unknown("no wait had much of the time"),
    };
    finding.margin = finding.margin.min(margin);
    if finding.bottleneck == Bottleneck::Disk && may_be_memory(measured, shares) {
        finding.margin = finding.margin.min(NOT_SURE);
    }
    if let (Claimed::Wait(bottleneck), true) =
        (first.what, finding.bottleneck != Bottleneck::Unknown)
    {
        finding.because.extend(reasons(bottleneck, measured, shares, copying));
    }
    finding
}

/// Whether threads take turns at something that each holds while it waits.
fn holds_while_waiting(demand: &Demand, share: f64) -> bool {
    demand.turn_takers > 1 && demand.turn_waiting > HELD && demand.turn_holding > share / 2.0
}

fn turns(demand: &Demand) -> Finding {
    Finding {
        bottleneck: Bottleneck::Lock,
        margin: demand.turn_waiting / TURN_WAITING,
        because: vec![format!(
            "{} threads took turns: {} of their time they slept for each other",
            demand.turn_takers,
            percent(demand.turn_waiting)
        )],
    }
}

impl Finding {
    fn unknown(why: &str) -> Self {
        Self { bottleneck: Bottleneck::Unknown, margin: 0.0, because: vec![why.to_owned()] }
    }
}

/// What lays claim to a share of the time.
#[derive(Clone, Copy, Debug)]
enum Claimed {
    Processors,
    Wait(Bottleneck),
}

#[derive(Clone, Copy, Debug)]
struct Claim {
    what: Claimed,
    share: f64,
}

fn claims(measured: &Measured, shares: &Shares, copying: Option<f64>) -> Vec<Claim> {
    let of = |share| shares.undisturbed(share);
    let wait = |bottleneck, share| Claim { what: Claimed::Wait(bottleneck), share };
    // Pages that have to come from a disk for the first time are the disk's.
    let (memory, disk) = match is_short_of_memory(measured, shares) {
        true => (of(Share::Page) + of(Share::Disk), 0.0),
        false => (0.0, of(Share::Page) + of(Share::Disk)),
    };
    let copied = copying.map_or(0.0, |_| of(Share::Running));
    vec![
        Claim { what: Claimed::Processors, share: of(Share::Running) - copied },
        wait(Bottleneck::Memory, memory),
        wait(Bottleneck::Disk, disk + copied),
        wait(Bottleneck::Network, of(Share::Network)),
        wait(Bottleneck::Timer, of(Share::Timer)),
        wait(Bottleneck::Input, of(Share::Input)),
        wait(Bottleneck::AcceleratorCompute, of(Share::Accelerator)),
        wait(Bottleneck::Unknown, of(Share::NotSeen)),
    ]
}

fn reasons(
    bottleneck: Bottleneck,
    measured: &Measured,
    shares: &Shares,
    copying: Option<f64>,
) -> Vec<String> {
    let waited = |share: Share| {
        let part = shares.undisturbed(share);
        (part > 0.005).then(|| format!("{} {}", share.title(), of_the_time(part, shares)))
    };
    let seconds = measured.wall.as_seconds().max(1e-9);
    let faults = measured.last.work.faults.as_ref().value();
    let faults = faults.map(|faults| {
        format!("{:.0} pages per second had to come from a disk", faults.major as f64 / seconds)
    });
    let reads = measured.disk_read.as_ref().value();
    let reads =
        reads.map(|read| format!("{:.0} MB/s came from a disk", read.get() as f64 / 1e6 / seconds));
    let found = match bottleneck {
        Bottleneck::Memory => {
            let hits = measured.last.work.limits.memory_limit_hits.as_ref().value();
            let hits = hits.filter(|hits| **hits > 0);
            let hits = hits.map(|hits| format!("its limit of memory was hit {hits} times"));
            vec![waited(Share::Page), waited(Share::Disk), faults, hits]
        }
        Bottleneck::Disk => {
            let copied = copying.map(|rate| {
                let rate = rate / 1e6;
                format!(
                    "the kernel moved {rate:.0} MB from or to a disk per second of processor time"
                )
            });
            vec![waited(Share::Disk), waited(Share::Page), reads, copied]
        }
        Bottleneck::Network => vec![waited(Share::Network), network(measured)],
        Bottleneck::Timer => vec![waited(Share::Timer)],
        Bottleneck::Input => vec![waited(Share::Input)],
        _ => vec![waited(Share::Accelerator), waited(Share::NotSeen)],
    };
    found.into_iter().flatten().collect()
}

/// A share of the time, which is only that in which others let the work run.
fn of_the_time(share: f64, shares: &Shares) -> String {
    let left = if shares.get(Share::Queued) > 0.05 { " that it was not queued" } else { "" };
    format!("{} of the time{left}", percent(share))
}

fn network(measured: &Measured) -> Option<String> {
    let network = measured.last.machine.network.as_ref().value()?;
    let bytes = network.received.get() + network.sent.get() + network.loopback.get();
    let rate = bytes as f64 / 1e6 / measured.wall.as_seconds().max(1e-9);
    let whose = match network.scope {
        NetworkScope::Work => "",
        NetworkScope::Machine => ", those of other programs with them",
    };
    Some(format!("{rate:.2} MB/s went over the network{whose}"))
}

fn quota(measured: &Measured) -> Option<Finding> {
    let throttled = measured.last.work.limits.throttled.as_ref().value()?;
    let share = throttled.throttled_periods as f64 / throttled.periods.max(1) as f64;
    (share > QUOTA_SHARE).then(|| Finding {
        bottleneck: Bottleneck::Quota,
        margin: share / QUOTA_SHARE,
        because: vec![format!(
            "the quota was used up in {} of its {} periods",
            throttled.throttled_periods, throttled.periods
        )],
    })
}

/// Whether what is in use does not fit into the memory that there is. Pressure alone does not tell:
/// the kernel does not count dropping clean pages of files. What does is that pages are read which
/// were dropped a while ago; reading something large once drops pages, too.
fn is_short_of_memory(measured: &Measured, shares: &Shares) -> bool {
    let last = &measured.last;
    let stalled = |pressure: &Known<Pressure>| {
        let full = pressure.as_ref().value().and_then(|pressure| pressure.full);
        full.is_some_and(|full| full / measured.wall > MEMORY_STALL)
    };
    let own = last.work.limits.pressure.as_ref();
    if own.is_some_and(|own| stalled(&own.memory)) {
        return true;
    }
    if shares.get(Share::Page) < shares.get(Share::Disk) {
        return false;
    }
    let swapped = last.work.memory.as_ref().value().is_some_and(|memory| memory.swapped.get() > 0);
    let hits = last.work.limits.memory_limit_hits.as_ref().value().copied().unwrap_or(0);
    match last.machine.paging.as_ref().value() {
        Some(paging) => {
            let read = measured.disk_read.as_ref().value().map_or(0, |read| read.get());
            let again = paging.refaulted * PAGE > (READ_AGAIN * read as f64) as u64;
            (swapped && paging.swapped_in > 0) || again || stalled(&last.machine.pressure.memory)
        }
        None => hits > 0 || is_machine_full(measured),
    }
}

/// A limit of memory was hit, but little was read again so far.
fn may_be_memory(measured: &Measured, shares: &Shares) -> bool {
    let hits = measured.last.work.limits.memory_limit_hits.as_ref().value().copied().unwrap_or(0);
    hits > 0 && shares.get(Share::Page) > shares.get(Share::Disk)
}

fn is_machine_full(measured: &Measured) -> bool {
    let samples = measured.samples.iter().chain([&measured.last]);
    let available = samples.filter_map(|sample| sample.machine.memory_available.as_ref().value());
    let least = available.map(|available| available.get()).min();
    let used = measured.peak_memory.as_ref().value().map_or(0, |peak| peak.get());
    least.is_some_and(|least| (least as f64) < LITTLE_MEMORY * (used + least) as f64)
}

/// Bytes from disks per second of processor time, where the kernel's copying is what the processors
/// do.
fn copying(measured: &Measured, demand: &Demand) -> Option<f64> {
    let in_kernel = demand.in_kernel.as_ref().value().copied()?;
    let read = measured.disk_read.as_ref().value()?.get() as f64;
    let written = measured.disk_written.as_ref().value()?.get() as f64;
    let on = measured.cpu_on.as_ref().value()?.as_seconds();
    let rate = (read + written) / on.max(1e-3);
    (in_kernel > IN_KERNEL && rate > COPIED).then_some(rate)
}

/// What it means that the work went on by processors most of the time.
fn processors(measured: &Measured, shares: &Shares, demand: &Demand) -> Finding {
    let usable = demand.processors();
    let running = of_the_time(shares.undisturbed(Share::Running), shares);
    let mut because = vec![format!("running {running}")];
    let heat = measured.last.machine.thermal_throttles.as_ref().value().copied().unwrap_or(0);
    if heat > 0 {
        because.push(format!("processors were slowed down by heat {heat} times"));
        return Finding { bottleneck: Bottleneck::Heat, margin: heat as f64, because };
    }
    because.push(format!(
        "{:.1} of {} processors wanted by {} active threads",
        demand.wanted,
        count(usable),
        demand.active_threads
    ));
    let is_full = demand.running >= FULL * usable;
    if !is_full
        && demand.turn_waiting > TURN_WAITING
        && demand.turn_takers > 1
        && demand.turn_work > HALF
        && demand.busiest < ONE_OF_THEM
    {
        let mut finding = turns(demand);
        finding.because.extend(because);
        return finding;
    }
    if usable < 1.5 {
        because.push(match demand.usable.why() {
            Some(why) => format!("how many processors it may use is not known: {why}"),
            None => "there is one processor".to_owned(),
        });
        return Finding { bottleneck: Bottleneck::Processors, margin: f64::INFINITY, because };
    }
    let wanted = demand.wanted / usable;
    let (bottleneck, margin) = match demand.wanted {
        wanted_all if wanted_all >= ALL * usable => {
            (Bottleneck::Processors, 1.0 + (wanted - ALL) / 0.1)
        }
        one if one <= ONE => (Bottleneck::SingleThread, 1.0 + (ONE - one) / 0.15),
        _ => (Bottleneck::FewThreads, 1.5),
    };
    Finding { bottleneck, margin, because }
}
