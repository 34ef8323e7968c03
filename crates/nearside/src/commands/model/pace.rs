//! When to say how far work is: a line that changes on a terminal, a line every ten seconds elsewhere.

use std::time::{Duration, Instant};

use crate::output::{Output, cut};

/// Time between two pictures.
pub(super) const FRAME: Duration = Duration::from_millis(200);
/// Time between two lines where there are no pictures.
const LINE: Duration = Duration::from_secs(10);

/// Says lines no more often than they are read.
pub(super) struct Pace<'a> {
    output: &'a Output,
    told: Instant,
}

impl<'a> Pace<'a> {
    pub(super) fn new(output: &'a Output) -> Self {
        Self { output, told: Instant::now() }
    }

    /// Says a line, if it is time.
    pub(super) fn tell(&mut self, line: impl FnOnce() -> String) {
        let draws = self.output.draws();
        if self.told.elapsed() < if draws { FRAME } else { LINE } {
            return;
        }
        self.told = Instant::now();
        let line = line();
        match draws {
            true => self.output.draw(|size| vec![cut(&line, size.columns)]),
            false => self.output.progress(&line),
        }
    }
}

/// Tokens and their rate, the first ones left out that came before the time began; how long it took where nobody counted.
pub(super) fn rate(tokens: Option<usize>, before: usize, time: Duration, digits: usize) -> String {
    let seconds = time.as_secs_f64();
    match tokens {
        Some(tokens) => {
            let rate = tokens.saturating_sub(before) as f64 / seconds.max(1e-9);
            format!("{tokens} tokens at {rate:.digits$}/s")
        }
        None => format!("for {seconds:.1} s"),
    }
}

/// What share of the whole is done, in whole percent.
pub(super) fn share(done: u64, total: u64) -> u128 {
    (u128::from(done) * 100).checked_div(u128::from(total)).unwrap_or(100)
}

/// How long the rest takes at a rate per second, as the end of a line; empty where that cannot be said.
pub(super) fn left(done: u64, total: u64, rate: f64) -> String {
    let seconds = (total.saturating_sub(done) as f64 / rate).ceil();
    match nearside_units::Duration::from_seconds(seconds) {
        Ok(left) if rate > 0.0 => format!(", {left} left"),
        _ => String::new(),
    }
}
