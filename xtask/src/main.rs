//! The project's own automation, run as `cargo xtask COMMAND`: check, set up, regenerate, measure.
//!
//! It needs Rust and a C compiler and no crate, so that it builds in a second.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "talking to the developer at the terminal is what this program is for"
)]

mod accuracy;
mod bench;
mod check;
mod parity;
mod schemas;
mod setup;
mod shell;
#[cfg(test)]
mod tidy;

use std::process::ExitCode;

const HELP: &str = "\
cargo xtask COMMAND

  check            format, lint, test, document: everything that must hold before a change lands
  setup [--bench]  list and install what the tests need; with --bench, the peers to compare with
  schemas          write the JSON schemas under schemas/ anew
  parity           write what tests hold ours to anew, with the programs that compute it
  bench [NAME]     list the benchmarks, or run one
  accuracy [--rows FILE] [--json]
                   compare estimates with published and measured figures; write docs/accuracy.md
  help             this text";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["check"] => check::check(),
        ["setup"] => setup::setup(setup::Scope::Tests),
        ["setup", "--bench"] => setup::setup(setup::Scope::Benchmarks),
        ["schemas"] => schemas::write(),
        ["parity"] => parity::write(),
        ["bench"] => bench::list(),
        ["bench", name, arguments @ ..] => bench::run(name, arguments),
        ["accuracy", arguments @ ..] => accuracy::accuracy(arguments),
        [] | ["help" | "--help" | "-h", ..] => {
            println!("{HELP}");
            return ExitCode::SUCCESS;
        }
        unknown => {
            eprintln!("error: no such command: {}\n\n{HELP}", unknown.join(" "));
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
