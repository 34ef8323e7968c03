//! What `nearside privacy anonymize --k` says: what the table keeps, what it lost, what is left.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use nearside_privacy::tabular::auc::Auc;
use nearside_privacy::tabular::told::Label;
use nearside_privacy::tabular::utility::{self, ColumnUtility};
use nearside_privacy::tabular::verify::Verified;
use nearside_privacy::tabular::{Problem, Told, Tuples};
use schemars::JsonSchema;
use serde::Serialize;

use super::super::super::table::Left;
use super::Chosen;
use crate::cli::{Anonymize, Method};

/// The answer of `nearside privacy anonymize --k`.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct KAnonymityAnswer {
    /// Whether nothing was written.
    pub(super) dry_run: bool,
    /// What every class had to keep, in words.
    pub(super) required: String,
    /// How rows were made alike.
    pub(super) method: Method,
    /// Rows of the table.
    pub(super) rows: u64,
    /// Rows that were left out.
    pub(super) left_out: u64,
    /// What the written table keeps, told from itself.
    pub(super) kept: KeptView,
    /// How each quasi-identifier is told.
    pub(super) columns: Vec<ColumnView>,
    /// What the written table is still good for.
    pub(super) utility: UtilityView,
    /// Of one level for each column, the search.
    pub(super) search: Option<SearchView>,
    /// Beside one level for each column: what `--method mondrian` would make.
    pub(super) other: Option<OtherView>,
    /// How likely a row is recognised by who knows the quasi-identifiers of its person, before and after.
    pub(super) risk: RiskView,
    /// Personal data and secrets that a search finds in the written table beside its quasi-identifiers, by column.
    pub(super) left: Vec<LeftView>,
    /// How long all of it took.
    pub(super) seconds: f64,
}

/// What a table keeps.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(super) struct KeptView {
    /// Its rows.
    pub(super) rows: u64,
    /// Its classes.
    pub(super) classes: u64,
    /// Rows of its smallest class; in a population the fewest of its people that a class is among.
    pub(super) k: u64,
    /// Whether its rows hide among the people of a population.
    pub(super) in_population: bool,
    /// The fewest different sensitive values of a class.
    pub(super) distinct_l: Option<u64>,
    /// The least exponential of the entropy of a class's sensitive values.
    pub(super) entropy_l: Option<f64>,
    /// The largest distance of a class's sensitive values from those of the table.
    pub(super) t: Option<f64>,
}

/// What a table is still good for.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(super) struct UtilityView {
    /// The normalised certainty penalty, from 0 to 1: the mean of all columns by their weights.
    pub(super) penalty: f64,
    /// Squares of the sizes of classes, and for each row that was left out the rows of the table.
    pub(super) discernibility: f64,
    /// The mean size of a class, as a multiple of k.
    pub(super) average_class: f64,
    /// How well a model foretells the target.
    pub(super) auc: Option<AucView>,
}

/// How well a model foretells a target: areas under ROC curves, tested on rows as they were.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(super) struct AucView {
    /// The column that is foretold.
    pub(super) target: String,
    /// Trained on rows as they were.
    pub(super) original: f64,
    /// Trained on rows as they are told.
    pub(super) anonymized: f64,
}

/// A search for the best levels.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(super) struct SearchView {
    /// ARX's loss, from 0 to 1: the geometric mean of one more than each column's loss, less one.
    pub(super) loss: f64,
    /// Combinations of levels that there are.
    pub(super) choices: u64,
    /// Those that were looked at.
    pub(super) looked_at: u64,
}

/// What another method would make.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(super) struct OtherView {
    /// The penalty that it would have.
    pub(super) penalty: f64,
    /// Rows that it would leave out.
    pub(super) left_out: u64,
}

