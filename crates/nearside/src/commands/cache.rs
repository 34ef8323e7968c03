//! `nearside cache list | prune`: what is kept of results, logs and working folders, and removing it.

use std::time::SystemTime;

use nearside_run::{Cache, Fate, Keep, KeptResult, Leftover};
use nearside_units::Bytes;
use schemars::JsonSchema;
use serde::Serialize;

mod reseal;

pub(crate) use reseal::ResealAnswer;

use crate::cli;
use crate::environment;
use crate::error::CommandError;
use crate::output::{Align, Answer, Form, Outcome, Output, table};
use crate::wire;
use crate::wire::jobs::failed;
use crate::wire::journal::moment;

/// Digits of a key that tell it from others for people.
const SHOWN_DIGITS: usize = 12;

/// The answer of `nearside cache list` and `nearside cache prune`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct CacheAnswer {
    /// Whether anything was removed, and not only said.
    pruned: bool,
    /// Results: those that are needed first, then the newest first.
    results: Vec<ResultView>,
    /// The size of all files of results, in bytes.
    stored_bytes: u64,
    /// What of it is removed or would be, in bytes.
    freed_bytes: u64,
    /// What stages printed.
    logs: LeftoverView,
    /// Working folders that killed runs and shells left.
    work: LeftoverView,
}

/// A result that is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
struct ResultView {
    /// The stage that made it.
    stage: String,
    /// Its key.
    key: String,
    /// When it was made.
    made_at: String,
    /// The size of its files, in bytes; others may hold the same files.
    bytes: u64,
    /// `needed`, `kept` or `removed`; what would be removed without `--yes`, too.
    fate: &'static str,
}

/// Files and folders that nothing depends on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
struct LeftoverView {
    /// How many.
    count: usize,
    /// Their size, in bytes.
    bytes: u64,
    /// How many are removed or would be.
    removed: usize,
    /// What of their size is removed or would be, in bytes.
    freed_bytes: u64,
}

pub(super) fn run(arguments: &cli::Cache, output: &Output) -> Result<Outcome, CommandError> {
    let now = SystemTime::now();
    let (path, rehearsal) = match arguments {
        cli::Cache::List { path, rehearsal } => (path, *rehearsal),
        cli::Cache::Prune(prune) => (&prune.path, prune.rehearsal),
        cli::Cache::Reseal { path } => return reseal::run(path, output),
    };
    let loaded = wire::project::load(path, &[])?;
    let runner = match rehearsal {
        true => wire::rehearsal::runner(&loaded)?,
        false => wire::jobs::runner(&loaded)?,
    };
    let answer = match arguments {
        cli::Cache::List { .. } | cli::Cache::Reseal { .. } => {
            let all = Keep { younger: std::time::Duration::MAX, size: None };
            let mut cache = runner.cache(&all, now).map_err(failed)?;
            cache.freed = Bytes::ZERO;
            CacheAnswer::of(&cache, false)
        }
        cli::Cache::Prune(prune) => {
            let younger = std::time::Duration::from_secs_f64(prune.keep.as_seconds());
            let keep = Keep { younger, size: prune.keep_size };
            let cache = match prune.yes {
                true => runner.prune(&keep, now),
                false => runner.cache(&keep, now),
            };
            CacheAnswer::of(&cache.map_err(failed)?, prune.yes)
        }
    };
    print(arguments, &answer, output);
    Ok(Outcome::Done)
}

impl CacheAnswer {
    fn of(cache: &Cache, pruned: bool) -> Self {
        let result = |result: &KeptResult| ResultView {
            stage: result.stage.clone(),
            key: result.key.to_string(),
            made_at: moment(result.made).to_string(),
            bytes: result.bytes.get(),
            fate: match result.fate {
                Fate::Needed => "needed",
                Fate::Kept => "kept",
                Fate::Removed => "removed",
            },
        };
        Self {
            pruned,
            results: cache.results.iter().map(result).collect(),
            stored_bytes: cache.stored.get(),
            freed_bytes: cache.freed.get(),
            logs: LeftoverView::of(&cache.logs),
            work: LeftoverView::of(&cache.work),
        }
    }
}

impl LeftoverView {
    fn of(found: &[Leftover]) -> Self {
        let removed = || found.iter().filter(|one| one.fate == Fate::Removed);
        Self {
            count: found.len(),
            bytes: found.iter().map(|one| one.bytes.get()).sum(),
            removed: removed().count(),
            freed_bytes: removed().map(|one| one.bytes.get()).sum(),
        }
    }
}

fn print(arguments: &cli::Cache, answer: &CacheAnswer, output: &Output) {
    if output.form == Form::Json {
        let answer =
            Answer { schema: "nearside/cache/1", data: answer, warnings: &[], sources: &[] };
        return output.json(&answer, environment::today());
    }
    let text = match arguments {
        cli::Cache::Prune(_) => pruned(answer),
        cli::Cache::List { .. } | cli::Cache::Reseal { .. } => listed(answer),
    };
    output.text(&text);
    if matches!(arguments, cli::Cache::Prune(_)) && !answer.pruned && frees(answer) > 0 {
        output.hint("nothing was removed: add --yes");
    }
}

fn frees(answer: &CacheAnswer) -> u64 {
    answer.freed_bytes + answer.logs.freed_bytes + answer.work.freed_bytes
}

/// Everything that is kept.
fn listed(answer: &CacheAnswer) -> String {
    let totals = format!(
        "results take {}; {} {}; {} {}",
        size(answer.stored_bytes),
        counted(answer.logs.count, "log"),
        size(answer.logs.bytes),
        counted(answer.work.count, "working folder"),
        size(answer.work.bytes)
    );
    match answer.results.is_empty() {
        true => totals,
        false => format!("{}\n\n{totals}", results(answer.results.iter())),
    }
}

/// What goes.
fn pruned(answer: &CacheAnswer) -> String {
    let (logs, work) = (&answer.logs, &answer.work);
    let freed = if answer.pruned { "freed" } else { "would free" };
    let totals = format!(
        "{freed} {} of {}: results {}; {} {}; {} {}",
        size(frees(answer)),
        size(answer.stored_bytes + logs.bytes + work.bytes),
        size(answer.freed_bytes),
        counted(logs.removed, "log"),
        size(logs.freed_bytes),
        counted(work.removed, "working folder"),
        size(work.freed_bytes)
    );
    let removed = answer.results.iter().filter(|result| result.fate == "removed");
    match removed.clone().next() {
        None => totals,
        Some(_) => format!("{}\n\n{totals}", results(removed)),
    }
}

fn results<'a>(results: impl Iterator<Item = &'a ResultView>) -> String {
    let heads = [
        ("stage", Align::Left),
        ("key", Align::Left),
        ("made", Align::Left),
        ("size", Align::Right),
        ("", Align::Left),
    ];
    let row = |result: &ResultView| {
        let key = result.key.chars().take(SHOWN_DIGITS).collect();
        let (stage, made) = (result.stage.clone(), result.made_at.clone());
        vec![stage, key, made, size(result.bytes), result.fate.to_owned()]
    };
    table(&heads, results.map(row).collect())
}

/// How many of something there are.
fn counted(count: usize, one: &str) -> String {
    match count {
        1 => format!("1 {one}"),
        count => format!("{count} {one}s"),
    }
}

fn size(bytes: u64) -> String {
    Bytes::new(bytes).si()
}
