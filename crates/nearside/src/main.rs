//! `nearside`: develop near, deploy far. Reads the command line, runs one command, exits.

mod cli;
mod commands;
mod environment;
mod error;
mod output;
mod view;
mod wire;

use std::process::ExitCode;

use clap::Parser as _;
use nearside_run::{guard, sandbox};

fn main() -> ExitCode {
    // Between a run and the command of a stage: not commands of people, so not on the command line.
    let mut own = std::env::args_os().skip(1);
    match own.next() {
        Some(first) if first == guard::ARGUMENT => return ExitCode::from(guard::run(own)),
        Some(first) if first == sandbox::ARGUMENT => return ExitCode::from(sandbox::run(own)),
        _ => {}
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
