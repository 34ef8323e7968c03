//! `nearside privacy release`: answers about a dataset that tell little of any one person, as long as its budget lasts.

mod ledger;
mod question;
mod text;
mod view;

use std::path::Path;

use nearside_privacy::listing;
use nearside_privacy::release::{Budget, Left, Plan, Reading, ReleaseError, Released, Source};
use nearside_workload::{Dataset, PrivacyBudget};

pub(crate) use view::ReleaseAnswer;

use super::table::{Table, failed};
use crate::cli::{Question, Release};
use crate::environment;
use crate::error::{CommandError, Fault};
use crate::output::document::Document;
use crate::output::{Answer, Form, Outcome, Output};
use crate::wire;
use crate::wire::audit::Audit;
use ledger::{Spending, Wanted};
use question::{Asked, privacy, query, refused};
use view::{AnswerView, BudgetView, Decision};

pub(super) fn run(arguments: &Release, output: &Output) -> Result<Outcome, CommandError> {
    let of = &arguments.of_project;
    let loaded = wire::project::load(&of.project, &[])?;
    let (dataset, stated) = stated(&loaded, &arguments.dataset)?;
    let budget = match stated.delta > 0.0 {
        true => Budget::approximate(stated.epsilon, stated.delta),
        false => Budget::pure(stated.epsilon),
    };
    let budget = budget.map_err(|error| refused(&error))?;
    let record = wire::jobs::record(&loaded, of.rehearsal)?;
    let spending = Spending::of(&record, &arguments.dataset, budget);
    let past = spending.past()?;
    let view = |left: Option<Left>| BudgetView::of(stated, &budget, left);
    let Some(question) = arguments.question else {
        let answer =
            ReleaseAnswer::about(&arguments.dataset, view(spending.left(&past, None).ok()))
                .with_past(&past);
        tell(&answer, output);
        return Ok(Outcome::Done);
    };
    let (query, privacy) = (query(arguments, question)?, privacy(arguments)?);
    let file = wire::jobs::folder(&loaded)?.join(&dataset.path);
    let table = Table::open(&file, &environment::temporary_folder())?;
    let reading = Reading {
        dialect: table.dialect,
        contributions: stated.rows_per_person,
        person: stated.person.clone(),
    };
    let plan = Plan::new(&query, &reading, privacy).map_err(|error| refused(&error))?;
    if arguments.dry_run {
        let left = spending.left(&past, Some(privacy)).ok();
        let answer = ReleaseAnswer::about(&arguments.dataset, view(left))
            .decided(Decision::Planned, privacy)
            .with_noise(&plan.noises());
        tell(&answer, output);
        return Ok(if left.is_some() { Outcome::Done } else { Outcome::Negative });
    }
    // What is refused anyway needs no reading; what is answered is shown only once it is written down.
    let released = match spending.left(&past, Some(privacy)) {
        Ok(_) => Some(answered(&plan, &table)?),
        Err(_) => None,
    };
    let asked = Asked::of(arguments, question);
    let wanted = Wanted {
        blake3: listing::digests(&file)
            .map(|digests| digests.blake3.to_string())
            .map_err(|error| CommandError::new(Fault::World, error.to_string()))?,
        query_json: serde_json::to_string(&asked)
            .map_err(|error| CommandError::new(Fault::Bug, error.to_string()))?,
        privacy: &privacy,
    };
    let decided = spending.decide(&wanted)?;
    Audit::of(&loaded, of.rehearsal)?.sign()?;
    let about = |left| ReleaseAnswer::about(&arguments.dataset, view(left));
    match (decided, released) {
        (Ok(left), Some(released)) => {
            let answer = about(Some(left))
                .decided(Decision::Released, privacy)
                .with_noise(&plan.noises())
                .with_answer(AnswerView::of(&released.answer));
            write(arguments, &released, question, output)?;
            tell(&answer, output);
            Ok(Outcome::Done)
        }
        (decided, _) => {
            let left = spending.left(&spending.past()?, None).ok();
            let answer = about(left).decided(Decision::Refused, privacy);
            tell(&answer, output);
            if let Err(exceeded) = decided {
                output.warning(&format!("refused: {exceeded}"));
            }
            Ok(Outcome::Negative)
        }
    }
}

/// A dataset and what the project says may be spent of it.
fn stated<'a>(
    loaded: &'a wire::project::Loaded,
    name: &str,
) -> Result<(&'a Dataset, &'a PrivacyBudget), CommandError> {
    let dataset =
        loaded.project.dataset(name).ok_or_else(|| super::erase::unknown(loaded, name))?;
    let budget = dataset.budget.as_ref().ok_or_else(|| {
        let message = format!("dataset \"{name}\" has no budget, so nothing is released from it");
        let error = CommandError::new(Fault::Input, message)
            .hint(format!("in [dataset.{name}]: budget = {{ epsilon = 1.0 }}"));
        loaded.at(&dataset.name.span, error)
    })?;
    Ok((dataset, budget))
}

fn answered(plan: &Plan<'_>, table: &Table) -> Result<Released, CommandError> {
    plan.answer(table.reader()?, &mut Source::system()).map_err(|error| match error {
        ReleaseError::Table(error) => failed(error),
        ReleaseError::Random(_) => CommandError::new(Fault::World, error.to_string()),
        error => refused(&error),
    })
}

/// Writes counts or synthetic rows where they are asked for; synthetic rows go to stdout else, where that is free.
fn write(
    arguments: &Release,
    released: &Released,
    question: Question,
    output: &Output,
) -> Result<(), CommandError> {
    let csv = view::csv(&released.answer)
        .map_err(|error| CommandError::new(Fault::Bug, error.to_string()))?;
    let Some(csv) = csv else { return Ok(()) };
    match arguments.output.as_deref().filter(|file| *file != Path::new("-")) {
        Some(file) => {
            let mut document = Document::new(file)?;
            document.add(|to| to.write_all(&csv))?;
            document.finish(output)
        }
        None if question == Question::Synthetic && output.form != Form::Json => {
            output.copy(&mut csv.as_slice())
        }
        None => Ok(()),
    }
}

fn tell(answer: &ReleaseAnswer, output: &Output) {
    if output.form == Form::Json {
        let schema = "nearside/privacy-release/1";
        let answer = Answer { schema, data: answer, warnings: &[], sources: &[] };
        return output.json(&answer, environment::today());
    }
    match answer.is_rows() {
        // Rows are on stdout, or in a file.
        true => output.hint(&text::of(answer)),
        false => output.text(&text::of(answer)),
    }
}
