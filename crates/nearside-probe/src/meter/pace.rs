//! How often a dear reading is taken: no more than a share of a core goes into it, whatever the
//! machine makes it cost.
//!
//! A reading that took `c` of processor time is due again after `max(least, c / share)`. One file
//! costs 2 us on a laptop and 500 us on a server with 256 threads, so no fixed period is right.

use std::time::Duration;

/// When a reading is due.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// No sooner again than this, in nanoseconds.
    least: u64,
    /// Share of one core that it may take.
    share: f64,
    due: u64,
}

impl Pace {
    /// A reading that is due at once.
    pub(crate) const fn new(least: Duration, share: f64) -> Self {
        Self { least: least.as_nanos() as u64, share, due: 0 }
    }

    /// Whether it is due at a time in nanoseconds since the start.
    pub(crate) const fn is_due(&self, now: u64) -> bool {
        now >= self.due
    }

    /// Does the work if it is due, or if it must be done now.
    pub(crate) fn when_due(&mut self, now: u64, urgency: Urgency, work: impl FnOnce()) {
        if urgency == Urgency::WhenDue && !self.is_due(now) {
            return;
        }
        let begin = processor_time();
        work();
        let cost = processor_time().saturating_sub(begin).as_nanos() as f64;
        self.due = now.saturating_add(self.least.max((cost / self.share) as u64));
    }
}

/// How many looks something may be left alone: what stands still is read less and less often. All
/// counters are totals, so nothing is lost but resolution.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turn {
    every: u8,
    left: u8,
}

/// What a reading showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Activity {
    /// It is worth reading at every look.
    Busy,
    /// It does a little.
    Little,
    /// Nothing has changed.
    None,
}

impl Turn {
    /// Looks between two readings of what does a little, and of what does nothing.
    const LITTLE: u8 = 4;
    const NONE: u8 = 8;

    /// Due at every look, to begin with: the first reading shows no change by itself.
    pub(crate) const fn new() -> Self {
        Self { every: 0, left: 0 }
    }

    /// Whether it is read at every look.
    pub(crate) const fn is_every_look(&self) -> bool {
        self.every <= 1
    }

    /// Whether it is due; otherwise one look less is left.
    pub(crate) const fn comes(&mut self) -> bool {
        if self.left == 0 {
            return true;
        }
        self.left -= 1;
        false
    }

    /// Plans the next reading by what this one showed.
    pub(crate) fn plan(&mut self, activity: Activity) {
        self.every = match activity {
            Activity::Busy => 1,
            Activity::Little => (self.every * 2).clamp(1, Self::LITTLE),
            Activity::None => (self.every * 2).clamp(1, Self::NONE),
        };
        self.left = self.every - 1;
    }
}

/// Whether a reading may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Urgency {
    /// It may.
    WhenDue,
    /// It is the first or the last.
    Now,
}

/// Processor time of this thread; the clock on the wall where the system has no such thing.
#[cfg(target_os = "linux")]
pub(crate) fn processor_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn processor_time() -> Duration {
    static BEGIN: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    BEGIN.get_or_init(std::time::Instant::now).elapsed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_still_is_read_less_often() {
        let mut turn = Turn::new();
        let mut looks = Vec::new();
        for look in 0..40 {
            if turn.comes() {
                looks.push(look);
                turn.plan(if look < 34 { Activity::None } else { Activity::Busy });
            }
        }
        assert_eq!(looks, [0, 1, 3, 7, 15, 23, 31, 39]);
    }

    #[test]
    fn dear_work_waits_longer() {
        let mut pace = Pace::new(Duration::from_millis(1), 0.001);
        let mut done = 0;
        pace.when_due(0, Urgency::WhenDue, || {
            let begin = processor_time();
            while processor_time().saturating_sub(begin) < Duration::from_millis(2) {}
            done += 1;
        });
        // 2 ms at a thousandth of a core: 2 s.
        pace.when_due(1_900_000_000, Urgency::WhenDue, || done += 1);
        assert_eq!(done, 1);
        pace.when_due(1_900_000_000, Urgency::Now, || done += 1);
        assert_eq!(done, 2);
    }
}
