//! Megabytes a second that the scanner reads, from a file held in memory.
//!
//! `cargo run --release -p nearside-privacy --example speed -- FILE [--threads N] [--repeat N]`

use std::num::NonZero;
use std::time::Instant;

use nearside_privacy::scan::{Options, scan};

#[expect(clippy::print_stdout, reason = "an example prints what it measures")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let path = arguments.first().ok_or("usage: speed FILE [--threads N] [--repeat N]")?;
    let number = |flag: &str, default: usize| {
        let at = arguments.iter().position(|argument| argument == flag);
        at.and_then(|at| arguments.get(at + 1)?.parse().ok()).unwrap_or(default)
    };
    let text = std::fs::read(path)?;
    let threads = NonZero::new(number("--threads", 1)).unwrap_or(NonZero::<usize>::MIN);
    let options = Options { threads, ..Options::default() };
    for _ in 0..number("--repeat", 3) {
        let mut found = 0_u64;
        let start = Instant::now();
        scan(None, &mut text.as_slice(), options, &mut |_| found += 1)?;
        let seconds = start.elapsed().as_secs_f64();
        let megabytes = text.len() as f64 / 1e6;
        println!("{:.1} MB/s, {found} findings in {megabytes:.1} MB", megabytes / seconds);
    }
    Ok(())
}
