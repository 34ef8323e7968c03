//! `nearside report --runbook`: what whoever takes over a project must know, from facts.

mod document;
mod environments;
mod faults;
mod machines;
mod maintenance;
mod stages;
mod view;

use std::collections::BTreeMap;
use std::path::Path;

use nearside_catalog::Catalog;
use nearside_ledger::{ProjectLedger, Recorded, RunRow};
use nearside_units::{Date, Known};

pub(crate) use view::RunbookAnswer;

use crate::cli::Report;
use crate::commands::plan::{PlanAnswer, solve};
use crate::environment;
use crate::error::{CommandError, Fault};
use crate::output::{Answer, Form, Outcome, Output};
use crate::wire;
use crate::wire::journal::failed;
use crate::wire::placement::{Caution, Posed, pose};
use crate::wire::project::Loaded;

/// What every part of the runbook is made from.
struct World<'a> {
    loaded: &'a Loaded,
    catalog: &'a Catalog,
    today: Date,
    /// What was posed and its plan; or why there is none.
    plan: Known<(Posed, PlanAnswer)>,
    /// What the ledger has, in the order of recording.
    runs: Vec<Recorded<RunRow>>,
}

pub(super) fn run(arguments: &Report, output: &Output) -> Result<Outcome, CommandError> {
    let [path] = arguments.paths.as_slice() else {
        return Err(CommandError::new(Fault::Usage, "a runbook is of one project")
            .hint("nearside report --runbook PROJECT"));
    };
    let loaded = wire::project::load(path, &[])?;
    let catalog = wire::catalog(output)?;
    let (plan, mut notes) = planned(&loaded, &catalog);
    let runs = runs(&loaded)?;
    let today = environment::today();
    let world = World { loaded: &loaded, catalog: &catalog, today, plan, runs };
    let answer = RunbookAnswer {
        project: loaded.project.name.clone(),
        written_on: today.to_string(),
        machines: machines::of(&world),
        environments: environments::of(&loaded, &mut notes),
        stages: stages::of(&world),
        no_plan: world.plan.why().map(str::to_owned),
        faults: faults::of(&world.runs),
        maintenance: maintenance::of(&world, &mut notes)?,
    };
    print(&answer, arguments.html.as_deref(), &notes, output)?;
    Ok(Outcome::Done)
}

/// The plan that holds; a runbook is wanted most where something does not work.
fn planned(loaded: &Loaded, catalog: &Catalog) -> (Known<(Posed, PlanAnswer)>, Vec<String>) {
    let why = |error: CommandError| {
        let first = error.problems.into_iter().next().map(|problem| problem.message);
        Known::unknown(first.unwrap_or_else(|| "nothing can be placed".to_owned()))
    };
    match pose(loaded, catalog, Caution::Likely, &BTreeMap::new()) {
        Err(error) => (why(error), Vec::new()),
        Ok(posed) => {
            let notes = posed.notes.clone();
            match solve(loaded, &posed, false) {
                Ok(answer) => (Known::Value((posed, answer)), notes),
                Err(error) => (why(error), notes),
            }
        }
    }
}

fn runs(loaded: &Loaded) -> Result<Vec<Recorded<RunRow>>, CommandError> {
    let file = wire::journal::file(&wire::jobs::record(loaded, false)?);
    let ledger = ProjectLedger::open_to_read(&file).map_err(|error| failed(&error))?;
    ledger.map_or_else(|| Ok(Vec::new()), |it| it.all().map_err(|error| failed(&error)))
}

fn print(
    answer: &RunbookAnswer,
    html: Option<&Path>,
    notes: &[String],
    output: &Output,
) -> Result<(), CommandError> {
    let page = document::of(answer);
    if let Some(file) = html {
        super::super::roi::write_page(file, &page.html(), output)?;
    }
    match (output.form, html) {
        (Form::Json, _) => output.json(
            &Answer { schema: "nearside/runbook/1", data: answer, warnings: notes, sources: &[] },
            environment::today(),
        ),
        (Form::Text, None) => output.text(&page.markdown()),
        (Form::Text, Some(_)) => {}
    }
    if output.form == Form::Text {
        notes.iter().for_each(|note| output.warning(note));
    }
    Ok(())
}
