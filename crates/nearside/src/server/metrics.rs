//! Counts of what is served, in the text format that Prometheus reads (version 0.0.4).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nearside_models::serving::{Done, Load};
use nearside_probe::meter::Meter;
use nearside_units::Joules;

/// Upper bounds of the time until a first token, in seconds.
const FIRST_TOKEN: [f64; 10] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];
/// Upper bounds of the time of a token after the first, in seconds.
const NEXT_TOKEN: [f64; 10] = [0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56];

/// Counts of what is served.
#[derive(Debug)]
pub(crate) struct Metrics {
    counts: Mutex<Counts>,
    /// What the process uses, where that can be seen.
    meter: Option<Meter>,
}

#[derive(Debug)]
struct Counts {
    /// By endpoint and status.
    requests: BTreeMap<(&'static str, u16), u64>,
    given_up: u64,
    prompt: u64,
    cached: u64,
    written: u64,
    first_token: Histogram,
    next_token: Histogram,
}

/// What was served in all.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Totals {
    /// Requests that were answered, errors included.
    pub(crate) requests: u64,
    /// Tokens of prompts.
    pub(crate) prompt: u64,
    /// Tokens of them that were not read again.
    pub(crate) cached: u64,
    /// Tokens that were written.
    pub(crate) written: u64,
    /// Energy of the process where it is known; parts of the machine without a counter are not in it.
    pub(crate) energy: Option<Joules>,
}

/// How many values are at most how large.
#[derive(Debug)]
struct Histogram {
    bounds: &'static [f64],
    counts: Vec<u64>,
    sum: f64,
    count: u64,
}

impl Histogram {
    fn new(bounds: &'static [f64]) -> Self {
        Self { bounds, counts: vec![0; bounds.len()], sum: 0.0, count: 0 }
    }

    fn add(&mut self, seconds: f64, times: u64) {
        let places = self.bounds.iter().zip(&mut self.counts);
        places.filter(|(bound, _)| seconds <= **bound).for_each(|(_, count)| *count += times);
        self.sum += seconds * times as f64;
        self.count += times;
    }

    fn write(&self, text: &mut String, name: &str, help: &str) {
        head(text, name, help, "histogram");
        for (bound, count) in self.bounds.iter().zip(&self.counts) {
            let _ = writeln!(text, "{name}_bucket{{le=\"{bound}\"}} {count}");
        }
        let Self { sum, count, .. } = self;
        let _ = writeln!(text, "{name}_bucket{{le=\"+Inf\"}} {count}");
        let _ = writeln!(text, "{name}_sum {sum}\n{name}_count {count}");
    }
}

