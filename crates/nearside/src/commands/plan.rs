//! `nearside plan`: where every stage runs, why, and what the runner-up would cost.

mod alternatives;
mod record;
mod solved;
mod text;
mod view;

use std::collections::BTreeMap;

use nearside_plan::{Objective, Outcome as Planned, ProblemError, pareto, place};

use crate::cli::Plan;
use crate::environment;
use crate::error::{CommandError, Fault};
use crate::output::{Answer, Form, Outcome, Output};
use crate::wire;
use crate::wire::placement::{Caution, Posed, pose};
use crate::wire::project::Loaded;

pub(super) use record::record;
pub(super) use text::{Legend, money_range, times, totals_text};
pub(crate) use view::{PlanAnswer, StageView, TotalsView};

pub(super) fn run(arguments: &Plan, output: &Output) -> Result<Outcome, CommandError> {
    let catalog = wire::catalog(output)?;
    let caution = if arguments.cautious { Caution::High } else { Caution::Likely };
    let planned = |changes: &[String]| {
        let loaded = wire::project::load(&arguments.path, changes)?;
        let posed = pose(&loaded, &catalog, caution, &BTreeMap::new())?;
        solve(&loaded, &posed, arguments.pareto).map(|answer| (answer, loaded, posed))
    };
    let (mut answer, loaded, posed) = planned(&[])?;
    if let Some(stage) = &arguments.stage
        && loaded.project.stage(stage).is_none()
    {
        let names: Vec<_> =
            loaded.project.stages.iter().map(|stage| stage.name.value.as_str()).collect();
        return Err(CommandError::new(Fault::Usage, format!("there is no stage \"{stage}\""))
            .hint(format!("the stages are {}", names.join(", "))));
    }
    if !arguments.what_if.is_empty() {
        let (changed, _, _) = planned(&arguments.what_if)?;
        answer.what_if = Some(view::WhatIf::between(&arguments.what_if, &answer, changed));
    }
    let outcome = if answer.is_feasible() { Outcome::Done } else { Outcome::Negative };
    print(&answer, &posed, arguments, output);
    Ok(outcome)
}

/// The best plan of what was posed, with all that nothing beats if asked for.
pub(super) fn solve(
    loaded: &Loaded,
    posed: &Posed,
    with_front: bool,
) -> Result<PlanAnswer, CommandError> {
    let bug = |error: ProblemError| match error {
        ProblemError::Overflow { .. } => CommandError::new(Fault::Input, error.to_string())
            .hint("a size, price or number of repeats is beyond anything real"),
        _ => CommandError::new(Fault::Bug, error.to_string()),
    };
    let mut answer = match place(&posed.problem).map_err(bug)? {
        Planned::Placed(plan) => solved::placed(loaded, posed, &plan),
        Planned::Infeasible(infeasible) => solved::infeasible(loaded, posed, &infeasible),
    };
    if with_front && answer.is_feasible() {
        let axes = [Objective::Cost, Objective::Time, Objective::Carbon];
        let front = pareto(&posed.problem, &axes).map_err(bug)?;
        answer.front = Some(solved::front(posed, &front));
    }
    Ok(answer)
}

fn print(answer: &PlanAnswer, posed: &Posed, arguments: &Plan, output: &Output) {
    if output.form == Form::Json {
        let sources = answer.sources();
        let answer = Answer {
            schema: "nearside/plan/1",
            data: answer,
            warnings: &posed.notes,
            sources: &sources,
        };
        return output.json(&answer, environment::today());
    }
    output.text(&text::of(answer, arguments, output.detail));
    for note in &posed.notes {
        output.warning(note);
    }
    for hint in text::hints(answer, arguments) {
        output.hint(&hint);
    }
}
