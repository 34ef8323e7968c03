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

/// Processes that are read at one look; of more, each is read in its turn.
const PROCESSES: usize = 24;
/// Threads that are read at one look, of those that are busy and of the others; of more, each is
/// read in its turn. So a look costs the same whatever the tree.
const BUSY: usize = 20;
const OTHERS: usize = 10;
/// More threads than this are not followed.
const MAX_THREADS: usize = 8192;
/// Looks after which a parent that has not waited for a child never will.
const PATIENCE: u32 = 3;
/// Threads that are looked at twice in one look.
const SECOND_LOOKS: usize = 4;
/// Threads whose switches are read at the last look.
const MAX_LAST: usize = 1024;
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
    process_turn: usize,
    busy_turn: usize,
    other_turn: usize,
    first: usize,
    switch_turn: usize,
    memory_turn: usize,
    is_memory_turn: bool,
    proportional: Pace,
    /// Memory shared fairly among the processes that use it, when last read.
    pub(crate) proportional_bytes: Known<u64>,
    main: Option<u32>,
}

impl Tree {
    /// A tree of nothing.
    pub(crate) fn empty() -> Self {
        Self {
            discovery: Discovery::Descendants(Descendants::of(None)),
            processes: Vec::new(),
            ended: Counters::default(),
            ended_scheduled: Scheduled::default(),
            remembered: Vec::new(),
            visibility: Visibility::default(),
            process_turn: 0,
            busy_turn: 0,
            other_turn: 0,
            first: 0,
            switch_turn: 0,
            memory_turn: 0,
            is_memory_turn: false,
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
        let mut from = From::Now;
        match subject {
            Subject::Spawned(id) | Subject::Confined { process: id, .. } => {
                from = From::Birth;
                tree.discovery = Discovery::Descendants(Descendants::of(Some(*id)));
                tree.follow(*id, files)?;
            }
            Subject::Running(id) => tree.follow(*id, files)?,
            Subject::Group(_) => {
                let mut members = Members::new(group.unwrap_or_default());
                members.find(0, files, &mut tree.processes);
                tree.discovery = Discovery::Members(members);
            }
        }
        if let Some(process) = tree.processes.first() {
            let id = process.id;
            let unread = files.once(format_args!("proc/{id}/schedstat")).err();
            tree.visibility.schedule_refused =
                unread.map(|unread| format!("/proc/{id}/schedstat: {unread}").into());
        }
        tree.look_from(from, Everything::No, 0, files);
        if from == From::Now {
            for process in &mut tree.processes {
                process.begin_now();
                process.counted = Counters::default();
            }
        }
        Ok(tree)
    }

    /// Begins with a process that is named.
    fn follow(&mut self, id: u32, files: &mut Files) -> Result<(), Unread> {
        self.main = Some(id);
        self.processes.push(super::discover::named(id, files)?);
        Ok(())
    }

    /// Brings up to date what is due.
    pub(crate) fn look(&mut self, now: u64, files: &mut Files) {
        self.look_from(From::Birth, Everything::No, now, files);
        // The file with both is dear, so they take turns.
        self.is_memory_turn = !self.is_memory_turn;
        match self.is_memory_turn {
            true => self.read_memory(files),
            false => self.read_switches(1, files),
        }
    }

    /// Brings everything up to date.
    pub(crate) fn look_last(&mut self, now: u64, files: &mut Files) {
        self.look_from(From::Birth, Everything::Yes, now, files);
        self.read_switches(MAX_LAST, files);
        for process in self.processes.iter_mut().filter(|process| !process.is_gone()) {
            process.read_memory(files);
        }
    }

    fn look_from(&mut self, from: From, everything: Everything, now: u64, files: &mut Files) {
        self.visibility.now = now;
        // Threads first: what this look itself does to them is least then.
        self.look_at_threads(everything, now, files);
        self.look_again(files);
        match &mut self.discovery {
            Discovery::Descendants(discovery) => discovery.find(now, files, &mut self.processes),
            Discovery::Members(discovery) => discovery.find(now, files, &mut self.processes),
        }
        self.read_processes(everything, files);
        let mut room = MAX_THREADS.saturating_sub(self.threads());
        for process in &mut self.processes {
            let before = process.threads.len();
            process.list_threads(now, from, room, files, &mut self.visibility);
            room = room.saturating_sub(process.threads.len().saturating_sub(before));
        }
        for process in self.processes.iter_mut().filter(|process| !process.is_gone()) {
            process.sum_up();
        }
        self.settle();
    }

    /// Reads processes, parents first: a child that ended in between is then seen as ended, and
    /// what its parent took over is claimed at this look or a later one. For the same reason
    /// children are read whenever their parent is found to have waited for some child.
    fn read_processes(&mut self, everything: Everything, files: &mut Files) {
        let total = self.processes.len();
        let begin = if total > PROCESSES { self.process_turn % total } else { 0 };
        self.process_turn = begin + PROCESSES;
        for at in 0..total {
            let process = &mut self.processes[at];
            if process.is_gone() {
                process.gone_for += 1;
                continue;
            }
            let in_window = (at + total - begin) % total < PROCESSES;
            let in_turn = in_window && process.turn.comes();
            if !(in_turn || process.is_wanted || everything == Everything::Yes) {
                continue;
            }
            let waited = process.stat.waited_minor_faults;
            process.read(files);
            let id = process.id;
            if process.is_gone() {
                let threads = std::mem::take(&mut process.threads);
                let Self { remembered, main, .. } = self;
                process.end_threads(threads, |thread| remember(remembered, id, *main, thread));
            } else if process.stat.waited_minor_faults != waited {
                for child in self.processes.iter_mut().filter(|child| child.parent == id) {
                    child.is_wanted = true;
                }
            }
        }
    }

    /// Threads that are followed.
    pub(crate) fn threads(&self) -> usize {
        self.processes.iter().map(|process| process.threads.len()).sum()
    }

    /// Looks at threads whose turn it is, at another one first every time: while one is looked at,
    /// short sleeps of others on the same processor end, and they wait for it instead.
    fn look_at_threads(&mut self, everything: Everything, now: u64, files: &mut Files) {
        let all = self.processes.iter().flat_map(|process| &process.threads);
        let total = self.threads();
        let busy = all.filter(|thread| thread.turn.is_every_look()).count();
        let mut busy = Window::new(&mut self.busy_turn, busy, BUSY);
        let mut others = Window::new(&mut self.other_turn, total - busy.total, OTHERS);
        self.first = self.first.wrapping_add(1);
        let Self { processes, visibility, remembered, main, first, .. } = self;
        let count = processes.len();
        for process in (0..count).map(|place| (*first + place) % count) {
            let process = &mut processes[process];
            let (id, count) = (process.id, process.threads.len());
            let mut has_ended = false;
            for thread in (0..count).map(|place| (*first + place) % count) {
                let thread = &mut process.threads[thread];
                let in_turn = match thread.turn.is_every_look() {
                    true => busy.has_next(),
                    false => others.has_next() && thread.turn.comes(),
                };
                if in_turn || everything == Everything::Yes {
                    // A thread that cannot be read any more has ended as well.
                    thread.has_ended = thread.look(id, now, files, visibility).is_err();
                    has_ended |= thread.has_ended;
                }
            }
            if has_ended {
                let (ended, alive) = std::mem::take(&mut process.threads)
                    .into_iter()
                    .partition(|thread| thread.has_ended);
                process.threads = alive;
                process.is_wanted = true;
                process.end_threads(ended, |thread| remember(remembered, id, *main, thread));
            }
        }
    }

    /// Looks once more at some threads that mostly sleep but were seen awake. A thread whose sleeps
    /// are short and which shares our processor is always awake when we are: its sleep ends while
    /// we wake up, and then it waits for us. Stepping aside lets it go back to sleep.
    fn look_again(&mut self, files: &mut Files) {
        let Self { processes, visibility, .. } = self;
        let puzzling = processes.iter_mut().flat_map(|process| {
            let id = process.id;
            process.threads.iter_mut().map(move |thread| (id, thread))
        });
        let puzzling = puzzling.filter(|(_, thread)| thread.is_puzzling);
        for (place, (process, thread)) in puzzling.take(SECOND_LOOKS).enumerate() {
            if place == 0 {
                std::thread::yield_now();
            }
            // A thread that ends now is found at the next look.
            let _ = thread.look_again(process, files, visibility);
        }
    }

    /// Reads switches of some threads that have moved, each in its turn.
    fn read_switches(&mut self, most: usize, files: &mut Files) {
        let total = self.threads();
        let begin = self.switch_turn;
        let mut left = most;
        let mut last = begin;
        for is_first_pass in [true, false] {
            let mut place = 0;
            for process in &mut self.processes {
                let id = process.id;
                for thread in &mut process.threads {
                    let in_turn = (place >= begin) == is_first_pass;
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
        self.switch_turn = if total == 0 { 0 } else { last % total };
    }

    /// Reads the memory of one process, each in its turn.
    fn read_memory(&mut self, files: &mut Files) {
        if self.processes.is_empty() {
            return;
        }
        self.memory_turn = (self.memory_turn + 1) % self.processes.len();
        let process = &mut self.processes[self.memory_turn];
        if !process.is_gone() {
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
        if let Some(heir) = heir
            && !claimed
        {
            self.processes[heir].is_wanted = true;
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

/// Whether a look reads what is not due, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Everything {
    Yes,
    No,
}

/// Whose turn it is among many of a kind: a window that moves on with every look.
struct Window {
    begin: usize,
    total: usize,
    width: usize,
    next: usize,
}

impl Window {
    /// The window of this look; `turn` is where the next begins.
    const fn new(turn: &mut usize, total: usize, width: usize) -> Self {
        let begin = if total > width { *turn % total } else { 0 };
        *turn = begin + width;
        Self { begin, total, width, next: 0 }
    }

    /// Whether the next of them is in it. There may be more of them than there were.
    const fn has_next(&mut self) -> bool {
        let place = self.next;
        self.next += 1;
        place >= self.total || (place + self.total - self.begin) % self.total < self.width
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
