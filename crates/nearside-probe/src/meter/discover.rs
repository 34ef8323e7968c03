//! Which processes belong: descendants of one, or members of a control group.
//!
//! Linux numbers tasks upwards and says the last number that it gave in `/proc/loadavg`. While that
//! stands still nothing was started, and when it moves only the numbers in between are new: one
//! small file per look follows a tree of any size, also on kernels without
//! `/proc/PID/task/TID/children`. A process belongs when its parent does, or when its session or
//! process group was founded by one that does (a parent that ended before the look leaves no other
//! trace). What starts a session of its own *and* loses its parent between two looks is not
//! followed: a control group holds that too.
//! Source: `proc_loadavg(5)`; Linux `kernel/pid.c` (`alloc_pid`).

use std::time::Duration;

use super::pace::{Pace, Urgency};
use super::parse::{self, Stat};
use super::process::Process;
use super::read::{Files, Slot, Unread};

/// Up to so many new numbers are tried one by one; beyond, `/proc` is listed.
const MAX_TRIED: u32 = 48;
/// More processes than this are not followed.
pub(crate) const MAX_PROCESSES: usize = 4096;
/// Founders of sessions and groups that are remembered after their end.
const MAX_FOUNDERS: usize = 1024;
/// Depth of control groups below the one that is measured.
const MAX_DEPTH: usize = 8;

/// How new processes are found.
#[derive(Debug)]
pub(crate) enum Discovery {
    /// Descendants.
    Descendants(Descendants),
    /// Members of the control group in this folder, and of groups below it.
    Members(Members),
}

/// Finding descendants.
#[derive(Debug)]
pub(crate) struct Descendants {
    load: Slot,
    last: Option<u32>,
    full: Pace,
    /// Processes that did not belong when `/proc` was last listed, in order.
    strangers: Vec<u32>,
    founders: Vec<u32>,
}

/// Finding members of a group.
#[derive(Debug)]
pub(crate) struct Members {
    folders: Vec<(String, Slot)>,
    nested: Pace,
}

impl Descendants {
    /// Descendants of a process that was just started, by its number: theirs are larger, so that
    /// nobody else need be looked at. Without it, everybody is.
    pub(crate) fn of(spawned: Option<u32>) -> Self {
        Self {
            load: Slot::default(),
            last: spawned,
            full: Pace::new(Duration::from_secs(2), 0.0003),
            strangers: Vec::new(),
            founders: Vec::new(),
        }
    }

    /// Adds descendants that are not among the processes yet, parents first.
    pub(crate) fn find(&mut self, now: u64, files: &mut Files, processes: &mut Vec<Process>) {
        let load = files.read(&mut self.load, "proc/loadavg");
        let last = load
            .ok()
            .and_then(|text| parse::fields(text).last().and_then(parse::number)?.try_into().ok());
        let before = std::mem::replace(&mut self.last, last);
        // After the largest number Linux begins again at a small one.
        let is_new = |id: u32| match (before, last) {
            (Some(before), Some(last)) if last >= before => id > before && id <= last,
            (Some(before), Some(last)) => id > before || id <= last,
            _ => true,
        };
        let mut ids = Vec::new();
        if self.full.is_due(now) {
            // What entered the tree by other ways; strangers need not be read again.
            let Self { full, strangers, .. } = self;
            full.when_due(now, Urgency::WhenDue, || {
                ids = files.numbers("proc").unwrap_or_default();
                ids.sort_unstable();
                let known = std::mem::replace(strangers, ids.clone());
                let is_first = known.is_empty() && before.is_some();
                let is_unknown = |id: &u32| !is_first && known.binary_search(id).is_err();
                ids.retain(|id| is_new(*id) || is_unknown(id));
            });
        } else if last != before {
            ids = match before.zip(last) {
                Some((before, last)) if last > before && last - before <= MAX_TRIED => {
                    (before + 1..=last).collect()
                }
                _ => files.numbers("proc").unwrap_or_default(),
            };
            ids.retain(|id| is_new(*id));
        }
        let candidates = candidates_of(ids, files, processes);
        self.adopt(candidates, files, processes);
    }

    /// Takes candidates that belong until none is left that does.
    fn adopt(
        &mut self,
        mut candidates: Vec<(u32, Stat)>,
        files: &mut Files,
        processes: &mut Vec<Process>,
    ) {
        while processes.len() < MAX_PROCESSES {
            let found = candidates.iter().position(|(_, stat)| self.belongs(stat, processes));
            let Some((id, stat)) = found.map(|at| candidates.swap_remove(at)) else { return };
            if is_process(id, files) {
                self.founders.retain(|founder| *founder != id);
                processes.push(Process::new(id, stat));
            }
        }
    }

