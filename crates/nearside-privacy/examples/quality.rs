//! Scores the scanner on a labelled set: precision and recall of each kind, and what was missed.
//!
//! `cargo run --release -p nearside-privacy --example quality -- FILE [KIND | decoys]`

#[path = "../tests/labelled/mod.rs"]
mod labelled;

use labelled::{Count, Told, score};

#[expect(clippy::print_stdout, reason = "an example prints what it measures")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("usage: quality FILE [KIND | decoys]")?;
    let wanted = arguments.next();
    let score = score(&std::fs::read_to_string(path)?, &mut |told: Told<'_>| {
        let chosen = match wanted.as_deref() {
            Some("decoys") => told.what == "decoy",
            Some(kind) => told.what != "decoy" && kind == told.kind,
            None => false,
        };
        if chosen {
            println!("{:6} {:12} {:?}", told.what, told.kind, around(&told));
        }
    });
    for (kind, count) in &score.kinds {
        print(kind, *count);
    }
    print("all", score.of(|_| true));
    let share = score.flagged * 100.0 / score.decoys.max(1.0);
    println!("decoys flagged: {} of {} ({share:.2} %)", score.flagged, score.decoys);
    Ok(())
}

#[expect(clippy::print_stdout, reason = "an example prints what it measures")]
fn print(name: &str, count: Count) {
    let Count { found, missed, wrong } = count;
    let (precision, recall, f1) = (count.precision(), count.recall(), count.f1());
    println!(
        "{name:20} P {precision:.4} R {recall:.4} F1 {f1:.4} found {found} missed {missed} wrong {wrong}"
    );
}

/// The value with some of what stands around it.
fn around(told: &Told<'_>) -> String {
    let bytes = told.text.as_bytes();
    let part = |from: usize, to: usize| String::from_utf8_lossy(&bytes[from..to.min(bytes.len())]);
    let (start, end) = (told.place.start, told.place.end);
    format!(
        "{}[{}]{}",
        part(start.saturating_sub(30), start),
        part(start, end),
        part(end, end + 12)
    )
}
