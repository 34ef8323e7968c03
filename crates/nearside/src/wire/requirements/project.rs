//! What the stages of projects ask of a machine that they share.

use nearside_catalog::Catalog;
use nearside_economics::requirements::Work;
use nearside_estimate::ladder;
use nearside_units::{Bytes, Duration, Known};
use nearside_workload::{HERE, Stage, Task};

use super::{Terms, Wanted, question};
use crate::error::{CommandError, Fault};
use crate::wire::placement::{dataset_size, output_size};
use crate::wire::project::Loaded;
use crate::wire::stages::{models_of, workloads};

/// What one project adds.
struct Asked {
    works: Vec<Work>,
    kept: Bytes,
    people: u64,
}

/// What projects ask of a machine that they share, in the currency of the first; the strictest deadline
/// holds for all of them.
pub(crate) fn of_projects(
    projects: &[Loaded],
    terms: &Terms,
    catalog: &Catalog,
) -> Result<Wanted, CommandError> {
    let Some(first) = projects.first() else {
        return Err(CommandError::new(Fault::Usage, "no project is named"));
    };
    let mut notes = Vec::new();
    let mut works = Vec::new();
    let (mut kept, mut people) = (Bytes::ZERO, 0);
    for loaded in projects {
        let prefix = (projects.len() > 1).then_some(loaded.project.name.as_str());
        let asked = asked(loaded, prefix, terms, catalog, &mut notes)?;
        works.extend(asked.works);
        kept = kept.checked_add(asked.kept).unwrap_or(kept);
        people += asked.people;
    }
    if works.is_empty() {
        return Err(CommandError::new(Fault::Input, "no stage says what it computes")
            .hint("give stages a workload, as in workload = { task = \"lora\", ... }"));
    }
    let deadlines = projects.iter().filter_map(|loaded| loaded.project.objective.deadline);
    let deadline = deadlines.reduce(|one, other| if other < one { other } else { one });
    let names: Vec<_> = projects.iter().map(|loaded| loaded.project.name.as_str()).collect();
    Ok(Wanted {
        name: names.join(" and "),
        question: question(works, kept, deadline, terms.hours),
        rates: first.project.money.exchange.clone(),
        notes,
        assumed: None,
        people: terms.team.unwrap_or(people),
    })
}

fn asked(
    loaded: &Loaded,
    prefix: Option<&str>,
    terms: &Terms,
    catalog: &Catalog,
    notes: &mut Vec<String>,
) -> Result<Asked, CommandError> {
    let project = &loaded.project;
    let models = models_of(loaded, catalog)?;
    let people = terms.team.unwrap_or(project.team.people);
    let more = people as f64 / project.team.people.max(1) as f64;
    let mut works = Vec::new();
    let mut kept = Bytes::ZERO;
    for stage in &project.stages {
        let name = prefix
            .map_or(stage.name.value.clone(), |prefix| format!("{prefix}/{}", stage.name.value));
        let known = workloads(stage, &models);
        if elsewhere(stage) {
            notes.push(format!("{name} is left out: it is bound to other sites"));
            continue;
        }
        for output in &stage.outputs {
            let size = output_size(stage, &output.path, &known, notes);
            kept = kept.checked_add(size).unwrap_or(kept);
        }
        match known {
            Known::Unknown(why) => notes.push(format!("{name} is left out: {why}")),
            Known::Value(workloads) => {
                for (workload, trials) in workloads {
                    // Who uses a service is not the team.
                    let (monthly, up) = match &workload.task {
                        Task::Inference(serving) => (1.0, Duration::hours(serving.hours)),
                        _ => (stage.repeat.per_month() * f64::from(trials) * more, Duration::ZERO),
                    };
                    works.push(Work {
                        stage: name.as_str().into(),
                        rungs: ladder(&workload, terms.accepted),
                        monthly,
                        up,
                        pass: f64::from(trials),
                        slowest: None,
                    });
                }
            }
        }
    }
    for dataset in 0..project.datasets.len() {
        match dataset_size(loaded, dataset) {
            Ok(size) => kept = kept.checked_add(size).unwrap_or(kept),
            Err(error) => notes.extend(
                error
                    .problems
                    .iter()
                    .map(|problem| format!("not counted in the disk: {}", problem.message)),
            ),
        }
    }
    for (name, model) in &models {
        match crate::wire::models::weights(model) {
            Some(bytes) => kept = kept.checked_add(bytes).unwrap_or(kept),
            None => notes.push(format!("not counted in the disk: how large model {name} is")),
        }
    }
    Ok(Asked { works, kept, people })
}

/// Whether a stage is bound to sites that are not this one.
fn elsewhere(stage: &Stage) -> bool {
    let here = |patterns: &Vec<_>| {
        patterns.iter().any(|pattern: &nearside_workload::SitePattern| pattern.matches(HERE))
    };
    stage.sites.as_ref().is_some_and(|patterns| !here(patterns))
}
