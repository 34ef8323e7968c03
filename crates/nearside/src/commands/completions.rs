//! `nearside completions SHELL`

use clap::CommandFactory as _;

use crate::cli::{Arguments, Completions};
use crate::error::CommandError;
use crate::output::{Outcome, Output};

pub(super) fn run(arguments: &Completions, output: &Output) -> Result<Outcome, CommandError> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Arguments::command(), "nearside", &mut script);
    output.text(&String::from_utf8_lossy(&script));
    Ok(Outcome::Done)
}
