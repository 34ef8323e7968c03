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
