//! Where the time of the work went: each moment is put down to what would have let the work go on.
//!
//! At a moment in which some thread runs or is ready to, the work goes on by processors. If none
//! does, it waits for a disk where some thread does; otherwise for what the threads that lead the work
//! sleep for. Between two looks, threads are taken to overlap as little as they can: with `r` threads
//! ready and `d` waiting for a disk on average, processors get `min(1, r)` of the time and the disk
//! `min(1 - min(1, r), d)`. So no share is larger than what removing that wait could bring, and all
//! shares together are the whole time.

use crate::meter::{Means, Measured, ThreadUse, WaitClass};

/// What a share of the time went to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Share {
    /// Some thread was on a processor.
    Running,
    /// Some thread was ready, and every processor that it may use had something else to do.
    Queued,
    /// A disk.
    Disk,
    /// A page of memory that had to come from a disk.
    Page,
    /// The network.
    Network,
    /// A time.
    Timer,
    /// A pipe, a terminal or a local socket.
    Input,
    /// An accelerator.
    Accelerator,
    /// Threads of the work slept, and for what is not visible.
    NotSeen,
}

impl Share {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Running,
        Self::Queued,
        Self::Disk,
        Self::Page,
        Self::Network,
        Self::Timer,
        Self::Input,
        Self::Accelerator,
        Self::NotSeen,
    ];

    /// In words.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Queued => "ready, no processor free",
            Self::Disk => "waiting for a disk",
            Self::Page => "waiting for pages of memory",
            Self::Network => "waiting for the network",
            Self::Timer => "sleeping by the clock",
            Self::Input => "waiting for input",
            Self::Accelerator => "waiting for an accelerator",
            Self::NotSeen => "waiting, not visible for what",
        }
    }
}

/// Shares of the time, 0 to 1; together they are 1, unless nothing was seen at all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shares {
    total: [f64; Share::ALL.len()],
    /// How long each stretch between two looks was in seconds, and its shares; oldest first.
    pub over_time: Vec<(f64, [f64; Share::ALL.len()])>,
}

impl Shares {
    /// Of a whole run.
    #[must_use]
    pub fn of(measured: &Measured) -> Self {
        let last = measured.samples.last().filter(|sample| sample.at < measured.last.at);
        let between = measured.samples.windows(2).filter_map(|pair| match pair {
            [earlier, later] => Means::between(earlier, later),
            _ => None,
        });
        let end = last.and_then(|sample| Means::between(sample, &measured.last));
        let stretches: Vec<Stretch> =
            between.chain(end).filter_map(|means| Stretch::of(&means)).collect();
        let leading = leading(measured, late(&stretches));
        let mut shares = Self::default();
        let mut time = 0.0;
        // What a thread sleeps for is known when it is next seen asleep, so from the end.
        let mut ahead = leading.overall;
        for stretch in stretches.iter().rev() {
            ahead = leading.in_stretch(stretch).unwrap_or(ahead);
            let parts = stretch.shares(&ahead);
            time += stretch.seconds;
            for (sum, share) in shares.total.iter_mut().zip(parts) {
                *sum += share * stretch.seconds;
            }
            shares.over_time.push((stretch.seconds, parts));
        }
        shares.over_time.reverse();
        if time > 0.0 {
            shares.total.iter_mut().for_each(|sum| *sum /= time);
        }
        shares
    }

    /// Of one kind.
    #[must_use]
    pub const fn get(&self, share: Share) -> f64 {
        self.total[share as usize]
    }

    /// Of one kind, had there always been a free processor.
    #[must_use]
    pub fn undisturbed(&self, share: Share) -> f64 {
        let left = 1.0 - self.get(Share::Queued);
        if share == Share::Queued || left < 1e-6 { 0.0 } else { self.get(share) / left }
    }

    /// Whether anything was seen.
    #[must_use]
    pub fn are_known(&self) -> bool {
        self.total.iter().any(|share| *share > 0.0)
    }
}

/// What the moments go to in which no thread could run or waited for a disk.
#[derive(Clone, Debug, Default)]
struct Leading {
    /// How much a thread that sleeps for a class leads, on average, in the order of
    /// [`WaitClass::ALL`].
    weights: [f64; WaitClass::ALL.len()],
    /// Shares over the whole run, in the order of [`Share::ALL`]; together 1.
    overall: [f64; Share::ALL.len()],
}

impl Leading {
    /// In a stretch in which so many threads slept for each class; nothing where none was seen asleep
    /// that leads.
    fn in_stretch(&self, stretch: &Stretch) -> Option<[f64; Share::ALL.len()]> {
        let mut shares = [0.0; Share::ALL.len()];
        for class in WaitClass::ALL {
            let asleep = stretch.asleep[class as usize];
            match class {
                WaitClass::Disk => shares[Share::Disk as usize] += asleep * stretch.excess(),
                WaitClass::Page => shares[Share::Page as usize] += asleep * stretch.excess(),
                _ => {
                    let Some((share, _)) = outside(class, 0.0) else { continue };
                    shares[share as usize] += self.weights[class as usize] * asleep;
                }
            }
        }
        let sum: f64 = shares.iter().sum();
        (sum > 1e-3).then(|| shares.map(|share| share / sum))
    }
}

/// Threads between two looks, as means over time.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    seconds: f64,
    running: f64,
    queued: f64,
    disk: f64,
    page: f64,
    asleep: [f64; WaitClass::ALL.len()],
}

