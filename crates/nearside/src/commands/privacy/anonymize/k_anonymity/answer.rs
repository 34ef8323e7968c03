//! What `nearside privacy anonymize --k` says: what the table keeps, what it lost, what is left.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Read};
use std::time::Duration;

use nearside_policy::Class;
use nearside_privacy::scan::{self, Column};
use nearside_privacy::source::Form;
use nearside_privacy::tabular::lattice::Solution;
use nearside_privacy::tabular::verify::Verified;
use nearside_privacy::tabular::{Hierarchy, Requirement, Tuples};
use schemars::JsonSchema;
use serde::Serialize;

use super::super::report::Report;
use crate::cli::Anonymize;
use crate::output::{Align, table};

/// The answer of `nearside privacy anonymize --k`.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct KAnonymityAnswer {
    /// Whether nothing was written.
    dry_run: bool,
    /// What every class had to keep, in words.
    required: String,
    /// Rows of the table.
    rows: u64,
    /// Rows that were left out.
    left_out: u64,
    /// What the written table keeps, told from itself.
    kept: KeptView,
    /// How each quasi-identifier is told.
    columns: Vec<ColumnView>,
    /// ARX's loss, from 0 to 1: the geometric mean of one more than each column's loss, less one.
    loss: f64,
    /// Squares of the sizes of classes, and for each row that was left out the rows of the table.
    discernibility: f64,
    /// How likely a row is recognised by who knows the quasi-identifiers of its person, before and after.
    risk: RiskView,
    /// Combinations of levels that there are, and that were looked at.
    choices: u64,
    /// Those that were looked at.
    looked_at: u64,
    /// Personal data and secrets that a search finds in the written table, by column.
    left: Vec<LeftView>,
    /// How long all of it took.
    seconds: f64,
}

/// What a table keeps.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
struct KeptView {
    /// Its rows.
    rows: u64,
    /// Its classes.
    classes: u64,
    /// Rows of its smallest class.
    k: u64,
    /// The fewest different sensitive values of a class.
    distinct_l: Option<u64>,
    /// The least exponential of the entropy of a class's sensitive values.
    entropy_l: Option<f64>,
    /// The largest distance of a class's sensitive values from those of the table.
    t: Option<f64>,
}

/// How a column is told.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
struct ColumnView {
    /// Its name.
    column: String,
    /// The level of its hierarchy, from 0: as it is.
    level: u8,
    /// The highest level.
    of: u8,
    /// Different values before.
    values: usize,
    /// Different labels at this level.
    labels: usize,
    /// One of them.
    example: String,
}

/// How likely a row is recognised.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
struct RiskView {
    /// Rows that no other row shares its quasi-identifiers with, as a part of all, before.
    unique_before: f64,
    /// The mean over all rows of one over the size of their class, before.
    mean_before: f64,
    /// The same, after.
    mean_after: f64,
    /// One over the size of the smallest class, after.
    highest_after: f64,
}

/// What is left in a column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
struct LeftView {
    /// The column.
    column: String,
    /// How many of each kind.
    kinds: BTreeMap<&'static str, u64>,
}

/// What a search was about, and what it chose.
pub(super) struct Found<'t> {
    pub(super) tuples: &'t Tuples,
    pub(super) hierarchies: &'t [Hierarchy],
    pub(super) solution: &'t Solution,
}

/// What is left in a written table, by column.
pub(super) struct Left(Vec<LeftView>);

impl Left {
    /// Searches a table for what is of a class or a higher one.
    pub(super) fn of(text: &mut dyn Read, class: Class) -> io::Result<Self> {
        let mut names: Vec<String> = Vec::new();
        let mut counts: BTreeMap<u32, BTreeMap<&'static str, u64>> = BTreeMap::new();
        let mut heads = |columns: &[Column]| {
            names = columns.iter().map(|column| column.name.clone()).collect();
        };
        let mut each = |finding: scan::Finding| {
            if finding.entity.class() >= class {
                let kinds = counts.entry(finding.column.unwrap_or(u32::MAX)).or_default();
                *kinds.entry(finding.entity.name()).or_default() += 1;
            }
        };
        let options = scan::Options::default();
        scan::scan_under_heads(Some(Form::Delimited), text, options, &mut heads, &mut each)?;
        let name = |column: u32| names.get(column as usize).cloned().unwrap_or_default();
        let left =
            counts.into_iter().map(|(column, kinds)| LeftView { column: name(column), kinds });
        Ok(Self(left.collect()))
    }
}

impl KAnonymityAnswer {
    pub(super) fn of(
        arguments: &Anonymize,
        requirement: Requirement,
        found: Found<'_>,
        (verified, left): (&Verified, Left),
        took: Duration,
    ) -> Self {
        let Found { tuples, hierarchies, solution } = found;
        let rows = tuples.rows as f64;
        let sensitive = verified.sensitive.as_ref();
        Self {
            dry_run: arguments.dry_run,
            required: requirement.to_string(),
            rows: tuples.rows,
            left_out: solution.suppressed,
            kept: KeptView {
                rows: verified.rows,
                classes: verified.classes,
                k: verified.k,
                distinct_l: sensitive.map(|kept| kept.distinct),
                entropy_l: sensitive.map(|kept| kept.entropy),
                t: sensitive.map(|kept| kept.distance),
            },
            columns: columns(tuples, hierarchies, solution),
            loss: solution.loss,
            discernibility: verified.squares as f64 + solution.suppressed as f64 * rows,
            risk: risk(tuples, verified),
            choices: solution.nodes,
            looked_at: solution.looked_at,
            left: left.0,
            seconds: took.as_secs_f64(),
        }
    }

