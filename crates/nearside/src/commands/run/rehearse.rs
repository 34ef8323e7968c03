//! `nearside run --rehearse`: what is used instead of the real data and models, and the full run.

pub(super) mod text;
pub(super) mod view;

use std::collections::BTreeMap;

use nearside_run::{Runner, Taken};

use crate::commands::plan;
use crate::error::CommandError;
use crate::output::Output;
use crate::wire;
use crate::wire::measured::Correction;
use crate::wire::placement::{Caution, pose};
use crate::wire::project::Loaded;
use crate::wire::rehearsal::{Compared, compare, stand_in};
use view::{FullRunView, FullStageView, RehearsalView, SampleView, StandInView};

/// A runner of the rehearsal, and what it uses.
pub(super) fn set_up(
    loaded: &Loaded,
    records: u32,
    output: &Output,
) -> Result<(Runner, Option<RehearsalView>), CommandError> {
    let records = usize::try_from(records).unwrap_or(usize::MAX);
    let rehearsed = wire::rehearsal::set_up(loaded, records)?;
    let models = loaded.project.models.iter();
    for model in models.clone().filter(|model| model.rehearsal.is_none()) {
        let name = &model.name.value;
        output.warning(&format!("model {name} has no rehearsal model: it is used as it is"));
    }
    let models = models.map(|model| StandInView {
        model: model.name.value.clone(),
        full: model.source.value.clone(),
        rehearsal: stand_in(model).value.clone(),
    });
    let sample = |(dataset, taken): (String, Option<Taken>)| {
        let (taken, count, of) = match taken {
            None => ("missing", None, None),
            Some(Taken::Whole) => ("whole", None, None),
            Some(Taken::Records(count)) => ("records", Some(count), None),
            Some(Taken::Files(count, of)) => ("files", Some(count), Some(of)),
        };
        SampleView { dataset, taken, count, of }
    };
    let rehearsal = RehearsalView {
        samples: rehearsed.samples.into_iter().map(sample).collect(),
        models: models.collect(),
        full_run: None,
    };
    Ok((rehearsed.runner, Some(rehearsal)))
}

/// The plan of the full run, with estimates corrected by what the rehearsal measured.
pub(super) fn full_run(
    loaded: &Loaded,
    runner: &Runner,
    output: &Output,
) -> Result<FullRunView, CommandError> {
    let catalog = wire::catalog(output)?;
    let compared = compare(loaded, &catalog, runner)?;
    let correction = |(stage, compared): &(String, Compared)| match compared {
        Compared::Times { measured, estimated } => {
            let runs = [(*measured, *estimated)];
            Some((stage.clone(), Correction::of(&runs, "a rehearsal here", None)?))
        }
        Compared::Not(_) => None,
    };
    let corrections: BTreeMap<_, _> = compared.iter().filter_map(correction).collect();
    let posed = pose(loaded, &catalog, Caution::Likely, &corrections)?;
    let answer = plan::solve(loaded, &posed, false)?;
    let stage = |planned: &plan::StageView| {
        let found = compared.iter().find(|(stage, _)| *stage == planned.stage);
        let not_corrected = match found {
            Some((_, Compared::Times { .. })) => None,
            Some((_, Compared::Not(why))) => Some(why.clone()),
            None => Some("it has no command".to_owned()),
        };
        FullStageView {
            stage: planned.stage.clone(),
            site: planned.site.clone(),
            pass_hours: planned.pass_hours.clone(),
            cost_per_month: planned.cost_per_month.clone(),
            corrected_by: corrections.get(&planned.stage).map(|found| found.times.likely()),
            not_corrected,
        }
    };
    Ok(FullRunView {
        stages: answer.stages.iter().map(stage).collect(),
        currency: answer.currency,
        totals: answer.totals,
    })
}
