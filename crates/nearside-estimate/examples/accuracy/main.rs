//! Scores estimates against published and measured figures: one line per row, means, misses.
//!
//! `cargo run --release -p nearside-estimate --example accuracy -- --rows FILE.csv [--json]`
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "printing is what it is for")]

mod figure;
mod row;

use std::error::Error;
use std::path::PathBuf;

use nearside_catalog::Catalog;

use figure::figure;
use row::Row;

fn main() -> Result<(), Box<dyn Error>> {
    let mut files = Vec::new();
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--rows" => files.extend(words.next().map(PathBuf::from)),
            other => return Err(format!("unknown argument {other}").into()),
        }
    }
    let catalog = Catalog::builtin()?;
    let mut groups = std::collections::BTreeMap::<String, Vec<f64>>::new();
    for file in &files {
        let folder = file.parent().unwrap_or(std::path::Path::new("."));
        for row in Row::read(file)? {
            let scored = row
                .value()
                .and_then(|value| figure(&row, &catalog, folder).map(|estimate| (value, estimate)));
            match scored {
                Ok((value, estimate)) => {
                    let error = (estimate / value - 1.0) * 100.0;
                    println!("{error:+8.3} %  {:18} {}", row.cell("metric"), row.label());
                    groups.entry(row.cell("metric").to_owned()).or_default().push(error.abs());
                }
                Err(reason) => {
                    println!("not scored  {:18} {}: {reason}", row.cell("metric"), row.label())
                }
            }
        }
    }
    for (metric, errors) in groups {
        let mean = errors.iter().sum::<f64>() / errors.len() as f64;
        let worst = errors.iter().copied().fold(0.0, f64::max);
        println!("{metric}: {} rows, mean {mean:.3} %, worst {worst:.3} %", errors.len());
    }
    Ok(())
}
