//! How far a download is, how fast it goes and how long it will take.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use nearside_fetch::Doing;
use nearside_models::hub::PullProgress;
use nearside_units::Bytes;

use super::super::pace::{FRAME, Pace, left, share};
use crate::output::Output;

/// The rate is that of so long.
const WINDOW: Duration = Duration::from_secs(10);

/// What is told of a download while it goes on.
pub(super) struct Meter<'a> {
    pace: Pace<'a>,
    /// How much was there when, within the window.
    seen: VecDeque<(Instant, u64)>,
    file: String,
}

impl<'a> Meter<'a> {
    pub(super) fn new(output: &'a Output) -> Self {
        Self { pace: Pace::new(output), seen: VecDeque::new(), file: String::new() }
    }

    /// Tells it, if it is time.
    pub(super) fn tell(&mut self, progress: &PullProgress<'_>) {
        let now = Instant::now();
        if progress.doing != Doing::Transferring || self.file != progress.file {
            // What was read from the disk says nothing of the network.
            self.seen.clear();
            progress.file.clone_into(&mut self.file);
        }
        let since = |then: &(Instant, u64)| now.duration_since(then.0);
        if self.seen.back().is_none_or(|last| since(last) >= FRAME) {
            self.seen.push_back((now, progress.done.get()));
        }
        while self.seen.front().is_some_and(|first| since(first) > WINDOW) {
            self.seen.pop_front();
        }
        let first = self.seen.front();
        let rate = first.and_then(|&(then, done)| rate(done, progress.done.get(), now - then));
        self.pace.tell(|| line(progress, rate));
    }
}

/// Bytes a second; none where nothing can be said yet.
fn rate(before: u64, now: u64, time: Duration) -> Option<f64> {
    let came = now.checked_sub(before).filter(|came| *came > 0)?;
    (time >= FRAME).then(|| came as f64 / time.as_secs_f64())
}

fn line(progress: &PullProgress<'_>, rate: Option<f64>) -> String {
    let (done, total) = (progress.done, progress.total);
    let share = share(done.get(), total.get());
    let file = progress.file;
    let amount = format!("{} of {}, {share} %", done.si(), total.si());
    let file = match progress.doing {
        Doing::Waiting => return format!("{file}: another program fetches it; waiting"),
        Doing::Checking => return format!("{file}: reading what is here ({amount})"),
        Doing::Retrying => {
            return format!("{file}: the connection was lost; again in a moment ({amount})");
        }
        Doing::Transferring => file,
    };
    let Some(rate) = rate else { return format!("{file}: {amount}") };
    let left = left(done.get(), total.get(), rate);
    format!("{file}: {amount}, {}/s{left}", Bytes::new(rate as u64).si())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(doing: Doing, done: u64) -> PullProgress<'static> {
        PullProgress { file: "a", doing, done: Bytes::new(done), total: Bytes::new(4_000_000_000) }
    }

    #[test]
    fn rate_and_remaining_time_are_told() {
        assert_eq!(rate(100, 100, WINDOW), None);
        assert_eq!(rate(0, 10, Duration::from_millis(1)), None);
        let rate = rate(0, 200_000_000, WINDOW);
        let told = line(&progress(Doing::Transferring, 1_000_000_000), rate);
        assert_eq!(told, "a: 1.00 GB of 4.00 GB, 25 %, 20.0 MB/s, 2.50 min left");
        let told = line(&progress(Doing::Transferring, 0), None);
        assert_eq!(told, "a: 0 B of 4.00 GB, 0 %");
        let told = line(&progress(Doing::Retrying, 0), rate);
        assert!(told.contains("connection was lost"), "{told}");
    }
}