impl Stretch {
    fn of(means: &Means) -> Option<Self> {
        let asleep = means.asleep.as_ref().value().copied().unwrap_or_default();
        Some(Self {
            seconds: means.time.as_seconds(),
            running: means.running.as_ref().value().copied()?,
            queued: means.queued.as_ref().value().copied().unwrap_or(0.0),
            disk: asleep[WaitClass::Disk as usize],
            page: asleep[WaitClass::Page as usize],
            asleep,
        })
    }

    /// Share of the time in which some thread could run.
    fn busy(self) -> f64 {
        (self.running + self.queued).min(1.0)
    }

    /// Share of the time in which none could, and some waited for a disk.
    fn blocked(self) -> f64 {
        (self.disk + self.page).min(1.0 - self.busy())
    }

    /// Share of its waits for disks that found no room in it, 0 to 1.
    fn excess(self) -> f64 {
        let waited = self.disk + self.page;
        if waited > 0.0 { 1.0 - self.blocked() / waited } else { 0.0 }
    }

    fn shares(self, leading: &[f64; Share::ALL.len()]) -> [f64; Share::ALL.len()] {
        let (busy, blocked) = (self.busy(), self.blocked());
        let rest = (1.0 - busy - blocked).max(0.0);
        let mut shares = leading.map(|lead| rest * lead);
        if busy > 0.0 {
            let ready = self.running + self.queued;
            shares[Share::Running as usize] += busy * self.running / ready;
            shares[Share::Queued as usize] += busy * self.queued / ready;
        }
        if blocked > 0.0 {
            let waiting = self.disk + self.page;
            shares[Share::Disk as usize] += blocked * self.disk / waiting;
            shares[Share::Page as usize] += blocked * self.page / waiting;
        }
        shares
    }
}

/// Share of the waits for disks that found no room in their stretches, 0 to 1. What a thread sleeps for
/// is only known when it is seen asleep, so some sleep is counted later than it was slept.
fn late(stretches: &[Stretch]) -> f64 {
    let sum = |of: fn(&Stretch) -> f64| -> f64 {
        stretches.iter().map(|stretch| stretch.seconds * of(stretch)).sum()
    };
    let waited = sum(|stretch| stretch.disk + stretch.page);
    let found_room = sum(|stretch| stretch.blocked());
    if waited > 0.0 { 1.0 - found_room / waited } else { 0.0 }
}

/// What threads sleep for when none can run. The main thread leads, or where it waits for others of
/// the work, the main threads of those; other threads count by how often they wake, so that one that
/// sleeps for ever does not count.
fn leading(measured: &Measured, late: f64) -> Leading {
    let asleep = |thread: &&ThreadUse| is_asleep_for_others(thread);
    let main = measured.threads.iter().find(|thread| thread.is_main).filter(asleep);
    let weight = |thread: &ThreadUse| match (main, thread.is_main) {
        (Some(_), true) => 1.0,
        (None, _) if thread.process == thread.thread => 1.0_f64.min(0.1 + activity(thread)),
        _ => 0.25 * activity(thread),
    };
    let mut leading = Leading::default();
    let mut slept = [0.0; WaitClass::ALL.len()];
    for thread in &measured.threads {
        for class in WaitClass::ALL {
            let seconds = thread.waits.of(class).as_seconds();
            slept[class as usize] += seconds;
            let Some((share, worth)) = outside(class, late) else { continue };
            leading.weights[class as usize] += weight(thread) * worth * seconds;
            leading.overall[share as usize] += weight(thread) * worth * seconds;
        }
    }
    for (weight, slept) in leading.weights.iter_mut().zip(slept) {
        *weight /= f64::max(slept, 1e-9);
    }
    let sum: f64 = leading.overall.iter().sum();
    if sum > 1e-9 {
        leading.overall.iter_mut().for_each(|lead| *lead /= sum);
    } else {
        leading.overall[Share::NotSeen as usize] = 1.0;
    }
    leading
}

/// Whether a thread mostly sleeps for something outside of the work.
fn is_asleep_for_others(thread: &ThreadUse) -> bool {
    let sum = |of: fn(WaitClass) -> bool| -> f64 {
        let classes = WaitClass::ALL.into_iter().filter(|class| of(*class));
        classes.map(|class| thread.waits.of(class).as_seconds()).sum()
    };
    let inside = sum(|class| matches!(class, WaitClass::Futex | WaitClass::Child));
    sum(|_| true) > 2.0 * inside
}

/// How often a thread wakes: 1 from twenty times a second on.
fn activity(thread: &ThreadUse) -> f64 {
    (thread.slices as f64 / thread.looked_at.as_seconds().max(1e-3) / 20.0).min(1.0)
}

/// To which share a sleep belongs, and how much it is worth as a lead; none where a thread waits for
/// another thread of the work. The other end of a pipe mostly belongs to the work as well, and of waits
/// for disks only what found no room in its stretch is left.
const fn outside(class: WaitClass, late: f64) -> Option<(Share, f64)> {
    match class {
        WaitClass::Futex | WaitClass::Child => None,
        WaitClass::Disk => Some((Share::Disk, late)),
        WaitClass::Page => Some((Share::Page, late)),
        WaitClass::Network => Some((Share::Network, 1.0)),
        WaitClass::Timer => Some((Share::Timer, 0.5)),
        WaitClass::Accelerator => Some((Share::Accelerator, 1.0)),
        WaitClass::Pipe | WaitClass::LocalSocket => Some((Share::Input, 0.1)),
        WaitClass::Poll | WaitClass::Other | WaitClass::NotVisible => Some((Share::NotSeen, 0.3)),
    }
}
