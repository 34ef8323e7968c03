//! What `nearside privacy anonymize` says: how much of what was replaced, and what is left. Never a
//! value.

use std::collections::BTreeMap;

use nearside_privacy::anonymize::{Anonymized, AnonymizedFile, Operator};
use nearside_privacy::scan::{Entity, Group};
use schemars::JsonSchema;
use serde::Serialize;

use super::Key;
use super::report::Report;
use crate::cli::Anonymize;
use crate::output::{Align, table};

/// The answer of `nearside privacy anonymize`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct AnonymizeAnswer {
    /// Whether nothing was written.
    dry_run: bool,
    /// The project whose key made the pseudonyms; nothing where none do.
    project: Option<String>,
    /// Which key that was: eight digits that tell keys apart and are no secret. Nothing in a dry run.
    key: Option<String>,
    /// Values that were put into the vault; nothing where none were to be.
    in_vault: Option<usize>,
    /// The class that was asked about.
    class: String,
    /// Findings of that class or a higher one that are left.
    left_of_class: u64,
    /// What was replaced, and what a search of the result finds.
    kinds: Vec<KindView>,
    /// Every file.
    files: Vec<FileView>,
    /// Files that were left out.
    left_out: Vec<LeftOutView>,
}

/// A kind of finding and what was done with it, over all files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
struct KindView {
    /// Its name.
    kind: &'static str,
    /// Its class; `secret` for secrets.
    class: String,
    /// What was done with it; nothing for what only a search of the result found.
    operator: Option<&'static str>,
    /// How many were found and got that operator.
    count: u64,
    /// How many a search of the result finds that were left on purpose.
    left_on_purpose: u64,
    /// How many else a search of the result finds.
    left: u64,
}

/// A file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
struct FileView {
    /// Its path.
    input: String,
    /// Bytes read, as UTF-8.
    read_bytes: u64,
    /// Bytes written, or that would be.
    written_bytes: u64,
    /// Findings in it.
    found: u64,
    /// Findings in the result.
    left: u64,
}

/// A file that was left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
struct LeftOutView {
    /// Its path.
    input: String,
    /// Why.
    why: String,
}

impl AnonymizeAnswer {
    pub(super) fn of(
        arguments: &Anonymize,
        key: Option<&Key>,
        in_vault: Option<usize>,
        done: &Anonymized,
    ) -> Self {
        let left_out = done.left_out.iter().map(|file| {
            let (input, why) = (file.name.clone(), file.why.clone());
            LeftOutView { input, why }
        });
        Self {
            dry_run: arguments.dry_run,
            project: key.map(|key| key.around.project.clone()),
            key: key.filter(|_| !arguments.dry_run).map(|key| key.secret.name()),
            in_vault,
            class: arguments.class.to_string(),
            left_of_class: done.left_of(arguments.class),
            kinds: kinds(&done.files),
            files: done.files.iter().map(FileView::of).collect(),
            left_out: left_out.collect(),
        }
    }
}

impl Report for AnonymizeAnswer {
    const SCHEMA: &'static str = "nearside/privacy-anonymize/1";

    fn text(&self) -> String {
        let heads = [
            ("kind", Align::Left),
            ("class", Align::Left),
            ("operator", Align::Left),
            ("count", Align::Right),
            ("left on purpose", Align::Right),
            ("left", Align::Right),
        ];
        let row = |kind: &KindView| {
            vec![
                kind.kind.to_owned(),
                kind.class.clone(),
                kind.operator.unwrap_or("-").to_owned(),
                kind.count.to_string(),
                kind.left_on_purpose.to_string(),
                kind.left.to_string(),
            ]
        };
        match self.kinds.is_empty() {
            true => self.summary(),
            false => {
                let kinds = table(&heads, self.kinds.iter().map(row).collect());
                format!("{kinds}\n\n{}", self.summary())
            }
        }
    }

    fn summary(&self) -> String {
        let keep = Some(Operator::Keep.name());
        let replaced = self.kinds.iter().filter(|kind| kind.operator != keep);
        let replaced: u64 = replaced.map(|kind| kind.count).sum();
        let left: u64 = self.kinds.iter().map(|kind| kind.left + kind.left_on_purpose).sum();
        let files = match self.files.len() {
            1 => "1 file".to_owned(),
            count => format!("{count} files"),
        };
        let were = if self.dry_run { "would be" } else { "were" };
        let again = match left {
            0 => "nothing".to_owned(),
            left => left.to_string(),
        };
        let vault = match self.in_vault {
            Some(count) => format!("; {count} different ones are in the vault"),
            None => String::new(),
        };
        format!(
            "{replaced} values in {files} {were} replaced; a search of the result finds {again}{vault}"
        )
    }

    fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.left_of_class > 0 {
            let (left, class) = (self.left_of_class, &self.class);
            warnings.push(format!("the result holds {left} findings that are {class} or more"));
        }
        let (surrogate, shift) = (Operator::Surrogate.name(), Operator::Shift.name());
        let own = |kind: &&KindView| kind.operator.is_some_and(|it| it == surrogate || it == shift);
        let looks: u64 = self.kinds.iter().filter(own).map(|kind| kind.left_on_purpose).sum();
        if looks > 0 {
            warnings.push(format!(
                "{looks} surrogates look like the real thing, so any search finds them"
            ));
        }
        if !self.left_out.is_empty() {
            let named = self.left_out.iter().map(|file| format!("{} ({})", file.input, file.why));
            let named = named.collect::<Vec<_>>().join(", ");
            warnings.push(format!("left out: {named}"));
        }
        warnings
    }
}

impl FileView {
    fn of(file: &AnonymizedFile) -> Self {
        Self {
            input: file.input.display().to_string(),
            read_bytes: file.read,
            written_bytes: file.written,
            found: file.replaced.values().sum(),
            left: file.chosen.values().chain(file.left.values()).sum(),
        }
    }
}

/// How many were found and done so with, are left on purpose, are left else.
type Row = [u64; 3];

/// Counts of every kind and operator; what else is left of a kind stands in a row of its own.
fn kinds(files: &[AnonymizedFile]) -> Vec<KindView> {
    let mut rows: BTreeMap<(Entity, Option<Operator>), Row> = BTreeMap::new();
    let mut add = |entity, operator, counts: Row| {
        let row: &mut Row = rows.entry((entity, operator)).or_default();
        row.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
    };
    for file in files {
        for ((entity, operator), count) in &file.replaced {
            add(*entity, Some(*operator), [*count, 0, 0]);
        }
        for ((entity, operator), count) in &file.chosen {
            add(*entity, Some(*operator), [0, *count, 0]);
        }
        for (entity, count) in &file.left {
            add(*entity, None, [0, 0, *count]);
        }
    }
    let view = |((entity, operator), row): ((Entity, Option<Operator>), Row)| {
        let class = match entity.group() {
            Group::Secret => "secret".to_owned(),
            _ => entity.class().to_string(),
        };
        let [count, left_on_purpose, left] = row;
        let (kind, operator) = (entity.name(), operator.map(Operator::name));
        KindView { kind, class, operator, count, left_on_purpose, left }
    };
    rows.into_iter().map(view).collect()
}
