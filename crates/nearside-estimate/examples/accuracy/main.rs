//! Scores estimates against published and measured figures.
//!
//! `cargo xtask accuracy [--rows FILE.csv]... [--json]`; without files, those of the project itself,
//! whose page is `docs/accuracy.md`.
#![allow(clippy::print_stdout, reason = "printing is what it is for")]

mod bounds;
mod estimator;
mod fit;
mod interval;
mod json;
mod memory;
mod page;
mod place;
mod published;
mod row;
mod score;
mod serving;
mod step;
mod subject;
mod traces;
mod words;

use std::error::Error;
use std::path::{Path, PathBuf};

use nearside_catalog::Catalog;

use row::Row;
use score::Scores;

/// The project's own rows, from its root on.
const OWN: [&str; 4] = [
    "crates/nearside-estimate/tests/data/published.csv",
    "crates/nearside-estimate/tests/data/trace_results.csv",
    "bench/accuracy/traces.csv",
    "bench/accuracy/gguf.csv",
];
/// Its page.
const PAGE: &str = "docs/accuracy.md";

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::read(std::env::args().skip(1))?;
    let rows = match arguments.files.is_empty() {
        true => own_rows()?,
        false => rows(&arguments.files)?,
    };
    let scores = Scores::of(rows, &Catalog::builtin()?);
    let command = arguments.command();
    match (arguments.form, arguments.files.is_empty()) {
        (Form::Json, _) => println!("{:#}", json::object(&scores)),
        (Form::Page, false) => print!("{}", page::page(&scores, &command)),
        (Form::Page, true) => {
            let page = page::page(&scores, &command);
            std::fs::write(root().join(PAGE), &page)?;
            let summary = page.split("## Where constants").next().unwrap_or(&page);
            println!("{}\n\nEvery row: {PAGE}", summary.trim_end());
        }
    }
    Ok(())
}

/// What is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// A page for people.
    Page,
    /// An object for programs.
    Json,
}

struct Arguments {
    files: Vec<PathBuf>,
    form: Form,
}

impl Arguments {
    fn read(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut arguments = Self { files: Vec::new(), form: Form::Page };
        while let Some(word) = words.next() {
            match word.as_str() {
                "--rows" => {
                    let file = words.next().ok_or("--rows needs a file")?;
                    arguments.files.push(file.into());
                }
                "--json" => arguments.form = Form::Json,
                other => return Err(format!("unknown argument {other}: use --rows FILE, --json")),
            }
        }
        Ok(arguments)
    }

    /// As one would type it.
    fn command(&self) -> String {
        let files = self.files.iter().filter_map(|file| file.file_name());
        let files: String =
            files.map(|file| format!(" --rows {}", file.to_string_lossy())).collect();
        format!("cargo xtask accuracy{files}")
    }
}

/// The root of the checkout.
fn root() -> &'static Path {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().and_then(Path::parent).unwrap_or(own)
}

/// The project's own rows; files that a checkout does not have are left out.
fn own_rows() -> Result<Vec<Row>, Box<dyn Error>> {
    let files: Vec<PathBuf> = OWN.iter().map(|file| root().join(file)).collect();
    rows(&files.into_iter().filter(|file| file.is_file()).collect::<Vec<_>>())
}

fn rows(files: &[PathBuf]) -> Result<Vec<Row>, Box<dyn Error>> {
    let rows: Result<Vec<_>, _> = files.iter().map(|file| Row::read(file)).collect();
    Ok(rows?.into_iter().flatten().collect())
}
