//! `nearside logs`: what a stage printed, opened where it is sealed.

use std::io::Read as _;

use schemars::JsonSchema;
use serde::Serialize;

use crate::cli::Logs;
use crate::environment;
use crate::error::{CommandError, Fault};
use crate::output::{Answer, Form, Outcome, Output};
use crate::wire;
use crate::wire::jobs::failed;

/// The answer of `nearside logs`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct LogsAnswer {
    /// The stage.
    stage: String,
    /// What it printed last; what is no UTF-8 in it is replaced.
    text: String,
}

pub(super) fn run(arguments: &Logs, output: &Output) -> Result<Outcome, CommandError> {
    let loaded = wire::project::load(&arguments.path, &[])?;
    let runner = match arguments.rehearsal {
        true => wire::rehearsal::runner(&loaded)?,
        false => wire::jobs::runner(&loaded)?,
    };
    let place = runner.jobs.place(&arguments.stage);
    let place = place.ok_or_else(|| super::run::unknown(&arguments.stage, &runner))?;
    match runner.log(&runner.jobs.jobs[place]).map_err(failed)? {
        Some(mut log) if output.form != Form::Json => output.copy(&mut log).map(|()| Outcome::Done),
        Some(mut log) => {
            let mut bytes = Vec::new();
            log.read_to_end(&mut bytes).map_err(|error| {
                CommandError::new(Fault::World, format!("cannot read the log: {error}"))
            })?;
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let data = &LogsAnswer { stage: arguments.stage.clone(), text };
            let answer = Answer { schema: "nearside/logs/1", data, warnings: &[], sources: &[] };
            output.json(&answer, environment::today());
            Ok(Outcome::Done)
        }
        None => {
            let message = format!("nothing is kept of what \"{}\" printed", arguments.stage);
            Err(CommandError::new(Fault::Input, message).hint("nearside run"))
        }
    }
}
