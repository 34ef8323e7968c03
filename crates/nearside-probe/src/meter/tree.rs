//! All processes that are measured: found, read, and added up, at every look.

use std::sync::Arc;
use std::time::Duration;

use nearside_units::Known;

use super::discover::{Descendants, Discovery, Members};
use super::pace::{Pace, Urgency};
use super::parse;
use super::process::{Counters, Process, Scheduled};
use super::read::{Files, Unread};
use super::sample::ThreadUse;
use super::subject::Subject;
use super::thread::{From, Thread, Visibility};
use super::wait::WaitClass;

/// Threads that are read at one look; of more, each is read in its turn.
const LOOKS: usize = 256;
/// More threads than this are not followed.
const MAX_THREADS: usize = 8192;
/// Threads whose switches are read at one look.
const SWITCHES: usize = 4;
/// Looks after which a parent that has not waited for a child never will.
const PATIENCE: u32 = 3;
/// Threads that are remembered after their end, the busiest.
const REMEMBERED: usize = 64;

/// The processes that are measured.
#[derive(Debug)]
pub(crate) struct Tree {
    discovery: Discovery,
    pub(crate) processes: Vec<Process>,
    /// What counted of processes that are forgotten.
    ended: Counters,
    ended_scheduled: Scheduled,
    remembered: Vec<ThreadUse>,
    visibility: Visibility,
    /// Whose turn it is, where not all are read at each look.
    turn: usize,
    switch_turn: usize,
    memory_turn: usize,
    proportional: Pace,
    /// Memory shared fairly among the processes that use it, when last read.
    pub(crate) proportional_bytes: Known<u64>,
    main: Option<u32>,
}

impl Tree {
    /// A tree of nothing.
    pub(crate) fn empty() -> Self {
        Self {
            discovery: Discovery::Descendants(Descendants::new()),
            processes: Vec::new(),
            ended: Counters::default(),
            ended_scheduled: Scheduled::default(),
            remembered: Vec::new(),
            visibility: Visibility::default(),
            turn: 0,
            switch_turn: 0,
            memory_turn: 0,
            proportional: Pace::new(Duration::from_secs(5), 0.0002),
            proportional_bytes: Known::unknown("not read yet"),
            main: None,
        }
    }

    /// A tree as its subject says it, counted from now or from the birth of the root.
    pub(crate) fn begin(
        subject: &Subject,
        group: Option<&str>,
        files: &mut Files,
    ) -> Result<Self, Unread> {
        let mut tree = Self::empty();
        if let Some(folder) = group {
            tree.discovery = Discovery::Members(Members::new(folder));
        }
        let from = match subject {
            Subject::Spawned(id) | Subject::Running(id) => {
                tree.main = Some(*id);
                tree.processes.push(super::discover::named(*id, files)?);
                let unread = files.once(format_args!("proc/{id}/schedstat")).err();
                tree.visibility.schedule_refused =
                    unread.map(|unread| format!("/proc/{id}/schedstat: {unread}").into());
                if matches!(subject, Subject::Spawned(_)) { From::Birth } else { From::Now }
            }
            Subject::Group(_) => From::Now,
        };
        tree.look_from(from, 0, files);
        if from == From::Now {
            for process in &mut tree.processes {
                process.begin_now();
                process.counted = Counters::default();
            }
        }
        Ok(tree)
    }

    /// Brings everything up to date.
    pub(crate) fn look(&mut self, now: u64, files: &mut Files) {
        self.look_from(From::Birth, now, files);
    }

    fn look_from(&mut self, from: From, now: u64, files: &mut Files) {
        match &mut self.discovery {
            Discovery::Descendants(discovery) => discovery.find(now, files, &mut self.processes),
            Discovery::Members(discovery) => discovery.find(now, files, &mut self.processes),
        }
        // Parents come first: a child that ended in between is then seen as ended, and what its
        // parent took over is claimed at this look or the next.
        for process in &mut self.processes {
            match process.is_gone() {
                true => process.gone_for += 1,
                false => process.read(files),
            }
        }
        self.look_at_threads(now, files);
        let mut room = MAX_THREADS.saturating_sub(self.threads());
        for process in &mut self.processes {
            let before = process.threads.len();
            process.list_threads(now, from, room, files, &mut self.visibility);
            room = room.saturating_sub(process.threads.len() - before);
        }
        for process in self.processes.iter_mut().filter(|process| !process.is_gone()) {
            process.sum_up();
        }
        self.settle();
    }

