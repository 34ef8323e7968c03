//! How fast a model reads and writes: `cargo run --release -p nearside-models --example decode -- MODEL [PROMPT [NEW]]`.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "it is a program that prints")]

use std::path::Path;
use std::time::Instant;

use nearside_models::{DecoderModel, Segment, StoredModel, Wanted};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().unwrap();
    let mut number = |usual| arguments.next().map_or(usual, |text| text.parse().unwrap());
    let (prompt, new): (usize, usize) = (number(128), number(32));
    let stored = StoredModel::open(Path::new(&path)).unwrap();
    let model = DecoderModel::load(&stored, 1024).unwrap();
    let vocabulary = model.vocabulary() as u32;
    let tokens: Vec<u32> =
        (0..prompt as u32).map(|at| (at * 7919 + 13) % (vocabulary - 1)).collect();
    for _ in 0..3 {
        let mut cache = model.cache(prompt + new);
        let (start, processor) = (Instant::now(), seconds());
        let mut scores = step(&model, &mut cache, &tokens);
        report("prefill", prompt, start, processor);
        println!("  scores {:?} best {}", &scores[..4], best(&scores));
        let (start, processor) = (Instant::now(), seconds());
        for _ in 0..new {
            scores = step(&model, &mut cache, &[best(&scores)]);
        }
        report("decode", new, start, processor);
    }
}

fn step(model: &DecoderModel, cache: &mut nearside_models::Cache, tokens: &[u32]) -> Vec<f32> {
    model.forward(&mut [Segment { cache, tokens, wanted: Wanted::Last }]).unwrap()
}

fn best(scores: &[f32]) -> u32 {
    (0..scores.len()).max_by(|left, right| scores[*left].total_cmp(&scores[*right])).unwrap() as u32
}

fn report(what: &str, tokens: usize, start: Instant, processor: f64) {
    let (wall, processor) = (start.elapsed().as_secs_f64(), seconds() - processor);
    let tokens = tokens as f64;
    println!(
        "{what}: {:.2} tokens/s, {:.2} per second of processor",
        tokens / wall,
        tokens / processor
    );
}

/// Processor time of all threads, in seconds.
fn seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}
