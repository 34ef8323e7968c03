//! `nearside run --shell STAGE`: what a stage finds, for a person to look around in.

use nearside_run::{Reach, Runner, sandbox};

use crate::environment;
use crate::error::CommandError;
use crate::output::{Outcome, Output};
use crate::wire::jobs::failed;

pub(super) fn open(runner: &Runner, stage: &str, output: &Output) -> Result<Outcome, CommandError> {
    let place = runner.jobs.place(stage).ok_or_else(|| super::unknown(stage, runner))?;
    let job = &runner.jobs.jobs[place];
    if let Some(trial) = job.trials.first() {
        output.hint(&format!("the stage runs: {}", trial.command));
    }
    match runner.reach(job).map_err(failed)? {
        Reach::Open => {}
        Reach::Cut => output.hint("there is no network here, as the stage has none"),
        Reach::NotCut(why) => {
            output.warning(&format!("the network is NOT cut: {why}; {}", sandbox::remedy()));
        }
    }
    output.hint("leave with `exit`; what is written to the stage's outputs here is thrown away");
    let code = runner.shell(job, &environment::shell()).map_err(failed)?;
    Ok(if code == 0 { Outcome::Done } else { Outcome::Code(code) })
}