    /// Whether nothing personal or secret was found in it.
    pub(super) fn is_clean(&self) -> bool {
        self.left.is_empty()
    }
}

impl Report for KAnonymityAnswer {
    const SCHEMA: &'static str = "nearside/privacy-anonymize-table/1";

    fn text(&self) -> String {
        let mut text = format!("{}\n\n", self.summary());
        let rows = self.columns.iter().map(|column| {
            vec![
                column.column.clone(),
                format!("{} of {}", column.level, column.of),
                column.values.to_string(),
                column.labels.to_string(),
                column.example.clone(),
            ]
        });
        let heads = [
            ("column", Align::Left),
            ("level", Align::Left),
            ("values", Align::Right),
            ("labels", Align::Right),
            ("as", Align::Left),
        ];
        text.push_str(&table(&heads, rows.collect()));
        let RiskView { unique_before, mean_before, mean_after, highest_after } = self.risk;
        let _ = write!(
            text,
            "\n\nwho knows the quasi-identifiers recognises a row with a chance of {:.2} % on average, \
             {:.2} % at most; before, {:.2} % on average, and {:.1} % of the rows were the only one of \
             their kind\n",
            100.0 * mean_after,
            100.0 * highest_after,
            100.0 * mean_before,
            100.0 * unique_before
        );
        let KeptView { distinct_l, entropy_l, t, .. } = self.kept;
        if let (Some(distinct), Some(entropy), Some(t)) = (distinct_l, entropy_l, t) {
            let _ = writeln!(
                text,
                "every class has at least {distinct} sensitive values (entropy as of {entropy:.2}), at most \
                 {t:.3} away from the table"
            );
        }
        let _ = writeln!(
            text,
            "{} of {} choices of levels were looked at, in {:.2} s; the written table was read again and \
             keeps what is claimed",
            self.looked_at, self.choices, self.seconds
        );
        text
    }

    fn summary(&self) -> String {
        let KeptView { rows, classes, k, .. } = self.kept;
        let out = match self.left_out {
            0 => "no row left out".to_owned(),
            out => format!("{out} rows left out ({:.1} %)", 100.0 * out as f64 / self.rows as f64),
        };
        format!(
            "{}: {rows} rows in {classes} classes of at least {k}; {out}; loss {:.4}",
            self.required, self.loss
        )
    }

    fn warnings(&self) -> Vec<String> {
        let warning = |left: &LeftView| {
            let kinds: Vec<_> =
                left.kinds.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
            let LeftView { column, .. } = left;
            format!(
                "column {column:?} still holds {}: --drop-column leaves it out",
                kinds.join(", ")
            )
        };
        self.left.iter().map(warning).collect()
    }
}

fn columns(tuples: &Tuples, hierarchies: &[Hierarchy], solution: &Solution) -> Vec<ColumnView> {
    let columns = tuples.names.iter().zip(&tuples.dictionaries).zip(hierarchies);
    columns
        .zip(&solution.levels)
        .map(|(((name, values), hierarchy), level)| {
            let levels = hierarchy.levels();
            let chosen = levels.get(usize::from(*level));
            let mut told = chosen.map(|level| level.of.clone()).unwrap_or_default();
            told.sort_unstable();
            told.dedup();
            // Empty cells are a label too, but no example.
            let mut labels = chosen.into_iter().flat_map(|level| {
                level.of.iter().filter_map(|label| level.labels.get(*label as usize))
            });
            let example = labels.find(|label| !label.is_empty());
            ColumnView {
                column: name.clone(),
                level: *level,
                of: u8::try_from(levels.len().saturating_sub(1)).unwrap_or(u8::MAX),
                values: values.values().len(),
                labels: told.len(),
                example: example.cloned().unwrap_or_default(),
            }
        })
        .collect()
}

fn risk(tuples: &Tuples, verified: &Verified) -> RiskView {
    // Combinations of quasi-identifiers alone: those with a sensitive value come apart by it.
    let mut before: BTreeMap<Vec<u32>, u64> = BTreeMap::new();
    for (index, count) in tuples.counts.iter().enumerate() {
        let codes = tuples.columns.iter().filter_map(|column| column.get(index).copied());
        *before.entry(codes.collect()).or_default() += count;
    }
    let rows = tuples.rows as f64;
    let unique = before.values().filter(|count| **count == 1).count();
    let part = |count: f64, of: f64| if of > 0.0 { count / of } else { 0.0 };
    RiskView {
        unique_before: unique as f64 / rows,
        mean_before: before.len() as f64 / rows,
        mean_after: part(verified.classes as f64, verified.rows as f64),
        highest_after: part(1.0, verified.k as f64),
    }
}
