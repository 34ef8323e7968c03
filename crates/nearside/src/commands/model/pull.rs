//! `nearside model pull`: a model from the hub, or what is missing of it.

mod answer;
mod meter;

use std::ops::ControlFlow;
use std::sync::atomic::Ordering;

use nearside_models::hub::{HubError, ModelReference, Pull, Pulled, Revision, plan};

use crate::cli::ModelPull;
use crate::environment;
use crate::error::CommandError;
use crate::output::{Answer, Form, Outcome, Output};
use crate::wire;
pub(crate) use answer::PullAnswer;
use meter::Meter;

pub(super) fn run(arguments: &ModelPull, output: &Output) -> Result<Outcome, CommandError> {
    let (cache, endpoint) = (wire::hub::cache()?, wire::hub::endpoint()?);
    let told = |error: HubError| wire::hub_fault::told(&error, &endpoint);
    let reference = reference(arguments).map_err(told)?;
    if !endpoint.is_offline() {
        output.progress(&format!("asking for the files of {reference}"));
    }
    let pull = plan(&reference, &cache, &endpoint).map_err(told)?;
    if arguments.dry_run {
        print(&PullAnswer::planned(&pull), output);
        return Ok(Outcome::Done);
    }
    let interrupted = environment::interrupted_once();
    let mut meter = Meter::new(output);
    let pulled = pull.carry_out(&cache, &endpoint, &mut |progress| {
        meter.tell(&progress);
        match interrupted.load(Ordering::Relaxed) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    });
    output.erase();
    match pulled {
        Ok(pulled) => finish(&pull, &pulled, output),
        Err(HubError::Interrupted) => {
            let hint = format!("nearside model pull {reference} goes on from there");
            output.none("interrupted; what came is kept", &hint, environment::today());
            return Ok(Outcome::Partly);
        }
        Err(error) => return Err(told(error)),
    }
    Ok(Outcome::Done)
}

/// What is asked for. A revision that is stated twice is that of the option.
fn reference(arguments: &ModelPull) -> Result<ModelReference, HubError> {
    let reference: ModelReference = arguments.reference.parse()?;
    let Some(revision) = &arguments.revision else { return Ok(reference) };
    let revision: Revision = revision.parse().map_err(HubError::from)?;
    Ok(reference.at(revision))
}

fn finish(pull: &Pull, pulled: &Pulled, output: &Output) {
    let answer = PullAnswer::done(pull, pulled);
    print(&answer, output);
    if output.form == Form::Text {
        output.hint(&answer.next());
    }
}

fn print(answer: &PullAnswer, output: &Output) {
    match output.form {
        Form::Text => output.text(&answer.text()),
        Form::Json => {
            let answer = Answer {
                schema: "nearside/model-pull/1",
                data: answer,
                warnings: &[],
                sources: &[],
            };
            output.json(&answer, environment::today());
        }
    }
}
