//! One file per verb.

pub(crate) mod bill;
pub(crate) mod cache;
pub(crate) mod carbon;
pub(crate) mod catalog;
mod completions;
pub(crate) mod config;
pub(crate) mod doctor;
pub(crate) mod fit;
mod init;
pub(crate) mod iteration;
pub(crate) mod ledger;
mod logs;
pub(crate) mod model;
pub(crate) mod plan;
pub(crate) mod privacy;
pub(crate) mod profile;
pub(crate) mod report;
pub(crate) mod resilience;
pub(crate) mod roi;
pub(crate) mod run;
pub(crate) mod spec;
pub(crate) mod why;

use crate::cli::Command;
use crate::error::CommandError;
use crate::output::{Outcome, Output};

/// Runs a command.
pub(crate) fn run(command: Command, output: &Output) -> Result<Outcome, CommandError> {
    match command {
        Command::Init(arguments) => init::run(&arguments, output),
        Command::Doctor(arguments) => doctor::run(&arguments, output),
        Command::Fit(arguments) => fit::run(&arguments, output),
        Command::Spec(arguments) => spec::run(&arguments, output),
        Command::Plan(arguments) => plan::run(&arguments, output),
        Command::Profile(arguments) => profile::run(&arguments, output),
        Command::Run(arguments) => run::run(&arguments, output),
        Command::Why(arguments) => why::run(&arguments, output),
        Command::Iteration(arguments) => iteration::run(&arguments, output),
        Command::Roi(arguments) => roi::run(&arguments, output),
        Command::Report(arguments) => report::run(&arguments, output),
        Command::Resilience(arguments) => resilience::run(&arguments, output),
        Command::Carbon(arguments) => carbon::run(&arguments, output),
        Command::Bill(arguments) => bill::run(&arguments, output),
        Command::Logs(arguments) => logs::run(&arguments, output),
        Command::Privacy(arguments) => privacy::run(&arguments, output),
        Command::Ledger(arguments) => ledger::run(&arguments, output),
        Command::Cache(arguments) => cache::run(&arguments, output),
        Command::Model(arguments) => model::run(&arguments, output),
        Command::Catalog(arguments) => catalog::run(&arguments, output),
        Command::Config(arguments) => config::run(&arguments, output),
        Command::Completions(arguments) => completions::run(&arguments, output),
    }
}
