//! What control groups say of the work: limits that held it back, and, where a group is the
//! subject, what the group itself has counted.
//!
//! A limit may sit in any group on the way up, and its counters then count everybody below it; the
//! group with the largest counter is reported.
//! Sources: Linux `Documentation/admin-guide/cgroup-v2.rst` (cpu.stat, memory.events, io.stat),
//! `cgroup-v1/cpuacct.rst`, `cgroup-v1/memory.rst`, `scheduler/sched-bwc.rst`.

use std::sync::Arc;
use std::time::Duration;

use nearside_units::{Bytes, Known};

use super::machine::PressureFiles;
use super::pace::{Pace, Urgency};
use super::parse;
use super::process::{Counter, Counters};
use super::read::{Files, Slot};
use super::sample::{Limits, Throttled};
use crate::cgroup::{self, Controller, Version};
use crate::root::Root;

/// Limits are read no sooner again than this.
const LEAST: Duration = Duration::from_millis(500);
/// Share of a core that they may take.
const SHARE: f64 = 0.0002;

/// How often a limit was hit, of how many times that it could have been.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Hits {
    hits: u64,
    of: u64,
}

/// A limit's counter in one group, with its value at the start.
#[derive(Debug)]
struct Watched {
    file: String,
    slot: Slot,
    before: Hits,
}

/// One kind of limit, in every group that has it.
#[derive(Debug)]
struct Limit {
    parse: fn(&[u8]) -> Option<Hits>,
    groups: Known<Vec<Watched>>,
    /// What it means that no group has the file.
    none: Arc<str>,
}

impl Limit {
    fn begin(
        folders: Known<Vec<String>>,
        file: &str,
        parse: fn(&[u8]) -> Option<Hits>,
        none: &str,
        files: &mut Files,
    ) -> Self {
        let groups = folders.map(|folders| {
            let watched = folders.into_iter().filter_map(|folder| {
                let file = format!("{folder}/{file}");
                let mut slot = Slot::default();
                let before = parse(files.read(&mut slot, &file).ok()?)?;
                Some(Watched { file, slot, before })
            });
            watched.collect()
        });
        Self { parse, groups, none: none.into() }
    }

    fn look(&mut self, files: &mut Files) -> Known<Hits> {
        let groups = match &mut self.groups {
            Known::Value(groups) => groups,
            Known::Unknown(why) => return Known::Unknown(Arc::clone(why)),
        };
        let since = |watched: &mut Watched| {
            let now = (self.parse)(files.read(&mut watched.slot, &watched.file).ok()?)?;
            let Hits { hits, of } = watched.before;
            Some(Hits { hits: now.hits.saturating_sub(hits), of: now.of.saturating_sub(of) })
        };
        let most = groups.iter_mut().filter_map(since).max_by_key(|hits| (hits.hits, hits.of));
        most.map_or_else(|| Known::Unknown(Arc::clone(&self.none)), Known::Value)
    }
}

/// From `cpu.stat` of both versions; a group without a quota has no such entries.
fn throttled(text: &[u8]) -> Option<Hits> {
    let entry = |key| parse::keyed(text, key);
    Some(Hits { hits: entry("nr_throttled")?, of: entry("nr_periods")? })
}

/// From `memory.events` of version 2.
fn limit_events(text: &[u8]) -> Option<Hits> {
    Some(Hits { hits: parse::keyed(text, "max")?, of: 0 })
}

/// From `memory.failcnt` of version 1.
fn fail_count(text: &[u8]) -> Option<Hits> {
    Some(Hits { hits: parse::number(text)?, of: 0 })
}

/// Limits on the work.
#[derive(Debug)]
pub(crate) struct LimitWatch {
    pace: Pace,
    quota: Limit,
    memory: Limit,
    pressure: Option<PressureFiles>,
    latest: Limits,
}

