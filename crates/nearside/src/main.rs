//! `nearside`: develop near, deploy far. Reads the command line, runs one command, exits.

mod cli;
mod commands;
mod environment;
mod error;
mod output;
mod redact;
mod server;
mod view;
mod wire;

use std::process::ExitCode;

use clap::Parser as _;
use nearside_probe::self_test;
use nearside_run::{guard, sandbox};

fn main() -> ExitCode {
    if let Some(code) = inner() {
        return ExitCode::from(code);
    }
    let arguments = cli::Arguments::parse();
    let output = output::Output::new(&arguments.shared);
    match commands::run(arguments.command, &output) {
        Ok(_) if output.is_lost() => ExitCode::from(error::Fault::World as u8),
        Ok(outcome) => outcome.exit_code(),
        Err(error) => {
            let code = error.exit_code();
            output.error(&error);
            code
        }
    }
}

/// What this program starts itself as: no commands of people, so not on the command line.
fn inner() -> Option<u8> {
    let mut own = std::env::args_os().skip(1);
    match own.next()? {
        first if first == guard::ARGUMENT => Some(guard::run(own)),
        first if first == sandbox::ARGUMENT => Some(sandbox::run(own)),
        first if first == self_test::ARGUMENT => {
            let words = own.filter_map(|word| word.into_string().ok());
            Some(self_test::work(&words.collect::<Vec<_>>()))
        }
        _ => None,
    }
}