    /// Threads that are followed.
    pub(crate) fn threads(&self) -> usize {
        self.processes.iter().map(|process| process.threads.len()).sum()
    }

    fn look_at_threads(&mut self, now: u64, files: &mut Files) {
        let total = self.threads();
        let begin = if total > LOOKS { self.turn % total } else { 0 };
        self.turn = begin + LOOKS;
        let is_turn = |place: usize| (place + total - begin) % total < LOOKS;
        let Self { processes, visibility, remembered, main, .. } = self;
        let mut place = 0;
        for process in processes.iter_mut() {
            let id = process.id;
            let mut at = 0;
            while at < process.threads.len() {
                let looked = match is_turn(place) {
                    true => process.threads[at].look(id, now, files, visibility),
                    false => Ok(()),
                };
                place += 1;
                // A thread that cannot be read any more has ended as well.
                match looked {
                    Ok(()) => at += 1,
                    Err(_) => {
                        let thread = process.threads.swap_remove(at);
                        process.end_thread(&thread);
                        remember(remembered, id, *main, &thread);
                    }
                }
            }
        }
        self.read_switches(SWITCHES, files);
    }

    /// Reads switches of some threads that have moved, each in its turn.
    fn read_switches(&mut self, most: usize, files: &mut Files) {
        let total = self.threads();
        if total == 0 {
            return;
        }
        let begin = self.switch_turn % total;
        let mut left = most;
        let mut place = 0;
        let mut last = begin;
        for pass in 0..2 {
            place = if pass == 0 { 0 } else { place - total };
            for process in &mut self.processes {
                let id = process.id;
                for thread in &mut process.threads {
                    let in_turn = if pass == 0 { place >= begin } else { place < begin };
                    if in_turn && left > 0 && thread.has_stale_switches() {
                        // A thread that ends now is found at the next look.
                        let _ = thread.read_switches(id, files);
                        left -= 1;
                        last = place + 1;
                    }
                    place += 1;
                }
            }
        }
        self.switch_turn = last;
        if !self.processes.is_empty() {
            self.memory_turn = (self.memory_turn + 1) % self.processes.len();
            let process = &mut self.processes[self.memory_turn];
            if !process.is_gone() {
                process.read_memory(files);
            }
        }
    }

    /// Everything that is otherwise read in turns.
    pub(crate) fn look_last(&mut self, now: u64, files: &mut Files) {
        self.look(now, files);
        self.read_switches(LOOKS, files);
        for process in self.processes.iter_mut().filter(|process| !process.is_gone()) {
            process.read_memory(files);
        }
    }

    /// Lets parents claim their ended children, forgets those, and counts what is new.
    fn settle(&mut self) {
        let gone: Vec<u32> =
            self.processes.iter().filter(|process| process.is_gone()).map(|gone| gone.id).collect();
        for id in gone {
            self.settle_one(id);
        }
        for process in self.processes.iter_mut().filter(|process| !process.is_gone()) {
            process.count();
        }
    }

    fn settle_one(&mut self, id: u32) {
        let place = |id: u32, all: &[Process]| all.iter().position(|process| process.id == id);
        let Some(at) = place(id, &self.processes) else { return };
        let raw = self.processes[at].raw;
        // Its parent may have ended too: then whoever waited for that took both over.
        let mut heir = place(self.processes[at].parent, &self.processes);
        for _ in 0..self.processes.len() {
            match heir {
                Some(parent) if self.processes[parent].is_gone() => {
                    heir = place(self.processes[parent].parent, &self.processes);
                }
                _ => break,
            }
        }
        let claimed = heir.is_some_and(|heir| self.processes[heir].has_waited_for(&raw));
        if let Some(heir) = heir
            && claimed
        {
            self.processes[heir].claim(&raw);
        }
        if claimed || heir.is_none() || self.processes[at].gone_for >= PATIENCE {
            self.forget(at);
        }
    }

    fn forget(&mut self, at: usize) {
        let process = self.processes.remove(at);
        self.ended = self.ended.plus(process.counted);
        self.ended_scheduled.add_all(&process.ended);
        for orphan in self.processes.iter_mut().filter(|orphan| orphan.is_gone()) {
            if orphan.parent == process.id {
                orphan.parent = process.parent;
            }
        }
        if let Discovery::Descendants(discovery) = &mut self.discovery {
            discovery.remember(&process);
        }
    }

