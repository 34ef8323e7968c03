//! One thread: time on a processor, time queued for one, and what it waited for in between.
//!
//! Over any time, `passed = on + queued + asleep`; the first two are counters of the scheduler
//! (`schedstat`), so the sleep is what remains. A thread that was not put on a processor since the
//! last look still sleeps in the same place, so its wait channel is not read again: a pool of idle
//! workers costs one small file each.

use std::sync::Arc;

use super::pace::{Activity, Pace, Turn, Urgency};
use super::parse::{self, Schedstat, Stat};
use super::polled;
use super::read::{Files, Slot, Unread, not_empty};
use super::wait::{self, WaitClass, Waits};

/// A thread that runs, or wants to, for a smaller share of the time does little.
const BUSY_SHARE: f64 = 0.05;
/// A thread that slept for more than this share of the time should be seen asleep now and then.
const PUZZLING_SHARE: f64 = 0.3;
/// Sleep shorter than this is not worth asking what it was for.
const SHORT_SLEEP: i64 = 500_000;

/// What a thread watches is looked up again after so many nanoseconds.
const POLLED_AGAIN: u64 = 1_000_000_000;
/// Share of a core that looking that up may take.
const POLLED_SHARE: f64 = 0.0005;

/// Which of the kernel's files about threads can be read here, and how much of it may be.
#[derive(Debug)]
pub(crate) struct Visibility {
    /// A wait channel was seen, so `0` means that a thread does not sleep.
    channels: bool,
    /// Why wait channels are not visible.
    pub(crate) channels_refused: Option<Arc<str>>,
    /// Why times of scheduling are not visible.
    pub(crate) schedule_refused: Option<Arc<str>>,
    /// How often it may be looked up what threads watch.
    polled: Pace,
    /// The time of the current look, in nanoseconds since the start.
    pub(crate) now: u64,
}

impl Default for Visibility {
    fn default() -> Self {
        Self {
            channels: false,
            channels_refused: None,
            schedule_refused: None,
            polled: Pace::new(std::time::Duration::ZERO, POLLED_SHARE),
            now: 0,
        }
    }
}

/// A thread and what it has used.
#[derive(Debug)]
pub(crate) struct Thread {
    pub(crate) id: u32,
    schedstat: Slot,
    channel: Slot,
    /// Counters when counting began: zero unless the thread is older than the meter.
    before: Schedstat,
    now: Schedstat,
    /// When the counters were read, in nanoseconds since the start.
    read_at: u64,
    /// Share of the time since the reading before that it was on a processor.
    pub(crate) on_share: f64,
    /// Sleep that went to no class yet; below zero while the scheduler's counters run ahead.
    unexplained: i64,
    /// What it slept for when last seen asleep, if it was asleep at the last look.
    asleep_for: Option<WaitClass>,
    /// What it slept for when it was last seen asleep.
    last_seen_for: Option<WaitClass>,
    /// What it waited for when it last waited for several events, and when that was looked up.
    polled: Option<(WaitClass, u64)>,
    pub(crate) waits: Waits,
    switches: Switches,
    switches_before: Switches,
    /// Slices at the last reading of its switches.
    switches_at: u64,
    first_seen: u64,
    pub(crate) name: Name,
    pub(crate) turn: Turn,
    pub(crate) has_ended: bool,
    /// It slept for much of the time, but not when it was looked at.
    pub(crate) is_puzzling: bool,
}

/// Changes of what runs on a processor, by who asked for them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Switches {
    /// The thread went to sleep.
    pub(crate) voluntary: u64,
    /// Another thread took its place.
    pub(crate) involuntary: u64,
}

/// A thread's name, at most 15 bytes by the kernel's rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Name {
    bytes: [u8; 16],
    length: u8,
}

impl Name {
    fn of(text: &[u8]) -> Self {
        let length = text.len().min(16);
        let mut bytes = [0; 16];
        bytes[..length].copy_from_slice(&text[..length]);
        Self { bytes, length: length as u8 }
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes[..usize::from(self.length)]).into_owned()
    }
}

/// When counting of a process's use begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum From {
    /// With its birth: everything that it has used counts.
    Birth,
    /// Now: what it has used before does not count.
    Now,
}

impl Thread {
    /// A thread that is seen for the first time.
    pub(crate) fn new(id: u32, now: u64) -> Self {
        Self {
            id,
            schedstat: Slot::default(),
            channel: Slot::default(),
            before: Schedstat::default(),
            now: Schedstat::default(),
            read_at: now,
            on_share: 0.0,
            unexplained: 0,
            asleep_for: None,
            last_seen_for: None,
            polled: None,
            waits: Waits::default(),
            switches: Switches::default(),
            switches_before: Switches::default(),
            switches_at: 0,
            first_seen: now,
            name: Name::default(),
            turn: Turn::new(),
            has_ended: false,
            is_puzzling: false,
        }
    }

