//! The answer of `nearside profile`.

use std::collections::BTreeMap;

use nearside_catalog::Catalog;
use nearside_probe::meter::Measured;
use nearside_probe::verdict::{Change, Share, Usage, Verdict};
use nearside_units::{AtLeast, Joules, Span};
use schemars::JsonSchema;
use serde::Serialize;

use crate::view::Figure;
use crate::wire::upgrades::{self, Offered};

/// The answer of `nearside profile`.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct ProfileAnswer {
    /// The command and its arguments.
    pub(super) command: Vec<String>,
    /// The exit code, and whose it is.
    pub(super) exit: Exit,
    /// What was found; null where the command could not be started.
    pub(super) found: Option<Found>,
}

/// An exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Exit {
    pub(super) code: u8,
    /// Whose it is: `command`, or `nearside` where the command could not be started.
    pub(super) of: &'static str,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Found {
    /// The verdict in one sentence.
    pub(super) sentence: String,
    /// What held the command back: cpu, few-threads, single-thread, lock, cpu-quota, disk, network,
    /// ram, idle, input, gpu-compute, vram-bandwidth, vram-capacity, pcie, launch, thermal, power-cap
    /// or unknown.
    pub(super) bottleneck: &'static str,
    /// How sure that is: low, medium or high.
    pub(super) confidence: String,
    /// What it rests on.
    pub(super) because: Vec<String>,
    /// What could not be seen, or is not told from what was.
    pub(super) unseen: Vec<String>,
    /// What removing the bottleneck could bring at most.
    pub(super) bound: Option<BoundView>,
    /// The changes most worth trying, the first one first.
    pub(super) changes: Vec<ChangeView>,
    /// How long the command ran.
    pub(super) wall_seconds: f64,
    /// Shares of that time, 0 to 1; together 1.
    pub(super) shares: BTreeMap<&'static str, f64>,
    pub(super) processors: ProcessorsView,
    /// Every resource: utilisation, saturation, errors.
    pub(super) usage: Vec<UsageView>,
    /// Energy with the machine's idling.
    pub(super) energy_joules: Figure<f64>,
    /// The most memory that its processes held at once.
    pub(super) peak_memory_bytes: Figure<u64>,
    pub(super) disk_read_bytes: Figure<u64>,
    pub(super) disk_written_bytes: Figure<u64>,
    /// Shares over time, oldest first.
    pub(super) over_time: Vec<Stretch>,
    /// Looks that this rests on.
    pub(super) looks: u64,
    /// Processor time that looking took.
    pub(super) own_seconds: f64,
}

/// What removing a bottleneck could bring at most, by Amdahl's law.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct BoundView {
    /// What is assumed, as the end of "with ...".
    pub(super) with: String,
    /// Share of the time that this concerns, 0 to 1.
    pub(super) share: f64,
    /// How many times as fast the command would be at most; null where that has no end.
    pub(super) speedup: Option<f64>,
}

/// Something to try.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct ChangeView {
    pub(super) what: String,
    /// How many times as fast the command would be at most, where that can be told.
    pub(super) speedup: Option<f64>,
    /// What could be bought or rented for it; null where nothing has to be.
    pub(super) offer: Option<Figure<Offered>>,
}

/// What was asked of the processors.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct ProcessorsView {
    /// Kept busy by the command, on average.
    pub(super) running: f64,
    /// That would have been while some thread was ready, had there always been a free one.
    pub(super) wanted: f64,
    /// That the command may use.
    pub(super) usable: Figure<f64>,
    /// Kept busy by other programs.
    pub(super) others: Figure<f64>,
    /// Share of its ready time that the command was queued, 0 to 1.
    pub(super) queued: f64,
    pub(super) active_threads: usize,
}

/// One resource.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct UsageView {
    pub(super) resource: String,
    /// Share of it that the command used, 0 to 1.
    pub(super) utilisation: Figure<f64>,
    /// How much that is.
    pub(super) used: Figure<String>,
    /// Threads that waited for it, on average.
    pub(super) waiting_threads: Figure<f64>,
    /// Errors and signs of a limit.
    pub(super) errors: Figure<u64>,
    /// What was counted as such.
    pub(super) errors_are: Option<&'static str>,
}

/// A stretch of time.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Stretch {
    pub(super) seconds: f64,
    /// In the order of: running, queued, disk, page, network, timer, input, accelerator, not seen.
    pub(super) shares: [f64; Share::ALL.len()],
}

impl Exit {
    pub(super) const fn of_command(code: u8) -> Self {
        Self { code, of: "command" }
    }
}