    /// What all processes have used since counting began.
    pub(crate) fn counted(&self) -> Counters {
        self.processes.iter().fold(self.ended, |sum, process| sum.plus(process.counted))
    }

    /// Scheduling and sleep of all threads since counting began.
    pub(crate) fn scheduled(&self) -> Known<Scheduled> {
        if let Some(why) = &self.visibility.schedule_refused {
            return Known::Unknown(Arc::clone(why));
        }
        let mut sum = self.ended_scheduled;
        for process in &self.processes {
            sum.add_all(&process.scheduled());
        }
        Known::Value(sum)
    }

    /// The largest share of the last step that one thread was on a processor.
    pub(crate) fn busiest(&self) -> f64 {
        let threads = self.processes.iter().flat_map(|process| &process.threads);
        threads.map(|thread| thread.on_share).fold(0.0, f64::max)
    }

    /// Threads that slept for one of these at the last look.
    pub(crate) fn asleep_for(&self, classes: &[WaitClass]) -> usize {
        let of = |process: &Process| -> usize {
            classes.iter().map(|class| process.asleep_for(*class)).sum()
        };
        self.processes.iter().map(of).sum()
    }

    /// Live processes.
    pub(crate) fn live(&self) -> impl Iterator<Item = &Process> {
        self.processes.iter().filter(|process| !process.is_gone())
    }

    /// Reads memory shared fairly, when that is due: the kernel walks every page table for it.
    pub(crate) fn read_proportional(&mut self, now: u64, files: &mut Files) {
        let Self { proportional, processes, proportional_bytes, .. } = self;
        proportional.when_due(now, Urgency::WhenDue, || {
            let mut sum = 0;
            for process in processes.iter().filter(|process| !process.is_gone()) {
                let name = format!("proc/{}/smaps_rollup", process.id);
                match files.once(&name).map(|text| parse::kibibytes(text, "Pss")) {
                    Ok(bytes) => sum += bytes.unwrap_or(0),
                    Err(Unread::Gone) => {}
                    Err(refused) => {
                        *proportional_bytes = refused.known(&name);
                        return;
                    }
                }
            }
            if sum > 0 {
                *proportional_bytes = Known::Value(sum);
            }
        });
    }

    /// The busiest threads, ended ones too, busiest first.
    pub(crate) fn busiest_threads(&self) -> Vec<ThreadUse> {
        let mut threads = self.remembered.clone();
        for process in &self.processes {
            for thread in &process.threads {
                remember(&mut threads, process.id, self.main, thread);
            }
        }
        threads.sort_by_key(|thread| std::cmp::Reverse(thread.nanoseconds()));
        threads
    }

    /// Why no bytes are visible, if those of no process are.
    pub(crate) fn bytes_refused(&self) -> Option<Arc<str>> {
        let first = self.processes.first()?;
        let all = self.processes.iter().all(|process| process.io_refused.is_some());
        let why = |unread: &Unread| format!("/proc/{}/io: {unread}", first.id).into();
        first.io_refused.as_ref().filter(|_| all).map(why)
    }

    /// What could not be seen, in words.
    pub(crate) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if let Some(why) = &self.visibility.channels_refused {
            notes.push(format!("what threads wait for: {why}"));
        }
        let refused = self
            .processes
            .iter()
            .find_map(|process| process.io_refused.as_ref().map(|unread| (process.id, unread)));
        if let Some((id, unread)) = refused {
            notes.push(format!(
                "bytes of process {id}, which are left out: /proc/{id}/io: {unread}"
            ));
        }
        if self.processes.len() >= super::discover::MAX_PROCESSES {
            notes.push(format!("only {} processes were followed", self.processes.len()));
        }
        if self.threads() >= MAX_THREADS {
            notes.push(format!("only {MAX_THREADS} threads were followed"));
        }
        notes
    }
}

/// Keeps a thread among the busiest, the main thread always.
fn remember(remembered: &mut Vec<ThreadUse>, process: u32, main: Option<u32>, thread: &Thread) {
    let used = thread.used();
    let weight = used.on + used.queued;
    let is_main = main == Some(process) && thread.id == process;
    if remembered.len() >= REMEMBERED {
        let least = (0..remembered.len())
            .filter(|at| !remembered[*at].is_main)
            .min_by_key(|at| remembered[*at].nanoseconds());
        match least {
            Some(least) if is_main || remembered[least].nanoseconds() < weight => {
                remembered.swap_remove(least);
            }
            _ => return,
        }
    }
    remembered.push(ThreadUse::of(process, is_main, thread));
}