    /// Reads the counters for the first time.
    pub(crate) fn begin(
        &mut self,
        process: u32,
        from: From,
        files: &mut Files,
        visibility: &mut Visibility,
    ) -> Result<(), Unread> {
        let Some(counters) = self.counters(process, files, visibility)? else { return Ok(()) };
        self.now = counters;
        // A short life may end before the next look.
        self.last_seen_for = self.sleeps_for(process, true, files, visibility)?;
        if from == From::Now {
            self.before = counters;
            self.read_switches(process, files)?;
            self.switches_before = self.switches;
        }
        Ok(())
    }

    /// Brings everything up to date; an error says that the thread has ended or cannot be read.
    pub(crate) fn look(
        &mut self,
        process: u32,
        now: u64,
        files: &mut Files,
        visibility: &mut Visibility,
    ) -> Result<(), Unread> {
        let Some(counters) = self.counters(process, files, visibility)? else { return Ok(()) };
        let passed = now.saturating_sub(self.read_at);
        let on = counters.on.saturating_sub(self.now.on);
        let queued = counters.queued.saturating_sub(self.now.queued);
        let moved = counters != self.now;
        self.now = counters;
        self.read_at = now;
        self.on_share = if passed > 0 { (on as f64 / passed as f64).min(1.0) } else { 0.0 };
        self.turn.plan(match (on + queued) as f64 > BUSY_SHARE * passed as f64 {
            true => Activity::Busy,
            false if moved => Activity::Little,
            false => Activity::None,
        });
        self.unexplained += passed as i64 - on as i64 - queued as i64;
        if moved || matches!(self.asleep_for, None | Some(WaitClass::Poll)) {
            self.asleep_for = match self.unexplained > SHORT_SLEEP {
                true => self.sleeps_for(process, moved, files, visibility)?,
                false => None,
            };
        }
        self.is_puzzling = self.asleep_for.is_none()
            && self.unexplained as f64 > PUZZLING_SHARE * passed as f64
            && self.unexplained > SHORT_SLEEP;
        self.explain();
        Ok(())
    }

    /// Looks once more at a thread that mostly sleeps but was seen awake.
    pub(crate) fn look_again(
        &mut self,
        process: u32,
        files: &mut Files,
        visibility: &mut Visibility,
    ) -> Result<(), Unread> {
        self.is_puzzling = false;
        if let Some(class) = self.sleeps_for(process, true, files, visibility)? {
            // It has run since, so it may sleep for something else at the next look.
            self.asleep_for = Some(class);
            self.explain();
            self.asleep_for = None;
        }
        Ok(())
    }

    /// Puts sleep down to what the thread sleeps for.
    fn explain(&mut self) {
        self.last_seen_for = self.asleep_for.or(self.last_seen_for);
        if let Some(class) = self.asleep_for
            && self.unexplained > 0
        {
            self.waits.add(class, self.unexplained as u64);
            self.unexplained = 0;
        }
    }

    fn counters(
        &mut self,
        process: u32,
        files: &mut Files,
        visibility: &mut Visibility,
    ) -> Result<Option<Schedstat>, Unread> {
        if visibility.schedule_refused.is_some() {
            return Ok(None);
        }
        let id = self.id;
        let name = format_args!("proc/{process}/task/{id}/schedstat");
        let text = files.read(&mut self.schedstat, name).and_then(not_empty)?;
        Schedstat::parse(text).map(Some).ok_or(Unread::TEXT)
    }

    /// What the thread sleeps for; nothing when it does not sleep.
    fn sleeps_for(
        &mut self,
        process: u32,
        moved: bool,
        files: &mut Files,
        visibility: &mut Visibility,
    ) -> Result<Option<WaitClass>, Unread> {
        match self.sleeps_in(process, moved, files, visibility)? {
            Some(WaitClass::Poll) => Ok(Some(self.polls_for(process, files, visibility))),
            known => Ok(known),
        }
    }

    /// What it waits for in a call for several events, looked up again now and then.
    fn polls_for(
        &mut self,
        process: u32,
        files: &mut Files,
        visibility: &mut Visibility,
    ) -> WaitClass {
        let now = visibility.now;
        let is_new = self.polled.is_none_or(|(_, at)| now.saturating_sub(at) >= POLLED_AGAIN);
        if is_new {
            let (thread, polled) = (self.id, &mut self.polled);
            visibility.polled.when_due(now, Urgency::WhenDue, || {
                *polled = Some((polled::of(process, thread, files), now));
            });
        }
        self.polled.map_or(WaitClass::Poll, |(class, _)| class)
    }

