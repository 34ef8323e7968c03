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

fn main() -> ExitCode {
    // Between a run and the command of a stage: not a command of people, so not on the command line.
    let mut own = std::env::args_os().skip(1);
    if own.next().is_some_and(|first| first == nearside_run::guard::ARGUMENT) {
        return ExitCode::from(nearside_run::guard::run(&own.next().unwrap_or_default()));
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