/// How a column is told.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(super) struct ColumnView {
    /// Its name.
    pub(super) column: String,
    /// The level of its hierarchy, from 0: as it is; nothing where rows differ in it.
    pub(super) level: Option<LevelView>,
    /// Different values before.
    pub(super) values: usize,
    /// Different labels that its values are told as.
    pub(super) labels: usize,
    /// One of them.
    pub(super) example: String,
    /// The mean penalty of its cells, from 0 to 1: of numbers the part of their range that a label spans, of others
    /// the part of their values; 1 where a row is left out.
    pub(super) penalty: f64,
    /// The part of what its values tell that its labels do not (non-uniform entropy), from 0 to 1.
    pub(super) entropy: f64,
    /// How far the shares of its values are from those that its labels show, from 0 to 1.
    pub(super) distance: f64,
    /// The shares of a few groups of its values.
    pub(super) shares: Vec<ShareView>,
}

/// A level of a hierarchy.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(super) struct LevelView {
    /// The level, from 0.
    pub(super) at: u8,
    /// The highest one.
    pub(super) of: u8,
}

/// The share of a group of values.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(super) struct ShareView {
    /// The group.
    pub(super) values: String,
    /// As a part of all rows, before.
    pub(super) before: f64,
    /// As a part of the rows of the result, as far as its labels show.
    pub(super) after: f64,
}

/// How likely a row is recognised.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(super) struct RiskView {
    /// Rows that no other row shares its quasi-identifiers with, as a part of all, before.
    pub(super) unique_before: f64,
    /// The mean over all rows of one over the size of their class, before.
    pub(super) mean_before: f64,
    /// The same, after.
    pub(super) mean_after: f64,
    /// One over the size of the smallest class, after.
    pub(super) highest_after: f64,
}

/// What is left in a column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(super) struct LeftView {
    /// The column.
    pub(super) column: String,
    /// How many of each kind.
    pub(super) kinds: BTreeMap<&'static str, u64>,
}

/// What a search was about, and what it chose.
pub(super) struct Found<'t> {
    pub(super) problem: &'t Problem<'t>,
    pub(super) chosen: &'t Chosen,
    pub(super) other: Option<&'t Told>,
    pub(super) auc: Option<Auc>,
}

impl Found<'_> {
    fn utility(&self, told: &Told) -> Vec<ColumnUtility> {
        utility::columns(self.problem.tuples, self.problem.taxonomies, told)
    }

    /// The mean penalty of all columns, by their weights.
    fn penalty(&self, columns: &[ColumnUtility]) -> f64 {
        let Problem { weights, .. } = self.problem;
        let columns = columns.iter().zip(*weights);
        let sum: f64 = columns.map(|(column, weight)| column.penalty * weight).sum();
        sum / weights.iter().sum::<f64>()
    }
}

impl KAnonymityAnswer {
    pub(super) fn of(
        arguments: &Anonymize,
        found: Found<'_>,
        (verified, left): (&Verified, Vec<Left>),
        took: Duration,
    ) -> Self {
        let Problem { tuples, requirement, .. } = *found.problem;
        let (rows, told) = (tuples.rows as f64, found.chosen.told());
        let sensitive = verified.sensitive.as_ref();
        let columns = found.utility(told);
        let classes = verified.classes.max(1) as f64;
        let target = arguments.hiding.target.clone().unwrap_or_default();
        let search = match found.chosen {
            Chosen::Lattice(found) => Some(SearchView {
                loss: found.loss,
                choices: found.nodes,
                looked_at: found.looked_at,
            }),
            Chosen::Mondrian(_) => None,
        };
        Self {
            dry_run: arguments.dry_run,
            required: requirement.to_string(),
            method: arguments.hiding.method,
            rows: tuples.rows,
            left_out: told.suppressed,
            kept: KeptView {
                rows: verified.rows,
                classes: verified.classes,
                k: verified.k,
                in_population: tuples.population.is_some(),
                distinct_l: sensitive.map(|kept| kept.distinct),
                entropy_l: sensitive.map(|kept| kept.entropy),
                t: sensitive.map(|kept| kept.distance),
            },
            utility: UtilityView {
                penalty: found.penalty(&columns),
                discernibility: verified.squares as f64 + told.suppressed as f64 * rows,
                average_class: verified.rows as f64 / classes / requirement.k as f64,
                auc: found.auc.map(|Auc { original, anonymized }| AucView {
                    target,
                    original,
                    anonymized,
                }),
            },
            search,
            other: found.other.map(|other| OtherView {
                penalty: found.penalty(&found.utility(other)),
                left_out: other.suppressed,
            }),
            columns: column_views(&found, columns),
            risk: risk(tuples, verified),
            left: left
                .into_iter()
                .map(|Left { column, kinds }| LeftView { column, kinds })
                .collect(),
            seconds: took.as_secs_f64(),
        }
    }

