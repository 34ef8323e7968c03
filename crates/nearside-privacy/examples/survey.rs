//! What the scanner finds in real folders: counts by rule, and samples to judge by eye.
//!
//! `cargo run --release -p nearside-privacy --example survey -- FOLDER... [--rule NAME] [--samples N]`

use std::collections::BTreeMap;
use std::fs;
use std::num::NonZero;
use std::path::{Path, PathBuf};

use nearside_privacy::scan::{Finding, Options, scan};
use nearside_privacy::source::Form;

/// Findings of a rule: how many, and some of them with what stands around.
#[derive(Default)]
struct Told {
    count: usize,
    samples: Vec<String>,
}

#[expect(clippy::print_stdout, reason = "an example prints what it measures")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let value = |flag: &str| {
        let at = arguments.iter().position(|argument| argument == flag)?;
        arguments.get(at + 1).cloned()
    };
    let most: usize = value("--samples").and_then(|text| text.parse().ok()).unwrap_or(0);
    let rule = value("--rule");
    let mut rules: BTreeMap<&'static str, Told> = BTreeMap::new();
    let (mut files, mut bytes) = (0, 0);
    for folder in arguments.iter().take_while(|argument| !argument.starts_with("--")) {
        for path in files_below(Path::new(folder)) {
            let text = fs::read(&path)?;
            if text.iter().take(4096).any(|byte| *byte == 0) {
                continue;
            }
            files += 1;
            bytes += text.len();
            look(&path, &text, &mut |finding| {
                let told = rules.entry(finding.rule).or_default();
                told.count += 1;
                let chosen = rule.as_ref().is_none_or(|rule| rule == finding.rule);
                // Spread over the files: every sample is of another one.
                if chosen {
                    told.samples.push(format!("{}: {}", path.display(), around(&text, &finding)));
                }
            });
        }
    }
    println!("{files} files, {:.1} MB", bytes as f64 / 1e6);
    for (rule, Told { count, samples }) in rules {
        println!("{rule:24} {count}");
        let step = samples.len().div_ceil(most.max(1)).max(1);
        for sample in samples.iter().step_by(step).take(most) {
            println!("    {sample}");
        }
    }
    Ok(())
}

fn look(path: &Path, text: &[u8], tell: &mut dyn FnMut(Finding)) {
    let form = match path.extension().and_then(|extension| extension.to_str()) {
        Some("csv" | "tsv") => Some(Form::Delimited),
        Some("json") => Some(Form::Json),
        _ => None,
    };
    let options = Options { threads: NonZero::<usize>::MIN, ..Options::default() };
    scan(form, &mut &*text, options, tell).expect("a text in memory");
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let (mut folders, mut files) = (vec![folder.to_owned()], Vec::new());
    while let Some(folder) = folders.pop() {
        let mut entries: Vec<_> = fs::read_dir(&folder).into_iter().flatten().flatten().collect();
        entries.sort_by_key(fs::DirEntry::path);
        for entry in entries {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                Ok(kind) if kind.is_file() => files.push(entry.path()),
                _ => {}
            }
        }
    }
    files
}

/// The value with some of what stands around it, on one line.
fn around(text: &[u8], finding: &Finding) -> String {
    let part = |from: usize, to: usize| {
        let bytes = text.get(from..to.min(text.len())).unwrap_or(&[]);
        String::from_utf8_lossy(bytes).escape_debug().to_string()
    };
    let (start, end) = (finding.start as usize, finding.end as usize);
    let (entity, score) = (finding.entity, finding.score);
    let (before, value) = (part(start.saturating_sub(40), start), part(start, end.min(start + 80)));
    format!("{entity} {score} {before}[{value}]{}", part(end, end + 24))
}
