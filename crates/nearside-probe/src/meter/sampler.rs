//! One look after the other: reads what is due and puts it together. It has no clock and no thread
//! of its own, so tests say what time it is.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration as Time;

use nearside_units::{Bytes, Known};

use super::accelerator::AcceleratorWatch;
use super::energy::{Energy, PowerWatch, Step};
use super::group::{GroupCounters, LimitWatch};
use super::keep::Kept;
use super::machine::Machine;
use super::measured::{Measured, SoFar};
use super::pace::{Pace, Urgency, processor_time};
use super::process::{Counter, Counters};
use super::read::Files;
use super::sample::{CpuTime, Faults, MemoryUse, Sample, Scheduling, Transferred, Work};
use super::subject::Subject;
use super::tree::Tree;
use super::wait::WaitClass;
use super::{Settings, seconds};
use crate::cgroup;
use crate::error::ProbeError;
use crate::processor::count_in_list;
use crate::root::Root;

/// The machine's own readings and energy are taken no sooner again than this.
const STEP: Time = Time::from_millis(500);
/// Share of a core that they may take.
const SHARE: f64 = 0.0005;
/// Bytes of a page of memory.
#[cfg(unix)]
fn page_size() -> u64 {
    rustix::param::page_size() as u64
}
#[cfg(not(unix))]
fn page_size() -> u64 {
    4096
}

/// Everything that is read, and what it came to so far.
pub(crate) struct Sampler {
    files: Files,
    tree: Tree,
    group: Option<GroupCounters>,
    limits: LimitWatch,
    machine: Machine,
    power: PowerWatch,
    accelerators: AcceleratorWatch,
    step_pace: Pace,
    last_step: StepBase,
    kept: Kept,
    latest: Sample,
    /// The largest of every counter that was ever seen.
    counted: Counters,
    peak_memory: u64,
    /// Energy at the last step.
    energy: Option<Arc<Energy>>,
    usable: Known<f64>,
    looks: u64,
    cost_before: Time,
    /// Why nothing of the work is visible, on systems without `/proc`.
    blind: Option<Arc<str>>,
}

/// Totals at the last step of energy.
#[derive(Clone, Copy, Debug, Default)]
struct StepBase {
    at: u64,
    busy: Option<u64>,
    used: u64,
}

impl Sampler {
    /// Takes the first look.
    pub(crate) fn begin(
        root: &Path,
        subject: &Subject,
        settings: &Settings,
    ) -> Result<Self, ProbeError> {
        let begin = processor_time();
        let refused = |why: String| ProbeError::Subject { subject: subject.to_string(), why };
        let mut files =
            Files::below(root).ok_or_else(|| refused("the root's name is no text".to_owned()))?;
        let blind = (!root.join("proc").is_dir())
            .then(|| Arc::from("/proc: not there (the meter sees processes on Linux only)"));
        let folder = match subject {
            Subject::Group(folder) => Some(folder.trim_matches('/')),
            _ => None,
        };
        if let (Some(folder), None) = (folder, &blind) {
            let members = files.once(format_args!("{folder}/cgroup.procs"));
            members.map_err(|unread| refused(format!("/{folder}/cgroup.procs: {unread}")))?;
        }
        let tree = match blind {
            Some(_) => Tree::empty(),
            None => Tree::begin(subject, folder, &mut files)
                .map_err(|unread| refused(unread.to_string()))?,
        };
        let process = tree.live().next().map(|process| process.id);
        let mut group = folder.map(GroupCounters::of);
        if let Some(group) = &mut group {
            // From now on.
            group.look(&mut files);
        }
        if let Subject::Confined { group: folder, .. } = subject {
            group = Some(GroupCounters::since_made(folder.trim_matches('/')));
        }
        let limits = LimitWatch::begin(process, folder, &mut files);
        let machine = Machine::begin(process, &mut files);
        let reserved = settings.reserved.clamp(0.0, 1.0);
        let power = PowerWatch::begin(&settings.power, reserved, &mut files);
        let idle = settings.power.accelerator_idle.clone();
        let accelerators = AcceleratorWatch::begin(settings.accelerators, idle, reserved);
        let usable = process.map_or_else(
            || Known::unknown("no process to ask"),
            |process| usable_processors(process, &mut files),
        );
        let mut sampler = Self {
            latest: Sample::empty(),
            last_step: StepBase::default(),
            step_pace: Pace::new(STEP, SHARE),
            kept: Kept::new(settings.most_samples),
            counted: Counters::default(),
            peak_memory: 0,
            energy: None,
            looks: 0,
            cost_before: Time::ZERO,
            files,
            tree,
            group,
            limits,
            machine,
            power,
            accelerators,
            usable,
            blind,
        };
        sampler.put_together(0, Urgency::WhenDue);
        sampler.last_step = sampler.step_base(0);
        sampler.step_pace.when_due(0, Urgency::Now, || {});
        sampler.cost_before = processor_time().saturating_sub(begin);
        Ok(sampler)
    }

