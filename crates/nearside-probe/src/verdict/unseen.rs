//! What a verdict does not rest on: what could not be seen, and what cannot be told from what was.

use super::bottleneck::Bottleneck;
use super::percent;
use super::shares::{Share, Shares};
use crate::meter::Measured;

/// What could not be seen or told.
pub(super) fn of(bottleneck: Bottleneck, measured: &Measured, shares: &Shares) -> Vec<String> {
    let mut unseen = Vec::new();
    let not_seen = shares.get(Share::NotSeen);
    if not_seen > 0.02 {
        unseen.push(format!("what threads waited for in {} of the time", percent(not_seen)));
    }
    let on_processors = [
        Bottleneck::Processors,
        Bottleneck::FewThreads,
        Bottleneck::SingleThread,
        Bottleneck::Quota,
    ];
    if on_processors.contains(&bottleneck) {
        unseen.push(
            "whether the processors computed or waited for main memory (no hardware counter is read)"
                .to_owned(),
        );
    }
    let on_accelerators = [Bottleneck::AcceleratorCompute, Bottleneck::AcceleratorBandwidth];
    if on_accelerators.contains(&bottleneck) {
        unseen.push(
            "how much of the accelerator its kernels used (only that some kernel ran is counted)"
                .to_owned(),
        );
    }
    let last = &measured.last;
    let limits = &last.work.limits;
    let whys = [
        ("scheduling of threads", last.work.scheduling.why()),
        ("bytes from disks", last.work.bytes.why()),
        ("stalls for memory and disks", last.machine.pressure.io.why()),
        ("hits of a limit of memory", limits.memory_limit_hits.why()),
        ("quotas of processor time", limits.throttled.why()),
        ("heat of the processors", last.machine.thermal_throttles.why()),
        ("other programs", last.machine.cores.why()),
    ];
    let whys = whys.into_iter().filter_map(|(what, why)| Some(format!("{what}: {}", why?)));
    unseen.extend(whys);
    unseen.extend(measured.notes.iter().map(ToString::to_string));
    unseen
}
