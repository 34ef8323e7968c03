//! How far it is and how fast it goes.

use std::time::Instant;

use nearside_units::Bytes;

use super::super::pace::{Pace, left, share};
use crate::output::Output;

/// What is counted where it is not bytes.
const TOKENS: &str = "tokens";

/// What is told while work goes on.
pub(super) struct Meter<'a> {
    pace: Pace<'a>,
    what: String,
    begun: Instant,
}

impl<'a> Meter<'a> {
    pub(super) fn new(output: &'a Output, what: String) -> Self {
        Self { pace: Pace::new(output), what, begun: Instant::now() }
    }

    /// Tells it, if it is time: `part` is the tensor, or what is counted.
    pub(super) fn tell(&mut self, part: &str, done: u64, total: u64) {
        let seconds = self.begun.elapsed().as_secs_f64();
        self.pace.tell(|| line(&self.what, part, [done, total], seconds));
    }
}

fn line(what: &str, part: &str, [done, total]: [u64; 2], seconds: f64) -> String {
    let rate = if seconds > 0.0 { done as f64 / seconds } else { 0.0 };
    let (share, left) = (share(done, total), left(done, total, rate));
    if part == TOKENS {
        return format!("{what}: {done} of {total} tokens, {share} %, {rate:.0}/s{left}");
    }
    let [done, total] = [done, total].map(|bytes| Bytes::new(bytes).si());
    let rate = Bytes::new(rate as u64).si();
    format!("{what}: {part}: {done} of {total}, {share} %, {rate}/s{left}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_and_remaining_time_are_told() {
        assert_eq!(
            line("to Q4_K_M", "output.weight", [1_000_000_000, 4_000_000_000], 10.0),
            "to Q4_K_M: output.weight: 1.00 GB of 4.00 GB, 25 %, 100 MB/s, 30.0 s left"
        );
        assert_eq!(line("a", TOKENS, [0, 10], 0.0), "a: 0 of 10 tokens, 0 %, 0/s");
    }
}
