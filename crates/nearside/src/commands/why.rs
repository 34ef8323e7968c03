//! `nearside why`: which part of what a stage depends on has changed.

use nearside_run::{Part, Standing};
use schemars::JsonSchema;
use serde::Serialize;

use crate::cli::Why;
use crate::environment;
use crate::error::CommandError;
use crate::output::{Answer, Detail, Form, Outcome, Output};
use crate::wire;
use crate::wire::jobs::failed;

/// The answer of `nearside why`.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct WhyAnswer {
    /// The stage.
    stage: String,
    /// `current`: its result is there; `restore`: it is in the cache; `run`: it has to be made.
    result: &'static str,
    /// Whether it ever ended well.
    has_run: bool,
    /// What changed since it last ended well.
    changed: Vec<String>,
    /// Everything that its result depends on, with the digest of each.
    depends_on: Vec<PartView>,
}

/// One thing that a result depends on.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
struct PartView {
    /// What it is.
    name: String,
    /// The digest of its content.
    digest: String,
    /// The content, where it is a short text.
    text: Option<String>,
}

pub(super) fn run(arguments: &Why, output: &Output) -> Result<Outcome, CommandError> {
    let loaded = wire::project::load(&arguments.path, &[])?;
    let runner = wire::jobs::runner(&loaded)?;
    let place = runner.jobs.place(&arguments.stage);
    let place = place.ok_or_else(|| super::run::unknown(&arguments.stage, &runner))?;
    let job = &runner.jobs.jobs[place];
    let (key, standing) = runner.standing(job).map_err(failed)?;
    let part = |part: &Part| PartView {
        name: part.name.clone(),
        digest: part.content.clone(),
        text: part.text.clone(),
    };
    let answer = WhyAnswer {
        stage: job.name.clone(),
        result: match &standing {
            Standing::Current => "current",
            Standing::Kept => "restore",
            Standing::Stale(_) => "run",
        },
        has_run: runner.has_run(job),
        changed: runner.changed(job, &key).iter().map(ToString::to_string).collect(),
        depends_on: key.parts.iter().map(part).collect(),
    };
    if output.form == Form::Json {
        let answer =
            Answer { schema: "nearside/why/1", data: &answer, warnings: &[], sources: &[] };
        output.json(&answer, environment::today());
    } else {
        output.text(&text(&answer, output.detail));
    }
    Ok(Outcome::Done)
}

fn text(answer: &WhyAnswer, detail: Detail) -> String {
    let stage = &answer.stage;
    let changed =
        || answer.changed.iter().map(|changed| format!("\n  {changed}")).collect::<String>();
    let mut text = match (answer.result, answer.has_run, answer.changed.is_empty()) {
        ("current", ..) => format!("{stage} is up to date"),
        ("restore", _, true) => {
            format!("{stage} would be restored from the cache: its result was changed or removed")
        }
        ("restore", ..) => {
            format!(
                "{stage} would be restored from the cache, where it was made of the same:{}",
                changed()
            )
        }
        (_, false, _) => format!("{stage} would run: it has never ended well here"),
        (_, _, true) => format!("{stage} would run: its result is no longer in the cache"),
        _ => format!("{stage} would run:{}", changed()),
    };
    if detail == Detail::Explained {
        text.push_str("\n\nit depends on");
        for part in &answer.depends_on {
            let content = part.text.as_deref().unwrap_or(&part.digest[..12.min(part.digest.len())]);
            text.push_str(&format!("\n  {}: {content}", part.name));
        }
    }
    text
}
