//! `[dataset.NAME]` and `[model.NAME]`: what stages read and work on.

use std::num::NonZero;
use std::path::{Component, Path, PathBuf};

use nearside_policy::Class;
use nearside_units::{Bytes, Known};

use crate::Located;
use crate::project_file::{BudgetTable, DatasetTable, ModelTable, Named, in_file_order};
use crate::reader::Reader;

/// Data that stages read.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    /// Its name, and where it stands in the file.
    pub name: Located<String>,
    /// File or folder, relative to the project.
    pub path: String,
    /// How sensitive it is.
    pub class: Class,
    /// Size on disk.
    pub size: Known<Bytes>,
    /// The own site where it lives.
    pub at: String,
    /// What may be spent of the privacy of the people in it.
    pub budget: Option<PrivacyBudget>,
}

/// What all answers about a dataset together may tell of one person.
#[derive(Clone, Debug, PartialEq)]
pub struct PrivacyBudget {
    /// Epsilon, above 0 and at most 100.
    pub epsilon: f64,
    /// Delta, from 0 to 0.1.
    pub delta: f64,
    /// The most rows that one person has.
    pub rows_per_person: NonZero<u32>,
    /// The column that says whose a row is.
    pub person: Option<String>,
}

/// A model that stages work on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    /// Its name, and where it stands in the file.
    pub name: Located<String>,
    /// A catalog name, a folder or a file, to be looked up.
    pub source: Located<String>,
    /// The small model that a rehearsal uses instead, to be looked up.
    pub rehearsal: Option<Located<String>>,
}

/// Reads every `[dataset.NAME]`; `own` are the names of one's own sites.
pub(crate) fn read(
    reader: &mut Reader,
    tables: &Named<DatasetTable>,
    own: &[&str],
) -> Vec<Dataset> {
    let tables = in_file_order(tables).into_iter();
    let datasets: Vec<Dataset> =
        tables.map(|(name, table)| read_one(reader, name, table, own)).collect();
    one_budget_each(reader, &datasets);
    datasets
}

/// Two budgets of one file would be spent one after the other.
fn one_budget_each(reader: &mut Reader, datasets: &[Dataset]) {
    let with_budget = || datasets.iter().filter(|dataset| dataset.budget.is_some());
    for (at, dataset) in with_budget().enumerate() {
        let path = |dataset: &Dataset| -> PathBuf {
            let parts = Path::new(&dataset.path).components();
            parts.filter(|part| *part != Component::CurDir).collect()
        };
        if let Some(other) = with_budget().take(at).find(|other| path(other) == path(dataset)) {
            let (name, other) = (&dataset.name, &other.name.value);
            let message = format!(
                "datasets \"{other}\" and \"{}\" are one file with two budgets",
                name.value
            );
            reader.report(&name.span, message, Some("leave one of the budgets out".to_owned()));
        }
    }
}

fn read_one(
    reader: &mut Reader,
    name: &Located<String>,
    table: &DatasetTable,
    own: &[&str],
) -> Dataset {
    reader.check_name("dataset", name);
    if let Some(at) = table.at.as_ref().filter(|at| !own.contains(&at.value.as_str())) {
        reader.unknown("site", at, own.iter().copied());
    }
    if table.path.as_ref().is_none_or(|path| path.value.trim().is_empty()) {
        let message = format!("dataset \"{}\" has no path", name.value);
        reader.report(&name.span, message, Some("as in path = \"data/tickets.csv\"".to_owned()));
    }
    let mut section = reader.section(format!("dataset.{}", name.value));
    let class = section.choice("class", table.class.as_ref(), crate::classes());
    let why = "nobody said that it is public, and nobody said that it is about people";
    let class = section.or_assume("class", class, Class::Internal, why);
    let size = section.quantity("size", table.size.as_ref(), "2.4 GB");
    let at = table.at.as_ref().map(|at| at.value.clone());
    let first = own.first().copied().unwrap_or(crate::site::HERE);
    let at = section.or_assume("at", at, first.to_owned(), "the first of one's own sites");
    let size = Known::from_option(size, format!("{} is not stated", section.key("size")));
    let budget = table.budget.as_ref().and_then(|budget| read_budget(reader, name, budget));
    Dataset {
        name: name.clone(),
        path: table.path.as_ref().map(|path| path.value.clone()).unwrap_or_default(),
        class,
        size,
        at,
        budget,
    }
}

fn read_budget(
    reader: &mut Reader,
    name: &Located<String>,
    table: &BudgetTable,
) -> Option<PrivacyBudget> {
    let path = format!("dataset.{}.budget", name.value);
    if table.epsilon.is_none() {
        let hint = "as in budget = { epsilon = 1.0 }".to_owned();
        reader.report(&name.span, format!("{path} has no epsilon"), Some(hint));
    }
    let mut section = reader.section(path);
    let epsilon = section.number("epsilon", table.epsilon.as_ref(), 1e-6..=100.0);
    let delta = section.number("delta", table.delta.as_ref(), 0.0..=0.1);
    let rows = section.count("rows_per_person", table.rows_per_person.as_ref(), 1..=1_000_000);
    let rows = rows.and_then(|rows| NonZero::new(u32::try_from(rows).ok()?));
    let why = "nobody said that a person may have more";
    let rows = section.or_assume("rows_per_person", rows, NonZero::<u32>::MIN, why);
    Some(PrivacyBudget {
        epsilon: epsilon?,
        delta: delta.unwrap_or(0.0),
        rows_per_person: rows,
        person: table.person.as_ref().map(|person| person.value.clone()),
    })
}

/// Reads every `[model.NAME]`.
pub(crate) fn read_models(reader: &mut Reader, tables: &Named<ModelTable>) -> Vec<Model> {
    let mut models = Vec::new();
    for (name, table) in in_file_order(tables) {
        reader.check_name("model", name);
        if table.source.is_none() {
            let message = format!("model \"{}\" has no source", name.value);
            let hint = "a catalog name, a folder or a file, as in source = \"llama-3.1-8b\"";
            reader.report(&name.span, message, Some(hint.to_owned()));
        }
        models.push(Model {
            name: name.clone(),
            source: table.source.clone().unwrap_or_default(),
            rehearsal: table.rehearsal.clone(),
        });
    }
    models
}
