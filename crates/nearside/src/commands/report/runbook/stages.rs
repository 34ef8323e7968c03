//! Stages of a runbook: how each is run, where, and what it needs.

use nearside_ledger::Outcome;
use nearside_units::Known;
use nearside_workload::{Input, Stage};

use super::World;
use super::faults::day;
use super::view::StageView;
use crate::commands::plan::StageView as Placed;
use crate::view::Figure;

pub(super) fn of(world: &World<'_>) -> Vec<StageView> {
    let project = &world.loaded.project;
    project.graph.order.iter().map(|index| stage(world, &project.stages[*index])).collect()
}

fn stage(world: &World<'_>, stage: &Stage) -> StageView {
    let name = &stage.name.value;
    let placed: Known<&Placed> = world.plan.as_ref().and_then(|(_, plan)| {
        let found = plan.stages.iter().find(|placed| placed.stage == *name);
        Known::from_option(found, "no plan keeps to the limits")
    });
    let input = |input: &Input| match input {
        Input::Dataset(name) => format!("dataset {name}"),
        Input::Output { stage, path, .. } => format!("{path} of {stage}"),
    };
    let well = world.runs.iter().rev().map(|run| &run.row);
    let mut well = well.filter(|row| row.stage == *name && row.outcome == Outcome::Ran);
    StageView {
        stage: name.clone(),
        phase: stage.phase.to_string(),
        site: Figure::of(&placed, |placed| placed.site.clone()),
        command: stage.trials.first().and_then(|trial| trial.run.clone()),
        inputs: stage.inputs.iter().flatten().map(input).collect(),
        outputs: stage.outputs.iter().map(|output| output.path.clone()).collect(),
        reads: stage.reads.to_string(),
        runs_per_month: stage.repeat.per_month(),
        needs: Figure::of(&placed, |placed| placed.fit.clone()),
        hours: match placed {
            Known::Value(placed) => placed.pass_hours.clone(),
            Known::Unknown(why) => Figure::Unknown { unknown: why.to_string() },
        },
        last_ended_well: well.next().map(|row| day(row.began)),
    }
}