    /// The latest look.
    pub(crate) const fn latest(&self) -> &Sample {
        &self.latest
    }

    /// What is known so far.
    pub(crate) fn so_far(&self) -> SoFar {
        SoFar {
            latest: self.latest().clone(),
            peak_memory: self.peak_memory(),
            energy: self.energy.clone(),
        }
    }

    fn peak_memory(&self) -> Known<Bytes> {
        self.latest.work.memory.as_ref().map(|_| Bytes::new(self.peak_memory))
    }

    /// Looks again, so long after the start.
    pub(crate) fn look(&mut self, at: Time) {
        let now = at.as_nanos() as u64;
        if self.blind.is_none() {
            self.tree.look(now, &mut self.files);
            self.tree.read_proportional(now, &mut self.files);
        }
        self.put_together(now, Urgency::WhenDue);
    }

    /// Looks for the last time, and says what the run came to.
    pub(crate) fn stop(mut self, at: Time) -> Measured {
        let now = at.as_nanos() as u64;
        if self.blind.is_none() {
            self.tree.look_last(now, &mut self.files);
        }
        self.put_together(now, Urgency::Now);
        let (energy, peak_memory) = (self.energy(), self.peak_memory());
        let mut notes: Vec<Arc<str>> = self.tree.notes().into_iter().map(Arc::from).collect();
        notes.extend(self.blind.clone());
        notes.extend(self.accelerators.why_none().cloned());
        let last = self.latest;
        let bytes = |of: fn(&Transferred) -> Bytes| last.work.bytes.as_ref().map(of);
        Measured {
            wall: last.at,
            cpu_on: last.work.cpu.as_ref().map(|cpu| cpu.on),
            cpu_queued: last.work.scheduling.as_ref().map(|scheduling| scheduling.queued),
            peak_memory,
            disk_read: bytes(|bytes| bytes.disk_read),
            disk_written: bytes(|bytes| bytes.disk_written),
            energy,
            looks_per_sample: self.kept.each(),
            samples: self.kept.into_samples(),
            threads: self.tree.busiest_threads(),
            usable_processors: self.usable,
            looks: self.looks,
            own_cost: seconds((processor_time() + self.cost_before).as_nanos() as u64),
            notes,
            last,
        }
    }

    /// Energy until the last step.
    fn energy(&self) -> Energy {
        let (parts, missing) = self.accelerators.totals();
        self.power.totals(parts, missing)
    }

    fn put_together(&mut self, now: u64, urgency: Urgency) {
        let mut counted = self.tree.counted();
        if let Some(group) = &mut self.group {
            // The group itself misses nothing that ended in it.
            counted = counted.largest(group.look(&mut self.files));
        }
        self.counted = self.counted.largest(counted);
        let mut pace = self.step_pace;
        pace.when_due(now, urgency, || self.step(now));
        self.step_pace = pace;
        let Self { accelerators, tree, .. } = self;
        let accelerators = accelerators.look(now, urgency, || {
            let mut work: Vec<u32> = tree.live().map(|process| process.id).collect();
            work.sort_unstable();
            work
        });
        let sample = Sample {
            at: seconds(now),
            work: self.work(now, urgency),
            machine: self.machine.sample(),
            power: Arc::clone(&self.latest.power),
            accelerators,
        };
        self.looks += 1;
        self.latest.clone_from(&sample);
        self.kept.put(sample);
    }