    /// What the place in the kernel that the thread sleeps in says.
    fn sleeps_in(
        &mut self,
        process: u32,
        moved: bool,
        files: &mut Files,
        visibility: &mut Visibility,
    ) -> Result<Option<WaitClass>, Unread> {
        let id = self.id;
        if visibility.channels_refused.is_none() {
            let name = format_args!("proc/{process}/task/{id}/wchan");
            match files.read(&mut self.channel, name) {
                Ok(b"0" | b"") if visibility.channels && moved => return Ok(None),
                Ok(b"0" | b"") => {}
                Ok(symbol) => {
                    visibility.channels = true;
                    let class = wait::of_channel(symbol);
                    return match class {
                        None | Some(WaitClass::Disk) => self.uninterruptible(process, class, files),
                        known => Ok(known),
                    };
                }
                Err(refused) => {
                    // The thread has ended, or this kernel has no such file.
                    self.state(process, files)?;
                    let why = format!("/proc/{process}/task/{id}/wchan: {refused}");
                    visibility.channels_refused = Some(why.into());
                }
            }
        }
        match self.state(process, files)? {
            b'S' | b'I' => Ok(Some(self.by_call(process, files))),
            b'D' => self.uninterruptible(process, Some(WaitClass::Disk), files),
            b'R' => Ok(None),
            _ => Ok(Some(WaitClass::Other)),
        }
    }

    /// A name that the table does not have, or a wait for a disk that may be a page fault.
    fn uninterruptible(
        &self,
        process: u32,
        class: Option<WaitClass>,
        files: &mut Files,
    ) -> Result<Option<WaitClass>, Unread> {
        if class.is_none() && self.state(process, files)? != b'D' {
            return Ok(Some(WaitClass::Other));
        }
        let id = self.id;
        let fault = match files.once(format_args!("proc/{process}/task/{id}/syscall")) {
            Ok(call) => wait::in_page_fault(call),
            Err(_) => false,
        };
        Ok(Some(if fault { WaitClass::Page } else { WaitClass::Disk }))
    }

    /// Not every kernel has this file, nor shows it to everybody.
    fn by_call(&self, process: u32, files: &mut Files) -> WaitClass {
        let id = self.id;
        match files.once(format_args!("proc/{process}/task/{id}/syscall")) {
            Ok(call) => wait::of_syscall(call),
            Err(_) => WaitClass::NotVisible,
        }
    }

    fn state(&self, process: u32, files: &mut Files) -> Result<u8, Unread> {
        let id = self.id;
        let text = files.once(format_args!("proc/{process}/task/{id}/stat"))?;
        Stat::parse(text).map(|stat| stat.state).ok_or(Unread::TEXT)
    }

    /// Whether it was put on a processor since its switches were read.
    pub(crate) const fn has_stale_switches(&self) -> bool {
        self.now.slices != self.switches_at || self.name.length == 0
    }

    /// Reads `status`, which costs as much as ten readings of `schedstat`.
    pub(crate) fn read_switches(&mut self, process: u32, files: &mut Files) -> Result<(), Unread> {
        let id = self.id;
        let text = files.once(format_args!("proc/{process}/task/{id}/status"))?;
        let read = |key| parse::keyed(text, key);
        if let (Some(voluntary), Some(involuntary)) =
            (read("voluntary_ctxt_switches"), read("nonvoluntary_ctxt_switches"))
        {
            self.switches = Switches { voluntary, involuntary };
        }
        self.name = parse::entry(text, "Name").map_or(self.name, Name::of);
        self.switches_at = self.now.slices;
        Ok(())
    }

    /// What it has used since counting began.
    pub(crate) fn used(&self) -> Schedstat {
        Schedstat {
            on: self.now.on.saturating_sub(self.before.on),
            queued: self.now.queued.saturating_sub(self.before.queued),
            slices: self.now.slices.saturating_sub(self.before.slices),
        }
    }

    /// Everything it was on a processor for in its life.
    pub(crate) const fn on_in_life(&self) -> u64 {
        self.now.on
    }

    /// Switches since counting began, up to the last reading of them.
    pub(crate) fn switched(&self) -> Switches {
        Switches {
            voluntary: self.switches.voluntary.saturating_sub(self.switches_before.voluntary),
            involuntary: self.switches.involuntary.saturating_sub(self.switches_before.involuntary),
        }
    }

    /// Whether it slept for this when it was last looked at.
    pub(crate) fn is_asleep_for(&self, class: WaitClass) -> bool {
        self.asleep_for == Some(class)
    }

    /// How long it was looked at.
    pub(crate) const fn looked_at(&self) -> u64 {
        self.read_at.saturating_sub(self.first_seen)
    }

    /// Sleep up to the last look; what went to no class is put down to what it was last seen
    /// waiting for, as not visible if it was never seen asleep.
    pub(crate) fn waited(&self) -> Waits {
        let mut waits = self.waits;
        if self.unexplained > 0 {
            let class = self.last_seen_for.unwrap_or(WaitClass::NotVisible);
            waits.add(class, self.unexplained as u64);
        }
        waits
    }
}
