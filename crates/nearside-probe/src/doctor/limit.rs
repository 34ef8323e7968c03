//! No question may hang: each is asked in a thread of its own, and after a while nobody waits any
//! longer. A thread that a dead network disk holds is left to it.

use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use nearside_units::Known;

/// How long files may take to be read: they are small.
pub(super) const FILES: Duration = Duration::from_millis(1500);
/// How long a driver may take to answer: without persistence it wakes its devices first.
pub(super) const DRIVER: Duration = Duration::from_secs(5);

/// An answer that is being found.
pub(crate) struct Pending<T> {
    what: &'static str,
    until: Instant,
    limit: Duration,
    answer: Option<Receiver<T>>,
}

/// Asks a question whose answer is waited for no longer than the limit, from now on.
pub(crate) fn within<T: Send + 'static>(
    limit: Duration,
    what: &'static str,
    question: impl FnOnce() -> T + Send + 'static,
) -> Pending<T> {
    let (sender, answer) = channel();
    let thread = std::thread::Builder::new().name(format!("doctor: {what}"));
    let started = thread.spawn(move || {
        // Nobody may wait any more.
        let _ = sender.send(question());
    });
    Pending { what, until: Instant::now() + limit, limit, answer: started.ok().map(|_| answer) }
}

impl<T> Pending<T> {
    /// The answer, or why there is none.
    pub(crate) fn wait(self) -> Known<T> {
        let Some(answer) = self.answer else {
            return Known::unknown(format!("{}: no thread could be started", self.what));
        };
        let left = self.until.saturating_duration_since(Instant::now());
        answer.recv_timeout(left).map_or_else(
            |_| {
                let seconds = self.limit.as_secs_f64();
                Known::unknown(format!("{}: no answer within {seconds} s", self.what))
            },
            Known::Value,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_does_not_come_is_unknown() {
        let (_open, never) = channel::<u32>();
        let pending = within(Duration::from_millis(20), "a dead disk", move || never.recv());
        let why = pending.wait();
        assert_eq!(why.why(), Some("a dead disk: no answer within 0.02 s"));
        let soon = within(FILES, "a number", || 7);
        assert_eq!(soon.wait(), Known::Value(7));
    }
}
