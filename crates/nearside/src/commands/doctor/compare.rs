//! `nearside doctor --compare FILE`: what of another machine could change a result here, what only its
//! speed, and what nothing.

mod recorded;
mod text;
mod view;

use std::path::Path;

use crate::environment;
use crate::error::{CommandError, Fault};
use crate::output::{Answer, Form, Outcome, Output};
use crate::wire;

pub(crate) use view::CompareAnswer;
use view::Verdict;

/// Holds what is found here, with the environment of a project, against a file of another machine.
pub(super) fn run(file: &Path, project: &Path, output: &Output) -> Result<Outcome, CommandError> {
    let there = recorded::read(file)?;
    let detected = nearside_probe::this_machine()
        .map_err(|error| CommandError::new(Fault::World, error.to_string()))?;
    let project = wire::project::folder(project);
    let folder = std::path::absolute(project).map_err(|error| {
        CommandError::new(Fault::World, format!("cannot find {}: {error}", project.display()))
    })?;
    let (here, notes) = wire::environment_lock::found(&detected, &folder);
    let answer = CompareAnswer::of(file, &here, &there);
    if output.form == Form::Json {
        let schema = "nearside/doctor-compare/1";
        let answer = Answer { schema, data: &answer, warnings: &notes, sources: &[] };
        output.json(&answer, environment::today());
    } else {
        output.text(&text::of(&answer));
        notes.iter().for_each(|note| output.warning(note));
    }
    Ok(match answer.verdict {
        Verdict::SameResults => Outcome::Done,
        Verdict::OtherResults | Verdict::CannotTell => Outcome::Negative,
    })
}
