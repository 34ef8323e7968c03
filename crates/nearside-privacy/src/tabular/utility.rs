//! What a table is still good for: how much less exactly its values are told, column by column.
//!
//! - *Penalty*: the normalised certainty penalty (Xu et al. 2006), the mean over all rows of
//!   [`Taxonomy::penalty`]; a row that is left out counts 1.
//! - *Entropy*: the part of what a value tells that its label does not, `H(value | label) / H(value)` (non-uniform
//!   entropy, Gionis and Tassa 2009); a row that is left out tells nothing.
//! - *Distance*: how far the shares of the column's values are from those that the told table shows, if each value
//!   of a label is as likely: half of the sum of their differences, from 0 to 1.

use super::buckets::Buckets;
use super::taxonomy::Taxonomy;
use super::told::{Label, Told, ToldColumn};
use super::tuples::Tuples;

/// The most groups of a column's chart.
const MOST_BARS: usize = 16;

/// What a column is still good for.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnUtility {
    /// The mean penalty, from 0 to 1.
    pub penalty: f64,
    /// The part of what its values tell that is lost, from 0 to 1.
    pub entropy: f64,
    /// How far the shares of its values moved, from 0 to 1.
    pub distance: f64,
    /// The shares of a few groups of its values, before and after.
    pub shares: Vec<Share>,
}

/// The share of a group of values.
#[derive(Clone, Debug, PartialEq)]
pub struct Share {
    /// The group.
    pub name: String,
    /// As a part of all rows.
    pub before: f64,
    /// As a part of the rows that are kept.
    pub after: f64,
}

/// What each quasi-identifier is still good for.
#[must_use]
pub fn columns(tuples: &Tuples, taxonomies: &[Taxonomy], told: &Told) -> Vec<ColumnUtility> {
    let columns = tuples.columns.iter().zip(taxonomies).zip(&told.columns);
    columns
        .map(|((codes, taxonomy), column)| {
            let ranks: Vec<u32> = codes.iter().map(|code| taxonomy.rank(*code)).collect();
            ColumnView { tuples, taxonomy, told, column, ranks: &ranks }.utility()
        })
        .collect()
}

/// How many rows have each value of a column, by rank.
pub(super) fn rows_by_rank(ranks: &[u32], counts: &[u64], values: usize) -> Vec<u64> {
    let mut rows = vec![0; values];
    for (rank, count) in ranks.iter().zip(counts) {
        if let Some(rows) = rows.get_mut(*rank as usize) {
            *rows += count;
        }
    }
    rows
}

struct ColumnView<'t> {
    tuples: &'t Tuples,
    taxonomy: &'t Taxonomy,
    told: &'t Told,
    column: &'t ToldColumn,
    ranks: &'t [u32],
}

impl ColumnView<'_> {
    fn utility(&self) -> ColumnUtility {
        let rows = rows_by_rank(self.ranks, &self.tuples.counts, self.taxonomy.len());
        let by_label = self.rows_by_label();
        let all = self.tuples.rows as f64;
        let out = self.told.suppressed as f64;
        let penalties = self.column.labels.iter().zip(&by_label);
        let penalty: f64 = penalties.map(|(label, rows)| label.penalty * *rows as f64).sum();
        let before: Vec<f64> = rows.iter().map(|rows| *rows as f64 / all).collect();
        let after = self.shown(&by_label, all - out);
        let apart: f64 = before.iter().zip(&after).map(|(one, other)| f64::abs(one - other)).sum();
        ColumnUtility {
            penalty: (penalty + out) / all,
            entropy: self.entropy(&rows, &by_label),
            distance: if out < all { apart / 2.0 } else { 1.0 },
            shares: self.shares(&rows, (&before, &after)),
        }
    }

    fn rows_by_label(&self) -> Vec<u64> {
        let mut rows = vec![0; self.column.labels.len()];
        for (index, label) in
            self.column.of.iter().enumerate().filter(|(at, _)| self.told.is_kept(*at))
        {
            let count = self.tuples.counts.get(index).copied().unwrap_or(0);
            rows.get_mut(*label as usize).into_iter().for_each(|rows| *rows += count);
        }
        rows
    }

    /// The share of each value by rank, as labels show it.
    fn shown(&self, by_label: &[u64], kept: f64) -> Vec<f64> {
        // What begins and ends at each rank, so that wide labels cost no more than narrow ones.
        let mut changes = vec![0.0; self.taxonomy.len() + 1];
        for (Label { span, .. }, rows) in self.column.labels.iter().zip(by_label) {
            let each = *rows as f64 / f64::from(span.last - span.first + 1);
            for (at, change) in [(span.first, each), (span.last + 1, -each)] {
                changes.get_mut(at as usize).into_iter().for_each(|it| *it += change);
            }
        }
        let mut there = 0.0;
        let shares = changes.iter().take(self.taxonomy.len()).map(|change| {
            there += change;
            f64::max(there, 0.0) / kept.max(1.0)
        });
        shares.collect()
    }

    fn entropy(&self, rows: &[u64], by_label: &[u64]) -> f64 {
        let nats = |counts: &mut dyn Iterator<Item = u64>, of: u64| -> f64 {
            let part = |count: u64| count as f64 / of as f64;
            counts.filter(|count| *count > 0).map(|count| -(count as f64) * part(count).ln()).sum()
        };
        let whole = nats(&mut rows.iter().copied(), self.tuples.rows);
        if whole <= 0.0 {
            return 0.0;
        }
        let mut pairs: Vec<(u32, u32, u64)> = self
            .column
            .of
            .iter()
            .zip(self.ranks)
            .zip(&self.tuples.counts)
            .enumerate()
            .filter(|(index, _)| self.told.is_kept(*index))
            .map(|(_, ((label, rank), count))| (*label, *rank, *count))
            .collect();
        pairs.sort_unstable();
        let of_label = |group: &[(u32, u32, u64)]| {
            let label = group.first().map_or(0, |(label, ..)| *label as usize);
            let values = group.chunk_by(|one, other| one.1 == other.1);
            let mut counts = values.map(|value| value.iter().map(|(.., count)| count).sum());
            nats(&mut counts, by_label.get(label).copied().unwrap_or(1).max(1))
        };
        let told: f64 = pairs.chunk_by(|one, other| one.0 == other.0).map(of_label).sum();
        let out = self.told.suppressed as f64 / self.tuples.rows as f64;
        (told / whole + out).min(1.0)
    }

    fn shares(&self, rows: &[u64], (before, after): (&[f64], &[f64])) -> Vec<Share> {
        let buckets = Buckets::of(rows, MOST_BARS);
        let spans = buckets.spans().iter().enumerate();
        spans
            .map(|(bucket, span)| {
                let sum = |shares: &[f64]| -> f64 {
                    shares.get(span.first as usize..=span.last as usize).unwrap_or(&[]).iter().sum()
                };
                let name = buckets.name(bucket, self.taxonomy);
                Share { name, before: sum(before), after: sum(after) }
            })
            .collect()
    }
}
