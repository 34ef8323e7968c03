//! `nearside model list`: the models that are here, whoever fetched them.

use nearside_models::hub::{CachedModel, CachedRevision};
use nearside_units::Bytes;
use schemars::JsonSchema;
use serde::Serialize;

use crate::environment;
use crate::error::{CommandError, Fault};
use crate::output::{Align, Answer, Form, Outcome, Output, table};
use crate::wire;
use crate::wire::journal::moment;

/// Digits of a commit that tell it from others for people.
const SHOWN_DIGITS: usize = 12;

/// The answer of `nearside model list`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct ListAnswer {
    /// The folder of the cache.
    folder: String,
    /// What is here, by name, the newest revision first.
    models: Vec<RevisionView>,
    /// Downloads that did not end.
    unfinished: Vec<UnfinishedView>,
}

/// A model at a revision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
struct RevisionView {
    /// The repository, as `model pull` takes it.
    repository: String,
    /// Branches and tags that were this commit when they were last asked for.
    revisions: Vec<String>,
    /// The commit.
    commit: String,
    /// What the weights are: `safetensors`, `gguf`, `pickle`.
    formats: Vec<&'static str>,
    /// How many files.
    files: usize,
    /// Their size, in bytes; revisions of one model may share some.
    bytes: u64,
    /// When the newest of them was made.
    modified_at: Option<String>,
    /// The folder with the files.
    folder: String,
}

/// A model of which some files did not come whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
struct UnfinishedView {
    /// The repository.
    repository: String,
    /// What came, in bytes.
    bytes: u64,
}

pub(super) fn run(output: &Output) -> Result<Outcome, CommandError> {
    let cache = wire::hub::cache()?;
    let models = cache.models();
    let models = models.map_err(|error| CommandError::new(Fault::World, error.to_string()))?;
    let answer = ListAnswer::of(&cache.folder().display().to_string(), &models);
    if output.form == Form::Json {
        let answer =
            Answer { schema: "nearside/model-list/1", data: &answer, warnings: &[], sources: &[] };
        output.json(&answer, environment::today());
        return Ok(Outcome::Done);
    }
    output.text(&text(&answer));
    if let Some(unfinished) = answer.unfinished.first() {
        output.hint(&format!("nearside model pull {} goes on", unfinished.repository));
    } else if answer.models.is_empty() {
        output.hint("nearside model pull HuggingFaceTB/SmolLM2-135M");
    }
    Ok(Outcome::Done)
}

impl ListAnswer {
    fn of(folder: &str, models: &[CachedModel]) -> Self {
        let revisions = models.iter().flat_map(|model| {
            model.revisions.iter().map(|revision| RevisionView::of(model, revision))
        });
        let unfinished = models.iter().filter(|model| model.unfinished > Bytes::ZERO);
        let unfinished = unfinished.map(|model| UnfinishedView {
            repository: model.repository.to_string(),
            bytes: model.unfinished.get(),
        });
        Self {
            folder: folder.to_owned(),
            models: revisions.collect(),
            unfinished: unfinished.collect(),
        }
    }
}

impl RevisionView {
    fn of(model: &CachedModel, revision: &CachedRevision) -> Self {
        Self {
            repository: model.repository.to_string(),
            revisions: revision.names.clone(),
            commit: revision.commit.to_string(),
            formats: revision.formats.iter().map(|format| format.name()).collect(),
            files: revision.files,
            bytes: revision.bytes.get(),
            modified_at: revision.modified.map(|time| moment(time).to_string()),
            folder: revision.folder.display().to_string(),
        }
    }
}

fn text(answer: &ListAnswer) -> String {
    let mut parts = Vec::new();
    if !answer.models.is_empty() {
        parts.push(models(&answer.models));
    }
    for one in &answer.unfinished {
        let size = Bytes::new(one.bytes).si();
        parts.push(format!("unfinished: {size} of files of {}", one.repository));
    }
    let count = answer.models.len();
    let what = if count == 1 { "1 model".to_owned() } else { format!("{count} models") };
    parts.push(format!("{what} in {}", answer.folder));
    parts.join("\n\n")
}

fn models(models: &[RevisionView]) -> String {
    let heads = [
        ("model", Align::Left),
        ("revision", Align::Left),
        ("commit", Align::Left),
        ("format", Align::Left),
        ("files", Align::Right),
        ("size", Align::Right),
        ("fetched", Align::Left),
    ];
    let dash = |text: String| if text.is_empty() { "-".to_owned() } else { text };
    let row = |model: &RevisionView| {
        vec![
            model.repository.clone(),
            dash(model.revisions.join(", ")),
            model.commit.chars().take(SHOWN_DIGITS).collect(),
            dash(model.formats.join(", ")),
            model.files.to_string(),
            Bytes::new(model.bytes).si(),
            model.modified_at.clone().unwrap_or_else(|| "-".to_owned()),
        ]
    };
    table(&heads, models.iter().map(row).collect())
}