impl LimitWatch {
    /// Limits on a process; `group` is its folder where a group is the subject.
    pub(crate) fn begin(process: Option<u32>, group: Option<&str>, files: &mut Files) -> Self {
        let folders = |controller, files: &Files| match process {
            Some(process) => cgroup::groups(Root(files.root()), &process.to_string(), controller),
            None => Known::unknown("the group has no process"),
        };
        let quota = folders(Controller::Processor, files).map(|(_, folders)| folders);
        let none = "no quota of processor time on the way up the control groups";
        let quota = Limit::begin(quota, "cpu.stat", throttled, none, files);
        let none = "no group on the way up counts hits of a memory limit";
        let memory = match folders(Controller::Memory, files) {
            Known::Value((Version::One, folders)) => {
                Limit::begin(Known::Value(folders), "memory.failcnt", fail_count, none, files)
            }
            folders => {
                let folders = folders.map(|(_, folders)| folders);
                Limit::begin(folders, "memory.events", limit_events, none, files)
            }
        };
        let mut watch = Self {
            pace: Pace::new(LEAST, SHARE),
            quota,
            memory,
            pressure: group.map(PressureFiles::of_group),
            latest: Limits {
                throttled: Known::unknown("not read yet"),
                memory_limit_hits: Known::unknown("not read yet"),
                pressure: None,
            },
        };
        watch.read(files);
        watch
    }

    /// Reads what is due.
    pub(crate) fn look(&mut self, now: u64, urgency: Urgency, files: &mut Files) -> Limits {
        let mut pace = self.pace;
        pace.when_due(now, urgency, || self.read(files));
        self.pace = pace;
        self.latest.clone()
    }

    fn read(&mut self, files: &mut Files) {
        self.latest.throttled = self
            .quota
            .look(files)
            .map(|hits| Throttled { periods: hits.of, throttled_periods: hits.hits });
        self.latest.memory_limit_hits = self.memory.look(files).map(|hits| hits.hits);
        self.latest.pressure = self.pressure.as_mut().map(|pressure| pressure.look(files));
    }
}

/// What a group has counted by itself; nothing that ended in it is missing.
#[derive(Debug)]
pub(crate) struct GroupCounters {
    folder: String,
    processor: Slot,
    version_one: [Slot; 3],
    disks: Slot,
    memory: Slot,
    before: Option<Counters>,
}

impl GroupCounters {
    /// Of the group in a folder below the root.
    pub(crate) fn of(folder: &str) -> Self {
        Self {
            folder: folder.to_owned(),
            processor: Slot::default(),
            version_one: Default::default(),
            disks: Slot::default(),
            memory: Slot::default(),
            before: None,
        }
    }

    /// Of a group that was made for what is measured: all that it counts.
    pub(crate) fn since_made(folder: &str) -> Self {
        Self { before: Some(Counters::default()), ..Self::of(folder) }
    }

    /// What the group used since the first look, or since it was made: processor time, and bytes of disks where its
    /// controller counts them. What it does not count is zero.
    pub(crate) fn look(&mut self, files: &mut Files) -> Counters {
        let folder = &self.folder;
        let mut now = Counters::default();
        if let Ok(text) = files.read(&mut self.processor, format_args!("{folder}/cpu.stat"))
            && let Some(used) = parse::keyed(text, "usage_usec")
        {
            let entry = |key| parse::keyed(text, key).unwrap_or(0).saturating_mul(1000);
            now.set(Counter::Cpu, used.saturating_mul(1000));
            now.set(Counter::User, entry("user_usec"));
            now.set(Counter::System, entry("system_usec"));
        } else {
            // Version 1 counts in nanoseconds, one file each.
            let entries = [
                (Counter::Cpu, "usage"),
                (Counter::User, "usage_user"),
                (Counter::System, "usage_sys"),
            ];
            for ((counter, name), slot) in entries.into_iter().zip(&mut self.version_one) {
                let text = files.read(slot, format_args!("{folder}/cpuacct.{name}"));
                now.set(counter, text.ok().and_then(parse::number).unwrap_or(0));
            }
        }
        if let Ok(text) = files.read(&mut self.disks, format_args!("{folder}/io.stat")) {
            let sum = |key: &[u8]| -> u64 {
                parse::fields(text)
                    .filter_map(|field| parse::number(field.strip_prefix(key)?))
                    .sum()
            };
            now.set(Counter::DiskRead, sum(b"rbytes="));
            now.set(Counter::DiskWritten, sum(b"wbytes="));
        }
        now.minus(*self.before.get_or_insert(now))
    }

    /// Memory that the group is charged with, page cache included.
    pub(crate) fn charged(&mut self, files: &mut Files) -> Known<Bytes> {
        let folder = &self.folder;
        for name in ["memory.current", "memory.usage_in_bytes"] {
            if let Ok(text) = files.read(&mut self.memory, format_args!("{folder}/{name}")) {
                let bytes = parse::number(text).map(Bytes::new);
                return Known::from_option(bytes, format!("/{folder}/{name}: no number"));
            }
        }
        Known::unknown(format!("/{folder}: the memory controller does not count here"))
    }
}