impl Metrics {
    /// Nothing so far; the meter follows this process.
    pub(crate) fn new(meter: Option<Meter>) -> Self {
        let counts = Counts {
            requests: BTreeMap::new(),
            given_up: 0,
            prompt: 0,
            cached: 0,
            written: 0,
            first_token: Histogram::new(&FIRST_TOKEN),
            next_token: Histogram::new(&NEXT_TOKEN),
        };
        Self { counts: Mutex::new(counts), meter }
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        // Nothing in there can be half done.
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request was answered.
    pub(crate) fn answered(&self, endpoint: &'static str, status: u16) {
        *self.counts().requests.entry((endpoint, status)).or_default() += 1;
    }

    /// Nobody waits any more for an answer that was being written.
    pub(crate) fn given_up(&self) {
        self.counts().given_up += 1;
    }

    /// A text is at its end.
    pub(crate) fn done(&self, done: &Done) {
        let mut counts = self.counts();
        let Done { prompt, cached, written, waited, reading, writing, .. } = done;
        counts.prompt += *prompt as u64;
        counts.cached += *cached as u64;
        counts.written += *written as u64;
        if *written > 0 {
            counts.first_token.add((*waited + *reading).as_secs_f64(), 1);
        }
        let following = written.saturating_sub(1);
        if let Some(each) =
            u32::try_from(following).ok().and_then(|count| writing.checked_div(count))
        {
            counts.next_token.add(Duration::as_secs_f64(&each), following as u64);
        }
    }

    /// What was served in all.
    pub(crate) fn totals(&self) -> Totals {
        let energy = self.meter.as_ref().and_then(|meter| meter.so_far().energy);
        let energy = energy.filter(|energy| !energy.parts.is_empty());
        let counts = self.counts();
        Totals {
            requests: counts.requests.values().sum(),
            prompt: counts.prompt,
            cached: counts.cached,
            written: counts.written,
            energy: energy.map(|energy| energy.loaded.total.likely()),
        }
    }

    /// All of it, as Prometheus reads it.
    pub(crate) fn text(&self, load: Load) -> String {
        let Totals { energy, prompt, cached, written, .. } = self.totals();
        let mut text = String::new();
        let counts = self.counts();
        let name = "nearside_requests_total";
        head(&mut text, name, "Requests answered.", "counter");
        for ((endpoint, status), count) in &counts.requests {
            let _ = writeln!(text, "{name}{{endpoint=\"{endpoint}\",status=\"{status}\"}} {count}");
        }
        let numbers = [
            (
                "nearside_given_up_total",
                "Answers whose client went away.",
                "counter",
                counts.given_up,
            ),
            ("nearside_prompt_tokens_total", "Tokens of prompts.", "counter", prompt),
            (
                "nearside_cached_tokens_total",
                "Tokens of prompts not read again.",
                "counter",
                cached,
            ),
            ("nearside_written_tokens_total", "Tokens written.", "counter", written),
            ("nearside_running", "Sequences in work.", "gauge", load.running as u64),
            ("nearside_waiting", "Requests that wait for a slot.", "gauge", load.waiting as u64),
        ];
        for (name, help, kind, value) in numbers {
            head(&mut text, name, help, kind);
            let _ = writeln!(text, "{name} {value}");
        }
        counts.first_token.write(
            &mut text,
            "nearside_first_token_seconds",
            "Time from a request to its first token.",
        );
        counts.next_token.write(
            &mut text,
            "nearside_next_token_seconds",
            "Time of each token after the first.",
        );
        if let Some(joules) = energy {
            let name = "nearside_energy_joules_total";
            head(
                &mut text,
                name,
                "Energy of this process, of the parts that have a counter.",
                "counter",
            );
            let _ = writeln!(text, "{name} {}", joules.as_joules());
        }
        text
    }
}

fn head(text: &mut String, name: &str, help: &str, kind: &str) {
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

#[cfg(test)]
mod tests {
    use nearside_models::serving::Finish;

    use super::*;

    #[test]
    fn what_was_served_is_counted() {
        let metrics = Metrics::new(None);
        metrics.answered("chat", 200);
        metrics.answered("chat", 200);
        metrics.done(&Done {
            finish: Finish::Stop,
            text: String::new(),
            prompt: 10,
            cached: 4,
            written: 5,
            waited: Duration::from_millis(100),
            reading: Duration::from_millis(200),
            writing: Duration::from_millis(40),
        });
        let text = metrics.text(Load { running: 1, waiting: 2 });
        for line in [
            "nearside_requests_total{endpoint=\"chat\",status=\"200\"} 2",
            "nearside_prompt_tokens_total 10",
            "nearside_cached_tokens_total 4",
            "nearside_written_tokens_total 5",
            "nearside_running 1",
            "nearside_waiting 2",
            "nearside_first_token_seconds_bucket{le=\"0.25\"} 0",
            "nearside_first_token_seconds_bucket{le=\"0.5\"} 1",
            "nearside_next_token_seconds_bucket{le=\"0.01\"} 4",
            "nearside_next_token_seconds_bucket{le=\"0.005\"} 0",
            "nearside_next_token_seconds_count 4",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        // What has no counter is not there, rather than zero.
        assert!(!text.contains("joules"));
    }
}