    /// A step of the machine's own readings and of energy.
    fn step(&mut self, now: u64) {
        self.machine.read(&mut self.files);
        let base = self.step_base(now);
        let before = std::mem::replace(&mut self.last_step, base);
        let passed = now.saturating_sub(before.at);
        if passed == 0 {
            return;
        }
        let processors = self.machine.busy().map(|(_, processors)| processors);
        let busy =
            base.busy.zip(before.busy).map(|(now, before)| now.saturating_sub(before) as f64);
        let used = base.used.saturating_sub(before.used) as f64;
        let step = Step {
            seconds: passed as f64 / 1e9,
            busy: busy
                .zip(processors)
                .map(|(busy, processors)| (busy / (passed as f64 * processors as f64)).min(1.0)),
            // Ticks of the machine are coarser than the scheduler's clock of the work.
            share: busy.map(|busy| if used > 0.0 { used / busy.max(used) } else { 0.0 }),
        };
        self.power.step(step, &mut self.files);
        self.latest.power = self.power.samples();
        self.energy = Some(Arc::new(self.energy()));
    }

    fn step_base(&self, at: u64) -> StepBase {
        let busy = self.machine.busy().map(|(busy, _)| busy);
        StepBase { at, busy, used: self.counted.of(Counter::Cpu) }
    }

    fn work(&mut self, now: u64, urgency: Urgency) -> Work {
        let limits = self.limits.look(now, urgency, &mut self.files);
        if let Some(why) = &self.blind {
            return Work::unknown(why, limits);
        }
        let of = |counter| self.counted.of(counter);
        let bytes = |counter| Bytes::new(of(counter));
        let cpu = CpuTime {
            on: seconds(of(Counter::Cpu)),
            user: seconds(of(Counter::User)),
            system: seconds(of(Counter::System)),
        };
        let bytes_refused = self.tree.bytes_refused();
        Work {
            processes: self.tree.live().count(),
            threads: self.tree.threads(),
            cpu: Known::Value(cpu),
            scheduling: self.scheduling(),
            faults: Known::Value(Faults {
                minor: of(Counter::MinorFaults),
                major: of(Counter::MajorFaults),
            }),
            bytes: match bytes_refused {
                Some(why) => Known::Unknown(why),
                None => Known::Value(Transferred {
                    disk_read: bytes(Counter::DiskRead),
                    disk_written: bytes(Counter::DiskWritten),
                    read: bytes(Counter::Read),
                    written: bytes(Counter::Written),
                }),
            },
            memory: Known::Value(self.memory()),
            limits,
        }
    }

    fn scheduling(&self) -> Known<Scheduling> {
        self.tree.scheduled().map(|scheduled| Scheduling {
            queued: seconds(scheduled.used.queued),
            slices: scheduled.used.slices,
            voluntary_switches: scheduled.switches.voluntary,
            involuntary_switches: scheduled.switches.involuntary,
            waits: scheduled.waits,
            busiest: self.tree.busiest(),
            blocked: self.tree.asleep_for(&[WaitClass::Disk, WaitClass::Page]),
        })
    }

    fn memory(&mut self) -> MemoryUse {
        let pages: u64 = self.tree.live().map(|process| process.stat.resident_pages).sum();
        let resident = pages * page_size();
        let ever = self.tree.live().map(|process| process.most_resident).max().unwrap_or(0);
        self.peak_memory = self.peak_memory.max(resident).max(ever);
        let swapped = self.tree.live().map(|process| process.swapped).sum();
        MemoryUse {
            resident: Bytes::new(resident),
            proportional: self.tree.proportional_bytes.clone().map(Bytes::new),
            swapped: Bytes::new(swapped),
            charged: self.group.as_mut().map(|group| group.charged(&mut self.files)),
        }
    }
}

/// Logical processors that a process may use: its affinity, or a quota that is less.
fn usable_processors(process: u32, files: &mut Files) -> Known<f64> {
    let name = format!("proc/{process}/status");
    let allowed = match files.once(&name) {
        Ok(text) => {
            let list = super::parse::entry(text, "Cpus_allowed_list");
            let count = list.and_then(|list| count_in_list(std::str::from_utf8(list).ok()?));
            Known::from_option(count.map(f64::from), format!("/{name}: no Cpus_allowed_list"))
        }
        Err(unread) => unread.known(&name),
    };
    let quota = cgroup::processor_limit_of(Root(files.root()), &process.to_string());
    let quota = quota.value().flatten();
    allowed.map(|allowed| quota.map_or(allowed, |quota| allowed.min(quota)))
}
