//! One process of a tree, and how nothing of what ended is lost or counted twice.
//!
//! The kernel adds what a process used, and what its children used, to the parent that waits for it
//! (`cutime`, `cminflt`, and the bytes of `/proc/PID/io`). So
//!
//! `counted(P) = own(P) + waited(P) - claimed(P)`
//!
//! where `claimed(P)` is what we had already seen of the children that P waited for. Children that
//! lived and died between two looks are in `waited(P)` and were claimed by nobody: they count. A
//! child whose parent never waits keeps what was last seen of it.
//! Source: Linux `kernel/exit.c` (`wait_task_zombie`).

use super::pace::{Activity, Turn};
use super::parse::{self, Schedstat, Stat};
use super::read::{Files, Slot, Unread, not_empty};
use super::thread::{From, Switches, Thread, Visibility};
use super::wait::{WaitClass, Waits};

/// Clock ticks of `/proc` are 1/100 s on every architecture that Rust compiles for.
const NANOSECONDS_PER_TICK: u64 = 10_000_000;

/// What is counted of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counter {
    /// Nanoseconds on a processor.
    Cpu,
    /// Nanoseconds of that in the program.
    User,
    /// Nanoseconds of that in the kernel.
    System,
    MinorFaults,
    MajorFaults,
    /// Bytes that system calls read, from wherever.
    Read,
    Written,
    /// Bytes fetched from disks.
    DiskRead,
    DiskWritten,
}

/// A value of every [`Counter`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counters([u64; 9]);

impl Counters {
    pub(crate) const fn of(&self, counter: Counter) -> u64 {
        self.0[counter as usize]
    }

    pub(crate) const fn set(&mut self, counter: Counter, value: u64) {
        self.0[counter as usize] = value;
    }

    fn with(self, other: Self, combine: impl Fn(u64, u64) -> u64) -> Self {
        Self(std::array::from_fn(|at| combine(self.0[at], other.0[at])))
    }

    pub(crate) fn plus(self, other: Self) -> Self {
        self.with(other, u64::saturating_add)
    }

    pub(crate) fn minus(self, other: Self) -> Self {
        self.with(other, u64::saturating_sub)
    }

    pub(crate) fn largest(self, other: Self) -> Self {
        self.with(other, u64::max)
    }
}

/// What threads used that have ended.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Scheduled {
    pub(crate) used: Schedstat,
    pub(crate) switches: Switches,
    pub(crate) waits: Waits,
}

impl Scheduled {
    pub(crate) fn add(&mut self, used: Schedstat, switches: Switches, waits: &Waits) {
        self.used.on += used.on;
        self.used.queued += used.queued;
        self.used.slices += used.slices;
        self.switches.voluntary += switches.voluntary;
        self.switches.involuntary += switches.involuntary;
        self.waits.add_all(waits);
    }

    pub(crate) fn add_all(&mut self, other: &Self) {
        self.add(other.used, other.switches, &other.waits);
    }
}

/// What happened between two readings.
fn activity(before: &Stat, now: &Stat) -> Activity {
    let used = |stat: &Stat| (stat.user, stat.system, stat.waited_minor_faults, stat.threads);
    match used(before) == used(now) {
        false => Activity::Busy,
        true if before.minor_faults != now.minor_faults => Activity::Little,
        true => Activity::None,
    }
}

/// A process and what it has used.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) id: u32,
    pub(crate) parent: u32,
    stat_file: Slot,
    io_file: Slot,
    pub(crate) stat: Stat,
    pub(crate) threads: Vec<Thread>,
    /// Time on a processor of threads that have ended, in their lives.
    ended_on: u64,
    pub(crate) ended: Scheduled,
    /// Own and waited for, as the kernel says it.
    pub(crate) raw: Counters,
    before: Counters,
    waited_faults_before: u64,
    claimed: Counters,
    /// What counts of it; never falls.
    pub(crate) counted: Counters,
    pub(crate) turn: Turn,
    /// It must be read at the next look, whether or not it is its turn.
    pub(crate) is_wanted: bool,
    /// Looks since it was found to have ended.
    pub(crate) gone_for: u32,
    /// Why its bytes are not visible.
    pub(crate) io_refused: Option<Unread>,
    pub(crate) swapped: u64,
    pub(crate) most_resident: u64,
}

impl Process {
    /// A process that is seen for the first time.
    pub(crate) fn new(id: u32, stat: Stat) -> Self {
        Self {
            id,
            parent: stat.parent,
            stat_file: Slot::default(),
            io_file: Slot::default(),
            stat,
            threads: Vec::new(),
            ended_on: 0,
            ended: Scheduled::default(),
            raw: Counters::default(),
            before: Counters::default(),
            waited_faults_before: 0,
            claimed: Counters::default(),
            counted: Counters::default(),
            turn: Turn::new(),
            is_wanted: true,
            gone_for: 0,
            io_refused: None,
            swapped: 0,
            most_resident: 0,
        }
    }

    /// Whether it has ended.
    pub(crate) const fn is_gone(&self) -> bool {
        self.gone_for > 0
    }

