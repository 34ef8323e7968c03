//! What the threads of the work asked of the processors: how many at once, whether they took turns,
//! and who else was there.

use nearside_units::{Duration, Known};

use super::shares::{Share, Shares};
use crate::meter::{Measured, ThreadUse, WaitClass};

/// A thread that ran or wanted to for less than this share of the time does not count...
const ACTIVE_SHARE: f64 = 0.02;
/// ... unless it was put on a processor this often per second.
const ACTIVE_SLICES: f64 = 20.0;
/// A thread takes part in a queue for a lock when it slept for others for this share of its time...
const TURN_SHARE: f64 = 0.2;
/// ... and went to sleep this often per second: who waits for the end of others sleeps once.
const TURN_SWITCHES: f64 = 2.0;
/// ... and was there for this share of the whole time: what lives one after the other takes no turns.
const TURN_LIFE: f64 = 0.3;

/// What the threads of the work asked of the processors.
#[derive(Clone, Debug, PartialEq)]
pub struct Demand {
    /// Processors that were kept busy, on average over the whole time.
    pub running: f64,
    /// Processors that would have been, had there always been a free one, on average over the time
    /// in which some thread was ready.
    pub wanted: f64,
    /// Processors that the work may use.
    pub usable: Known<f64>,
    /// Processors that other programs kept busy, on average.
    pub others: Known<f64>,
    /// Share of its ready time that the work spent queued for a processor, 0 to 1.
    pub queued: f64,
    /// Share of the work's ready time that its busiest thread had, 0 to 1.
    pub busiest: f64,
    /// Threads that ran, or wanted to, for some of the time or often.
    pub active_threads: usize,
    /// Threads that took turns at something only one can have.
    pub turn_takers: usize,
    /// Share of the work's ready time that they had, 0 to 1.
    pub turn_work: f64,
    /// Share of their time that these slept for each other, 0 to 1; of the time not queued.
    pub turn_waiting: f64,
    /// Share of the whole time that they waited for something outside of the work, all together.
    pub turn_holding: f64,
    /// Share of processor time in the kernel, 0 to 1.
    pub in_kernel: Known<f64>,
}

impl Demand {
    /// Of a whole run.
    #[must_use]
    pub fn of(measured: &Measured, shares: &Shares) -> Self {
        let wall = measured.wall.as_seconds().max(1e-9);
        let seconds = |time: &Known<Duration>| time.as_ref().map(|time| time.as_seconds());
        let on = seconds(&measured.cpu_on).value().unwrap_or(0.0);
        let queued = seconds(&measured.cpu_queued).value().unwrap_or(0.0);
        let ready = on + queued;
        let ready_share = shares.get(Share::Running) + shares.get(Share::Queued);
        let active = || measured.threads.iter().filter(|thread| is_active(thread, wall));
        let takers: Vec<&ThreadUse> = active().filter(|thread| takes_turns(thread, wall)).collect();
        let sum = |of: fn(&ThreadUse) -> Duration| -> f64 {
            takers.iter().map(|thread| of(thread).as_seconds()).sum()
        };
        let waited = sum(|thread| thread.waits.of(WaitClass::Futex));
        let held: f64 = takers.iter().map(|thread| waits_outside(thread)).sum();
        // Queued for a processor, a thread would have had its turn.
        let lived = sum(|thread| thread.on + thread.waits.total());
        let most = measured.threads.iter().map(ready_time).fold(0.0, f64::max);
        Self {
            running: on / wall,
            wanted: if ready_share > 1e-6 { ready / wall / ready_share } else { 0.0 },
            usable: measured.usable_processors.clone(),
            others: others(measured, on, wall),
            queued: if ready > 0.0 { queued / ready } else { 0.0 },
            busiest: if ready > 0.0 { (most / ready).min(1.0) } else { 0.0 },
            active_threads: active().count(),
            turn_takers: takers.len(),
            turn_work: if ready > 0.0 { ready_time_of(&takers) / ready } else { 0.0 },
            turn_waiting: if lived > 0.0 { waited / lived } else { 0.0 },
            turn_holding: held / wall,
            in_kernel: measured.last.work.cpu.as_ref().and_then(|cpu| {
                let (user, system) = (cpu.user.as_seconds(), cpu.system.as_seconds());
                match user + system > 0.0 {
                    true => Known::Value(system / (user + system)),
                    false => Known::unknown("no processor time was counted"),
                }
            }),
        }
    }

    /// Processors that the work may use; one where that is not known.
    pub(super) fn processors(&self) -> f64 {
        self.usable.as_ref().value().map_or(1.0, |usable| usable.max(0.01))
    }

    /// Share of the whole time that other programs took from the work, 0 to 1, where its threads were
    /// queued for `queued` of it. Threads of the work that queue behind each other lose nothing to others.
    pub(super) fn lost_to_others(&self, queued: f64) -> f64 {
        // Not known whose: it may all have been others'.
        let Known::Value(others) = self.others else { return queued };
        // What others leave of the processors that the work wanted and may have.
        let wanted = self.wanted.min(self.processors());
        queued.min((others / wanted.max(0.01)).min(1.0))
    }
}

fn ready_time_of(threads: &[&ThreadUse]) -> f64 {
    threads.iter().map(|thread| ready_time(thread)).sum()
}

fn ready_time(thread: &ThreadUse) -> f64 {
    (thread.on + thread.queued).as_seconds()
}

fn is_active(thread: &ThreadUse, wall: f64) -> bool {
    let slices = thread.slices as f64 / thread.looked_at.as_seconds().max(1e-3);
    ready_time(thread) > ACTIVE_SHARE * wall || slices > ACTIVE_SLICES
}

fn takes_turns(thread: &ThreadUse, wall: f64) -> bool {
    let looked = thread.looked_at.as_seconds().max(1e-3);
    looked > TURN_LIFE * wall
        && thread.waits.of(WaitClass::Futex).as_seconds() > TURN_SHARE * looked
        && thread.voluntary_switches as f64 > TURN_SWITCHES * looked
}

/// What a thread waited for outside of the work, in seconds.
fn waits_outside(thread: &ThreadUse) -> f64 {
    let outside = [WaitClass::Disk, WaitClass::Page, WaitClass::Network, WaitClass::Timer];
    outside.into_iter().map(|class| thread.waits.of(class).as_seconds()).sum()
}

fn others(measured: &Measured, on: f64, wall: f64) -> Known<f64> {
    measured.last.machine.cores.as_ref().map(|cores| {
        let busy: f64 = cores.iter().map(|core| core.busy.as_seconds()).sum();
        // Ticks of the machine are coarse.
        ((busy - on) / wall).max(0.0)
    })
}
