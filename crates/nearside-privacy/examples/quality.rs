//! Scores the scanner on a labelled set: one JSON object a line with `text`, `spans` of `start`,
//! `end` and `type`, and `decoys`. Prints precision and recall per type, and what was missed.
//!
//! `cargo run --release -p nearside-privacy --example quality -- FILE [--misses TYPE]`

use std::collections::BTreeMap;
use std::num::NonZero;

use nearside_privacy::scan::{Options, scan};
use nearside_privacy::source::Form;

#[derive(Default)]
struct Count {
    found: u32,
    missed: u32,
    wrong: u32,
}

#[expect(clippy::print_stdout, reason = "an example prints what it measures")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("usage: quality FILE [--misses TYPE]")?;
    let misses = arguments.nth(1);
    let mut counts: BTreeMap<String, Count> = BTreeMap::new();
    let (mut decoys, mut flagged) = (0_u32, 0_u32);
    let mut kinds: BTreeMap<String, u32> = BTreeMap::new();
    let options = Options { threads: NonZero::<usize>::MIN, ..Options::default() };
    for line in std::fs::read_to_string(path)?.lines() {
        let document: serde_json::Value = serde_json::from_str(line)?;
        let text = document["text"].as_str().ok_or("a document without text")?;
        let form = match document["format"].as_str() {
            Some("csv") => Some(Form::Delimited),
            Some("json") => Some(Form::Json),
            _ => None,
        };
        let mut found = Vec::new();
        scan(form, &mut text.as_bytes(), options, &mut |finding| found.push(finding))?;
        let place = |value: &serde_json::Value| {
            (value["start"].as_u64().unwrap_or(0), value["end"].as_u64().unwrap_or(0))
        };
        let mut used = vec![false; found.len()];
        for span in document["spans"].as_array().into_iter().flatten() {
            let (start, end) = place(span);
            let entity = span["type"].as_str().unwrap_or("?");
            let same = found.iter().position(|finding| {
                finding.entity.name() == entity && finding.start == start && finding.end == end
            });
            let count = counts.entry(entity.to_owned()).or_default();
            match same {
                Some(index) => {
                    count.found += 1;
                    used[index] = true;
                }
                None => {
                    count.missed += 1;
                    if misses.as_deref() == Some(entity) {
                        println!("missed {:?}", around(text, start, end));
                    }
                }
            }
        }
        for (finding, used) in found.iter().zip(&used) {
            if !used {
                counts.entry(finding.entity.name().to_owned()).or_default().wrong += 1;
                if misses.as_deref() == Some(finding.entity.name()) {
                    println!(
                        "wrong  {:?} {} {}",
                        around(text, finding.start, finding.end),
                        finding.rule,
                        finding.score
                    );
                }
            }
        }
        for decoy in document["decoys"].as_array().into_iter().flatten() {
            let (start, end) = place(decoy);
            decoys += 1;
            if let Some(finding) =
                found.iter().find(|finding| finding.start < end && finding.end > start)
            {
                flagged += 1;
                *kinds.entry(format!("{} as {}", decoy["kind"], finding.entity)).or_default() += 1;
                if misses.as_deref() == Some("DECOYS") {
                    println!(
                        "decoy {} {:?} {} {}",
                        finding.entity,
                        around(text, start, end),
                        finding.rule,
                        finding.score
                    );
                }
            }
        }
    }
    let mut total = Count::default();
    for (entity, count) in &counts {
        print(entity, count);
        total.found += count.found;
        total.missed += count.missed;
        total.wrong += count.wrong;
    }
    print("all", &total);
    println!(
        "decoys flagged: {flagged} of {decoys} ({:.2} %) {kinds:?}",
        f64::from(flagged) * 100.0 / f64::from(decoys)
    );
    Ok(())
}

#[expect(clippy::print_stdout, reason = "an example prints what it measures")]
fn print(name: &str, count: &Count) {
    let found = f64::from(count.found);
    let precision = found / (found + f64::from(count.wrong)).max(1.0);
    let recall = found / (found + f64::from(count.missed)).max(1.0);
    println!(
        "{name:20} P {precision:.4} R {recall:.4} found {} missed {} wrong {}",
        count.found, count.missed, count.wrong
    );
}

fn around(text: &str, start: u64, end: u64) -> String {
    let bytes = text.as_bytes();
    let (start, end) = (start as usize, end as usize);
    let slice = |from: usize, to: usize| {
        String::from_utf8_lossy(&bytes[from..to.min(bytes.len())]).into_owned()
    };
    format!(
        "{}[{}]{}",
        slice(start.saturating_sub(30), start),
        slice(start, end),
        slice(end, end + 12)
    )
}
