//! How far it is and how fast it goes: a line that changes on a terminal, a line every ten seconds elsewhere.

use std::time::{Duration, Instant};

use nearside_units::Bytes;

use crate::output::{Output, cut};

/// Time between two pictures.
const FRAME: Duration = Duration::from_millis(200);
/// Time between two lines where there are no pictures.
const LINE: Duration = Duration::from_secs(10);
/// What is counted where it is not bytes.
const TOKENS: &str = "tokens";

/// What is told while work goes on.
pub(super) struct Meter<'a> {
    output: &'a Output,
    what: String,
    begun: Instant,
    told: Option<Instant>,
}

impl<'a> Meter<'a> {
    pub(super) fn new(output: &'a Output, what: String) -> Self {
        Self { output, what, begun: Instant::now(), told: None }
    }

    /// Tells it, if it is time: `part` is the tensor, or what is counted.
    pub(super) fn tell(&mut self, part: &str, done: u64, total: u64) {
        let draws = self.output.draws();
        let pause = if draws { FRAME } else { LINE };
        let last = self.told.unwrap_or(self.begun);
        if last.elapsed() < pause && !(draws && self.told.is_none()) {
            return;
        }
        self.told = Some(Instant::now());
        let line = line(&self.what, part, [done, total], self.begun.elapsed().as_secs_f64());
        match draws {
            true => self.output.draw(|size| vec![cut(&line, size.columns)]),
            false => self.output.progress(&line),
        }
    }
}

fn line(what: &str, part: &str, [done, total]: [u64; 2], seconds: f64) -> String {
    let share = (u128::from(done) * 100).checked_div(u128::from(total)).unwrap_or(100);
    let rate = if seconds > 0.0 { done as f64 / seconds } else { 0.0 };
    let left = match rate > 0.0 {
        true => nearside_units::Duration::from_seconds(
            (total.saturating_sub(done) as f64 / rate).ceil(),
        )
        .map_or_else(|_none| String::new(), |left| format!(", {left} left")),
        false => String::new(),
    };
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
