//! `nearside privacy release`: answers about a dataset that tell little of any one person, as long as its budget lasts.

mod ledger;
mod question;
mod text;
mod view;

use std::path::{Path, PathBuf};

use nearside_privacy::listing;
use nearside_privacy::release::{
    Budget, Exceeded, Left, Plan, Privacy, Reading, ReleaseError, Released, Source,
};
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
use crate::wire::project::Loaded;
use ledger::{Spending, Wanted};
use question::{Asked, privacy, query, refused};
use view::{AnswerView, BudgetView, Decision};

pub(super) fn run(arguments: &Release, output: &Output) -> Result<Outcome, CommandError> {
    let loaded = wire::project::load(&arguments.project, &[])?;
    let releasing = Releasing::of(arguments, &loaded)?;
    match arguments.question {
        Some(question) => releasing.ask(question, output),
        None => {
            let past = releasing.spending.past()?;
            let answer = releasing.about(releasing.spending.left(&past, None).ok());
            tell(&answer.with_past(&past), output);
            Ok(Outcome::Done)
        }
    }
}

/// A dataset that is released from.
struct Releasing<'a> {
    arguments: &'a Release,
    loaded: &'a Loaded,
    file: PathBuf,
    stated: &'a PrivacyBudget,
    budget: Budget,
    spending: Spending,
}

impl<'a> Releasing<'a> {
    fn of(arguments: &'a Release, loaded: &'a Loaded) -> Result<Self, CommandError> {
        let (dataset, stated) = stated(loaded, &arguments.dataset)?;
        let budget = match stated.delta > 0.0 {
            true => Budget::approximate(stated.epsilon, stated.delta),
            false => Budget::pure(stated.epsilon),
        };
        let budget = budget.map_err(|error| refused(&error))?;
        let file = wire::jobs::folder(loaded)?.join(&dataset.path);
        if file.is_dir() {
            let message = format!("{} is a folder: answers are about one table", file.display());
            return Err(CommandError::new(Fault::Input, message));
        }
        let digests = listing::digests(&file)
            .map_err(|error| CommandError::new(Fault::Input, error.to_string()))?;
        // A rehearsal has a record of its own, but people are the same.
        let record = wire::jobs::record(loaded, false)?;
        let blake3 = digests.blake3.to_string();
        let spending = Spending::of(&record, &arguments.dataset, blake3, budget);
        Ok(Self { arguments, loaded, file, stated, budget, spending })
    }

    fn about(&self, left: Option<Left>) -> ReleaseAnswer {
        let budget = BudgetView::of(self.stated, &self.budget, left);
        ReleaseAnswer::about(&self.arguments.dataset, budget)
    }

    fn ask(&self, question: Question, output: &Output) -> Result<Outcome, CommandError> {
        let Self { arguments, spending, stated, .. } = self;
        let (query, privacy) = (query(arguments, question)?, privacy(arguments)?);
        let target = arguments.output.as_deref().filter(|file| *file != Path::new("-"));
        if question == Question::Synthetic && target.is_none() && output.form == Form::Json {
            let error =
                CommandError::new(Fault::Usage, "stdout cannot hold the rows and the report");
            return Err(error.hint("add -o FILE"));
        }
        let table = Table::open(&self.file, &environment::temporary_folder())?;
        let (dialect, contributions) = (table.dialect, stated.rows_per_person);
        let reading = Reading { dialect, contributions, person: stated.person.clone() };
        let plan = Plan::new(&query, &reading, privacy).map_err(|error| refused(&error))?;
        let left = spending.left(&spending.past()?, Some(privacy)).ok();
        if arguments.dry_run {
            let answer = self.about(left).decided(Decision::Planned, privacy);
            tell(&answer.with_noise(&plan), output);
            return Ok(if left.is_some() { Outcome::Done } else { Outcome::Negative });
        }
        // What is refused anyway needs no reading; what is answered is shown only once it is written down.
        let released = left.map(|_| answered(&plan, &table)).transpose()?;
        // A place that cannot be written to is no reason to spend anything.
        let document = target.filter(|_| left.is_some()).map(Document::new).transpose()?;
        match (self.decide(question, privacy)?, released) {
            (Ok(left), Some(released)) => {
                let answer = self
                    .about(Some(left))
                    .decided(Decision::Released, privacy)
                    .with_noise(&plan)
                    .with_answer(AnswerView::of(&released.answer));
                tell(&answer, output);
                write(document, &released, question, output)?;
                Ok(Outcome::Done)
            }
            (decided, _) => {
                let left = spending.left(&spending.past()?, None).ok();
                tell(&self.about(left).decided(Decision::Refused, privacy), output);
                if let Err(exceeded) = decided {
                    output.warning(&format!("refused: {exceeded}"));
                }
                Ok(Outcome::Negative)
            }
        }
    }

    /// Decides, writes that down, and signs the record.
    fn decide(
        &self,
        question: Question,
        privacy: Privacy,
    ) -> Result<Result<Left, Exceeded>, CommandError> {
        let asked = serde_json::to_string(&Asked::of(self.arguments, question));
        let decided = self.spending.decide(&Wanted {
            query_json: asked.map_err(|error| CommandError::new(Fault::Bug, error.to_string()))?,
            privacy: &privacy,
        })?;
        Audit::of(self.loaded, false)?.sign()?;
        Ok(decided)
    }
}

/// A dataset and what the project says may be spent of it.
fn stated<'a>(
    loaded: &'a Loaded,
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

/// Writes counts or synthetic rows where they are asked for; rows go to stdout else, where that is free.
fn write(
    document: Option<Document>,
    released: &Released,
    question: Question,
    output: &Output,
) -> Result<(), CommandError> {
    let csv = view::csv(&released.answer)
        .map_err(|error| CommandError::new(Fault::Bug, error.to_string()))?;
    match (csv, document) {
        (Some(csv), Some(mut document)) => {
            document.add(|to| to.write_all(&csv))?;
            document.finish(output)
        }
        (Some(csv), None) if question == Question::Synthetic && output.form != Form::Json => {
            output.copy(&mut csv.as_slice())
        }
        _ => Ok(()),
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