    /// Whether nothing personal or secret was found in it.
    pub(super) fn is_clean(&self) -> bool {
        self.left.is_empty()
    }
}

fn column_views(found: &Found<'_>, utility: Vec<ColumnUtility>) -> Vec<ColumnView> {
    let Problem { tuples, hierarchies, .. } = *found.problem;
    let told = found.chosen.told();
    let columns = tuples.names.iter().zip(&tuples.dictionaries).zip(hierarchies);
    columns
        .zip(&told.columns)
        .zip(utility)
        .enumerate()
        .map(|(at, ((((name, values), hierarchy), column), utility))| {
            let kept = column.of.iter().enumerate().filter(|(tuple, _)| told.is_kept(*tuple));
            let labels: BTreeSet<u32> = kept.map(|(_, label)| *label).collect();
            let labels: Vec<&Label> =
                labels.iter().filter_map(|label| column.labels.get(*label as usize)).collect();
            let texts: BTreeSet<&str> = labels.iter().map(|label| label.text.as_str()).collect();
            let level = match found.chosen {
                Chosen::Lattice(solution) => solution.levels.get(at).map(|level| LevelView {
                    at: *level,
                    of: u8::try_from(hierarchy.levels().len().saturating_sub(1)).unwrap_or(u8::MAX),
                }),
                Chosen::Mondrian(_) => None,
            };
            ColumnView {
                column: name.clone(),
                level,
                values: values.values().len(),
                labels: texts.len(),
                example: example(&labels),
                penalty: utility.penalty,
                entropy: utility.entropy,
                distance: utility.distance,
                shares: utility
                    .shares
                    .into_iter()
                    .map(|share| ShareView {
                        values: share.name,
                        before: share.before,
                        after: share.after,
                    })
                    .collect(),
            }
        })
        .collect()
}

/// A label to show: one of several values, if there is one. Empty cells are a label too, but no example.
fn example(labels: &[&Label]) -> String {
    let shown = || labels.iter().filter(|label| !label.text.is_empty());
    let wide = shown().find(|label| label.span.first < label.span.last);
    wide.or_else(|| shown().next()).map(|label| label.text.clone()).unwrap_or_default()
}

fn risk(tuples: &Tuples, verified: &Verified) -> RiskView {
    // Combinations of quasi-identifiers alone, with their rows and who they hide among; those with a sensitive value
    // come apart by it.
    let mut before: BTreeMap<Vec<u32>, (u64, u64)> = BTreeMap::new();
    for (index, (rows, crowd)) in tuples.counts.iter().zip(tuples.crowd()).enumerate() {
        let codes = tuples.columns.iter().filter_map(|column| column.get(index).copied());
        let sums = before.entry(codes.collect()).or_default();
        *sums = (sums.0 + rows, sums.1 + crowd);
    }
    let all = tuples.rows as f64;
    let there = || before.values().filter(|(rows, _)| *rows > 0);
    let unique: u64 = there().filter(|(_, crowd)| *crowd <= 1).map(|(rows, _)| rows).sum();
    let chance = |(rows, crowd): &(u64, u64)| *rows as f64 / (*crowd).max(1) as f64;
    RiskView {
        unique_before: unique as f64 / all,
        mean_before: there().map(chance).sum::<f64>() / all,
        mean_after: verified.risk,
        highest_after: if verified.k > 0 { 1.0 / verified.k as f64 } else { 0.0 },
    }
}
