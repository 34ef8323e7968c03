//! `nearside privacy anonymize --k`: rows of a table that hide among others.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use nearside_privacy::tabular::{Diversity, Requirement};
use schemars::JsonSchema;
use serde::Serialize;

/// Rows of a table that hide among others.
#[derive(Debug, Args)]
#[command(next_help_heading = "Tables: rows that hide among others")]
pub(crate) struct Hiding {
    #[command(flatten)]
    pub(crate) required: Required,
    /// The rows that may be left out at most, as 5% or 0.05
    #[arg(long, value_name = "SHARE", requires = "k", value_parser = share, default_value = "0%")]
    pub(crate) suppress: f64,
    /// Files of hierarchies in ARX's form, named after their columns; else they follow from the values
    #[arg(long, value_name = "FOLDER", requires = "k")]
    pub(crate) hierarchies: Option<PathBuf>,
    /// How rows are made alike
    #[arg(long, value_enum, requires = "k", default_value = "lattice")]
    pub(crate) method: Method,
    /// A table of everyone in whom the rows are to hide: then each combination has N rows there
    #[arg(long, value_name = "FILE", requires = "k")]
    pub(crate) population: Option<PathBuf>,
    /// The column that a model is to foretell: says how much worse one is that learns from the result
    #[arg(long, value_name = "COLUMN", requires = "k")]
    pub(crate) target: Option<String>,
    /// Write what became of each column as a page with charts, too: with shares of values as they were, so for you alone
    #[arg(long, value_name = "FILE", requires = "k")]
    pub(crate) html: Option<PathBuf>,
    /// How much the loss of a column counts, as age=2 [default: 1]
    #[arg(long, value_name = "COLUMN=WEIGHT", value_delimiter = ',', requires = "k", value_parser = weight)]
    pub(crate) weight: Vec<(String, f64)>,
}

/// How rows are made alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Method {
    /// All values of a column are told at one level of its hierarchy, with the least loss there is
    Lattice,
    /// Rows are told as their neighbours, each as exactly as these allow
    Mondrian,
}

/// What every class of equal rows of a table must keep.
#[derive(Debug, Args)]
pub(crate) struct Required {
    /// Every combination of the quasi-identifiers has at least so many rows
    #[arg(long, value_name = "N", requires = "quasi", value_parser = clap::value_parser!(u64).range(2..))]
    pub(crate) k: Option<u64>,
    /// Columns that together could tell who a row is about
    #[arg(long, value_name = "COLUMN", value_delimiter = ',', requires = "k")]
    pub(crate) quasi: Vec<String>,
    /// The column that nobody is to learn of a person
    #[arg(long, value_name = "COLUMN", requires = "k")]
    pub(crate) sensitive: Option<String>,
    /// How diverse its values are in every class: 3, entropy:2.5 or recursive:C:L
    #[arg(long, value_name = "L", requires = "sensitive", value_parser = diversity)]
    pub(crate) l: Option<Diversity>,
    /// How far its distribution in a class may be from the table's, from 0 to 1
    #[arg(long, value_name = "T", requires = "sensitive", value_parser = share)]
    pub(crate) t: Option<f64>,
}

impl Required {
    /// The requirement, where there is one.
    pub(crate) fn requirement(&self) -> Option<Requirement> {
        self.k.map(|k| Requirement { k, diversity: self.l, closeness: self.t })
    }
}

fn diversity(text: &str) -> Result<Diversity, String> {
    let wrong = || {
        format!(
            "{text:?} is none of L, entropy:L and recursive:C:L, with L from 1 on and C above 0"
        )
    };
    let number = |text: &str| text.parse::<f64>().ok().filter(|number| number.is_finite());
    let found = match text.split(':').collect::<Vec<_>>().as_slice() {
        [l] => l.parse().ok().filter(|l| *l >= 1).map(Diversity::Distinct),
        ["entropy", l] => number(l).filter(|l| *l >= 1.0).map(Diversity::Entropy),
        ["recursive", c, l] => {
            let c = number(c).filter(|c| *c > 0.0);
            let l = l.parse().ok().filter(|l| *l >= 1);
            c.zip(l).map(|(c, l)| Diversity::Recursive { c, l })
        }
        _ => None,
    };
    found.ok_or_else(wrong)
}

fn share(text: &str) -> Result<f64, String> {
    let share = match text.strip_suffix('%') {
        Some(percent) => percent.trim().parse::<f64>().map(|percent| percent / 100.0),
        None => text.parse(),
    };
    let share = share.ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| format!("{text:?} is no share from 0% to 100%"))
}

fn weight(text: &str) -> Result<(String, f64), String> {
    let stated = text.rsplit_once('=').and_then(|(column, weight)| {
        let weight =
            weight.parse::<f64>().ok().filter(|weight| weight.is_finite() && *weight > 0.0)?;
        Some((column.to_owned(), weight))
    });
    stated.ok_or_else(|| format!("{text:?} is not COLUMN=WEIGHT with a weight above 0"))
}