    fn belongs(&self, stat: &Stat, processes: &[Process]) -> bool {
        let founder = |id: u32| id != 0 && self.founders.contains(&id);
        founder(stat.process_group)
            || founder(stat.session)
            || processes.iter().any(|process| {
                [stat.parent, stat.process_group, stat.session].contains(&process.id)
            })
    }

    /// Remembers a process that has ended, for the sake of its session and group.
    pub(crate) fn remember(&mut self, process: &Process) {
        let founded = [process.stat.process_group, process.stat.session].contains(&process.id);
        if founded && self.founders.len() < MAX_FOUNDERS {
            self.founders.push(process.id);
        }
    }
}

/// What `/proc` says of numbers that are not among the processes.
fn candidates_of(ids: Vec<u32>, files: &mut Files, processes: &[Process]) -> Vec<(u32, Stat)> {
    let unknown = |id: &u32| !processes.iter().any(|process| process.id == *id);
    let mut ids: Vec<u32> = ids.into_iter().filter(unknown).collect();
    ids.sort_unstable();
    let stat = |id: u32| Some((id, Stat::parse(files.once(format_args!("proc/{id}/stat")).ok()?)?));
    ids.into_iter().filter_map(stat).collect()
}

/// A number may be a thread's, which opens as a process's does.
fn is_process(id: u32, files: &mut Files) -> bool {
    let status = files.once(format_args!("proc/{id}/status"));
    status.is_ok_and(|text| parse::keyed(text, "Tgid").is_none_or(|group| group == u64::from(id)))
}

impl Members {
    /// Members of a group, whose folder is below the root.
    pub(crate) fn new(folder: &str) -> Self {
        Self {
            folders: vec![(folder.to_owned(), Slot::default())],
            nested: Pace::new(Duration::from_secs(1), 0.0005),
        }
    }

    /// Adds members that are not among the processes yet, parents first.
    pub(crate) fn find(&mut self, now: u64, files: &mut Files, processes: &mut Vec<Process>) {
        let Self { folders, nested } = self;
        nested.when_due(now, Urgency::WhenDue, || list_groups(files, folders));
        let mut ids: Vec<u32> = Vec::new();
        for (folder, slot) in folders {
            if let Ok(text) = files.read_all(slot, format_args!("{folder}/cgroup.procs")) {
                let numbers = parse::lines(text).filter_map(parse::number);
                ids.extend(numbers.filter_map(|id| u32::try_from(id).ok()));
            }
        }
        let mut candidates = candidates_of(ids, files, processes);
        // Parents have the smaller number, but for the rare turn of the numbering.
        candidates.sort_by_key(|(id, _)| *id);
        let room = MAX_PROCESSES.saturating_sub(processes.len());
        processes
            .extend(candidates.into_iter().take(room).map(|(id, stat)| Process::new(id, stat)));
    }
}

/// Groups below the first folder that are not listed yet; groups that are gone leave the list.
fn list_groups(files: &Files, folders: &mut Vec<(String, Slot)>) {
    let Some((top, _)) = folders.first() else { return };
    let root = files.root().to_path_buf();
    let mut level = vec![top.clone()];
    let mut found = level.clone();
    for _ in 0..MAX_DEPTH {
        let mut below = Vec::new();
        for folder in &level {
            let entries = root.join(folder).read_dir().into_iter().flatten().flatten();
            let groups = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
            below.extend(
                groups
                    .filter_map(|group| Some(format!("{folder}/{}", group.file_name().to_str()?))),
            );
        }
        if below.is_empty() {
            break;
        }
        found.extend(below.iter().cloned());
        level = below;
    }
    folders.retain(|(folder, _)| found.contains(folder));
    for folder in found.into_iter().take(MAX_PROCESSES) {
        if !folders.iter().any(|(known, _)| *known == folder) {
            folders.push((folder, Slot::default()));
        }
    }
}

/// Reads one process that is named.
pub(crate) fn named(id: u32, files: &mut Files) -> Result<Process, Unread> {
    let text = files.once(format_args!("proc/{id}/stat"))?;
    Ok(Process::new(id, Stat::parse(text).ok_or(Unread::TEXT)?))
}