    /// Reads its own counters; marks it as gone when it has ended.
    pub(crate) fn read(&mut self, files: &mut Files) {
        let id = self.id;
        self.is_wanted = false;
        let stat = files.read(&mut self.stat_file, format_args!("proc/{id}/stat"));
        match stat.and_then(not_empty).and_then(|text| Stat::parse(text).ok_or(Unread::TEXT)) {
            Ok(stat) => {
                self.turn.plan(activity(&self.stat, &stat));
                self.stat = stat;
            }
            Err(Unread::Gone) => {
                self.end();
                return;
            }
            // An unreadable answer leaves what was known.
            Err(Unread::Refused(_)) => {}
        }
        self.parent = self.stat.parent;
        if self.io_refused.is_none() {
            match files.read(&mut self.io_file, format_args!("proc/{id}/io")) {
                Ok(text) => {
                    let names = [
                        (Counter::Read, "rchar"),
                        (Counter::Written, "wchar"),
                        (Counter::DiskRead, "read_bytes"),
                        (Counter::DiskWritten, "write_bytes"),
                    ];
                    for (counter, key) in names {
                        let value = parse::keyed(text, key).unwrap_or(self.raw.of(counter));
                        self.raw.set(counter, value);
                    }
                }
                Err(unread) => self.io_refused = Some(unread),
            }
        }
    }

    /// Frees what a process that has ended no longer needs; its threads end with the tree's help.
    fn end(&mut self) {
        self.gone_for = 1;
        self.stat_file = Slot::default();
        self.io_file = Slot::default();
        self.stat.resident_pages = 0;
        self.swapped = 0;
    }

    /// Keeps what ended threads have used, and shows each to `remember`.
    pub(crate) fn end_threads(&mut self, threads: Vec<Thread>, mut remember: impl FnMut(&Thread)) {
        for thread in threads {
            self.ended_on += thread.on_in_life();
            self.ended.add(thread.used(), thread.switched(), &thread.waited());
            remember(&thread);
        }
    }

    /// Finds new threads, where their number says that there are some.
    pub(crate) fn list_threads(
        &mut self,
        now: u64,
        from: From,
        room: usize,
        files: &mut Files,
        visibility: &mut Visibility,
    ) {
        if self.is_gone() || self.stat.threads as usize == self.threads.len() {
            return;
        }
        let Ok(found) = files.numbers(format_args!("proc/{}/task", self.id)) else { return };
        let known = self.threads.len();
        for id in found {
            let full = self.threads.len() - known >= room;
            if full || self.threads[..known].iter().any(|thread| thread.id == id) {
                continue;
            }
            let mut thread = Thread::new(id, now);
            if thread.begin(self.id, from, files, visibility).is_ok() {
                self.threads.push(thread);
            }
        }
    }

    /// Puts together what the kernel says of it, after its threads were looked at.
    pub(crate) fn sum_up(&mut self) {
        let Stat { user, system, waited_user, waited_system, .. } = self.stat;
        let ticks = |ticks: u64| ticks.saturating_mul(NANOSECONDS_PER_TICK);
        let threads: u64 = self.threads.iter().map(Thread::on_in_life).sum();
        // Threads are exact; ticks also know those that ended unseen.
        let own = ticks(user + system).max(threads + self.ended_on);
        let mut raw = self.raw;
        raw.set(Counter::Cpu, own + ticks(waited_user + waited_system));
        raw.set(Counter::User, ticks(user + waited_user));
        raw.set(Counter::System, ticks(system + waited_system));
        raw.set(Counter::MinorFaults, self.stat.minor_faults + self.stat.waited_minor_faults);
        raw.set(Counter::MajorFaults, self.stat.major_faults + self.stat.waited_major_faults);
        self.raw = self.raw.largest(raw);
    }

    /// Leaves out what was used so far.
    pub(crate) const fn begin_now(&mut self) {
        self.before = self.raw;
        self.waited_faults_before = self.stat.waited_minor_faults;
    }

    /// Whether this process has waited for a child that had used so much: every process has faults,
    /// and faults are counted exactly.
    pub(crate) const fn has_waited_for(&self, child: &Counters) -> bool {
        let waited = self.stat.waited_minor_faults.saturating_sub(self.waited_faults_before);
        let unclaimed = waited.saturating_sub(self.claimed.of(Counter::MinorFaults));
        unclaimed >= child.of(Counter::MinorFaults)
    }

    /// Takes what was seen of a child that it waited for.
    pub(crate) fn claim(&mut self, child: &Counters) {
        self.claimed = self.claimed.plus(*child);
    }

    /// Counts what is new.
    pub(crate) fn count(&mut self) {
        let counted = self.raw.minus(self.before).minus(self.claimed);
        self.counted = self.counted.largest(counted);
    }

    /// Reads swap and the most memory it ever held.
    pub(crate) fn read_memory(&mut self, files: &mut Files) {
        if let Ok(text) = files.once(format_args!("proc/{}/status", self.id)) {
            self.swapped = parse::kibibytes(text, "VmSwap").unwrap_or(0);
            self.most_resident = parse::kibibytes(text, "VmHWM").unwrap_or(0);
        }
    }

    /// Sleep and scheduling of all its threads since counting began.
    pub(crate) fn scheduled(&self) -> Scheduled {
        let mut sum = self.ended;
        for thread in &self.threads {
            sum.add(thread.used(), thread.switched(), &thread.waits);
        }
        sum
    }

    /// Threads that sleep for this at the moment.
    pub(crate) fn asleep_for(&self, class: WaitClass) -> usize {
        self.threads.iter().filter(|thread| thread.is_asleep_for(class)).count()
    }
}
