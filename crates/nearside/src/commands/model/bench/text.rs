//! What was measured, for people.

use nearside_units::{Bytes, significant};

use super::{BenchAnswer, ComparedView, RateView};
use crate::output::{Align, table};
use crate::view::Range;

/// Columns: what, the median, the range of runs, what had been expected, whether it lies in that, the unit.
const HEADS: [(&str, Align); 6] = [
    ("", Align::Left),
    ("median", Align::Right),
    ("range", Align::Right),
    ("expected", Align::Right),
    ("within", Align::Left),
    ("", Align::Left),
];

pub(super) fn text(answer: &BenchAnswer) -> String {
    let mut rows = vec![
        rate(answer, &format!("read a prompt of {}", answer.prompt_tokens), "prompt"),
        rate(answer, &format!("write {} tokens", answer.new_tokens), "token"),
        single("weights for each token", answer.bytes_per_token as f64 / 1e9, "GB"),
    ];
    if let (Some(memory), Some(share)) = (&answer.memory_read, answer.share_of_memory_read) {
        let (likely, range) = rates(memory, 1e9);
        rows.push(row("memory is read at", [likely, range], None, "GB/s"));
        rows.push(single("writing reaches of that", 100.0 * share, "%"));
    }
    if let Some(resident) = answer.resident_bytes {
        let file = significant(answer.bytes as f64 / 1e9);
        let what = format!("memory of the process (tensors {file} GB)");
        let values = [significant(resident as f64 / 1e9), String::new()];
        rows.push(row(&what, values, compared(answer, "memory").map(|one| (one, 1e9)), "GB"));
    }
    rows.push(single("ready after", answer.load_seconds, "s"));
    let threads = answer.threads;
    let mut text = format!(
        "{} ({}), {threads} {}, {}\n\n{}",
        answer.model,
        Bytes::new(answer.bytes).si(),
        if threads == 1 { "thread" } else { "threads" },
        answer.instructions,
        table(&HEADS, rows)
    );
    if let Some(why) = &answer.not_compared {
        text = format!("{text}\n\nnot compared with what was expected: {why}");
    }
    text
}

fn compared<'a>(answer: &'a BenchAnswer, what: &str) -> Option<&'a ComparedView> {
    answer.compared.iter().find(|one| one.what == what)
}

pub(super) fn rates(rate: &RateView, unit: f64) -> (String, String) {
    let [low, likely, high] =
        [rate.low, rate.likely, rate.high].map(|rate| significant(rate / unit));
    (likely, format!("{low}-{high}"))
}

/// A row of tokens per second.
fn rate(answer: &BenchAnswer, what: &str, metric: &str) -> Vec<String> {
    let measured = if metric == "prompt" { &answer.prefill } else { &answer.decode };
    let (likely, range) = rates(measured, 1.0);
    row(what, [likely, range], compared(answer, metric).map(|one| (one, 1.0)), "tokens/s")
}

fn single(what: &str, value: f64, unit: &str) -> Vec<String> {
    row(what, [significant(value), String::new()], None, unit)
}

/// A row, with what had been expected in so large units.
fn row(
    what: &str,
    [likely, range]: [String; 2],
    compared: Option<(&ComparedView, f64)>,
    unit: &str,
) -> Vec<String> {
    let (expected, within) = match compared {
        None => (String::new(), String::new()),
        Some((one, size)) => {
            let within = if one.within { "yes" } else { "no" };
            (between(&one.expected, size), within.to_owned())
        }
    };
    vec![what.to_owned(), likely, range, expected, within, unit.to_owned()]
}

/// Both ends of a range in so large units.
pub(super) fn between(range: &Range, size: f64) -> String {
    let [low, high] = [range.low, range.high].map(|end| significant(end / size));
    format!("{low}-{high}")
}