impl ProfileAnswer {
    /// A command that could not be started.
    pub(super) const fn not_started(command: Vec<String>) -> Self {
        Self { command, exit: Exit { code: super::NOT_STARTED, of: "nearside" }, found: None }
    }

    pub(super) fn of(
        command: Vec<String>,
        exit: Exit,
        measured: &Measured,
        verdict: &Verdict,
        catalog: &Catalog,
    ) -> Self {
        Self { command, exit, found: Some(Found::of(measured, verdict, catalog)) }
    }

    pub(super) const fn has_verdict(&self) -> bool {
        self.found.is_some()
    }

    /// Where the prices are from.
    pub(super) fn sources(&self) -> Vec<String> {
        let changes = self.found.iter().flat_map(|found| &found.changes);
        let offers = changes.filter_map(|change| match &change.offer {
            Some(Figure::Value(offered)) => Some(offered.source.clone()),
            _ => None,
        });
        offers.collect()
    }
}

impl Found {
    fn of(measured: &Measured, verdict: &Verdict, catalog: &Catalog) -> Self {
        let bytes = |known: &nearside_units::Known<nearside_units::Bytes>| {
            Figure::of(known, |bytes| bytes.get())
        };
        let key = |share: Share| (key(share), verdict.shares.get(share));
        let demand = &verdict.demand;
        Self {
            sentence: super::text::sentence(verdict),
            bottleneck: verdict.bottleneck.key(),
            confidence: verdict.confidence.to_string(),
            because: verdict.because.clone(),
            unseen: verdict.unseen.clone(),
            bound: verdict.bound.as_ref().map(|bound| BoundView {
                with: bound.with.clone(),
                share: bound.share,
                speedup: finite(bound.speedup),
            }),
            changes: verdict.changes.iter().map(|change| ChangeView::of(change, catalog)).collect(),
            wall_seconds: measured.wall.as_seconds(),
            shares: Share::ALL.into_iter().map(key).collect(),
            processors: ProcessorsView {
                running: demand.running,
                wanted: demand.wanted,
                usable: Figure::of(&demand.usable, |usable| *usable),
                others: Figure::of(&demand.others, |others| *others),
                queued: demand.queued,
                active_threads: demand.active_threads,
            },
            usage: verdict.usage.iter().map(UsageView::of).collect(),
            energy_joules: energy(&measured.energy.loaded),
            peak_memory_bytes: bytes(&measured.peak_memory),
            disk_read_bytes: bytes(&measured.disk_read),
            disk_written_bytes: bytes(&measured.disk_written),
            over_time: verdict
                .shares
                .over_time
                .iter()
                .map(|(seconds, shares)| Stretch { seconds: *seconds, shares: *shares })
                .collect(),
            looks: measured.looks,
            own_seconds: measured.own_cost.as_seconds(),
        }
    }
}

/// The name of a share for programs.
const fn key(share: Share) -> &'static str {
    match share {
        Share::Running => "running",
        Share::Queued => "queued",
        Share::Disk => "disk",
        Share::Page => "page",
        Share::Network => "network",
        Share::Timer => "timer",
        Share::Input => "input",
        Share::Accelerator => "accelerator",
        Share::NotSeen => "not_seen",
    }
}

/// A speedup that has an end.
fn finite(speedup: f64) -> Option<f64> {
    (speedup < 1000.0).then_some(speedup)
}

fn energy(loaded: &AtLeast<Span<Joules>>) -> Figure<f64> {
    match loaded.missing.is_empty() {
        true => Figure::Value(loaded.total.likely().as_joules()),
        false => Figure::Unknown {
            unknown: loaded.missing.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
        },
    }
}

impl ChangeView {
    fn of(change: &Change, catalog: &Catalog) -> Self {
        let offer = change.upgrade.as_ref().map(|upgrade| upgrades::cheapest(upgrade, catalog));
        Self {
            what: change.what.clone(),
            speedup: change.speedup.and_then(finite),
            offer: offer.map(|offer| Figure::of(&offer, Clone::clone)),
        }
    }
}

impl UsageView {
    fn of(usage: &Usage) -> Self {
        Self {
            resource: usage.resource.clone(),
            utilisation: Figure::of(&usage.utilisation, |share| *share),
            used: Figure::of(&usage.used, Clone::clone),
            waiting_threads: Figure::of(&usage.waiting, |waiting| *waiting),
            errors: Figure::of(&usage.errors, |errors| errors.0),
            errors_are: usage.errors.as_ref().value().map(|errors| errors.1),
        }
    }
}
